"""Symbols in, their log-probabilities out: contexts, copies and the network, mixed decision by
decision along the code tree of a symbol.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import copy, deepcopy
from typing import Any, ClassVar, NamedTuple, Self, get_type_hints

import numpy as np
from numpy.typing import NDArray

from seqforge.core.kernels.compiler import kernel
from seqforge.core.kernels.elementary import logarithm
from seqforge.core.memory import copies, slots
from seqforge.core.memory.code_tree import BEFORE, DEEPEST, GROUP, CodeTree, code_tree
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
    NETWORK_SCALE,
    REFINER_BITS,
    WAYS,
    MixerRoom,
    MixerTables,
    ask_refiners,
    copy_way,
    learn_mixture,
    mix,
    mixer_room,
    mixer_tables,
    refine,
    stretch_table,
    with_ways,
)
from seqforge.core.memory.network_chances import network_yes, weigh_network
from seqforge.core.memory.slots import SlotRoom, SlotTables

_NODES, _RANKS, _OWN_SETS, _OF_NETWORK = 1024, 256, 10, 6
_HASHED = 4096
_COPIED, _HEADS = (16, 8, 5), 20
_LEAST = 1e-6
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
    many contexts' last symbols say yes and not no."""
    masses: NDArray[np.float64]
    """The probability of decisions and symbols that the network of each way gives (WAYS, 2 V - 1);
    the first way has none."""


class Ways(NamedTuple):
    """Ways to mix, one after another: 0 alone, 1 with a network, 2 with another one too."""

    first: int
    stop: int


_ALONE, WITH_NETWORK = Ways(0, 1), Ways(1, 2)


@kernel
def begin(tables: Tables, row: Row) -> None:
    """Make a row ready for its next symbol."""
    slots.aim(tables.slots, row.slots, 0, 0)
    copies.point(tables.copies, row.pointers, row.recent, row.position[0])
    slots.read_runs(tables.slots, row.slots, len(tables.tree.codes))


@kernel
def choose(tables: Tables, row: Row, node: int, depth: int, at: int) -> None:
    """Choose the weights and refiners of a decision, for the way whose room begins at ``at``."""
    chosen, low, near = row.mixer.chosen[at], min(node, _NODES - 1), min(depth, 3)
    signs = row.signs
    one = symbol_back(row.recent, row.position[0], 1)
    two = symbol_back(row.recent, row.position[0], 2)
    chosen[0] = low
    chosen[1] = signs[0]
    chosen[2] = tables.ranks[one]
    chosen[3] = signs[1] * 8 + min(depth, 7)
    chosen[4] = tables.ranks[two] * 4 + near
    chosen[5] = min(max(signs[2] + 16, 0), 31) * 4 + near
    chosen[6] = 0
    pair = hashed(np.uint64(one), np.uint64(two))
    chosen[7] = int(hashed(pair, np.uint64(depth)) >> np.uint64(30)) & (_HASHED - 1)
    chosen[8] = min(low, 255) * 4 + min(signs[1] // 2, 3)
    chosen[9] = tables.ranks[symbol_back(row.recent, row.position[0], 3)] * 4 + near
    for j in range(len(row.selectors)):
        chosen[_OWN_SETS + j] = row.selectors[j] * 8 + min(depth, 7)
    row.mixer.finals[at, 0], row.mixer.finals[at, 1] = low, signs[0]
    first = hashed(np.uint64(node), np.uint64(one))
    copied = hashed(np.uint64(node), np.uint64(signs[0]))
    contexts = row.mixer.contexts[at]
    contexts[0] = _refiner(first)
    contexts[1] = _refiner(hashed(first, np.uint64(two)))
    contexts[2] = _refiner(hashed(copied, np.uint64(row.pointers.symbols[0])))


@kernel
def _refiner(context: np.uint64) -> int:
    return int(context >> np.uint64(30)) & _REFINER_MASK


@kernel
def _choose_again(room: MixerRoom, depth: int, at: int, to: int) -> None:
    """What was chosen for one way, for another one."""
    for s in range(room.chosen.shape[1]):
        room.chosen[to, s] = room.chosen[at, s]
    for f in range(room.finals.shape[1]):
        room.finals[to, f] = room.finals[at, f]
    for r in range(room.contexts.shape[1]):
        room.contexts[to, r] = room.contexts[at, r]


@kernel
def gather(tables: Tables, row: Row, node: int, ways: Ways) -> None:
    """Gather the evidence for a decision; the lines of its group are those aimed at."""
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
    inputs[to + copies.COPIES * copies.INPUTS] = 0.4
    first, sets = ways.first * DEEPEST + depth, len(tables.mixer.starts)
    choose(tables, row, node, depth, first)
    for way in range(ways.first, ways.stop):
        at = way * DEEPEST + depth
        if at != first:
            _choose_again(row.mixer, depth, first, at)
        said = network_yes(tree, row.masses[way], node) if way > 0 else 0.0
        row.mixer.stretched[at, sets] = said
        if way > 0:
            row.mixer.chosen[at, _OF_NETWORK] = int(min(max(said + 8.0, 0.0), 15.99) * 2.0)


@kernel
def give_networks(tables: Tables, row: Row, depth: int, way: int) -> None:
    """Write what the networks of a way say among the evidence."""
    inputs, said = row.mixer.inputs[depth], row.mixer.stretched
    sets = len(tables.mixer.starts)
    to = len(row.slots.hashes) * slots.INPUTS + copies.COPIES * copies.INPUTS + 1
    inputs[to] = said[way * DEEPEST + depth, sets] * NETWORK_SCALE
    inputs[to + 1] = said[DEEPEST + depth, sets] * NETWORK_SCALE if way > 1 else 0.0


@kernel
def chance_of_yes(tables: Tables, row: Row, depth: int, way: int) -> float:
    """The probability of a yes, by the evidence that was gathered."""
    ask_refiners(tables.mixer, row.mixer, depth, way)
    give_networks(tables, row, depth, way)
    stretched = mix(tables.mixer, row.mixer, depth, way)
    chance = refine(tables.mixer, row.mixer, depth, way, stretched)
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
def learn_path(tables: Tables, row: Row, symbol: int, ways: Ways) -> None:
    """Let everything learn the decisions of a symbol, after all of them were predicted."""
    code, node, depth = tables.tree.codes[symbol], 0, 0
    while node >= 0:
        answer = int((code >> np.uint64(63 - depth)) & np.uint64(1))
        for way in range(ways.first, ways.stop):
            give_networks(tables, row, depth, way)
            learn_mixture(tables.mixer, row.mixer, depth, way, answer)
        slots.learn_answer(tables.slots, row.slots, depth, answer)
        node, depth = tables.tree.children[node, answer], depth + 1


@kernel
def score_symbol(
    tables: Tables, row: Row, symbol: int, ways: Ways, scores: NDArray[np.float64], t: int
) -> None:
    """Fill in a symbol's log-probability in column ``t``."""
    tree, node, depth = tables.tree, 0, 0
    code = tree.codes[symbol]
    while node >= 0:
        if depth > 0 and tree.places[node] == 1:
            slots.aim(tables.slots, row.slots, node, depth // GROUP)
        gather(tables, row, node, ways)
        answer = int((code >> np.uint64(63 - depth)) & np.uint64(1))
        for way in range(ways.first, ways.stop):
            chance = chance_of_yes(tables, row, depth, way)
            scores[way - ways.first, t] += logarithm(chance if answer == 1 else 1.0 - chance)
        node, depth = tree.children[node, answer], depth + 1


@kernel
def score_symbols(
    tables: Tables, row: Row, ids: NDArray[Any], networks: NDArray[np.float32], ways: Ways,
    adapt: bool, update: Callable[..., None], scores: NDArray[np.float64],
) -> None:  # fmt: skip
    """Fill in the log-probabilities (ways, T), zero before; ``networks`` (N, T, V): those of the
    last ways."""
    without = ways.stop - len(networks)
    for t in range(len(ids)):
        begin(tables, row)
        for n in range(len(networks)):
            weigh_network(tables.tree, networks[n, t], row.masses[without + n])
        score_symbol(tables, row, ids[t], ways, scores, t)
        if adapt:
            learn_path(tables, row, ids[t], ways)
        finish(tables, row, ids[t], adapt, update)


@kernel
def predict_symbols(
    tables: Tables, row: Row, network: NDArray[np.float32], ways: Ways,
    chances: NDArray[np.float64],
) -> None:  # fmt: skip
    """Fill in the log-probability of every symbol next, by one way, in ``chances`` (2 V - 1,)
    behind those of the decisions."""
    nodes, group = len(tables.tree.children), 0
    begin(tables, row)
    if len(network) > 0:
        weigh_network(tables.tree, network[0], row.masses[ways.first])
    chances[0] = 0.0
    for node in range(nodes):
        if tables.tree.groups[node] != group:
            group = tables.tree.groups[node]
            slots.aim(tables.slots, row.slots, group, tables.tree.depths[node] // GROUP)
        gather(tables, row, node, ways)
        yes = chance_of_yes(tables, row, tables.tree.depths[node], ways.first)
        for answer in range(2):
            child = tables.tree.children[node, answer]
            at = child if child >= 0 else nodes - 1 - child
            chances[at] = chances[node] + logarithm(yes if answer == 1 else 1.0 - yes)


def _layout(kind: Contexts) -> tuple[int, int]:
    """How many inputs the mixer has, and how many with those that fill its vectors up."""
    inputs = kind.count * slots.INPUTS + copies.COPIES * copies.INPUTS + 3
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
        copies.pointers(), room, np.zeros(3, np.int64),
        np.zeros((WAYS, 2 * len(tables.ranks) - 1)),
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
        self, sample: Ids, vocab_size: int, budget: int = 1 << 28, traits: Traits | None = None,
        places: tuple[int, ...] = BEFORE,
    ) -> None:  # fmt: skip
        """
        Args:
            sample: Training symbols, for the code tree; nothing else is learnt of them.
            vocab_size: V, the end symbol counted.
            budget: Bytes for the tables of contexts.
            traits: What the domain's contexts know of symbols (V, K).
            places: See `code_tree`.
        """
        kind, tree = self.contexts, code_tree(sample, vocab_size, places)
        self.tables = Tables(
            tree, slots.slot_tables(kind.count, budget, stretch_table()),
            copies.copy_tables(_COPIED, _HEADS), _mixer_of(kind),
            no_traits(vocab_size) if traits is None else traits, _ranks(sample, vocab_size),
            np.array([kind.orders], np.int64),
        )  # fmt: skip
        self.row = new_row(kind, self.tables)

    def learn(self, ids: Ids) -> None:
        """Read training symbols (T,)."""
        self.score(ids)

    def score(self, ids: Ids, network: Network | None = None, adapt: bool = True) -> LogProbs:
        """Symbols (T,) in, the log-probability in nats of each out (T,)."""
        given = [] if network is None else [network]
        found: LogProbs = self._score(ids, given, WITH_NETWORK if given else _ALONE, adapt)[0]
        return found

    def score_together(self, ids: Ids, networks: Sequence[Network], adapt: bool = True) -> LogProbs:
        """Symbols (T,) in, their log-probabilities alone, with the first network, and with both
        out, as far as there are networks (N + 1, T)."""
        return self._score(ids, networks, Ways(0, 1 + len(networks)), adapt)

    def reader(self) -> Self:
        """A memory on the same tables, which may score without adapting: it has a place of its
        own."""
        other = copy(self)
        other.row = deepcopy(self.row)
        return other

    def _score(self, ids: Ids, networks: Sequence[Network], ways: Ways, adapt: bool) -> LogProbs:
        scores = np.zeros((ways.stop - ways.first, len(ids)))
        if adapt:
            self._make_room(len(ids))
        self._begin_ways(ways)
        if adapt and len(ids) > 0:
            self.tables.mixer.taught[ways.first : ways.stop] = 1
        score_symbols(self.tables, self.row, ids, self._given(networks, len(ids)), ways, adapt,
                      self.contexts.update, scores)  # fmt: skip
        return scores

    def predict(self, network: NDArray[np.float32] | None = None) -> LogProbs:
        """The log-probabilities (V,) of what comes next."""
        chances = np.zeros(self.row.masses.shape[1])
        ways = _ALONE if network is None else WITH_NETWORK
        self._begin_ways(ways)
        given = np.zeros((0, len(self.tables.ranks))) if network is None else network[None]
        given = np.ascontiguousarray(given, np.float32)
        predict_symbols(self.tables, self.row, given, ways, chances)
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

    def _given(self, networks: Sequence[Network], size: int) -> Network:
        if not networks:
            return np.zeros((0, size, len(self.tables.ranks)), np.float32)
        stacked: Network = np.stack(networks)
        return np.ascontiguousarray(stacked, np.float32)

    def _make_room(self, more: int) -> None:
        """Let the history grow."""
        tables = self.tables.copies
        needed = int(tables.read[0]) + more + 1
        if needed > len(tables.history):
            history = np.zeros(max(needed, 2 * len(tables.history)), np.uint16)
            history[: len(tables.history)] = tables.history
            self.tables = self.tables._replace(copies=tables._replace(history=history))

    def _begin_ways(self, ways: Ways) -> None:
        """What the mixer has learnt alone is where it starts from with networks."""
        mixer = with_ways(self.tables.mixer, ways.stop)
        self.tables = self.tables._replace(mixer=mixer)
        inputs, padded = _layout(self.contexts)
        for way in range(max(ways.first, 1), ways.stop):
            if mixer.taught[way] == 0:
                copy_way(mixer, way, (inputs - 2, _OF_NETWORK), padded)


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
