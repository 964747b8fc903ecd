"""A prime and its continuation in, ABC out whose repeats do not go back into the prime."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from seqforge.domains.music.abc import parser, tune_books
from seqforge.domains.music.abc.fields import TOKEN, metre, metre_text
from seqforge.domains.music.keys import FIELD_LINE
from seqforge.domains.music.notes import STEPS_PER_QUARTER, bars_between

_LONGEST_BAR_LINE = 8  # symbols: repeat signs, double bar and ending number
_CLOSING = re.compile(r"\s*(?:\|\]|\|\||:+\|+\]?|::|\|:?)\s*\Z")
_METRE = re.compile(r"(?:^M:|\[M:)\s*([^\]\n]*)", re.MULTILINE)


@dataclass(frozen=True)
class _Line:
    """A bar line, or an ending number alone."""

    start: int
    end: int
    closes: bool
    opens: bool
    numbered: bool
    """Whether an ending begins with it."""

    @property
    def plain(self) -> str:
        """The bar line without repeat signs and ending."""
        return "||" if self.closes or self.opens else "|"


def continued(symbols: str, given: int, once: bool = False) -> tuple[str, int]:
    """Prime and continuation in, the edited ABC and its prime's length out.

    Args:
        symbols: Prime and continuation; any text.
        given: Length of the prime in symbols.
        once: Whether to drop all repeats of the continuation.
    """
    if not _has_notes(symbols[:given]):
        given = 0
    lines = _lines(symbols)
    begun = [line for line in lines if line.end < given]
    edits: list[tuple[_Line, str]] = []
    drawn = lines[len(begun) :]
    is_closed = bool(drawn) and drawn[0].start < given and drawn[0].closes
    if is_closed:  # the prime's own :|, where later repeats begin
        begun, drawn = [*begun, drawn[0]], drawn[1:]
    if given:
        edits += _closed(symbols, begun)
    if given and not (once or is_closed):
        edits += _seam(drawn)
    if once:
        edits += [(line, _once(symbols, line)) for line in drawn if _is_marked(line)]
    return _edited(symbols, edits, given)


def continued_as_drawn(pieces: Iterable[str], given: int, once: bool) -> Iterator[str]:
    """Drawn pieces in, the text of `continued` out once later pieces cannot change it."""
    text, due = "", 0
    is_certain = not (given or once)
    for piece in pieces:
        if is_certain:
            yield piece
            continue
        text += piece
        if len(text) >= due and not once and _is_settled(text, given):
            is_certain = True
            yield continued(text, given)[0]
        elif len(text) >= due:
            due = len(text) * 5 // 4  # keeps the total time linear
    if not is_certain:
        yield continued(text, given, once)[0]


def _is_settled(symbols: str, given: int) -> bool:
    """Whether no further symbols can change a bar line seen so far."""
    if len(symbols) <= given + _LONGEST_BAR_LINE:
        return False
    if not _has_notes(symbols[:given]):
        return True
    drawn = [line for line in _lines(symbols) if line.end >= given]
    if drawn and drawn[0].start < given and drawn[0].closes:
        return True
    marked = next(filter(_is_marked, drawn[1:]), None)
    return marked is not None and marked.end + _LONGEST_BAR_LINE < len(symbols)


def bar_end(symbols: str, given: int, bars: int, over: bool) -> int | None:
    """Prime and continuation in, the end of the given number of new bars out; None if not reached.

    Repeats do not count. Neither does a bar begun by the prime, or the pick-up of a new tune.

    Args:
        symbols: The prime and the symbols drawn so far.
        given: Length of the prime in symbols.
        bars: Number of new bars.
        over: Whether the sample is complete.
    """
    # a bar line at the end may be part of a longer one
    ends = [end for end in tune_books.bar_ends(symbols) if end > given]
    ends = [end for end in ends if over or end + _LONGEST_BAR_LINE < len(symbols)]
    empty = 0
    while empty < len(ends) and not tune_books.has_music(symbols[given : ends[empty]]):
        empty += 1
    is_free = _metres(symbols)[:1] == [None]  # without a metre bars are counted by bar lines
    for end in ends[empty + bars - 1 :]:
        if is_free:
            return end
        text, kept = continued(symbols[:end], given, once=True)
        start, stop = (parser.decode(part, STEPS_PER_QUARTER).end for part in (text[:kept], text))
        whole = parser.decode(text + "C", STEPS_PER_QUARTER).piece  # tells a pick-up
        if bars_between(whole, start if kept else 0, stop) >= bars:
            return end
    return None


def opened(symbols: str) -> str:
    """A tune in, the same without its final bar line out, as a prime.

    A bar line after a full bar becomes a single one; after an incomplete bar it is removed.
    """
    match = _CLOSING.search(symbols)
    if match is None:
        return symbols
    inside = symbols[: match.start()]
    return inside if _ends_in_part(inside) else inside + "|"


def _metres(symbols: str) -> list[tuple[int, int] | None]:
    return [metre(metre_text(found)) for found in _METRE.findall(symbols)]


def _ends_in_part(symbols: str) -> bool:
    """Whether the last bar is shorter than its metre."""
    ends = tune_books.bar_ends(symbols)
    metres = _metres(symbols)
    if not metres or metres[-1] is None:
        return False
    grid = 24 * 64
    before = parser.decode(symbols[: ends[-1]], grid).end if ends else 0
    length = parser.decode(symbols, grid).end - before
    return 0 < length < 4 * grid * metres[-1][0] // metres[-1][1]


def _has_notes(symbols: str) -> bool:
    lines = (line for line in symbols.split("\n") if not FIELD_LINE.match(line))
    return any(tune_books.has_music(line) for line in lines)


def _lines(symbols: str) -> list[_Line]:
    found: list[_Line] = []
    start = 0
    for text in symbols.split("\n"):
        for token in () if FIELD_LINE.match(text) else TOKEN.finditer(text):
            place = start + token.start(), start + token.end()
            if token.lastgroup == "alone":
                found.append(_Line(*place, False, False, True))
            elif token.lastgroup == "bar":
                core = token["bar"][: len(token["bar"]) - len(token["ending"] or "")]
                core = core.strip("[ ]").replace("[", "").replace("]", "|")
                closes, opens = core.startswith(":"), core.endswith(":")
                found.append(_Line(*place, closes, opens, bool(token["ending"])))
        start += len(text) + 1
    return found


def _is_marked(line: _Line) -> bool:
    return line.closes or line.opens or line.numbered


def _closed(symbols: str, lines: Sequence[_Line]) -> Iterable[tuple[_Line, str]]:
    """Edits that close the prime's open repeat and first ending."""
    last = max((n for n, line in enumerate(lines) if line.closes), default=-1)
    for number, line in enumerate(lines[max(last, 0) :], max(last, 0)):
        if number == last:
            if line.opens:
                yield line, ":|"
        elif line.opens:
            yield line, "|"
        elif line.numbered and "1" in symbols[line.start : line.end]:
            yield line, _once(symbols, line)


def _seam(lines: Sequence[_Line]) -> Iterable[tuple[_Line, str]]:
    """The edit of the first bar line after the prime: it opens a later repeat and closes none."""
    if not lines or (lines[0].opens and not lines[0].closes):
        return
    seam, *after = lines
    marked = next(filter(_is_marked, after), None)
    if seam.opens or (marked is not None and (marked.closes or marked.numbered)):
        yield seam, "|:"
    elif _is_marked(seam):
        yield seam, seam.plain


def _once(symbols: str, line: _Line) -> str:
    is_alone = symbols[line.start] == "[" and symbols[line.start + 1].isdigit()
    return "" if is_alone else line.plain


def _edited(symbols: str, edits: Sequence[tuple[_Line, str]], given: int) -> tuple[str, int]:
    """The text with bar lines replaced; a prime that ends within one now ends before it."""
    parts: list[str] = []
    place, kept = 0, given
    for line, text in edits:
        parts += [symbols[place : line.start], text]
        place = line.end
        if line.end <= given:
            kept += len(text) - (line.end - line.start)
        elif line.start < given:
            kept -= given - line.start
    return "".join([*parts, symbols[place:]]), kept
