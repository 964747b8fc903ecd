"""Files changed at random, the same way each time: what is read from strangers, and worse."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence

Change = Callable[[random.Random, bytearray], None]

_NUMBER = re.compile(rb"-?\d+(\.\d+)?")
_TOKEN = re.compile(rb"[A-Za-z_]+|\d+|[^\sA-Za-z0-9_]")
_ELEMENT = re.compile(rb"(?=(<([a-z-]+)[^<>/]*>(.*?)</\2>))", re.DOTALL)
_NUMBERS = (b"0", b"-1", b"1e999", b"nan", b"inf", b"65536", b"4294967296", b"99999999999999999999",
            b"9" * 4400, b"0.0000000001", b"1/0", b"0x7f", "\u0663".encode())  # fmt: skip
_NESTS = ((b"[", b"]"), (b"(", b")"), (b"{", b"}"), (b"<a>", b"</a>"), (b'"', b'"'), (b"[2", b""),
          (b"|:", b":|"), (b"a.", b""), (b"&x;", b""))  # fmt: skip
_BYTES = (b"\0", b"\xff", b"\x80", b"\r", b"\n\n", b"\t", b" ", b"\x1a", b"\xef\xbb\xbf",
          b"\x1b[2J", b"\xe2\x80\xae", b"\xff\xff\xff\x7f", b"\0\0\0\0")  # fmt: skip
_MOST = 1 << 16  # bytes that a changed file has


def _span(rng: random.Random, data: bytearray) -> tuple[int, int]:
    start = rng.randrange(len(data) + 1)
    return start, min(len(data), start + int(2 ** rng.uniform(0, 10)))


def flip(rng: random.Random, data: bytearray) -> None:
    """Change some bytes."""
    for _ in range(rng.choice((1, 1, 2, 8, 32)) if data else 0):
        data[rng.randrange(len(data))] ^= rng.choice((1, 2, 4, 8, 16, 32, 64, 128, 255))


def cut(rng: random.Random, data: bytearray) -> None:
    """End, or begin, anywhere."""
    place = rng.randrange(len(data) + 1)
    if rng.random() < 0.7:
        del data[place:]
    else:
        del data[:place]


def remove(rng: random.Random, data: bytearray) -> None:
    """Leave something out."""
    start, stop = _span(rng, data)
    del data[start:stop]


def repeat(rng: random.Random, data: bytearray) -> None:
    """Say something again, perhaps often, there or elsewhere."""
    start, stop = _span(rng, data)
    place = rng.choice((stop, rng.randrange(len(data) + 1)))
    data[place:place] = bytes(data[start:stop]) * rng.choice((1, 1, 2, 50))


def insert(rng: random.Random, data: bytearray) -> None:
    """Put in what is seldom there."""
    place = rng.randrange(len(data) + 1)
    data[place:place] = rng.choice(_BYTES) * rng.choice((1, 1, 3, 200))


def blow_up(rng: random.Random, data: bytearray) -> None:
    """Make a number another."""
    found = list(_NUMBER.finditer(data))
    if found:
        one = rng.choice(found)
        data[one.start() : one.end()] = rng.choice(_NUMBERS)


def swap(rng: random.Random, data: bytearray) -> None:
    """Let two words change places."""
    found = [one.span() for one in _TOKEN.finditer(data)]
    if len(found) > 1:
        (a, b), (c, d) = sorted(rng.sample(found, 2))
        data[c:d], data[a:b] = data[a:b], data[c:d]


def nest(rng: random.Random, data: bytearray) -> None:
    """Open very often, and perhaps close."""
    left, right = rng.choice(_NESTS)
    often, place = rng.choice((3, 100, 2000)), rng.randrange(len(data) + 1)
    data[place:place] = left * often + right * rng.choice((0, often))


def element(rng: random.Random, data: bytearray) -> None:
    """Leave an element of XML out, say it again, move it, put it into itself or empty it."""
    found = list(_ELEMENT.finditer(data))[1:]  # all but the outermost, those inside others too
    if not found:
        return
    one, other = rng.choice(found), rng.choice(found)
    what = rng.choice(("out", "again", "moved", "inside", "emptied"))
    if what == "again":
        data[other.start(1) : other.start(1)] = one[1] * rng.choice((1, 1, 50))
    elif what == "inside":
        data[one.start(3) : one.start(3)] = one[1]
    elif what == "emptied":
        data[one.start(3) : one.end(3)] = rng.choice((b"", b" ", b"x", b"-1", b"999999999"))
    else:
        del data[one.start(1) : one.end(1)]
        if what == "moved" and other.end(1) <= one.start(1):
            data[other.end(1) : other.end(1)] = one[1]


CHANGES: Sequence[Change] = (flip, cut, remove, repeat, insert, blow_up, swap, nest)
_GENTLE: dict[str, Sequence[Change]] = {"MusicXML": (blow_up, *[element] * 3), "recipe": (blow_up,)}
"""What leaves a file well-formed, for most inputs of a kind: else its parser alone is tested."""


def mutated(seeds: Sequence[bytes], number: int, kind: str) -> bytes:
    """Input ``number`` of a kind: one of its seeds, changed once or a few times."""
    rng = random.Random(f"{kind} {number}")
    data = bytearray(rng.choice(seeds))
    changes = _GENTLE.get(kind, CHANGES) if rng.random() < 0.7 else CHANGES
    for _ in range(rng.choice((1, 1, 1, 2, 2, 4))):
        rng.choice(changes)(rng, data)
    return bytes(data[:_MOST])
