"""A kind, a number and a seed in, examples to translate out: tables that a run makes for itself."""

from __future__ import annotations

import datetime
import random
from collections.abc import Callable
from pathlib import Path

from seqforge.base.atomic_files import write_atomically
from seqforge.core.task_config import MadeKind

_DIGITS = 5
_FIRST = datetime.date(1900, 1, 1)
_DAYS = 73_049  # to the end of 2099
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def addition(draw: random.Random) -> tuple[str, str]:
    """Two numbers of 1 to 5 digits, every length alike often, and their sum, last digit first.

    A sum is carried from its last digit on, so that digit is the first to be known.
    """
    a, b = (draw.randrange(10 ** draw.randint(1, _DIGITS)) for _ in range(2))
    return f"{a}+{b}", str(a + b)[::-1]


def date(draw: random.Random) -> tuple[str, str]:
    """A day of 1900 to 2099 as people write it, and in ISO 8601.

    Days written in figures alone have the day before the month.
    """
    day = _FIRST + datetime.timedelta(draw.randrange(_DAYS))
    month, short = _MONTHS[day.month - 1], _MONTHS[day.month - 1][:3]
    weekday = _WEEKDAYS[day.weekday()]
    written = draw.choice((
        f"{day.day} {month} {day.year}",
        f"{month} {day.day}, {day.year}",
        f"{day.day} {short} {day.year}",
        f"{short} {day.day}, {day.year}",
        f"{weekday}, {day.day} {month} {day.year}",
        f"{weekday[:3]} {short} {day.day} {day.year}",
        f"{day.day}/{day.month}/{day.year}",
        f"{day.day:02}.{day.month:02}.{day.year}",
        f"the {_ordinal(day.day)} of {month} {day.year}",
    ))  # fmt: skip
    return written, day.isoformat()


def _ordinal(number: int) -> str:
    ending = "th" if number in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


_MAKERS: dict[MadeKind, Callable[[random.Random], tuple[str, str]]] = {
    "addition": addition,
    "dates": date,
}


def made_table(kind: MadeKind, count: int, seed: int) -> str:
    """A table of examples, ``source TAB target`` a line; a function of what is given alone."""
    draw = random.Random(f"{kind} {seed}")
    return "".join("\t".join(_MAKERS[kind](draw)) + "\n" for _ in range(count))


def write_made(folder: Path, kind: MadeKind, count: int, seed: int) -> Path:
    """Make a table in a folder, if the same does not lie there already.

    Returns:
        Where it is.
    """
    path, text = folder / f"{kind}.tsv", made_table(kind, count, seed).encode()
    if not path.is_file() or path.read_bytes() != text:
        write_atomically(path, text)
    return path
