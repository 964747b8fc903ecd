"""Scores are those of counting by hand; of an annotation against itself they are full."""

import numpy as np
import pytest

from seqforge.domains.genome.genes.labels import UNLABELLED, labels_of
from seqforge.domains.genome.genes.scores import Agreement, LabelCounts, compare_genes
from seqforge.domains.genome.genes.transcripts import Transcript


def test_precision_recall_and_f1():
    found = Agreement(right=3, found=4, there=6)
    assert (found.precision, found.recall) == (0.75, 0.5)
    assert found.f1 == pytest.approx(0.6)
    assert found + found == Agreement(6, 8, 12)
    nothing = Agreement(0, 0, 0)
    assert (nothing.precision, nothing.recall, nothing.f1) == (0, 0, 0)


def test_isoforms_share_exons_and_one_of_them_is_enough():
    first = Transcript("+", ((10, 20), (30, 40)), 0)
    second = Transcript("+", ((10, 20), (32, 40)), 0)
    scores = compare_genes([first], [first, second], (0, 100))
    assert scores.bases == Agreement(20, 20, 20)
    assert scores.exons == Agreement(2, 2, 3)
    assert scores.transcripts == Agreement(1, 1, 2)
    shifted = compare_genes([Transcript("+", ((10, 21),), 0)], [first], (0, 100))
    assert shifted.exons.right == 0
    assert shifted.bases == Agreement(10, 11, 20)
    other = compare_genes([first._replace(strand="-")], [first], (0, 100))
    assert other.exons.right == 0
    assert (scores + other).exons == Agreement(2, 4, 5)


def test_a_region_cuts_bases_and_leaves_out_what_it_cuts():
    one = Transcript("+", ((10, 20), (30, 40)), 0)
    scores = compare_genes([one], [one], (15, 60))
    assert scores.bases.there == 15
    assert (scores.exons.there, scores.transcripts.there) == (1, 0)


def test_labels_are_counted_where_they_are_known():
    counts = LabelCounts()
    true = np.array([0, 2, 3, 4, 10, UNLABELLED], np.uint8)
    counts.add(np.array([2, 2, 3, 0, 2, 5], np.uint8), true)
    said = counts.by_label()
    assert said["exon 1 +"] == Agreement(1, 3, 1)
    assert said["intergenic"] == Agreement(0, 1, 1)
    assert "start +" not in said
    assert counts.coding() == Agreement(3, 4, 4)


def test_an_annotation_agrees_with_itself(annotation, chromosome):
    transcripts, region = annotation.on("chr2R"), (6_000_000, 7_000_000)
    scores = compare_genes(transcripts, transcripts, region)
    assert scores.bases.f1 == scores.exons.f1 == scores.transcripts.f1 == 1
    assert scores.exons.there > 500
    labels = labels_of(transcripts, len(chromosome))[slice(*region)]
    counts = LabelCounts()
    counts.add(labels, labels)
    assert counts.coding() == scores.bases
