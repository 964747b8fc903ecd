"""A K: field or notes in, a key out (key signature, key finding, spelling); music in one key in,
the same transposed to another out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqforge.domains.music.notes import DRUMS, Note, Piece

PITCH_CLASS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_FIFTHS = "FCGDAEB"  # the order in which sharps are added; flats the other way
_MODES = {"maj": 0, "ion": 0, "lyd": 1, "mix": -1, "dor": -2, "min": -3, "aeo": -3, "m": -3,
          "phr": -4, "loc": -5}  # fmt: skip
"""Sharps that a mode has more than the major scale on the same tonic."""
_SHORT = {0: "", 1: "lyd", -1: "mix", -2: "dor", -3: "m", -4: "phr", -5: "loc"}

_KEY = re.compile(
    r"\s*(?P<tonic>[A-G])(?P<sign>[#b]?)\s*"
    r"(?P<mode>maj|min|ion|dor|phr|lyd|mix|aeo|loc|m(?![a-z]))?[a-z]*",
    re.IGNORECASE,
)
_NO_KEY = re.compile(
    r"\s*(?:clef|treble|alto|tenor|bass|perc|none|exp|octave|transpose|middle|stafflines|score|sound"
    r"|shift|style|staffscale|cue)(?![a-z])",
    re.IGNORECASE,
)
_EXPLICIT = re.compile(r"\bexp\b", re.IGNORECASE)
_ACCIDENTAL = re.compile(r"(\^\^?|__?|=)([A-Ga-g])")
_ACCIDENTALS = re.compile(rf"(?:{_ACCIDENTAL.pattern})+")  # spaces between them may be left out
SIGNS = {-2: "__", -1: "_", 0: "=", 1: "^", 2: "^^"}
"""How ABC writes an alteration in semitones."""
ALTERATION = {"": 0, "^": 1, "^^": 2, "_": -1, "__": -2, "=": 0}

# Temperley 1999, "What's Key for Key?", Music Perception 17(1): how well a pitch class fits.
_MAJOR = np.array([5.0, 2.0, 3.5, 2.0, 4.5, 4.0, 2.0, 4.5, 2.0, 3.5, 1.5, 4.0])
_MINOR = np.array([5.0, 2.0, 3.5, 4.5, 2.0, 4.0, 2.0, 4.5, 3.5, 2.0, 1.5, 4.0])
_PROFILES = np.array(
    [np.roll(p - p.mean(), tonic) for p in (_MAJOR, _MINOR) for tonic in range(12)]
)


class Key(NamedTuple):
    """A key as ABC writes it."""

    tonic: str
    """A letter with ``#`` or ``b``."""
    mode: str
    """Empty for major, else m, dor, mix, lyd, phr or loc."""
    extra: tuple[tuple[str, int], ...] = ()
    """Letters that the field alters beside those of the signature."""

    @property
    def sharps(self) -> int:
        """Sharps of the signature, flats below zero."""
        letter, sign = self.tonic[0], self.tonic[1:]
        turns = {"": 0, "#": 7, "b": -7}[sign]
        offset = next(sharps for sharps, mode in _SHORT.items() if mode == self.mode)
        return _FIFTHS.index(letter) - 1 + turns + offset

    @property
    def pitch_class(self) -> int:
        """Of the tonic, 0 for C."""
        return (PITCH_CLASS[self.tonic[0]] + {"": 0, "#": 1, "b": -1}[self.tonic[1:]]) % 12

    @property
    def minor(self) -> bool:
        """Whether the third of the scale is minor."""
        return self.mode in ("m", "dor", "phr", "loc")

    @property
    def alterations(self) -> dict[str, int]:
        """Semitones that each altered letter is raised by."""
        return {**signature(self.sharps), **dict(self.extra)}

    def __str__(self) -> str:
        extra = "".join(f" {SIGNS[by]}{letter.lower()}" for letter, by in self.extra)
        return self.tonic + self.mode + extra


def signature(sharps: int) -> dict[str, int]:
    """Letters that a signature alters, by how much; beyond seven they are altered twice."""
    altered: dict[str, int] = {}
    order = _FIFTHS if sharps > 0 else _FIFTHS[::-1]
    for i in range(abs(sharps)):
        altered[order[i % 7]] = altered.get(order[i % 7], 0) + (1 if sharps > 0 else -1)
    return altered


@lru_cache(maxsize=1024)
def parse_key(field: str) -> Key:
    """The key of a ``K:`` field; what cannot be understood, ``none`` and nothing are C major.

    Highland pipes (``HP``, ``Hp``) sound F and C sharp. After ``exp`` the accidentals that follow
    are all there are: letters of the signature that have none are natural.
    """
    if field.strip()[:2].upper() == "HP":
        return Key("D", "")
    match = _KEY.match(field)
    if match is None or _NO_KEY.match(field):
        tonic, mode, rest = "C", "", field
    else:
        tonic = match["tonic"].upper() + match["sign"].lower()
        mode = _SHORT[_MODES[(match["mode"] or "maj").lower()]]
        rest = field[match.end() :]
    said = "".join(word for word in rest.split() if _ACCIDENTALS.fullmatch(word))
    extra = {letter.upper(): ALTERATION[sign] for sign, letter in _ACCIDENTAL.findall(said)}
    plain = Key(tonic, mode)
    if abs(plain.sharps) > 7:  # G# major and the like: no signature says them
        plain = Key("C", "")
    if _EXPLICIT.search(field):
        extra = dict.fromkeys(signature(plain.sharps), 0) | extra
    return plain._replace(extra=tuple(sorted(extra.items())))


def says_key(field: str) -> bool:
    """Whether a ``K:`` field names a key; it may name a clef alone, and the key goes on."""
    words = field.split(maxsplit=1)
    if not words:
        return False
    is_key = words[0].lower() in ("none", "exp") or words[0][:2].upper() == "HP"
    return is_key or not _NO_KEY.match(field)


def key_from_signature(sharps: int, minor: bool) -> Key:
    """The major or minor key of a signature of -7 to 7 sharps."""
    place = sharps + 1 + (3 if minor else 0)  # tonics lie on the line of fifths too
    return Key(_name(place), "m" if minor else "")


def _name(place: int) -> str:
    """The note at a place of the line of fifths, F at 0."""
    turns, index = divmod(place, 7)
    return _FIFTHS[index] + ("#" * turns if turns > 0 else "b" * -turns)


@lru_cache(maxsize=64)
def spelling(sharps: int) -> tuple[tuple[str, int], ...]:
    """Letter and alteration for each of the 12 pitch classes, as near the key as can be.

    A window of twelve on the line of fifths: three below the scale's first note to eight above
    the tonic of the major key, so that minor keys get their raised sixth and seventh.
    """
    names: list[tuple[str, int]] = [("C", 0)] * 12
    for place in range(sharps + 1 - 3, sharps + 1 + 9):
        name = _name(place)
        alteration = name.count("#") - name.count("b")
        names[(PITCH_CLASS[name[0]] + alteration) % 12] = (name[0], alteration)
    return tuple(names)


def pitch_class_weights(notes: Iterable[Note]) -> NDArray[np.float64]:
    """Time that each pitch class sounds (12,), percussion left out; the last note counts twice."""
    weights = np.zeros(12)
    last: Note | None = None
    for note in notes:
        if note.program != DRUMS:
            weights[note.pitch % 12] += note.duration
            last = note
    if last is not None:
        weights[last.pitch % 12] += last.duration
    return weights


def find_key(notes: Iterable[Note]) -> tuple[Key, float]:
    """The major or minor key the notes are most likely in, and how clearly.

    Returns:
        The key, and the correlation of its profile with the notes (0 where there is no note).

    References:
        Temperley 1999, https://doi.org/10.2307/40285812
    """
    weights = pitch_class_weights(notes)
    if np.ptp(weights) == 0:
        return Key("C", ""), 0.0
    weights -= weights.mean()
    sizes = np.sqrt((_PROFILES**2).sum(axis=1) * (weights**2).sum())
    correlations = (_PROFILES * weights).sum(axis=1) / sizes
    best = int(correlations.argmax())
    minor, tonic = divmod(best, 12)
    # of the enharmonic names the one with the fewest signs: tonic = 7 * (sharps + 3 * minor)
    found = [s for s in range(-6, 6) if (7 * (s + 3 * minor)) % 12 == tonic]
    return key_from_signature(found[0], bool(minor)), float(correlations[best])


def declared_key(abc: str) -> Key | None:
    """The key that the first ``K:`` on a line of its own names; None without one."""
    field = re.search(r"^K:(.*)", abc, re.MULTILINE)
    return parse_key(field[1]) if field else None


def piece_key(piece: Piece) -> Key:
    """The key that a piece says it begins in, else the one that its notes are in."""
    if piece.key_signatures and piece.key_signatures[0].step == 0:
        return key_from_signature(*piece.key_signatures[0][1:])
    return find_key(piece.notes)[0]


def between(here: Key, there: Key) -> int:
    """Semitones from one tonic to the nearest of the other's, -5 to 6."""
    return 6 - (here.pitch_class - there.pitch_class + 6) % 12


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


FIELD_LINE = re.compile(r"([A-Za-z]):(?![|:])(.*)")
