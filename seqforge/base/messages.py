"""Any text or number in, text that is safe and readable in a terminal, log or table out: control
characters escaped, numbers and durations formatted, close matches suggested, remarks
collected; how far work is.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic import ValidationError

# C0 and DEL and C1; line and paragraph separators; marks of direction (Unicode 16, UAX 9);
# surrogates; invisible characters that hide text in text (tags, annotations, the byte order mark).
_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)
_OF_PROSE = "\n\t"


def printable(text: str, keep: str = _OF_PROSE) -> str:
    r"""Text in, the same with invisible characters as escapes out: ``\x1b``, ``\u202e``.

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
    """The same for a table cell or a word in a sentence, without line breaks and tabs."""
    return printable(text, keep="")


def shown(value: object, most: int = 300) -> str:
    """Any value in, its repr for a sentence out, escaped and shortened."""
    try:
        return shortened(repr(value), most)
    except ValueError:  # Python writes no whole number of more than 4,300 digits
        return "a number of thousands of digits"
    except RecursionError:
        return "a value nested too deep"


def shortened(text: str, most: int = 300) -> str:
    """Any text in, one line out, its middle left out if it is long."""
    line = one_line(text)
    if len(line) <= most:
        return line
    kept = most // 2
    return f"{line[:kept]}[... {len(line) - 2 * kept:,} characters ...]{line[-kept:]}"


_LONGEST = 100  # what is longer is no slip


def did_you_mean(word: str, known: Iterable[str], prefix: str = "") -> str:
    """A word and known ones in, ``; did you mean sample?`` or nothing out.

    Args:
        word: As it was typed.
        known: What could have been meant; upper and lower case count alike.
        prefix: What stands before the word wherever it is typed: ``--``.
    """
    if len(word) > _LONGEST:
        return ""
    by_fold = {name.casefold(): name for name in known}
    close = difflib.get_close_matches(word.casefold(), list(by_fold), 1)
    return f"; did you mean {prefix}{by_fold[close[0]]}?" if close else ""


_HERE: ContextVar[dict[str, None] | None] = ContextVar("remarks", default=None)


def add_remark(sentence: str) -> None:
    """Add a remark on the file being read; repeats are dropped."""
    found = _HERE.get()
    if found is not None:
        found[sentence] = None


@contextmanager
def collected_remarks() -> Iterator[dict[str, None]]:
    """Collect the remarks of this block, in order."""
    found: dict[str, None] = {}
    token = _HERE.set(found)
    try:
        yield found
    finally:
        _HERE.reset(token)


MISSING = "\N{EN DASH}"
"""Shown in place of a missing number."""
MINUS = "\N{MINUS SIGN}"

_PICTURES = {code: 0x2400 + code for code in range(32) if chr(code) not in "\n\t"}
"""Unicode's pictures of the control characters."""


def finite(value: Any) -> float | None:
    """A value in, a finite number out, else None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None


def mapping(value: Any) -> Mapping[str, Any]:
    """A value in, the same if it is a mapping, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def format_number(value: Any) -> str:
    """Any value of a summary in, the text of a table cell out."""
    if value is None or value == "" or value == {}:
        return MISSING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return _decimal(value)
    if isinstance(value, list | tuple):
        return ", ".join(format_number(item) for item in value) or MISSING
    return str(value)


def _decimal(value: float) -> str:
    if not math.isfinite(value):
        return MISSING
    if abs(value) >= 1000 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.4g}"


def bits(value: Any) -> str:
    """Bits per symbol, to the thousandth."""
    known = finite(value)
    return MISSING if known is None else f"{known:.3f}"


def duration(seconds: Any) -> str:
    """Seconds as 12.3 s, 4 min 5 s or 2 h 10 min."""
    known = finite(seconds)
    if known is None:
        return MISSING
    if known < 59.95:
        return f"{known:.1f} s"
    minutes, rest = divmod(round(known), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def plural(unit: str) -> str:
    """A unit in, its plural out."""
    return f"{unit}s"


def readable(key: str) -> str:
    """A key of a summary as words."""
    return str(key).replace("_", " ")


def visible_controls(text: str) -> str:
    """Text in, the same with visible control characters, for HTML, out."""
    return text.replace("\r\n", "\n").translate(_PICTURES)


def unreadable(error: OSError) -> str:
    """That something cannot be read, and why, to stand behind its name."""
    return f"cannot be read ({error.strerror or error})"


def first_problem(error: ValidationError, known: Sequence[str] = ()) -> str:
    """A pydantic error in, its first problem as a sentence out: ``training.learning_rate: ... (got
    -1)``.

    Args:
        error: What it raised.
        known: Dotted keys that there are, for what was probably meant.
    """
    first = error.errors(include_url=False)[0]
    key = shortened(".".join(str(part) for part in first["loc"]))
    message = shortened(first["msg"].removeprefix("Value error, "))
    if first["type"] == "extra_forbidden":
        return f"{key}: there is no such setting{did_you_mean(key, known)}"
    if not key or first["type"] == "value_error":  # our own messages say what was given
        return f"{key}: {message}" if key else message
    return f"{key}: {message} (got {shown(first['input'])})"


Advance = Callable[[float, float, str], None]
"""`runs.progress.ProgressListener.advance`: how much is done, how much there is, and of what."""


def unheard(done: float, total: float, what: str) -> None:
    """The `Advance` that nobody hears."""
