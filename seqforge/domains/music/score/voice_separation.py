"""The notes of a staff in, one or two voices out."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, pairwise
from typing import NamedTuple

from seqforge.domains.music.notes import Note
from seqforge.domains.music.score.note_values import StaffNote
from seqforge.domains.music.score.quantize import QUARTER, SIXTEENTH, Bar, Divisions, quantize_beats

_VOICES = 2
_EIGHTH = QUARTER // 2
_CROSSING = 40.0  # what it costs that voices cross, in steps by which notes are shortened
_SECOND = 2.0  # that a second voice is used
_MIXED = 200.0  # that a voice has triplets and other notes in one beat


class _Tone(NamedTuple):
    """A note with its place on paper."""

    start: int
    end: int
    pitch: int
    given: bool


@dataclass
class Voice:
    """A voice: sounds in order, and the divisions of its beats."""

    sounds: list[StaffNote]
    divisions: Divisions

    def within(self, bar: Bar) -> list[StaffNote]:
        """The sounds of a bar, and those that go on in it."""
        first = bisect_right(self._ends, bar.start)
        last = bisect_left(self._starts, bar.end)
        return self.sounds[first:last]

    def __post_init__(self) -> None:
        self._starts = [sound.start for sound in self.sounds]
        self._ends = [sound.end for sound in self.sounds]


def voices_of(
    notes: Sequence[Note], bars: Sequence[Bar], prime_end: int, triplets: Container[int] = ()
) -> list[Voice]:
    """Notes of a staff in, one voice or two (the upper first) out.

    Where notes of different lengths overlap they are in two voices; what would need a third is cut
    at the next onset.

    Args:
        notes: On the grid of paper.
        bars: They reach past the last note.
        prime_end: Notes that begin before it are given.
        triplets: As for `quantize_beats`.
    """
    lines = _Lines(bars)
    groups = _groups(_placed(notes, bars, prime_end, triplets))
    for group, following in zip(groups, [*groups[1:], []], strict=True):
        lines.take(group, following)
    return [_fitted(sounds, bars, triplets) for sounds in lines.sounds if sounds]


def percussion(notes: Sequence[Note], bars: Sequence[Bar], prime_end: int) -> Voice:
    """All strokes in one voice, each until the next, at most a quarter."""
    divisions = quantize_beats(sorted({note.start for note in notes}), bars)
    starts = [bar.start for bar in bars]
    stop = _stop(notes, bars)
    found: dict[int, StaffNote] = {}
    for note in notes:
        start = divisions.onset(note.start, stop)
        end = min(start + QUARTER, bars[bisect_right(starts, start) - 1].end)
        before = found.get(start, StaffNote(start, end, (), note.start < prime_end))
        found[start] = replace(before, pitches=tuple(sorted({*before.pitches, note.pitch})))
    return _fitted([found[start] for start in sorted(found)], bars)


def _placed(
    notes: Sequence[Note], bars: Sequence[Bar], prime_end: int, triplets: Container[int]
) -> list[_Tone]:
    """The notes where their staff has places for them, in order; played lengths made readable."""
    ends = {note.start + note.duration for note in notes}
    divisions = quantize_beats(sorted({note.start for note in notes}), bars, ends, triplets)
    mixed, stop = _mixed(notes, bars), _stop(notes, bars)
    found: dict[tuple[int, int], _Tone] = {}
    starts = {
        n.start: n.start if n.start in mixed else divisions.onset(n.start, stop) for n in notes
    }
    onsets = sorted(set(starts.values()))
    for note in notes:
        start = starts[note.start]
        end = note.start + note.duration
        if (divisions.nearest(end) != end and end not in mixed) or end <= start:
            end = _readable(start, end, onsets, divisions)
        tone = _Tone(start, end, note.pitch, note.start < prime_end)
        before = found.get((start, note.pitch))
        if before is None or before.end < end:
            found[start, note.pitch] = tone
    return sorted(found.values())


def _stop(notes: Sequence[Note], bars: Sequence[Bar]) -> int:
    """The bar line at or after the end of all notes: no onset is moved to it."""
    last = max((note.start + note.duration for note in notes), default=0)
    return next((bar.end for bar in bars if bar.end >= last), bars[-1].end)


def _readable(start: int, end: int, onsets: Sequence[int], divisions: Divisions) -> int:
    """Where a note is said to end that was played a little long or short."""
    first = bisect_right(onsets, start)

    def after(step: int) -> int:
        return max(first, bisect_left(onsets, step))

    place = max(divisions.nearest(end), divisions.next_after(start))
    around = onsets[max(first, after(end) - 1) : after(end) + 1]
    near = min(around or [-(-end // _EIGHTH) * _EIGHTH], key=lambda onset: abs(onset - end))
    if abs(near - end) < SIXTEENTH:
        return near
    following = onsets[after(place) : after(place) + 1]
    if following and following[0] - place <= SIXTEENTH:
        return following[0]
    return place


def _mixed(notes: Sequence[Note], bars: Sequence[Bar]) -> set[int]:
    """Onsets in quarters that hold a whole triplet of eighths and sixteenths beside it."""
    onsets = sorted({note.start for note in notes})
    kept: set[int] = set()
    for bar in bars:
        for start, end in bar.windows():
            inside = onsets[bisect_left(onsets, start) : bisect_left(onsets, end)]
            places = {onset - start for onset in inside}
            if {32, 64} < places and all(p % SIXTEENTH == 0 for p in places - {32, 64}):
                kept.update(inside)
    return kept


def _groups(tones: Sequence[_Tone]) -> list[list[_Tone]]:
    return [
        sorted(group, key=lambda tone: -tone.pitch)
        for _, group in groupby(tones, key=lambda tone: tone.start)
    ]


_Way = list[tuple[int, StaffNote]]


class _Lines:
    """The voices of a staff as they grow."""

    def __init__(self, bars: Sequence[Bar]) -> None:
        self.sounds: list[list[StaffNote]] = [[] for _ in range(_VOICES)]
        self._windows = [start for bar in bars for start, _ in bar.windows()]

    def take(self, group: list[_Tone], following: list[_Tone]) -> None:
        """What begins together, put where least is cut and crossed."""
        for voice, part in min(_ways(group), key=lambda way: self._cost(way, group, following)):
            line = self.sounds[voice]
            if line and line[-1].end > part.start:
                line[-1] = replace(line[-1], end=part.start)
            line.append(part)

    def _cost(self, way: _Way, group: list[_Tone], following: list[_Tone]) -> float:
        ends = {pitch: sound.end for _, sound in way for pitch in sound.pitches}
        cost = float(sum(tone.end - ends[tone.pitch] for tone in group))
        cost += _SECOND * (len(way) - 1)
        for voice, sound in way:
            line, other = self.sounds[voice], self.sounds[1 - voice]
            cost += _SECOND * voice
            if line:
                cost += max(0, line[-1].end - sound.start) * len(line[-1].pitches)
                cost += _MIXED * self._do_not_mix(line[-1].start, sound.start)
            if len(way) > 1:
                continue
            if other and other[-1].end > sound.start:
                cost += _CROSSING * _crosses(voice, sound.pitches, other[-1].pitches)
            if following and following[0].start < sound.end:
                cost += _CROSSING / 2 * _crosses(voice, sound.pitches, [t.pitch for t in following])
        return cost

    def _do_not_mix(self, one: int, other: int) -> bool:
        """Whether two onsets of one beat are a triplet's and a binary division's."""
        window = bisect_right(self._windows, one) - 1
        if window != bisect_right(self._windows, other) - 1:
            return False
        places = [onset - self._windows[window] for onset in (one, other)]
        triplet = [place % 16 == 0 and place % 24 > 0 for place in places]
        binary = [place % 12 == 0 and place % 16 > 0 for place in places]
        return (triplet[0] and binary[1]) or (binary[0] and triplet[1])


def _ways(group: list[_Tone]) -> Iterator[_Way]:
    for voice in range(_VOICES):
        yield [(voice, _chord(group))]
    for cut in range(1, len(group)):
        yield [(0, _chord(group[:cut])), (1, _chord(group[cut:]))]


def _chord(tones: Sequence[_Tone]) -> StaffNote:
    return StaffNote(
        tones[0].start,
        min(tone.end for tone in tones),
        tuple(sorted(tone.pitch for tone in tones)),
        all(tone.given for tone in tones),
    )


def _crosses(voice: int, pitches: Sequence[int], others: Sequence[int]) -> bool:
    mean, mean_of_others = sum(pitches) / len(pitches), sum(others) / len(others)
    return mean < mean_of_others if voice == 0 else mean > mean_of_others


def _fitted(line: list[StaffNote], bars: Sequence[Bar], triplets: Container[int] = ()) -> Voice:
    """A line with every onset and end at a place of its own divisions."""
    ends = {sound.end for sound in line}
    divisions = quantize_beats([sound.start for sound in line], bars, ends, triplets)
    placed: dict[int, StaffNote] = {}
    for sound in line:
        start = divisions.nearest(sound.start)
        end = max(divisions.nearest(sound.end), divisions.next_after(start))
        if start in placed:  # two that were played one after the other are written as one
            pitches = {*placed[start].pitches, *sound.pitches}
            sound = replace(sound, pitches=tuple(sorted(pitches)))
        placed[start] = replace(sound, start=start, end=min(end, bars[-1].end))
    sounds = [placed[start] for start in sorted(placed)]
    for index, (sound, following) in enumerate(pairwise(sounds)):
        if sound.end > following.start:
            sounds[index] = replace(sound, end=following.start)
    return Voice(sounds, divisions)
