"""Search results in, a section of a page out: a row a sample, its hits along it, alignments."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from seqforge.base.html_page import Section, macros, text_of
from seqforge.base.messages import MISSING, one_line
from seqforge.domains.genome.similarity.hits import (
    Hit,
    Hsp,
    SearchResult,
    format_alignment,
    format_evalue,
    from_json,
)
from seqforge.domains.genome.similarity.kinds import kind_of
from seqforge.domains.genome.similarity.parameters import Residues
from seqforge.errors import RunError

NOTABLE = 1e-3
"""An E-value up to this is more than chance finds."""
_LOW = 0.5
"""Share of an aligned stretch from which on it is low-complexity sequence."""
_MOST_SAMPLES, _MOST_ALIGNMENTS, _LONGEST = 60, 8, 1_500
"""Shown; the files have all of them. An alignment of more columns is cut."""
_LANES, _LANE, _AXIS = 5, 9, 22
_WIDTH = 640
_COLOURS = ((200.0, "hit4"), (80.0, "hit3"), (50.0, "hit2"), (40.0, "hit1"), (0.0, "hit0"))
"""Classes by bit score, as NCBI's graphic has its colours."""


def read_hits(path: Path) -> list[SearchResult]:
    """A ``hits.json`` in, its results out; none if there is no such file.

    Raises:
        RunError: If it is damaged.
    """
    try:
        return from_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"{path}: cannot be read as hits ({one_line(str(error))[:80]})") from error


@dataclass(frozen=True)
class _Found:
    """An alignment with the library sequence that it is of."""

    hit: Hit
    hsp: Hsp
    low: bool
    """Whether it is of low-complexity sequence, where anything finds something."""
    letters: Residues

    @property
    def place(self) -> str:
        """Where it is in the library."""
        if self.letters == "protein":
            return f"{one_line(self.hit.id)}:{self.hsp.hit_start:,}-{self.hsp.hit_end:,}"
        strand = "+" if self.hsp.query_strand == self.hsp.hit_strand else "\N{MINUS SIGN}"
        return f"{one_line(self.hit.id)}:{self.hsp.hit_start:,}-{self.hsp.hit_end:,} ({strand})"

    @property
    def style(self) -> str:
        return "low" if self.low else next(s for bits, s in _COLOURS if self.hsp.bit_score >= bits)

    @property
    def said(self) -> str:
        """A line on it."""
        low = "; low-complexity" if self.low else ""
        return (
            f"{self.place}, E {format_evalue(self.hsp.evalue)}, {self.hsp.bit_score:.1f} bits, "
            f"{self.hsp.identity:.1f} % of {self.hsp.align_length}{low}"
        )


@dataclass(frozen=True)
class _Box:
    x: float
    y: int
    width: float
    style: str
    said: str


@dataclass(frozen=True)
class _Row:
    """A sample, as the template shows it."""

    sample: str
    length: str
    low: str
    hit: str
    bits: str
    identity: str
    evalue: str
    weak: bool
    """Whether it is greyed."""
    boxes: tuple[_Box, ...]
    height: int
    alignments: tuple[tuple[str, str], ...]
    """(a line on it, the alignment)."""
    more: int


def run_hits(folder: Path) -> list[Section]:
    """A run folder in, the section on the hits of its search out, if there was one."""
    results = read_hits(folder / "similarity" / "hits.json")
    return [hits_section(results)] if results else []


def hits_section(results: Sequence[SearchResult], after: str = "similarity") -> Section:
    """The results of a search in, the section on hits out."""
    found = sorted(((result, _found(result)) for result in results), key=_rank)
    rows = [_row(result, some) for result, some in found[:_MOST_SAMPLES]]
    shown = macros(__package__, "hits.html.jinja").hits(
        sentence(results), rows, len(found) - len(rows), _WIDTH, _AXIS
    )
    return Section("hits", "The hits", str(shown), text_of(__package__, "hits.css"), after=after)


def sentence(results: Sequence[SearchResult]) -> str:
    """How many samples have a hit, and in how many it says something."""
    notable = [[one for one in _found(r) if one.hsp.evalue <= NOTABLE] for r in results]
    some = sum(bool(found) for found in notable)
    real = sum(any(not one.low for one in found) for found in notable)
    where = f"a hit with E <= {NOTABLE:g} outside of low-complexity sequence"
    said = f"{real or 'none'} of {len(results)} {'sample' if len(results) == 1 else 'samples'} "
    said += f"{'has' if real < 2 else 'have'} {where}"
    if some > real:
        said += f"; {some - real} more in such sequence alone, where anything finds something"
    return f"{said[0].upper()}{said[1:]}."


def _found(result: SearchResult) -> list[_Found]:
    """The alignments of a sample: those that say something first, each by its E-value."""
    plain, kind = result.masked is not None, kind_of(result.letters)
    found = [
        _Found(
            hit,
            hsp,
            plain and kind.low_share(hsp.query_aligned.replace("-", "")) >= _LOW,
            result.letters,
        )
        for hit in result.hits
        for hsp in hit.hsps
    ]
    return sorted(found, key=lambda one: (one.low, one.hsp.evalue))


def _rank(pair: tuple[SearchResult, list[_Found]]) -> tuple[int, float]:
    _, found = pair
    if not found:
        return 2, 0.0
    return int(found[0].low), found[0].hsp.evalue


def _row(result: SearchResult, found: Sequence[_Found]) -> _Row:
    best = found[0] if found else None
    boxes = tuple(_boxes(result, found))
    return _Row(
        sample=one_line(result.query_id),
        length=f"{result.query_length:,}",
        low=MISSING if result.masked is None else f"{100 * result.masked:.0f} %",
        hit="none" if best is None else best.place,
        bits=MISSING if best is None else f"{best.hsp.bit_score:.1f}",
        identity=MISSING if best is None else f"{best.hsp.identity:.1f} %",
        evalue=MISSING if best is None else format_evalue(best.hsp.evalue),
        weak=best is None or best.low,
        boxes=boxes,
        height=_AXIS + max((box.y + _LANE - _AXIS for box in boxes), default=0),
        alignments=tuple(
            (one.said, _alignment(one.hsp, result.letters)) for one in found[:_MOST_ALIGNMENTS]
        ),
        more=max(0, len(found) - _MOST_ALIGNMENTS),
    )


def _alignment(hsp: Hsp, letters: Residues) -> str:
    if hsp.align_length > _LONGEST:
        return f"{hsp.align_length:,} columns: see alignments.txt"
    return "\n".join(one_line(line) for line in format_alignment(hsp, letters))


def _boxes(result: SearchResult, found: Sequence[_Found]) -> Iterator[_Box]:
    """The alignments along the sample, each in the first lane that has room; the best first."""
    ends = [0] * _LANES
    for one in found:
        start, stop = sorted((one.hsp.query_start, one.hsp.query_end))
        lane = next((n for n, end in enumerate(ends) if start > end), None)
        if lane is None:
            continue
        ends[lane] = stop
        scale = _WIDTH / max(1, result.query_length)
        yield _Box(
            x=round((start - 1) * scale, 1),
            y=_AXIS + lane * _LANE,
            width=round(max(2.0, (stop - start + 1) * scale), 1),
            style=one.style,
            said=one.said,
        )
