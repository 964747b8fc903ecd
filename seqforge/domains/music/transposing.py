"""Music in another key: ABC as text, character for character otherwise the same, and pieces.

A key is a place on the line of fifths and so is an interval, but for its octaves: fifths say how
signatures and letters move, semitones how high. A written accidental keeps its distance from the
signature, so that what holds in a bar holds in it still, and no state has to be followed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache

from seqforge.domains.music.abc_source import FIELD_LINE
from seqforge.domains.music.keys import (
    ALTERATION,
    PITCH_CLASS,
    SIGNS,
    Key,
    between,
    key_from_signature,
    parse_key,
    piece_key,
    signature,
)
from seqforge.domains.music.notes import DRUMS, Piece

_C = Key("C", "")
_LETTERS = "CDEFGAB"
_MOST_SIGNS = 7  # a signature says no more
_MOVED = re.compile(
    r"""(?P<other>"[^"]*"?|![^!|\s]{0,24}!|%.*|\[[A-JL-Za-z]:[^\]]*)
      | \[K:(?P<key>[^\]]*)
      | (?P<accidental>[\^_=]{0,4})(?P<letter>[A-Ga-g])(?P<octave>[,']*)""",
    re.VERBOSE,
)


def transposed(abc: str, semitones: int) -> str:
    """A tune some semitones higher; of enharmonic keys those with the fewest signs.

    What three sharps or flats would have to say is written with the next letter.

    Args:
        abc: Cleaned ABC.
        semitones: Below zero it gets lower.
    """
    if not semitones:
        return abc
    abc = _with_key(abc)
    movers = [_Mover(semitones, by) for by in _fifths(semitones)]
    keys = [parse_key(value) for value in _key_fields(abc)]
    movers = [m for m in movers if all(m.says(key) for key in keys)] or [_Mover(semitones, None)]
    texts = [mover.text(abc) for mover in movers]
    signs = [(mover.unsaid, abs(mover.key(keys[0]).sharps)) for mover in movers]
    return texts[signs.index(min(signs))]


def to_c(abc: str) -> tuple[str, int]:
    """A tune with tonic C, its mode kept, and how many semitones it was raised by (-5 to 6)."""
    key = parse_key(next(_key_fields(_with_key(abc))))
    semitones = between(key, _C)
    return transposed(abc, semitones), semitones


def shifted(piece: Piece, semitones: int) -> Piece:
    """A piece some semitones higher, percussion excepted.

    A pitch that would leave 0 to 127 is moved an octave less.
    """
    notes = tuple(
        note if note.program == DRUMS else note._replace(pitch=_within(note.pitch + semitones))
        for note in piece.notes
    )
    keys = tuple(
        key._replace(sharps=min((key.sharps + by for by in _fifths(semitones)), key=abs))
        for key in piece.key_signatures
    )
    return replace(piece, notes=notes, key_signatures=keys)


def piece_to_c(piece: Piece) -> Piece:
    """A piece with tonic C: of the key that it begins in (see `keys.piece_key`)."""
    return shifted(piece, between(piece_key(piece), _C))


def tune_in_keys(abc: str, key: str, transpositions: int) -> Iterator[tuple[str, bool]]:
    """A tune in the key that is learnt (``C``, or as written), then copies up and down.

    Yields:
        Each as text, and whether it is a copy.
    """
    tune = to_c(abc)[0] if key == "C" else abc
    yield tune, False
    for semitones in _up_and_down(transpositions):
        yield transposed(tune, semitones), True


def piece_in_keys(piece: Piece, key: str, transpositions: int) -> Iterator[tuple[Piece, bool]]:
    """The same for a piece."""
    ours = piece_to_c(piece) if key == "C" else piece
    yield ours, False
    for semitones in _up_and_down(transpositions):
        yield shifted(ours, semitones), True


def _up_and_down(transpositions: int) -> Iterator[int]:
    for semitones in range(1, transpositions + 1):
        yield semitones
        yield -semitones


def _within(pitch: int) -> int:
    while pitch > 127:
        pitch -= 12
    while pitch < 0:
        pitch += 12
    return pitch


def _fifths(semitones: int) -> tuple[int, ...]:
    """Ways on the line of fifths that make so many semitones, but for octaves."""
    nearest = (7 * semitones + 6) % 12 - 6
    return (nearest, nearest + 12, nearest - 12)


def _with_key(abc: str) -> str:
    """The tune with the key that is taken for granted where its header says none."""
    header = re.match(r"(?:[A-Za-z]:(?![|:]).*(?:\n|\Z))*", abc)
    end = header.end() if header else 0
    if any(_key_fields(abc[:end])):
        return abc
    newline = "" if abc[:end].endswith("\n") or not end else "\n"
    return f"{abc[:end]}{newline}K:C\n{abc[end:]}"


def _key_fields(abc: str) -> Iterator[str]:
    for match in re.finditer(r"^K:(.*)|\[K:([^\]]*)", abc, re.MULTILINE):
        if value := (match[1] or match[2] or "").strip():
            yield value


class _Mover:
    """Moves a text by one interval."""

    def __init__(self, semitones: int, fifths: int | None) -> None:
        """Without ``fifths`` each key takes its own, where none suits all keys of a tune."""
        self._semitones = semitones
        self._fifths = fifths
        self._now = parse_key("C")
        self.unsaid = 0
        """Accidentals that no sign says."""

    def says(self, key: Key) -> bool:
        return abs(key.sharps + self._by(key)) <= _MOST_SIGNS

    def text(self, abc: str) -> str:
        return "\n".join(self._line(line) for line in abc.split("\n"))

    def key(self, key: Key) -> Key:
        by = self._by(key)
        extra = []
        for letter, written in key.extra:
            height = _LETTERS.index(letter)
            height, alteration = _moved(height, written, key.sharps, by, self._semitones)
            self.unsaid += abs(alteration) > 2
            extra.append((_LETTERS[height % 7], max(-2, min(2, alteration))))
        tonic = key_from_signature(Key(key.tonic, "").sharps + by, minor=False).tonic
        return Key(tonic, key.mode, tuple(sorted(extra)))

    def _by(self, key: Key) -> int:
        if self._fifths is not None:
            return self._fifths
        return min(_fifths(self._semitones), key=lambda by: abs(key.sharps + by))

    def _line(self, line: str) -> str:
        if match := FIELD_LINE.match(line):
            return f"K:{self._change(match[2])}" if match[1] == "K" else line
        return _MOVED.sub(self._token, line)

    def _change(self, value: str) -> str:
        if not value.strip():
            return value
        self._now = parse_key(value.strip())
        return str(self.key(self._now))

    def _token(self, token: re.Match[str]) -> str:
        if token["other"]:
            return token[0]
        if token["key"] is not None:
            return f"[K:{self._change(token['key'])}"
        note, said = _note(
            token["accidental"], token["letter"], token["octave"],
            self._now.sharps, self._by(self._now), self._semitones,
        )  # fmt: skip
        self.unsaid += not said
        return note


@lru_cache(maxsize=1 << 16)
def _note(
    accidental: str, letter: str, octave: str, sharps: int, by: int, semitones: int
) -> tuple[str, bool]:
    """The note moved, as text, and whether a sign says its accidental."""
    upper = letter.upper()
    height = _LETTERS.index(upper) + 7 * ((letter != upper) + octave.count("'") - octave.count(","))
    written = ALTERATION.get(accidental, ALTERATION.get(accidental[:1], 0))
    height, alteration = _moved(height, written, sharps, by, semitones)
    said = not accidental or abs(alteration) <= 2
    while accidental and abs(alteration) > 2:
        step = 1 if alteration > 0 else -1
        alteration -= _natural(height + step) - _natural(height)
        height += step
    octaves, index = divmod(height, 7)
    name = _LETTERS[index].lower() if octaves > 0 else _LETTERS[index]
    marks = "'" * (octaves - 1) + "," * -octaves
    return (SIGNS[alteration] if accidental else "") + name + marks, said


def _moved(height: int, alteration: int, sharps: int, by: int, semitones: int) -> tuple[int, int]:
    """A height (in letters above middle C) and its alteration, moved; see the module."""
    letter = _LETTERS[height % 7]
    height += 4 * by + 7 * ((semitones - 7 * by) // 12)
    distance = alteration - signature(sharps).get(letter, 0)
    return height, signature(sharps + by).get(_LETTERS[height % 7], 0) + distance


def _natural(height: int) -> int:
    octave, index = divmod(height, 7)
    return 12 * octave + PITCH_CLASS[_LETTERS[index]]
