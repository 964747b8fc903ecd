"""Annotations of bases are what a plain reading gives; features of files lie where they say."""

import gzip
import math
import re

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from seqforge.domains.genome.annotations import MOST_NAMES, annotate_bases, read_features
from seqforge.domains.genome.domain import GenomeDomain
from seqforge.domains.genome.nucleotides import dust_mask
from seqforge.errors import InputError
from seqforge.plugin import Annotates, ReadsAnnotations, Record

bases = st.text(st.sampled_from("ACGTacgtN"), max_size=250)


def same(found, wanted):
    np.testing.assert_allclose(np.array(found, float), np.array(wanted, float), atol=1e-6)


def share(text, letters, start, stop):
    part = text[max(start, 0) : stop].upper()
    known = sum(part.count(letter) for letter in "ACGT")
    return sum(part.count(letter) for letter in letters) / known if known else math.nan


@given(bases)
@example("N" * 40 + "GC")
def test_shares_of_the_bases_before_and_around(text):
    found = annotate_bases(text)
    places = range(len(text))
    before = [share(text, "GC", i - 29, i + 1) for i in places]
    same(found["GC of the last 30 bases"], before)
    same(found["GC of 200 bases around"], [share(text, "GC", i - 99, i + 101) for i in places])
    purines = [share(text, "AG", i - 29, i + 1) for i in places]
    same(found["A and G of the last 30 bases"], purines)


@given(bases)
def test_pairs_of_c_and_g(text):
    pairs = [text[max(i - 1, 0) : i + 1].upper() == "CG" for i in range(len(text))]
    found = annotate_bases(text)
    assert found["G of a CpG"].tolist() == pairs
    dense = found["CpG in the last 100 bases"]
    for i in range(len(text)):
        known = share(text, "ACGT", i - 99, i + 1)
        if known == known:
            letters = sum(letter in "ACGT" for letter in text[max(i - 99, 0) : i + 1].upper())
            assert dense[i] == pytest.approx(sum(pairs[max(i - 99, 0) : i + 1]) / letters)
        else:
            assert np.isnan(dense[i])


@given(bases)
def test_equal_bases_in_a_row(text):
    wanted = []
    for i in range(len(text)):
        run = re.search(r"(.)\1*\Z", text[: i + 1].upper()).group()
        wanted.append(math.nan if run[0] == "N" else len(run))
    same(annotate_bases(text)["equal bases in a row"], wanted)


@given(st.text(st.sampled_from("ACN"), max_size=60), st.text(st.sampled_from("ACG"), max_size=30))
@example("", "ACG" * 4)
@example("ACG" * 4, "TT")
def test_tandem_repeats(before, after):
    text = before + after
    wanted = np.zeros(len(text), bool)
    for start in range(len(text)):
        for stop in range(start + 12, len(text) + 1):
            part = text[start:stop]
            periods = (unit for unit in range(1, 7) if part[unit:] == part[:-unit])
            if "N" not in part and next(periods, 0):
                wanted[start:stop] = True
    assert annotate_bases(text)["tandem repeat"].tolist() == wanted.tolist()


def test_small_letters_are_repeats_only_beside_large_ones():
    assert annotate_bases("acGTn")["soft-masked repeat"].tolist() == [1, 1, 0, 0, 1]
    for text in ("acgt", "ACGT", ""):
        assert not annotate_bases(text)["soft-masked repeat"].any()


@given(bases)
def test_the_case_of_letters_says_nothing_else(text):
    small, large = annotate_bases(text.lower()), annotate_bases(text.upper())
    for name in small:
        same(small[name], large[name])
    mask = dust_mask(np.array(["ACGT".find(letter) % 5 for letter in text.upper()], np.uint8))
    same(large["low complexity"], mask)
    assert large["distance to the start"].tolist() == list(range(len(text)))


def test_the_domain_annotates_bases_and_reads_features(tmp_path):
    domain = GenomeDomain()
    assert isinstance(domain, Annotates)
    assert isinstance(domain, ReadsAnnotations)
    assert {len(values) for values in domain.annotate("ACGTN").values()} == {5}
    path = tmp_path / "x.bed"
    path.write_text("a\t1\t3\n")
    assert domain.read_annotations(path, [Record("ACGT", "a")])["x"][0].tolist() == [0, 1, 1, 0]


RECORDS = [Record("A" * 12, "one"), Record("C" * 9, "two")]
GFF = """##gff-version 3
one\tx\tgene\t2\t11\t.\t+\t.\tID=g
one\tx\tCDS\t2\t6\t.\t+\t1\tParent=g
two\tx\tCDS\t2\t6\t.\t-\t1\tParent=h
two\tx\tgene\t8\t20\t.\t+\t.\tID=cut
three\tx\tgene\t1\t5\t.\t+\t.\tID=elsewhere

##FASTA
>one
ACGT
"""


def marks(tracks):
    return {
        name: ["".join("-" if np.isnan(bit) else ".x"[int(bit)] for bit in bits) for bits in arrays]
        for name, arrays in tracks.items()
    }


@pytest.mark.parametrize("packed", [False, True])
def test_features_of_gff_with_codons_on_both_strands(tmp_path, packed):
    path = tmp_path / ("x.gff.gz" if packed else "x.gff3")
    path.write_bytes(gzip.compress(GFF.encode()) if packed else GFF.encode())
    assert marks(read_features(path, RECORDS)) == {
        "gene": [".xxxxxxxxxx.", ".......xx"],
        "CDS": [".xxxxx......", ".xxxxx..."],
        "base 1 of codons, forward strand": ["-.x..x------", "---------"],
        "base 2 of codons, forward strand": ["-..x..------", "---------"],
        "base 3 of codons, forward strand": ["-x..x.------", "---------"],
        "base 1 of codons, reverse strand": ["------------", "-x..x.---"],
        "base 2 of codons, reverse strand": ["------------", "-..x..---"],
        "base 3 of codons, reverse strand": ["------------", "-.x..x---"],
    }


def test_the_bases_of_codons_of_a_real_gene_begin_with_atg_and_end_with_a_stop(tmp_path):
    gene = "ATGGCCAAATAA"
    text = "CC" + gene[:5] + "GTAG" + gene[5:] + "C"
    back = text.translate(str.maketrans("ACGT", "TGCA"))[::-1]
    size = len(text)
    spans = [(3, 7, 0), (12, 18, 1)]
    forward = [f"f\t.\tCDS\t{a}\t{b}\t.\t+\t{phase}\t." for a, b, phase in spans]
    reverse = [f"r\t.\tCDS\t{size + 1 - b}\t{size + 1 - a}\t.\t-\t{p}\t." for a, b, p in spans]
    path = tmp_path / "x.gtf"
    path.write_text("\n".join(forward + reverse) + "\n")
    found = read_features(path, [Record(text, "f"), Record(back, "r")])
    for base in range(3):
        ahead = found[f"base {base + 1} of codons, forward strand"][0]
        behind = found[f"base {base + 1} of codons, reverse strand"][1]
        assert "".join(np.array(list(text))[ahead == 1]) == gene[base::3]
        np.testing.assert_array_equal(behind[::-1], ahead)


def test_names_of_a_bed_file_are_kept_unless_there_are_too_many(tmp_path):
    path = tmp_path / "sites.bed"
    path.write_text("track name=x\none 0 2 1 5 + 0 1\none\t4\t5\tb\n")
    assert marks(read_features(path, RECORDS)) == {
        "1": ["xx..........", "........."],
        "b": ["....x.......", "........."],
    }
    path.write_text("".join(f"one\t{i % 12}\t{i % 12 + 1}\tn{i}\n" for i in range(MOST_NAMES + 1)))
    assert marks(read_features(path, RECORDS)) == {"sites": ["x" * 12, "." * 9]}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("chrOne\t0\t5\n", "its features lie on chrOne, and the input has one, two, so none fits"),
        ("oen\t0\t5\n", "did you mean one"),
        ("one\t50\t60\n", "on one lie behind the end of the input's sequence"),
        ("# nothing\n", "holds no features"),
        ("one\t0\t5\nnonsense here\n", "x.bed:2: 'nonsense here' is no line of GFF3, GTF or BED"),
        ("one\t5\t2\n", "x.bed:1: "),
        ("one\tx\tgene\t0\t2\t.\t+\t.\t.\n", "x.bed:1: "),
    ],
)
def test_what_fits_no_record_is_refused_with_the_reason(tmp_path, text, said):
    path = tmp_path / "x.bed"
    path.write_text(text)
    with pytest.raises(InputError, match=re.escape(said)) as error:
        read_features(path, RECORDS)
    assert str(error.value).startswith(str(path))


def test_codons_of_the_fly_end_in_g_or_c_most_often(shared_data):
    folder = shared_data / "genome"
    record = next(GenomeDomain().read(folder / "dm3-chr2R.fa.gz"))
    part = Record(record.symbols[2_000_000:7_000_000], record.name)
    found = read_features(folder / "dm3-chr2R.2M-7M.cds.gff.gz", [part])
    letters = np.frombuffer(part.symbols.encode(), np.uint8)
    shares = []
    for base in (1, 2, 3):
        there = letters[found[f"base {base} of codons, forward strand"][0] == 1]
        shares.append(float(np.isin(there, [ord("G"), ord("C")]).mean()))
    assert shares[2] > shares[0] > shares[1]  # as codons of flies have it
