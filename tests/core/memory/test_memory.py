"""The laws of the Memory protocol hold of the smallest memory there can be, and catch one that
breaks them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.core.memory import laws

SIZE = 5
IDS = np.random.default_rng(1).integers(0, SIZE, 300).astype(np.uint8)


class Counts:
    """How often each symbol occurred; with a network, half and half."""

    def __init__(self, counts: Any = None) -> None:
        self.counts = np.ones(SIZE) if counts is None else counts

    def learn(self, ids):
        self.score(ids)

    def predict(self, network=None):
        chances = self.counts / self.counts.sum()
        if network is not None:
            given = np.exp(network.astype(np.float64))
            chances = (chances + given / given.sum()) / 2
        return np.log(chances)

    def score(self, ids, network=None, adapt=True):
        found = np.zeros(len(ids))
        for t, symbol in enumerate(ids):
            found[t] = self.predict(None if network is None else network[t])[symbol]
            self.counts[symbol] += adapt
        return found

    def to_arrays(self):
        return {"counts": self.counts}

    @classmethod
    def from_arrays(cls, arrays):
        return cls(arrays["counts"])


class Clairvoyant(Counts):
    """Counts what it is to score before it scores it."""

    def score(self, ids, network=None, adapt=True):
        for symbol in ids:
            self.counts[symbol] += adapt
        return super().score(ids, network, False)


def test_the_laws_hold_of_counts():
    laws.check_pieces(Counts, IDS, SIZE)
    laws.check_causality(Counts, IDS, SIZE)
    laws.check_distribution(Counts, IDS, SIZE)
    laws.check_frozen(Counts, IDS)
    laws.check_saved(Counts, IDS, SIZE)
    laws.check_coding(Counts, IDS)


def test_the_laws_catch_a_memory_that_knows_what_comes():
    for check in (laws.check_pieces, laws.check_causality):
        with pytest.raises(AssertionError):
            check(Clairvoyant, IDS, SIZE)
    with pytest.raises(AssertionError):
        laws.check_coding(Clairvoyant, IDS)
