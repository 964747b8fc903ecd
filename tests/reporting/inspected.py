"""What the tests show on the page of units."""

from __future__ import annotations

import numpy as np

from seqforge.core.inspection.annotations import WrittenNote
from seqforge.core.inspection.directions import directions
from seqforge.reporting.inspect_view import (
    GateSaturation,
    InspectView,
    Probe,
    ShownAblation,
    ShownAnnotation,
    ShownDrive,
    ShownRecord,
    ShownTune,
    ShownUnit,
)

LINE = "the <cat> & the d\u0301og sat, \0 quoth he\n"
LAYERS, UNITS = 2, 6


def of(everything):
    """The directions of what all units carry."""
    return directions(lambda start, stop: everything[start:stop], len(everything))


def made_up(text=LINE * 40, **more):
    """A view with a unit that follows the place in the line, one that was not found, and others."""
    count, rng = len(text), np.random.default_rng(0)
    place = np.array([i % len(LINE) for i in range(count)], np.float32)
    vowel = np.array([one in "aeiou" for one in text], np.float32)
    everything = rng.uniform(-1, 1, (count, LAYERS * UNITS)).astype(np.float32)
    everything[:, 9] = place / len(LINE) * 2 - 1
    vocabulary = sorted(set(text))
    found = ShownUnit(
        1, 3, everything[:, 9], "place in line", "r", 0.914, (0.31, -0.42), (0.05, -0.11), 0.494,
        True, ShownAblation(0.2, -0.01, 0.03), ShownDrive(-0.9, 0.8, 12, 40, 25, (-2, 3)),
    )  # fmt: skip
    missed = ShownUnit(
        0, 2, everything[:, 2], "vowel", "auc", 0.91, (0.93,), (0.55,), -0.02, False,
    )  # fmt: skip
    return InspectView(**{
        "model": "made-up", "unit": "character", "symbols": text, "parameters": 12_345,
        "bits": rng.uniform(0, 6, count), "entropy": rng.uniform(0, 3, count),
        "vocabulary": vocabulary,
        "top_ids": np.array([[vocabulary.index(one) + 1, 0, 1, 2, 3] for one in text]),
        "top_probabilities": np.tile([0.6, 0.2, 0.1, 0.05, 0.001], (count, 1)),
        "annotations": [
            ShownAnnotation("place in line", "r", place), ShownAnnotation("vowel", "auc", vowel)
        ],
        "units": [found, missed], "shape": (LAYERS, UNITS), "all_units": everything,
        "directions": of(everything),
        "gates": [GateSaturation(0, "forget", rng.uniform(0, 0.4, 6), rng.uniform(0, 0.4, 6))],
        "probes": [Probe(0, "vowel", "auc", 0.75), Probe(1, "vowel", "auc", 0.875)],
        "memory": [(1, 3.5), (16, 2.5), (None, 2.25)],
        **more,
    })  # fmt: skip


def genome():
    """1,000 bases of two contigs, with an exon in the second line."""
    rng = np.random.default_rng(2)
    exon = np.zeros(1000, np.float32)
    exon[70:75] = 1
    return InspectView(
        "fly", "base", "".join(rng.choice(list("ACGT"), 1000)), rng.uniform(0, 3, 1000),
        records=[ShownRecord("chrA", 100), ShownRecord("chrB", 900, 5000)],
        annotations=[ShownAnnotation("exon", "auc", exon)], tracks=True,
    )  # fmt: skip


def tunes():
    """Two tunes, and a unit that rises along them."""
    text = "K:C\nC2 d|e4|\nK:G\nG4|\n"
    shown = [
        ShownTune(0, 13, [WrittenNote(4, 6, 0, 1, 0), WrittenNote(7, 8, 1, 0.5, 8),
                          WrittenNote(9, 11, 1.5, 2, 9)], [1.5, 3.5]),
        ShownTune(13, 21, [WrittenNote(17, 19, 0, 2, 4)], [2.0]),
    ]  # fmt: skip
    rising = np.linspace(-1, 1, len(text)).astype(np.float32)
    return InspectView(
        "folk", "character", text, np.ones(len(text)), units=[ShownUnit(0, 0, rising)],
        tunes=shown, records=[ShownRecord("a", 13), ShownRecord("b", 8)],
    )  # fmt: skip
