"""A memory of symbols in, streams that read beside each other over its tables out: for sampling;
and its tables back from a file, checked so that no index in them leads outside.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from seqforge.core.kernels.compiler import bound, kernel
from seqforge.core.kernels.elementary import logarithm
from seqforge.core.memory.code_tree import GROUP, CodeTree, tree_of
from seqforge.core.memory.contexts import Contexts
from seqforge.core.memory.copies import CopyTables, Pointers
from seqforge.core.memory.memory import Ids, StreamRows, check_names, each_array
from seqforge.core.memory.mixer import MixerTables, squash
from seqforge.core.memory.network_chances import network_yes, weigh_network
from seqforge.core.memory.slots import LINE, SlotRoom, SlotTables, aim
from seqforge.core.memory.symbol_memory import (
    WITH_NETWORK,
    Row,
    SymbolMemory,
    Tables,
    Ways,
    begin,
    chance_of_yes,
    finish,
    gather,
    new_row,
)

UNLIKELY = math.log(1e-3)
"""Decisions that are so unlikely to be reached are left to the network: all experts are asked for
those that matter, a third of them. What is drawn is another symbol once in 6,000."""


class Rows(NamedTuple):
    """What a `Row` carries from symbol to symbol, (R, ...); the rest of it is scratch."""

    recent: NDArray[np.uint16]
    position: NDArray[np.int64]
    state: NDArray[np.int64]
    selectors: NDArray[np.int64]
    hashes: NDArray[np.uint64]
    pointers: Pointers


@kernel
def _fill_chances(
    tables: Tables, row: Row, order: NDArray[np.int64], unlikely: float,
    chances: NDArray[np.float64],
) -> None:  # fmt: skip
    """Fill in the log-probabilities of decisions and symbols (2 V - 1,), for a row that has
    begun."""
    tree, nodes, group = tables.tree, len(tables.tree.children), 0
    chances[0] = 0.0
    for i in range(nodes):
        node = order[i]
        if chances[node] < unlikely:
            yes = squash(network_yes(tree, row.masses[1], node))
        else:
            if tree.groups[node] != group:
                group = tree.groups[node]
                aim(tables.slots, row.slots, group, tree.depths[node] // GROUP)
            gather(tables, row, node, Ways(1, 2))
            yes = chance_of_yes(tables, row, tree.depths[node], 1)
        for answer in range(2):
            child = tree.children[node, answer]
            at = child if child >= 0 else nodes - 1 - child
            chances[at] = chances[node] + logarithm(yes if answer == 1 else 1.0 - yes)


@kernel
def _read_one(
    tables: Tables, row: Row, symbol: int, network: NDArray[np.float32],
    update: Callable[..., None], order: NDArray[np.int64], unlikely: float,
    chances: NDArray[np.float64], log_probs: NDArray[np.float32],
) -> None:  # fmt: skip
    finish(tables, row, symbol, False, update)
    begin(tables, row)
    weigh_network(tables.tree, network, row.masses[1])
    _fill_chances(tables, row, order, unlikely, chances)
    nodes = len(tables.tree.children)
    for v in range(nodes + 1):
        log_probs[v] = chances[nodes + v]


@kernel
def read_symbols(
    tables: Tables, scratch: Row, rows: Rows, ids: NDArray[np.int64], network: NDArray[np.float32],
    update: Callable[..., None], order: NDArray[np.int64], unlikely: float,
    chances: NDArray[np.float64], log_probs: NDArray[np.float32],
) -> None:  # fmt: skip
    """See `Streams.read`; ``chances`` (2 V - 1,) is scratch too.

    ``order``: the decisions, each group together; ``unlikely``: the log-probability below which
    the network is asked alone.
    """
    room, copies = scratch.slots, rows.pointers
    for r in range(len(ids)):
        if ids[r] >= 0:
            row = Row(
                rows.recent[r], rows.position[r], rows.state[r], rows.selectors[r],
                SlotRoom(
                    rows.hashes[r], room.lines, room.checks, room.wanted, room.found, room.says,
                    room.run_checks, room.run_found, room.run_symbols, room.run_lengths,
                ),
                Pointers(
                    copies.places[r], copies.lengths[r], copies.errors[r], copies.symbols[r],
                    copies.states[r],
                ),
                scratch.mixer, scratch.signs, scratch.masses,
            )  # fmt: skip
            _read_one(
                tables, row, ids[r], network[r], update, order, unlikely, chances, log_probs[r]
            )


class SymbolStreams(StreamRows):
    """See `Streams`."""

    def __init__(self, tables: Tables, contexts: Contexts, rows: Rows, unlikely: float) -> None:
        """
        Args:
            tables: What was learnt; they stay as they are.
            contexts: Of the memory.
            rows: Where the streams stand.
            unlikely: Decisions of less log-probability are left to the network.
        """
        size = len(tables.ranks)
        super().__init__(rows, len(rows.position), size)
        self._tables, self._contexts, self._unlikely = tables, contexts, unlikely
        order = np.argsort(tables.tree.groups, kind="stable")
        self.read = bound(
            read_symbols, tables, new_row(contexts, tables), rows, self.ids, self.network,
            contexts.update, order, unlikely, np.zeros(2 * size - 1), self.log_probs,
        )  # fmt: skip

    def rows(self, chosen: NDArray[np.int64]) -> Self:
        """See `Streams.rows`."""
        rows = each_array(lambda part: part[chosen], self._rows)
        found = type(self)(self._tables, self._contexts, rows, self._unlikely)
        found.log_probs[:] = self.log_probs[chosen]
        return found


class StreamedMemory(SymbolMemory):
    """A memory of symbols that samples can be drawn with; see `HasStreams`."""

    @property
    def history(self) -> Ids:
        """See `HasStreams.history`."""
        copies = self.tables.copies
        return copies.history[: int(copies.read[0])]

    def restored(self, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """This new memory with what a saved one has learnt; it stands before its first symbol.

        Raises:
            ValueError: If the arrays are not those of a memory of these symbols.
        """
        check_names(arrays, self)
        self.tables = restored_tables(type(self).from_arrays(arrays).tables, self.tables)
        return self

    def streams(self, rows: int, exact: bool = False) -> SymbolStreams:
        """See `HasStreams.streams`."""
        self._begin_ways(WITH_NETWORK)
        row = new_row(self.contexts, self.tables)
        one = Rows(
            row.recent, row.position, row.state, row.selectors, row.slots.hashes, row.pointers
        )
        many = each_array(lambda part: np.repeat(part[None], rows, 0), one)
        return SymbolStreams(self.tables, self.contexts, many, -math.inf if exact else UNLIKELY)


def general_memory(sample: Ids, vocab_size: int, budget: int) -> StreamedMemory:
    """A new memory for symbols of which nothing is known but their order; see `SymbolMemory`."""
    return StreamedMemory(sample, vocab_size, budget)


def saved_general_memory(vocab_size: int, arrays: Mapping[str, NDArray[Any]]) -> StreamedMemory:
    """The same with what a saved one has learnt.

    Raises:
        ValueError: If the arrays are not those of a memory of so many symbols.
    """
    return StreamedMemory(np.arange(vocab_size, dtype=np.uint16), vocab_size, 0).restored(arrays)


def restored_tables(found: Tables, new: Tables) -> Tables:
    """Saved tables and those of a new memory of the same symbols in, what may be read with out.

    Raises:
        ValueError: If they do not fit.
    """
    size = len(new.ranks)
    ranks = _whole("ranks", found.ranks, new.ranks, int(new.ranks.max()) + 1)
    return new._replace(
        tree=_tree(found.tree, size), slots=_slots(found.slots, new.slots),
        copies=_copies(found.copies, new.copies, size), mixer=_mixer(found.mixer, new.mixer),
        ranks=ranks,
    )  # fmt: skip


def _tree(found: CodeTree, size: int) -> CodeTree:
    if found.children.shape != (size - 1, 2):
        raise ValueError("the code tree is one of other symbols")
    return tree_of(found.children)


def _slots(found: SlotTables, new: SlotTables) -> SlotTables:
    lines = found.slots.size // LINE
    if lines < 16 or found.slots.shape != (lines * LINE,):
        raise ValueError("the table of contexts has no size of one")
    return new._replace(
        slots=_like("slots", found.slots, new.slots),
        histories=_chances("histories", found.histories, new.histories),
        grid=_chances("grid", found.grid, new.grid), runs=_chances("runs", found.runs, new.runs),
    )  # fmt: skip


def _copies(found: CopyTables, new: CopyTables, size: int) -> CopyTables:
    read = _whole("read", found.read, new.read, len(found.history) + 1)
    history = _like("history", found.history, new.history)
    if history[: int(read[0])].max(initial=0) >= size:
        raise ValueError("the history has a symbol that is none")
    return new._replace(
        history=history, read=read,
        heads=_whole("heads", found.heads, new.heads, 1 << 31),
        chances=_chances("chances", found.chances, new.chances),
    )  # fmt: skip


def _mixer(found: MixerTables, new: MixerTables) -> MixerTables:
    ways = len(found.visits)
    names = [name for name in MixerTables._fields if name != "starts"]
    tables = {name: _like(name, getattr(found, name), getattr(new, name)) for name in names}
    if ways < 2 or any(len(table) != ways for table in tables.values()):
        raise ValueError("the mixer has not learnt with a network")
    for name in names:
        if tables[name].shape[1:] != getattr(new, name).shape[1:]:
            raise ValueError(f"{name} has another shape")
        if not np.isfinite(tables[name]).all():
            raise ValueError(f"{name} has what is no number")
    return new._replace(**tables)


def _like(name: str, found: NDArray[Any], new: NDArray[Any]) -> NDArray[Any]:
    """The array, if it is of a kind with a new one."""
    if found.dtype != new.dtype or found.ndim != new.ndim:
        raise ValueError(f"{name} is another kind of array")
    return found


def _whole(name: str, found: NDArray[Any], new: NDArray[Any], stop: int) -> NDArray[Any]:
    """Whole numbers from 0 to below ``stop``."""
    if _like(name, found, new).shape != new.shape or not 0 <= found.min() <= found.max() < stop:
        raise ValueError(f"{name} has what it cannot have")
    return found


def _chances(name: str, found: NDArray[Any], new: NDArray[Any]) -> NDArray[Any]:
    """Probabilities."""
    inside = (found >= 0).all() and (found <= 1).all()
    if _like(name, found, new).shape != new.shape or not inside:
        raise ValueError(f"{name} has what is no probability")
    return found
