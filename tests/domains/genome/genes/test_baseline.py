"""The windows' log-odds are sums, and find coding bases of a fly."""

import numpy as np

from seqforge.core.kernels.compiler import checked, interpreted
from seqforge.domains.genome.genes.baseline import (
    WINDOW,
    agreement_above,
    best_threshold,
    periodic_odds,
)
from seqforge.domains.genome.genes.labels import CODING, labels_of
from seqforge.domains.genome.genes.sensors import count_sites_and_hexamers, features, sensors_of

START, STOP, END = 5_000_000, 5_800_000, 6_000_000


def test_coding_bases_of_a_fly(annotation, chromosome):
    labels = labels_of(annotation.on("chr2R"), len(chromosome))
    sensors = sensors_of(count_sites_and_hexamers(chromosome[START:STOP], labels[START:STOP]))
    odds = periodic_odds(sensors, chromosome[START:END])
    coding, cut = CODING[labels[START:END]], STOP - START
    least = best_threshold(odds[:cut], coding[:cut])
    found = agreement_above(odds[cut:], coding[cut:], least)
    assert found.f1 > 0.7
    assert found.f1 >= agreement_above(odds[cut:], coding[cut:], least + 30).f1


def test_a_window_is_the_best_sum_of_six_frames(annotation, chromosome):
    labels = labels_of(annotation.on("chr2R"), len(chromosome))
    sensors = sensors_of(count_sites_and_hexamers(chromosome[START:STOP], labels[START:STOP]))
    codes = chromosome[START : START + 700]
    said = features(sensors, codes)
    half = said.shape[1] // 2
    for t in (0, 5, 300, 699):
        a, b = max(t - WINDOW // 2, 0), min(t + WINDOW // 2, 700)
        forward = [sum(said[u, (u + f) % 3] for u in range(a, b)) for f in range(3)]
        reverse = range(max(t - WINDOW // 2 + 1, 0), min(t + WINDOW // 2 + 1, 700))
        other = [sum(said[u, half + (f - u) % 3] for u in reverse) for f in range(3)]
        best = max(*forward, *other)
        np.testing.assert_allclose(periodic_odds(sensors, codes)[t], best, rtol=1e-4)


def test_compiled_and_interpreted_are_the_same(annotation, chromosome):
    labels = labels_of(annotation.on("chr2R"), len(chromosome))
    sensors = sensors_of(count_sites_and_hexamers(chromosome[START:STOP], labels[START:STOP]))
    found = []
    for mode in (checked, interpreted):
        with mode():
            found.append(periodic_odds(sensors, chromosome[START : START + 400]))
    np.testing.assert_allclose(*found, rtol=1e-5)
