"""Transcripts are those of the file, whatever its dialect; what does not fit is refused."""

import gzip

import numpy as np
import pytest

from seqforge.domains.genome.genes.transcripts import (
    Transcript,
    bases_of,
    clusters,
    intron_ends,
    read_transcripts,
    with_stop,
)
from seqforge.domains.genome.nucleotides import base_codes
from seqforge.errors import InputError
from tests.domains.genome.genes.conftest import GFF

SEQUENCE = "CC" + "ATGAAACC" + "GTAAGTTTCAG" + "CGGATGA" + "TTTT"


def rows(*lines):
    return "".join("\t".join(["chr1", "x", *map(str, line)]) + "\n" for line in lines)


def read(tmp_path, text, sequence=SEQUENCE, offset=0, name="a.gff"):
    path = tmp_path / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith("gz") else text.encode())
    return read_transcripts(path, {"chr1": base_codes(sequence)}, offset)


PLAIN = (("CDS", 3, 10, ".", "+", 0, 't "1"'), ("CDS", 22, 25, ".", "+", 1, 't "1"'))


@pytest.mark.parametrize(
    ("attributes", "name"),
    [
        ('gene_id "g"; transcript_id "t.1";', "t.1"),
        ("ID=cds1;Parent=t.1", "t.1"),
        ("ID=t.1", "t.1"),
        ("Parent=t.1;product=Parent=x", "t.1"),
    ],
)
def test_each_dialect_names_its_transcripts(tmp_path, attributes, name):
    text = rows(*((*row[:6], attributes) for row in PLAIN))
    (found,) = read(tmp_path, "##gff-version 3\n" + text, name="a.gff3.gz").on("chr1")
    assert found == Transcript("+", ((2, 10), (21, 25)), 0, name)


def test_a_row_of_two_transcripts_belongs_to_both(tmp_path):
    text = rows(("CDS", 3, 10, ".", "+", 0, "Parent=a,b"), ("CDS", 22, 25, ".", "+", 1, "Parent=b"))
    found = {one.name: one.exons for one in read(tmp_path, text).on("chr1")}
    assert found == {"a": ((2, 10),), "b": ((2, 10), (21, 25))}


def test_repeated_rows_count_once_and_an_offset_moves_them(tmp_path):
    lines = [(kind, a - 2, b - 2, *rest[:-1], "ID=t") for kind, a, b, *rest in (*PLAIN, PLAIN[0])]
    (found,) = read(tmp_path, rows(*lines), offset=2).on("chr1")
    assert found.exons == ((2, 10), (21, 25))


def reverse(exons, size):
    return tuple((size - b, size - a) for a, b in exons[::-1])


@pytest.mark.parametrize("strand", ["+", "-"])
def test_a_stop_codon_is_cut_off_where_a_file_counts_it(tmp_path, strand):
    """Its three bases may lie in two exons."""
    sequence = "ATGAAAT" + "GTAAGTTTCAG" + "GA" + "CC"
    exons = ((0, 7), (18, 20))
    if strand == "-":
        sequence = sequence[::-1].translate(str.maketrans("ACGT", "TGCA"))
        exons = reverse(exons, len(sequence))
    text = rows(*(("CDS", a + 1, b, ".", strand, 0, "ID=t") for a, b in exons))
    found = read(tmp_path, text, sequence)
    assert found.stop_coding
    assert found.on("chr1")[0].exons == (((0, 6),) if strand == "+" else ((16, 22),))


@pytest.mark.parametrize("strand", ["+", "-"])
def test_the_stop_codon_behind_a_transcript_can_be_added(strand):
    codes = base_codes("CCATGAAATGACC" if strand == "+" else "GGTCATTTCATGG")
    one = Transcript(strand, ((2, 8),) if strand == "+" else ((5, 11),), 0)
    assert with_stop(one, codes).exons == ((2, 11),)
    assert with_stop(with_stop(one, codes), codes).exons == ((2, 11),)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (rows(("CDS", 1, 9, ".", "+", 0, "ID=a")).replace("chr1", "chr2"),
         r"a\.gff:1: there is no sequence 'chr2' in the input; did you mean chr1\?"),
        (rows(PLAIN[0], ("CDS", 30, 40, ".", "+", 0, "ID=a")),
         r"a\.gff:2: 30-40 lies outside 'chr1', which has 32 bases"),
        (rows(("CDS", 3, 10, ".", "+", 0, "ID=a"), ("CDS", 9, 12, ".", "+", 0, "ID=a")),
         r"a\.gff:2: this exon of transcript 'a' overlaps another of its exons, in line 1"),
        (rows(("CDS", 3, 10, ".", ".", 0, "ID=a")), r"a\.gff:1: a CDS on strand '\.'"),
        (rows(("exon", 3, 10, ".", "+", 0, "ID=a")), r"has features \(exon\), but no CDS"),
        ("# nothing\n", r"a\.gff: has no features"),
        ("chr1\tx\tCDS\t9\t3\t.\t+\t0\tID=a\n", r"a\.gff:1: .* is no line of GFF3 or GTF"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(tmp_path, text, said):
    with pytest.raises(InputError, match=said):
        read(tmp_path, text)


def test_an_offset_that_leads_outside_is_named(tmp_path):
    with pytest.raises(InputError, match=r"a\.gff:1: 103-110 \(moved by 100\) lies outside"):
        read(tmp_path, rows(PLAIN[0]), offset=100)


def test_isoforms_may_overlap_and_are_one_gene():
    one, other = Transcript("+", ((0, 10), (20, 30)), 0), Transcript("+", ((25, 40),), 0)
    apart, behind = Transcript("+", ((40, 50),), 0), Transcript("-", ((5, 8),), 0)
    assert clusters([apart, other, behind, one]) == [[one, other], [apart], [behind]]


def test_the_transcripts_of_a_fly(annotation, chromosome):
    transcripts = annotation.on("chr2R")
    assert len(transcripts) == 1120
    assert not annotation.stop_coding
    assert len({(one.strand, exon) for one in transcripts for exon in one.exons}) > 3200
    begins = [bytes(bases_of(chromosome, one.strand, one.exons)[:3]) for one in transcripts]
    assert begins.count(bytes(base_codes("ATG"))) == 1108
    ends = [intron_ends(chromosome, one.strand, i) for one in transcripts for i in one.introns]
    assert ends.count("GTAG") > 0.99 * len(ends)
    assert all(sum(b - a for a, b in one.exons) % 3 == 0 for one in transcripts)
    assert np.mean([with_stop(one, chromosome) != one for one in transcripts]) > 0.99


def test_shifted_coordinates_are_refused(chromosome):
    with pytest.raises(InputError, match=r"introns begin with GT and end with AG, and nearly all"):
        read_transcripts(GFF, {"chr2R": chromosome})
