"""Scores and sound of many samples at once: engraved by another process while this one plays."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from seqforge.core.files import write_atomically
from seqforge.domains.music import audio
from seqforge.domains.music.timing import Clock
from seqforge.domains.music.writing import Performance
from seqforge.errors import RenderError

Told = Callable[[int, int], None]
"""Is told how many are done, and of how many."""

_PIXELS = 1_600  # width of a score as PNG
_BATCH = 16  # scores that one process engraves
_SECONDS = 10.0  # that one may take


@dataclass(frozen=True)
class Rendered:
    """A sample with its score and its sound, as far as they were asked for."""

    performance: Performance
    stem: Path | None
    """Where its files are, without their endings; None where it has none."""
    files: tuple[Path, ...]
    """Those written here."""
    pages: tuple[str, ...]
    """The score as SVG, a page each."""
    ogg: bytes
    """The sound; empty for silence, and where none was asked for."""
    remarks: tuple[str, ...] = ()
    """What a person should know: why there is no score, where the sound ends."""


@dataclass(frozen=True)
class _Score:
    pages: tuple[str, ...] = ()
    pngs: tuple[bytes, ...] = ()
    problem: str = ""


def render(
    performances: Sequence[tuple[Performance, Path | None]],
    formats: Sequence[str],
    for_page: int = 0,
    told: Told = lambda done, of: None,
) -> Iterator[Rendered]:
    """Engrave and play samples; their files are written as they come.

    Args:
        performances: Each with where its files go, without their endings; None for no files.
        formats: svg, png, wav and ogg make files; others are not looked at.
        for_page: So many of the first have score and sound whatever the formats are.
        told: Of how many are done.

    Raises:
        RunError: If a file cannot be written.
        ProgramError: If the domain's SoundFont cannot be played.
    """
    pictures = not {"svg", "png"}.isdisjoint(formats)
    drawn = [one for one, _ in performances][: None if pictures else for_page]
    with _engraver() as (engraver, stopped):
        batches = deque(
            engraver.submit(_engraved, drawn[start : start + _BATCH], "png" in formats, stopped)
            for start in range(0, len(drawn), _BATCH)
        )
        scores: deque[_Score] = deque()
        for number, (performance, stem) in enumerate(performances):
            told(number, len(performances))
            shown = number < for_page
            files, ogg, cut = _played(performance, stem, formats, shown)
            if not scores and batches:
                scores.extend(batches.popleft().result())
            score = scores.popleft() if scores else _Score()
            files += _written(score, stem, formats)
            remarks = tuple(filter(None, (score.problem, cut)))
            yield Rendered(performance, stem, tuple(files), score.pages, ogg, remarks)


@contextmanager
def _engraver() -> Iterator[tuple[ThreadPoolExecutor, Event]]:
    """A thread that waits for the engraving process; at a stop it begins nothing more."""
    pool, stopped = ThreadPoolExecutor(1), Event()
    try:
        yield pool, stopped
    finally:
        stopped.set()
        pool.shutdown(cancel_futures=True)


def _engraved(performances: Sequence[Performance], as_png: bool, stopped: Event) -> list[_Score]:
    """Scores, all by one process; where it fails each by its own, to know which is to blame."""
    from seqforge.domains.music.engraving import svg_pages_of, to_png

    scores = [] if stopped.is_set() else [performance.musicxml for performance in performances]
    try:
        return [
            _Score(tuple(pages), tuple(to_png(page, _PIXELS) for page in pages if as_png))
            for pages in svg_pages_of(scores, _SECONDS * len(scores))
        ]
    except RenderError as error:
        if len(performances) > 1:
            return [score for one in performances for score in _engraved([one], as_png, stopped)]
        return [_Score(problem=f"{performances[0].title}: {error}")]


def _written(score: _Score, stem: Path | None, formats: Sequence[str]) -> list[Path]:
    """The files of a score: ``x.svg``, and of further pages ``x-2.svg``."""
    written: list[Path] = []
    if stem is None:
        return written
    kinds = (("svg", [page.encode() for page in score.pages]), ("png", score.pngs))
    for name, pages in kinds:
        for number, data in enumerate(pages if name in formats else (), 1):
            tail = f"-{number}" if number > 1 else ""
            path = stem.with_name(f"{stem.name}{tail}.{name}")
            write_atomically(path, data)
            written.append(path)
    return written


def _played(
    performance: Performance, stem: Path | None, formats: Sequence[str], shown: bool
) -> tuple[list[Path], bytes, str]:
    """The files of sound, OGG for the page, and where it was cut, in a sentence."""
    written: list[Path] = []
    if not shown and {"wav", "ogg"}.isdisjoint(formats):
        return written, b"", ""
    piece = performance.piece
    heard = audio.sound(piece, soundfont=performance.domain.soundfont)
    if heard is None:
        return written, b"", ""
    ogg = audio.ogg_bytes(heard) if shown or "ogg" in formats else b""
    for name in ("wav", "ogg"):
        if name in formats and stem is not None:
            path = stem.with_name(f"{stem.name}.{name}")
            write_atomically(path, ogg if name == "ogg" else audio.wav_bytes(heard))
            written.append(path)
    cut = Clock(piece).seconds(piece.end) > audio.MOST_SECONDS
    minutes = f"{audio.MOST_SECONDS / 60:.0f} minutes"
    said = f"{performance.title}: the sound ends after {minutes}; the MIDI file has it all"
    return written, ogg if shown else b"", said if cut else ""
