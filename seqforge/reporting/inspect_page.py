"""What was found out about a network's units in, one offline HTML page out: text coloured by what
units carry and by surprise, all units, and what single units follow.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

import numpy as np

from seqforge.base import html_page
from seqforge.base.html_page import Section, Table, as_data
from seqforge.base.messages import bits as as_bits
from seqforge.base.messages import plural
from seqforge.charts.curve import Tick
from seqforge.reporting.coloured_text import coloured_text, darkest_bits, scale_legend, style
from seqforge.reporting.inspect_view import (
    MOST_SYMBOLS,
    GateSaturation,
    InspectView,
    Probe,
    ShownUnit,
    coloured_by,
    packed,
)

_WITHOUT_SCRIPT = 1_500
"""Symbols that are shown where no script runs."""
_PARTS = (
    "data", "cells", "text", "pointer", "colouring", "staff", "map", "search", "print", "begin",
)  # fmt: skip
"""Of the script, in order."""
_MISSED = 6
"""Annotations that nothing follows, and that the verdict names."""
_NAMED = 3
"""Annotations that are followed, and that the verdict names with units and figures."""


def inspect_page(view: InspectView) -> str:
    """What was found out in, the page out."""
    macros = html_page.macros(__package__, "inspect.html.jinja")
    data = packed(view)
    markup = {
        ("units", "What single units follow"): macros.units(_rows(view)),
        ("heat", "All units"): macros.heat(view, data.meta["heat"], data.meta["count"]),
        ("search", "Where the same units fire"): macros.search(data.meta),
        ("gates", "How units hold and let through"): macros.gates(_plots(view.gates)),
        ("probes", "What each layer knows"): macros.probes(_probe_table(view.probes)),
        ("reach", "How far back it looks"): macros.reach(_reach(view.memory), view.unit),
        ("how", "How to read this page"): macros.how(view),
    }
    text = Section(
        "text", "The text, coloured", str(_text(macros, view, data.data, data.meta)),
        style=f"{style()}\n{_file('inspect.css')}", script=_script(),
    )  # fmt: skip
    sections = [Section(name, title, str(found)) for (name, title), found in markup.items()]
    head = str(macros.head(_first(view)))
    return html_page.page(f"{view.model} - units - seqforge", head, [text, *sections])


def _file(name: str) -> str:
    return resources.files(__package__ or "").joinpath(name).read_text("utf-8")


def _script() -> str:
    """All parts in one function, so that they share names with nobody else."""
    parts = "\n".join(_file(f"inspect_script/{name}.js") for name in _PARTS)
    return f'"use strict";\n(async () => {{\n{parts}}})();\n'


def _text(macros: Any, view: InspectView, data: str, meta: dict[str, Any]) -> Any:
    darkest = darkest_bits(view.bits)
    static = coloured_text(
        view.symbols[:_WITHOUT_SCRIPT], view.bits[:_WITHOUT_SCRIPT], "surprise",
        "The first symbols, coloured by surprise", darkest,
    )  # fmt: skip
    legends = scale_legend("surprise", darkest), scale_legend("unit")
    return macros.text(view, coloured_by(view), static, legends, as_data(meta), data)


@dataclass(frozen=True)
class _First:
    """What stands above the sections."""

    model: str
    subtitle: str
    state: str
    word: str
    reason: str
    searched: bool
    mean: str
    unit: str


def _first(view: InspectView) -> _First:
    counts = [f"{len(view.symbols[:MOST_SYMBOLS]):,} {plural(view.unit)}"]
    if len(view.symbols) > MOST_SYMBOLS:
        counts[0] = f"the first {counts[0]} of {len(view.symbols):,}"
    if view.shape:
        layers = f"{view.shape[0]} layer{'s'[: view.shape[0] != 1]}"
        counts.append(f"{layers} of {view.shape[1]:,} units")
    if view.parameters is not None:
        counts.append(f"{view.parameters:,} weights")
    found = [unit for unit in view.units if unit.found]
    count = len({unit.name for unit in found})
    word = f"{count} unit{'s'[: count != 1]} found" if found else "Nothing found"
    return _First(
        view.model, "; ".join(counts), "pass" if found else "look", word, _reason(view, found),
        bool(view.annotations or any(unit.annotation for unit in view.units)),
        as_bits(float(np.mean(view.bits))) if len(view.bits) else "", view.unit,
    )  # fmt: skip


def _reason(view: InspectView, found: Sequence[ShownUnit]) -> str:
    """Which units were found, and what was looked for in vain."""
    groups: dict[str, list[ShownUnit]] = {}
    for unit in found:
        groups.setdefault(unit.annotation, []).append(unit)
    sentences = [_finding(group) for group in list(groups.values())[:_NAMED]]
    if len(groups) > _NAMED:
        sentences.append(f"Others follow {', '.join(list(groups)[_NAMED:])}.")
    names = [*(one.name for one in view.annotations), *(unit.annotation for unit in view.units)]
    missed = [name for name in dict.fromkeys(names) if name and name not in groups]
    if missed:
        rest = f" and {len(missed) - _MISSED} more" if len(missed) > _MISSED else ""
        sentences.append(f"Looked for and not found: {', '.join(missed[:_MISSED])}{rest}.")
    return " ".join(sentences)


def _finding(group: Sequence[ShownUnit]) -> str:
    """The units that follow one annotation, the best one first."""
    unit, others = group[0], [one.name for one in group[1:]]
    control = _control(unit, unit.untrained)
    said = _value(unit) + (f"; in untrained networks at most {control}" if control else "")
    more = f", and so {'does' if len(others) == 1 else 'do'} {', '.join(others)}" if others else ""
    return f"{unit.name} follows {unit.annotation} ({said}){more}."


def _control(unit: ShownUnit, values: Iterable[float]) -> str:
    """The control that comes nearest to a finding; of r its size."""
    sizes = (abs(value) if unit.measure == "r" else value for value in values)
    return _score(max(sizes, default=None), unit.measure)


def _score(value: float | None, measure: str = "r") -> str:
    """AUC to the thousandth: what counts is its distance to 1."""
    if value is None:
        return ""
    text = f"{value:.2f}" if measure == "r" else f"{value:.3f}"
    return text.replace("-", "\N{MINUS SIGN}")


def _value(unit: ShownUnit) -> str:
    name = "r" if unit.measure == "r" else "AUC"
    return "" if unit.value is None else f"{name} = {_score(unit.value, unit.measure)}"


@dataclass(frozen=True)
class _Row:
    """A unit in the table."""

    name: str
    number: int
    """Among those that text can be coloured by; -1: not one of them."""
    found: bool
    annotation: str
    value: str
    untrained: str
    shifted: str
    ablation: str
    drive: str


def _rows(view: InspectView) -> list[_Row]:
    numbers = {unit.name: number for number, unit in enumerate(coloured_by(view))}
    return [_row(unit, numbers.get(unit.name, -1)) for unit in view.units]


def _row(unit: ShownUnit, number: int) -> _Row:
    return _Row(
        unit.name, number, unit.found, unit.annotation, _value(unit),
        _control(unit, unit.untrained),
        _control(unit, unit.shifted),
        _ablation(unit), _drive(unit),
    )  # fmt: skip


def _ablation(unit: ShownUnit) -> str:
    """What happens without it, in words."""
    if (found := unit.ablation) is None:
        return ""
    where = "where it holds" if unit.measure == "auc" else "where it is high"
    return (
        f"{found.where:+.3f} bits {where}, {found.elsewhere:+.3f} elsewhere; "
        f"random units {found.random_where:+.3f}"
    ).replace("-", "\N{MINUS SIGN}")


def _drive(unit: ShownUnit) -> str:
    """What samples are like while it is held at a value, in words."""
    if (found := unit.drive) is None:
        return ""
    name = unit.annotation if unit.measure == "r" else "holds at"
    said = [f"{name} {_amount(unit, found.at_low)} when held at {_score(found.low)}"]
    said.append(f"{_amount(unit, found.at_high)} at {_score(found.high)}")
    if found.undriven is not None:
        said.append(f"{_amount(unit, found.undriven)} when free")
    if not found.random:
        return ", ".join(said)
    low, high = (_amount(unit, pick(found.random)) for pick in (min, max))
    return f"{', '.join(said)}; with random units it moves by {low} to {high}"


def _amount(unit: ShownUnit, value: float) -> str:
    """The mean of an annotation: a share of the symbols if it holds or does not."""
    text = f"{value:.3g}" if unit.measure == "r" else f"{100 * value:.1f} %"
    return text.replace("-", "\N{MINUS SIGN}")


@dataclass(frozen=True)
class _Plot:
    """Units of a layer: share of the time that a gate is open (x) and shut (y), in percent."""

    title: str
    dots: str
    """A path of one short stroke a unit."""


def _plots(gates: Sequence[GateSaturation]) -> list[_Plot]:
    return [
        _Plot(
            f"layer {one.layer}, {one.gate} gate",
            "".join(
                f"M{100 * x:.1f} {100 - 100 * y:.1f}h0"
                for x, y in zip(one.open, one.shut, strict=True)
            ),
        )
        for one in gates
    ]


def _probe_table(probes: Sequence[Probe]) -> Table:
    layers = sorted({one.layer for one in probes})
    found: dict[tuple[str, str], dict[int, float]] = {}
    for one in probes:
        found.setdefault((one.annotation, one.measure), {})[one.layer] = one.value
    rows = tuple(
        (name, "r" if measure == "r" else "AUC", *(_score(values.get(n), measure) for n in layers))
        for (name, measure), values in found.items()
    )
    return Table(("annotation", "measure", *(f"layer {n}" for n in layers)), rows)


_FINE = 0.1  # bits: a curve that rises by less has finer labels


@dataclass(frozen=True)
class _Reach:
    """The curve of bits over symbols read since a reset."""

    points: str
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    rows: Table


def _reach(memory: Sequence[tuple[int | None, float]]) -> _Reach | None:
    if len(memory) < 2:
        return None
    low, high = (pick(value for _, value in memory) for pick in (min, max))
    heights = [round(230 - 200 * (value - low) / ((high - low) or 1), 1) for _, value in memory]
    places = [round(60 + 640 * n / (len(memory) - 1), 1) for n in range(len(memory))]
    labels = ["all" if distance is None else f"{distance:,}" for distance, _ in memory]
    levels = [low + (high - low) * n / 4 for n in range(5)]
    return _Reach(
        " ".join(f"{x},{y}" for x, y in zip(places, heights, strict=True)),
        tuple(Tick(x, label) for x, label in zip(places, labels, strict=True)),
        tuple(
            Tick(230 - 50 * n, f"{level:.{2 if high - low > _FINE else 3}f}")
            for n, level in enumerate(levels)
        ),
        Table(("symbols read", "bits"), tuple(
            (label, as_bits(value)) for label, (_, value) in zip(labels, memory, strict=True)
        )),
    )  # fmt: skip
