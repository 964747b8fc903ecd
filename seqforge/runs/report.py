"""Finished run folders in, verdict and page of one, or a page that compares several, out."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

from seqforge.base.html_page import Section
from seqforge.base.messages import Advance, unheard
from seqforge.core.data.domain import Domain
from seqforge.core.data.ingest import Ingested, read_ingest
from seqforge.core.data.presentation import NamesCopies, ShowsOnPage, SuggestsCommands
from seqforge.errors import RunError, SeqforgeError
from seqforge.registry import load_domain
from seqforge.reporting.excerpt import excerpt_section
from seqforge.reporting.first_screen import link, run_folder
from seqforge.reporting.labels import label_section
from seqforge.reporting.page import RunPage, write_report
from seqforge.reporting.summary import RunSummary, Verdict
from seqforge.reporting.verdict import judged
from seqforge.runs.folder import RunFolder, read_metrics
from seqforge.runs.results import ExcerptResult, SampleResult


def verdict_on(
    summary: RunSummary, folder: RunFolder, domain: Domain | None, lines: Sequence[Ingested]
) -> Verdict:
    """A summary without its verdict in, the verdict out."""
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
    sampled = folder.result("sampling", SampleResult)
    files = [file for row in summary.samples for file in row.files]
    page = RunPage(
        summary=summary,
        metrics=read_metrics(folder),
        samples=() if sampled is None else sampled.shown,
        ingest=read_ingest(folder.ingest) if folder.ingest.is_file() else (),
        more=[*_labels(summary), *_excerpt(folder, summary), *_own_sections(domain, folder, files)],
        commands=domain.next_commands if isinstance(domain, SuggestsCommands) else (),
    )
    write_report(path or folder.page, page, folder.path)
    return path or folder.page


def _labels(summary: RunSummary) -> Iterator[Section]:
    """What the label brings, of a model with labels."""
    if summary.labels is not None:
        yield label_section(summary.labels, summary.unit)


def _excerpt(folder: RunFolder, summary: RunSummary) -> Iterator[Section]:
    """Held-out data coloured; older runs have none."""
    seen = folder.result("seeing", ExcerptResult)
    if seen is not None and seen.excerpt is not None:
        command = f"seqforge inspect {shlex.quote(run_folder(summary))} INPUT --out seen"
        yield excerpt_section(seen.excerpt, command)


def _own_sections(
    domain: Domain | None, folder: RunFolder, files: Sequence[str]
) -> Sequence[Section]:
    return domain.page_sections(folder.path, files) if isinstance(domain, ShowsOnPage) else ()


def report_run(folder: RunFolder, path: Path | None = None) -> Path:
    """A finished run in, its page written anew, with its verdict, out.

    Raises:
        RunError: If it is not finished, or something of it cannot be read.
    """
    summary, domain = finished_summary(folder), domain_of(folder)
    if summary.task != "generate":
        from seqforge.runs.tasks.pipeline import report_task

        return report_task(folder, summary, path)
    return write_run_page(folder, domain, summary, path)


def finished_summary(folder: RunFolder) -> RunSummary:
    """The summary of a run, judged where it is of an older version.

    Raises:
        RunError: If there is none.
    """
    if not folder.summary.is_file():
        raise RunError(
            f"{folder.path}: is no finished run; name a run folder, or let its run finish"
        )
    summary = RunSummary.read(folder.summary)
    if summary.verdict is not None:
        return summary
    lines = read_ingest(folder.ingest) if folder.ingest.is_file() else ()
    verdict = verdict_on(summary, folder, domain_of(folder), lines)
    return summary.model_copy(update={"verdict": verdict})


def domain_of(folder: RunFolder) -> Domain | None:
    """The domain of a run; None if it is not installed here."""
    try:
        config = folder.recipe().config()
        return load_domain(config.domain, dict(config.domain_options))
    except SeqforgeError:
        return None


def compare_runs(folders: Sequence[RunFolder], path: Path, progress: Advance = unheard) -> None:
    """Finished runs in, a page that compares them out.

    Raises:
        RunError: If one is not finished, or something of it cannot be read.
    """
    from seqforge.reporting.comparison import ComparedRun, write_comparison
    from seqforge.runs.sample import OPTIONS

    runs = []
    for done, (name, folder) in enumerate(zip(_names(folders), folders, strict=True)):
        progress(done, len(folders), name)
        page = link(folder.page.name, folder.path, path.parent) if folder.page.is_file() else ""
        run = ComparedRun(
            name, finished_summary(folder), read_metrics(folder), _drawn(folder), page
        )
        runs.append(run)
    write_comparison(
        path,
        runs,
        f"Temperature {OPTIONS.temperature}, seed {OPTIONS.seed}, at most {OPTIONS.length} symbols "
        "of each.",
    )


def _names(folders: Sequence[RunFolder]) -> list[str]:
    """Names of folders, as short as tells them apart."""
    short = [folder.path.resolve().name for folder in folders]
    whole = [str(folder.path) for folder in folders]
    names = short if len(set(short)) == len(short) else whole
    return [f"{name} ({n})" if names.count(name) > 1 else name for n, name in enumerate(names, 1)]


def _drawn(folder: RunFolder) -> str:
    """A sample of a run's model; empty where there is no model, or its domain is not here."""
    from seqforge.core.model.checkpoint import load_labelled
    from seqforge.runs.sample import preview

    domain = domain_of(folder)
    if domain is None or not folder.model.is_file():
        return ""
    checkpoint = load_labelled(folder.model)
    return domain.show(preview(domain, checkpoint.card, checkpoint.weights))
