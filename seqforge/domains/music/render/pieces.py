"""Exported samples in, what a page shows of each out: score, sound, piano roll, and their times."""

from __future__ import annotations

import base64
import os
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote

from seqforge.base.html_page import Section, as_data, macros, text_of
from seqforge.charts.png import png_bytes
from seqforge.domains.music.notes import Piece, bar_lines
from seqforge.domains.music.render.piano_roll import (
    KEYS,
    octave_names,
    piano_roll,
    quarter_pixels,
)
from seqforge.domains.music.render.sample_export import QUICK, Rendered, SampleExport
from seqforge.domains.music.tempo_map import TempoMap

MOST_BYTES = 4_500_000
"""Of all pieces of a page together, as it has them."""
_SVG, _XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
_KEPT = {"svg", "g", "defs", "symbol", "use", "path", "rect", "polygon", "polyline", "line", "text",
         "tspan", "ellipse", "circle", "title", "desc", "style"}  # fmt: skip
_ID = re.compile(r'\bid="([^"]+)"')
_REFERENCE = re.compile(r"#([\w.-]+)")


@dataclass(frozen=True)
class Shown:
    """A sample, or the prime, on a page."""

    name: str
    """Different for each on the page."""
    title: str
    facts: str
    pages: tuple[str, ...]
    """Its score, as SVG that can be embedded."""
    notes: str
    """JSON: when notes begin, in seconds, and their ids in the score."""
    roll: str
    """Its piano roll, a PNG as base64; empty for silence."""
    width: int
    """Of the roll, in pixels."""
    octaves: tuple[tuple[float, str], ...]
    """Names of octaves, and where they stand in the roll, in percent from its top."""
    points: str
    """JSON: times in seconds, and their positions in the roll, as shares of its width."""
    ogg: str
    """Sound as base64; empty for silence."""
    mp3: str
    """The same for browsers that play no OGG."""
    new_from: float
    """Seconds to the end of what was given; 0 where nothing was."""
    abc: str
    links: tuple[tuple[str, str], ...]
    """(address, name) of the files beside the page."""
    remarks: tuple[str, ...]

    @property
    def size(self) -> int:
        """Characters on the page, but for what is always small."""
        return len(self.ogg) + len(self.mp3) + len(self.roll) + sum(map(len, self.pages))


def shown(rendered: Rendered, title: str, name: str, folder: str = "") -> Shown:
    """A sample with its score and sound in, what a page shows of it out.

    Args:
        rendered: Of it.
        title: What it is called.
        name: What ids of it begin with; of the prime ``prime``.
        folder: Where its files are, seen from the page.
    """
    performance = rendered.performance
    piece = performance.piece
    end = piece.end if name == "prime" else performance.prime_end
    roll = piano_roll(piece, 0 if name == "prime" else end)
    begun = 0.0 if name == "prime" or end >= piece.end else TempoMap(piece).seconds(end)
    return Shown(
        name=name,
        title=title,
        facts=_facts(performance, end),
        pages=tuple(own_svg(page, f"{name}-{n}-") for n, page in enumerate(rendered.pages)),
        notes=as_data(_notes(rendered, name)),
        roll="" if roll is None else _base64(png_bytes(roll)),
        width=0 if roll is None else roll.shape[1],
        octaves=() if roll is None else tuple(octave_names(piece)),
        points="[]" if roll is None else as_data(_points(piece, roll.shape[1])),
        ogg=_base64(rendered.ogg),
        mp3=_base64(rendered.mp3),
        new_from=round(begun, 3) if end else 0.0,
        abc=performance.abc,
        links=tuple(_links(rendered, folder)),
        remarks=rendered.remarks,
    )


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _links(rendered: Rendered, folder: str) -> Iterable[tuple[str, str]]:
    for file in _files(rendered):
        yield quote(folder) + quote(os.fsencode(file.name)), file.suffix.lstrip(".")


def _files(rendered: Rendered) -> list[Path]:
    stem = rendered.stem
    if stem is None:
        return []
    formats = [name for name in rendered.performance.domain.formats if name in QUICK]
    return [stem.with_name(f"{stem.name}.{name}") for name in formats] + list(rendered.files)


def _notes(rendered: Rendered, name: str) -> list[list[object]]:
    """When the notes of the score begin, in seconds, and their ids."""
    piece = rendered.performance.piece
    clock = TempoMap(piece)
    pages = {one: n for n, page in enumerate(rendered.pages) for one in _ID.findall(page)}
    found: list[list[object]] = []
    for at, ids in rendered.notes:
        drawn = " ".join(f"{name}-{pages[one]}-{one}" for one in ids if one in pages)
        if drawn:
            found.append([round(clock.seconds(round(at * piece.steps_per_quarter)), 3), drawn])
    return found


def _points(piece: Piece, width: int) -> list[list[float]]:
    """Where the sound is in the roll; between two points it goes evenly."""
    clock, pixels = TempoMap(piece), quarter_pixels(piece) / piece.steps_per_quarter
    ends = min(piece.end, int((width - KEYS) / pixels))  # what is longer goes on unseen
    steps = sorted({step for step in clock.steps if step < ends} | {ends})
    return [
        [round(clock.seconds(step), 3), round((KEYS + step * pixels) / width, 5)] for step in steps
    ]


def _facts(performance: SampleExport, prime_end: int) -> str:
    """What is known of one sample, in half-sentences."""
    sample, piece, new = performance.sample, performance.piece, performance.new_bars
    notes, bars = len(piece.notes), sum(1 for _ in bar_lines(piece, max(1, performance.end)))
    said = [f"{notes:,} note{'s'[: notes != 1]} in {bars:,} bar{'s'[: bars != 1]}"]
    if prime_end and new and prime_end < piece.end:
        said[0] += f", {new:,} of them new"
    if sample.mean_log_prob is not None:
        said.append(f"mean log-probability {sample.mean_log_prob:.3f} nats a symbol")
    if sample.removed_mass is not None:
        said.append(f"the grammar took {sample.removed_mass:.2%} of the probability")
    return "; ".join(said)


def within(pieces: Sequence[Shown], most: int = MOST_BYTES) -> list[Shown]:
    """Pieces in, the same within so many bytes out: without OGG, then some without sound."""
    total = sum(one.size for one in pieces)
    if total > most:
        pieces = [replace(one, ogg="") for one in pieces]
    kept, room = list[Shown](), most
    for one in pieces:
        if one.size > room:
            said = "its sound is left out, to keep the page small: play its MIDI file"
            one = replace(one, ogg="", mp3="", remarks=(*one.remarks, said))
        if one.size > room:
            said = "its score and roll are left out, to keep the page small"
            one = replace(one, pages=(), notes="[]", roll="", remarks=(*one.remarks, said))
        kept.append(one)
        room -= one.size
    return kept


def piece_section(one: Shown, after: str = "") -> Section:
    """A piece as a section of its own."""
    return Section(one.name, one.title, _markup([one], False), _style(), _script(), after)


def pieces_section(pieces: Sequence[Shown], name: str, title: str, after: str) -> Section:
    """Several pieces as one section."""
    return Section(name, title, _markup(pieces, True), _style(), _script(), after)


def _markup(pieces: Sequence[Shown], titled: bool) -> str:
    piece = macros(__package__, "pieces.html.jinja").piece
    return "\n".join(str(piece(one, titled)) for one in pieces)


def _style() -> str:
    return text_of(__package__, "pieces.css")


def _script() -> str:
    return text_of(__package__, "pieces.js")


def own_svg(svg: str, prefix: str) -> str:
    """An SVG in, the same with its own names and nothing active out.

    Args:
        svg: A well-formed one.
        prefix: What every id in it begins with afterwards.
    """
    for name, uri in (("", _SVG), ("xlink", _XLINK)):
        ET.register_namespace(name, uri)
    root = ET.fromstring(svg)
    for parent in [root, *root.iter()]:
        for child in list(parent):
            if child.tag.removeprefix(f"{{{_SVG}}}") not in _KEPT:
                parent.remove(child)
    ids = {element.get("id") for element in root.iter()} - {None}

    def owned(match: re.Match[str]) -> str:
        return f"#{prefix}{match[1]}" if match[1] in ids else match[0]

    for element in root.iter():
        for name, value in list(element.attrib.items()):
            if name == "id":
                element.set(name, prefix + value)
            elif name.startswith("on") or (name.endswith("href") and not value.startswith("#")):
                del element.attrib[name]
            elif "#" in value:
                element.set(name, _REFERENCE.sub(owned, value))
        if element.tag == f"{{{_SVG}}}style" and element.text:
            element.text = _REFERENCE.sub(owned, element.text)
    return ET.tostring(root, "unicode")
