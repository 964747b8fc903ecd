"""What ``seqforge music`` does once all is known: draw, write, engrave, play, show on a page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from seqforge.cli.progress import make_watcher
from seqforge.cli.saving import Drawing, save, settings_of

if TYPE_CHECKING:
    from seqforge.api import How, Model
    from seqforge.core.domain import Sample
    from seqforge.core.sampling.pool import Drawn
    from seqforge.domains.music import MusicDomain
    from seqforge.domains.music.priming import Prime
    from seqforge.domains.music.rendering import Rendered


@dataclass(frozen=True)
class Wanted:
    """What is to come of it."""

    count: int
    path: Path
    """Names the files: their folder, and what they begin with."""
    formats: tuple[str, ...]
    page: bool
    play: bool
    prime: Prime | None = None
    source: Path | None = None
    """The prime's file."""


def perform(loaded: Model, domain: MusicDomain, model: Path, how: How, wanted: Wanted) -> None:
    """Draw samples and leave their files; names of whole files go to stdout."""
    from seqforge.domains.music.writing import QUICK

    slow = [name for name in wanted.formats if name not in QUICK]
    loaded.domain = replace(domain, formats=tuple(name for name in wanted.formats if name in QUICK))
    kept: list[Sample] = []

    def draw(first: int, drawn: Drawn) -> Iterator[Sample]:
        for sample in loaded.draw(wanted.count - first + 1, first=first, drawn=drawn, **how):
            if slow or wanted.page:
                kept.append(sample)
            yield sample

    said: Mapping[str, Any] = {"constraint": True, **how}
    settings = settings_of(model, wanted.count, loaded.options(how), said, _put_out(domain))
    save(Drawing(loaded.domain, wanted.count, draw, None, settings), wanted.path, False, False)
    if not (slow or wanted.page):
        return
    if len(kept) < wanted.count:  # this command went on with one that was stopped
        kept[:0] = loaded.draw(wanted.count - len(kept), **how)
    _render(domain, kept, str(how["prime"]), slow, wanted)


def _put_out(domain: MusicDomain) -> dict[str, Any]:
    """What decides the files beside the drawing."""
    names = ("transpose", "into_key", "tempo", "program", "held_key", "formats")
    return {name: getattr(domain, name) for name in names}


def _render(
    domain: MusicDomain, samples: list[Sample], given: str, slow: list[str], wanted: Wanted
) -> None:
    """Engrave and play all, write the page, play the first aloud."""
    from seqforge.core.domain import Sample
    from seqforge.domains.music.page import write_page
    from seqforge.domains.music.rendering import render
    from seqforge.domains.music.writing import Performance, stem_of

    stems = [stem_of(wanted.path, sample.number, wanted.count) for sample in samples]
    todo: list[tuple[Performance, Path | None]] = []
    if wanted.page and given and wanted.source:
        todo.append((Performance(domain, Sample(given), heading=wanted.source.name), None))
    todo += [(Performance(domain, one), stem) for one, stem in zip(samples, stems, strict=True)]
    done: list[Rendered] = []
    watcher = make_watcher(quiet=False)
    try:
        for one in render(
            todo,
            slow,
            wanted.page,
            lambda what, n, of: watcher.advance(n, of, f"{what} {n} of {of}"),
        ):
            done.append(one)
            for file in one.files:
                typer.echo(str(file))
            if one.problem:
                typer.secho(one.problem, fg="yellow", err=True)
    finally:
        watcher.close()
    prime = done.pop(0) if len(done) > len(samples) else None
    if wanted.page:
        page = wanted.path.with_suffix(".html")
        files = [
            [stem.with_name(f"{stem.name}.{name}") for name in wanted.formats if name not in slow]
            + list(one.files)
            for stem, one in zip(stems, done, strict=True)
        ]
        write_page(page, _title(wanted), prime, done, files, _remarks(wanted))
        typer.echo(str(page))
    if wanted.play:
        _play(done[0])


def _title(wanted: Wanted) -> str:
    if wanted.source is None:
        return "New tunes" if wanted.count > 1 else "A new tune"
    return f"{wanted.source.name}, continued"


def _remarks(wanted: Wanted) -> tuple[str, ...]:
    return wanted.prime.notes if wanted.prime else ()


def _play(first: Rendered) -> None:
    from seqforge.domains.music.playing import play

    sound = [file for file in first.files if file.suffix == ".wav"]
    if sound:
        play(sound[0])
    else:
        typer.echo("there is no note in the first sample to be played", err=True)
