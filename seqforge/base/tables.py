"""Rows of text in, aligned lines out that break no word."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from textwrap import wrap

_GAP = "  "


def aligned(
    rows: Sequence[Sequence[str]],
    width: int | None = None,
    right: Collection[int] = (),
    indent: int = 0,
) -> list[str]:
    """Rows in, lines of a table out.

    Args:
        rows: Cells, as many in each row; heads are a row like the others.
        width: Of the screen. Cells are wrapped between words until the table fits; where that
            is not enough, the cells with the longest words get lines of their own. None: as wide
            as the text is.
        right: Numbers of the columns that are aligned to the right.
        indent: Spaces before each line.
    """
    if not rows:
        return []
    widths = _widths(rows, None if width is None else width - indent)
    lines = [line for row in rows for line in _row(row, widths, right)]
    return [(" " * indent + line).rstrip() for line in lines]


def wrapped(text: str, width: int | None = None, indent: int = 0) -> str:
    """A sentence in, its lines out, wrapped between words; ``indent`` is for all but the first."""
    if width is None:
        return text
    after = " " * indent
    return "\n".join(_words(text, width, subsequent_indent=after)) if text else text


def _widths(rows: Sequence[Sequence[str]], width: int | None) -> list[int]:
    columns = list(zip(*rows, strict=True))
    widths = [max(map(len, column)) for column in columns]
    if width is None:
        return widths
    room = width - len(_GAP) * (len(widths) - 1)
    least = [max(map(_longest, column)) for column in columns]
    while sum(least) > room and max(least) > 1:  # the longest words get lines of their own
        place = least.index(max(least))
        shorter = [size for size in map(_longest, columns[place]) if size < least[place]]
        widths[place] = least[place] = max([1, *shorter])
    while sum(widths) > room:
        wide = [place for place, size in enumerate(widths) if size > least[place]]
        if not wide:
            break
        widths[max(wide, key=lambda place: widths[place])] -= 1
    return widths


def _longest(cell: str) -> int:
    return max(map(len, cell.split()), default=0)


def _row(row: Sequence[str], widths: Sequence[int], right: Collection[int]) -> list[str]:
    alone = [_longest(cell) > size for cell, size in zip(row, widths, strict=True)]
    cells = [
        [""] if out else _words(cell, size) if len(cell) > size else [cell]
        for cell, size, out in zip(row, widths, alone, strict=True)
    ]
    before, *after = [[cell] if out else [] for cell, out in zip(row, alone, strict=True)]
    lines = []
    for number in range(max(map(len, cells))):
        parts = [cell[number] if number < len(cell) else "" for cell in cells]
        lines.append(
            _GAP.join(
                part.rjust(size) if place in right else part.ljust(size)
                for place, (part, size) in enumerate(zip(parts, widths, strict=True))
            )
        )
    return [*before, *lines, *(f"{_GAP}{cell}" for some in after for cell in some)]


def _words(text: str, width: int, subsequent_indent: str = "") -> list[str]:
    return wrap(
        text, max(1, width), subsequent_indent=subsequent_indent, break_long_words=False,
        break_on_hyphens=False,
    ) or [""]  # fmt: skip
