"""The equations of a cell in, its blocks, its products and its stages out.

A cell is a function of a `Net`, the input and the states before, that returns the states after;
the first of them is h, what the layer above reads. `Net` gives it sums of products with weights.
It is run once, on symbols; compiled kernels and torch layers work from what it left.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

from seqforge.core.cells.symbols import Symbol, symbols_under


class Net(Protocol):
    """What equations are written with; H is the width of the layer."""

    def __call__(self, block: str, *terms: Any) -> Any:
        """``W_1 terms[0] + W_2 terms[1] + ... + b``, each W of the block's own.

        A term is the input (W: H x I), or a state or anything made of states and blocks (H x H).
        """

    def diagonal(self, name: str, value: Any) -> Any:
        """A vector of weights (H,) times a vector: the peephole of Gers and Schmidhuber 2000."""


@dataclass(frozen=True)
class CellType:
    """One kind of cell: shapes are in `Equations`, the formulas in ``step``."""

    name: str
    title: str
    """What it is, in words."""
    source: str
    """Who described it, and where."""
    states: tuple[str, ...]
    """What is carried from step to step, h first: (H,) each."""
    step: Callable[..., tuple[Any, ...]]
    """``(net, x, *states)`` to the states after."""
    forget: str | None = None
    """The block of the forget gate, whose bias begins at ``forget_bias``."""
    forget_bias: float = 1.0
    start: str = "orthogonal"
    """How weights of states begin: orthogonal, or ``identity`` (Le et al. 2015)."""

    @cached_property
    def equations(self) -> Equations:
        """The cell's parts; worked out once."""
        return _parts(self)

    @property
    def carried(self) -> int:
        """Which state a unit holds: the cell c where there is one, else h."""
        return self.states.index("c") if "c" in self.states else 0


@dataclass(frozen=True)
class Source:
    """A vector that weights are multiplied with, and the blocks that it feeds."""

    value: Symbol
    blocks: tuple[int, ...]
    """Numbers of blocks, one after the other."""


@dataclass(frozen=True)
class Recurrence:
    """A state that is ``a * state + b``, where a and b hang on the input alone."""

    state: int
    """Its number."""
    a: Symbol
    b: Symbol


@dataclass(frozen=True)
class Equations:
    """A cell taken to pieces. Blocks are vectors (H,): sums of products, and a bias.

    Weights of a layer with B blocks, X of them fed by the input, S products with states, D
    diagonals: ``weight_ih`` (X * H, I), ``weight_hh`` (S * H, H) in the order of ``sources`` and
    their blocks, ``bias_ih`` (B * H), ``diagonal`` (D, H).
    """

    blocks: tuple[str, ...]
    leaves: tuple[Symbol, ...]
    """The blocks as symbols."""
    from_input: tuple[int, ...]
    """Blocks that the input feeds, one after the other."""
    sources: tuple[Source, ...]
    """What else feeds blocks, in the order in which it is known; h itself first, if it is one."""
    diagonals: tuple[str, ...]
    diagonal_leaves: tuple[Symbol, ...]
    states: tuple[Symbol, ...]
    """Before the step."""
    after: tuple[Symbol, ...]

    @property
    def reads_h(self) -> bool:
        """Whether the first source is h as it is."""
        return bool(self.sources) and self.sources[0].value is self.states[0]

    @property
    def products(self) -> int:
        """Products with states in a step."""
        return sum(len(source.blocks) for source in self.sources)

    @cached_property
    def recurrence(self) -> Recurrence | None:
        """The state whose steps can be joined, so that a window is read in parallel; None if there
        is none, or another state hangs on one before it.
        """
        if self.sources:
            return None
        for number, (before, after) in enumerate(zip(self.states, self.after, strict=True)):
            factors = _factors(before, after)
            if factors is not None:
                made = symbols_under([*factors, *self.after], known=[after])
                return None if set(self.states) & set(made) else Recurrence(number, *factors)
        return None

    @cached_property
    def activations(self) -> tuple[Symbol, ...]:
        """For each block what becomes of it: its sigmoid or tanh; itself, if there is none."""
        made = symbols_under([*self.after, *(source.value for source in self.sources)])
        bent = [symbol for symbol in made if symbol.name in ("sigmoid", "tanh", "relu")]
        return tuple(
            next((s for s in bent if leaf in _summands(s.of[0])), leaf) for leaf in self.leaves
        )


def _factors(before: Symbol, after: Symbol) -> tuple[Symbol, Symbol] | None:
    """(a, b) of a state that is written ``a * before + b``."""
    if after.name != "add":
        return None
    product, b = after.of
    if not isinstance(product, Symbol) or not isinstance(b, Symbol) or product.name != "mul":
        return None
    a, last = product.of
    return (a, b) if isinstance(a, Symbol) and last is before else None


def _summands(symbol: Symbol | float) -> list[Symbol]:
    """What a sum is a sum of."""
    if not isinstance(symbol, Symbol):
        return []
    if symbol.name != "add":
        return [symbol]
    return [summand for operand in symbol.of for summand in _summands(operand)]


class _Recorder:
    """A `Net` that writes down what it is asked for."""

    def __init__(self, x: Symbol) -> None:
        self.x = x
        self.terms: dict[str, list[Symbol]] = {}
        self.leaves: dict[str, Symbol] = {}
        self.diagonals: dict[str, Symbol] = {}

    def __call__(self, block: str, *terms: Symbol) -> Symbol:
        if block in self.leaves:
            raise ValueError(f"the block {block!r} is asked for twice")
        self.terms[block], self.leaves[block] = list(terms), Symbol(f"block {block}")
        return self.leaves[block]

    def diagonal(self, name: str, value: Symbol) -> Symbol:
        return value * self.diagonals.setdefault(name, Symbol(f"diagonal {name}"))


def _parts(cell: CellType) -> Equations:
    """Run the equations on symbols.

    Raises:
        ValueError: If a block is asked for twice, or no order of blocks has each source's together.
    """
    x, states = Symbol("input"), tuple(Symbol(f"state {name}") for name in cell.states)
    net = _Recorder(x)
    after = tuple(cell.step(net, x, *states))
    users: dict[Symbol, list[str]] = {}
    for block, terms in net.terms.items():
        for term in terms:
            users.setdefault(term, []).append(block)
    blocks = _ordered(cell.name, list(net.terms), list(users.values()))
    from_input = tuple(sorted(blocks.index(block) for block in users.pop(x, [])))
    ordered = sorted(users, key=lambda term: (term is not states[0], _depth(term, net)))
    sources = [Source(t, tuple(sorted(map(blocks.index, users[t])))) for t in ordered]
    return Equations(
        blocks, tuple(net.leaves[block] for block in blocks), from_input, tuple(sources),
        tuple(net.diagonals), tuple(net.diagonals.values()), states, after,
    )  # fmt: skip


def _ordered(name: str, blocks: list[str], together: list[list[str]]) -> tuple[str, ...]:
    """The first order of blocks in which those of each source stand together."""
    for order in itertools.permutations(blocks):
        places = [sorted(map(order.index, group)) for group in together]
        if all(found[-1] - found[0] == len(found) - 1 for found in places):
            return order
    raise ValueError(f"{name}: no order of blocks has those of each source together")


def _depth(symbol: Symbol, net: _Recorder) -> int:
    """How many products have to be done, one after the other, before a symbol is known."""
    names = {leaf: name for name, leaf in net.leaves.items()}
    under = [names[leaf] for leaf in symbols_under([symbol]) if leaf in names]
    terms = [term for name in under for term in net.terms[name] if term is not net.x]
    return max((1 + _depth(term, net) for term in terms), default=int(bool(under)))
