"""Streams over a memory's tables keep the laws: rows do not see each other, nothing is learnt."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from seqforge.core.kernels.compiler import checked, interpreted
from seqforge.core.memory.symbol_streams import StreamedMemory
from tests.core.memory import laws
from tests.core.memory.test_symbol_memory import IDS, SIZES


@pytest.mark.parametrize("size", SIZES)
def test_they_give_what_a_frozen_memory_scores(size):
    laws.check_streams(partial(StreamedMemory, IDS[size], size, budget=1 << 18), IDS[size], size)


def test_interpreted_and_checked_they_give_the_same_bits():
    ids, net = IDS[40], laws.network_of(IDS[40], 40)
    memory = StreamedMemory(ids, 40, budget=1 << 16)
    memory.learn(ids[:400])

    def read() -> np.ndarray:
        streams, found = memory.streams(2), []
        for t in range(12):
            streams.ids[:], streams.network[:] = ids[t : t + 2], net[t : t + 2]
            streams.read()
            found.append(streams.log_probs.copy())
        return np.array(found)

    compiled = read()
    with checked():
        np.testing.assert_array_equal(read(), compiled)
    with np.errstate(over="ignore"), interpreted():
        np.testing.assert_array_equal(read(), compiled)
