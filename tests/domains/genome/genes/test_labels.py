"""Labels say what the transcripts say, on either strand."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from seqforge.domains.genome.genes.labels import (
    CODING,
    NAMES,
    PARTNERS,
    UNLABELLED,
    labels_of,
    other_strand,
)
from seqforge.domains.genome.genes.transcripts import Transcript

SIZE = 60


@st.composite
def transcripts(draw):
    bounds = draw(st.lists(st.integers(0, SIZE), min_size=2, max_size=8, unique=True).map(sorted))
    pairs = tuple(zip(bounds[::2], bounds[1::2], strict=False))
    return Transcript(draw(st.sampled_from("+-")), pairs, draw(st.integers(0, 2)))


def mirrored(one):
    exons = tuple((SIZE - b, SIZE - a) for a, b in one.exons[::-1])
    return one._replace(strand="-" if one.strand == "+" else "+", exons=exons)


@given(st.lists(transcripts(), max_size=1))
def test_the_other_strand_has_the_partners(found):
    labels = labels_of(found, SIZE)
    np.testing.assert_array_equal(other_strand(labels), labels_of(map(mirrored, found), SIZE))
    np.testing.assert_array_equal(other_strand(other_strand(labels)), labels)


@given(st.lists(transcripts(), max_size=3))
def test_a_base_is_coding_if_any_isoform_says_so(found):
    labels = labels_of(found, SIZE)
    wanted = np.zeros(SIZE, bool)
    for one in found:
        for a, b in one.exons:
            wanted[a:b] = True
    np.testing.assert_array_equal(CODING[labels], wanted)


def named(labels):
    return [NAMES[label] for label in labels]


def test_a_gene_of_two_exons():
    one = Transcript("+", ((2, 6), (9, 11)), 0)
    assert named(labels_of([one], 12)) == [
        "intergenic", "intergenic", "start +", "exon 2 +", "exon 3 +", "exon 1 +", "donor +",
        "intron +", "acceptor +", "exon 2 +", "end +", "intergenic",
    ]  # fmt: skip


def test_bases_outside_the_region_have_no_label():
    labels = labels_of([Transcript("-", ((2, 8),), 0)], 10, (3, 9))
    assert (labels == UNLABELLED).tolist() == [True] * 3 + [False] * 6 + [True]
    assert (other_strand(labels) == UNLABELLED).sum() == 4
    assert (labels < len(NAMES)).sum() == 6


def test_partners_are_partners_of_each_other():
    assert PARTNERS[PARTNERS].tolist() == list(range(len(NAMES)))
    assert [NAMES[p].translate(str.maketrans("+-", "-+")) for p in PARTNERS] == list(NAMES)


def test_labels_of_a_fly(annotation, chromosome):
    labels = labels_of(annotation.on("chr2R"), len(chromosome), (2_000_000, 7_000_000))
    counts = {name: int((labels == number).sum()) for number, name in enumerate(NAMES)}
    assert sum(counts.values()) == 5_000_000
    assert counts["start +"] > 300
    assert counts["donor -"] > 1200
    thirds = [counts[f"exon {place} +"] for place in (1, 2, 3)]
    assert max(thirds) < 1.01 * min(thirds)
