"""Text from anywhere -> text that a terminal, a log or a table shows and does not obey.

Escape sequences move the cursor, colour, retitle windows, or have a terminal answer as if it had
been typed on; marks of direction show letters in another order than they stand in. They come from
a FASTA title, a model's name, a service's answer, and may be drawn by a model.
"""

from __future__ import annotations

import re

# C0 and DEL and C1; line and paragraph separators; marks of direction (Unicode 16, UAX 9);
# surrogates; invisible characters that hide text in text (tags, annotations, the byte order mark).
_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)
_OF_PROSE = "\n\t"


def printable(text: str, keep: str = _OF_PROSE) -> str:
    r"""What is no visible character becomes its escape, as Python writes it: ``\x1b``, ``\u202e``.

    Args:
        text: Anything.
        keep: Control characters that stay; line breaks and tabs in prose, none in a cell.
    """

    def shown(found: re.Match[str]) -> str:
        character = found[0]
        if character in keep:
            return character
        return character.encode("unicode_escape").decode()

    return _UNSAFE.sub(shown, text)


def one_line(text: str) -> str:
    """The same for a cell of a table, or a word in a sentence: without line breaks and tabs."""
    return printable(text, keep="")


def shown(value: object, most: int = 300) -> str:
    """A value from anywhere as a sentence can hold it, as Python writes it."""
    try:
        return shortened(repr(value), most)
    except ValueError:  # Python writes no whole number of more than 4,300 digits
        return "a number of thousands of digits"
    except RecursionError:
        return "a value nested too deep"


def shortened(text: str, most: int = 300) -> str:
    """Text from anywhere as a sentence can hold it: in one line, and without its middle if long."""
    line = one_line(text)
    if len(line) <= most:
        return line
    kept = most // 2
    return f"{line[:kept]}[... {len(line) - 2 * kept:,} characters ...]{line[-kept:]}"
