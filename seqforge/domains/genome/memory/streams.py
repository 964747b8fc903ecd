"""What a genome's memory has learnt in, streams of bases that read beside each other over it out:
for sampling.
"""

from __future__ import annotations

from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from seqforge.core.kernels.compiler import bound, kernel
from seqforge.core.memory.memory import StreamRows, each_array
from seqforge.domains.genome.memory.counting import Bases, read_back, read_on
from seqforge.domains.genome.memory.reading import ask_experts, mix_way, note_gains, note_late
from seqforge.domains.genome.memory.repeats import Packed, find_repeats, follow_repeats
from seqforge.domains.genome.memory.symbols import Alphabet, log_prob_of, read_network
from seqforge.domains.genome.memory.tables import (
    WINDOW,
    Counts,
    Learnt,
    Mixer,
    Room,
    Row,
    new_room,
    new_row,
)

_WAY = 1
"""With a network."""


class Learned(NamedTuple):
    """What streams read, and never change."""

    bases: Bases
    """The history."""
    packed: Packed
    counts: Counts
    learnt: Learnt
    mixer: Mixer
    alphabet: Alphabet
    """But the last symbol's kind, which each stream has of its own."""


class Rows(NamedTuple):
    """What a `Row` and a `Room` carry from base to base, and more, (R, ...)."""

    words: NDArray[np.uint64]
    places: NDArray[np.int64]
    steps: NDArray[np.int64]
    misses: NDArray[np.int64]
    runs: NDArray[np.int64]
    rich: NDArray[np.int64]
    late: NDArray[np.int64]
    costs: NDArray[np.int64]
    gains: NDArray[np.float64]
    inputs: NDArray[np.float32]
    guesses: NDArray[np.int64]
    outcomes: NDArray[np.float64]
    last: NDArray[np.int64]
    """(R, 1): the kind of the last symbol."""
    ring: NDArray[np.uint8]
    """(R, WINDOW): the last bases."""
    position: NDArray[np.int64]
    """(R, 1): bases read."""


@kernel
def _note_base(row: Row, ring: NDArray[np.uint8], position: int, base: int) -> None:
    """The registers and the composition with one more base read; see `reading.note_base`."""
    at = position & (WINDOW - 1)
    gone = int(ring[at])
    row.rich[0] += int(base == 1) + int(base == 2) - int(gone == 1) - int(gone == 2)
    ring[at] = base
    for lag in range(1, 4):
        before = int((row.words[0] >> np.uint64(2 * lag - 2)) & np.uint64(3))
        row.words[1 + lag] = (row.words[1 + lag] << 1) | np.uint64(int(before == base))
    row.words[0], row.words[1] = read_on(row.words[0], base), read_back(row.words[1], base)


@kernel
def _read_one(
    learned: Learned, alphabet: Alphabet, row: Row, room: Room, ring: NDArray[np.uint8],
    position: NDArray[np.int64], symbol: int,
) -> None:  # fmt: skip
    """Read a symbol; one that is no base changes nothing but what kind comes next."""
    base = int(alphabet.bases[symbol])
    if base >= 0:
        size = len(learned.bases)
        note_late(row, room, _WAY, base)
        note_gains(row, room, base)
        follow_repeats(size - 1, base, False, learned.learnt, row, room)
        _note_base(row, ring, position[0], base)
        position[0] += 1
        find_repeats(learned.packed, size, learned.counts, row)
    alphabet.last[0] = alphabet.kinds[symbol]


@kernel
def _predict(
    learned: Learned, alphabet: Alphabet, row: Row, room: Room, networks: NDArray[np.float64],
    r: int, log_probs: NDArray[np.float32],
) -> None:  # fmt: skip
    found = ask_experts(
        learned.bases, learned.counts, learned.learnt, row, room, networks, r
    )  # fmt: skip
    mix_way(learned.mixer, row, room, found, _WAY)
    for v in range(len(log_probs)):
        log_probs[v] = log_prob_of(alphabet, room.chances, v)


@kernel
def read_rows(
    learned: Learned, rows: Rows, room: Room, ids: NDArray[np.int64], network: NDArray[np.float32],
    networks: NDArray[np.float64], log_probs: NDArray[np.float32],
) -> None:  # fmt: skip
    """See `Streams.read`; ``networks`` (1, R, 4) is scratch, as what ``room`` holds."""
    read_network(learned.alphabet, network, networks[0])
    known = learned.alphabet
    for r in range(len(ids)):
        if ids[r] >= 0:
            row = Row(
                rows.words[r], rows.places[r], rows.steps[r], rows.misses[r], rows.runs[r],
                rows.rich[r], rows.late[r], rows.costs[r], rows.gains[r],
            )  # fmt: skip
            own = Room(
                room.ratios, rows.inputs[r], room.networks, room.states, room.ranked, room.totals,
                rows.guesses[r], room.repeat_states, room.trust, room.order, room.chosen, room.used,
                room.scores, room.inner, room.logs, room.hidden, room.last, room.chances,
                rows.outcomes[r],
            )  # fmt: skip
            alphabet = Alphabet(known.bases, known.kinds, known.changes, rows.last[r])
            _read_one(learned, alphabet, row, own, rows.ring[r], rows.position[r], ids[r])
            _predict(learned, alphabet, row, own, networks, r, log_probs[r])


def new_rows(count: int) -> Rows:
    """Rows that have read nothing."""
    row, room = new_row(), new_room()
    one = (
        *row, room.inputs, room.guesses, room.outcomes, np.zeros(1, np.int64),
        np.zeros(WINDOW, np.uint8), np.zeros(1, np.int64),
    )  # fmt: skip
    return Rows._make(np.repeat(part[None], count, 0) for part in one)


class GenomeStreams(StreamRows):
    """See `Streams`; always exact."""

    def __init__(self, learned: Learned, rows: Rows) -> None:
        count = len(rows.position)
        super().__init__(rows, count, len(learned.alphabet.bases))
        self._learned = learned
        self.read = bound(
            read_rows, learned, rows, new_room(), self.ids, self.network, np.zeros((1, count, 4)),
            self.log_probs,
        )  # fmt: skip

    def rows(self, chosen: NDArray[np.int64]) -> Self:
        """See `Streams.rows`."""
        found = type(self)(self._learned, each_array(lambda part: part[chosen], self._rows))
        found.log_probs[:] = self.log_probs[chosen]
        return found
