"""FASTA as people have it: names of every alphabet, odd lines, and what is no FASTA."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from seqforge.base.messages import one_line
from seqforge.core.config import DataConfig
from seqforge.core.data.ingest import ingest
from seqforge.domains.genome.domain import GenomeDomain
from seqforge.errors import InputError
from tests.domains.genome.test_genbank import mutated, records_or_sentence
from tests.domains.genome.test_genbank import read as read_noting


@pytest.fixture
def read(tmp_path):
    """What a file with these bytes reads as: (name, symbols, note) a record."""

    def one(data: bytes, name: str = "x.fa"):
        path = tmp_path / name
        path.write_bytes(data)
        return read_noting(path)

    return one


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("gène_à1 x".encode(), "gène_à1"),
        ("gène_à1 x".encode("latin-1"), "gène_à1"),
        ("染色体1 x".encode(), "染色体1"),
        ("a\u00a0b x".encode(), "a\u00a0b"),  # no blank that FASTA knows: the name goes on
        (b"chr1\tlength=5", "chr1"),
        (b"\x1b[31mred\x07 x", "\\x1b[31mred\\x07"),
        (b"  chr1  x", "chr1"),
        (b"", "unnamed"),
        (b"#x", "#x"),
    ],
)
def test_names_are_whole_and_printable(read, title, name):
    assert read(b">" + title + b"\nACGT\n") == [(name, "ACGT", "")]


def test_names_that_differ_in_one_letter_of_utf8_stay_different(read):
    data = "".join(f">gène_à{n} x\nACGT\n" for n in (1, 2)).encode()
    assert [name for name, *_ in read(data)] == ["gène_à1", "gène_à2"]


@pytest.mark.parametrize(
    ("data", "records"),
    [
        (b">a\nac gt\n\n A-C.\n", [("a", "ACGTAC")]),
        (b">a\rACGT\r>b\rGG\r", [("a", "ACGT"), ("b", "GG")]),
        (b">a\r\nACGT\r\n\r\n>b\r\nGG", [("a", "ACGT"), ("b", "GG")]),
        (b"; made by hand\n>a\n; and here\nAC\n;and here\nGT\n", [("a", "ACGT")]),
        (b"\n\n  \n>a\nACGT\n", [("a", "ACGT")]),
        (b"\xef\xbb\xbf>a\nAC\n\xef\xbb\xbf>b\nGT\n", [("a", "AC"), ("b", "GT")]),
        (b">a\nACGUacgu\n", [("a", "ACGTACGT")]),
        (b">a\nACGTACGTRYN\n", [("a", "ACGTACGTATN")]),
        (b">a\n>b\nACGT\n>c\n", [("a", ""), ("b", "ACGT"), ("c", "")]),
        (b">a\nAC\n>a\nGT\n", [("a", "AC"), ("a", "GT")]),
    ],
)
def test_odd_lines_are_read_as_they_are_meant(read, data, records):
    assert [(name, symbols) for name, symbols, _ in read(data)] == records


def test_an_empty_record_is_said_by_name(read, tmp_path):
    assert [note for *_, note in read(b">a\n>b\nACGT\n>c\n\n")] == [
        "record a has no sequence", "", "record c has no sequence",
    ]  # fmt: skip
    (tmp_path / "x.fa").write_text(">a\n>b\n" + "ACGT" * 500 + "\n")
    (tmp_path / "corpus").mkdir()
    files = [tmp_path / "x.fa"]
    _, (line,) = ingest(GenomeDomain(), files, DataConfig(split="80/10/10"), tmp_path / "corpus")
    assert (line.status, line.reason, line.records) == ("kept", "record a has no sequence", 1)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"\n>p\nMKVLE\n", r"x\.fa:3: 'L' is not a nucleotide code .*protein"),
        (b">a\rAC\rA1\r", r"x\.fa:3: '1' is not a nucleotide code"),
        (b">a\nACGT*\n", r"x\.fa:2: '\*' is not a nucleotide code"),
        (b">a\nACGT>b\nACGT\n", r"x\.fa:2: '>' is not .*; a line break is missing before it"),
        (b">a\nAC\n1 GT\n", r"x\.fa:3: '1' is not .*; line numbers are no part of FASTA"),
        (b">a\nAC\x1bGT\n", r"x\.fa:2: '\\x1b' is not"),
        (b"@r1\nACGT\n+\nIIII\n", r"x\.fa: is a FASTQ file"),
        (b"@HD\tVN:1.6\n", r"x\.fa: is a SAM file"),
        (b"ID   X56734; SV 1; linear; mRNA; STD; PLN; 9 BP.\n", r"x\.fa: is an EMBL"),
        (b"##gff-version 3\nchr1\t.\tgene\n", r"x\.fa: is a GFF file"),
        (b"##fileformat=VCFv4.2\n", r"x\.fa: is a VCF file"),
        (b"<!DOCTYPE html><p>404", r"x\.fa: is HTML or XML"),
        (b">a\nAC\0GT\n", r"x\.fa: is no text file"),
        (b"", r"x\.fa: is empty"),
        (b"; only a comment\n", r"x\.fa: is empty"),
        (b"ACGT\n", r"x\.fa: is neither FASTA nor GenBank"),
    ],
)
def test_what_is_no_fasta_is_named_for_what_it_is(read, data, said):
    with pytest.raises(InputError, match=said) as caught:
        read(data)
    assert str(caught.value).isprintable()


def test_a_title_without_end_is_not_held_whole(read):
    (name, symbols, _), = read(b">" + b"a" * 3_000_000 + b"\nACGT\n")  # fmt: skip
    assert (len(name), symbols) == (1 << 16, "ACGT")


WHOLE = ">gène_1 a\nACGTACGTNNNN\nacgtRYU\n; a comment\n>b\n\n>c d\nGGGG-C.C\n".encode() * 2


@settings(max_examples=300)
@given(data=mutated(WHOLE))
def test_a_mutated_file_gives_records_or_one_sentence(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("fasta") / "x.fa"
    path.write_bytes(data)
    for text in records_or_sentence(path):
        assert text == one_line(text)
