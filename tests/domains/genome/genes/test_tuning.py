"""Weights that were tuned find genes no worse than those the search began with."""

import numpy as np
import pytest

from seqforge.domains.genome.genes.classical import PLAIN
from seqforge.domains.genome.genes.grammar import lengths_of
from seqforge.domains.genome.genes.labels import NAMES, labels_of
from seqforge.domains.genome.genes.sensors import count_sites_and_hexamers, sensors_of
from seqforge.domains.genome.genes.tuning import STEPS, Stretch, scores_of, tuned_weights

START, STOP, SIZE = 5_400_000, 6_000_000, 60_000


@pytest.fixture(scope="module")
def learnt(annotation, chromosome):
    labels = labels_of(annotation.on("chr2R"), len(chromosome))[START:STOP]
    sensors = sensors_of(count_sites_and_hexamers(chromosome[START:STOP], labels))
    inside = (one for one in annotation.on("chr2R") if START < one.span[0] < one.span[1] < STOP)
    return sensors, lengths_of(inside)


@pytest.fixture(scope="module")
def stretches(annotation, chromosome):
    def stretch(first):
        moved = [
            one._replace(exons=tuple((a - first, b - first) for a, b in one.exons))
            for one in annotation.on("chr2R")
        ]
        uniform = np.full((SIZE, len(NAMES)), 1 / len(NAMES), np.float16)
        return Stretch(chromosome[first : first + SIZE], uniform, moved)

    return [stretch(STOP + 100_000), stretch(STOP + 400_000)]


def worth(scores):
    return scores.bases.f1 + scores.exons.f1


def test_tuning_makes_it_better(stretches, learnt):
    sensors, lengths = learnt
    start = PLAIN._replace(gene=-40.0)
    seen = []
    found = tuned_weights(
        stretches,
        lengths,
        sensors,
        [start],
        2,
        lambda done, total, what: seen.append((done, total)),
    )
    assert worth(scores_of(stretches, found, lengths, sensors)) > worth(
        scores_of(stretches, start, lengths, sensors)
    )
    assert seen == [(n, 2 * len(STEPS)) for n in range(2 * len(STEPS))]


def test_scores_of_stretches_are_added(stretches, learnt):
    sensors, lengths = learnt
    whole = scores_of(stretches, PLAIN, lengths, sensors)
    parts = [scores_of([one], PLAIN, lengths, sensors) for one in stretches]
    assert parts[0] + parts[1] == whole
    assert whole.exons.there > 10
    with pytest.raises(ValueError, match="no stretch"):
        scores_of([], PLAIN, lengths, sensors)
