"""A cell's name in, the cell out: the recurrent networks of the literature, as equations.

Notation: x input, h output and state, c the cell of an LSTM; ``net("i", x, h)`` is the block
W_i x + U_i h + b_i; products of vectors are element by element.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from seqforge.base.messages import did_you_mean, shown
from seqforge.core.cells.equations import CellType, Net
from seqforge.errors import ConfigError

States = tuple[Any, ...]


def _elman(net: Net, x: Any, h: Any) -> States:
    return (net("hidden", x, h).tanh(),)


def _relu(net: Net, x: Any, h: Any) -> States:
    return (net("hidden", x, h).relu(),)


def _lstm(
    *, without: str = "", peepholes: bool = False, squash: bool = True, bend: bool = True,
    coupled: bool = False,
) -> Any:  # fmt: skip
    """The LSTM's equations, with what a variant leaves out.

    Args:
        without: The gate (i, f, o) that is 1.
        peepholes: Whether gates see the cell, weight by weight: i and f the cell before, o the one
            after.
        squash: Whether the output is tanh of the cell, or the cell.
        bend: Whether what is written into the cell goes through tanh.
        coupled: Whether f is 1 - i.
    """

    def gate(net: Net, name: str, x: Any, h: Any, c: Any) -> Any:
        if name == without:
            return 1.0
        pre = net(name, x, h)
        return (pre + net.diagonal(name, c) if peepholes else pre).sigmoid()

    def step(net: Net, x: Any, h: Any, c: Any) -> States:
        i = gate(net, "i", x, h, c)
        f = 1.0 - i if coupled else gate(net, "f", x, h, c)
        written = net("g", x, h)
        c = f * c + i * (written.tanh() if bend else written)
        o = gate(net, "o", x, h, c)
        return o * (c.tanh() if squash else c), c

    return step


def _full_gate_recurrence(
    net: Net, x: Any, h: Any, c: Any, i_before: Any, f_before: Any, o_before: Any
) -> States:
    """Gates read the gates of the step before, too."""
    gates = i_before, f_before, o_before
    i = (net("i", x, h, *gates) + net.diagonal("i", c)).sigmoid()
    f = (net("f", x, h, *gates) + net.diagonal("f", c)).sigmoid()
    c = f * c + i * net("g", x, h).tanh()
    o = (net("o", x, h, *gates) + net.diagonal("o", c)).sigmoid()
    return o * c.tanh(), c, i, f, o


def _full_peephole(net: Net, x: Any, h: Any, c: Any) -> States:
    """All three gates see the cell before by whole matrices."""
    i, f, o = (net(name, x, h, c).sigmoid() for name in "ifo")
    c = f * c + i * net("g", x, h).tanh()
    return o * c.tanh(), c


def _gru(net: Net, x: Any, h: Any) -> States:
    """Reset after the product (cuDNN, torch): its own bias inside the reset."""
    r, z = net("r", x, h).sigmoid(), net("z", x, h).sigmoid()
    n = (net("n", x) + r * net("recurrent", h)).tanh()
    return (n + z * (h - n),)


def _gru_reset_before(net: Net, x: Any, h: Any) -> States:
    r, z = net("r", x, h).sigmoid(), net("z", x, h).sigmoid()
    n = net("n", x, r * h).tanh()
    return (z * h + (1.0 - z) * n,)


def _mut1(net: Net, x: Any, h: Any) -> States:
    z, r = net("z", x).sigmoid(), net("r", x, h).sigmoid()
    n = (net("n", r * h) + net("x", x).tanh()).tanh()
    return (n * z + h * (1.0 - z),)


def _mut2(net: Net, x: Any, h: Any) -> States:
    z, r = net("z", x, h).sigmoid(), (net("x", x) + net("r", h)).sigmoid()
    n = net("n", x, r * h).tanh()
    return (n * z + h * (1.0 - z),)


def _mut3(net: Net, x: Any, h: Any) -> States:
    z, r = net("z", x, h.tanh()).sigmoid(), net("r", x, h).sigmoid()
    n = net("n", x, r * h).tanh()
    return (n * z + h * (1.0 - z),)


def _min_gru(net: Net, x: Any) -> tuple[Any, Any]:
    z = net("z", x).sigmoid()
    return 1.0 - z, z * net("n", x)


def _min_lstm(net: Net, x: Any) -> tuple[Any, Any]:
    i, f = net("i", x).sigmoid(), net("f", x).sigmoid()
    total = f + i
    return f / total, i / total * net("g", x)


def _scanned(coefficients: Any) -> Any:
    """h = a * h + b, where a and b hang on the input alone."""

    def step(net: Net, x: Any, h: Any) -> States:
        a, b = coefficients(net, x)
        return (a * h + b,)

    return step


def _min_gru_gated(net: Net, x: Any, _: Any, c: Any) -> States:
    """What a layer tells is bent, and let out by a gate: without that, layers of minGRU between
    their gates are one linear map.
    """
    a, b = _min_gru(net, x)
    c = a * c + b
    return net("o", x).sigmoid() * c.tanh(), c


def _sru(net: Net, x: Any, _: Any, c: Any) -> States:
    """Gates see the cell before weight by weight, and what comes out is mixed with the input."""
    f = (net("f", x) + net.diagonal("f", c)).sigmoid()
    r = (net("r", x) + net.diagonal("r", c)).sigmoid()
    c = f * c + (1.0 - f) * net("c", x)
    return r * c.tanh() + (1.0 - r) * net("x", x), c


_HOCHREITER = "Hochreiter and Schmidhuber 1997, with the forget gate of Gers et al. 2000"
_GREFF = "Greff et al. 2017, LSTM: A Search Space Odyssey"
_JOZEFOWICZ = "Jozefowicz et al. 2015, An Empirical Exploration of Recurrent Network Architectures"
_FENG = "Feng et al. 2024, Were RNNs All We Needed?"
_HC = ("h", "c")


def _of_greff(variant: str, title: str, step: Any, forget: str | None = "f") -> CellType:
    return CellType(f"lstm-{variant}", title, _GREFF, _HC, step, forget)


def _of_jozefowicz(
    variant: str, title: str, step: Any, forget: str | None, bias: float = 0.0
) -> CellType:
    return CellType(f"jozefowicz-lstm{variant}", title, _JOZEFOWICZ, _HC, step, forget, bias)


def _mutant(number: int, step: Any) -> CellType:
    title = f"the paper's mutant {number}; its bare x is a product with x here"
    return CellType(f"mut{number}", title, _JOZEFOWICZ, ("h",), step)


_ALL = (
    CellType("lstm", "three gates around a cell", _HOCHREITER, _HC, _lstm(), "f"),
    CellType(
        "gru", "reset after the product with h", "Cho et al. 2014, in the form of cuDNN", ("h",),
        _gru,
    ),
    CellType("rnn", "tanh of a sum", "Elman 1990", ("h",), _elman),
    CellType(
        "irnn", "ReLU of a sum; its recurrent weights begin as the identity", "Le et al. 2015",
        ("h",), _relu, start="identity",
    ),
    CellType(
        "lstm-peephole", "gates see the cell, weight by weight",
        "Gers and Schmidhuber 2000; V of Greff et al. 2017", _HC, _lstm(peepholes=True), "f",
    ),
    _of_greff("nig", "no input gate", _lstm(without="i", peepholes=True)),
    _of_greff("nfg", "no forget gate", _lstm(without="f", peepholes=True), None),
    _of_greff("nog", "no output gate", _lstm(without="o", peepholes=True)),
    _of_greff("niaf", "no tanh of the input", _lstm(peepholes=True, bend=False)),
    _of_greff("noaf", "no tanh of the cell", _lstm(peepholes=True, squash=False)),
    _of_greff("cifg", "forget gate = 1 - input gate", _lstm(peepholes=True, coupled=True), None),
    _of_greff("np", "no peepholes: the equations of lstm", _lstm()),
    CellType(
        "lstm-fgr", "gates read the gates before", _GREFF, ("h", "c", "i", "f", "o"),
        _full_gate_recurrence, "f",
    ),
    _of_jozefowicz("", "a forget bias of 0: the equations of lstm", _lstm(), "f"),
    _of_jozefowicz("-f", "no forget gate", _lstm(without="f"), None),
    _of_jozefowicz("-i", "no input gate", _lstm(without="i"), "f"),
    _of_jozefowicz("-o", "no output gate", _lstm(without="o"), "f"),
    _of_jozefowicz("-b", "a forget bias of 1: the equations of lstm", _lstm(), "f", 1.0),
    CellType(
        "jozefowicz-gru", "reset before the product with h", f"Cho et al. 2014; {_JOZEFOWICZ}",
        ("h",), _gru_reset_before,
    ),
    _mutant(1, _mut1),
    _mutant(2, _mut2),
    _mutant(3, _mut3),
    CellType(
        "lstm-recitation", "gates see the cell before by whole matrices",
        "lecture notes on recurrent networks", _HC, _full_peephole, "f",
    ),
    CellType("mingru", "gates see the input alone", _FENG, ("h",), _scanned(_min_gru)),
    CellType(
        "mingru-gated", "mingru with the output gate and the tanh of an LSTM", _FENG, _HC,
        _min_gru_gated,
    ),
    CellType(
        "sru", "no products with states; its bare x is a product with x here",
        "Lei et al. 2018, Simple Recurrent Units for Highly Parallelizable Recurrence, with the "
        "tanh of its first version", _HC, _sru, "f", 0.0,
    ),
    CellType("minlstm", "gates see the input alone", _FENG, ("h",), _scanned(_min_lstm)),
)  # fmt: skip

CATALOGUE = {cell.name: cell for cell in _ALL}
"""The cells that seqforge brings, by name."""

GROUP = "seqforge.cells"
"""Entry points by which packages bring more: a name and a `CellType`."""

FUSED = ("lstm", "gru", "rnn")
"""Those whose kernels are written by hand, and that torch has layers of."""


NGRAM = "ngram"
"""What stands in a cell's place in an n-gram model, which is no network."""


def _brought() -> dict[str, EntryPoint]:
    """Cells of other packages."""
    return {point.name: point for point in entry_points(group=GROUP)}


def cell_names() -> list[str]:
    """All names: ours first, then those that packages bring."""
    return [*CATALOGUE, *sorted(_brought())]


@cache
def cell_type(name: str) -> CellType:
    """A cell's name in, the cell out.

    Raises:
        ConfigError: If there is none of this name, or its package fails to load.
    """
    if name in CATALOGUE:
        return CATALOGUE[name]
    if name not in _brought():
        raise ConfigError(
            f"there is no cell {shown(name, 60)}{did_you_mean(name, [*cell_names(), NGRAM])}; "
            f"cells: {', '.join(cell_names())}; {NGRAM} counts instead"
        )
    try:
        found: CellType = _brought()[name].load()
        _ = found.equations
    except Exception as error:  # whatever a package's import raises
        place = _brought()[name].value
        raise ConfigError(f"the cell {name!r} ({place}) cannot be loaded: {error}") from error
    return found


def package_of(name: str) -> str:
    """The package, and its version, that brought a cell; empty for ours."""
    point = None if name in CATALOGUE else _brought().get(name)
    return f"{point.dist.name} {point.dist.version}" if point is not None and point.dist else ""


def known_cell(name: str) -> str:
    """A cell's name, or that of n-gram models, in, the same out.

    Raises:
        ValueError: As `cell_type`.
    """
    try:
        if name != NGRAM:
            cell_type(name)
    except ConfigError as error:
        raise ValueError(str(error)) from error
    return name


def check_settings(name: str, forget_bias: float | None, weight_drop: float) -> None:
    """Refuse settings that a cell has no use for.

    Raises:
        ValueError: Says which cells have one.
    """
    cell = cell_type(name)
    if forget_bias is not None and cell.forget is None:
        having = ", ".join(known for known in cell_names() if cell_type(known).forget)
        raise ValueError(f"{name} has no forget gate, so no forget_bias; these have one: {having}")
    if weight_drop and not cell.equations.products:
        raise ValueError(f"{name} has no recurrent weights, so no weight_drop; give --dropout")
