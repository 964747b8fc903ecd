"""A reading is what the grammar finds with the sensors alone; its columns say the same."""

import numpy as np
import pytest

from seqforge.domains.genome.genes.classical import (
    PLAIN,
    READING_FEATURES,
    READINGS,
    reading_features,
    readings,
)
from seqforge.domains.genome.genes.grammar import Lengths, find_genes, lengths_of
from seqforge.domains.genome.genes.labels import CODING, NAMES, labels_of, other_strand
from seqforge.domains.genome.genes.sensors import count_sites_and_hexamers, sensors_of

START, STOP, END = 5_400_000, 6_000_000, 6_150_000


@pytest.fixture(scope="module")
def learnt(annotation, chromosome):
    labels = labels_of(annotation.on("chr2R"), len(chromosome))[START:STOP]
    sensors = sensors_of(count_sites_and_hexamers(chromosome[START:STOP], labels))
    return sensors, lengths_of(one for one in annotation.on("chr2R") if one.span[1] < STOP)


def test_a_reading_is_the_genes_that_the_sensors_find(learnt, chromosome):
    sensors, lengths = learnt
    codes = chromosome[STOP:END]
    uniform = np.full((len(codes), len(NAMES)), 1 / len(NAMES), np.float32)
    found = find_genes(codes, [uniform], PLAIN, lengths._replace(gene=0), sensors)
    coding = CODING[readings(sensors, codes, lengths)[READINGS.index(PLAIN)]]
    wanted = CODING[labels_of([gene.transcript for gene in found], len(codes))]
    assert coding.mean() > 0.1
    np.testing.assert_array_equal(coding, wanted)


def test_a_generous_reading_finds_more(learnt, chromosome):
    sensors, lengths = learnt
    shares = CODING[readings(sensors, chromosome[STOP:END], lengths)].mean(1)
    assert len(shares) == len(READINGS)
    assert shares[0] < shares[1] < shares[2]


def test_columns_say_what_the_labels_say():
    read = np.random.default_rng(0).integers(0, len(NAMES), (len(READINGS), 50)).astype(np.uint8)
    found = reading_features(read)
    assert found.shape == (50, READING_FEATURES)
    half = READING_FEATURES // 2
    for number, labels in enumerate(read):
        for strand, first in enumerate((2, 10)):
            for place in range(3):
                column = found[:, strand * half + 4 * number + place]
                np.testing.assert_array_equal(column == 1, labels == first + place)
    other = reading_features([other_strand(labels) for labels in read])
    np.testing.assert_array_equal(np.roll(other, half, 1)[::-1], found)


def test_nothing_is_read_of_nothing(learnt):
    found = readings(learnt[0], np.zeros(0, np.uint8), Lengths())
    assert found.shape == (len(READINGS), 0)
