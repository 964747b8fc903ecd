"""Several memories together keep the laws of one, and say the mean of what each says."""

from __future__ import annotations

import math
from functools import partial
from typing import Any, ClassVar

import numpy as np
import pytest

from seqforge.core.memory.code_tree import AROUND, BEFORE
from seqforge.core.memory.memory import ScoresTogether
from seqforge.core.memory.several import SeveralMemories, mean, parts_of, restored
from seqforge.core.memory.slots import LINE, table_bytes
from seqforge.core.memory.symbol_memory import SymbolMemory
from seqforge.core.memory.symbol_streams import StreamedMemory
from tests.core.memory import laws

SIZE, BYTES = 9, 40_000
"""No power of two."""
DRAW = np.random.default_rng(3)
IDS = np.concatenate([np.tile(DRAW.integers(1, SIZE, 37), 9), DRAW.integers(0, SIZE, 267)]).astype(
    np.uint8
)


class Memories(SeveralMemories):
    """Of general contexts."""

    kind: ClassVar[Any] = StreamedMemory


def made(*views):
    return [StreamedMemory(IDS, SIZE, BYTES, None, each) for each in views]


def several():
    return Memories(made(BEFORE, AROUND))


def test_the_laws_hold():
    laws.check_pieces(several, IDS, SIZE)
    laws.check_causality(several, IDS, SIZE)
    laws.check_together(several, IDS, SIZE)
    laws.check_distribution(several, IDS, SIZE)
    laws.check_frozen(several, IDS)
    laws.check_saved(several, IDS, SIZE)
    laws.check_streams(several, IDS, SIZE, rounding=2e-6)
    laws.check_coding(several, IDS)
    laws.check_bounds(several, IDS, SIZE)
    laws.check_interpreted(several, IDS[:80], SIZE)
    assert isinstance(several(), ScoresTogether)


def test_what_they_say_is_the_mean():
    half, net = len(IDS) // 2, laws.network_of(IDS, SIZE)
    alone = [laws.taught(lambda one=one: one, IDS[:half]) for one in made(BEFORE, AROUND)]
    each = np.exp([one.score(IDS[half:], net[half:]) for one in alone])
    found = laws.taught(several, IDS[:half]).score(IDS[half:], net[half:])
    np.testing.assert_allclose(np.exp(found), each.mean(0), rtol=1e-12)
    assert (each[0] != each[1]).any()


def test_the_mean_of_what_is_nearly_impossible_is_kept():
    found = mean([np.array([-1000.0, 0.0]), np.array([-1001.0, -750.0])])
    np.testing.assert_allclose(found, [-1000 + math.log((1 + math.exp(-1)) / 2), -math.log(2)])


def test_the_arrays_are_those_of_each_by_number():
    memory = laws.taught(several, IDS[:100])
    first, second = parts_of(memory.to_arrays())
    copies = {name: np.array(part) for name, part in memory.to_arrays().items()}
    again = restored(Memories, StreamedMemory.from_arrays, copies)
    assert type(again) is Memories
    np.testing.assert_array_equal(again.score(IDS[100:]), memory.score(IDS[100:]))
    assert first.keys() == second.keys()
    assert parts_of(first) == []
    assert type(restored(Memories, StreamedMemory.from_arrays, first)) is StreamedMemory
    without = {name: part for name, part in memory.to_arrays().items() if name[0] != "0"}
    with pytest.raises(ValueError, match="a memory is missing"):
        parts_of(without)


@pytest.mark.parametrize("lines", [16, 17, 100, 4095, 4096])
def test_tables_of_any_size_are_used_to_the_last_line(lines):
    memory = SymbolMemory(IDS, SIZE, lines * 2 * LINE)
    draw = np.random.default_rng(lines)
    for _ in range(8 if lines > 200 else 1):
        memory.learn(draw.integers(0, SIZE, 1500).astype(np.uint8))
    slots = memory.tables.slots.slots.reshape(-1, LINE)
    used = np.flatnonzero((slots[:, :8] > 0).any(axis=1))
    assert len(slots) == lines
    assert (used.min(), used.max()) == (1, lines - 1)
    assert len(used) > 0.9 * lines
    laws.check_bounds(partial(SymbolMemory, IDS, SIZE, lines * 2 * LINE), IDS, SIZE)


def test_tables_of_one_are_a_power_of_two_and_those_of_several_share_all():
    assert table_bytes(10**6, 10**9) == 1 << 29
    assert table_bytes(10**6, 10**9, 2) == 5 * 10**8
    assert table_bytes(10**6, 0) == 1 << 10
    assert table_bytes(1, 10**9, 2) == 1 << 22
