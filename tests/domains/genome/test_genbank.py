"""GenBank in: as Biopython reads whole files; of damaged ones nothing is lost without a word."""

from __future__ import annotations

import random
import warnings

import pytest
from Bio import SeqIO
from Bio.Seq import Seq
from Bio.SeqRecord import SeqRecord
from hypothesis import given, settings
from hypothesis import strategies as st

from seqforge.base.messages import collected_remarks, one_line
from seqforge.core.config import DataConfig
from seqforge.core.data.ingest import ingest
from seqforge.domains.genome.domain import GenomeDomain
from seqforge.errors import InputError


def record(name, bases, **annotations):
    about = {"molecule_type": "DNA", "topology": "linear", **annotations}
    found = SeqRecord(Seq(bases), id=f"{name}.1", name=name, description=f"a plasmid, {name}")
    found.annotations.update(about)
    return found


def bases(length, seed=1):
    return "".join(random.Random(seed).choices("ACGTN", [9, 9, 9, 9, 1], k=length))


@pytest.fixture
def intact(tmp_path):
    """Three records, as Biopython writes them."""
    records = [record(f"AB{size}", bases(size, size)) for size in (700, 61, 3000)]
    path = tmp_path / "x.gb"
    SeqIO.write(records, path, "genbank")
    return path


def read(path):
    """Of each record its name, letters, and what was said between its letters and the next's."""
    found = []
    with collected_remarks() as remarks:
        records = iter(GenomeDomain().read(path))
        for record in records:
            found.append((record.name, record.symbols, "; ".join(remarks)))
            remarks.clear()
    return found


@pytest.fixture
def text(intact):
    return intact.read_bytes()


def test_whole_files_read_as_biopython_reads_them(intact):
    with intact.open() as stream:
        records = list(SeqIO.parse(stream, "genbank"))
    theirs = [(str(r.id), str(r.seq).upper(), r.description) for r in records]
    ours = [(r.name, r.symbols, r.description) for r in GenomeDomain().read(intact)]

    assert ours == theirs
    assert len(ours) == 3


@pytest.mark.parametrize(
    "changed",
    [
        lambda gb: b"\xef\xbb\xbf" + gb,
        lambda gb: b"\n \n\r\n" + gb,
        lambda gb: b"\xef\xbb\xbf\n" + gb,
        lambda gb: gb.replace(b"\n", b"\r\n"),
        lambda gb: gb.replace(b"\n", b"\r"),
        lambda gb: gb.replace(b"//\n", b"//\n\n\n"),
        lambda gb: gb.replace(b"//\n", b"  //\n"),
        lambda gb: gb.rstrip(b"\n"),
        lambda gb: gb.replace(b"//\nLOCUS", b"//\n\xef\xbb\xbfLOCUS"),
        lambda gb: gb.replace(b"ORIGIN\n", b"ORIGIN      1 bp upstream of EcoRI site\n"),
        lambda gb: b"GBBCT1.SEQ    Genetic Sequence Data Bank\n            April 15 2023\n\n" + gb,
    ],
    ids=["bom", "blank lines", "bom and blank", "crlf", "cr", "blank between", "indented end",
         "no last line break", "bom between", "text on ORIGIN", "a release's own heading"],
)  # fmt: skip
def test_all_records_are_read_however_lines_begin_and_end(intact, text, changed):
    wanted = [(name, symbols) for name, symbols, _ in read(intact)]
    intact.write_bytes(changed(text))

    assert [(name, symbols) for name, symbols, _ in read(intact)] == wanted


@settings(max_examples=40)
@given(block=st.integers(3, 300), end=st.sampled_from([b"\n", b"\r\n", b"\r"]))
def test_whatever_the_blocks_a_file_reads_the_same(tmp_path_factory, block, end):
    path = tmp_path_factory.mktemp("gb") / "x.gb"
    SeqIO.write([record("A", bases(130)), record("B", bases(61, 2))], path, "genbank")
    wanted = read(path)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", end))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("seqforge.domains.genome.fasta._BLOCK", block)
        patch.setattr("seqforge.domains.genome.genbank.BLOCK", 100 + block)
        assert read(path) == wanted


@pytest.mark.parametrize("share", [0.02, 0.5, 0.97])
def test_a_file_cut_in_a_sequence_says_what_locus_promised(intact, text, share):
    origin = text.rindex(b"ORIGIN")
    intact.write_bytes(text[: origin + 7 + int((len(text) - origin - 7) * share)])

    *whole, (name, symbols, note) = read(intact)

    assert [note for _, _, note in whole if "LOCUS" in note] == []
    assert name == "AB3000.1"
    if symbols:
        assert f"record AB3000.1: LOCUS says 3,000 bp, {len(symbols):,} found" in note
        assert "the line // at its end is missing" in note
    else:
        assert "record AB3000.1 refused: a GenBank record without its sequence" in note


def test_a_missing_end_before_the_next_record_joins_nothing(intact, text):
    wanted = [(name, symbols) for name, symbols, _ in read(intact)]
    intact.write_bytes(text.replace(b"//\nLOCUS", b"LOCUS"))

    found = read(intact)

    assert [(name, symbols) for name, symbols, _ in found] == wanted
    assert ["// at its end is missing" in note for *_, note in found] == [True, True, False]


def test_a_glued_locus_line_is_read_with_its_name_as_found(intact, text):
    bare = b"\n".join(
        line for line in text.split(b"\n") if not line.startswith((b"VERSION", b"ACCESSION"))
    )
    glued = b"LOCUS       NODE_1_length_700_cov_13.663700 bp   DNA linear\n"
    intact.write_bytes(glued + bare.split(b"\n", 1)[1])

    (name, symbols, note), *others = read(intact)

    assert name == "NODE_1_length_700_cov_13.663700"
    assert len(symbols) == 700
    assert "LOCUS" not in note, "it ends in the length that was found"
    assert len(others) == 2
    intact.write_bytes(glued.replace(b"700 bp", b"999 bp") + bare.split(b"\n", 1)[1])
    assert "LOCUS says NODE_1_length_700_cov_13.663999, 700 bases found" in read(intact)[0][2]


NO_SEQUENCE = {
    "con": b"LOCUS       CON1   900 bp    DNA     linear   CON 01-JAN-2020\nVERSION     CON1.1\n"
           b"CONTIG      join(AB700.1:1..700)\n//\n",
    "wgs": b"LOCUS       WGS1   9 rc    DNA     linear   BCT 01-JAN-2020\nVERSION     WGS1.1\n"
           b"WGS         ABCD01000001-ABCD01000009\n//\n",
    "undefined": b"LOCUS       UND1   900 bp    DNA     linear   UNK\nVERSION     UND1.1\n"
                 b"ORIGIN\n//\n",
    "protein": b"LOCUS       PRO1   9 aa            linear   BCT 01-JAN-2020\nVERSION     PRO1.1\n"
               b"ORIGIN\n        1 mkvlaagivg lee\n//\n",
}  # fmt: skip


@pytest.mark.parametrize("kind", NO_SEQUENCE)
@pytest.mark.parametrize("place", [0, 1])
def test_a_record_without_a_sequence_is_refused_by_name_and_the_others_go_on(
    intact, text, kind, place, tmp_path
):
    wanted = [(name, symbols) for name, symbols, _ in read(intact)]
    first = text.index(b"//\n") + 3
    parts = [text[:first], text[first:]] if place else [b"", text]
    intact.write_bytes(NO_SEQUENCE[kind].join(parts))

    found = read(intact)

    assert [(name, symbols) for name, symbols, _ in found if symbols] == wanted
    (refused,) = [(name, note) for name, symbols, note in found if not symbols]
    name = {"con": "CON1.1", "wgs": "WGS1.1", "undefined": "UND1.1", "protein": "PRO1.1"}[kind]
    assert refused[0] == name
    assert f"record {name} refused: " in refused[1]
    folder = tmp_path / "corpus"
    folder.mkdir()
    _, (line,) = ingest(GenomeDomain(), [intact], DataConfig(split="80/10/10"), folder)
    assert line.status == "split"
    assert f"record {name} refused: " in line.reason
    assert line.records == 3


@pytest.mark.parametrize("kind", NO_SEQUENCE)
def test_a_file_of_nothing_else_is_refused_with_the_reason(tmp_path, kind):
    path = tmp_path / "x.gb"
    path.write_bytes(NO_SEQUENCE[kind])
    with pytest.raises(InputError, match=r"x\.gb: record \w+\.1 refused: "):
        read(path)


def test_text_after_the_last_record_is_said_and_fasta_there_is_refused(intact, text):
    intact.write_bytes(text + b"\nthis came with a mail\nand more\n")
    assert "2 lines outside records left out" in read(intact)[-1][2]
    intact.write_bytes(text + b">chr1\nACGT\n")
    with pytest.raises(InputError, match="holds FASTA beside GenBank records"):
        read(intact)


def test_a_record_whose_locus_line_is_damaged_is_not_lost(intact, text):
    second = text.index(b"LOCUS", 10)
    intact.write_bytes(text[:second] + b"LOKUS" + text[second + 5 :])

    found = read(intact)

    assert [name for name, *_ in found] == ["AB700.1", "AB61.1", "AB3000.1"]
    assert [len(symbols) for _, symbols, _ in found] == [700, 61, 3000]


def test_letters_that_are_none_are_refused_with_the_records_name(intact, text):
    intact.write_bytes(text.replace(b"        1 ", b"        1 !", 1))
    with pytest.raises(InputError, match=r"x\.gb: record AB700\.1: '!' is not a nucleotide code"):
        read(intact)


def test_what_a_file_is_its_content_says(tmp_path, intact):
    (tmp_path / "y.fa").write_bytes(intact.read_bytes())
    assert read(tmp_path / "y.fa") == read(intact)
    (tmp_path / "z.gb").write_text(">chr1\nACGT\n")
    assert read(tmp_path / "z.gb") == [("chr1", "ACGT", "")]
    (tmp_path / "w.gb").write_text("hello\n")
    with pytest.raises(InputError, match=r"w\.gb: is not a GenBank file"):
        read(tmp_path / "w.gb")


def test_no_file_of_a_folder_takes_the_others_with_it(tmp_path, intact):
    (tmp_path / "cut.gb").write_bytes(intact.read_bytes()[:150])
    (tmp_path / "corpus").mkdir()
    files = [tmp_path / "cut.gb", intact]
    _, lines = ingest(GenomeDomain(), files, DataConfig(split="80/10/10"), tmp_path / "corpus")
    assert [line.status for line in lines] == ["refused", "split"]


WHOLE = b"".join(
    [b"LOCUS       AB1   130 bp    DNA     linear   UNK 01-JAN-1980\nDEFINITION  one.\n"
     b"ACCESSION   AB1\nVERSION     AB1.1\nFEATURES             Location/Qualifiers\n"
     b'     gene            1..9\n                     /gene="x"\nORIGIN\n'
     b"        1 acgtacgtac gtnnnnacgt acgtacgtac gtacgtacgt acgtacgtac gtacgtacgt\n"
     b"       61 acgtacgtac gtnnnnacgt acgtacgtac gtacgtacgt acgtacgtac gtacgtacgt\n"
     b"      121 acgtacgtac\n//\n"] * 2
)  # fmt: skip


@st.composite
def mutated(draw, whole):
    """A file with a few bytes changed, cut out, doubled or put in."""
    data = bytearray(whole)
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(data)))
        length = draw(st.integers(0, 40))
        put = draw(st.binary(max_size=8) | st.sampled_from(
            [b"\n", b"\r", b"//\n", b"LOCUS ", b">", b"ORIGIN\n", b"\xef\xbb\xbf", b"\0", b"\x1b["]
        ))  # fmt: skip
        data[place : place + length] = put
    return bytes(data)


def records_or_sentence(path):
    """What is shown of a file's records, or of why it is refused; nothing else may be raised."""
    try:
        with collected_remarks() as remarks:
            records = list(GenomeDomain().read(path))
    except InputError as error:
        return [str(error)] if path.name in str(error) else ["the file is not named\n"]
    said = list(remarks)
    wrong = ["not only bases\n" for record in records if record.symbols.strip("ACGTN")]
    return [text for r in records for text in (r.name, r.description, r.note)] + said + wrong


@settings(max_examples=300)
@given(data=mutated(WHOLE))
def test_a_mutated_file_gives_records_or_one_sentence(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("gb") / "x.gb"
    path.write_bytes(data)
    for text in records_or_sentence(path):
        assert text == one_line(text)


def test_the_slices_that_ship_read_as_biopython_reads_them(tmp_path):
    """A real sequence, with features of every shape around it."""
    (slice_,) = GenomeDomain().read(GenomeDomain().default_input()[0])
    one = record("CHR2R", slice_.symbols[:90_000])
    path = tmp_path / "x.gb"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        SeqIO.write([one], path, "genbank")
        with path.open() as stream:
            theirs = next(SeqIO.parse(stream, "genbank"))
    assert read(path) == [("CHR2R.1", str(theirs.seq).upper(), "")]
