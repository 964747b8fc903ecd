"""A music file in, the prime out in symbols that the model knows, with what had to be changed."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from seqforge.core.records import Prompt
from seqforge.domains.music import event_codec
from seqforge.domains.music.abc import parser, tune_books
from seqforge.domains.music.abc.continuation import continued, opened
from seqforge.domains.music.abc.fields import TOKEN
from seqforge.domains.music.abc.writer import to_abc
from seqforge.domains.music.event_codec import (
    ADVANCES,
    BAR,
    LENGTHS,
    LONGER,
    PICKUP,
    PITCHES,
    PROGRAMS,
    TOKENS,
    Kind,
    advanced,
    decode,
    encode,
    metre_of,
)
from seqforge.domains.music.file_type import music_file_type, read_notes, readable
from seqforge.domains.music.keys import (
    FIELD_LINE,
    Key,
    between,
    declared_key,
    piece_key,
    shifted,
    to_c,
)
from seqforge.domains.music.notes import (
    DRUMS,
    KeySignature,
    MusicOptions,
    Note,
    Piece,
    Tempo,
    TimeSignature,
    bar_length,
    bar_lines,
    normalised,
    skyline,
)
from seqforge.errors import InputError

if TYPE_CHECKING:
    from seqforge.core.data.vocabulary import Vocabulary

_NEAREST = "{} of its {} taken for the nearest that the model has"


def fitted_abc(text: str, known: Collection[str]) -> tuple[str, list[str]]:
    """ABC in, the same with bar lines the model knows out."""
    changed = 0
    lines = text.split("\n")
    for number, line in enumerate(lines):
        if FIELD_LINE.match(line):
            continue
        parts, end = [], 0
        for token in TOKEN.finditer(line):
            if token.lastgroup in ("bar", "alone") and not set(token[0]) <= set(known):
                plain = BAR if token.lastgroup == "bar" and BAR in known else ""
                parts += [line[end : token.start()], plain]
                end, changed = token.end(), changed + 1
        lines[number] = "".join([*parts, line[end:]])
    if not changed:
        return text, []
    return "\n".join(lines), [_NEAREST.format(f"{changed:,}", "bar lines")]


def fitted_events(
    text: str, known: Collection[str], steps_per_quarter: int
) -> tuple[str, list[str]]:
    """A text of events in, the same in tokens the model knows out.

    An advance becomes a sum of known ones, durations and pitches the nearest known, a pitch if it
    can in another octave. A pick-up without a sign for it begins a whole bar with rests. Percussion
    is left out where the model has none; so are other programs, velocities, tempos, keys and time
    signatures that it lacks, but what was played by them is not.

    Raises:
        ValueError: If nothing but percussion was in it.
    """
    known = frozenset(known)
    text, said = _without_drums(text, known, steps_per_quarter)
    if PICKUP in text and PICKUP not in known:
        text = _padded(text, steps_per_quarter)
        said.append("its pick-up begins a whole bar with rests, since the model knows no pick-ups")
    fitter = _Fitter(known)
    out = "".join(map(fitter.fit, text))
    return out, said + fitter.said()


def _without_drums(text: str, known: Collection[str], grid: int) -> tuple[str, list[str]]:
    if PROGRAMS[DRUMS] in known or PROGRAMS[DRUMS] not in text:
        return text, []
    piece = decode(text, grid).piece
    kept = tuple(note for note in piece.notes if note.program != DRUMS)
    if not kept:
        raise ValueError("holds percussion alone, and the model has none; give it a melody")
    left_out = len(piece.notes) - len(kept)
    said = f"percussion left out, {left_out:,} of {len(piece.notes):,} notes, since the model "
    return encode(replace(piece, notes=kept), whole=True), [said + "has none"] if left_out else []


def _padded(text: str, grid: int) -> str:
    """The text with rests that make the bar of the pick-up whole."""
    metre, pickup, begins = (4, 4), 0, len(text)
    for place, token in enumerate(text[: text.index(PICKUP)]):
        kind, value = TOKENS.get(token, (Kind.PITCH, 0))
        if kind == Kind.TIME:
            metre = metre_of(value)
        else:
            pickup += value * (kind == Kind.ADVANCE)
        if kind <= Kind.PROGRAM:
            begins = min(begins, place)
    rest = int(bar_length(TimeSignature(0, *metre), grid)) - pickup
    return text[:begins] + advanced(max(0, rest)) + text[begins:].replace(PICKUP, BAR)


class _Fitter:
    """Goes through the tokens of a text."""

    def __init__(self, known: Collection[str]) -> None:
        self._known = known
        longest_first = sorted(ADVANCES.items(), reverse=True)
        self._advances = [n for n, token in longest_first if token in known]
        self._lengths = [n for n, token in LENGTHS.items() if token in known]
        self._pitches = [n for n, token in PITCHES.items() if token in known]
        self._owed = 0  # steps that no advance was short enough for
        self._is_drums = False
        self._changed: Counter[str] = Counter()
        self._left_out: set[Kind] = set()

    def fit(self, token: str) -> str:
        """What stands in the place of a token."""
        if token not in TOKENS:
            return self._line(token)
        kind, value = TOKENS[token]
        if kind == Kind.ADVANCE:
            return self._advance(value)
        if kind == Kind.PROGRAM:
            self._is_drums = value == DRUMS
        if token in self._known:
            return token
        if kind == Kind.PITCH and self._pitches:
            self._changed["pitches"] += 1
            return PITCHES[min(self._pitches, key=partial(self._distance, value))]
        if kind == Kind.LENGTH and self._lengths:
            self._changed["lengths of notes"] += 1
            return LENGTHS[min(self._lengths, key=lambda n: abs(n - value))]
        if kind in (Kind.PITCH, Kind.LENGTH):
            return token
        self._left_out.add(kind)
        return ""

    def _distance(self, wanted: int, pitch: int) -> tuple[bool, int]:
        """How far off a pitch is; octaves of a note are nearer than any other."""
        is_other = not self._is_drums and (pitch - wanted) % 12 != 0
        return is_other, abs(pitch - wanted)

    def _line(self, token: str) -> str:
        if token == LONGER and token not in self._known:
            self._changed["lengths of notes"] += 1
            return ""
        if token in self._known or token not in (BAR, PICKUP):
            return token
        self._changed["bar lines"] += 1
        return BAR if BAR in self._known else ""

    def _advance(self, steps: int) -> str:
        self._owed += steps
        out = ""
        for size in self._advances:
            count, self._owed = divmod(self._owed, size)
            out += ADVANCES[size] * count
        return out

    def said(self) -> list[str]:
        """What was changed, in sentences."""
        said = [_NEAREST.format(f"{n:,}", what) for what, n in self._changed.items()]
        if self._left_out:
            kinds = ", ".join(kind.name.lower() for kind in sorted(self._left_out))
            said.append(f"left out, since the model has none like it: {kinds}")
        return said


BARS = 64
"""Most bars of a long prime that are used: a network forgets what is further back."""
_MOST_SYMBOLS = 4_000
_HEADER = re.compile(r"^([MLK]):(.*)", re.MULTILINE)
_VOICE = re.compile(r"\n(?=\[V:)")
_INLINE = re.compile(r"\[([MLK]):([^\]\n]*)\]")

_Change = TypeVar("_Change", Tempo, TimeSignature, KeySignature)


_ANY_KEY = Key("C", "")


@dataclass(frozen=True)
class MusicPrompt(Prompt):
    """What a file gives to go on from, and what the outputs take over from it."""

    key: Key = _ANY_KEY
    """As the symbols have it, which is after the move."""
    moved: int = 0
    """Semitones that the symbols are above the file; samples are moved back."""
    tempo: int = 0
    """Microseconds a quarter; 0 where ABC says nothing."""
    program: int = 0
    """The instrument that most of the melody has."""
    title: str = ""
    """Of the tune, else the name of the file."""


def fitted_prompt(
    domain: MusicOptions, prompt: MusicPrompt, source: Path, vocabulary: Vocabulary
) -> MusicPrompt:
    """The prompt in symbols that a model knows, as far as that goes, with what that changed.

    Raises:
        InputError: If nothing is left of it, or it has no metre and the model needs one.
    """
    known = frozenset(vocabulary.symbols)
    try:
        if domain.code == "events":
            symbols, changes = fitted_events(prompt.symbols, known, domain.steps_per_quarter)
        else:
            symbols, changes = fitted_abc(prompt.symbols, known)
    except ValueError as error:
        raise InputError(f"{source}: {error}") from error
    if symbols.startswith("M:none") and "n" not in known:
        raise InputError(
            f"{source}: has no metre, and the model knows no music without one; add a line such as "
            "M:4/4 before its K:"
        )
    return replace(prompt, symbols=symbols, notes=(*prompt.notes, *changes))


def read_prime(domain: MusicOptions, source: Path, bars: int | None) -> MusicPrompt:
    """The music of a file in the code of a model, in its key where it knows but one.

    An ABC book gives its first tune; a tune ends without its last double bar. The pick-up stays,
    unless the beginning is cut off.

    Args:
        domain: Of the model.
        source: ABC, MIDI or MusicXML.
        bars: How many of the last bars are kept; None for all of it.

    Raises:
        InputError: If the file cannot be used, or has no note that the code can say.
    """
    said: list[str] = []
    with readable(source):
        tune = _first_tune(domain, source, said) if music_file_type(source) == "abc" else None
        if domain.code == "events":
            prime = _of_piece(domain, _piece(domain, source, tune, said), bars, said)
        else:
            prime = _of_text(domain, source, tune, bars, said)
    if prime.moved:
        count = abs(prime.moved)
        said.append(
            f"moved {'up' if prime.moved > 0 else 'down'} {count} semitone{'s'[: count - 1]} for "
            "the model, which knows one key; what it draws is moved back"
        )
    title = tune.title if tune else ""
    return replace(prime, notes=tuple(said), title=title or source.stem)


class _Tune(NamedTuple):
    """A tune of ABC that is gone on from."""

    symbols: str
    tempo: int
    title: str
    """Empty where it has none."""


def _first_tune(domain: MusicOptions, source: Path, said: list[str]) -> _Tune:
    """The first tune of a book, with all voices if the code allows."""
    tunes = tune_books.read(source, domain.encoding, domain.code == "events")
    tune = next(tunes)
    if next(tunes, None) is not None:
        said.append(f"the first of its tunes, {tune.name}, is gone on from")
    if "further voices" in tune.note or "overlaid" in tune.note:  # of this tune or of a later one
        whole = next(tune_books.read(source, domain.encoding, all_voices=True))
        if whole.symbols != tune.symbols:
            said.append("its top voice is gone on from, since this model goes on with one voice")
    header = "\n".join(tune.symbols.split("\n")[:3])  # which Q: may ask for its unit
    tempos = parser.decode(f"{header}\n{tune.description}\nC", 24).piece.tempos
    tempo = tempos[0].microseconds if tune.description else 0
    header, *voices = _VOICE.split(tune.symbols)
    head = header + "\n"
    text = head + "\n".join(opened(head + voice)[len(head) :] for voice in voices)
    symbols = text if voices else opened(tune.symbols)
    return _Tune(symbols, tempo, "" if tune.name.startswith("X:") else tune.name)


def _piece(domain: MusicOptions, source: Path, tune: _Tune | None, said: list[str]) -> Piece:
    """Whatever the file holds, as notes."""
    if tune is None:
        piece, note = read_notes(source, domain.steps_per_quarter)
        said += [note] if note else []
        return piece
    piece = parser.decode(tune.symbols, domain.steps_per_quarter).piece
    return replace(piece, tempos=(Tempo(0, tune.tempo),)) if tune.tempo else piece


def _of_piece(domain: MusicOptions, piece: Piece, bars: int | None, said: list[str]) -> MusicPrompt:
    """As events."""
    piece, symbols = _last_bars(piece, partial(event_codec.encode, whole=True), bars, said)
    key, moved = piece_key(piece), 0
    if domain.key == "C":
        moved = between(key, Key("C", key.mode))
        piece = shifted(piece, moved)
        key, symbols = Key("C", key.mode), event_codec.encode(piece, whole=True)
    return MusicPrompt(symbols, key=key, moved=moved, tempo=piece.tempos[0].microseconds)


def _of_text(
    domain: MusicOptions, source: Path, tune: _Tune | None, bars: int | None, said: list[str]
) -> MusicPrompt:
    """As ABC."""
    program = 0
    if tune is not None:
        tempo = tune.tempo
        whole, _ = continued(tune.symbols, len(tune.symbols))
        symbols = _last_bars_of_text(whole, bars, said)
    else:
        piece = _piece(domain, source, None, said)
        melody = skyline(piece.notes)
        if not melody:
            raise InputError(
                f"{source}: holds percussion alone, and this model goes on with melodies; one "
                "that was trained with --code events goes on with it"
            )
        _say_reduced(piece, melody, said)
        program = Counter(note.program for note in melody).most_common(1)[0][0]
        piece, symbols = _last_bars(piece, partial(to_abc, closed=False), bars, said)
        tempo = piece.tempos[0].microseconds
    moved = 0
    if domain.key == "C":
        symbols, moved = to_c(symbols)
    return MusicPrompt(symbols, key=key_of(symbols), moved=moved, tempo=tempo, program=program)


def key_of(symbols: str) -> Key:
    """The key that a text of ABC begins in."""
    return declared_key(symbols) or _ANY_KEY


def _say_reduced(piece: Piece, melody: Sequence[Note], said: list[str]) -> None:
    pitched = [note for note in piece.notes if note.program != DRUMS]
    if drums := len(piece.notes) - len(pitched):
        said.append(
            f"percussion left out, {drums:,} of {len(piece.notes):,} notes, since this model goes "
            "on with melodies"
        )
    if len(melody) < len(pitched):
        programs = len({note.program for note in pitched})
        parts = f"{programs} instruments" if programs > 1 else "several notes at once"
        said.append(
            f"{parts} reduced to the melody, {len(melody):,} of {len(pitched):,} notes, since "
            "this model goes on with a single voice"
        )


def _fewer(kept: int, bars: int) -> int:
    """How many bars to try next, when so many are too many or have too many symbols."""
    return bars if kept > bars else kept * 3 // 4


def _last_bars_of_text(text: str, bars: int | None, said: list[str]) -> str:
    """ABC from a bar line on, under the metre, unit and key that hold there."""
    ends = tune_books.bar_ends(text)
    short, kept = text, len(ends)
    while bars and kept > 1 and (kept > bars or len(short) > _MOST_SYMBOLS):
        kept = _fewer(kept, bars)
        cut = ends[-kept - 1]
        fields = dict(_HEADER.findall(text)) | dict(_INLINE.findall(text[:cut]))
        header = "".join(f"{name}:{fields[name]}\n" for name in "MLK" if name in fields)
        short = header + text[cut:].lstrip("\n")
    _say_shortened(kept, len(ends), said)
    return short


def _last_bars(
    piece: Piece, write: Callable[[Piece], str], bars: int | None, said: list[str]
) -> tuple[Piece, str]:
    """A piece from a bar line on, with its symbols."""
    lines = [step for step, _ in bar_lines(piece, max(1, piece.end))]
    short, kept, symbols = piece, len(lines), write(piece)
    while bars and kept > 1 and (kept > bars or len(symbols) > _MOST_SYMBOLS):
        kept = _fewer(kept, bars)
        short = _from(piece, lines[-kept])
        symbols = write(short)
    _say_shortened(kept, len(lines), said)
    return short, symbols


def _say_shortened(kept: int, bars: int, said: list[str]) -> None:
    if kept < bars:
        said.append(
            f"the last {kept} of {bars:,} bars are gone on from; a model remembers no further back"
        )


def _from(piece: Piece, cut: int) -> Piece:
    """What sounds from a bar line on, in the metre, key and tempo that hold there."""
    notes = [
        note._replace(
            start=max(0, note.start - cut), duration=note.duration - max(0, cut - note.start)
        )
        for note in piece.notes
        if note.start + note.duration > cut
    ]
    return normalised(
        Piece(
            tuple(notes),
            piece.steps_per_quarter,
            _held(piece.tempos, cut),
            _held(piece.time_signatures, cut),
            _held(piece.key_signatures, cut),
        )
    )


def _held(changes: Iterable[_Change], cut: int) -> tuple[_Change, ...]:
    return tuple(change._replace(step=max(0, change.step - cut)) for change in changes)
