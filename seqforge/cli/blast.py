"""``seqforge blast``: are my sequences like anything known?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from seqforge.cli.app import app
from seqforge.cli.options import Json, Quiet
from seqforge.errors import ConfigError


@app.command()
def blast(
    samples: Annotated[Path, typer.Argument(metavar="SAMPLES.fa", help="Sequences to look for.")],
    against: Annotated[
        list[Path] | None,
        typer.Option(metavar="LIB.fa", help="Library: FASTA or GenBank, .gz too."),
    ] = None,
    evalue: Annotated[float, typer.Option(min=0, help="Show hits up to this E-value.")] = 10.0,
    match_scores: Annotated[str, typer.Option(help="Reward and penalty.")] = "1,-3",
    gaps: Annotated[
        str, typer.Option(help="Cost of opening a gap, and of each base in it.")
    ] = "5,2",
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder for hits.tsv, hits.json, alignments.")
    ] = None,
    json_: Json = False,
    quiet: Quiet = False,
) -> None:
    """Search a library of your own for sequences like your samples (Smith-Waterman, E-values)."""
    if not against:
        raise ConfigError(
            f"{samples}: give a library to search, such as --against genome.fa; this version "
            "searches at home only and sends nothing to EMBL-EBI"
        )
    from seqforge.cli.progress import make_watcher
    from seqforge.domains.genome.similarity.backends import LocalBackend
    from seqforge.domains.genome.similarity.parameters import SearchParameters
    from seqforge.domains.genome.similarity.stage import search_files

    reward, penalty = _pair(match_scores, "--match-scores 1,-3")
    gap_open, gap_extend = _pair(gaps, "--gaps 5,2")
    parameters = SearchParameters(
        reward=reward, penalty=penalty, gap_open=gap_open, gap_extend=gap_extend, evalue=evalue
    )
    folder = out or samples.with_name(f"{samples.stem}-similarity")
    watcher = make_watcher(quiet or json_)
    watcher.stage("searching")
    try:
        found = search_files([samples], LocalBackend(against), folder, parameters, watcher.advance)
    finally:
        watcher.close()
    if json_:
        typer.echo((folder / "hits.json").read_text(encoding="utf-8"), nl=False)
        return
    typer.echo(found.table())
    typer.echo(found.sentence())
    typer.echo(f"rewards and gaps: {reward},{penalty} and {gap_open},{gap_extend}")
    for path in found.files:
        typer.echo(str(path))


def _pair(text: str, example: str) -> tuple[int, int]:
    try:
        first, second = (int(part) for part in text.split(","))
    except ValueError:
        raise typer.BadParameter(f"two whole numbers are wanted, such as {example}") from None
    return first, second
