"""What ``seqforge music`` does once all is known: draw, write, engrave, play, show on a page."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqforge.cli.folders import output_folder
from seqforge.cli.progress import make_watcher
from seqforge.cli.saving import Drawing, save, settings_of
from seqforge.cli.stderr import say
from seqforge.cli.stdout import echo, echo_data

if TYPE_CHECKING:
    from seqforge.api import How, Model
    from seqforge.core.domain import Sample
    from seqforge.core.sampling.pool import Drawn
    from seqforge.domains.music import MusicDomain
    from seqforge.domains.music.priming import Prime
    from seqforge.domains.music.rendering import Rendered


_SOON = 3.0  # seconds; what is done sooner is not spoken of


@dataclass(frozen=True)
class Wanted:
    """What is to come of it."""

    count: int
    path: Path
    """Names the files: their folder, and what they begin with."""
    page: bool
    play: bool
    prime: Prime | None = None
    source: Path | None = None
    """The prime's file."""


def perform(loaded: Model, domain: MusicDomain, model: Path, how: How, wanted: Wanted) -> None:
    """Draw samples and leave their files; names of whole files go to stdout."""
    from seqforge.domains.music.page import SHOWN
    from seqforge.domains.music.writing import QUICK

    loaded.domain = domain  # whose grammar holds a key
    slow = [name for name in domain.formats if name not in QUICK]
    quick = tuple(name for name in domain.formats if name in QUICK)
    needed = min(wanted.count, wanted.count if slow else SHOWN if wanted.page else 0)
    kept: list[Sample] = []

    def draw(first: int, drawn: Drawn) -> Iterator[Sample]:
        for sample in loaded.draw(wanted.count - first + 1, first=first, drawn=drawn, **how):
            if sample.number <= needed:
                kept.append(sample)
            yield sample

    said: Mapping[str, Any] = {"constraint": True, **how}
    settings = settings_of(model, wanted.count, loaded.options(how), said, _put_out(domain))
    writer = replace(domain, formats=quick)
    drawing = Drawing(writer, wanted.count, draw, None, settings)
    with output_folder(wanted.path.parent, _names(domain, wanted)):
        save(drawing, wanted.path, False, False)
        if needed:
            if len(kept) < needed:  # this command went on with one that was stopped
                kept = loaded.sample(needed, **how)
            _render(domain, kept, str(how["prime"]), slow, wanted)


def _names(domain: MusicDomain, wanted: Wanted) -> str:
    """What files may be called that come of it; see `rendering` and `page`."""
    stem = re.escape(wanted.path.stem)
    number = r"-\d{3,}" if wanted.count > 1 else ""
    formats = "|".join(domain.formats)
    pages = "|".join(name for name in domain.formats if name in ("svg", "png"))
    names = [rf"{stem}{number}\.({formats})", rf"{stem}{number}-\d+\.({pages})" if pages else ""]
    return "|".join(filter(None, [*names, rf"{stem}\.html" if wanted.page else ""]))


def _put_out(domain: MusicDomain) -> dict[str, Any]:
    """What decides the files beside the drawing."""
    names = ("transpose", "into_key", "tempo", "program", "held_key", "formats")
    return {name: getattr(domain, name) for name in names}


def _render(
    domain: MusicDomain, samples: list[Sample], given: str, slow: Sequence[str], wanted: Wanted
) -> None:
    """Engrave and play all, write the page, play the first aloud."""
    from seqforge.core.domain import Sample
    from seqforge.domains.music.page import SHOWN, write_page
    from seqforge.domains.music.rendering import render
    from seqforge.domains.music.writing import Performance, stem_of

    todo: list[tuple[Performance, Path | None]] = []
    if wanted.page and given and wanted.source:
        todo.append((Performance(domain, Sample(given), heading=wanted.source.name), None))
    primes = len(todo)
    for sample in samples:
        stem = stem_of(wanted.path, sample.number, wanted.count)
        todo.append((Performance(domain, sample), stem))
    shown: list[Rendered] = []
    most = primes + SHOWN if wanted.page else 0
    with _progress() as told:
        for one in render(todo, slow, most, told):
            if len(shown) <= most:  # the first also for want of a page: it may be played
                shown.append(one)
            for file in one.files:
                echo_data(str(file))
            for remark in one.remarks:
                say(remark, "yellow")
    if wanted.page:
        page = wanted.path.with_suffix(".html")
        prime = shown[0] if primes else None
        remarks = wanted.prime.notes if wanted.prime else ()
        write_page(page, _title(wanted), prime, shown[primes:], wanted.count, remarks)
        echo_data(str(page))
    if wanted.play:
        _play(shown[primes])


@contextmanager
def _progress() -> Iterator[Callable[[int, int], None]]:
    """How far engraving and playing are, on stderr, once it takes longer."""
    watcher, start = make_watcher(quiet=False), time.monotonic()

    def told(done: int, of: int) -> None:
        if time.monotonic() - start > _SOON:
            watcher.advance(done, of, f"scores and sound of {done:,} of {of:,}")

    try:
        yield told
    finally:
        watcher.close()


def _title(wanted: Wanted) -> str:
    if wanted.source is None:
        return "New tunes" if wanted.count > 1 else "A new tune"
    return f"{wanted.source.name}, continued"


def _play(first: Rendered) -> None:
    from seqforge.domains.music.playing import play

    sound = [file for file in first.files if file.suffix == ".wav"]
    if sound:
        play(sound[0])
    else:
        echo("there is no note in the first sample to be played", err=True)
