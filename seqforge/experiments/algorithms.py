"""A seed in, strings whose next symbol can be worked out: the two tasks of Jozefowicz et al. 2015.

*Arithmetic*: two numbers, their sum or difference, and letters that mean nothing between the
symbols of what is given: ``3e36d9-h1h39f94eeh43keg3c=-13991064.`` is 3369 - 13994433.
*XML*: nested tags of random letters, ``<ab><cde></cde></ab>``.
"""

from __future__ import annotations

import itertools
import random
import string
from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int64]

LETTERS = string.ascii_lowercase
ARITHMETIC = LETTERS + string.digits + "+-=."
"""All 40 symbols of arithmetic; a dot ends an answer."""
XML = LETTERS + "<>/"
MOST_LETTERS = 2
"""Distractors before a symbol: none, one or two."""
SHORTEST_TAG = 2
MOST_ITERATIONS = 50
"""After so many an XML document closes what is open."""


def arithmetic_problems(rng: np.random.Generator, count: int, digits: int) -> list[str]:
    """Problems with numbers of up to so many digits, each with its answer and a dot.

    The number of digits of either is uniform from 1 on, and so is the number among those of its
    length (0 is one of one digit); plus or minus by a coin.
    """
    lengths = rng.integers(1, digits + 1, (2, count))
    least = np.where(lengths > 1, 10 ** (lengths - 1), 0)
    numbers = rng.integers(least, 10**lengths).tolist()
    signs = rng.integers(2, size=count).tolist()
    given = [f"{a}{'-' if sign else '+'}{b}" for a, b, sign in zip(*numbers, signs, strict=True)]
    answers = [a - b if sign else a + b for a, b, sign in zip(*numbers, signs, strict=True)]
    disturbed = _with_distractors(rng, given)
    return [f"{left}={right}." for left, right in zip(disturbed, answers, strict=True)]


def _with_distractors(rng: np.random.Generator, texts: Sequence[str]) -> list[str]:
    """Texts with random letters after every symbol."""
    symbols = np.frombuffer("".join(texts).encode(), np.uint8)
    letters = rng.integers(MOST_LETTERS + 1, size=len(symbols))
    places = np.arange(len(symbols)) + np.cumsum(letters) - letters
    total = len(symbols) + int(letters.sum())
    made = rng.integers(ord("a"), ord("z") + 1, total).astype(np.uint8)
    made[places] = symbols
    ends = np.cumsum([len(text) for text in texts])
    cuts = np.append(places, total)[ends]
    whole = made.tobytes().decode()
    return [whole[a:b] for a, b in zip([0, *cuts], cuts, strict=False)]


def xml_text(rng: random.Random, length: int, longest: int) -> str:
    """Documents one after the other, cut at a length; tags of up to so many letters."""
    parts: list[str] = []
    written = 0
    while written < length:
        parts.append(xml_document(rng, longest))
        written += len(parts[-1])
    return "".join(parts)[:length]


def xml_document(rng: random.Random, longest: int) -> str:
    """A document: by a coin, and from the 51st time on always, the last open tag is closed, or all
    is over if none is; else a new tag is opened, with two random letters or more.
    """
    parts: list[str] = []
    opened: list[str] = []
    for place in itertools.count():
        if place < MOST_ITERATIONS and rng.random() < 0.5:
            size = rng.randint(SHORTEST_TAG, longest)
            opened.append("".join(rng.choices(LETTERS, k=size)))
            parts.append(f"<{opened[-1]}>")
        elif opened:
            parts.append(f"</{opened.pop()}>")
        else:
            break
    return "".join(parts)


def ids_of(text: str, symbols: str) -> Ids:
    """Text in, the place of each of its symbols among all out."""
    return _places(symbols)[np.frombuffer(text.encode(), np.uint8)]


@cache
def _places(symbols: str) -> Ids:
    table = np.zeros(128, np.int64)
    table[[ord(symbol) for symbol in symbols]] = np.arange(len(symbols))
    return table


def in_closing_tags(text: str) -> NDArray[np.bool_]:
    """Text in, which of its symbols an open tag determines out: letters of closing tags, and the
    ``>`` after them.
    """
    found = np.zeros(len(text), np.bool_)
    at = text.find("</")
    while at >= 0:
        end = text.find(">", at)
        found[at + 2 : end + 1 if end >= 0 else len(text)] = True
        at = text.find("</", at + 2)
    return found
