"""The measures of a melody, by hand and by laws, and the key against music21's analysis."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqforge.domains.music import keys
from seqforge.domains.music.domain import MusicDomain
from seqforge.domains.music.keys import find_key
from seqforge.domains.music.notes import DRUMS, Note, Piece, Tempo, TimeSignature, normalised
from seqforge.domains.music.report import melody_features, random_like
from tests.domains.music.conftest import few, pieces

ABC, EVENTS = MusicDomain(code="abc"), MusicDomain(code="events")
QUARTER = 24


def tune(*bars: str) -> Piece:
    """Bars of ABC in quarters, four a bar."""
    return ABC.decode("M:4/4\nL:1/4\nK:C\n" + "|".join(bars) + "|").piece


def test_the_measures_of_five_notes_by_hand():
    """C D E C and a long C: classes 3/5, 1/5, 1/5; steps 2, 2, 4 and 0; 5 notes in 8 quarters."""
    found = melody_features(tune("CDEC", "C4"))

    assert found == {
        "notes": 5,
        "pitch-class entropy": pytest.approx(1.3710, abs=1e-4),  # .6 log2(1/.6) + .4 log2(5)
        "scale consistency": 1,
        "key clarity": found["key clarity"],  # below
        "notes per quarter": 5 / 8,
        "range": 4,
        "mean absolute step": 2,
        "repeated notes": 1 / 4,
        "groove consistency": 13 / 16,  # bars of 16 sixteenths, three of which differ
        "self-similarity": 1 / 4,  # the long C has one of the first bar's four notes
    }


def test_key_clarity_by_hand():
    """A triad C E G of equal notes with the last one twice: the profile's correlation with it."""
    weights = [1, 0, 0, 0, 1, 0, 0, 2, 0, 0, 0, 0]
    profile = [5, 2, 3.5, 2, 4.5, 4, 2, 4.5, 2, 3.5, 1.5, 4]  # Temperley's C major
    mean, middle = sum(weights) / 12, sum(profile) / 12
    top = sum((w - mean) * (p - middle) for w, p in zip(weights, profile, strict=True))
    below = sum((w - mean) ** 2 for w in weights) * sum((p - middle) ** 2 for p in profile)

    assert melody_features(tune("CEG"))["key clarity"] == pytest.approx(top / below**0.5)


def test_scale_consistency_takes_the_best_scale():
    """C major holds seven of these eight notes, as does no scale more; A minor has the G sharp."""
    assert melody_features(tune("CDEF", "GAB^c"))["scale consistency"] == 7 / 8
    assert melody_features(tune("ABcd", "ef^ga"))["scale consistency"] == 1


def test_groove_compares_neighbouring_bars_of_one_length():
    assert melody_features(tune("CDEF", "CDEF", "C2E2"))["groove consistency"] == (1 + 14 / 16) / 2
    assert melody_features(tune("CDEF"))["groove consistency"] is None
    waltz = ABC.decode("M:4/4\nL:1/4\nK:C\nCDEF|[M:3/4]CDE|").piece
    assert melody_features(waltz)["groove consistency"] is None


@pytest.mark.parametrize(
    ("bars", "expected"),
    [
        (["CDEF", "CDEF"], 1),
        (["CDEF", "FGA_B"], 1),  # the same a fourth higher
        (["CDEF", "CDEG"], 3 / 5),  # three of four in common, five in all
        (["CDEF", "c2B2", "CDEG"], (1 / 5 + 3 / 5) / 2),  # the best of the earlier
        (["CDEF", "z4", "CDEF"], 1),  # an empty bar is like nothing, and is left out
        (["CDEF"], None),
    ],
)
def test_self_similarity_is_the_best_of_the_earlier_bars(bars, expected):
    expected = expected if expected is None else pytest.approx(expected)
    assert melody_features(tune(*bars))["self-similarity"] == expected


def test_a_repeat_that_is_played_out_is_similar_to_itself():
    """Two bars unlike each other but for their first note, played twice."""
    played = ABC.decode("M:4/4\nL:1/4\nK:C\n|:CDEF|c2B2:|").piece
    assert melody_features(played)["self-similarity"] == pytest.approx((1 / 5 + 1 + 1) / 3)
    assert played.time_signatures == (TimeSignature(0, 4, 4),)  # the repeat's bar line is one too


def test_steps_and_range_are_those_of_the_melody():
    """An accompaniment below, begun with the melody's notes or under them, changes neither."""
    melody = [Note(72 + step, 80, i * QUARTER, QUARTER) for i, step in enumerate((0, 4, 4, 7))]
    below = [Note(40, 80, i * 12, 12) for i in range(8)]
    drums = [Note(99, 80, 6, 6, DRUMS)]

    alone = melody_features(normalised(Piece(tuple(melody))))
    found = melody_features(normalised(Piece((*melody, *below, *drums))))

    for name in ("range", "mean absolute step", "repeated notes", "self-similarity"):
        assert found[name] == alone[name], name
    assert (found["notes"], found["notes per quarter"]) == (12, 3)


@pytest.mark.parametrize("notes", [0, 1])
def test_of_fewer_than_two_notes_nothing_is_said(notes):
    assert melody_features(Piece((Note(60, 80, 0, 24),) * notes)) == {}
    assert melody_features(Piece((Note(60, 80, 0, 24, DRUMS),) * 3)) == {}


@few
@given(pieces(), st.integers(-12, 12))
def test_in_another_key_they_are_the_same(piece, semitones):
    within = [n._replace(pitch=12 + n.pitch * 103 // 127) for n in piece.notes]
    piece = normalised(replace(piece, notes=tuple(within)))
    # Drums have no pitch to move, and a note of the melody is none of theirs.
    moved = tuple(
        n if n.program == DRUMS else n._replace(pitch=n.pitch + semitones) for n in piece.notes
    )

    assert melody_features(replace(piece, notes=moved)) == pytest.approx(
        melody_features(piece), abs=1e-9
    )


@few
@given(pieces(), st.integers(150_000, 3_000_000))
def test_at_another_tempo_they_are_the_same(piece, microseconds):
    piece = normalised(piece)
    assert melody_features(replace(piece, tempos=(Tempo(0, microseconds),))) == melody_features(
        piece
    )


@few
@given(
    st.lists(st.text("CDEFGABcdefgab", min_size=4, max_size=4), min_size=1, max_size=6),
    st.integers(1, 3),
)
def test_silence_at_the_end_changes_nothing(bars, silent):
    assert melody_features(tune(*bars, *["z4"] * silent)) == melody_features(tune(*bars))
    events = EVENTS._events_of("M:4/4\nL:1/4\nK:C\n" + "|".join(bars) + "|")
    silence = events + "----|" * silent
    assert melody_features(EVENTS.decode(silence).piece) == melody_features(
        EVENTS.decode(events).piece
    )


@few
@given(pieces())
def test_every_measure_is_within_its_bounds(piece):
    most = {"pitch-class entropy": 3.585, "range": 127, "mean absolute step": 127}
    piece = normalised(piece)
    count = len(piece.notes)
    most |= {"notes": count, "notes per quarter": count * piece.steps_per_quarter}
    for name, value in melody_features(piece).items():
        low = -1 if name == "key clarity" else 0
        assert value is None or low <= value <= most.get(name, 1)


def test_random_notes_keep_number_range_and_metre():
    piece = tune("CDEF", "G2c2")
    control = random_like(piece, 3)

    assert len(control.notes) == 6
    assert {note.pitch for note in control.notes} <= set(range(60, 73))
    assert [note.start for note in control.notes] == [12 * i for i in range(6)]
    assert control.time_signatures == piece.time_signatures == (TimeSignature(0, 4, 4),)


def test_the_key_found_is_the_one_that_music21_finds(shared_data):
    """Its key analysis, given Temperley's profiles of 1999 and the last note twice as long."""
    import music21

    class Temperley(music21.analysis.discrete.KeyWeightKeyAnalysis):
        def getWeights(self, weightType="major"):
            return list(keys._MAJOR if weightType == "major" else keys._MINOR)

    same = tunes = 0
    book = shared_data / "music" / "nottingham-abc" / "reelsr-t.abc"
    for record in list(ABC.read(book))[::2]:
        notes = ABC.decode(record.symbols).piece.notes
        stream = music21.stream.Stream()
        for number, note in enumerate(notes, 1):
            length = note.duration / QUARTER * (1 + (number == len(notes)))
            stream.append(music21.note.Note(note.pitch, quarterLength=length))

        theirs = Temperley().getSolution(stream)
        ours, clarity = find_key(notes)

        assert clarity == pytest.approx(theirs.correlationCoefficient)
        tunes += 1
        same += theirs.sharps == ours.sharps and (theirs.mode == "minor") == ours.minor
    assert tunes > 30
    assert same >= tunes - 1  # where two keys fit alike, either may come first
