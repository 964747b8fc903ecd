"""Sensors read windows as the whole, both strands alike, and tell sites of a fly apart."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqforge.core.kernels.compiler import checked, interpreted
from seqforge.domains.genome.genes.labels import NAMES, PARTNERS, labels_of
from seqforge.domains.genome.genes.sensors import (
    FEATURES,
    MARGIN,
    PER_STRAND,
    SITES,
    Sensors,
    count_sites_and_hexamers,
    features,
    label_odds,
    left_out,
    sensors_of,
)
from seqforge.domains.genome.nucleotides import complemented

START, STOP, END = 2_000_000, 2_400_000, 2_600_000
SITES_AT = PER_STRAND - 6 - len(SITES)


@pytest.fixture(scope="module")
def labels(annotation, chromosome):
    return labels_of(annotation.on("chr2R"), len(chromosome))


@pytest.fixture(scope="module")
def sensors(chromosome, labels):
    return sensors_of(count_sites_and_hexamers(chromosome[START:STOP], labels[START:STOP]))


def random_codes(seed, size):
    return np.random.default_rng(seed).integers(0, 4, size).astype(np.uint8)


@given(st.integers(0, 99), st.integers(0, 3000), st.integers(0, 3000))
@settings(max_examples=20)
def test_a_window_is_read_as_the_whole_is(sensors, seed, a, b):
    codes = random_codes(seed, 3000)
    start, stop = min(a, b), max(a, b)
    whole = features(sensors, codes)
    assert whole.shape == (3000, FEATURES)
    np.testing.assert_allclose(features(sensors, codes, start, stop), whole[start:stop], atol=1e-5)


def test_what_lies_beyond_the_margin_does_not_matter(sensors):
    codes, other = random_codes(0, 2 * MARGIN + 1), random_codes(1, 4 * MARGIN)
    other[MARGIN : 3 * MARGIN + 1] = codes
    np.testing.assert_allclose(
        features(sensors, other, 2 * MARGIN, 2 * MARGIN + 1)[0],
        features(sensors, codes, MARGIN, MARGIN + 1)[0], atol=1e-5,
    )  # fmt: skip


def test_the_other_strand_is_read_alike(sensors):
    codes = random_codes(2, 2000)
    codes[500:510] = 4  # no bases
    forward, reverse = features(sensors, codes), features(sensors, complemented(codes))
    swapped = np.concatenate([reverse[:, PER_STRAND:], reverse[:, :PER_STRAND]], 1)[::-1]
    np.testing.assert_allclose(forward, swapped, atol=1e-5)


def test_compiled_and_interpreted_are_the_same(sensors, chromosome, labels):
    codes, said = chromosome[START + 4000 : START + 4500], labels[START + 4000 : START + 4500]
    found = []
    for mode in (checked, interpreted):
        with mode():
            counts = count_sites_and_hexamers(codes, said)
            found.append((features(sensors, codes), *counts))
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_counts_can_be_taken_out_again(chromosome, labels):
    parts = [
        count_sites_and_hexamers(chromosome[a : a + 50_000], labels[a : a + 50_000])
        for a in (START, START + 50_000)
    ]
    for a, b in zip(parts[0].plus(parts[1]).plus(parts[1], -1), parts[0], strict=True):
        np.testing.assert_array_equal(a, b)
    for found, wanted in zip(left_out(parts), parts[::-1], strict=True):
        for a, b in zip(found, sensors_of(wanted), strict=True):
            np.testing.assert_array_equal(a, b)


def test_sensors_are_plain_arrays(sensors):
    again = Sensors.of(sensors._asdict())
    assert all(array.dtype == np.float32 for array in again)
    for a, b in zip(sensors, again, strict=True):
        np.testing.assert_array_equal(a, b)


def rank_share(these, those):
    """How often one of these is more than one of those (AUC)."""
    both = np.concatenate([these, those])
    ranks = both.argsort(kind="stable").argsort(kind="stable")[: len(these)]
    return (ranks.sum() - len(these) * (len(these) - 1) / 2) / len(these) / len(those)


def test_they_tell_genes_of_a_fly_apart(sensors, chromosome, labels):
    found, said = features(sensors, chromosome, STOP, END), labels[STOP:END]
    for site, label, least in ((0, 7, 0.95), (1, 8, 0.8)):
        score = found[:, SITES_AT + site]
        there, alike = score[said == label], score[(said != label) & (score != 0)]
        assert rank_share(there, alike) > least
    coding, elsewhere = found[said == 3, 7], found[said == 0, 7]  # a window of 72, second place
    assert rank_share(coding, elsewhere) > 0.9


def test_odds_of_labels_are_those_of_their_sensors(sensors):
    """A base of a codon has the log-odds of its hexamer, and a site those of its matrix besides."""
    codes = random_codes(4, 500)
    codes[200:203] = 4
    odds, said = label_odds(sensors, codes), features(sensors, codes)
    assert odds.shape == (500, len(NAMES))
    assert (odds[:, 0] == 0).all()
    known = np.flatnonzero(codes < 4)
    for half, first in ((0, 2), (PER_STRAND, 10)):
        np.testing.assert_allclose(
            odds[known, first : first + 3], said[known, half : half + 3], atol=1e-6
        )
        for site, label, plain in ((0, 6, 0), (1, 7, 0), (2, 4, 1), (3, 5, 3)):
            score = said[:, half + SITES_AT + site]
            there = np.flatnonzero(score > 0)
            added = odds[there, first - 1 + label] - odds[there, first - 1 + plain]
            np.testing.assert_allclose(added, 4 * score[there] - 6, atol=1e-4)
    assert (odds[200:203, 2:5] < -2).all()
    np.testing.assert_allclose(label_odds(sensors, codes, 100, 300), odds[100:300], atol=1e-6)
    np.testing.assert_allclose(
        label_odds(sensors, np.ascontiguousarray(complemented(codes)))[::-1][:, PARTNERS], odds,
        atol=1e-6,
    )  # fmt: skip
