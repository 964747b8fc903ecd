"""A run summary, its evaluations and input files in, the verdict out: a word, its reason, checks.

`THRESHOLDS` says when each check passes and when it fails; docs/report.md has the same table.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import JsonValue

from seqforge.base.messages import finite, format_number, mapping
from seqforge.core.data.ingest import Ingested
from seqforge.core.training.events import EvaluationRecord
from seqforge.reporting.named_baselines import (
    NamedBaseline,
    best,
    is_ngram,
    named_baselines,
)
from seqforge.reporting.summary import Chip, RunSummary, Verdict

State = Literal["pass", "look", "fail"]
Word = Literal["good", "look", "not yet"]

LEVEL_PERCENT = 0.05
"""Closer than this, rounding decides which is better."""
READ_ONCE, READ_LITTLE = 0.995, 0.1
"""Times that the training data were read."""
RISE_LOOK, RISE_FAIL = 1.0, 10.0
"""Held-out bits at the end above their best, in percent."""
GAP_LOOK, GAP_FAIL = 10.0, 25.0
"""Training bits below held-out bits, in percent."""
COPIED_LOOK, COPIED_FAIL = 2.0, 20.0
"""Points of percent that samples copy more than held-out data do."""
P_VALUE = 0.05
"""Of the rank test against controls that chance made."""
NEARER_LOOK, NEARER_FAIL = 0.75, 0.5
"""Share of the measures in which samples are nearer to the training data than random ones."""
REFUSED_FAIL = 0.5
"""Share of the files; copies of other files are not counted."""

THRESHOLDS: Mapping[str, tuple[str, str, str]] = {
    "beats baselines": (
        "fewer bits than every baseline, and the network alone than the best n-gram",
        "fewer bits than the best n-gram",
        "not even that",
    ),
    "enough training": (
        "the training data were read once or more",
        "less",
        f"less than {100 * READ_LITTLE:.0f} % of them, or nothing was learnt",
    ),
    "over-fitting": (
        f"held-out bits end less than {RISE_LOOK:g} % above their best, and less than "
        f"{GAP_LOOK:g} % above training bits",
        "more, or the curves move apart",
        f"{RISE_FAIL:g} % above their best, {GAP_FAIL:g} % above training bits, or diverged",
    ),
    "copies": (
        f"samples copy at most {COPIED_LOOK:g} points of percent more than held-out data do",
        f"at most {COPIED_FAIL:g} points",
        "more",
    ),
    "like chance": (
        f"more like the library than each control by chance (p ≤ {P_VALUE}); without a search: "
        f"nearer to the training data than random ones in {100 * NEARER_LOOK:.0f} % of the "
        "measures",
        f"undecided; {100 * NEARER_FAIL:.0f} % of the measures",
        "less like it than chance; fewer measures",
    ),
    "refused files": (
        "none, copies of other files apart",
        f"less than {100 * REFUSED_FAIL:.0f} % of the files",
        "more",
    ),
}
"""Of each check: when it passes, when it wants a look, when it fails."""


@dataclass(frozen=True)
class _Checked:
    """A check, and the half-sentence that the verdict says of it."""

    name: str
    state: State
    figure: str
    because: str

    def chip(self) -> Chip:
        passes, looks, fails = THRESHOLDS[self.name]
        said = f"pass: {passes}; look: {looks}; fail: {fails}"
        return Chip(name=self.name, state=self.state, figure=self.figure, threshold=said)


def judged(
    summary: RunSummary,
    metrics: Sequence[EvaluationRecord],
    ingest: Sequence[Ingested],
    copy_measure: str = "",
) -> Verdict:
    """The verdict on a run.

    Args:
        summary: All but its verdict.
        metrics: Lines of ``metrics.jsonl``.
        ingest: Lines of ``ingest.tsv``.
        copy_measure: The row of the domain's report that says how much is copied; empty: none.
    """
    found = [
        _baselines(summary),
        *([_training(summary), _fit(summary, metrics)] if summary.ngram is None else []),
        *_copies(summary, copy_measure),
        *_chance(summary),
        *_refused(ingest),
    ]
    states = {one.state for one in found}
    word: Word = "not yet" if "fail" in states else "look" if "look" in states else "good"
    return Verdict(
        word=word, reason=_reason(summary, found), chips=tuple(one.chip() for one in found)
    )


_SAID = 3  # half-sentences in a reason


def _reason(summary: RunSummary, found: Sequence[_Checked]) -> str:
    """What decided the verdict, the worst first, and what to try."""
    decided = [one for state in ("fail", "look") for one in found if one.state == state]
    if not decided:
        return _sentence(one.because for one in found[:_SAID])
    said = [one.because for one in decided[:_SAID]]
    trainable = summary.ngram is None
    if trainable and {"beats baselines", "enough training"} & {one.name for one in decided}:
        said.append(f"try --budget {longer_budget(summary)}")
    return _sentence(said)


def _sentence(parts: Iterator[str] | Sequence[str]) -> str:
    text = "; ".join(parts)
    return f"{text[:1].upper()}{text[1:]}."


_BUDGETS = {60: "1m", 300: "5m", 1200: "20m", 3600: "1h", 14400: "4h", 43200: "12h", 172800: "48h"}


def longer_budget(summary: RunSummary) -> str:
    """A budget in which the training data would be read once, and twice the one before at least."""
    spent, read = summary.training.seconds, times_read(summary)
    wanted = max(2 * spent, spent / read if read else 0.0)
    return next((name for seconds, name in _BUDGETS.items() if seconds >= wanted), "48h")


def times_read(summary: RunSummary) -> float:
    """How often the training data were read."""
    return summary.training.symbols_seen / max(1, summary.symbols.train)


def _baselines(summary: RunSummary) -> _Checked:
    name, rows = "beats baselines", simpler_means(summary)
    part, headline = summary.baselines.part, summary.headline
    model = headline.bits if headline else summary.bits_per_symbol.of(part)
    strongest, ngram = best(rows), best(filter(is_ngram, rows))
    if model is None and summary.ngram is not None and (n := summary.ngram.never_seen.of(part)):
        said = f"{n:,} held-out symbols were never seen after their contexts"
        return _Checked(name, "fail", "infinitely many bits", f"{said}; try --smoothing kneser-ney")
    if model is None or strongest is None:
        return _Checked(name, "look", "nothing held out", "nothing was held out to score")
    if ngram is not None and saved_percent(model, ngram.bits) < LEVEL_PERCENT:
        return _Checked(name, "fail", *_worse(model, ngram, "the best n-gram"))
    saved = saved_percent(model, strongest.bits)
    if saved < LEVEL_PERCENT:
        return _Checked(name, "look", *_worse(model, strongest, "the best baseline"))
    figure = f"{saved:.1f} % fewer bits than the best"
    because = f"{saved:.1f} % fewer bits than the best baseline ({strongest.said})"
    alone = summary.bits_per_symbol.of(part)
    if alone is not None and ngram and saved_percent(alone, ngram.bits) < LEVEL_PERCENT:
        because = f"{because}, but the network alone is no better than the best n-gram"
        return _Checked(name, "look", f"{figure}, by the memory", because)
    return _Checked(name, "pass", figure, because)


def _worse(model: float, other: NamedBaseline, called: str) -> tuple[str, str]:
    """The figure and the half-sentence of a model that does not beat a baseline."""
    lost = -saved_percent(model, other.bits)
    if lost < LEVEL_PERCENT:
        return f"level with {called}", f"no better than {called} ({other.label})"
    more = f"{lost:.1f} % more bits than {called}"
    return more, f"{more} ({other.label})"


def simpler_means(summary: RunSummary) -> list[NamedBaseline]:
    """The baselines of a run but its own memory, where that is part of what is scored."""
    rows = named_baselines(summary.baselines, summary.figures)
    mixed = summary.headline is not None and summary.headline.what == "network+memory"
    return [row for row in rows if not (mixed and row.name.startswith("memory"))]


def saved_percent(bits: float, other: float) -> float:
    """Two scores in, how many percent fewer bits the first needs out."""
    return 100 * (other - bits) / other if other else 0.0


def _training(summary: RunSummary) -> _Checked:
    name, read = "enough training", times_read(summary)
    share = f"{100 * read:.0f} %" if read >= 0.01 else "less than 1 %"
    times = f"{read:.2g}" if read < 10 else f"{read:,.0f}"
    whole = read >= READ_ONCE
    figure = f"data read {times} times" if whole else f"{share} of the data read"
    if summary.advice is not None and summary.advice.verdict == "nothing learnt":
        return _Checked(name, "fail", figure, f"nothing was learnt yet ({figure})")
    if whole:
        return _Checked(name, "pass", figure, f"the data were read {times} times")
    state: State = "fail" if read < READ_LITTLE else "look"
    return _Checked(name, state, figure, f"{share} of the training data were read")


def _fit(summary: RunSummary, metrics: Sequence[EvaluationRecord]) -> _Checked:
    name, diagnosis = "over-fitting", summary.advice.verdict if summary.advice else None
    if diagnosis == "diverged":
        return _Checked(name, "fail", "diverged", "training diverged")
    known = [(one.train_bits, one.valid_bits) for one in metrics]
    looks = [(t, v) for t, v in known if finite(t) is not None and finite(v)]
    if not looks:
        return _Checked(name, "look", "not measured", "over-fitting was not measured")
    rise, gap = _rise(looks), _gap(looks)
    figure = f"held-out bits {abs(gap):.1f} % {'above' if gap >= 0 else 'below'} training"
    if rise >= RISE_LOOK:
        figure = f"held-out bits ended {rise:.1f} % above their best"
    state: State = "pass"
    if rise >= RISE_FAIL or gap >= GAP_FAIL:
        state = "fail"
    elif rise >= RISE_LOOK or gap >= GAP_LOOK or diagnosis in ("over-fitting", "unsteady"):
        state = "look"
    if state == "pass":
        return _Checked(name, state, figure, "no over-fitting")
    return _Checked(name, state, figure, f"{diagnosis or name}: {figure}")


def _rise(looks: Sequence[tuple[float | None, float | None]]) -> float:
    held_out = [valid or 0.0 for _, valid in looks]
    return 100 * (held_out[-1] / min(held_out) - 1)


def _gap(looks: Sequence[tuple[float | None, float | None]]) -> float:
    """Over the last fifth of the evaluations, as in `core.training.diagnosis`."""
    late = looks[-max(1, len(looks) // 5) :]
    train, valid = (sum(look[place] or 0.0 for look in late) for place in (0, 1))
    return 100 * (1 - train / valid)


def _copies(summary: RunSummary, measure: str) -> Iterator[_Checked]:
    row = mapping(summary.report.get(measure))
    copied, usual = finite(row.get("samples")), finite(row.get("held-out")) or 0.0
    if copied is None:
        return
    more = 100 * (copied - usual)
    state: State = "pass" if more <= COPIED_LOOK else "look" if more <= COPIED_FAIL else "fail"
    figure = f"{100 * copied:.3g} %, held-out data {100 * usual:.3g} %"
    because = "no more is copied than real data share" if state == "pass" else (
        f"{measure}: {figure}"
    )  # fmt: skip
    yield _Checked("copies", state, figure, because)


_REAL = "real"  # a control that chance did not make


def _chance(summary: RunSummary) -> Iterator[_Checked]:
    tests = mapping(mapping(mapping(summary.similarity).get("controls")).get("tests"))
    rows = [mapping(test) for kind, test in tests.items() if kind != _REAL]
    found = [row for row in rows if finite(row.get("p")) is not None]
    if found:
        yield _against_controls(found)
        return
    pairs = [_closer(row) for row in summary.report.values()]
    nearer = [pair for pair in pairs if pair is not None]
    if nearer:
        share = sum(nearer) / len(nearer)
        state: State = (
            "pass" if share >= NEARER_LOOK else "look" if share >= NEARER_FAIL else "fail"
        )
        figure = f"nearer than random in {sum(nearer)} of {len(nearer)} measures"
        because = (
            "the samples are unlike chance" if state == "pass" else f"the samples are {figure}"
        )
        yield _Checked("like chance", state, figure, because)


def _against_controls(rows: Sequence[Mapping[str, object]]) -> _Checked:
    """The verdict against controls that chance made, from their rank tests."""
    able = [row for row in rows if (finite(row.get("least_p")) or 0.0) <= P_VALUE]
    told = [row for row in able if (finite(row.get("p")) or 0.0) <= P_VALUE]
    above = [row for row in told if (finite(row.get("delta")) or 0.0) > 0]
    least = min(finite(row.get("superiority")) or 0.0 for row in rows)
    figure = f"above chance in {100 * least:.0f} % of pairs"
    if len(above) < len(told):
        return _Checked("like chance", "fail", figure, "the samples are less like data than chance")
    if able and len(above) == len(able):
        return _Checked("like chance", "pass", figure, "the samples are unlike chance")
    undecided = "nothing shows yet that the samples are more like the library than chance"
    return _Checked("like chance", "look", figure, undecided)


def _closer(row: JsonValue) -> bool | None:
    """Whether samples are nearer to the training data than random ones; None: not such a row."""
    values = mapping(row)
    near, random = finite(values.get("closeness")), finite(values.get("closeness, random"))
    return None if near is None or random is None else near > random


def _refused(ingest: Sequence[Ingested]) -> Iterator[_Checked]:
    if not ingest:
        return
    copies = sum(line.duplicate for line in ingest)
    refused = sum(line.status == "refused" for line in ingest) - copies
    files = len(ingest) - copies
    figure = f"{format_number(refused)} of {format_number(files)}"
    if copies:
        figure += f"; {format_number(copies)} duplicate{'s'[: copies != 1]} left out"
    state: State = "pass" if not refused else "look" if refused < REFUSED_FAIL * files else "fail"
    because = f"{refused:,} of {files:,} files were refused" if refused else "every file was read"
    yield _Checked("refused files", state, figure, because)
