"""A MusicXML file (.musicxml, .xml, .mxl) in, the sounding piece out."""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from seqforge.base.compression import HEAD
from seqforge.base.textio import mark_of, read_bytes, refuse_foreign
from seqforge.domains.music.midi.event_parser import Repairs
from seqforge.domains.music.midi.midi_file import MOST_BYTES, MOST_NOTES
from seqforge.domains.music.musicxml.instruments import Instruments, instruments
from seqforge.domains.music.musicxml.measures import (
    MOST_PLAYED,
    Marks,
    Measure,
    PartReader,
    StruckNote,
    playing_order,
)
from seqforge.domains.music.notes import (
    DRUMS,
    MOST_QUARTERS,
    KeySignature,
    Note,
    Piece,
    Tempo,
    TimeSignature,
    count_cut,
    normalised,
    pickup_metre,
    tempo_of,
)
from seqforge.errors import InputError

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element


def played_piece(
    parts: Sequence[Sequence[Measure]], grid: int, where: str, repairs: Repairs
) -> tuple[list[Note], Piece]:
    """Measures of all parts in; all notes before normalisation, and the normalised piece, out.

    Args:
        parts: Measures by part.
        grid: Steps per quarter.
        where: Name of the file in messages.
        repairs: Counts changes.

    Raises:
        InputError: If it has too many notes or lasts too long.
    """
    count = max(map(len, parts), default=0)
    bars = [_bar([part[n] for part in parts if n < len(part)]) for n in range(count)]
    order = playing_order([bar.marks for bar in bars])
    starts = [Fraction(0)]
    for number in order:
        starts.append(starts[-1] + bars[number].length)
    too_long = InputError(
        f"{where}: lasts more than {MOST_QUARTERS:,} quarters; cut it into pieces"
    )
    if len(order) > MOST_PLAYED or starts[-1] > MOST_QUARTERS:
        raise too_long
    layer = _Layer(grid)
    for part in parts:
        layer.lay(part, order, starts)
        if len(layer.notes) > MOST_NOTES:
            raise InputError(f"{where}: has more than {MOST_NOTES:,} notes; cut it into pieces")
    if any(note.start + note.duration > MOST_QUARTERS * grid for note in layer.notes):
        raise too_long  # a note may last beyond its bar
    if layer.moved:
        repairs.add(f"{{n}} of {len(layer.notes):,} notes moved to the grid", layer.moved)
    times, pickup = _metres(
        [bars[number] for number in order], [layer.step(s) for s in starts], grid
    )
    piece = Piece(
        tuple(layer.notes),
        grid,
        tuple(_tempos(bars, order, starts, layer)),
        tuple(times),
        tuple(_keys(parts, order, starts, layer)),
        pickup,
    )
    return layer.notes, normalised(piece)


def _bar(measures: Sequence[Measure]) -> Measure:
    """A bar's measures in all parts in, one measure of length, metre, tempos and marks out."""
    bar = Measure(metre=measures[0].metre, marks=Marks())
    bar.length = max(measure.length for measure in measures)
    if not bar.length:
        numerator, denominator = bar.metre or (4, 4)
        bar.length = Fraction(4 * numerator, denominator)
    for measure in measures:
        bar.marks.add(measure.marks)
        bar.tempos += measure.tempos
    return bar


class _Layer:
    """Places the notes of parts in time and merges tied ones."""

    def __init__(self, grid: int) -> None:
        self._grid = grid
        self.notes: list[Note] = []
        self.moved = 0

    def step(self, quarters: Fraction) -> int:
        """A time in, the nearest step out."""
        return int((2 * quarters * self._grid + 1) // 2)

    def lay(
        self, part: Sequence[Measure], order: Sequence[int], starts: Sequence[Fraction]
    ) -> None:
        """Add a part's notes; a tie continues the note that ends at its onset."""
        tied: dict[tuple[int, int, Fraction], int] = {}
        for number, start in zip(order, starts, strict=False):
            if number >= len(part):
                continue
            for struck in sorted(part[number].notes, key=_onset):
                begin = start + struck.onset
                end = begin + struck.length
                place = tied.pop((struck.pitch, struck.program, begin), None)
                if place is not None:  # some programs omit the stop of a tie
                    note = self.notes[place]
                    self.notes[place] = note._replace(duration=self._until(note.start, end))
                else:
                    place = len(self.notes)
                    self.notes.append(self._note(struck, begin, end))
                if struck.goes_on:
                    tied[struck.pitch, struck.program, end] = place

    def _note(self, struck: StruckNote, begin: Fraction, end: Fraction) -> Note:
        first = self.step(begin)
        self.moved += first != begin * self._grid
        return Note(struck.pitch, struck.velocity, first, self._until(first, end), struck.program)

    def _until(self, first: int, end: Fraction) -> int:
        return max(1, self.step(end) - first)


def _onset(struck: StruckNote) -> Fraction:
    return struck.onset


def _metres(
    bars: Sequence[Measure], steps: Sequence[int], grid: int
) -> tuple[list[TimeSignature], int]:
    """Time signatures that place the bar lines as written, and the pick-up.

    An irregular bar has its own time signature. Exceptions: the pick-up, the last bar, and two
    bars that add up to one, such as the end of a part and the pick-up of the next.
    """
    found: list[TimeSignature] = []
    pickup = number = 0
    while number < len(bars):
        place, metre = number, bars[number].metre
        number += 1
        if metre is None:
            continue
        wanted = Fraction(4 * metre[0], metre[1])
        length = bars[place].length
        own = None
        if place == 0 and length < wanted and len(bars) > 1:
            pickup = steps[1]
        elif length != wanted and number < len(bars):
            following = bars[number]
            if following.metre == metre and length + following.length == wanted:
                number += 1
            else:
                own = pickup_metre(steps[number] - steps[place], grid)
        found.append(TimeSignature(steps[place], *(own or metre)))
    return found, pickup


def _tempos(
    bars: Sequence[Measure], order: Sequence[int], starts: Sequence[Fraction], layer: _Layer
) -> Iterable[Tempo]:
    for number, start in zip(order, starts, strict=False):
        for offset, quarters in bars[number].tempos:
            yield Tempo(layer.step(start + offset), tempo_of(quarters))


def _keys(
    parts: Sequence[Sequence[Measure]],
    order: Sequence[int],
    starts: Sequence[Fraction],
    layer: _Layer,
) -> Iterable[KeySignature]:
    """Key signatures of the first pitched part that has any."""
    said = [part for part in parts if any(measure.keys for measure in part)]
    pitched = [part for part in said if any(n.program != DRUMS for m in part for n in m.notes)]
    for part in (pitched or said)[:1]:
        for number, start in zip(order, starts, strict=False):
            for offset, sharps, is_minor in part[number].keys if number < len(part) else ():
                yield KeySignature(layer.step(start + offset), sharps, is_minor)


_UNPACKED = 5 * MOST_BYTES  # XML of a symphony; larger archives are refused as zip bombs
_MOST_ELEMENTS = 3_000_000
_DEEPEST = 200
_UNMARKED = ((b"<\0?\0", "utf-16-le"), (b"\0<\0?", "utf-16-be"))
_LATIN = re.compile(rb"""encoding=["']iso-8859-1["']""", re.IGNORECASE)
_AGAIN = "export it again from a notation program"


def read_musicxml(path: Path, steps_per_quarter: int) -> tuple[Piece, str]:
    """A file in, its piece and a note on repairs out; see `midi_file.read_midi`.

    Raises:
        InputError: If the file is too large, damaged or without notes.
    """
    repairs = Repairs()
    parts = _Document(path).read(_text(path), repairs)
    notes, piece = played_piece(parts, steps_per_quarter, str(path), repairs)
    if not piece.notes:
        raise InputError(f"{path}: has no note in it that sounds; {_AGAIN}")
    what = "{n} held note{s} cut where the same instrument strikes the pitch again"
    repairs.add(what, count_cut(notes, piece))
    doubled = len(notes) - len(piece.notes)
    repairs.add("{n} note{s} that only doubled another left out", doubled)
    return piece, repairs.said()


def score_in(names: Sequence[str]) -> str | None:
    """A .mxl archive in, its score's bytes out; None if it is another kind of archive."""
    is_book = any(name.lower().endswith(".opf") for name in names)
    is_document = "mimetype" in names and "META-INF/container.xml" not in names
    if is_book or is_document or "[Content_Types].xml" in names:
        return None
    scores = (name for name in names if name.lower().endswith((".xml", ".musicxml")))
    return next((name for name in scores if not name.startswith("META-INF")), None)


def _text(path: Path) -> str:
    data = read_bytes(path, _UNPACKED, "MusicXML", score_in)
    refuse_foreign(path, data[:HEAD])
    mark, encoding = mark_of(data)
    if not mark:
        encoding = next((name for start, name in _UNMARKED if data.startswith(start)), "")
        if not encoding and _LATIN.search(data[:100]):
            encoding = "latin-1"
    return data[len(mark) :].decode(encoding or "utf-8", "replace")


class _Document:
    """Parses a document element by element; frees each measure after it is read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._said: Counter[str] = Counter()
        self._instruments: dict[str, Instruments] = {}
        self._readers: dict[str, PartReader] = {}
        self._is_concert = False
        self._inside: list[Element] = []

    def read(self, text: str, repairs: Repairs) -> list[list[Measure]]:
        """The measures of each part.

        Raises:
            InputError: If it is not MusicXML.
        """
        if "<!ENTITY" in text:
            raise InputError(f"{self._path}: declares entities, which no score needs; {_AGAIN}")
        source = ElementTree.iterparse(
            io.BytesIO(text.encode("utf-8", "replace")),
            ("start", "end"),
            parser=ElementTree.XMLParser(encoding="utf-8"),
        )
        try:
            self._walk(source)
        except ElementTree.ParseError as error:
            raise InputError(
                f"{self._path}:{error.position[0]}: is not well-formed XML "
                f"({error.msg.split(':')[0]}); "
                f"{_AGAIN}"
            ) from error
        except ValueError as error:
            raise InputError(f"{self._path}: {error}; {_AGAIN}") from error
        for what, count in self._said.items():
            repairs.add(what, count)
        return [reader.measures for reader in self._readers.values()]

    def _walk(self, source: Iterable[tuple[str, Element]]) -> None:
        count = 0
        for event, element in source:
            if event == "start":
                self._begin(element)
                continue
            if (count := count + 1) > _MOST_ELEMENTS:
                raise ValueError(f"has more than {_MOST_ELEMENTS:,} elements")
            self._inside.pop()
            if element.tag == "score-part":
                self._instruments[element.get("id", "")] = instruments(element)
            elif element.tag == "concert-score":
                self._is_concert = True
            elif element.tag in ("measure", "part") and self._inside:
                self._end_of(element, self._inside[-1])

    def _begin(self, element: Element) -> None:
        if not self._inside and element.tag not in ("score-partwise", "score-timewise"):
            raise ValueError(f"is XML but not MusicXML (it begins with <{element.tag[:40]}>)")
        if len(self._inside) >= _DEEPEST:
            raise ValueError(f"has elements inside of more than {_DEEPEST} others")
        self._inside.append(element)

    def _end_of(self, element: Element, parent: Element) -> None:
        """Read a finished measure, in partwise and timewise scores."""
        if {element.tag, parent.tag} == {"measure", "part"}:
            name = (element if element.tag == "part" else parent).get("id", "")
            self._reader(name).read(element)
        element.clear()

    def _reader(self, name: str) -> PartReader:
        if name not in self._readers:
            declared = self._instruments.get(name) or instruments(ElementTree.Element("part"))
            self._readers[name] = PartReader(declared, self._is_concert, self._said)
        return self._readers[name]
