"""Exported samples in, one HTML page out on which they are seen and heard."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from seqforge.base import html_page
from seqforge.base.folders import write_atomically
from seqforge.core.data.domain import Sample
from seqforge.core.output.metadata import settings_of, temperature_of
from seqforge.domains.music.render.pieces import piece_section, shown, within
from seqforge.domains.music.render.sample_export import Rendered

SHOWN = 12
"""Samples on the page; for others there are files only."""


def write_page(
    path: Path,
    title: str,
    prime: Rendered | None,
    samples: Sequence[Rendered],
    count: int,
    remarks: Sequence[str] = (),
) -> None:
    """Write the page, atomically.

    Args:
        path: Where it goes, beside the files of the samples.
        title: Its heading.
        prime: What was given, where something was.
        samples: At least one; the first `SHOWN` are shown.
        count: How many there are in all.
        remarks: Sentences on how the prime was taken.

    Raises:
        RunError: If it cannot be written.
    """
    pieces = [shown(prime, "What was given", "prime")] if prime else []
    pieces += [
        shown(one, f"Sample {one.performance.sample.number}", f"s{number}")
        for number, one in enumerate(samples[:SHOWN], 1)
    ]
    left_out = count - min(len(samples), SHOWN)
    head = html_page.macros(__package__, "pieces.html.jinja").head(
        title, _how(samples[0].performance.sample), remarks, prime is not None, left_out
    )
    page = html_page.page(title, str(head), list(map(piece_section, within(pieces))))
    write_atomically(path, page.encode("utf-8", "replace"))


def _how(sample: Sample) -> list[tuple[str, str]]:
    """How all samples were drawn, as rows of a table."""
    temperature = temperature_of(sample)
    rows = [
        ("model", sample.model),
        ("temperature", "" if temperature is None else temperature.removesuffix(".0")),
        ("seed", "" if sample.seed is None else str(sample.seed)),
        *((name.replace("_", " "), value) for name, value in settings_of(sample).items()),
    ]
    return [(name, value) for name, value in rows if value]
