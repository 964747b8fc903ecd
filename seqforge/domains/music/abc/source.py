"""The text of an ABC file in, its logical lines out: macros expanded, parts in playing order."""

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
    """The value of an ``m:`` field in, its macro out; None if it is malformed."""
    target, equals, text = (part.strip() for part in value[:_LONGEST].partition("="))
    if not (target and equals) or target == text:
        return None
    if "n" not in target:
        return lambda line: line.replace(target, text)
    before, after = map(re.escape, target.split("n", 1))
    pattern = re.compile(before + _NOTE + after)
    return lambda line: pattern.sub(lambda match: _beside(match[1], text), line)


def expanded(line: str, macros: list[Macro]) -> str:
    """A line in, the line out with macros applied once each, in order of definition."""
    most = 8 * len(line) + _LONGEST
    for one in macros[:_MOST]:
        whole = one(line)
        line = whole if len(whole) <= most else line
    return line


def _beside(note: str, text: str) -> str:
    """A note and a macro's text in, the text out with relative letters as notes."""
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
    """ABC text in, logical lines out: continued lines joined, comments dropped, blank lines kept.

    Args:
        text: Any text, with line ends of any system.
    """
    field: list[str] = []  # a field that +: may continue
    music: list[str] = []  # music continued by a backslash
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
    """Notation settings from fields: macros, and the line-break character."""

    def __init__(self) -> None:
        self._macros: list[Macro] = []
        self._shared: list[Macro] | None = None  # from the file header
        self._breaks = False  # whether ! is a line break, not a decoration

    def take(self, name: str, value: str) -> None:
        """Apply a field line."""
        if name == "X":
            self._shared = self._macros if self._shared is None else self._shared
            self._macros = list(self._shared)
        elif name == "m" and (found := macro(value)):
            self._macros.append(found)
        elif name == "I" and _LINEBREAK.match(value):
            self._breaks = True

    def plain(self, line: str) -> str:
        """A line of music in, the same in plain notation out."""
        line = line.replace("!", " ") if self._breaks else line
        return _MICROTONE.sub(_nearest, expanded(line, self._macros))


def _nearest(microtone: re.Match[str]) -> str:
    """A microtone in, an accidental out, rounded to the natural: ``^3/2``: ``^``, ``_/``: ``=``."""
    semitones = int(microtone[2] or 1) // (int(microtone[3] or 2) or 2)
    return microtone[1] * min(semitones, 2) or "="


def _flushed(parts: list[str], between: str = " ") -> Iterator[str]:
    """Parts in, their joined line out if there are any; empties the list."""
    if parts:
        yield between.join(parts)
        parts.clear()


def _inline(field: re.Match[str]) -> list[str]:
    """A field line in, the same as an inline field out."""
    code = _CODE.match(field[2])
    assert code is not None  # it may be empty
    return [f"[{field[1]}:{code[0].replace(']', ' ')}]"] if field[1] in _SOUNDING else []


def _continued(line: str) -> tuple[str, bool]:
    """A line of music in, its code and whether a backslash continues it out."""
    line = line.rstrip()
    if "\\" not in line:
        return line, False
    code = _CODE.match(line)
    assert code is not None  # it may be empty
    before = code[0].rstrip() if line[code.end() :].startswith("%") else line
    return (before[:-1], True) if before.endswith("\\") else (line, False)


def _without_blocks(text: str) -> Iterator[str]:
    """Text in, its lines out, without blocks from ``%%beginNAME`` to the last ``%%endNAME``."""
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
    """Header and body of a tune in, the body's lines out, its parts in the order of ``P:``.

    A moved part is preceded by the metre, unit length and key valid where it is written. A
    double bar line ends each part, since repeats do not go back past its beginning. Without an
    order or marked parts the body is unchanged.
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
    if [name for name, _, _ in parts] == list(order):  # in written order, even if names repeat
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
            out.append("||")  # a repeat must not go back past the beginning of a part
        said = lines[0][:2] if lines else ""  # the part may begin with this field itself
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
    """A body in; lines before the first part, and each part's name, valid fields, lines out."""
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
    """Metre, unit length and key set by these lines."""
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
    """A play order such as ``A(BC)2.D3`` in, its part letters out, at most 500."""
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
