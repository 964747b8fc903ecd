"""The events code: exact both ways, and total."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqforge.domains.music import event_codec
from seqforge.domains.music.midi.midi_file import midi_bytes, parse_midi, read_midi
from seqforge.domains.music.notes import Note, Piece, TimeSignature, normalised
from seqforge.domains.music.primer import fitted_events

from .conftest import few, pieces

ALPHABET = "".join(event_codec.TOKENS) + "|~+"


@few
@given(piece=pieces())
def test_decoding_undoes_encoding(piece):
    text = event_codec.encode(piece)

    decoded = event_codec.decode(text, piece.steps_per_quarter)

    assert decoded.piece == event_codec.quantised(piece)
    assert decoded.skipped == 0
    assert decoded.bars == decoded.full_bars or len(decoded.piece.time_signatures) > 1


@few
@given(piece=pieces())
def test_what_is_quantised_stays_as_it_is(piece):
    once = event_codec.quantised(piece)
    assert event_codec.quantised(once) == once
    assert normalised(once) == once


@few
@given(text=st.text(st.sampled_from(ALPHABET + "xq€\n"), max_size=200))
def test_any_text_decodes_and_its_piece_is_said_again(text):
    piece = event_codec.decode(text, 24).piece

    assert event_codec.decode(event_codec.encode(piece), 24).piece == piece
    if piece.notes:
        assert parse_midi(midi_bytes(piece), 24, "x.mid") == (piece, "")


@few
@given(text=st.text(max_size=60))
def test_characters_that_are_no_tokens_are_counted_and_change_nothing(text):
    kept = "".join(character for character in text if character in ALPHABET)

    whole, clean = event_codec.decode(text, 24), event_codec.decode(kept, 24)

    assert whole.piece == clean.piece
    assert whole.skipped == len(text) - len(kept)


def test_real_files_survive_text_and_midi(midi_files):
    for path in midi_files:
        piece, _ = read_midi(path, 24)
        text = event_codec.encode(piece)
        decoded = event_codec.decode(text, 24)
        back, note = parse_midi(midi_bytes(decoded.piece), 24, path.name)

        assert decoded.piece == event_codec.quantised(piece), path.name
        assert decoded.bars == decoded.full_bars > 0, path.name
        assert back == decoded.piece, path.name
        assert note == ""
        assert event_codec.encode(back) == text


@few
@given(piece=pieces())
def test_fitting_to_what_is_known_already_changes_nothing(piece):
    text = event_codec.encode(piece)
    assert fitted_events(text, ALPHABET, piece.steps_per_quarter) == (text, [])


def test_a_prime_is_fitted_to_the_tokens_that_a_model_knows():
    """Velocity and tempo fall away, 30 steps become 24 and 6, and 23 steps of a note 24."""
    notes = (Note(60, 40, 0, 23), Note(62, 40, 30, 24))
    text = event_codec.encode(Piece(notes))

    fitted, said = fitted_events(text, "RT4-.╃", 24)

    assert fitted == "╃R4-.T4"
    assert said == [
        "1 of its lengths of notes taken for the nearest that the model has",
        "left out, since the model has none like it: velocity, tempo",
    ]


def test_every_token_is_a_printable_character_of_its_own():
    assert len(ALPHABET) == len(set(ALPHABET)) == 128 + 96 + 96 + 32 + 129 + 63 + 30 + 224 + 3
    assert ALPHABET.isprintable()


def test_a_scale_with_a_pickup_reads_like_this():
    """A quarter of pick-up, then 3/4 in quarters; middle C is R."""
    notes = tuple(Note(p, 80, 24 * i, 24) for i, p in enumerate((60, 62, 64, 65, 67)))
    piece = Piece(notes, time_signatures=(TimeSignature(0, 3, 4),), pickup=24)

    text = event_codec.encode(piece)

    assert text == "╂∩R4-~T-V-W-|Y"  # 3/4, 120 quarters a minute


@pytest.mark.parametrize(
    "text", ["A" + "+" * 10_000, "A" + event_codec.ADVANCES[96] * 10_000 + "A"]
)
def test_nothing_is_placed_beyond_what_readers_of_midi_take(text):
    assert event_codec.decode(text, 24).piece.end <= 2 * 20_000 * 24


@few
@given(pieces(), st.text("".join(event_codec.TOKENS) + "|~+", max_size=8))
def test_what_comes_after_a_whole_text_leaves_its_notes_as_they_are(piece, more):
    text = event_codec.encode(piece, whole=True)
    before = event_codec.decode(text, piece.steps_per_quarter).piece
    assert before == event_codec.quantised(piece) or not piece.notes
    later = event_codec.decode(text + "1" + more, piece.steps_per_quarter).piece
    assert later.notes[: len(before.notes)] == before.notes
