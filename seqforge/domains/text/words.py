"""Text in, a symbol for each word out, and back: words, marks and blanks, and the spaces between
them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import zip_longest

from seqforge.core.data.vocabulary import UNKNOWN

JOINED = "\u2060"
"""The symbol of two tokens without the space that is expected between them (word joiner)."""
MOST_WORDS = 16_384
"""Words of several characters that have a symbol of their own."""
_FIRST, _LAST = 0xF0000, 0xFFFFD  # a private-use plane: no text has these
_STRANGE, _LAST_STRANGE = 0x100000, 0x10FFFD  # the next one
_TOKEN = re.compile("\\w+(?:['\u2019]\\w+)*|\\s|[^\\w\\s]")
_SPACE_AFTER = frozenset(".,;:!?)]}\u201d\u2019\u00bb\u2026")
_SPACE_BEFORE = frozenset("([{\u201c\u2018\u00ab")


def tokens(text: str) -> list[str]:
    """The words of a text, its marks and its blanks, one after the other; joined, they are it.

    A word is letters, digits and underscores, with apostrophes inside.
    """
    return _TOKEN.findall(text)


def _is_word(token: str) -> bool:
    return token[0].isalnum() or token[0] in f"_{UNKNOWN}"


def _space_expected(before: str, after: str) -> bool:
    """Whether a space is left unsaid between two tokens: between words, after stops, before what
    opens.
    """
    return (_is_word(before) or before in _SPACE_AFTER) and (
        _is_word(after) or after in _SPACE_BEFORE
    )


def whole_lines(blocks: Iterable[str]) -> Iterator[str]:
    """Blocks of a text in, pieces that end with a line out: nothing is expected across a line."""
    held: list[str] = []
    for block in blocks:
        lines, newline, rest = block.rpartition("\n")
        if newline:
            yield "".join([*held, lines, newline])
            held = []
        held.append(rest)
    if last := "".join(held):
        yield last


def count_words(blocks: Iterable[str]) -> Counter[str]:
    """Blocks of a text in, how often each word of several characters occurs out."""
    counts: Counter[str] = Counter()
    for piece in whole_lines(blocks):
        counts.update(token for token in tokens(piece) if len(token) > 1)
    return counts


def chosen_words(counts: Counter[str], min_count: int) -> tuple[str, ...]:
    """The most frequent words, up to `MOST_WORDS`, those that occur so often; in order."""
    often = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return tuple(word for word, count in often[:MOST_WORDS] if count >= min_count)


class WordTable:
    """Words of several characters and their symbols; all other tokens are their own symbols."""

    def __init__(self, words: Sequence[str]) -> None:
        self.words = tuple(words)
        self._symbols = {word: chr(_FIRST + place) for place, word in enumerate(self.words)}
        self._strange: dict[str, str] = {}
        self._tokens = {symbol: word for word, symbol in self._symbols.items()} | {JOINED: ""}

    def symbol(self, token: str) -> str:
        """The symbol of a token; that of unknown words where it has none."""
        if len(token) > 1:
            return self._symbols.get(token, UNKNOWN)
        return UNKNOWN if token == JOINED or ord(token) >= _FIRST else token

    def strange_symbol(self, token: str) -> str:
        """The same, but an unknown word has a symbol that no model knows, and that says it."""
        found = self.symbol(token)
        if found != UNKNOWN or token == UNKNOWN:
            return found
        place = min(_STRANGE + len(self._strange), _LAST_STRANGE)
        own = self._strange.setdefault(token, chr(place))
        self._tokens.setdefault(own, token)
        return own

    def token(self, symbol: str) -> str:
        """What a symbol says; nothing for `JOINED`."""
        return self._tokens.get(symbol, UNKNOWN if ord(symbol) >= _FIRST else symbol)


def encoded(text: str, symbol_of: Callable[[str], str]) -> str:
    """A text, whole lines of it, in; a symbol for each token out.

    A single space between two tokens is said only where none is expected, and `JOINED` stands
    where one is expected and missing.
    """
    found = tokens(text)
    symbols: list[str] = []
    before, space = "", False  # the token before, if it is no blank; whether a space followed it
    for token, after in zip_longest(found, found[1:], fillvalue=" "):
        if token.isspace():
            space = token == " " and before != "" and not after.isspace()
            if not space:
                symbols.append(token)
                before = ""
            continue
        symbol = symbol_of(token)
        said = UNKNOWN if symbol == UNKNOWN else token  # as it will be read again
        if before and space != _space_expected(before, said):
            symbols.append(" " if space else JOINED)
        symbols.append(symbol)
        before, space = said, False
    return "".join(symbols)


class Speller:
    """Symbols in, their text out; a `SymbolDecoder`, which remembers what came before."""

    def __init__(self, table: WordTable) -> None:
        self._table = table
        self._before = ""
        self._joined = False

    def __call__(self, symbols: str, last: bool = False) -> str:
        """The text of the next symbols."""
        return "".join(map(self._said, symbols))

    def _said(self, symbol: str) -> str:
        if symbol == JOINED:
            self._joined = True
            return ""
        token = self._table.token(symbol)
        spaced = self._before and not self._joined and not token.isspace()
        space = " " if spaced and _space_expected(self._before, token) else ""
        self._before, self._joined = "" if token.isspace() else token, False
        return space + token
