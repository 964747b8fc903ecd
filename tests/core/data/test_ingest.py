"""From files to token arrays."""

import gzip
import random
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from seqforge.core.config import DataConfig
from seqforge.core.data.domain import Block, Record
from seqforge.core.data.ingest import NothingUsable, ingest, read_ingest
from seqforge.core.data.vocabulary import END, Vocabulary
from seqforge.domains.genome.domain import GenomeDomain
from seqforge.domains.text.domain import TextDomain
from seqforge.errors import InputError


class Records:
    """A domain whose files are lists of records, for what ingest does with them."""

    name, suffix, suffixes, unit = "records", ".rec", (), "symbol"

    def __init__(self, records):
        self.records = records

    def read(self, path):
        for record in self.records[path.name]:
            if isinstance(record, Exception):
                raise record
            yield record


def ingested(tmp_path_factory, files, data=None, vocabulary=None):
    folder = tmp_path_factory.mktemp("corpus")
    paths = [Path(name) for name in files]
    return ingest(Records(files), paths, data or DataConfig(), folder, vocabulary=vocabulary)


@settings(max_examples=10, deadline=None)
@given(texts=st.lists(st.text("abcdé漢", min_size=1, max_size=9), min_size=400, max_size=420))
def test_whole_records_come_back_each_from_its_start_symbol_to_its_end_symbol(
    tmp_path_factory, texts
):
    """Every record is in exactly one part, and each segment reads END, its symbols, END."""
    records = [Record(f"{text * 20}{i}", str(i), "f") for i, text in enumerate(texts)]
    corpus, _ = ingested(tmp_path_factory, {"f": records})

    found = []
    for name in ("train", "valid", "test"):
        part = corpus.part(name)
        for start, scored_from, stop in part.segments.tolist():
            ids = part.tokens[start:stop].tolist()
            assert scored_from == start + 1
            assert ids[0] == ids[-1] == END
            found.append(corpus.vocabulary.decode(ids))
    assert sorted(found) == sorted(record.symbols for record in records)


@settings(max_examples=10, deadline=None)
@given(
    numbers=st.lists(st.integers(0, 250), min_size=400, max_size=420),
    seed=st.integers(0, 9),
)
def test_identical_records_are_never_on_both_sides(tmp_path_factory, numbers, seed):
    rng = random.Random(seed)
    texts = ["".join(rng.choices("abcd", k=40)) for _ in range(251)]
    records = [Record(texts[number], str(i), "f") for i, number in enumerate(numbers)]
    assume(len(set(numbers)) > 20)
    corpus, _ = ingested(tmp_path_factory, {"f": records}, DataConfig(split="60/20/20"))

    sides = [
        {corpus.vocabulary.decode(part.tokens[a:b].tolist()) for a, _, b in part.segments.tolist()}
        for part in (corpus.train, corpus.valid, corpus.test)
    ]
    assert not sides[0] & sides[1]
    assert not sides[0] & sides[2]
    assert not sides[1] & sides[2]
    assert corpus.valid.symbols > 0
    assert "records are copies of others" in corpus.partition.notes[0]


def test_files_that_read_the_same_are_read_once(tmp_path):
    """Packed or not, lines parted by LF or CRLF, with or without a byte-order mark."""
    text = "".join(random.Random(1).choices("abc \n", k=3000))
    plain, packed, windows, marked = (tmp_path / f"{n}.txt" for n in ("a", "b", "c", "d"))
    packed = packed.with_suffix(".txt.gz")
    plain.write_bytes(text.encode())
    packed.write_bytes(gzip.compress(text.encode()))
    windows.write_bytes(text.replace("\n", "\r\n").encode())
    marked.write_bytes(b"\xef\xbb\xbf" + text.encode())
    for domain, paths in (
        (TextDomain(), [plain, packed, windows, marked]),
        (TextDomain(bytes=True), [plain, packed, windows]),
    ):
        folder = tmp_path / f"corpus-{domain.bytes}"
        folder.mkdir()
        _, lines = ingest(domain, paths, DataConfig(), folder)

        assert [line.status for line in lines] == ["kept", *["refused"] * (len(paths) - 1)]
        assert all(f"has the same content as {plain}" in line.reason for line in lines[1:])


def test_contigs_of_both_strands_are_held_out_together(tmp_path):
    rng = random.Random(2)
    contigs = ["".join(rng.choices("ACGT", k=120)) for _ in range(200)]
    other = [bases[::-1].translate(str.maketrans("ACGT", "TGCA")) for bases in contigs]
    fasta = tmp_path / "x.fa"
    fasta.write_text("".join(f">{i}\n{b}\n" for i, b in enumerate([*contigs, *other])))
    (tmp_path / "corpus").mkdir()

    corpus, _ = ingest(GenomeDomain(), [fasta], DataConfig(split="80/10/10"), tmp_path / "corpus")

    part_of = {
        cut.record % 200: {part for part, cuts in corpus.partition.cuts.items()
                           for one in cuts if one.record % 200 == cut.record % 200}
        for cuts in corpus.partition.cuts.values() for cut in cuts
    }  # fmt: skip
    assert all(len(parts) == 1 for parts in part_of.values())
    assert corpus.partition.overlap.share == 0


def test_an_inverted_repeat_is_not_held_out_from_itself(tmp_path):
    """As in a plastid: the tail is the other strand of what lies before it."""
    rng = random.Random(3)
    repeat = "".join(rng.choices("ACGT", k=9_000))
    bases = "".join(rng.choices("ACGT", k=24_000)) + repeat + "".join(rng.choices("ACGT", k=4_500))
    bases += repeat[::-1].translate(str.maketrans("ACGT", "TGCA"))
    fasta = tmp_path / "x.fa"
    fasta.write_text(f">plastid\n{bases}\n")
    (tmp_path / "corpus").mkdir()

    corpus, _ = ingest(GenomeDomain(), [fasta], DataConfig(), tmp_path / "corpus")

    overlap = corpus.partition.overlap
    assert overlap.moved
    assert overlap.share < 0.01
    assert "another stretch than the tail" in overlap.notes("base")[0]
    rows = [row.split("\t") for row in corpus.partition.bed().splitlines()]
    assert [row[3] for row in rows] == ["valid", "test"]
    assert sum(int(row[2]) - int(row[1]) for row in rows) == corpus.valid.symbols * 2


def test_a_text_twice_over_says_that_it_is(tmp_path_factory):
    text = "".join(random.Random(4).choices("abcdefgh ", k=4000))
    corpus, _ = ingested(tmp_path_factory, {"f": [Record(text + text, "f", "f")]})

    overlap = corpus.partition.overlap
    assert overlap.share == 1
    assert not overlap.moved
    assert "100% of its 64-symbol windows" in overlap.notes("symbol")[0]


def test_a_tail_lies_behind_its_context_and_is_never_in_training(tmp_path_factory):
    text = "".join(chr(0x4E00 + i) for i in range(20_000))  # every symbol occurs once
    corpus, _ = ingested(tmp_path_factory, {"f": [Record(text)]})

    (segment,) = corpus.test.segments.tolist()
    start, scored_from, stop = segment
    assert corpus.vocabulary.decode(corpus.test.tokens[start:stop].tolist()) == text[-2024:]
    assert corpus.vocabulary.decode(corpus.test.tokens[scored_from:stop].tolist()) == text[-1000:]
    assert corpus.test.tokens[stop - 1] == END
    assert not set(corpus.train.tokens.tolist()) - {END} & set(
        corpus.test.tokens[scored_from : stop - 1].tolist()
    )


def test_a_file_that_fails_half_way_leaves_nothing_behind(tmp_path_factory):
    files = {
        "good": [Record("ab" * 2000)],
        "bad": [Record("xyz" * 100), InputError("bad: line 7: no")],
    }
    corpus, lines = ingested(tmp_path_factory, files)

    assert corpus.vocabulary.symbols == ("a", "b")
    assert [(line.status, line.reason) for line in lines] == [
        ("kept", ""), ("refused", "bad: line 7: no"),
    ]  # fmt: skip
    assert read_ingest(corpus.folder / "ingest.tsv") == lines


def test_a_record_is_split_at_its_gaps_and_the_gap_is_no_symbol(tmp_path_factory):
    record = Record("a" * 3000 + "N" * 50 + "b" * 3000, gaps=((3000, 3050),))
    corpus, (line,) = ingested(tmp_path_factory, {"f": [record]}, DataConfig(split="100/0/0"))

    assert corpus.vocabulary.symbols == ("a", "b")
    assert (line.status, line.symbols) == ("split", 6000)
    ends = np.flatnonzero(corpus.train.tokens == END).tolist()
    assert ends == [0, 3001, 6002]


def test_if_no_file_is_left_the_reason_is_told(tmp_path_factory):
    with pytest.raises(NothingUsable, match="line 7") as caught:
        ingested(tmp_path_factory, {"bad": [InputError("bad: line 7: no")]})
    assert caught.value.lines[0].status == "refused"


def test_a_symbol_that_a_given_vocabulary_lacks_is_named(tmp_path_factory):
    with pytest.raises(InputError, match="'c'"):
        ingested(tmp_path_factory, {"f": [Record("abc" * 2000)]}, vocabulary=Vocabulary(("a", "b")))


class Blocks(Records):
    """The same domain, for records that come in blocks."""

    def read_blocks(self, path):
        for record in self.read(path):
            points = np.frombuffer(record.symbols.encode("latin-1"), np.uint8)
            for start in range(0, len(points), 7):
                yield Block(points[start : start + 7])
            yield Block(points[:0], record)


@given(
    texts=st.lists(
        st.tuples(st.text("abN", max_size=60), st.booleans()), min_size=1, max_size=6
    ).filter(lambda texts: any(set(text) - {"N"} for text, _ in texts)),
)  # fmt: skip
def test_a_record_in_blocks_is_the_record(tmp_path_factory, texts):
    """Byte for byte, also where a file between is refused half way."""
    records = []
    for text, bad in texts:
        gaps = tuple(match.span() for match in re.finditer("N+", text))
        records.append([Record(text, gaps=gaps), *([InputError("no")] if bad else [])])
    files = {str(number): found for number, found in enumerate(records)} | {
        "last": [Record("ab" * 500)]
    }

    folders = []
    for domain in (Records(files), Blocks(files)):
        folders.append(tmp_path_factory.mktemp("corpus"))
        ingest(domain, [Path(name) for name in files], DataConfig(split="100/0/0"), folders[-1])

    names = sorted(path.name for path in folders[0].iterdir())
    assert names == sorted(path.name for path in folders[1].iterdir())
    for name in names:
        assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes()


class Variants(Records):
    """The same domain, whose records are variants where they begin alike."""

    def clusters(self, records):
        return np.array([ord(record[0]) for record in records])


def test_variants_and_their_copies_are_held_out_together_or_not_at_all(tmp_path_factory):
    """Also in many bytes a symbol; a copy is none of the records that the domain is asked about."""
    records = []
    for number in range(600):
        text = chr(0x100 + number % 200) + "ab" * (40 + number % 7)
        records += [Record(text), Record("Z" + text, augmented=True)]
    folder = tmp_path_factory.mktemp("corpus")

    corpus, (line,) = ingest(
        Variants({"f": records}), [Path("f")], DataConfig(split="80/10/10"), folder
    )

    found = {
        name: "".join(corpus.blocks(name)).split("\n")[1:-1] for name in ("train", "valid", "test")
    }
    first = {name: {text[0] for text in texts} - {"Z"} for name, texts in found.items()}
    assert [len(found[name]) for name in ("valid", "test")] == [60, 60]
    assert [len(first[name]) for name in ("train", "valid", "test")] == [160, 20, 20]
    assert not first["train"] & (first["valid"] | first["test"])
    plain = [text for text in found["train"] if text[0] != "Z"]
    assert found["train"] == plain + ["Z" + text for text in plain]
    assert line.records == 600  # copies are not read from anywhere


def test_what_was_changed_to_teach_more_can_be_left_out(tmp_path_factory):
    records = [Record("ab" * 300), Record("ba" * 300, augmented=True), Record("aa" * 300)]
    folder = tmp_path_factory.mktemp("corpus")

    corpus, (line,) = ingest(
        Records({"f": records}), [Path("f")], DataConfig(split="100/0/0"), folder, augmented=False
    )

    assert line.records == corpus.train.records == 2
    assert "".join(corpus.blocks("train")).split("\n")[1:-1] == ["ab" * 300, "aa" * 300]
