"""What the experts say in, one distribution of the next base out; weights learn from each base."""

from __future__ import annotations

import numpy as np

from seqforge.core.kernels.compiler import kernel
from seqforge.core.kernels.elementary import exponential, logarithm
from seqforge.core.kernels.intrinsics import add_scaled, dot
from seqforge.domains.genome.memory.tables import FINALS, HIDDEN, MEMBERS, SETS, WIDTH, Mixer, Room

M, LAST = len(SETS), len(FINALS)
_LEAST_LOG = -9.0
_LN4 = 1.3862943611198906
_FLOOR = 1e-4
_RATE, _LEAST_RATE, _FINAL_RATE = 0.005, 0.0012, 0.0004
_HIDDEN_RATE, _LEAST_HIDDEN, _LEAK = 0.05, 0.02, 0.1
_HIDDEN_FALL = 500_000.0
_FALL = 10_000.0
"""Bases after which the rate has fallen by half of what it falls."""


@kernel
def _mix_sets(mixer: Mixer, way: int, room: Room) -> None:
    """The weighted sums of each set's row, less the highest of the four."""
    for m in range(M):
        row = room.used[m] * WIDTH
        highest = -1e30
        for s in range(4):
            score = float(dot(mixer.weights[way], row, room.inputs, s * WIDTH, WIDTH))
            room.scores[4 * m + s] = score
            highest = max(highest, score)
        for s in range(4):
            room.scores[4 * m + s] -= highest


@kernel
def _normalise_sets(room: Room) -> None:
    """Each set's probabilities, and their logarithms in relation to chance."""
    for k in range(4 * M):
        room.inner[k] = exponential(room.scores[k])
    for m in range(M):
        total = 0.0
        for s in range(4):
            total += room.inner[4 * m + s]
        for s in range(4):
            room.inner[4 * m + s] /= total
        room.logs[m] = total
    for m in range(M):
        room.logs[m] = logarithm(room.logs[m])
    for m in range(M - 1, -1, -1):
        less = _LN4 - room.logs[m]
        for s in range(4):
            room.logs[4 * m + s] = max(room.scores[4 * m + s] + less, _LEAST_LOG)


@kernel
def _fill_hidden(mixer: Mixer, way: int, room: Room) -> None:
    for s in range(4):
        for j in range(HIDDEN):
            cell = mixer.cells[way, 0, j] + float(
                dot(mixer.hidden[way], j * WIDTH, room.inputs, s * WIDTH, WIDTH)
            )
            room.hidden[s * HIDDEN + j] = cell if cell > 0.0 else _LEAK * cell


@kernel
def _mix_hidden(mixer: Mixer, way: int, room: Room) -> None:
    """The mean of all sets, and what the hidden layer adds to it, as one member more."""
    highest, total = -1e30, 0.0
    for s in range(4):
        score = 0.0
        for m in range(M):
            score += room.logs[4 * m + s]
        score /= float(M)
        for j in range(HIDDEN):
            score += mixer.cells[way, 1, j] * room.hidden[s * HIDDEN + j]
        room.scores[4 * M + s] = score
        highest = max(highest, score)
    for s in range(4):
        room.inner[4 * M + s] = exponential(room.scores[4 * M + s] - highest)
        total += room.inner[4 * M + s]
    less = _LN4 - highest - logarithm(total)
    for s in range(4):
        room.inner[4 * M + s] /= total
        room.logs[4 * M + s] = max(room.scores[4 * M + s] + less, _LEAST_LOG)


@kernel
def _mix_last(mixer: Mixer, way: int, room: Room, f: int) -> None:
    """One of the last mixtures; its logarithms, less a common one, are added to the chances."""
    row, highest, total = room.chosen[M + f], -1e30, 0.0
    for s in range(4):
        score = 0.0
        for m in range(MEMBERS):
            score += mixer.final[way, row, m] * room.logs[4 * m + s]
        room.last[4 * f + s] = score
        room.chances[s] += score / float(LAST)
        highest = max(highest, score)
    for s in range(4):
        room.last[4 * f + s] = exponential(room.last[4 * f + s] - highest)
        total += room.last[4 * f + s]
    for s in range(4):
        room.last[4 * f + s] /= total


@kernel
def _mix_finally(mixer: Mixer, way: int, room: Room) -> None:
    """All distributions mixed into one, in several ways, whose geometric mean is taken."""
    chances = room.chances
    for s in range(4):
        chances[s] = 0.0
    for f in range(LAST):
        _mix_last(mixer, way, room, f)
    highest, total = max(max(chances[0], chances[1]), max(chances[2], chances[3])), 0.0
    for s in range(4):
        chances[s] = exponential(chances[s] - highest)
        total += chances[s]
    for s in range(4):
        chances[s] = chances[s] / total * (1.0 - 4.0 * _FLOOR) + _FLOOR


@kernel
def mix(mixer: Mixer, way: int, room: Room) -> None:
    """The experts' inputs mixed, twice, into the probabilities of the four bases."""
    _mix_sets(mixer, way, room)
    _normalise_sets(room)
    _fill_hidden(mixer, way, room)
    _mix_hidden(mixer, way, room)
    _mix_finally(mixer, way, room)


@kernel
def _rate_of(mixer: Mixer, way: int, room: Room, m: int) -> float:
    """The rate at which a set's row learns; a new one begins with the weights of all bases."""
    row, weights = room.chosen[m], mixer.weights[way]
    if room.used[m] != row:
        for k in range(WIDTH):
            weights[row * WIDTH + k] = weights[k]
    visits = mixer.visits[way, row]
    mixer.visits[way, row] = visits + 1
    return _LEAST_RATE + (_RATE - _LEAST_RATE) * _FALL / (_FALL + float(visits))


@kernel
def _learn_hidden(mixer: Mixer, way: int, room: Room, symbol: int) -> None:
    """A step of the hidden layer down the gradient of its own cost."""
    seen = float(mixer.visits[way, 0])
    rate = _LEAST_HIDDEN + (_HIDDEN_RATE - _LEAST_HIDDEN) * _HIDDEN_FALL / (_HIDDEN_FALL + seen)
    cells = mixer.cells[way]
    for j in range(HIDDEN):
        added, moved, gain = cells[1, j], 0.0, 0.0
        for s in range(4):
            step = rate * (float(int(s == symbol)) - room.inner[4 * M + s])
            cell = room.hidden[s * HIDDEN + j]
            gain += step * cell
            step *= added if cell > 0.0 else _LEAK * added
            moved += step
            add_scaled(
                mixer.hidden[way], j * WIDTH, np.float32(step), room.inputs, s * WIDTH, WIDTH
            )
        cells[0, j] += moved
        cells[1, j] = added + gain


@kernel
def _learn_last(mixer: Mixer, way: int, room: Room, symbol: int) -> None:
    for f in range(LAST):
        row = room.chosen[M + f]
        for m in range(MEMBERS):
            gain = 0.0
            for s in range(4):
                right = float(int(s == symbol))
                gain += (right - room.last[4 * f + s]) * room.logs[4 * m + s]
            mixer.final[way, row, m] += _FINAL_RATE * gain


@kernel
def learn_weights(mixer: Mixer, way: int, room: Room, symbol: int) -> None:
    """A step down the gradient of the cost of a base, for each set and mixture by itself."""
    for back in range(M):
        m = M - 1 - back
        rate, row = _rate_of(mixer, way, room, m), room.chosen[m] * WIDTH
        for s in range(4):
            right = float(int(s == symbol))
            step = np.float32(rate * (right - room.inner[4 * m + s]))
            add_scaled(mixer.weights[way], row, step, room.inputs, s * WIDTH, WIDTH)
    _learn_hidden(mixer, way, room, symbol)
    _learn_last(mixer, way, room, symbol)
