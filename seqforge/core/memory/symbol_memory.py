"""Symbols in, their log-probabilities out: contexts, copies and the network, mixed decision by
decision along the code tree of a symbol.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, NamedTuple, Self, get_type_hints

import numpy as np
from numpy.typing import NDArray

from seqforge.core.kernels.compiler import kernel
from seqforge.core.kernels.elementary import exponential, logarithm
from seqforge.core.memory import copies, slots
from seqforge.core.memory.code_tree import GROUP, CodeTree, code_tree
from seqforge.core.memory.contexts import (
    GENERAL,
    RECENT,
    Contexts,
    Recent,
    Traits,
    hashed,
    no_traits,
    symbol_back,
)
from seqforge.core.memory.copies import CopyTables, Pointers
from seqforge.core.memory.memory import Ids, LogProbs, Network
from seqforge.core.memory.mixer import (
    REFINER_BITS,
    MixerRoom,
    MixerTables,
    learn_mixture,
    mix,
    mixer_room,
    mixer_tables,
    refine,
    stretch_table,
)
from seqforge.core.memory.slots import SlotRoom, SlotTables

_NODES, _RANKS, _OWN_SETS = 1024, 256, 10
_HASHED = 4096
_COPIED, _HEADS = (16, 8, 5), 20
_NETWORK_WEIGHT = 0.3
_LEAST = 1e-6
_BYTES_A_SYMBOL = 35 * 2 * 2 * slots.LINE  # contexts, groups of decisions, uint16
_REFINER_MASK = (1 << REFINER_BITS) - 1


class Tables(NamedTuple):
    """All that is learnt, and the code tree."""

    tree: CodeTree
    slots: SlotTables
    copies: CopyTables
    mixer: MixerTables
    traits: Traits
    ranks: NDArray[np.int64]
    """A symbol's place in the order of frequency, the last ones taken together (V,)."""
    orders: NDArray[np.int64]
    """How many contexts are the last symbols (1,)."""


class Row(NamedTuple):
    """Where one stream of symbols stands."""

    recent: Recent
    position: NDArray[np.int64]
    """Symbols read (1,)."""
    state: NDArray[np.int64]
    """The domain's own."""
    selectors: NDArray[np.int64]
    slots: SlotRoom
    pointers: Pointers
    mixer: MixerRoom
    signs: NDArray[np.int64]
    """What chooses weights: what the best copy says, the longest order that was met before, how
    many contexts' last symbols say yes and not no, the network's probability in steps."""
    masses: NDArray[np.float64]
    """The network's probability of decisions and symbols (2 V - 1,)."""


@kernel
def begin(tables: Tables, row: Row) -> None:
    """Make a row ready for its next symbol."""
    slots.aim(tables.slots, row.slots, 0, 0)
    copies.point(tables.copies, row.pointers, row.recent, row.position[0])
    slots.read_runs(tables.slots, row.slots, len(tables.tree.codes))


@kernel
def weigh_network(
    tree: CodeTree, network: NDArray[np.float32], masses: NDArray[np.float64]
) -> None:
    """Fill in the network's probability of each decision's symbols, and of each symbol behind."""
    nodes = len(tree.children)
    for symbol in range(nodes + 1):
        masses[nodes + symbol] = exponential(min(float(network[symbol]), 0.0))
    for node in range(nodes - 1, -1, -1):
        no, yes = tree.children[node, 0], tree.children[node, 1]
        no, yes = (no if no >= 0 else nodes - 1 - no), (yes if yes >= 0 else nodes - 1 - yes)
        masses[node] = masses[no] + masses[yes]


@kernel
def network_yes(tree: CodeTree, masses: NDArray[np.float64], node: int) -> float:
    """The network's stretched probability of a yes."""
    yes = tree.children[node, 1]
    yes = yes if yes >= 0 else len(tree.children) - 1 - yes
    chance = (masses[yes] + 1e-9) / (masses[node] + 2e-9)
    chance = max(min(chance, 1.0 - 1e-6), 1e-6)
    return logarithm(chance) - logarithm(1.0 - chance)


@kernel
def choose(tables: Tables, row: Row, node: int, depth: int) -> None:
    """Choose the weights and refiners of a decision."""
    chosen, low, near = row.mixer.chosen[depth], min(node, _NODES - 1), min(depth, 3)
    signs = row.signs
    one = symbol_back(row.recent, row.position[0], 1)
    two = symbol_back(row.recent, row.position[0], 2)
    chosen[0] = low
    chosen[1] = signs[0]
    chosen[2] = tables.ranks[one]
    chosen[3] = signs[1] * 8 + min(depth, 7)
    chosen[4] = tables.ranks[two] * 4 + near
    chosen[5] = min(max(signs[2] + 16, 0), 31) * 4 + near
    chosen[6] = signs[3]
    pair = hashed(np.uint64(one), np.uint64(two))
    chosen[7] = int(hashed(pair, np.uint64(depth)) >> np.uint64(30)) & (_HASHED - 1)
    chosen[8] = min(low, 255) * 4 + min(signs[1] // 2, 3)
    chosen[9] = tables.ranks[symbol_back(row.recent, row.position[0], 3)] * 4 + near
    for j in range(len(row.selectors)):
        chosen[_OWN_SETS + j] = row.selectors[j] * 8 + min(depth, 7)
    row.mixer.finals[depth, 0], row.mixer.finals[depth, 1] = low, signs[0]
    first = hashed(np.uint64(node), np.uint64(one))
    copied = hashed(np.uint64(node), np.uint64(signs[0]))
    contexts = row.mixer.contexts[depth]
    contexts[0] = _refiner(first)
    contexts[1] = _refiner(hashed(first, np.uint64(two)))
    contexts[2] = _refiner(hashed(copied, np.uint64(row.pointers.symbols[0])))


@kernel
def _refiner(context: np.uint64) -> int:
    return int(context >> np.uint64(30)) & _REFINER_MASK


@kernel
def chance_of_yes(tables: Tables, row: Row, node: int, half: int) -> float:
    """The probability of a yes; the lines of the decision's group are those aimed at."""
    tree, depth, count = tables.tree, tables.tree.depths[node], len(row.slots.hashes)
    path, inputs = tree.paths[node], row.mixer.inputs[depth]
    slots.find_slots(tables.slots, row.slots, tree.codes, path, depth, tree.places[node])
    slots.slot_inputs(tables.slots, row.slots, depth, inputs)
    row.signs[1] = slots.longest(row.slots, depth, tables.orders[0])
    row.signs[2] = slots.run_inputs(tables.slots, row.slots, depth, inputs)
    to = count * slots.INPUTS
    row.signs[0] = copies.copy_inputs(
        tables.copies, row.pointers, tree.codes, path, depth, tables.slots.stretch, inputs, to
    )
    to += copies.COPIES * copies.INPUTS
    said = network_yes(tree, row.masses, node) if half == 1 else 0.0
    inputs[to], inputs[to + 1] = 0.4, said
    row.mixer.stretched[depth, len(tables.mixer.starts)] = said
    row.signs[3] = int(min(max(said + 8.0, 0.0), 15.99) * 2.0) if half == 1 else 0
    choose(tables, row, node, depth)
    stretched = mix(tables.mixer, row.mixer, depth, half)
    chance = refine(tables.mixer, row.mixer, depth, half, stretched)
    return max(min(chance, 1.0 - _LEAST), _LEAST)


@kernel
def finish(tables: Tables, row: Row, symbol: int, adapt: bool, update: Callable[..., None]) -> None:
    """Go on to the next symbol."""
    if adapt:
        slots.learn_symbol(tables.slots, row.slots, symbol)
    copies.move_on(tables.copies, row.pointers, symbol, adapt)
    position = row.position[0]
    row.recent[position & (RECENT - 1)] = symbol
    row.position[0] = position + 1
    if adapt:
        copies.remember(tables.copies, row.recent, position + 1, symbol)
    update(row.state, row.recent, position + 1, tables.traits, row.slots.hashes, row.selectors)


@kernel
def learn_path(tables: Tables, row: Row, symbol: int, half: int) -> None:
    """Let everything learn the decisions of a symbol, after all of them were predicted."""
    code, node, depth = tables.tree.codes[symbol], 0, 0
    while node >= 0:
        answer = int((code >> np.uint64(63 - depth)) & np.uint64(1))
        learn_mixture(tables.mixer, row.mixer, depth, half, answer)
        slots.learn_answer(tables.slots, row.slots, depth, answer)
        node, depth = tables.tree.children[node, answer], depth + 1


@kernel
def score_symbol(tables: Tables, row: Row, symbol: int, half: int) -> float:
    """The log-probability of a symbol."""
    tree, node, total, depth = tables.tree, 0, 0.0, 0
    code = tree.codes[symbol]
    while node >= 0:
        if depth > 0 and tree.places[node] == 1:
            slots.aim(tables.slots, row.slots, node, depth // GROUP)
        chance = chance_of_yes(tables, row, node, half)
        answer = int((code >> np.uint64(63 - depth)) & np.uint64(1))
        total += logarithm(chance if answer == 1 else 1.0 - chance)
        node, depth = tree.children[node, answer], depth + 1
    return total


@kernel
def score_symbols(
    tables: Tables, row: Row, ids: NDArray[Any], network: NDArray[np.float32], adapt: bool,
    update: Callable[..., None], scores: NDArray[np.float64],
) -> None:  # fmt: skip
    """Fill in the log-probabilities (T,); ``network`` (T, V), or (0, V) for none."""
    half = 1 if len(network) > 0 else 0
    for t in range(len(ids)):
        begin(tables, row)
        if half == 1:
            weigh_network(tables.tree, network[t], row.masses)
        scores[t] = score_symbol(tables, row, ids[t], half)
        if adapt:
            learn_path(tables, row, ids[t], half)
        finish(tables, row, ids[t], adapt, update)


@kernel
def predict_symbols(
    tables: Tables, row: Row, network: NDArray[np.float32], chances: NDArray[np.float64]
) -> None:
    """Fill in the log-probability of every symbol next, in ``chances`` (2 V - 1,) behind those
    of the decisions."""
    half, nodes, group = 1 if len(network) > 0 else 0, len(tables.tree.children), 0
    begin(tables, row)
    if half == 1:
        weigh_network(tables.tree, network[0], row.masses)
    chances[0] = 0.0
    for node in range(nodes):
        if tables.tree.groups[node] != group:
            group = tables.tree.groups[node]
            slots.aim(tables.slots, row.slots, group, tables.tree.depths[node] // GROUP)
        yes = chance_of_yes(tables, row, node, half)
        for answer in range(2):
            child = tables.tree.children[node, answer]
            at = child if child >= 0 else nodes - 1 - child
            chances[at] = chances[node] + logarithm(yes if answer == 1 else 1.0 - yes)


def table_bytes(symbols: int, budget: int) -> int:
    """How large the tables of contexts have to be for so many symbols, within a budget."""
    return min(budget, max(1 << 22, symbols * _BYTES_A_SYMBOL))


def _layout(kind: Contexts) -> tuple[int, int]:
    """How many inputs the mixer has, and how many with those that fill its vectors up."""
    inputs = kind.count * slots.INPUTS + copies.COPIES * copies.INPUTS + 2
    return inputs, -(-inputs // 16) * 16


def _first_weights(kind: Contexts) -> NDArray[np.float32]:
    """Weights before anything is learnt: the mean of what histories and probabilities say."""
    first = np.zeros(_layout(kind)[1], np.float32)
    for place in (0, 2):
        first[place : kind.count * slots.INPUTS : slots.INPUTS] = 4 / kind.count
    return first


def _mixer_of(kind: Contexts) -> MixerTables:
    sets = (_NODES, copies.CHOICES, _RANKS, kind.orders * 8, _RANKS * 4, 32 * 4, 32,
            _HASHED, _RANKS * 4, _RANKS * 4,
            *(8 * n for n in kind.selectors))  # fmt: skip
    return mixer_tables(sets, _first_weights(kind), _NODES)


def new_row(kind: Contexts, tables: Tables) -> Row:
    """A row that has read nothing."""
    room = mixer_room(_layout(kind)[1], len(tables.mixer.starts))
    row = Row(
        np.zeros(RECENT, np.uint16), np.zeros(1, np.int64), np.zeros(kind.state, np.int64),
        np.zeros(len(kind.selectors), np.int64), slots.slot_room(kind.count),
        copies.pointers(), room, np.zeros(4, np.int64), np.zeros(2 * len(tables.ranks) - 1),
    )  # fmt: skip
    kind.update(row.state, row.recent, 0, tables.traits, row.slots.hashes, row.selectors)
    return row


def _ranks(ids: Ids, vocab_size: int) -> NDArray[np.int64]:
    order = np.argsort(-np.bincount(ids, minlength=vocab_size), kind="stable")
    ranks = np.zeros(vocab_size, np.int64)
    ranks[order] = np.minimum(np.arange(vocab_size), _RANKS - 1)
    return ranks


class SymbolMemory:
    """A memory for symbols of any kind, as `core.memory.memory.Memory` says; domains give their
    own contexts."""

    contexts: ClassVar[Contexts] = GENERAL

    def __init__(
        self, sample: Ids, vocab_size: int, budget: int = 1 << 28, traits: Traits | None = None
    ) -> None:
        """
        Args:
            sample: Training symbols, for the code tree; nothing else is learnt of them.
            vocab_size: V, the end symbol counted.
            budget: Bytes for the tables of contexts.
            traits: What the domain's contexts know of symbols (V, K).
        """
        kind = self.contexts
        mixer = _mixer_of(kind)
        self.tables = Tables(
            code_tree(sample, vocab_size), slots.slot_tables(kind.count, budget, stretch_table()),
            copies.copy_tables(_COPIED, _HEADS), mixer,
            no_traits(vocab_size) if traits is None else traits, _ranks(sample, vocab_size),
            np.array([kind.orders], np.int64),
        )  # fmt: skip
        self.row = new_row(kind, self.tables)

    def learn(self, ids: Ids) -> None:
        """Read training symbols (T,)."""
        self.score(ids)

    def score(self, ids: Ids, network: Network | None = None, adapt: bool = True) -> LogProbs:
        """Symbols (T,) in, the log-probability in nats of each out (T,)."""
        scores = np.zeros(len(ids))
        if adapt:
            self._make_room(len(ids))
        if network is not None:
            self._begin_with_network()
        score_symbols(self.tables, self.row, ids, self._given(network), adapt,
                      self.contexts.update, scores)  # fmt: skip
        return scores

    def predict(self, network: NDArray[np.float32] | None = None) -> LogProbs:
        """The log-probabilities (V,) of what comes next."""
        chances = np.zeros(len(self.row.masses))
        if network is not None:
            self._begin_with_network()
        given = self._given(None if network is None else network[None])
        predict_symbols(self.tables, self.row, given, chances)
        return chances[len(self.tables.tree.children) :]

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """All that `from_arrays` needs."""
        return {**_flat("tables", self.tables), **_flat("row", self.row)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Saved arrays in, the memory out."""
        memory = cls.__new__(cls)
        memory.tables = _nested("tables", Tables, arrays)
        memory.row = _nested("row", Row, arrays)
        return memory

    def _given(self, network: Network | None) -> Network:
        if network is None:
            return np.zeros((0, len(self.tables.ranks)), np.float32)
        return np.ascontiguousarray(network, np.float32)

    def _make_room(self, more: int) -> None:
        """Let the history grow."""
        tables = self.tables.copies
        needed = int(tables.read[0]) + more + 1
        if needed > len(tables.history):
            history = np.zeros(max(needed, 2 * len(tables.history)), np.uint16)
            history[: len(tables.history)] = tables.history
            self.tables = self.tables._replace(copies=tables._replace(history=history))

    def _begin_with_network(self) -> None:
        """What the mixer has learnt alone is where it starts from with the network."""
        mixer = self.tables.mixer
        if mixer.visits[1].any():
            return
        for table in (mixer.weights, mixer.finals, mixer.refined):
            table[1] = table[0]
        inputs, padded = _layout(self.contexts)
        mixer.weights[1].reshape(-1, padded)[:, inputs - 1] = _NETWORK_WEIGHT


def _flat(name: str, value: Any) -> dict[str, NDArray[Any]]:
    """The arrays of nested named tuples, by their names joined with dots."""
    if isinstance(value, np.ndarray):
        return {name: value}
    parts = [_flat(f"{name}.{field}", part) for field, part in value._asdict().items()]
    return {key: array for part in parts for key, array in part.items()}


def _nested(name: str, kind: Any, arrays: Mapping[str, NDArray[Any]]) -> Any:
    """The named tuples of `_flat`."""
    if name in arrays:
        return np.ascontiguousarray(arrays[name])
    kinds = get_type_hints(kind)
    return kind(*(_nested(f"{name}.{field}", kinds[field], arrays) for field in kind._fields))
