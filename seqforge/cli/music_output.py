"""Drawn tunes in, files, scores, sound and the listening page out, for `seqforge music`."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqforge.base.messages import Advance
from seqforge.cli.console import echo, echo_path, say
from seqforge.cli.progress import make_watcher
from seqforge.cli.sample_output import SamplingJob, output_folder, save, settings_of

if TYPE_CHECKING:
    from seqforge.api.model import Model
    from seqforge.core.data.domain import Sample
    from seqforge.core.sampling.params import How
    from seqforge.core.sampling.sampler import OnSymbols
    from seqforge.domains.music.domain import MusicDomain
    from seqforge.domains.music.primer import MusicPrompt
    from seqforge.domains.music.render.sample_export import Rendered, SampleExport

_SOON = 3.0  # seconds before progress is shown


@dataclass(frozen=True)
class ExportRequest:
    """The files requested of `export_samples`."""

    count: int
    path: Path
    """Folder and stem of all files."""
    page: bool
    play: bool
    prime: MusicPrompt | None = None
    source: Path | None = None
    """The prime's file."""

    @property
    def shows_prime(self) -> bool:
        """Whether the page begins with the prime."""
        return self.page and self.source is not None


@dataclass(frozen=True)
class OutputLines:
    """Verbosity and form of the messages."""

    json: bool = False
    """Whether stdout gets one JSON document instead of file names."""
    quiet: bool = False
    verbose: bool = False

    def say(self, sentence: str, colour: str | None = None) -> None:
        """Print a sentence on stderr, unless quiet."""
        if not self.quiet:
            say(sentence, colour)

    def name(self, file: Path) -> None:
        """Print a file's name on stdout, unless it goes into the JSON document."""
        if not self.json:
            echo_path(file)


def export_samples(
    loaded: Model,
    domain: MusicDomain,
    model: Path,
    how: How,
    wanted: ExportRequest,
    speech: OutputLines,
) -> None:
    """A model and a request in, files of the samples out; prints their names or a JSON document."""
    from seqforge.domains.music.render.listening_page import SHOWN
    from seqforge.domains.music.render.sample_export import QUICK

    loaded.domain = domain  # its grammar may hold a key
    slow = [name for name in domain.formats if name not in QUICK]
    quick = tuple(name for name in domain.formats if name in QUICK)
    needs_all = bool(slow) or speech.json or speech.verbose
    needed = min(wanted.count, wanted.count if needs_all else SHOWN if wanted.page else 0)
    kept: list[Sample] = []

    def draw(first: int, drawn: OnSymbols) -> Iterator[Sample]:
        for sample in loaded.draw(wanted.count - first + 1, first=first, drawn=drawn, **how):
            if sample.number <= needed:
                kept.append(sample)
            yield sample

    options = loaded.options(how)
    memory = loaded.memory_path if options.memory else None
    settings = settings_of(model, wanted.count, options, _put_out(domain), memory=memory)
    drawing = SamplingJob(replace(domain, formats=quick), wanted.count, draw, None, settings)
    with output_folder(wanted.path.parent, _names(domain, wanted), quiet=speech.quiet):
        save(drawing, wanted.path, speech.quiet, False, named=not speech.json)
        if needed:
            if len(kept) < needed:  # resumed: earlier samples are drawn again
                kept = loaded.sample(needed, **how)
            _finish(domain, kept, options.prime, slow, wanted, speech)


def _names(domain: MusicDomain, wanted: ExportRequest) -> str:
    """A request in, a regular expression of all file names out; see `render` and `write_page`."""
    stem = re.escape(wanted.path.stem)
    number = r"-\d{3,}" if wanted.count > 1 else ""
    formats = "|".join(domain.formats)
    pages = "|".join(name for name in domain.formats if name in ("svg", "png"))
    names = [rf"{stem}{number}\.({formats})", rf"{stem}{number}-\d+\.({pages})" if pages else ""]
    return "|".join(filter(None, [*names, rf"{stem}\.html" if wanted.page else ""]))


def _finish(
    domain: MusicDomain, samples: list[Sample], given: str, slow: Sequence[str],
    wanted: ExportRequest, speech: OutputLines,
) -> None:  # fmt: skip
    """Engrave and synthesize all samples, write the page, print a summary, play the first."""
    from seqforge.domains.music.render.sample_export import SampleExport

    shown, files = _render(domain, samples, given, slow, wanted, speech)
    if wanted.page:
        files[0].append(_page(shown, wanted))
        speech.name(files[0][-1])
    for sample in samples if speech.verbose else ():
        speech.say(_about(SampleExport(domain, sample)))
    if speech.json:
        echo(json.dumps(_document(domain, samples, files, wanted), indent=2))
    if wanted.play:
        _play(shown[wanted.shows_prime])


def _put_out(domain: MusicDomain) -> dict[str, Any]:
    """Settings of the domain that determine the files beside the sampling options."""
    names = ("transpose", "into_key", "tempo", "program", "held_key", "formats")
    return {name: getattr(domain, name) for name in names}


def _render(
    domain: MusicDomain, samples: list[Sample], given: str, slow: Sequence[str],
    wanted: ExportRequest, speech: OutputLines,
) -> tuple[list[Rendered], dict[int, list[Path]]]:  # fmt: skip
    """Samples in, those that the page shows and the files of each out, engraved and synthesized."""
    from seqforge.core.data.domain import Sample
    from seqforge.domains.music.render.listening_page import SHOWN
    from seqforge.domains.music.render.sample_export import QUICK, SampleExport, render, stem_of

    todo: list[tuple[SampleExport, Path | None]] = []
    if wanted.shows_prime:
        assert wanted.source is not None
        todo.append((SampleExport(domain, Sample(given), heading=wanted.source.name), None))
    files: dict[int, list[Path]] = {0: []}
    for sample in samples:
        stem = stem_of(wanted.path, sample.number, wanted.count)
        todo.append((SampleExport(domain, sample), stem))
        quick = [name for name in domain.formats if name in QUICK]
        files[sample.number] = [stem.with_name(f"{stem.name}.{name}") for name in quick]
    shown: list[Rendered] = []
    most = wanted.shows_prime + SHOWN if wanted.page else 0
    with _progress(speech.quiet) as told:
        for one in render(todo, slow, most, told):
            if len(shown) <= most:  # the first also without a page: it may be played
                shown.append(one)
            for file in one.files:
                speech.name(file)
            files.setdefault(one.performance.sample.number, []).extend(one.files)
            for remark in one.remarks:
                speech.say(remark, "yellow")
    return shown, files


def _page(shown: Sequence[Rendered], wanted: ExportRequest) -> Path:
    from seqforge.domains.music.render.listening_page import write_page

    page, primes = wanted.path.with_suffix(".html"), int(wanted.shows_prime)
    prime = shown[0] if primes else None
    remarks = wanted.prime.notes if wanted.prime else ()
    write_page(page, _title(wanted), prime, shown[primes:], wanted.count, remarks)
    return page


def _about(performance: SampleExport) -> str:
    """A sample in, a sentence on it out."""
    from seqforge.domains.music.keys import piece_key
    from seqforge.domains.music.tempo_map import TempoMap

    sample, piece = performance.sample, performance.piece
    return (
        f"sample {sample.number}: {len(piece.notes):,} notes, {performance.new_bars:,} new bars, "
        f"in {piece_key(piece)}, {TempoMap(piece).seconds(piece.end):.0f} s, mean log-probability "
        f"{sample.mean_log_prob or 0:.3f}"
    )


def _document(
    domain: MusicDomain,
    samples: Sequence[Sample],
    files: Mapping[int, list[Path]],
    wanted: ExportRequest,
) -> dict[str, Any]:
    """Samples and files in, the JSON document out."""
    from seqforge.domains.music.keys import piece_key
    from seqforge.domains.music.render.sample_export import SampleExport
    from seqforge.domains.music.tempo_map import TempoMap

    rows = []
    for sample in samples:
        performance = SampleExport(domain, sample)
        piece = performance.piece
        rows.append({
            "number": sample.number, "title": performance.title,
            "files": [str(file) for file in files[sample.number]],
            "notes": len(piece.notes), "new_bars": performance.new_bars,
            "key": str(piece_key(piece)), "seconds": round(TempoMap(piece).seconds(piece.end), 3),
            "mean_log_prob": sample.mean_log_prob, "removed_mass": sample.removed_mass,
            "symbols": sample.symbols, "prime_length": sample.prime_length,
        })  # fmt: skip
    first = samples[0]
    return {
        "model": first.model, "temperature": first.temperature, "seed": first.seed,
        "settings": dict(first.settings),
        "prime": wanted.prime and {
            "file": str(wanted.source), "title": wanted.prime.title,
            "key": str(wanted.prime.key), "moved": wanted.prime.moved,
            "notes": list(wanted.prime.notes),
        },
        "samples": rows,
        "page": next((str(file) for file in files[0]), None),
    }  # fmt: skip


@contextmanager
def _progress(quiet: bool) -> Iterator[Advance]:
    """Show the progress of engraving and synthesis on stderr, after some seconds."""
    watcher, start = make_watcher(quiet=quiet), time.monotonic()

    def told(done: float, total: float, what: str) -> None:
        if time.monotonic() - start > _SOON:
            watcher.advance(done, total, what)

    try:
        yield told
    finally:
        watcher.close()


def _title(wanted: ExportRequest) -> str:
    if wanted.source is None:
        return "New tunes" if wanted.count > 1 else "A new tune"
    return f"{wanted.source.name}, continued"


def _play(first: Rendered) -> None:
    from seqforge.domains.music.render.audio import play

    sound = [file for file in first.files if file.suffix == ".wav"]
    if sound:
        play(sound[0])
    else:
        echo("there is no note in the first sample to be played", err=True)
