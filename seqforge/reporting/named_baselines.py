"""Baselines by name in, rows with names for people out, for the page and the terminal."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from seqforge.reporting.summary import BaselineFigures, BaselineKind, BaselineScores

_N_GRAMS = {"witten-bell": "Witten-Bell n-gram", "kneser-ney": "Kneser-Ney n-gram"}
_COMPRESSORS = {"zlib": "zlib", "bz2": "bz2", "lzma": "lzma", "ppmd": "PPMd"}
_TITLES = {"uniform": "guessing evenly", "memory": "memory alone", **_N_GRAMS, **_COMPRESSORS}


@dataclass(frozen=True)
class NamedBaseline:
    """A baseline as a row."""

    name: str
    """As in ``summary.json``."""
    bits: float
    kind: BaselineKind
    order: int | None = None

    @property
    def title(self) -> str:
        """Its name for people: the kind is said beside it."""
        plain = self.name.removesuffix(f"-{self.kind}")
        return _TITLES.get(plain, plain.replace("-", " "))

    @property
    def label(self) -> str:
        """Its title, order and kind."""
        return f"{self._ordered} ({self.kind})"

    @property
    def said(self) -> str:
        """The same for within brackets."""
        return f"{self._ordered}, {self.kind}"

    @property
    def _ordered(self) -> str:
        return self.title if self.order is None else f"{self.title}, order {self.order}"


def named_baselines(counted: BaselineScores, figures: BaselineFigures) -> list[NamedBaseline]:
    """What a summary has of baselines in, a row for each out.

    A summary of an older version names none: it has the n-grams and compressors of that time.
    """
    if figures.baseline_bits:
        kinds, orders = figures.baseline_kinds, figures.baseline_orders
        return [
            NamedBaseline(name, bits, kinds.get(name, "frozen"), orders.get(name))
            for name, bits in figures.baseline_bits.items()
        ]
    found = [NamedBaseline("uniform", counted.uniform, "frozen")]
    if counted.order_k is not None:
        found.append(NamedBaseline("witten-bell", counted.order_k, "frozen", counted.k))
    return found + [
        NamedBaseline(name, bits, "adaptive")
        for name, bits in counted.compressors.items()
        if bits is not None
    ]


def best(rows: Iterable[NamedBaseline]) -> NamedBaseline | None:
    """The row with the fewest bits; None of none."""
    return min(rows, key=lambda row: row.bits, default=None)


def is_ngram(row: NamedBaseline) -> bool:
    """Whether a baseline counts n-grams of any symbols."""
    return row.name in _N_GRAMS


def is_compressor(row: NamedBaseline) -> bool:
    """Whether a baseline is a program that packs files."""
    return row.name in _COMPRESSORS
