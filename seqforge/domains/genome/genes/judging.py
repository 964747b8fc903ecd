"""Probabilities of labels and true genes in, how good the genes are that are found by them out:
beside log-odds in windows, and beside the sensors and the grammar without a network.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqforge.charts.tracks import Box, Tracks
from seqforge.core.data.examples import Ids
from seqforge.core.data.labelling import LabelFindings, Picture
from seqforge.core.evaluation.task_scores import ClassScores
from seqforge.domains.genome.genes.baseline import best_threshold, periodic_odds
from seqforge.domains.genome.genes.classical import PLAIN
from seqforge.domains.genome.genes.grammar import Lengths, Weights
from seqforge.domains.genome.genes.labels import CODING, STRAND
from seqforge.domains.genome.genes.scores import (
    Agreement,
    GeneScores,
    LabelCounts,
)
from seqforge.domains.genome.genes.sensors import Sensors
from seqforge.domains.genome.genes.transcripts import Transcript
from seqforge.domains.genome.genes.tuning import Stretch, compared, genes_of, scores_of
from seqforge.domains.genome.nucleotides import Codes

BASELINE = "order-5 three-periodic log-odds in windows"
_SHOWN = 40_000  # bases of the picture
_POINTS = 800


def judged(
    stretches: Sequence[Stretch], targets: Sequence[Ids], seen: Sequence[tuple[Codes, Ids]],
    sensors: Sensors, lengths: Lengths, weights: Weights,
) -> LabelFindings:  # fmt: skip
    """Score a held-out part.

    Args:
        stretches: Its sequences, with the network's probabilities.
        targets: Their true labels.
        seen: Sequences and labels that the threshold of the baseline is chosen on.
        sensors: Of the training part.
        lengths: Of introns and genes.
        weights: Of the grammar.
    """
    found = [genes_of(one, weights, lengths, sensors) for one in stretches]
    network = compared(stretches, found)
    beside = scores_of(stretches, PLAIN, lengths, sensors)
    odds = _log_odds(stretches, seen, sensors)
    rows = [
        _row("network, sensors and grammar", network),
        _row("sensors and grammar, no network", beside),
        _row(BASELINE, odds),
    ]
    counts = LabelCounts()
    for one, true in zip(stretches, targets, strict=True):
        labels = one.probabilities.argmax(1).astype(np.uint8)
        counts.add(labels, np.where(true < 255, true, 255).astype(np.uint8))
    metrics = {**_metrics(network), "label_accuracy": _accuracy(counts)}
    return LabelFindings(
        metrics=metrics,
        baseline=BASELINE,
        baseline_metrics=_metrics(odds),
        tables={
            "Genes": rows,
            "Each label of the network": _by_label(counts),
            "Weights of the grammar": [{"weight": n, "value": v} for n, v in
                                       weights._asdict().items()],
        },
        pictures=[_picture(stretches[0], found[0])] if stretches else (),
    )  # fmt: skip


def _log_odds(
    stretches: Sequence[Stretch], seen: Sequence[tuple[Codes, Ids]], sensors: Sensors
) -> GeneScores:
    """How windows above the best threshold agree with the transcripts."""
    codes = [codes for codes, _ in seen]
    coding = np.concatenate([_coding(labels) for _, labels in seen])
    least = best_threshold(np.concatenate([periodic_odds(sensors, c) for c in codes]), coding)
    return compared(stretches, (_windows(one, sensors, least) for one in stretches))


def _windows(one: Stretch, sensors: Sensors, least: float) -> list[Transcript]:
    """Windows above a threshold, as exons; they are of no strand and count as either."""
    above = periodic_odds(sensors, one.codes) > least
    edges = np.flatnonzero(np.diff(above, prepend=False, append=False)).reshape(-1, 2)
    strands = {exon: each.strand for each in one.transcripts for exon in each.exons}
    runs = [(int(a), int(b)) for a, b in edges]
    return [Transcript(strands.get(run, "+"), (run,), 0) for run in runs]


def _coding(labels: Ids) -> NDArray[np.bool_]:
    known = labels < len(CODING)
    coding: NDArray[np.bool_] = known & CODING[np.where(known, labels, 0)]
    return coding


def _metrics(scores: GeneScores) -> dict[str, float]:
    return {
        "coding_f1": round(scores.bases.f1, 4),
        "exon_f1": round(scores.exons.f1, 4),
        "transcript_f1": round(scores.transcripts.f1, 4),
    }


def _row(name: str, scores: GeneScores) -> dict[str, Any]:
    row: dict[str, Any] = {"found by": name}
    for what, one in (
        ("coding", scores.bases), ("exon", scores.exons), ("transcript", scores.transcripts),
    ):  # fmt: skip
        row |= _figures(one, f"{what} ")
    return row


def _figures(one: Agreement, what: str = "") -> dict[str, float]:
    figures = {"precision": one.precision, "recall": one.recall, "F1": one.f1}
    return {f"{what}{name}": round(value, 4) for name, value in figures.items()}


def _by_label(counts: LabelCounts) -> list[dict[str, Any]]:
    return [
        {"label": name, "bases": one.there, **_figures(one)}
        for name, one in counts.by_label().items()
    ]


def _accuracy(counts: LabelCounts) -> float:
    return round(ClassScores(counts.table).accuracy, 4)


def _picture(one: Stretch, found: Sequence[Transcript]) -> Picture:
    """The stretch with the most coding bases of those that are looked at."""
    start = _busiest(one)
    stop = min(start + _SHOWN, len(one.codes))
    step = max(1, (stop - start) // _POINTS)
    shown = one.probabilities[start:stop]
    kinds = np.arange(len(CODING)) > STRAND
    curves = {
        f"coding {sign}": _means(shown[:, CODING & (kinds == reverse)].sum(1), step)
        for sign, reverse in (("+", False), ("-", True))
    }
    boxes = {
        "annotation": list(_boxes(one.transcripts, start, stop)),
        "found": list(_boxes(found, start, stop)),
    }
    caption = (
        f"Bases {start + 1:,} to {stop:,} of what is held out: coding exons (above the line those "
        "of the forward strand, below it those of the reverse strand, introns as lines) and the "
        "network's probability that a base codes."
    )
    return Picture(Tracks(start, stop, boxes, curves).svg(), caption)


def _busiest(one: Stretch) -> int:
    """Where the most transcripts of both strands lie."""
    best, most = 0, -1
    spans = [(each.span, each.strand) for each in one.transcripts]
    for start in range(0, max(1, len(one.codes) - _SHOWN), _SHOWN // 2):
        inside = [s for (a, b), s in spans if start <= a and b <= start + _SHOWN]
        worth = min(inside.count("+"), inside.count("-")) * 3 + len(inside)
        if worth > most:
            best, most = start, worth
    return best


def _boxes(transcripts: Sequence[Transcript], start: int, stop: int) -> Iterator[Box]:
    for one in transcripts:
        if one.span[1] <= start or one.span[0] >= stop:
            continue
        exons = [(max(a, start), min(b, stop)) for a, b in one.exons if a < stop and start < b]
        yield Box(one.strand == "+", tuple(exons), one.span)


def _means(values: NDArray[np.floating], step: int) -> list[float]:
    whole = values[: len(values) // step * step].astype(np.float32).reshape(-1, step)
    found: list[float] = np.round(whole.mean(1), 3).tolist()
    return found
