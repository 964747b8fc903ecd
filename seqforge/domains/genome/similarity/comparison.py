"""Are samples more like a library than chance? Best E-values of samples and controls compared."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from statistics import mean, median
from typing import Any

from seqforge.core.distributions import Distributions
from seqforge.domains.genome.similarity.hits import Hsp, SearchResult
from seqforge.domains.genome.similarity.picture import evalue_distributions
from seqforge.domains.genome.similarity.rank_test import RankTest, mann_whitney
from seqforge.domains.genome.similarity.reports import escaped, format_evalue

LEVEL = 0.05
"""A p at or below this counts as a difference."""
NOTABLE = 1e-3
_WHOLE = 0.99
SAMPLES = "samples"
CHANCE = ("shuffle", "markov")
"""Kinds of controls that chance makes; ``real`` is what a good model's samples are like."""


@dataclass(frozen=True)
class Group:
    """Sequences of one kind and what each of them found."""

    label: str
    results: tuple[SearchResult, ...]

    @property
    def evalues(self) -> list[float | None]:
        """The best E-value of each; None where it is above the limit of the search."""
        return [result.best_evalue for result in self.results]

    @property
    def likeness(self) -> list[float]:
        """-log10 of these: higher is more alike, those without a hit tie below all others."""
        return [_likeness(evalue) for evalue in self.evalues]


def _likeness(evalue: float | None) -> float:
    if evalue is None:
        return -math.inf
    return -math.log10(evalue) if evalue > 0 else math.inf


@dataclass(frozen=True)
class Comparison:
    """Samples and controls after the same search, and how they differ."""

    groups: Mapping[str, Group]
    """``samples`` first, then the controls by kind."""
    limit: float
    """E-values above it are not known."""
    copying: Mapping[str, Mapping[str, float | None]] = field(default_factory=dict)
    """What each group shares with the training data; see `copying.copied_from`."""
    copied_from: str = ""
    notes: tuple[str, ...] = ()

    def tests(self) -> dict[str, RankTest]:
        """The samples against each kind of control.

        Shuffles of one sample are like it and like each other in composition, which makes the
        test a little careful: it calls fewer differences than its level allows.
        """
        samples = self.groups[SAMPLES].likeness
        return {
            kind: mann_whitney(samples, group.likeness)
            for kind, group in self.groups.items()
            if kind != SAMPLES and group.results and samples
        }

    def sentence(self) -> str:
        """Whether the samples are more like the library than chance, with what says so."""
        tests = self.tests()
        first = self.groups[SAMPLES].results[0]
        said = [f"{self._verdict(tests)} ({first.database}, {first.database_length:,} bases)"]
        shares = [
            f"{100 * test.superiority:.0f} % with {self._called(kind)} (p = {_p(test.p)})"
            for kind, test in tests.items()
        ]
        if shares:
            said.append(f"of all pairs the sample has the better E-value in {_listed(shares)}")
            least = min(test.least_p for test in tests.values())
            said.append(f"with {self._count()} no p can be below {_p(least)}")
        return "; ".join(said)

    def _verdict(self, tests: Mapping[str, RankTest]) -> str:
        chance = [kind for kind in CHANCE if kind in tests]
        if not chance:
            return "whether the samples are more like the library than chance was not asked"
        unable = [kind for kind in chance if tests[kind].least_p > LEVEL]
        if unable == chance:
            return f"{self._count()} cannot tell whether they are more like the library than chance"
        above = [kind for kind in chance if tests[kind].p <= LEVEL and tests[kind].delta > 0]
        below = [kind for kind in chance if tests[kind].p <= LEVEL and tests[kind].delta < 0]
        if above == chance:
            return "the samples are more like the library than chance"
        if below == chance:
            return "the samples are less like the library than chance"
        if above:
            rest = " or ".join(self._called(kind) for kind in chance if kind not in above)
            higher = " and ".join(self._called(kind) for kind in above)
            if set(chance) <= {*above, *unable}:
                return (
                    f"the samples are more like the library than {higher}; {self._count()} cannot "
                    f"tell whether they are more like it than {rest}"
                )
            return f"the samples are more like the library than {higher} but not than {rest}"
        return "nothing shows that the samples are more like the library than chance"

    def _called(self, kind: str) -> str:
        label = self.groups[kind].label
        return f"an {label}" if label.startswith("order") else label

    def _count(self) -> str:
        count = len(self.groups[SAMPLES].results)
        return "1 sample" if count == 1 else f"{count} samples"

    def table(self) -> list[dict[str, Any]]:
        """A row a group, as a page shows it."""
        tests = self.tests()
        return [_row(group, tests.get(kind), self.limit) for kind, group in self.groups.items()]

    def distributions(self) -> Distributions:
        """The picture: the best E-values of each group."""
        groups = {group.label: group.evalues for group in self.groups.values()}
        return evalue_distributions(groups, self.limit)

    def summary(self) -> dict[str, Any]:
        """Everything above as plain values: ``controls.json``, and part of ``summary.json``."""
        first, picture = self.groups[SAMPLES].results[0], self.distributions()
        return {
            "sentence": self.sentence(),
            "library": first.database,
            "library_length": first.database_length,
            "evalue_limit": self.limit,
            "notes": list(self.notes),
            "labels": {kind: group.label for kind, group in self.groups.items()},
            "best_evalues": {kind: group.evalues for kind, group in self.groups.items()},
            "tests": {kind: _test(test) for kind, test in self.tests().items()},
            "table": self.table(),
            "picture": {**asdict(picture), "ticks": [list(tick) for tick in picture.ticks]},
            "copied_from": self.copied_from,
            "copying": {name: dict(row) for name, row in self.copying.items()},
        }

    def tsv(self) -> str:
        """``controls.tsv``: a header, then a line a sequence, the samples among them."""
        heads = (
            "group", "query", "length", "best_evalue", "bit_score", "identity_percent",
            "align_length", "hit", "hit_start", "hit_end", "library", "library_length",
        )  # fmt: skip
        lines = ["\t".join(heads)]
        for kind, group in self.groups.items():
            for result in group.results:
                cells = (kind, result.query_id, result.query_length, *_best_cells(result),
                         result.database, result.database_length)  # fmt: skip
                lines.append("\t".join(escaped(" ".join(str(cell).split())) for cell in cells))
        return "\n".join([*lines, ""])

    def text(self) -> str:
        """The table and the notes for a terminal; `sentence` says what they mean."""
        rows = [{key: _cell(cell) for key, cell in row.items()} for row in self.table()]
        heads = list(rows[0])
        widths = {head: max(len(head), *(len(row[head]) for row in rows)) for head in heads}
        lines = [
            "  ".join(
                cells[head].ljust(widths[head]) if head == heads[0]
                else cells[head].rjust(widths[head])
                for head in heads
            ).rstrip()
            for cells in [{head: head for head in heads}, *rows]
        ]  # fmt: skip
        return "\n".join([*lines, *self.notes])


def found_whole(result: SearchResult) -> bool:
    """Whether all of the query stands in the library, but for one letter in a hundred."""
    return any(
        hsp.identity_count >= _WHOLE * result.query_length and not hsp.gaps
        for hit in result.hits
        for hsp in hit.hsps
    )


def _row(group: Group, test: RankTest | None, limit: float) -> dict[str, Any]:
    count = len(group.results)
    likeness = sorted(group.likeness)
    masked = [result.masked for result in group.results if result.masked is not None]
    notable = sum(evalue is not None and evalue <= NOTABLE for evalue in group.evalues)
    return {
        "sequences": group.label,
        "how many": count,
        "median best E()": _evalue_text(median(likeness), limit) if count else None,
        "lowest E()": _evalue_text(likeness[-1], limit) if count else None,
        f"E() <= {NOTABLE:g}": notable,
        "low-complexity %": None if not masked else round(100 * mean(masked), 1),
        "samples better (% of pairs)": None if test is None else round(100 * test.superiority),
        "Cliff's delta": None if test is None else f"{test.delta:+.2f}",
        "p": None if test is None else _p(test.p),
    }


def _evalue_text(likeness: float, limit: float) -> str:
    if likeness == -math.inf:
        return f"> {limit:g}"
    return format_evalue(0.0 if likeness == math.inf else 10**-likeness)


def _test(test: RankTest) -> dict[str, Any]:
    derived = {name: getattr(test, name) for name in ("superiority", "delta")}
    return {"test": "Mann-Whitney U, two-sided", **asdict(test), **derived}


def _best_cells(result: SearchResult) -> tuple[object, ...]:
    best = min(
        ((hsp.evalue, -hsp.bit_score, place) for place, (_, hsp) in enumerate(_pairs(result))),
        default=None,
    )
    if best is None:
        return ("", "", "", "", "", "", "")
    name, hsp = _pairs(result)[best[2]]
    return (
        format_evalue(hsp.evalue),
        f"{hsp.bit_score:.1f}",
        f"{hsp.identity:.1f}",
        hsp.align_length,
        name,
        hsp.hit_start,
        hsp.hit_end,
    )


def _pairs(result: SearchResult) -> Sequence[tuple[str, Hsp]]:
    return [(hit.id, hsp) for hit in result.hits for hsp in hit.hsps]


def _p(value: float) -> str:
    return f"{value:.2g}" if value < 0.9995 else "1"


def _cell(value: Any) -> str:
    return "" if value is None else str(value)


def _listed(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
