"""What the experts say in, one distribution of the next base out; weights learn from each base."""

from __future__ import annotations

import numpy as np

from seqforge.core.kernels.compiler import kernel
from seqforge.core.kernels.elementary import exponential, logarithm
from seqforge.core.kernels.intrinsics import add_scaled, dot
from seqforge.domains.genome.memory.tables import SETS, WIDTH, Mixer, Room

M = len(SETS)
_LEAST_LOG = -9.0
_LN4 = 1.3862943611198906
_FLOOR = 1e-4
_RATE, _LEAST_RATE, _FINAL_RATE = 0.005, 0.0012, 0.0004
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
def _mix_finally(mixer: Mixer, way: int, room: Room) -> None:
    """The sets' distributions mixed into one."""
    row, chances = room.chosen[M], room.chances
    highest = -1e30
    for s in range(4):
        score = 0.0
        for m in range(M):
            score += mixer.final[way, row, m] * room.logs[4 * m + s]
        chances[s] = score
        highest = max(highest, score)
    total = 0.0
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
def learn_weights(mixer: Mixer, way: int, room: Room, symbol: int) -> None:
    """A step down the gradient of the cost of a base, for each set by itself and for the last
    mixture."""
    final = room.chosen[M]
    for back in range(M):
        m = M - 1 - back
        rate, row, gain = _rate_of(mixer, way, room, m), room.chosen[m] * WIDTH, 0.0
        for s in range(4):
            right = float(int(s == symbol))
            gain += (right - room.chances[s]) * room.logs[4 * m + s]
            step = np.float32(rate * (right - room.inner[4 * m + s]))
            add_scaled(mixer.weights[way], row, step, room.inputs, s * WIDTH, WIDTH)
        mixer.final[way, final, m] += _FINAL_RATE * gain
