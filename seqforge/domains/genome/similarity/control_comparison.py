"""E-values of samples and controls in, Mann-Whitney tests, a sentence and a picture out."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from statistics import mean, median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqforge.base.tables import aligned, wrapped
from seqforge.charts.ecdf import EcdfChart
from seqforge.domains.genome.similarity.hits import Hsp, SearchResult, escaped, format_evalue

EXACT_PAIRS = 2500
"""Up to this many pairs p is exact; beyond, the normal approximation is close."""


@dataclass(frozen=True)
class RankTest:
    """Result of a Mann-Whitney test; ``superiority`` and ``delta`` are effect sizes."""

    first: int
    """Size of the first group."""
    second: int
    u: float
    """Pairs in which the first value is larger; ties count half."""
    p: float
    """Two-sided p."""
    least_p: float
    """The smallest p possible with these values; ties raise it."""
    exact: bool
    """Whether p is exact, ties included, and not approximated."""

    @property
    def superiority(self) -> float:
        """Chance that a value of the first group is larger than one of the second; ties count half.

        References:
            Vargha and Delaney 2000, https://doi.org/10.3102/10769986025002101
        """
        return self.u / (self.first * self.second)

    @property
    def delta(self) -> float:
        """Cliff's delta: share of pairs above minus share below; 0 for no effect.

        References:
            Cliff 1993, https://doi.org/10.1037/0033-2909.114.3.494
        """
        return 2 * self.superiority - 1


def mann_whitney(first: Sequence[float], second: Sequence[float]) -> RankTest:
    """Two groups of values in, the Mann-Whitney test of their ranks out.

    Args:
        first: At least one; infinities are as good as any number, for what is beyond measuring.
        second: The same.

    Raises:
        ValueError: If a group is empty, or there is a NaN.

    References:
        Mann and Whitney 1947, https://doi.org/10.1214/aoms/1177730491; the exact distribution
        under ties by adding one rank after the other, Streitberg and Roehmel 1986, Statistical
        Software Newsletter 12:10; the variance under ties, Lehmann 1975, "Nonparametrics", 1.4.
    """
    values = np.array([*first, *second], np.float64)
    n, m = len(first), len(second)
    if not n or not m:
        raise ValueError("a rank test needs at least one value in each group")
    if np.isnan(values).any():
        raise ValueError("a rank test takes no NaN")
    ranks, ties = _doubled_ranks(values)
    total = int(ranks[:n].sum())  # twice the sum of the first group's ranks
    u = (total - n * (n + 1)) / 2
    if n * m <= EXACT_PAIRS:
        return RankTest(n, m, u, *_exact_p(ranks, n, total), True)
    ordered = np.sort(ranks)
    sums = int(ordered[:n].sum()), int(ordered[m:].sum())
    furthest = max(abs((one - n * (n + 1)) / 2 - n * m / 2) for one in sums)
    least = _normal_p(n * m / 2 + furthest, n, m, ties)
    return RankTest(n, m, u, _normal_p(u, n, m, ties), least, False)


def _doubled_ranks(values: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Twice the rank of each value, from 1, ties sharing their mean; and how many share each."""
    _, which, counts = np.unique(values, return_inverse=True, return_counts=True)
    below = np.cumsum(counts) - counts
    return (2 * below + counts + 1)[which].astype(np.int64), counts.astype(np.int64)


def _exact_p(ranks: NDArray[np.int64], chosen: int, total: int) -> tuple[float, float]:
    """Share of all choices of so many values whose rank sum is as far from its mean.

    Returns:
        That of this sum, and that of the sum that is furthest.
    """
    if 2 * chosen > len(ranks):  # the others are fewer, and as far on the other side
        chosen, total = len(ranks) - chosen, int(ranks.sum()) - total
    most = int(np.sort(ranks)[len(ranks) - chosen :].sum())
    ways = np.zeros((chosen + 1, most + 1))  # of choosing k values with such a sum
    ways[0, 0] = 1
    for rank in ranks.tolist():
        with_it = ways[:-1, : max(0, most + 1 - rank)].copy()
        ways[1:, rank:] += with_it
    mean = chosen * (len(ranks) + 1)
    distance = np.abs(np.arange(most + 1) - mean)
    furthest = int(distance[ways[chosen] > 0].max())
    this, least = (
        min(1.0, float(ways[chosen, distance >= apart].sum() / ways[chosen].sum()))
        for apart in (abs(total - mean), furthest)
    )
    return this, least


def _normal_p(u: float, n: int, m: int, ties: NDArray[np.int64]) -> float:
    """By the normal distribution, half a pair taken off for continuity."""
    size = n + m
    tied = float((ties.astype(np.float64) ** 3 - ties).sum()) / (size * (size - 1))
    variance = n * m / 12 * (size + 1 - tied)
    if variance <= 0:
        return 1.0
    distance = max(0.0, abs(u - n * m / 2) - 0.5)
    return math.erfc(distance / math.sqrt(2 * variance))


_LABEL = "best E-value (log scale), more alike to the right"
_STEPS = (1, 2, 5, 10, 20, 50, 100)
"""Powers of ten from tick to tick."""
_CLOSEST = 0.11  # ticks may not stand closer, as a share of the axis: a phone has large letters
_LEAST_POWER = -300.0  # an E-value of 0 stands here: the smallest that a double holds is near
_BEGIN = 0.12  # where the axis begins; sequences without a hit stand at 0


def evalue_distributions(groups: Mapping[str, Sequence[float | None]], limit: float) -> EcdfChart:
    """The axis is logarithmic, from the limit of the search on.

    Args:
        groups: Best E-values by the group's name; None where there is none up to the limit.
        limit: Of the search.
    """
    known = [
        _log_likeness(value) for values in groups.values() for value in values if value is not None
    ]
    least = -math.log10(limit)
    scale = _Scale(least, max([least + 3.0, *known]))
    missing = any(value is None for values in groups.values() for value in values)
    places = {
        name: [0.0 if value is None else scale(_log_likeness(value)) for value in values]
        for name, values in groups.items()
    }
    return EcdfChart(_LABEL, scale.ticks(missing), places)


def _log_likeness(evalue: float) -> float:
    return -max(_LEAST_POWER, math.log10(evalue)) if evalue > 0 else -_LEAST_POWER


class _Scale:
    """From powers of ten to places between `_BEGIN` and 1."""

    def __init__(self, low: float, high: float) -> None:
        self._low, self._high = low, high

    def __call__(self, likeness: float) -> float:
        share = (likeness - self._low) / (self._high - self._low)
        return _BEGIN + (1 - _BEGIN) * min(1.0, max(0.0, share))

    def ticks(self, missing: bool) -> list[tuple[float, str]]:
        """Evenly spaced, as many as have room."""
        span = self._high - self._low
        step = next((s for s in _STEPS if s / span * (1 - _BEGIN) >= _CLOSEST), _STEPS[-1])
        found = [(0.0, "none")] if missing else []
        for power in range(math.ceil(self._low / step) * step, math.floor(self._high) + 1, step):
            found.append((self(power), f"{10.0**-power:g}" if power < 4 else f"1e-{power}"))
        return found


LEVEL = 0.05
"""A p at or below this counts as a difference."""
NOTABLE = 1e-3
_WHOLE = 0.99
SAMPLES = "samples"
CHANCE = ("shuffle", "markov")
"""Kinds of controls that chance makes; ``real`` is what a good model's samples are like."""


@dataclass(frozen=True)
class ComparedGroup:
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
class ControlComparison:
    """Samples and controls after the same search, and how they differ."""

    groups: Mapping[str, ComparedGroup]
    """``samples`` first, then the controls by kind."""
    limit: float
    """E-values above it are not known."""
    copying: Mapping[str, Mapping[str, float | None]] = field(default_factory=dict)
    """What each group shares with the training data; see `composition.copied_from`."""
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
        said = [
            f"{self._verdict(tests)} ({first.database}, {first.database_length:,} {first.unit})"
        ]
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

    def distributions(self) -> EcdfChart:
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

    def text(self, width: int | None = None) -> str:
        """The table and the notes for a terminal; `sentence` says what they mean."""
        rows = [{key: _cell(cell) for key, cell in row.items()} for row in self.table()]
        heads = list(rows[0])
        cells = [heads, *([row[head] for head in heads] for row in rows)]
        if width is not None and len(aligned(cells)[0]) > width:
            cells = [list(column) for column in zip(*cells, strict=True)]  # a column a group
        table = aligned(cells, width, right=range(1, len(cells[0])))
        return "\n".join([*table, *(wrapped(note, width) for note in self.notes)])


def found_whole(result: SearchResult) -> bool:
    """Whether all of the query stands in the library, but for one letter in a hundred."""
    return any(
        hsp.identity_count >= _WHOLE * result.query_length and not hsp.gaps
        for hit in result.hits
        for hsp in hit.hsps
    )


def _row(group: ComparedGroup, test: RankTest | None, limit: float) -> dict[str, Any]:
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
