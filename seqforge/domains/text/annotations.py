"""A text in, what is so at each of its characters out: places, quotes, comments, brackets, tags.

What a text is (prose, C, Python, TeX, markup) is told from its lines. What is inside begins with
the character that completes the opening mark, and ends before the one that completes the closing
mark: this is what a reader knows who has just read the character.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from seqforge.core.data.vocabulary import code_points

Kind = Literal["prose", "C", "Python", "TeX", "markup"]
Truth = NDArray[np.bool_]
Numbers = NDArray[np.float32]
Spans = list[tuple[int, int]]

SHORT_LINE = 25
"""Lines with fewer characters have no place in line: how they end is decided by other things."""

_LOOKED_AT = 200_000  # characters, to tell what a text is
_TAB = 8

# Lines that a kind of text has, and the least share of such lines.
_SIGNS: dict[Kind, tuple[re.Pattern[str], float]] = {
    "C": (
        re.compile(
            r"^(?:.*(?:(?<!\{)\{|(?<!\})\}|\);|\};)[ \t]*$"
            r"|[ \t]*#[ \t]*(?:include|define|ifn?def|endif)\b.*"
            r"|[ \t]*/\*.*|[ \t]+\*[ /].*|[ \t]*//.*)",
            re.M,
        ),
        0.1,
    ),
    "Python": (
        re.compile(
            r"^[ \t]*(?:(?:def|class|if|elif|for|while|with|try|else|except)\b.*:[ \t]*(?:#.*)?$"
            r"|(?:import|from)[ ]\w.*|return\b.*|@\w+.*)",
            re.M,
        ),
        0.1,
    ),
    "TeX": (re.compile(r"^.*\\(?:[A-Za-z]+\{|item\b|begin|end|ref|[a-z]+ ).*", re.M), 0.05),
    "markup": (re.compile(r"^.*(?:</[A-Za-z][^<>\n]*>|<[A-Za-z?][^<>\n]*/>).*", re.M), 0.05),
}
_LINE = re.compile(r"^.*\S.*", re.M)

_STRING = r'"(?:\\.|[^"\\\n])*"?'
_BRACKETS = r"|(?P<open>[(\[{])|(?P<close>[)\]}])"
_SAME_PARAGRAPH = r"\n(?![ \t]*\n)"
_NEW_PARAGRAPH = r"|(?P<afresh>\n[ \t]*\n)"
_QUOTATION = "|".join(
    f"{first}(?:[^{last}\\n]|{_SAME_PARAGRAPH})*{last}?"
    for first, last in ('""', "“”", "«»", "„“", "「」")
)
_TOKENS: dict[Kind, re.Pattern[str]] = {
    "C": re.compile(
        rf"(?P<comment>/\*.*?(?:\*/|\Z))|(?P<remark>//[^\n]*)|(?P<quote>{_STRING}"
        r"|'(?:\\[^\n']{1,3}|\\'|[^'\\\n])')|(?P<condition>\b(?:if|while)(?=[ \t]*\())"
        rf"|(?P<last>^\}}){_BRACKETS}",
        re.M | re.S,
    ),
    "Python": re.compile(
        r"(?P<remark>\#[^\n]*)"
        r'|(?P<quote>"""(?:\\.|[^\\])*?(?:"""|\Z)' + r"|'''(?:\\.|[^\\])*?(?:'''|\Z)"
        rf"|{_STRING}|'(?:\\.|[^'\\\n])*'?){_BRACKETS}",
        re.M | re.S,
    ),
    "TeX": re.compile(
        r"(?P<escaped>\\[\\%{}$])|(?P<remark>%[^\n]*)"
        rf"|(?P<quote>``(?:[^'\n]|'(?!')|{_SAME_PARAGRAPH})*(?:'')?){_BRACKETS}{_NEW_PARAGRAPH}",
        re.S,
    ),
    "markup": re.compile(
        rf'(?P<comment><!--.*?(?:-->|\Z))|(?P<quote>(?<==)"[^"<>]*"?){_BRACKETS}{_NEW_PARAGRAPH}',
        re.S,
    ),
    "prose": re.compile(rf"(?P<quote>{_QUOTATION}){_BRACKETS}{_NEW_PARAGRAPH}"),
}
_CLOSED = ("*/", "-->", '"', "'", "”", "»", "“", "」")

# Others, by kind: a pattern whose first group is inside.
_INSIDE: dict[Kind, dict[str, re.Pattern[str]]] = {
    "C": {"inside a directive": re.compile(r"^([ \t]*#(?:[^\n\\]|\\\n|\\)*)", re.M)},
    "Python": {
        "inside an if-condition": re.compile(
            r"^[ \t]*(?:if|elif|while)([ (][^\n]*):[ \t]*(?:#.*)?$", re.M
        )
    },
    "TeX": {
        "inside mathematics": re.compile(
            r"(?<!\\)(\$\$[^$]*|\$(?:[^$\\\n]|\\.|\n(?!\s*\n))+|\\\[.*?(?=\\\])"
            r"|\\begin\{(?:equation|align|eqnarray|gather|multline)\*?\}.*?(?=\\end\{))"
            r"(?:\$\$|\$|\\\]|\\end\{|\Z)",
            re.S,
        ),
        "inside a command's name": re.compile(r"(\\[A-Za-z]+)"),
    },
    "markup": {"inside a tag": re.compile(r"(</?[A-Za-z?!][^<>]*)(?=>)")},
    "prose": {},
}
_STEPS: dict[Kind, tuple[str, re.Pattern[str]]] = {  # what is entered and left, by kind
    "TeX": ("environment depth", re.compile(r"\\(?:(?P<enter>begin)|(?P<leave>end))\{[^{}\n]*\}")),
    "markup": (
        "tag depth",
        re.compile(
            r"<!--.*?-->|<(?:br|hr|img|meta|link|input)\b[^<>]*>"
            r"|(?P<enter><[A-Za-z](?:[^<>]*[^/<>])?>)|(?P<leave></[A-Za-z][^<>]*>)",
            re.S | re.I,
        ),
    ),
}
_SPEAKER = re.compile(r"(?:\A\n*|(?<=\n\n))([A-Z][\w .'&-]{0,39}):(?=[ \n])")
_SENTENCE_END = re.compile(r"[.!?…][\"'”\u2019)\]]*(?=\s)|\n[ \t]*(?=\n)")


def annotate_text(text: str) -> dict[str, NDArray[Any]]:
    """A text of T characters in, arrays (T,) by name out; see `Annotates.annotate`.

    The names are the same for all texts of a kind.
    """
    kind, letters = kind_of(text), _Characters(text)
    found: dict[str, NDArray[Any]] = {
        **_of_lines(letters),
        **_of_words(letters, text, kind),
        **_of_marks(text, kind),
        "speaker's name": _inside(len(text), [m.span(1) for m in _SPEAKER.finditer(text)]),
    }
    for name, pattern in _INSIDE[kind].items():
        spans = [match.span(1) for match in pattern.finditer(text)]
        found[name] = _inside(len(text), spans)
    if kind in _STEPS:
        name, pattern = _STEPS[kind]
        found[name] = _nested(text, pattern)
    return found


def annotate_bytes(data: bytes) -> dict[str, NDArray[Any]]:
    """The same for UTF-8, (T,) bytes: each byte of a character has what the character has."""
    text = data.decode("utf-8", "surrogateescape")
    points = code_points(text)
    sizes = 1 + (points > 0x7F) + (points > 0x7FF).astype(int) + (points > 0xFFFF)
    sizes[(points >= 0xDC80) & (points <= 0xDCFF)] = 1  # a byte that is no UTF-8
    return {name: np.repeat(values, sizes) for name, values in annotate_text(text).items()}


def kind_of(text: str) -> Kind:
    """What a text is, by its first lines."""
    text = text[:_LOOKED_AT]
    lines = max(1, sum(1 for _ in _LINE.finditer(text)))
    shares: dict[Kind, float] = {"prose": 1.0}
    for kind, (sign, least) in _SIGNS.items():
        shares[kind] = sum(1 for _ in sign.finditer(text)) / lines / least
    return max(shares, key=lambda kind: shares[kind])


class _Characters:
    """The characters of a text."""

    def __init__(self, text: str) -> None:
        self._points = code_points(text)
        self._distinct = np.flatnonzero(np.bincount(self._points))

    def __len__(self) -> int:
        return len(self._points)

    def where(self, is_so: Callable[[str], bool]) -> Truth:
        """Which of them are so, (T,)."""
        table = np.zeros(self._distinct[-1] + 1 if len(self) else 0, bool)
        table[self._distinct] = [is_so(chr(point)) for point in self._distinct]
        found: Truth = table[self._points]
        return found


def _inside(size: int, spans: Iterable[tuple[int, int]]) -> Truth:
    """Spans [start, stop) in, which of ``size`` characters are in one out."""
    edges = np.zeros(size + 1, np.int32)
    found = np.array(list(spans), np.int64).reshape(-1, 2)
    np.add.at(edges, found[:, 0], 1)
    np.add.at(edges, found[:, 1], -1)
    return np.cumsum(edges[:-1]) > 0


def _since(mark: Truth) -> NDArray[np.int64]:
    """Characters since the last one that is marked, 0 at it; before all marks, since -1."""
    places = np.arange(len(mark))
    return places - np.maximum.accumulate(np.where(mark, places, -1))


def _until(mark: Truth) -> NDArray[np.int64]:
    """Characters from the one behind each to the next that is marked, or to the end."""
    places = np.arange(len(mark))
    following = np.where(mark, places, len(mark))
    following = np.minimum.accumulate(np.append(following[1:], len(mark))[::-1])[::-1]
    return following[: len(mark)] - places - 1


def _of_lines(letters: _Characters) -> dict[str, NDArray[Any]]:
    breaks = letters.where(lambda letter: letter == "\n")
    place = _since(breaks)
    length = place + _until(breaks)
    blank = letters.where(lambda letter: letter in " \t")
    # Before the first other character of a line nobody knows how far it is indented.
    margin = place == _since(breaks | ~blank)
    columns = np.where(letters.where(lambda letter: letter == "\t"), _TAB, 1) * (blank & margin)
    total = np.append(0, np.cumsum(columns))
    empty = breaks & np.append(True, breaks[:-1])[: len(letters)]
    return {
        "place in line": _unless(length < SHORT_LINE, place),
        "newline comes next": np.append(breaks[1:], False)[: len(letters)],
        "indentation": _unless(
            margin | ~columns.any(), total[1:] - total[np.arange(1, len(total)) - place]
        ),
        "lines since an empty one": _unless(~empty.any(), _counted(breaks, empty)),
    }


def _counted(what: Truth, since: Truth) -> NDArray[np.int64]:
    """How many there were after the last of others."""
    total = np.cumsum(what)
    found: NDArray[np.int64] = total - np.maximum.accumulate(np.where(since, total, 0))
    return found


def _unless(unknown: Truth | bool, values: NDArray[Any]) -> Numbers:
    return np.where(unknown, np.nan, values).astype(np.float32)


def _of_words(letters: _Characters, text: str, kind: Kind) -> dict[str, NDArray[Any]]:
    wordly = letters.where(lambda letter: letter.isalnum() or letter in "_'\u2019")
    starts = wordly & ~np.append(False, wordly[:-1])[: len(text)]
    capital, small = letters.where(str.isupper), letters.where(str.islower)
    found: dict[str, NDArray[Any]] = {
        "place in word": _unless(~wordly, _since(~wordly)),
        "capital letter": capital,
        "word in capitals": _all_capitals(np.cumsum(starts), wordly, capital, small),
        "digit": letters.where(str.isdigit),
    }
    if kind in ("prose", "TeX"):
        ends = np.zeros(len(text), bool)
        ends[[match.end() - 1 for match in _SENTENCE_END.finditer(text)]] = True
        found["words of the sentence so far"] = _unless(False, _counted(starts, ends))
    return found


def _all_capitals(
    words: NDArray[np.int64], wordly: Truth, capital: Truth, small: Truth
) -> Truth:  # fmt: skip
    """Which characters are of a word of two capitals or more without small letters."""
    capitals, smalls = np.bincount(words, capital & wordly), np.bincount(words, small & wordly)
    found: Truth = wordly & ((smalls == 0) & (capitals > 1))[words]
    return found


class _Marks:
    """Comments, quotes, brackets and conditions, as the tokens of a text tell of them."""

    def __init__(self) -> None:
        self.comments: Spans = []
        self.quotes: Spans = []
        self.conditions: Spans = []
        self.steps: Spans = []
        """Places, and the depth of brackets from there on."""
        self.rounds: Spans = []
        """Places, and the number of open round brackets from there on."""
        self._depth = self._round = 0
        self._conditions: list[tuple[int, int]] = []  # open ones: start, depth outside
        self._announced = False

    def take(self, text: str, pattern: re.Pattern[str]) -> None:
        """Read a text."""
        for match in pattern.finditer(text):
            name, start, stop = str(match.lastgroup), match.start(), match.end()
            if name in ("comment", "quote", "remark"):
                self._span(name, start, stop, match.group())
            elif name == "condition":
                self._announced = True
            elif name != "escaped":
                self._bracket(name, start if name != "afresh" else stop - 1, text[start])
        self.conditions += [(start, len(text)) for start, _ in self._conditions]

    def _span(self, name: str, start: int, stop: int, found: str) -> None:
        if name != "quote":
            first = start + (len(found) > 1 and found[0] in "/<")
            self.comments.append((first, stop - (name == "comment" and found.endswith(_CLOSED))))
        else:
            closed = len(found) > 1 and found.endswith(_CLOSED)
            self.quotes.append((start, stop - closed))

    def _bracket(self, name: str, place: int, letter: str) -> None:
        if name == "open":
            if self._announced:
                self._conditions.append((place, self._depth))
            self._depth += 1
            self._round += letter == "("
        else:
            ended = name in ("last", "afresh")  # what was left open before does not count further
            self._depth = 0 if ended else max(0, self._depth - 1)
            self._round = 0 if ended else max(0, self._round - (letter == ")"))
            while self._conditions and self._conditions[-1][1] >= self._depth:
                self.conditions.append((self._conditions.pop()[0], place))
        self._announced = False
        self.steps.append((place, self._depth))
        self.rounds.append((place, self._round))


def _of_marks(text: str, kind: Kind) -> dict[str, NDArray[Any]]:
    marks, size = _Marks(), len(text)
    marks.take(text, _TOKENS[kind])
    depth, rounds = _filled(size, marks.steps), _filled(size, marks.rounds)
    return {
        "inside a comment": _inside(size, marks.comments),
        "inside quotes": _inside(size, marks.quotes),
        "inside an if-condition": _inside(size, marks.conditions),
        "inside parentheses": rounds > 0,
        "bracket depth": _unless(not depth.any(), depth),
    }


def _filled(size: int, steps: Spans) -> NDArray[np.int64]:
    """Places in order, and values from there on, in; (T,) values out, 0 before the first."""
    places = np.array([0, *(place for place, _ in steps), size])
    values = np.array([0, *(value for _, value in steps)])
    return np.repeat(values, np.diff(places))


def _nested(text: str, pattern: re.Pattern[str]) -> Numbers:
    """How many of the groups ``enter`` have not been left by ``leave``."""
    depth, steps = 0, []
    for match in pattern.finditer(text):
        if match.lastgroup is not None:
            depth = max(0, depth + (1 if match.lastgroup == "enter" else -1))
            steps.append((match.end() - 1, depth))
    found = _filled(len(text), steps)
    return _unless(not found.any(), found)
