"""MusicXML files (.musicxml, .xml, .mxl) to pieces, as they sound."""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from seqforge.base.encodings import mark_of
from seqforge.base.file_types import HEAD
from seqforge.core.opening import read_bytes, refuse_foreign
from seqforge.domains.music.midi import MOST_BYTES
from seqforge.domains.music.midi_tracks import Repairs
from seqforge.domains.music.musicxml_instruments import Instruments, instruments
from seqforge.domains.music.musicxml_measures import Measure, PartReader
from seqforge.domains.music.musicxml_playing import played_piece
from seqforge.domains.music.notes import Piece, count_cut
from seqforge.errors import InputError

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_UNPACKED = 5 * MOST_BYTES  # XML of a symphony; beyond it an archive means harm
_MOST_ELEMENTS = 3_000_000
_DEEPEST = 200
_UNMARKED = ((b"<\0?\0", "utf-16-le"), (b"\0<\0?", "utf-16-be"))
_LATIN = re.compile(rb"""encoding=["']iso-8859-1["']""", re.IGNORECASE)
_AGAIN = "export it again from a notation program"


def read_musicxml(path: Path, steps_per_quarter: int) -> tuple[Piece, str]:
    """The piece in a file and what reading it changed, as `midi.read_midi`.

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
    """The score among the files of a .mxl archive; None where it is another kind of archive."""
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
    """Walks the elements of a document, and forgets each measure when it is read."""

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
            InputError: If it is no MusicXML.
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
                f"{self._path}:{error.position[0]}: is no whole XML ({error.msg.split(':')[0]}); "
                f"{_AGAIN}"
            ) from error
        except ValueError as error:
            raise InputError(f"{self._path}: {error}; {_AGAIN}") from error
        for what, count in self._said.items():
            repairs.add(what, count)
        return [reader.measures for reader in self._readers.values()]

    def _walk(self, source: object) -> None:
        count = 0
        for event, element in source:  # type: ignore[attr-defined]
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
            raise ValueError(f"is XML but no MusicXML (it begins with <{element.tag[:40]}>)")
        if len(self._inside) >= _DEEPEST:
            raise ValueError(f"has elements inside of more than {_DEEPEST} others")
        self._inside.append(element)

    def _end_of(self, element: Element, parent: Element) -> None:
        """A measure of a part, whichever is inside of the other."""
        if {element.tag, parent.tag} == {"measure", "part"}:
            name = (element if element.tag == "part" else parent).get("id", "")
            self._reader(name).read(element)
        element.clear()

    def _reader(self, name: str) -> PartReader:
        if name not in self._readers:
            declared = self._instruments.get(name) or instruments(ElementTree.Element("part"))
            self._readers[name] = PartReader(declared, self._is_concert, self._said)
        return self._readers[name]
