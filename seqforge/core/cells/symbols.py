"""Arithmetic on symbols in, a graph of operations out; of such graphs, values and derivatives."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any


class Symbol:
    """A vector that has no numbers yet: a leaf with a name, or an operation on others."""

    def __init__(self, name: str, *of: Symbol | float) -> None:
        self.name, self.of = name, of

    def __add__(self, other: Symbol | float) -> Symbol:
        return Symbol("add", self, other)

    def __sub__(self, other: Symbol | float) -> Symbol:
        return Symbol("sub", self, other)

    def __rsub__(self, other: float) -> Symbol:
        return Symbol("sub", other, self)

    def __mul__(self, other: Symbol | float) -> Symbol:
        return Symbol("mul", self, other)

    def __truediv__(self, other: Symbol) -> Symbol:
        return Symbol("div", self, other)

    __radd__, __rmul__ = __add__, __mul__

    def sigmoid(self) -> Symbol:
        """Logistic function."""
        return Symbol("sigmoid", self)

    def tanh(self) -> Symbol:
        """Hyperbolic tangent."""
        return Symbol("tanh", self)

    def relu(self) -> Symbol:
        """The number, or 0 where it is below 0."""
        return Symbol("relu", self)

    def positive(self) -> Symbol:
        """1 where the number is above 0, else 0."""
        return Symbol("positive", self)

    def __repr__(self) -> str:
        inside = ", ".join(map(repr, self.of))
        return f"{self.name}({inside})" if self.of else self.name


_OPERATIONS: dict[str, Callable[..., Any]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
    "sigmoid": lambda a: a.sigmoid(),
    "tanh": lambda a: a.tanh(),
    "relu": lambda a: a.relu(),
    "positive": lambda a: a.positive(),
}


def symbols_under(roots: Sequence[Symbol], known: Collection[Symbol] = ()) -> list[Symbol]:
    """Every symbol that some roots are made of, each once, operands before what uses them; not what
    those that are known are made of.
    """
    found: dict[int, Symbol] = {}

    def visit(symbol: Symbol) -> None:
        if id(symbol) not in found:
            for operand in () if symbol in known else symbol.of:
                if isinstance(operand, Symbol):
                    visit(operand)
            found[id(symbol)] = symbol

    for root in roots:
        visit(root)
    return list(found.values())


def evaluated(roots: Sequence[Symbol], known: Mapping[Symbol, Any]) -> list[Any]:
    """Roots and the values of leaves (or of any symbol under way) in, the values of roots out.

    Each operation is done once.
    """
    values: dict[int, Any] = {id(symbol): value for symbol, value in known.items()}

    def value(symbol: Symbol | float) -> Any:
        if not isinstance(symbol, Symbol):
            return symbol
        if id(symbol) not in values:
            values[id(symbol)] = _OPERATIONS[symbol.name](*map(value, symbol.of))
        return values[id(symbol)]

    return [value(root) for root in roots]


def _shares(symbol: Symbol, gradient: Symbol) -> list[Symbol | None]:
    """What of a symbol's gradient goes to each of its operands."""
    name, of = symbol.name, symbol.of
    if name == "add":
        return [gradient, gradient]
    if name == "sub":
        return [gradient, gradient * -1.0]
    if name == "mul":
        return [gradient * of[1], gradient * of[0]]
    if name == "div":
        first = gradient / _symbol(of[1])
        return [first, first * symbol * -1.0]
    if name == "sigmoid":
        return [gradient * symbol * (1.0 - symbol)]
    if name == "tanh":
        return [gradient * (1.0 - symbol * symbol)]
    if name == "relu":
        return [gradient * symbol.positive()]
    return [None] * len(of)


def _symbol(operand: Symbol | float) -> Symbol:
    if not isinstance(operand, Symbol):
        raise TypeError("a number is divided by no other number in an equation")
    return operand


def gradients(
    roots: Sequence[Symbol], seeds: Sequence[Symbol], wanted: Sequence[Symbol]
) -> list[Symbol | None]:
    """Roots, the gradient of each, and leaves in; the gradient of each leaf out, or None for 0."""
    total: dict[int, Symbol] = {}

    def add(symbol: Symbol, gradient: Symbol) -> None:
        before = total.get(id(symbol))
        total[id(symbol)] = gradient if before is None else before + gradient

    for root, seed in zip(roots, seeds, strict=True):
        add(root, seed)
    for symbol in reversed(symbols_under(roots)):
        if id(symbol) not in total or not symbol.of:
            continue
        for operand, share in zip(symbol.of, _shares(symbol, total[id(symbol)]), strict=True):
            if isinstance(operand, Symbol) and share is not None:
                add(operand, share)
    return [total.get(id(leaf)) for leaf in wanted]
