"""A finished run folder in, its verdict and its page out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from seqforge.core.data.domain import Domain
from seqforge.core.data.ingest import Ingested, read_ingest
from seqforge.core.data.presentation import NamesCopies, ShowsOnPage, SuggestsCommands
from seqforge.reporting.page import RunPage, write_report
from seqforge.reporting.summary import RunSummary, Verdict
from seqforge.reporting.verdict import judged
from seqforge.runs.folder import RunFolder
from seqforge.runs.results import SampleResult


def verdict_on(
    summary: RunSummary, folder: RunFolder, domain: Domain | None, lines: Sequence[Ingested]
) -> Verdict:
    """A summary without its verdict in, the verdict out."""
    from seqforge.runs.tensorboard import read_metrics

    copies = domain.copy_measure if isinstance(domain, NamesCopies) else ""
    return judged(summary, read_metrics(folder), lines, copies)


def write_run_page(
    folder: RunFolder, domain: Domain | None, summary: RunSummary, path: Path | None = None
) -> Path:
    """Write the page of a run.

    Args:
        folder: The run's, finished.
        domain: The run's, for its sections; None if it is not installed.
        summary: The run's, with its verdict.
        path: Where the page goes; None: into the folder.

    Raises:
        RunError: If something of the run cannot be read, or the page not be written.
    """
    from seqforge.runs.tensorboard import read_metrics

    sampled = folder.result("sampling", SampleResult)
    files = [file for row in summary.samples for file in row.files]
    page = RunPage(
        summary=summary,
        metrics=read_metrics(folder),
        samples=() if sampled is None else sampled.shown,
        ingest=read_ingest(folder.ingest) if folder.ingest.is_file() else (),
        more=domain.page_sections(folder.path, files) if isinstance(domain, ShowsOnPage) else (),
        commands=domain.next_commands if isinstance(domain, SuggestsCommands) else (),
    )
    write_report(path or folder.page, page, folder.path)
    return path or folder.page
