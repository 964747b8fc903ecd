"""The lines of an ABC file in, the lines that sound out, in playing order, with macros expanded."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence

from seqforge.domains.music.keys import FIELD_LINE

_LETTERS = "CDEFGAB"
_MOST = 32
"""Macros of a tune."""
_LONGEST = 200
"""Characters of one."""
_NOTE = r"([A-Ga-g][,']{0,9})"
_RELATIVE = re.compile(r"[h-z]")

Macro = Callable[[str], str]


def macro(value: str) -> Macro | None:
    """What the value of a field does to a line; None where it says nothing."""
    target, equals, text = (part.strip() for part in value[:_LONGEST].partition("="))
    if not (target and equals) or target == text:
        return None
    if "n" not in target:
        return lambda line: line.replace(target, text)
    before, after = map(re.escape, target.split("n", 1))
    pattern = re.compile(before + _NOTE + after)
    return lambda line: pattern.sub(lambda match: _beside(match[1], text), line)


def expanded(line: str, macros: list[Macro]) -> str:
    """The line with macros written out, each once, in the order in which they were said."""
    most = 8 * len(line) + _LONGEST
    for one in macros[:_MOST]:
        whole = one(line)
        line = whole if len(whole) <= most else line
    return line


def _beside(note: str, text: str) -> str:
    """A text with the notes that stand so far from this one."""
    marks = note.count("'") - note.count(",")
    height = _LETTERS.index(note[0].upper()) + 7 * (note[0].islower() + marks)

    def named(letter: re.Match[str]) -> str:
        octave, place = divmod(height + ord(letter[0]) - ord("n"), 7)
        name = _LETTERS[place]
        return name.lower() + "'" * (octave - 1) if octave > 0 else name + "," * -octave

    return _RELATIVE.sub(named, text)


_BLOCK = re.compile(r"%%\s*(begin|end)([A-Za-z]\w*)", re.IGNORECASE)
_DIRECTIVE = re.compile(r"%%\s*((?:MIDI\s+r?transpose|score|staves|linebreak)\b.*)", re.IGNORECASE)
_LINEBREAK = re.compile(r"\s*linebreak\b.*(!|<none>)", re.IGNORECASE)
_CODE = re.compile(r'(?:"[^"]*"|[^"%])*')
_SOUNDING = frozenset("IKLMPQVmU")
"""Fields that count inside of a continued line."""
_MARK = re.compile(r"\[P:([^\]]*)\]")
_MICROTONE = re.compile(r"([\^_])(\d{1,2})?/(\d{1,2})?(?=[A-Ga-g])")
_ORDER = re.compile(r"[A-Za-z]|\d{1,4}|[()]")
_MOST_PARTS = 500
_MOST_CHARACTERS = 250_000
_RESTORED = "MLK"
_TunePart = tuple[dict[str, str], list[str]]
"""The fields that hold where a part begins, and its lines."""


def logical_lines(text: str) -> Iterator[str]:
    """The lines of a text that mean something; blank ones, which end a tune, stay.

    Args:
        text: Any text; lines end as on any system.
    """
    field: list[str] = []  # a field that +: may go on with
    music: list[str] = []  # a line that a backslash goes on with
    ways = _Ways()
    for line in _without_blocks(text):
        if directive := _DIRECTIVE.match(line):
            line = f"I:{directive[1]}"
        elif line.startswith("%"):
            continue
        if line.startswith("+:"):
            if field:
                field[-1] = field[-1].split("%")[0].rstrip()
                field.append(line[2:].strip())
            continue
        match = FIELD_LINE.match(line)
        if music and match and match[1] != "X":
            music += _inline(match)
            continue
        yield from _flushed(field)
        if match or not line.strip():
            yield from _flushed(music, "")
        if match:
            ways.take(match[1], match[2])
            field.append(line.rstrip())
        elif not line.strip():
            yield ""
        else:
            code, is_continued = _continued(ways.plain(line))
            music.append(code)
            if not is_continued:
                yield from _flushed(music, "")
    yield from _flushed(field)
    yield from _flushed(music, "")


class _Ways:
    """Ways of writing that fields agree upon: macros, and what ends a line of the score."""

    def __init__(self) -> None:
        self._macros: list[Macro] = []
        self._shared: list[Macro] | None = None  # of the header of the file
        self._breaks = False  # whether ! ends a line, and begins no decoration

    def take(self, name: str, value: str) -> None:
        """A field on a line of its own."""
        if name == "X":
            self._shared = self._macros if self._shared is None else self._shared
            self._macros = list(self._shared)
        elif name == "m" and (found := macro(value)):
            self._macros.append(found)
        elif name == "I" and _LINEBREAK.match(value):
            self._breaks = True

    def plain(self, line: str) -> str:
        """A line of music without them."""
        line = line.replace("!", " ") if self._breaks else line
        return _MICROTONE.sub(_nearest, expanded(line, self._macros))


def _nearest(microtone: re.Match[str]) -> str:
    """The accidental of whole semitones towards the natural: ``^3/2`` is ``^``, ``_/`` is ``=``."""
    semitones = int(microtone[2] or 1) // (int(microtone[3] or 2) or 2)
    return microtone[1] * min(semitones, 2) or "="


def _flushed(parts: list[str], between: str = " ") -> Iterator[str]:
    """What was put together, if anything was; nothing of it stays."""
    if parts:
        yield between.join(parts)
        parts.clear()


def _inline(field: re.Match[str]) -> list[str]:
    """A field on a line of its own as it stands inside of a line of music."""
    code = _CODE.match(field[2])
    assert code is not None  # it may be empty
    return [f"[{field[1]}:{code[0].replace(']', ' ')}]"] if field[1] in _SOUNDING else []


def _continued(line: str) -> tuple[str, bool]:
    """A line of music, and whether a backslash says that the next belongs to it."""
    line = line.rstrip()
    if "\\" not in line:
        return line, False
    code = _CODE.match(line)
    assert code is not None  # it may be empty
    before = code[0].rstrip() if line[code.end() :].startswith("%") else line
    return (before[:-1], True) if before.endswith("\\") else (line, False)


def _without_blocks(text: str) -> Iterator[str]:
    """Lines, those between ``%%beginNAME`` and the last ``%%endNAME`` of it left out."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    found = {i: _BLOCK.match(line) for i, line in enumerate(lines) if line.startswith("%%")}
    inside: str | None = None
    ends = {
        match[2].lower(): i for i, match in found.items() if match and match[1].lower() == "end"
    }
    for number, line in enumerate(lines):
        match = found.get(number)
        if inside is not None:
            if match and match[1].lower() == "end" and match[2].lower() == inside:
                inside = None
        elif match is None:
            yield line
        elif match[1].lower() == "begin" and ends.get(match[2].lower(), -1) > number:
            inside = match[2].lower()


def in_order(header: Sequence[str], body: Sequence[str]) -> list[str]:
    """The lines of a tune's body in the order in which ``P:`` of its header has its parts played.

    Before a part that is played elsewhere than where it stands come the metre, the unit and the key
    that hold where it is written; a part ends in a double bar line, since no repeat goes back past
    its beginning. Where no order is said, or no part is marked, nothing changes.
    """
    orders = [match[2] for line in header if (match := FIELD_LINE.match(line)) and match[1] == "P"]
    order = _expanded(orders[-1]) if orders else ""
    if not order:
        return list(body)
    held = dict(_fields(header))
    intro, parts = _parts(held, body)
    if not parts:
        return list(body)
    known: dict[str, _TunePart] = {}
    for name, held_there, lines in parts:
        known.setdefault(name, (held_there, lines))
    in_turn: Iterable[_TunePart] = (known.get(name, ({}, [])) for name in order)
    if [name for name, _, _ in parts] == list(order):  # as written, whatever the names
        in_turn = [(held_there, lines) for _, held_there, lines in parts]
    return _laid_out(intro, held | _fields(intro), in_turn)


def _laid_out(
    intro: list[str],
    now: dict[str, str],
    parts: Iterable[_TunePart],
) -> list[str]:
    out = list(intro)
    size = 0
    for held, lines in parts:
        size += sum(map(len, lines))
        if size > _MOST_CHARACTERS:
            break
        if out and out[-1].rstrip().endswith(("|", "]", ":")) and not FIELD_LINE.match(out[-1]):
            out.append("||")  # a repeat does not go back past the beginning of a part
        said = lines[0][:2] if lines else ""  # the part may begin with a field of its own
        out += [
            f"{key}:{held[key]}" for key in _RESTORED
            if key in held and held[key] != now.get(key) and said != f"{key}:"
        ]  # fmt: skip
        out += lines
        now |= held | dict(_fields(lines))
    return out


def _parts(
    held: dict[str, str], body: Sequence[str]
) -> tuple[list[str], list[tuple[str, dict[str, str], list[str]]]]:
    """What comes before the first part; of each part its name, the fields held there, its lines."""
    intro: list[str] = []
    parts: list[tuple[str, dict[str, str], list[str]]] = []
    held = dict(held)
    lines = intro
    for line in body:
        pieces = _MARK.split(f"[P:{line[2:]}]" if line.startswith("P:") else line)
        for place, piece in enumerate(pieces):
            if place % 2:
                lines = []
                parts.append((piece.strip()[:1], dict(held), lines))
            elif piece.strip():
                lines.append(piece)
                held |= _fields([piece])
    return intro, parts


def _fields(lines: Sequence[str]) -> dict[str, str]:
    """The metre, unit and key that hold after these lines."""
    held: dict[str, str] = {}
    for line in lines:
        match = FIELD_LINE.match(line)
        if match:
            found = [(match[1], match[2])]
        elif "[" in line:
            found = re.findall(r"\[([MLK]):([^\]]*)\]", line)
        else:
            continue
        held |= {name: value.strip() for name, value in found if name in _RESTORED and value}
    return held


def _expanded(order: str) -> str:
    """``A(BC)2.D3`` as the letters of the parts played, 500 at most."""
    stack: list[list[str]] = [[]]
    size = 0
    for item in _ORDER.findall(order):
        if item == "(":
            if len(stack) < _MOST_PARTS:
                stack.append([])
        elif item == ")":
            if len(stack) > 1:
                group = "".join(stack.pop())
                stack[-1].append(group[:_MOST_PARTS])
        elif item.isdigit():
            if stack[-1]:
                stack[-1][-1] = stack[-1][-1] * min(int(item), _MOST_PARTS)
                stack[-1][-1] = stack[-1][-1][:_MOST_PARTS]
        elif size < _MOST_PARTS:
            size += 1
            stack[-1].append(item)
    return "".join("".join(group) for group in stack)[:_MOST_PARTS]
