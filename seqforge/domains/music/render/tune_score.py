"""Tunes as they are written in, their scores out, each note beside the symbols that write it."""

from __future__ import annotations

import importlib.util
import re
import xml.etree.ElementTree as ET
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from seqforge.core.inspection.annotations import WrittenNote, WrittenScore
from seqforge.domains.music.abc.written import WrittenPiece
from seqforge.domains.music.musicxml.writer import to_musicxml
from seqforge.domains.music.render.engraving import engraved
from seqforge.domains.music.score.quantize import QUARTER
from seqforge.errors import RenderError

_SECONDS = 60.0
_EARLY = 0.125  # quarters that a note may be drawn before its place
_SVG = "{http://www.w3.org/2000/svg}"
_DRAWN = frozenset({"path", "polygon", "polyline", "rect", "ellipse", "use", "text"})
_KEPT = ("d", "points", "x", "y", "cx", "cy", "rx", "ry", "width", "height", "stroke-width", "fill",
         "href", "transform", "font-size", "text-anchor", "font-style", "stroke")  # fmt: skip
_PLACE = re.compile(r"translate\((-?\d+), (-?\d+)\)")
_WIDTHS = {"E0A2": 300}  # of whole notes; of others `_HEAD`
_HEAD, _BESIDE, _ABOVE, _LONGEST = 230, 60, 180, 1200  # a staff's lines are 180 apart


def tune_scores(
    pieces: Sequence[WrittenPiece], notes: Sequence[Sequence[WrittenNote]]
) -> list[WrittenScore | None]:
    """Tunes and the notes of each in, a score of each out; None without verovio.

    Args:
        pieces: Of tunes, as they are written.
        notes: By which the heads of each are named.
    """
    if importlib.util.find_spec("verovio") is None:
        return [None] * len(pieces)
    documents = [to_musicxml(one.piece, signs=one.signs, has_ids=True) for one in pieces]
    try:
        scores = engraved(documents, _SECONDS, one_page=True)
    except RenderError:
        return [None] * len(pieces)
    return [
        _score(score.pages[0], piece, own)
        for score, piece, own in zip(scores, pieces, notes, strict=True)
    ]


def _score(page: str, piece: WrittenPiece, notes: Sequence[WrittenNote]) -> WrittenScore | None:
    root = ET.fromstring(page)
    inner = root.find(f"{_SVG}svg")
    if inner is None:
        return None
    width, height = (int(float(size)) for size in inner.get("viewBox", "0 0 0 0").split()[2:])
    margin = inner.find(f"{_SVG}g")
    moved = "" if margin is None else margin.get("transform", "")
    fields = "".join(_fields(list(_heads(inner, _Sounding(piece, notes)))))
    drawn = "".join(_merged(_marks(inner)))
    return WrittenScore(
        width, height, f"<defs>{''.join(_glyphs(root))}</defs>"
        f'<g transform="{moved}">{fields}{drawn}</g>',
    )  # fmt: skip


class _Sounding:
    """Which note is written for a pitch at a time."""

    def __init__(self, piece: WrittenPiece, notes: Sequence[WrittenNote]) -> None:
        numbers = {note.start: number for number, note in enumerate(notes)}
        self._found: dict[int, list[tuple[float, int]]] = {}
        for sound in piece.sounds:
            if sound.symbol in numbers:
                place = sound.step / piece.piece.steps_per_quarter
                self._found.setdefault(sound.pitch, []).append((place, numbers[sound.symbol]))
        for places in self._found.values():
            places.sort()

    def at(self, name: str | None) -> int | None:
        """The id of a head in, the number of its note out."""
        parts = (name or "").split("-")
        if len(parts) != len(("part", "staff", "voice", "step", "pitch")):
            return None
        step, pitch = int(parts[3]) / QUARTER, int(parts[4])
        places = self._found.get(pitch, [])
        number = bisect_right(places, step + _EARLY, key=lambda place: place[0])
        return places[number - 1][1] if number else None


class _Head(NamedTuple):
    """A note's head in the picture."""

    note: int
    x: int
    y: int
    width: int


def _heads(inner: ET.Element, sounding: _Sounding) -> Iterator[_Head]:
    for group in inner.iter(f"{_SVG}g"):
        number = sounding.at(group.get("id")) if group.get("class") == "note" else None
        head = group.find(f"{_SVG}g[@class='notehead']/{_SVG}use")
        if number is None or head is None:
            continue
        place = _PLACE.search(head.get("transform", ""))
        if place is not None:
            width = _WIDTHS.get(head.get("href", "")[1:5], _HEAD)
            yield _Head(number, int(place[1]), int(place[2]), width)


def _fields(heads: Sequence[_Head]) -> Iterator[str]:
    """Behind each head a field that reaches to the next one, which a page may colour."""
    right: dict[int, int] = {}  # of heads by their number, where the next one of their voice begins
    for number, head in enumerate(heads):
        later = (one.x for one in heads[number + 1 :] if one.x != head.x)
        right[number] = next(later, 0)
    for number, head in enumerate(heads):
        least = head.width + _BESIDE
        width = right[number] - head.x if right[number] > head.x else least
        width = max(least, min(width, _LONGEST))
        yield (
            f'<rect data-note="{head.note}" x="{head.x - _BESIDE}" y="{head.y - _ABOVE}" '
            f'width="{width}" height="{2 * _ABOVE}"/>'
        )


def _glyphs(root: ET.Element) -> Iterator[str]:
    """The signs of the music font that are used."""
    for group in root.iterfind(f"{_SVG}defs/{_SVG}g"):
        name, path = group.get("id", ""), group.find(f"{_SVG}path")
        if path is not None:
            yield f'<path id="{_own(name)}" transform="scale(1,-1)" d="{path.get("d", "")}"/>'


def _own(name: str) -> str:
    """The name of a sign: what follows it differs from score to score."""
    return f"sign-{name.partition('-')[0]}"


def _marks(inner: ET.Element) -> Iterator[tuple[str, dict[str, str], str]]:
    """What is drawn, but for what is invisible: element, attributes, what is in it."""
    for parent in inner.iter():
        if "placeholder" in parent.get("class", ""):
            continue
        for element in parent:
            name = element.tag.removeprefix(_SVG)
            inside = _letters(element) if name == "text" else ""
            if name in _DRAWN and (inside or name != "text"):
                look = {key: element.get(key, "") for key in _KEPT if element.get(key)}
                if name == "use":
                    look["href"] = f"#{_own(look.get('href', '')[1:])}"
                yield name, look, inside


def _letters(text: ET.Element) -> str:
    """The letters of a text, each size in an element."""
    found = ""
    for span in text.iter(f"{_SVG}tspan"):
        if span.text and span.text.strip():
            size = span.get("font-size", "405px")
            found += f'<tspan font-size="{_quoted(size)}">{_quoted(span.text)}</tspan>'
    return found


def _quoted(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")


def _merged(marks: Iterator[tuple[str, dict[str, str], str]]) -> Iterator[str]:
    """Markup; neighbouring paths of one look are one."""
    paths: dict[str, str] = {}
    for name, look, inside in marks:
        if name == "path" and "transform" not in look:
            line = _look({key: value for key, value in look.items() if key != "d"})
            paths[line] = paths.get(line, "") + look.get("d", "").replace(" L", "L")
        else:
            yield f"<{name}{_look(look)}>{inside}</{name}>" if inside else f"<{name}{_look(look)}/>"
    yield from (f'<path{line} d="{d}"/>' for line, d in paths.items())


def _look(look: Mapping[str, str]) -> str:
    return "".join(f' {key}="{_quoted(value)}"' for key, value in look.items())
