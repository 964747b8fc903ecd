"""FASTA and GenBank in, FASTA out."""

import bz2
import gzip
import re
from pathlib import Path

import numpy as np
import pytest
from Bio import SeqIO
from Bio.Seq import Seq
from Bio.SeqRecord import SeqRecord
from hypothesis import given, settings
from hypothesis import strategies as st

from seqforge.core.data.domain import Sample
from seqforge.core.data.vocabulary import Vocabulary
from seqforge.domains.genome.domain import GenomeDomain
from seqforge.domains.genome.nucleotides import Cleaner, clean
from seqforge.errors import InputError
from tests.conftest import ROOT


@given(bases=st.lists(st.text("ACGTN", max_size=300), max_size=5), width=st.integers(1, 80))
def test_read_undoes_write(tmp_path_factory, bases, width):
    path = tmp_path_factory.mktemp("fasta") / "x.fa"
    domain = GenomeDomain(line_width=width)
    domain.write([Sample(text, number=n) for n, text in enumerate(bases, 1)], path)

    if bases:
        assert [record.symbols for record in domain.read(path)] == bases
        with path.open() as stream:
            assert [str(r.seq) for r in SeqIO.parse(stream, "fasta")] == bases
        assert max(map(len, path.read_text().splitlines())) <= max(width, len(">sample_1"))


@given(
    bases=st.text("ACGTacgt", min_size=1, max_size=200), width=st.integers(1, 80),
    end=st.sampled_from(["\n", "\r\n", "\n\n"]), packed=st.booleans(),
)  # fmt: skip
def test_line_breaks_and_headers_are_never_symbols(tmp_path_factory, bases, width, end, packed):
    lines = [
        f">{'chr1 ACGT some words'}",
        *(bases[i : i + width] for i in range(0, len(bases), width)),
    ]
    data = (end.join(lines) + end).encode()
    path = tmp_path_factory.mktemp("fasta") / ("x.fa.gz" if packed else "x.fa")
    path.write_bytes(gzip.compress(data) if packed else data)

    (record,) = GenomeDomain().read(path)
    (as_typed,) = GenomeDomain(keep_case=True).read(path)

    assert record.name == "chr1"
    assert record.symbols == bases.upper()
    assert as_typed.symbols == bases


@given(st.text("ACGTRYSWKMBDHVNU-. \n", max_size=100))
def test_every_code_becomes_a_base_that_it_stands_for(letters):
    kept = re.sub(r"[-.\s]", "", letters).replace("U", "T")
    plain = [letter for letter in kept if letter in "ACGTN"]
    if kept and len(plain) < len(kept) / 2:
        with pytest.raises(ValueError, match="protein"):
            clean(letters)
        return
    cleaner = Cleaner()
    symbols = cleaner.clean(letters.encode()).tobytes().decode()
    gaps = cleaner.record().gaps

    assert clean(letters) == symbols
    stands_for = {"R": "AG", "Y": "CT", "S": "CG", "W": "AT", "K": "GT", "M": "AC",
                  "B": "CGT", "D": "AGT", "H": "ACT", "V": "ACG"}  # fmt: skip
    assert len(symbols) == len(kept)
    for place, (letter, base) in enumerate(zip(kept, symbols, strict=True)):
        bases = stands_for.get(letter, letter)
        assert base == bases[place % len(bases)]
    assert "".join("." if base == "N" else "x" for base in symbols) == "".join(
        "." if any(a <= i < b for a, b in gaps) else "x" for i in range(len(kept))
    )


LETTERS = st.text("ACGTacgtNnXUuRYykB-. ", max_size=60)


def plainly(lines, keep_case):
    """The rules again, a letter at a time, of lines without their headers."""
    stands_for = {"R": "AG", "Y": "CT", "K": "GT", "B": "CGT"}
    symbols = []
    for letter in "".join(lines):
        if letter in "-. ":
            continue
        base = {"U": "T", "X": "N"}.get(letter.upper(), letter.upper())
        bases = stands_for.get(base, base)
        base = bases[len(symbols) % len(bases)]
        symbols.append(base.lower() if keep_case and letter.islower() else base)
    return "".join(symbols)


@settings(max_examples=300)
@given(
    contigs=st.lists(
        st.tuples(st.text("chr1 >;#_", max_size=9), st.lists(LETTERS, max_size=8)),
        min_size=1, max_size=4,
    ),
    end=st.sampled_from(["\n", "\r\n", "\r", "\n\n"]), last=st.booleans(),
    preamble=st.sampled_from(["", "\ufeff", "; a comment\n", "\n \n"]),
    block=st.integers(4, 50), keep_case=st.booleans(), packed=st.sampled_from(["", ".gz", ".bz2"]),
)  # fmt: skip
def test_whatever_the_blocks_a_file_reads_as_it_would_letter_by_letter(
    tmp_path_factory, contigs, end, last, preamble, block, keep_case, packed
):
    lines = [line for title, letters in contigs for line in (f">{title}", *letters)]
    data = (preamble + end.join(lines) + end * last).encode()
    path = tmp_path_factory.mktemp("fasta") / f"x.fa{packed}"
    path.write_bytes({"": bytes, ".gz": gzip.compress, ".bz2": bz2.compress}[packed](data))
    wanted = [plainly(letters, keep_case) for _, letters in contigs]
    domain = GenomeDomain(keep_case=keep_case)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("seqforge.domains.genome.fasta._BLOCK", block)
        protein = any(
            sum(letter in "RYykB" for line in letters for letter in line) * 2 > len(symbols)
            for (_, letters), symbols in zip(contigs, wanted, strict=True)
        )
        if protein:
            with pytest.raises(InputError, match="protein"):
                list(domain.read(path))
            return
        records = list(domain.read(path))
        blocks = list(domain.read_blocks(path))

    assert [record.symbols for record in records] == wanted
    assert [record.name for record in records] == [
        (title.split() or ["unnamed"])[0] for title, _ in contigs
    ]
    assert len({record.group for record in records}) == len(records)
    for record in records:
        runs = [match.span() for match in re.finditer("[Nn]+", record.symbols)]
        assert record.gaps == tuple(runs)
    assert b"".join(part.points.tobytes() for part in blocks).decode() == "".join(wanted)
    ends = [part.ends for part in blocks if part.ends is not None]
    assert [(end.gaps, end.note) for end in ends] == [(r.gaps, r.note) for r in records]


def test_a_long_contig_comes_in_blocks(tmp_path):
    """A line without end is no reason to hold it whole."""
    path = tmp_path / "x.fa"
    path.write_bytes(b">chr1\n" + b"ACGTN" * 1_000_000)

    sizes = [len(block.points) for block in GenomeDomain().read_blocks(path)]

    assert sum(sizes) == 5_000_000
    assert max(sizes) <= 1 << 20


def test_a_wrong_letter_far_into_a_file_is_found_with_its_line(tmp_path):
    path = tmp_path / "x.fa"
    lines = [">chr1", *["ACGT" * 15] * 40_000, "ACG!T", *["ACGT" * 15] * 9]
    path.write_text("\r\n".join(lines))

    with pytest.raises(InputError, match=r"x\.fa:40002: '!' is not a nucleotide code"):
        list(GenomeDomain().read_blocks(path))


def test_genbank_reads_like_the_same_sequence_as_fasta(tmp_path):
    record = SeqRecord(
        Seq("ACGTTGCA" * 40), id="X1", name="X1", annotations={"molecule_type": "DNA"}
    )
    SeqIO.write(record, tmp_path / "x.gb", "genbank")
    SeqIO.write(record, tmp_path / "x.fa", "fasta")

    (genbank,), (fasta,) = (GenomeDomain().read(tmp_path / name) for name in ("x.gb", "x.fa"))

    assert genbank.symbols == fasta.symbols == "ACGTTGCA" * 40


def test_genbank_without_its_sequence_says_so(tmp_path):
    record = SeqRecord(Seq(None, 50), id="X1", name="X1", annotations={"molecule_type": "DNA"})
    SeqIO.write(record, tmp_path / "x.gb", "genbank")
    with pytest.raises(InputError, match="without its sequence"):
        list(GenomeDomain().read(tmp_path / "x.gb"))


def test_the_mirror_is_biopythons_reverse_complement():
    vocabulary = Vocabulary(tuple("ACGTacgt"))
    bases = "".join(np.random.default_rng(0).choice(list("ACGTacgt"), 300))
    ids = vocabulary.encode(bases).astype(np.int64)

    mirror = GenomeDomain().mirror(vocabulary)

    assert vocabulary.decode(mirror[ids][::-1].tolist()) == str(Seq(bases).reverse_complement())
    assert GenomeDomain(strands="forward").mirror(vocabulary) is None


def test_the_slice_that_ships_is_a_million_bases_of_chromosome_2r(shared_data):
    (record,) = GenomeDomain().read(GenomeDomain().default_input()[0])
    (whole,) = GenomeDomain().read(shared_data / "genome" / "dm3-chr2R.fa.gz")

    assert record.name == "chr2R:2000001-3000000"
    assert record.symbols == whole.symbols[2_000_000:3_000_000]
    assert whole.gaps == ((16668212, 16668312),)
    assert len(whole.symbols) == 21_146_708


def test_a_header_says_how_a_sample_was_drawn(tmp_path):
    sample = Sample("ACGT", model="my fly", temperature=0.8, seed=3, number=7, mean_log_prob=-1.3)
    GenomeDomain().write([sample], tmp_path / "x.fa")
    assert (tmp_path / "x.fa").read_text().splitlines()[0] == (
        ">sample_7 model=my_fly t=0.8 seed=3 mean_log_prob=-1.3000"
    )


def test_a_prime_is_bases_or_the_first_contig_of_a_file(tmp_path):
    (tmp_path / "x.fa").write_text(">a\nacgu\nTT\n>b\nGG\n")
    domain = GenomeDomain()

    assert domain.prime("acg uRa") == "ACGTAA"
    assert domain.prime(tmp_path / "x.fa") == "ACGTTT"


@pytest.mark.parametrize(
    ("typed", "handed_on"),
    [("acn", "ACN"), ("ACxG", "ACxG"), ("ac!€g", "AC!€G"), ("acgu\nZr", "ACGTZG"),
     ("ACGTZ-R", "ACGTZG"), ("", ""), (" \n", ""), ("mkvwn", "mkvwN"), ("NNN", "NNN")],
)  # fmt: skip
def test_what_is_no_base_is_handed_on_as_it_was_typed(typed, handed_on):
    assert GenomeDomain().prime(typed) == handed_on


def test_the_case_of_a_prime_is_kept_where_case_is():
    assert GenomeDomain(keep_case=True).prime("acGUnZz") == "acGTnZz"


def test_a_prime_file_keeps_its_n_and_one_of_protein_is_refused(tmp_path):
    path = tmp_path / "x.fa"
    path.write_text(">a\nACGNxG\n")
    assert GenomeDomain().prime(path) == "ACGNNG"
    path.write_text(">a\nNNN\n")
    with pytest.raises(InputError, match=r"x\.fa: holds no bases to begin with"):
        GenomeDomain().prime(path)
    path.write_text(">a\nACGZ\n")
    with pytest.raises(InputError, match=r"x\.fa:2: 'Z' is not .*protein; give DNA or RNA"):
        GenomeDomain().prime(path)


def test_a_refusal_says_what_a_letter_may_be():
    known, hint = Vocabulary.from_counts(dict.fromkeys("ACGT", 1)).known, GenomeDomain().hint
    with pytest.raises(InputError, match=r"'N' \(U\+004E\) at position 4 .*; N stands for no base"):
        known("ACGNACG", "the prime", hint=hint)
    with pytest.raises(InputError, match="; this looks like protein; leave them out with --unkn"):
        known("ACG!Z", "the prime", hint=hint)
    with pytest.raises(InputError, match=r"which knows ACGT; leave them"):
        known("ACG!", "the prime", hint=hint)


def test_protein_is_refused_with_the_line_where_it_shows(shared_data):
    path = shared_data / "genome" / "dm3-chr2R.2M-7M.proteins.fa.gz"
    with pytest.raises(InputError, match=r"proteins\.fa\.gz:2: '[EFILPQ]' is not .*protein"):
        list(GenomeDomain().read(Path(path)))


def test_the_default_is_the_file_in_the_data_folder():
    assert GenomeDomain().default_input() == [ROOT / "data" / "dm3-chr2R-slice.fa.gz"]
