"""Evidence for a decision in, its probability out: several sets of weights, a second layer over
them, and refinement by what came of such probabilities before.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqforge.core.kernels.compiler import kernel
from seqforge.core.kernels.elementary import exponential, logarithm
from seqforge.core.kernels.intrinsics import add_scaled, dot, prefetch
from seqforge.core.memory.code_tree import DEEPEST

Floats = NDArray[np.float32]

LIMIT = 14.0
"""Largest size of a stretched probability."""
STRETCHED = 4096
FIRST_RATE, HALVED, LAST_RATE = 0.01, 3000.0, 0.00015
"""How fast a row of weights learns: at first, after how often more by half, at last."""
RIGHT = 0.01
"""Errors too small to learn from: many decisions are as good as certain."""
FINAL_RATE = 0.0003
REFINE_RATE = 0.01
_STEPS = 33
FINALS = 2
REFINERS = 3
REFINER_BITS = 16
NETWORK_SCALE = 4.0
"""A network's number is so many times as large: weights of it learn faster than the others."""
NETWORK_WEIGHT, OTHERS_SHARE = 0.1, 0.8
"""What a network weighs at first, and what of the weights of the others is left then."""
WAYS = 3
"""Most ways to mix the same evidence."""


class MixerTables(NamedTuple):
    """What the mixer has learnt, of each way to mix: alone, with a network, with two."""

    weights: Floats
    """(ways, rows of all sets * size)."""
    starts: NDArray[np.int64]
    """The first row of each set (S,)."""
    finals: Floats
    """(ways, FINALS, rows, S + 1): weights of the second layer."""
    refined: Floats
    """(ways, REFINERS, 2**16 * 33): probabilities by a context and the probability before."""
    visits: NDArray[np.int32]
    """How often a row has learnt (ways, rows of all sets)."""
    taught: NDArray[np.int64]
    """Whether a way has learnt anything by itself (ways,)."""


class MixerRoom(NamedTuple):
    """The decisions on the path to the symbol at hand (D, ...), and what each way to mix makes of
    them (ways * D, ...)."""

    inputs: Floats
    chosen: NDArray[np.int64]
    """The row of each set (ways * D, S), counted from its start."""
    stretched: NDArray[np.float64]
    """What each set says, and the network (ways * D, S + 1)."""
    finals: NDArray[np.int64]
    """The row of each second-layer mixer."""
    final_stretched: NDArray[np.float64]
    contexts: NDArray[np.int64]
    """Of the refiners."""
    cells: NDArray[np.int64]
    """Where they looked."""


def stretch_table() -> Floats:
    """ln(p / (1 - p)) at the middles of 4096 equal steps."""
    table = np.empty(STRETCHED, np.float32)
    _fill_stretched(table)
    return table


@kernel
def _fill_stretched(table: Floats) -> None:
    for i in range(len(table)):
        p = (float(i) + 0.5) / float(len(table))
        table[i] = logarithm(p) - logarithm(1.0 - p)


def mixer_tables(sets: tuple[int, ...], first: Floats, final_rows: int) -> MixerTables:
    """Weights ``first`` (inputs,) in every row of sets of so many rows."""
    rows = np.tile(first.astype(np.float32), (1, sum(sets), 1))
    refined = np.array([squash((k - 16) * 0.5) for k in range(_STEPS)], np.float32)
    return MixerTables(
        rows.reshape(1, -1), np.cumsum((0, *sets[:-1])).astype(np.int64),
        _final_weights(final_rows, len(sets)),
        np.tile(refined, (1, REFINERS, 1 << REFINER_BITS)), np.zeros((1, sum(sets)), np.int32),
        np.zeros(1, np.int64),
    )  # fmt: skip


def _final_weights(rows: int, sets: int) -> Floats:
    """The mean of all sets; nothing of the network itself."""
    weights = np.zeros((1, FINALS, rows, sets + 1), np.float32)
    weights[..., :sets] = 1 / sets
    return weights


def mixer_room(inputs: int, sets: int) -> MixerRoom:
    """Room for the decisions of a symbol."""
    rows = WAYS * DEEPEST
    return MixerRoom(
        np.zeros((DEEPEST, inputs), np.float32), np.zeros((rows, sets), np.int64),
        np.zeros((rows, sets + 1)), np.zeros((rows, FINALS), np.int64),
        np.zeros((rows, FINALS)), np.zeros((rows, REFINERS), np.int64),
        np.zeros((rows, REFINERS), np.int64),
    )  # fmt: skip


def with_ways(tables: MixerTables, ways: int) -> MixerTables:
    """The same tables with room for so many ways."""
    known = len(tables.taught)
    if ways <= known:
        return tables

    def grown(table: NDArray[Any]) -> NDArray[Any]:
        found = np.zeros((ways, *table.shape[1:]), table.dtype)
        found[:known] = table
        return found

    weights, finals, refined, visits, taught = (
        grown(table)
        for table in (tables.weights, tables.finals, tables.refined, tables.visits, tables.taught)
    )
    return MixerTables(weights, tables.starts, finals, refined, visits, taught)


def copy_way(tables: MixerTables, way: int, network: tuple[int, int], width: int) -> None:
    """Let a way with a network begin with what the first way has learnt.

    Rows keep their rates: what they have learnt of the other inputs is not to be learnt anew.

    Args:
        tables: They change.
        way: Which one.
        network: The place of the network's number among the inputs, and the set that is chosen by
            it.
        width: Numbers of a row.
    """
    for table in (tables.weights, tables.finals, tables.refined, tables.visits):
        table[way] = table[0]
    place, chosen = network
    first, last = tables.starts[chosen : chosen + 2]
    rows = tables.weights[way].reshape(-1, width)
    rows[first:last] = rows[first]
    tables.visits[way, first:last] = tables.visits[way, first]
    rows *= OTHERS_SHARE
    rows[:, place] = NETWORK_WEIGHT


@kernel
def squash(x: float) -> float:
    """1 / (1 + exp(-x))."""
    e = exponential(-abs(x))
    return (1.0 if x > 0.0 else e) / (1.0 + e)


@kernel
def bounded(x: float) -> float:
    """A stretched probability within its limits."""
    return max(min(x, LIMIT), -LIMIT)


@kernel
def mix(tables: MixerTables, room: MixerRoom, depth: int, way: int) -> float:
    """The stretched probability of a yes: both layers."""
    inputs, weights, at = room.inputs[depth], tables.weights[way], way * DEEPEST + depth
    for s in range(room.chosen.shape[1]):
        row = (tables.starts[s] + room.chosen[at, s]) * len(inputs)
        room.stretched[at, s] = bounded(float(dot(weights, row, inputs, 0, len(inputs))))
    mean = 0.0
    for f in range(FINALS):
        finals = tables.finals[way, f, room.finals[at, f]]
        total = 0.0
        for s in range(room.stretched.shape[1]):
            total += float(finals[s]) * room.stretched[at, s]
        room.final_stretched[at, f] = bounded(total)
        mean += room.final_stretched[at, f]
    return mean / FINALS


@kernel
def ask_refiners(tables: MixerTables, room: MixerRoom, depth: int, way: int) -> None:
    """Begin to fetch what `refine` will read."""
    at = way * DEEPEST + depth
    for r in range(REFINERS):
        cell = room.contexts[at, r] * _STEPS
        for line in range(0, _STEPS, 16):
            prefetch(tables.refined[way, r], cell + line)


@kernel
def refine(tables: MixerTables, room: MixerRoom, depth: int, way: int, stretched: float) -> float:
    """The probability of a yes, after what came of such probabilities in the refiners' contexts."""
    place = max(min((stretched + 8.0) * 2.0, 31.999), 0.0)
    low = int(place)
    share, total, at = place - float(low), 0.0, way * DEEPEST + depth
    for r in range(REFINERS):
        cell = room.contexts[at, r] * _STEPS + low
        room.cells[at, r] = cell + (1 if share > 0.5 else 0)
        cells = tables.refined[way, r]
        total += float(cells[cell]) * (1.0 - share) + float(cells[cell + 1]) * share
    return squash(stretched) * 0.5 + total * (0.5 / REFINERS)


@kernel
def learn_mixture(tables: MixerTables, room: MixerRoom, depth: int, way: int, answer: int) -> None:
    """Let weights and refiners learn an answer."""
    inputs, weights, wish = room.inputs[depth], tables.weights[way], float(answer)
    at = way * DEEPEST + depth
    for f in range(FINALS):
        row = tables.finals[way, f, room.finals[at, f]]
        error = (wish - squash(room.final_stretched[at, f])) * FINAL_RATE
        for s in range(room.stretched.shape[1]):
            row[s] = float(row[s]) + error * room.stretched[at, s]
    for s in range(room.chosen.shape[1]):  # by itself, so that it becomes vector code
        room.stretched[at, s] = squash(room.stretched[at, s])
    for s in range(room.chosen.shape[1]):
        row_number = tables.starts[s] + room.chosen[at, s]
        visits = tables.visits[way, row_number]
        tables.visits[way, row_number] = visits + 1
        rate = FIRST_RATE / (1.0 + float(visits) / HALVED) + LAST_RATE
        error = wish - room.stretched[at, s]
        if abs(error) > RIGHT:
            step = np.float32(error * rate)
            add_scaled(weights, row_number * len(inputs), step, inputs, 0, len(inputs))
    for r in range(REFINERS):
        cells = tables.refined[way, r]
        cell = float(cells[room.cells[at, r]])
        cells[room.cells[at, r]] = cell + (wish - cell) * REFINE_RATE
