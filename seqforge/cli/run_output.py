"""A finished or stopped run in, the few lines that are said of it out."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from seqforge.cli.console import echo, say

if TYPE_CHECKING:
    from seqforge.reporting.summary import RunSummary
    from seqforge.runs.folder import RunFolder
    from seqforge.runs.request import RunRequest


def say_stopped(order: RunRequest, folder: RunFolder) -> None:
    """How to go on; quoted so that it can be typed as it stands."""
    words = ["seqforge", "train" if order.only_train else "run", order.pipeline]
    if folder.worked:
        again = shlex.join([*words, "--out", str(folder.path), "--resume"])
        said = f"stopped, everything saved; go on with: {again}"
    else:
        said = "stopped before anything was trained; nothing was lost"
    say(said, "yellow")


def tell(folder: RunFolder) -> None:
    """The few lines that a finished run ends in."""
    from seqforge.reporting.named_baselines import best, is_ngram, named_baselines
    from seqforge.reporting.summary import RunSummary

    summary = RunSummary.read(folder.summary)
    counted = summary.baselines
    rival = best(row for row in named_baselines(counted, summary.figures) if is_ngram(row))
    if (first := summary.headline) is not None and rival is not None:
        network = summary.bits_per_symbol.of(counted.part)
        with_memory = first.what == "network+memory"
        alone = f"; the network alone, frozen, {network:.4f}" if with_memory else ""
        echo(
            f"{first.bits:.4f} bits per {summary.unit} on held-out data "
            f"({first.part}{_overlap(summary)}){alone}; the best n-gram (order {rival.order}) "
            f"needs {rival.bits:.4f}"
        )
        if summary.spelled is not None:
            echo(summary.spelled.sentence(summary.unit))
    elif summary.ngram is not None and summary.ngram.never_seen.of(counted.part):
        echo(_infinite(summary))
    if summary.metrics:
        echo(_measured(summary))
    for row in summary.samples:
        if row.file is not None:
            echo(f"samples at t={row.temperature}: {folder.path / row.file}")
    if found := summary.similarity:
        echo(str(found.get("said") or found["sentence"]))
    echo(f"model:  {folder.model}")
    if folder.page.is_file():
        echo(f"report: {folder.page}")


def _measured(summary: RunSummary) -> str:
    """How good the model of a task is, beside a simple one."""
    from seqforge.base.messages import readable

    beside = summary.baseline_metrics
    said = [
        f"{readable(name)} {value:.4f}" + (f" ({beside[name]:.4f})" if name in beside else "")
        for name, value in summary.metrics.items()
    ]
    rest = f"; in brackets: {summary.baseline}" if beside else ""
    return f"{', '.join(said)} on held-out data ({summary.metrics_part}){rest}"


def _overlap(summary: RunSummary) -> str:
    """What the headline says of held-out data that were trained on as well."""
    found = summary.overlap.measured
    return f"; {found.remark(summary.unit)}" if found.notable else ""


def _infinite(summary: RunSummary) -> str:
    """What an n-gram model needs that gives some held-out symbols no chance."""
    assert summary.ngram is not None
    part = summary.baselines.part
    others = summary.ngram.bits_of_seen.of(part)
    return (
        f"infinitely many bits per {summary.unit} on held-out data ({part}): "
        f"{summary.ngram.never_seen.of(part):,} symbols were never seen after their contexts"
        + ("" if others is None else f"; the others need {others:.4f}")
    )
