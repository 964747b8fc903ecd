"""ABC drawn from a model in, ABC out that players parse without warnings: correct spelling, ties,
repeats and bar lengths.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from seqforge.domains.music.abc import parser
from seqforge.domains.music.abc.fields import NOTE_TOKEN, TOKEN, metre, metre_text, unit_text
from seqforge.domains.music.abc.playback import (
    BarLine,
    Element,
    KeyChange,
    Overlay,
    Section,
    SoundingElement,
    TempoChange,
    TimeChange,
    sections,
)
from seqforge.domains.music.abc.writer import GRID, BarWriter, WrittenNote, metre_of
from seqforge.domains.music.keys import (
    FIELD_LINE,
    PITCH_CLASS,
    declared_key,
    key_from_signature,
    parse_key,
)
from seqforge.domains.music.notes import TimeSignature, nearest_step

_WHOLE = 4 * GRID
_BARS_A_LINE = 4
_PLAIN_LENGTH = re.compile(r"(?:[1-9]\d?)?(?:/(?:2|4|8|16)?|//)?\Z")
_IN_TUPLET = 3
_THIRDS = re.compile(r"\(3(?::2:([124-9]))?\Z")
_ACCIDENTALS = ("", "^", "^^", "_", "__", "=")


def repaired(symbols: str) -> str:
    """A tune in, the same tune out if it is well-formed, else its notes written anew.

    Args:
        symbols: An optional header of M:, L: and K:, then music.
    """
    parts = sections(parser.elements_of(symbols))
    whole = metre(_metre_of_header(symbols))
    length = whole[0] / whole[1] if whole else None
    if (
        _is_well_spelled(symbols)
        and _ties_lead(parts)
        and _repeats_close(parts)
        and _bars_add_up(parts, length)
    ):
        return symbols
    blocks = [block for block in _blocks(parts) if block.bars]
    text = _Repair(symbols, exact=False).text(blocks)
    again = sections(parser.elements_of(text))
    return text if _bars_add_up(again, length) else _Repair(symbols, exact=True).text(blocks)


def _is_well_spelled(symbols: str) -> bool:
    """Whether every token is standard in its context."""
    for line in symbols.split("\n"):
        match = FIELD_LINE.match(line)
        if match and not _is_plain_field(match[1], match[2]):
            return False  # includes a note before :|, which players read as a field
        if not match and not _is_well_spelled_line(line):
            return False
    return True


def _is_well_spelled_line(line: str) -> bool:
    end = left = 0  # left: remaining notes of a tuplet
    before = ""  # length of the last note; marked for a rest, which joins no broken rhythm
    joined: str | None = None
    is_even = True  # whether the notes of the tuplet need equal lengths
    for token in TOKEN.finditer(line):
        kind = token.lastgroup or ""
        if token.start() != end:
            return False
        end = token.end()
        if kind in ("note", "chord", "rest"):
            length = _length_of(token, kind)
            if length is None or (joined is not None and length != joined):
                return False
            if is_even and 0 < left < _IN_TUPLET and length != before:
                return False
            if left and kind == "chord" and length != "=":
                return False  # players shorten its notes
            left, joined = max(0, left - 1), None
            before = length if kind != "rest" else f"z{length}"
        elif kind == "broken":
            if left or before.startswith("z") or not before or len(token[0]) > 3:
                return False
            joined = before
        elif kind == "tuplet":
            thirds = _THIRDS.match(token[0])
            if left or thirds is None:
                return False
            left, is_even = int(thirds[1] or _IN_TUPLET), thirds[1] is None
        elif kind in ("bar", "alone"):
            if left or joined is not None or not _is_plain_bar(token[0]):
                return False
            before = ""
        elif kind == "field":
            name, value = token["field_name"], token["field_value"]
            if not (token[0].endswith("]") and _is_plain_field(name, value)):
                return False
        elif kind not in ("space", "tie") or (kind == "tie" and before.startswith("z")):
            return False
    return end == len(line) and not left and joined is None


def _is_plain_field(name: str, value: str) -> bool:
    """Whether a field is M, L or K in its normal form."""
    if name == "K":
        return str(parse_key(value)) == value
    return value == {"M": metre_text, "L": unit_text}.get(name, lambda _: None)(value)


def _length_of(token: re.Match[str], kind: str) -> str | None:
    """The written length of a note, chord or rest, with a mark; None if it is non-standard."""
    length = token[f"{kind}_length" if kind != "note" else "length"]
    if not _PLAIN_LENGTH.match(length) or token[0][0] in "ZXx":
        return None
    notes = [token] if kind == "note" else []
    if kind == "chord":
        notes = list(NOTE_TOKEN.finditer(token["inside"]))
        if "".join(note[0] for note in notes) != token["inside"].replace("-", ""):
            return None
        if any(note["length"] for note in notes):
            return None
    for note in notes:
        marks = set(note["octave"])
        if note["accidental"] not in _ACCIDENTALS or len(note["octave"]) > 4:
            return None
        if marks - ({"'"} if note["letter"].islower() else {","}):
            return None
    return f"={length}"


def _is_plain_bar(text: str) -> bool:
    return re.fullmatch(r"\|[|\]:]?|:\|[12]?|::|\|1|\[[12]", text) is not None


def _ties_lead(parts: Sequence[Section]) -> bool:
    """Whether every tie leads to the same pitch within the same section."""
    waiting: tuple[int, ...] = ()
    for element in _written(parts):
        if isinstance(element, SoundingElement):
            if not set(waiting) <= set(element.pitches):
                return False
            waiting = element.tied
        elif (isinstance(element, BarLine) and waiting and _is_marked(element)) or isinstance(
            element, Overlay
        ):
            return False
    return not waiting


def _is_marked(bar: BarLine) -> bool:
    return bool(bar.closes or bar.opens or bar.endings)


def _written(parts: Sequence[Section]) -> Iterator[Element]:
    for part in parts:
        yield from part.body
        for _, elements in part.endings:
            yield from elements


def _repeats_close(parts: Sequence[Section]) -> bool:
    """Whether all repeats and endings are explicitly opened and closed."""
    heard = False
    for part in parts:
        is_repeated = part.times > 1
        if (part.opened > 0) > is_repeated or part.opened > 1 or part.times > 2:
            return False
        if is_repeated and heard and not part.opened:
            return False
        passes = [passes for passes, _ in part.endings]
        if passes not in ([], [(1,), (2,)]) or (passes and not _ends_doubly(part.endings)):
            return False
        heard = heard or any(isinstance(element, SoundingElement) for element in part.body)
    return True


def _ends_doubly(endings: Sequence[tuple[tuple[int, ...], Sequence[Element]]]) -> bool:
    """Whether the first ending closes the repeat and the second ends with a double bar line."""
    first, second = (elements[-1:] for _, elements in endings)
    closed = any(isinstance(last, BarLine) and last.closes for last in first)
    return closed and any(
        isinstance(last, BarLine) and not last.closes and (last.double or last.opens)
        for last in second
    )


def _bars_add_up(parts: Sequence[Section], whole: float | None) -> bool:
    """Whether every bar but the first is full when played.

    A short bar before a double bar or repeat is completed after it.

    Args:
        parts: Sections of a tune.
        whole: Initial bar length in whole notes; None: free metre.
    """
    length, is_first = 0.0, True
    for part in parts:
        if part.times > 1 and _has_one_bar(part, whole):
            return False
    for element in (e for part in parts for elements in part.passes() for e in elements):
        if isinstance(element, SoundingElement):
            length += element.length
        elif isinstance(element, TimeChange):
            whole = element.numerator / element.denominator
        elif isinstance(element, BarLine) and length:
            is_edge = bool(element.closes or element.opens or element.double)
            if whole is None or abs(length - whole) < 1e-6:
                length = 0.0
            elif not (is_edge and length < whole):
                if not is_first or length > whole:
                    return False
                length = 0.0
            is_first = False
    return True


def _has_one_bar(part: Section, whole: float | None) -> bool:
    """Whether a section is a single short bar, which players count differently."""
    bars = [0.0]
    for element in part.body:
        if isinstance(element, TimeChange):
            whole = element.numerator / element.denominator
        elif isinstance(element, SoundingElement):
            bars[-1] += element.length
        elif isinstance(element, BarLine) and bars[-1]:
            bars.append(0.0)
    return len([bar for bar in bars if bar]) == 1 and whole is not None and bars[0] < whole - 1e-6


@dataclass
class _WrittenBar:
    """A bar of the rewritten tune."""

    items: list[WrittenNote] = field(default_factory=list)
    key: tuple[int, bool] | None = None
    """Key change at its beginning: sharps, minor."""
    time: tuple[int, int] | None = None
    tempo: int = 0
    """Tempo change at its beginning in microseconds per quarter; 0: none."""
    is_double: bool = False
    """Whether it ends with a double bar line."""

    @property
    def steps(self) -> int:
        """Its length in steps."""
        return sum(item.steps for item in self.items)

    @property
    def is_odd(self) -> bool:
        """Whether its length has no metre; players go on counting after such a bar."""
        return metre_of(self.steps) == "none"


@dataclass
class _Block:
    """Bars without repeat, between repeat signs, or with two endings."""

    bars: list[_WrittenBar]
    is_repeated: bool = False
    endings: tuple[list[_WrittenBar], ...] = ()


def _blocks(parts: Sequence[Section]) -> Iterator[_Block]:
    """Sections in, blocks out; consecutive sections without repeat are merged."""
    plain: list[Element] = []
    for part in parts:
        texts = [part.body, *(elements for _, elements in part.endings)]
        passes = [passes for passes, _ in part.endings]
        fits = part.times == 2 and passes in ([], [(1,), (2,)])
        if fits and not any(map(_ends_tied, [*texts, plain])):
            body, *endings = map(_bars, texts)
            if body and all(endings) and not any(bars[-1].is_odd for bars in (body, *endings)):
                if plain:
                    yield _Block(_bars(plain))
                plain = []
                yield _Block(body, True, tuple(endings))
                continue
        plain += [element for elements in part.passes() for element in elements]
    if plain:
        yield _Block(_bars(plain))


def _ends_tied(elements: Sequence[Element]) -> bool:
    sounds = (element for element in reversed(elements) if isinstance(element, SoundingElement))
    last = next(sounds, None)
    return last is not None and bool(last.tied)


def _bars(elements: Sequence[Element]) -> list[_WrittenBar]:
    """Elements in, bars on the grid out, without overlays and invalid ties."""
    bars = [_WrittenBar()]
    now, is_overlaid = 0.0, False
    for element in elements:
        if isinstance(element, BarLine):
            is_overlaid = False
            if bars[-1].items:
                bars.append(_WrittenBar())
            if len(bars) > 1:
                bars[-2].is_double |= element.double or _is_marked(element)
        elif isinstance(element, Overlay):
            is_overlaid = element.bars > 0
        elif isinstance(element, KeyChange):
            (bars[-1] if not bars[-1].items else _WrittenBar()).key = (
                element.sharps,
                element.minor,
            )
        elif isinstance(element, TimeChange):
            (bars[-1] if not bars[-1].items else _WrittenBar()).time = element[:2]
        elif isinstance(element, TempoChange):
            (bars[-1] if not bars[-1].items else _WrittenBar()).tempo = element.microseconds
        elif isinstance(element, SoundingElement) and not is_overlaid:
            begin, now = nearest_step(now * _WHOLE), now + element.length
            if (steps := nearest_step(now * _WHOLE) - begin) > 0:
                bars[-1].items.append(
                    WrittenNote(
                        element.pitches, steps, element.tied, element.grace, _names(element)
                    )
                )
    return _with_ties([bar for bar in bars if bar.items])


def _names(sound: SoundingElement) -> tuple[tuple[str, int], ...]:
    """The written names of its pitches; empty if a pitch was moved into range."""
    pairs = zip(sound.names, sound.pitches, strict=False)
    fits = all((PITCH_CLASS[letter] + by - pitch) % 12 == 0 for (letter, by), pitch in pairs)
    return sound.names if fits and len(sound.names) == len(sound.pitches) else ()


def _with_ties(bars: list[_WrittenBar]) -> list[_WrittenBar]:
    """Bars in, the same out with valid ties only, and no grace notes at the end of a tie."""
    places = [(bar, place) for bar in bars for place in range(len(bar.items))]
    for (bar, place), following in zip(places, [*places[1:], None], strict=False):
        pitches: tuple[int, ...] = ()
        if following is not None:
            after, at = following
            pitches = after.items[at].pitches
        tied = tuple(pitch for pitch in bar.items[place].tied if pitch in pitches)
        bar.items[place] = bar.items[place]._replace(tied=tied)
        if tied and following is not None:
            after.items[at] = after.items[at]._replace(grace=())
    return bars


_METRE_SAID = re.compile(r"\[M:([^\]]*)\]")


class _Repair:
    """Writes blocks as a tune."""

    def __init__(self, symbols: str, exact: bool) -> None:
        """``exact``: every irregular bar has its own metre."""
        self._exact = exact
        self._restates = exact  # the metre at the beginning of a block, for repeats
        self._metre = _metre_of_header(symbols)
        self._said = self._metre  # last metre written
        self._time = metre(self._metre)
        self._is_free = self._time is None  # players go on counting after a free bar
        self._key = declared_key(symbols) or parse_key("C")
        self._now = (self._key.sharps, self._key.minor)
        self._writer = BarWriter(self._key)
        self._head = f"M:{self._metre}\nL:1/8\nK:{self._key}\n"

    def text(self, blocks: Sequence[_Block]) -> str:
        """Blocks in, the whole tune out."""
        out = [self._head]
        for number, block in enumerate(blocks):
            is_last = number + 1 == len(blocks)
            end = "|]" if is_last else "||"
            opening = "|:" if block.is_repeated else ""
            self._restates = self._exact and (number > 0 or block.is_repeated)
            body = self._music(block.bars, is_last and not block.is_repeated)
            if block.endings:
                first, second = (
                    self._music(bars, is_last and bars is block.endings[1])
                    for bars in block.endings
                )
                out.append(f"{opening}{body}|1{first}:|2{second}{end}")
            elif block.is_repeated:
                out.append(f"{opening}{body}:|")
            else:
                last = block.bars[-1]
                is_double = end == "|]" or (last.is_double and not last.is_odd)
                out.append(body + (end if is_double else "|"))
            out.append("\n")
        text = "".join(out).rstrip("\n")
        if {metre(said) for said in _METRE_SAID.findall(text)} <= {metre(self._metre)}:
            return _METRE_SAID.sub("", text)  # no repeat returns to another metre
        return text

    def _music(self, bars: Sequence[_WrittenBar], ends_tune: bool) -> str:
        """Bars joined by bar lines, four per line of text, without a final bar line."""
        out: list[str] = []
        for number, bar in enumerate(bars):
            is_last = number + 1 == len(bars)
            at_edge = number == 0 or is_last or bar.is_double or bars[number - 1].is_double
            may_lack = at_edge and (not self._exact or (ends_tune and is_last))
            out.append(self._bar(bar, may_lack, is_first=number == 0))
            if not is_last:
                breaks = (number + 1) % _BARS_A_LINE == 0 and number + 2 < len(bars)
                is_double = bar.is_double and not bar.is_odd
                out.append(("||" if is_double else "|") + "\n" * breaks)
        return "".join(out)

    def _bar(self, bar: _WrittenBar, may_lack: bool, is_first: bool) -> str:
        fields = ""
        if bar.key is not None and bar.key != self._now:
            self._now = bar.key
            self._key = key_from_signature(*bar.key)
            self._writer = BarWriter(self._key)
            fields = f"[K:{self._key}]"
        if bar.tempo:
            fields += f"[Q:1/4={round(60e6 / bar.tempo)}]"
        self._time = bar.time or self._time
        said = f"{self._time[0]}/{self._time[1]}" if self._time else "none"
        whole = _WHOLE * self._time[0] / self._time[1] if self._time else bar.steps
        if bar.steps != whole and (not may_lack or bar.steps > whole):
            said = metre_of(bar.steps)
        is_new = metre(said) != metre(self._said)
        if not self._is_free and (is_new or (self._restates and is_first)):
            fields += f"[M:{said}]"
        self._said = said
        return fields + self._writer.bar(bar.items, 0, TimeSignature(0, *(self._time or (4, 4))))


def _metre_of_header(symbols: str) -> str:
    match = re.search(r"^M:(.*)", symbols, re.MULTILINE)
    return metre_text(match[1]) if match else "4/4"
