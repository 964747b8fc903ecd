"""The files of a run's samples in, a section of its page out: some of them seen and heard."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Protocol

from seqforge.base.html_page import Section
from seqforge.core.data.domain import Record, Sample
from seqforge.domains.music.render.pieces import pieces_section, shown, within
from seqforge.domains.music.render.sample_export import ExportOptions, SampleExport, render
from seqforge.errors import InputError

_SHOWN = 4
"""Temperatures that have a piece on the page: the first sample of each."""


class ReadsSamples(ExportOptions, Protocol):
    """A domain of music, as far as it is needed here."""

    def read(self, path: Path) -> Iterator[Record]:
        """A file in, its records out."""


def run_section(domain: ReadsSamples, folder: Path, files: Sequence[str]) -> list[Section]:
    """A run folder and its files of samples in, the section on them out; none without any."""
    exports = []
    for file in _firsts(files, ".abc" if domain.code == "abc" else ".mid")[:_SHOWN]:
        try:
            record = next(domain.read(folder / file), None)
        except InputError:  # a sample without a note is none to read again
            continue
        if record is not None:
            export = SampleExport(domain, Sample(record.symbols), heading=Path(file).stem)
            exports.append((export, (folder / file).with_suffix("")))
    pieces = [
        shown(one, one.performance.heading, f"piece{number}", "samples/")
        for number, one in enumerate(render(exports, [], for_page=len(exports)), 1)
    ]
    if not pieces:
        return []
    return [pieces_section(within(pieces), "heard", "Seen and heard", after="learning")]


def _firsts(files: Sequence[str], ending: str) -> list[str]:
    """The first file of each temperature: ``t0.8-001.abc``, or ``t0.8.abc``."""
    found: dict[str, str] = {}
    for file in files:
        path = PurePosixPath(file)
        if path.suffix == ending:
            found.setdefault(path.stem.rpartition("-")[0] or path.stem, file)
    return list(found.values())
