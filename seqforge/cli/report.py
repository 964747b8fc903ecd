"""seqforge report: run folders in, the page of one, or a page that compares several, out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seqforge.base.paths import refuse_inputs, target_of
from seqforge.cli.app import app
from seqforge.cli.console import echo_data, echo_path, open_page
from seqforge.cli.options import Json, Open, Quiet, Verbose
from seqforge.errors import ConfigError

if TYPE_CHECKING:
    from seqforge.runs.folder import RunFolder

Runs = Annotated[list[Path], typer.Argument(metavar="RUN ...", help="Run folders.")]
PageFile = Annotated[
    Path | None,
    typer.Option("--out", "-o", metavar="FILE", help="The page (default: report.html in the run "
                 "folder; of several runs comparison.html here)."),
]  # fmt: skip


@app.command()
def report(
    runs: Runs,
    out: PageFile = None,
    open_: Open = False,
    json_: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Write the page of a run again, or a page that compares several runs."""
    from seqforge.cli.progress import make_watcher
    from seqforge.runs.folder import RunFolder
    from seqforge.runs.report import compare_runs, report_run

    folders = [RunFolder(path) for path in runs]
    if len({folder.path.resolve() for folder in folders}) < len(folders):
        raise ConfigError("the same run is named twice; name different ones")
    _check(out, folders)
    watcher = make_watcher(quiet or json_, verbose)
    try:
        if len(folders) == 1:
            page = report_run(folders[0], out)
        else:
            page = out or Path("comparison.html")
            compare_runs(folders, page, watcher.advance)
    finally:
        watcher.close()
    if json_:
        echo_data(json.dumps(_document(page, folders), indent=2))
    else:
        echo_path(page)
    if open_:
        open_page(page)


def _check(out: Path | None, folders: list[RunFolder]) -> None:
    """Refuse a place that is no file of its own.

    Raises:
        ConfigError: Says why.
    """
    if out is None:
        return
    if target_of(out).direct:
        raise ConfigError("--out: a page is a file; name one")
    kept = [file for folder in folders if folder.path.is_dir() for file in folder.path.iterdir()]
    refuse_inputs([out], [file for file in kept if file.suffix != ".html"])


def _document(page: Path, folders: list[RunFolder]) -> dict[str, Any]:
    """The page and what the runs came to, as JSON."""
    from seqforge.runs.report import finished_summary

    rows = []
    for folder in folders:
        found = finished_summary(folder).model_dump(mode="json", include={"headline", "verdict"})
        rows.append({"run": str(folder.path), **found})
    return {"page": str(page), "runs": rows}
