"""Symbols of genomes in, their log-probabilities out: the Memory of the genome domain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from seqforge.core.memory.memory import Ids, LogProbs, Network, check_names
from seqforge.domains.genome.memory.counting import count
from seqforge.domains.genome.memory.reading import note_bases, predict, read
from seqforge.domains.genome.memory.repeats import pack
from seqforge.domains.genome.memory.streams import GenomeStreams, Learned, new_rows
from seqforge.domains.genome.memory.symbols import (
    Alphabet,
    all_log_probs,
    alphabet_of,
    note_symbols,
    read_network,
    score_symbols,
)
from seqforge.domains.genome.memory.tables import (
    BEFORE,
    EXPERTS,
    KEPT,
    NETWORK,
    SPAN,
    WAYS,
    WIDTH,
    Counts,
    Learnt,
    Mixer,
    Row,
    counts_for,
    new_learnt,
    new_mixer,
    new_room,
    new_row,
)

BUDGET = 1_200_000_000
"""Bytes of counts."""
WARM = 3_000_000
"""Bases that teach the weights enough."""
_BLOCK = 1 << 16
_NO_NETWORKS: list[Network] = []


class Parts(NamedTuple):
    """All that changes."""

    counts: Counts
    learnt: Learnt
    mixer: Mixer
    row: Row
    alphabet: Alphabet


class GenomeMemory:
    """Four-way mixing over nucleotides of contexts on both strands, repeats and models nearby."""

    def __init__(self, parts: Parts, bases: NDArray[np.uint8], warm: int) -> None:
        self._parts, self._room, self._warm = parts, new_room(), warm
        self._bases, self._size, self._read_to = bases, len(bases), len(bases)
        self._packed = np.zeros(len(bases) // SPAN + 1, np.uint64)
        self._pack(0)

    @classmethod
    def of(
        cls, symbols: Sequence[str], bases: int, budget: int = BUDGET, warm: int = WARM
    ) -> Self:  # fmt: skip
        """A new memory.

        Args:
            symbols: The vocabulary's, ids 1 to V - 1.
            bases: About how many will be learnt and scored.
            budget: Bytes of its counts, at most where that is possible.
            warm: So many of the last bases learnt teach the weights too, not counts alone.
        """
        parts = Parts(
            counts_for(bases, budget),
            new_learnt(bases),
            new_mixer(),
            new_row(),
            alphabet_of(symbols),
        )  # fmt: skip
        return cls(parts, np.zeros(BEFORE, np.uint8), warm)

    def learn(self, ids: Ids) -> None:
        """See `Memory`; the last of it is read when the next score is asked for."""
        note_symbols(self._parts.alphabet, ids)
        self._append(ids)
        stop = self._size - self._warm
        if stop > self._read_to:
            bases, row = self._bases[:stop], self._parts.row
            h, r, rich = row.words[0], row.words[1], int(row.rich[0])
            count(self._parts.counts, bases, self._read_to, h, r, rich)
            note_bases(row, bases, self._read_to)
            self._read_to = stop

    def score(self, ids: Ids, network: Network | None = None, adapt: bool = True) -> LogProbs:
        """See `Memory`."""
        networks = _NO_NETWORKS if network is None else [network]
        found: LogProbs = self._score(ids, networks, len(networks), adapt)[0]
        return found

    def score_together(self, ids: Ids, networks: Sequence[Network], adapt: bool = True) -> LogProbs:
        """See `ScoresTogether`."""
        return self._score(ids, networks, 0, adapt)

    def reader(self) -> Self:
        """See `ScoresTogether`; the tables are shared."""
        self._settle()
        parts = self._parts
        own = parts._replace(
            mixer=deepcopy(parts.mixer), row=deepcopy(parts.row), alphabet=deepcopy(parts.alphabet)
        )
        return type(self)(own, self._bases[: self._size].copy(), self._warm)

    def _score(
        self, ids: Ids, networks: Sequence[Network], first: int, adapt: bool
    ) -> LogProbs:  # fmt: skip
        """Log-probabilities (ways, T) by the ways from ``first`` to that with all networks."""
        self._settle()
        self._begin_ways(len(networks))
        found = np.empty((len(networks) + 1 - first, len(ids)))
        for t in range(0, len(ids), _BLOCK):
            rows = [network[t : t + _BLOCK] for network in networks]
            found[:, t : t + _BLOCK] = self._score_block(ids[t : t + _BLOCK], rows, first, adapt)
        return found

    def _score_block(
        self, ids: Ids, networks: Sequence[Network], first: int, adapt: bool
    ) -> LogProbs:  # fmt: skip
        alphabet, ways = self._parts.alphabet, len(networks) + 1 - first
        are_bases = self._append(ids)
        given = self._of_bases([network[are_bases] for network in networks])
        chances = np.empty((ways, self._size - self._read_to + 1, 4))
        self._read(self._size, given, first, adapt, chances)
        found = np.empty((ways, len(ids)))
        score_symbols(alphabet, ids, chances, adapt, found)
        return found

    def predict(self, network: NDArray[np.float32] | None = None) -> LogProbs:
        """See `Memory`."""
        self._settle()
        networks = _NO_NETWORKS if network is None else [network[None]]
        self._begin_ways(len(networks))
        counts, learnt, mixer, row, alphabet = self._parts
        bases, given = self._bases[: self._size], self._of_bases(networks)
        predict(bases, counts, learnt, mixer, row, self._room, given, len(networks))
        found = np.empty(len(alphabet.kinds))
        all_log_probs(alphabet, self._room.chances, found)
        return found

    @property
    def history(self) -> Ids:
        """See `HasStreams.history`: its bases, whatever stood between them."""
        ids = np.zeros(4, np.uint16)
        bases = self._parts.alphabet.bases
        for v in range(len(bases) - 1, 0, -1):
            if bases[v] >= 0:
                ids[bases[v]] = v
        return ids[self._bases[BEFORE : self._size]]

    def streams(self, rows: int, exact: bool = False) -> GenomeStreams:
        """See `HasStreams.streams`."""
        self._settle()
        self._begin_ways(1)
        counts, learnt, mixer, _, alphabet = self._parts
        bases = self._bases[: self._size]
        return GenomeStreams(
            Learned(bases, self._packed, counts, learnt, mixer, alphabet), new_rows(rows)
        )

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """See `Memory`."""
        self._settle()
        found = {"bases": self._bases[: self._size], "warm": np.asarray(self._warm)}
        for name, part in self._parts._asdict().items():
            for field, value in part._asdict().items():
                found[f"{name}.{field}"] = np.asarray(value)
        return found

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """See `Memory`; the arrays are copied."""
        kinds: dict[str, Any] = {"counts": Counts, "learnt": Learnt, "mixer": Mixer, "row": Row,
                 "alphabet": Alphabet}  # fmt: skip
        parts = Parts(**{
            name: kind(**{field: _own(arrays[f"{name}.{field}"]) for field in kind._fields})
            for name, kind in kinds.items()
        })  # fmt: skip
        return cls(parts, np.array(arrays["bases"], np.uint8), int(arrays["warm"]))

    @classmethod
    def saved(cls, symbols: Sequence[str], arrays: Mapping[str, NDArray[Any]]) -> Self:
        """A vocabulary's symbols and saved arrays in, the memory before any symbol out.

        Raises:
            ValueError: If the arrays are not those of a memory of these symbols.
        """
        check_names(arrays, cls.of(symbols, 1, 0))
        found, new = cls.from_arrays(arrays), alphabet_of(symbols)
        counts, learnt, mixer, _, alphabet = found._parts
        _check_counts(counts, counts_for(1, 0))
        _check_learnt(learnt, new_learnt(1))
        _check_mixer(mixer)
        _check_rest(found._bases, alphabet, new)
        parts = Parts(counts, learnt, mixer, new_row(), new._replace(changes=alphabet.changes))
        return cls(parts, found._bases, found._warm)

    def _settle(self) -> None:
        """Read what was learnt last, weights and all."""
        while self._read_to < self._size:
            stop = min(self._read_to + _BLOCK, self._size)
            chances = np.empty((1, stop - self._read_to, 4))
            self._read(stop, self._of_bases(_NO_NETWORKS), 0, True, chances)

    def _read(
        self, stop: int, networks: NDArray[np.float64], first: int, adapt: bool,
        chances: NDArray[np.float64],
    ) -> None:  # fmt: skip
        """Read as far as ``stop``; the ways are as many as there are ``chances`` (ways, ...)."""
        counts, learnt, mixer, row, _ = self._parts
        read(
            self._bases[:stop], self._packed, self._read_to, counts, learnt, mixer, row, self._room,
            networks, first, first + len(chances), adapt, chances,
        )  # fmt: skip
        self._read_to = stop

    def _append(self, ids: Ids) -> NDArray[np.bool_]:
        """Take the bases among symbols into the history; returns which of them are bases."""
        codes = self._parts.alphabet.bases[ids]
        are_bases = codes >= 0
        stop = self._size + int(are_bases.sum())
        if stop > len(self._bases):
            grown = np.zeros(max(stop, len(self._bases) * 5 // 4), np.uint8)
            grown[: self._size] = self._bases[: self._size]
            self._bases = grown
        self._bases[self._size : stop] = codes[are_bases]
        begin, self._size = self._size, stop
        self._pack(begin)
        return are_bases

    def _pack(self, begin: int) -> None:
        """Bring the packed bases from ``begin`` on up to date."""
        words = self._size // SPAN + 1
        if words > len(self._packed):
            self._packed = np.resize(self._packed, max(words, len(self._packed) * 5 // 4))
        pack(self._bases[: self._size], self._packed, begin // SPAN)

    def _of_bases(self, networks: Sequence[Network]) -> NDArray[np.float64]:
        """Networks' rows (N, T, V) as probabilities (N, T, 4)."""
        found = np.empty((len(networks), len(networks[0]) if networks else 0, 4))
        for network, chances in zip(networks, found, strict=True):
            read_network(self._parts.alphabet, np.ascontiguousarray(network), chances)
        return found

    def _begin_ways(self, last: int) -> None:
        """Weights of a way begin as those of the way before."""
        mixer, row = self._parts.mixer, self._parts.row
        weights, hidden = (part.reshape(WAYS, -1, WIDTH) for part in (mixer.weights, mixer.hidden))
        experts = np.arange(WIDTH)
        old = (experts < NETWORK) | (experts >= EXPERTS)
        for way in range(1, last + 1):
            if mixer.visits[way, 0]:
                continue
            mixer.visits[way, 0] = 1
            before = old | (experts < NETWORK + way - 1)
            weights[way][:, before] = weights[way - 1][:, before]
            hidden[way][:, before] = hidden[way - 1][:, before]
            mixer.final[way], mixer.cells[way] = mixer.final[way - 1], mixer.cells[way - 1]
            row.late[way], row.costs[way] = row.late[way - 1], row.costs[way - 1]


def _own(array: NDArray[Any]) -> Any:
    """A copy of an array, or the number that it holds."""
    return int(array) if array.ndim == 0 else np.array(array)


def _check_counts(found: Counts, new: Counts) -> None:
    """See that counts are those of some genome; ``new`` are those of any.

    Raises:
        ValueError: If they are not.
    """
    for name in ("orders", "zone_orders", "masks", "spans", "seeds"):
        _same(name, getattr(found, name), getattr(new, name))
    _check_table("direct", found.direct, found.orders, 0, found.begins, found.bits)
    _check_table("zoned", found.zoned, found.zone_orders, 4, found.zone_begins, found.zone_bits)
    for name, shift, table, rest in (
        ("slots", found.shift, found.slots, ()), ("heads", found.head_shift, found.heads, (KEPT,)),
    ):  # fmt: skip
        rows = len(getattr(new, name))
        if not 32 <= shift < 64 or table.shape != (rows, 1 << (64 - shift), *rest):
            raise ValueError(f"{name} have another shape")
        if table.dtype != getattr(new, name).dtype:
            raise ValueError(f"{name} are another kind of array")


def _check_learnt(found: Learnt, new: Learnt) -> None:
    """The same of what adapts besides counts."""
    for name in ("fast_orders", "fast_rates"):
        _same(name, getattr(found, name), getattr(new, name))
    _check_table("fast", found.fast, found.fast_orders, 0, found.fast_begins, found.fast_bits)
    for name in ("ranks", "hits", "rank_counts"):
        _alike(name, getattr(found, name), getattr(new, name))
    for name in ("ranks", "hits", "fast"):
        values = getattr(found, name)
        if not ((values >= 0).all() and (values < 1).all()):
            raise ValueError(f"{name} have what is no probability")


def _check_mixer(found: Mixer) -> None:
    """The same of weights."""
    new = new_mixer()
    _same("begins", found.begins, new.begins)
    for name in ("weights", "final", "visits"):
        _alike(name, getattr(found, name), getattr(new, name))
        if not np.isfinite(getattr(found, name)).all():
            raise ValueError(f"{name} have what is no number")


def _check_rest(bases: NDArray[Any], alphabet: Alphabet, new: Alphabet) -> None:
    """The same of the history, and of what is counted of kinds of symbols."""
    if bases.ndim != 1 or len(bases) < BEFORE or bases.max() > 3:
        raise ValueError("the history has what is no base")
    _same("bases", alphabet.bases, new.bases)
    _same("kinds", alphabet.kinds, new.kinds)
    _alike("changes", alphabet.changes, new.changes)
    if not (np.isfinite(alphabet.changes).all() and (alphabet.changes >= 0).all()):
        raise ValueError("changes have what cannot be counted")


def _check_table(
    name: str,
    table: NDArray[Any],
    orders: NDArray[Any],
    more: int,
    begins: NDArray[Any],
    bits: NDArray[Any],
) -> None:
    """Four numbers for each context of each order, whose places have so many bits at most."""
    if bits.shape != orders.shape or not ((bits >= 0).all() and (bits <= 2 * orders + more).all()):
        raise ValueError(f"{name} have places that there cannot be")
    sizes = [4 << int(b) for b in bits]
    _same(f"begins of {name}", begins, np.cumsum([0, *sizes[:-1]]))
    if table.shape != (sum(sizes),):
        raise ValueError(f"{name} have another shape")


def _same(name: str, found: NDArray[Any], wanted: NDArray[Any]) -> None:
    if found.dtype != wanted.dtype or not np.array_equal(found, wanted):
        raise ValueError(f"{name} are others")


def _alike(name: str, found: NDArray[Any], new: NDArray[Any]) -> None:
    if found.dtype != new.dtype or found.shape != new.shape:
        raise ValueError(f"{name} have another shape")
