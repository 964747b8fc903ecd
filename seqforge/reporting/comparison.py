"""The model's bits per symbol beside those of the baselines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from seqforge.core.data.overlap import Overlap
from seqforge.reporting.wording import (
    bits,
    duration,
    finite,
    mapping,
    number,
    percent,
    plural,
    unit_name,
    verdict,
)

_USUAL_ORDERS = (0, 2, 4)
"""Shown beside the best order: letter frequencies, and two that textbooks have."""


@dataclass(frozen=True)
class Bar:
    """One row of the bar chart."""

    label: str
    bits: float
    is_model: bool = False
    width: float = 0.0
    """Percent of the longest bar."""
    against_model: str = ""
    """How many more (+) or fewer bits the model needs, in percent of these."""


@dataclass(frozen=True)
class Comparison:
    """What the model and the baselines need on one held-out part."""

    part: str | None
    """valid or test; None when nothing was held out."""
    model: float | None
    uniform: float | None
    ngram: float | None
    order: int | None
    """The order of the best n-gram."""
    orders: Mapping[int, float]
    compressors: Mapping[str, float]
    overlap: Overlap
    """How much of the held-out part stands in the training part too."""

    @classmethod
    def of(cls, summary: Mapping[str, Any]) -> Comparison:
        """From a summary, where anything may be null."""
        baselines = mapping(summary.get("baselines"))
        scores = mapping(summary.get("bits_per_symbol"))
        parts = (baselines.get("part"), "test", "valid")
        part = next((p for p in parts if p and finite(scores.get(p)) is not None), None)
        orders = {int(k): v for k, v in _known(baselines.get("orders")).items()}
        ngram, order = finite(baselines.get("order_k")), baselines.get("k")
        if ngram is None and orders:
            order = min(orders, key=orders.__getitem__)
            ngram = orders[order]
        return cls(
            part=part,
            model=finite(scores.get(part)) if part else None,
            uniform=finite(baselines.get("uniform")),
            ngram=ngram,
            order=order,
            orders=orders,
            compressors=_known(baselines.get("compressors")),
            overlap=Overlap.of(summary),
        )

    def bars(self) -> list[Bar]:
        """The rows of the chart, fewest bits first."""
        named = {f"{name}": value for name, value in self.compressors.items()}
        for order, value in self.orders.items():
            if order in _USUAL_ORDERS and order != self.order:
                named[f"n-gram, order {order}"] = value
        if self.ngram is not None:
            named[f"best n-gram{_of_order(self.order)}"] = self.ngram
        if self.uniform is not None:
            named["guessing evenly"] = self.uniform
        bars = [Bar(label, value) for label, value in named.items()]
        if self.model is not None:
            bars.append(Bar("this model", self.model, is_model=True))
        longest = max((bar.bits for bar in bars), default=0.0) or 1.0
        return [self._drawn(bar, longest) for bar in sorted(bars, key=lambda bar: bar.bits)]

    def _drawn(self, bar: Bar, longest: float) -> Bar:
        against = "" if bar.is_model or self.model is None else percent(self.model, bar.bits)
        return Bar(bar.label, bar.bits, bar.is_model, 100 * bar.bits / longest, against)

    def sentences(self, unit: str) -> list[str]:
        """The verdicts, the n-gram's first."""
        if self.model is None:
            return ["Nothing was held out or scored, so how good the model is cannot be said."]
        said = []
        if self.ngram is not None:
            said.append(
                f"The best n-gram{_of_order(self.order)} needs {bits(self.ngram)}: "
                f"the model is {verdict(self.model, self.ngram)}."
            )
        if self.compressors:
            name = min(self.compressors, key=self.compressors.__getitem__)
            value = self.compressors[name]
            said.append(
                f"The best general compressor ({name}) needs {bits(value)}: "
                f"the model is {verdict(self.model, value)}."
            )
        if self.overlap.notable:
            said.append(
                f"Of the held-out data {self.overlap.remark(unit)}: the score measures memory as "
                "well."
            )
        if self.uniform is not None:
            said.append(f"Guessing evenly costs {bits(self.uniform)} bits per {unit}.")
        return said or ["No baseline was measured."]


def _known(values: Any) -> dict[Any, float]:
    numbers = ((key, finite(value)) for key, value in mapping(values).items())
    return {key: value for key, value in numbers if value is not None}


def _of_order(order: int | None) -> str:
    return "" if order is None else f" (order {order})"


def done(summary: Mapping[str, Any]) -> str:
    """One sentence: which network read how much, in what time."""
    model = mapping(summary.get("model"))
    cell = str(model.get("cell") or "recurrent network")
    what = cell.upper() if cell in {"lstm", "gru", "rnn"} else cell
    if model.get("num_layers") and model.get("hidden_size"):
        layers = model["num_layers"]
        what += f" with {number(layers)} {'layer' if layers == 1 else 'layers'}"
        what += f" of {number(model['hidden_size'])}"
    if summary.get("parameters") is not None:
        what += f" ({number(summary['parameters'])} weights)"
    read = mapping(summary.get("symbols")).get("train")
    if read is not None:
        what += f", trained on {number(read)} {plural(unit_name(summary))}"
    if summary.get("wall_seconds") is not None:
        what += f"; the run took {duration(summary['wall_seconds'])}"
    return f"{_article(what)} {what}."


def _article(what: str) -> str:
    spelled = what.startswith(("LSTM", "RNN"))  # read letter by letter: an el, an ar
    return "An" if spelled or what[:1] in "aeio" else "A"
