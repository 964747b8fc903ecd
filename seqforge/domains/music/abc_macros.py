"""``m:`` fields and a line of music to the line with its macros written out (standard 9).

``m:~G2 = {A}G{F}G`` replaces what stands left of the equals sign. An ``n`` there is any note, and
the letters h to z on the right are notes as far from it as they are from n in the alphabet.
"""

from __future__ import annotations

import re
from collections.abc import Callable

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
