"""A model that lacks a symbol for something is given the nearest, and says so."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqforge.base.paths import data_folder
from seqforge.core.data.vocabulary import Vocabulary
from seqforge.domains.music import event_codec
from seqforge.domains.music.domain import MusicDomain
from seqforge.domains.music.event_codec import BAR, LONGER, PICKUP, PROGRAMS, TOKENS
from seqforge.domains.music.midi.midi_file import midi_bytes
from seqforge.domains.music.notes import DRUMS, Note, Piece, TimeSignature, normalised
from seqforge.domains.music.primer import (
    BARS,
    MusicPrompt,
    fitted_abc,
    fitted_events,
    fitted_prompt,
    read_prime,
)
from seqforge.errors import InputError

from .conftest import few, pieces

MELODY = data_folder() / "melody.mid"
EVENTS = MusicDomain(code="events")
ALPHABET = frozenset("".join(TOKENS) + BAR + PICKUP + LONGER)
BEAT = [Note(36, 80, 24 * n, 24, DRUMS) for n in range(8)]
TUNE = [Note(60 + n, 80, 24 * n, 24) for n in range(8)]


def test_a_model_without_pickups_is_given_a_whole_bar():
    text = read_prime(EVENTS, MELODY, BARS).symbols
    known = ALPHABET - {PICKUP}

    fitted, said = fitted_events(text, known, 24)

    whole, short = (event_codec.decode(t, 24) for t in (fitted, text))
    assert set(fitted) <= known
    assert whole.piece.pickup == 0
    assert [(n.pitch, n.start - 60) for n in whole.piece.notes] == [
        (n.pitch, n.start) for n in short.piece.notes
    ]
    assert whole.bars == whole.full_bars == short.bars + 1
    assert said == ["its pick-up begins a whole bar with rests, since the model knows no pick-ups"]
    assert fitted_events(text, ALPHABET, 24) == (text, [])


def test_a_model_without_bar_lines_is_given_none():
    fitted, said = fitted_events(
        read_prime(EVENTS, MELODY, BARS).symbols, ALPHABET - {BAR, PICKUP}, 24
    )
    assert not {BAR, PICKUP} & set(fitted)
    assert "8 of its bar lines taken for the nearest that the model has" in said


@pytest.mark.parametrize(
    ("known", "pitches"),
    [("RT", (60, 62, 62)), ("Rd", (60, 72, 72)), ("h", (76, 76, 76))],
)
def test_a_pitch_that_the_model_lacks_is_the_same_note_elsewhere_or_the_nearest(known, pitches):
    notes = tuple(Note(pitch, 80, 24 * n, 24) for n, pitch in enumerate((60, 62, 74)))
    fitted, said = fitted_events(event_codec.encode(Piece(notes)), known + "4-|", 24)
    found = tuple(note.pitch for note in event_codec.decode(fitted, 24).piece.notes)
    assert len(found) == 3
    if known != "Rd":
        assert found == pitches
    assert said[0].endswith("of its pitches taken for the nearest that the model has")


def test_time_that_no_advance_says_is_made_up_for_later():
    notes = tuple(Note(60, 80, 25 * n, 24) for n in range(13))
    fitted, _ = fitted_events(event_codec.encode(Piece(notes)), "R4-.", 24)
    starts = [note.start for note in event_codec.decode(fitted, 24).piece.notes]
    assert max(abs(a - b.start) for a, b in zip(starts, notes, strict=True)) < 6


def test_drums_never_become_a_piano():
    text = event_codec.encode(normalised(Piece((*TUNE, *BEAT))))
    fitted, said = fitted_events(text, ALPHABET - {PROGRAMS[DRUMS]}, 24)
    notes = event_codec.decode(fitted, 24).piece.notes
    assert [note.pitch for note in notes] == [note.pitch for note in TUNE]
    assert said == ["percussion left out, 8 of 16 notes, since the model has none"]
    with pytest.raises(ValueError, match="holds percussion alone, and the model has none; give"):
        fitted_events(event_codec.encode(Piece(tuple(BEAT))), ALPHABET - {PROGRAMS[DRUMS]}, 24)


def test_percussion_that_a_model_of_tunes_leaves_out_is_said(tmp_path):
    path = tmp_path / "x.mid"
    path.write_bytes(midi_bytes(normalised(Piece((*TUNE, *BEAT)))))
    prime = read_prime(MusicDomain(code="abc"), path, BARS)
    assert prime.notes == (
        "percussion left out, 8 of 16 notes, since this model goes on with melodies",
    )
    assert [n.pitch for n in MusicDomain(code="abc").decode(prime.symbols).piece.notes] == [
        note.pitch for note in TUNE
    ]


@few
@given(pieces(), st.sets(st.sampled_from(sorted(ALPHABET)), min_size=40))
def test_whatever_a_model_knows_it_is_given_that_alone(piece, known):
    known = known | set("ABCDE4-.")
    if any(note.program == DRUMS for note in piece.notes):
        known |= {PROGRAMS[DRUMS]}
    text = event_codec.encode(piece, whole=True)
    assert set(fitted_events(text, known, piece.steps_per_quarter)[0]) <= known


@pytest.mark.parametrize(
    ("known", "text"),
    [
        (":|[]12", "|:A|1B:|2c|]"),
        ("|[]12", "|A|1B|c|]"),
        ("|:", "|:A|1B|c|"),
        ("", "ABc"),
    ],
)
def test_bar_lines_that_a_model_of_tunes_lacks_are_plain_ones(known, text):
    head = "M:4/4\nL:1/8\nK:C\n"
    letters = "".join(set(head)) + "ABc"
    fitted, said = fitted_abc(head + "|:A|1B:|2c|]", known + letters.replace(":", ""))
    assert fitted == head + text
    assert bool(said) == (text != "|:A|1B:|2c|]")


def test_the_metre_says_how_long_the_bar_of_the_pickup_is():
    piece = Piece(tuple(TUNE), time_signatures=(TimeSignature(0, 3, 4),), pickup=24)
    fitted, _ = fitted_events(event_codec.encode(piece), ALPHABET - {PICKUP}, 24)
    assert event_codec.decode(fitted, 24).piece.notes[0].start == 48


def test_the_domain_fits_to_a_vocabulary():
    vocabulary = Vocabulary(tuple(sorted(ALPHABET - {PICKUP})))
    assert PICKUP in EVENTS.prime(MELODY)
    assert PICKUP not in EVENTS.prompt(MELODY, vocabulary).symbols
    letters = Vocabulary(tuple(sorted(set("\nABCDEFGKLM:/12348>^_=abcdefgz' |"))))
    abc, source = MusicDomain(code="abc"), Path("x.abc")
    closed = MusicPrompt("K:C\nA|]", notes=("read",))
    fitted = fitted_prompt(abc, closed, source, letters)
    assert fitted.symbols == "K:C\nA|"
    assert [note[:5] for note in fitted.notes] == ["read", "1 of "]
    with pytest.raises(InputError, match=r"x\.abc: has no metre"):
        fitted_prompt(abc, MusicPrompt("M:none\nK:C\nA|"), source, letters)
