"""Tunes to look at and to listen to."""

import numpy as np

from seqforge.core.data.domain import Sample, Shows
from seqforge.domains.music.domain import MusicDomain
from seqforge.domains.music.notes import Note, Piece
from seqforge.domains.music.render.piano_roll import (
    KEYS,
    octave_names,
    piano_roll,
    quarter_pixels,
)
from tests.conftest import ROOT

RATE = 11_025


def test_silence_is_no_picture_and_no_sound():
    assert piano_roll(Piece()) is None
    domain = MusicDomain(code="abc")
    assert domain.picture(Sample("zz|")) is None
    assert domain.sound(Sample(""), RATE) is None


def test_the_roll_shows_each_note_at_its_time_and_pitch():
    """Two octaves from middle C, 8 pixels a semitone, 32 a quarter, behind 28 of keyboard."""
    notes = (Note(60, 127, 0, 24), Note(71, 20, 24, 24), Note(83, 127, 48, 48, 40))
    roll = piano_roll(Piece(notes))
    assert roll.shape == (24 * 8, 28 + 4 * 32 + 1, 3)

    def at(pitch, quarter):
        return roll[(83 - pitch) * 8 + 4, 28 + int(quarter * 32)].astype(int)

    paper = at(72, 0.5)
    darkness = [np.abs(at(*place) - paper).sum() for place in ((60, 0.5), (71, 1.5), (83, 2.5))]
    assert min(darkness) > 100
    assert darkness[0] > darkness[1], "loud is darker than soft"
    for place in ((60, 1.5), (71, 0.5), (83, 1.5), (62, 0.5)):
        assert np.abs(at(*place) - paper).sum() == 0, place
    assert tuple(at(60, 0.5)) != tuple(at(83, 2.5)), "two instruments have two colours"
    assert (roll[-4, 4] == (194, 106, 28)).all(), "middle C is marked on the keyboard"


def test_what_was_given_is_tinted_up_to_a_line():
    notes = tuple(Note(60, 100, 24 * i, 24) for i in range(4))
    plain, roll = piano_roll(Piece(notes)), piano_roll(Piece(notes), prime_end=48)
    changed = (plain != roll).any(axis=(0, 2))
    line = 28 + 2 * 32
    assert changed[29:line].all(), "all but the first bar line"
    assert not changed[line:].any()
    assert (roll[4, line - 3 : line] == (11, 110, 153)).all()


def test_a_long_piece_is_drawn_narrower_and_whole():
    for quarters, width in (
        (75, 75 * 32),
        (100, 100 * 24),
        (300, 300 * 8),
        (500, 500 * 8),
        (4_000, 15_999),
    ):
        notes = tuple(Note(60, 100, 24 * i, 24) for i in range(quarters))
        assert piano_roll(Piece(notes)).shape[1] in (28 + width, 28 + width + 1)


def test_the_domain_shows_what_it_draws():
    domain = MusicDomain(code="abc")
    assert isinstance(domain, Shows)
    tune = next(iter(domain.read(ROOT / "data" / "tunes.abc"))).symbols
    roll, sound = domain.picture(Sample(tune)), domain.sound(Sample(tune), RATE)
    assert roll.shape[2] == 3
    assert len(np.unique(roll.reshape(-1, 3), axis=0)) >= 5
    assert 5 * RATE < len(sound) < 21 * RATE


def test_any_sample_at_all_may_be_shown():
    rng = np.random.default_rng(0)
    for code in ("abc", "events"):
        domain = MusicDomain(code=code)
        for _ in range(30):
            text = "".join(map(chr, rng.integers(32, 0x1E30, 300)))
            text += "".join(rng.choice(list("ABCdefg|:[]2/^_ ~=."), 100))
            roll, sound = domain.picture(Sample(text)), domain.sound(Sample(text), RATE)
            assert roll is None or roll.dtype == np.uint8
            assert sound is None or (len(sound) < 21 * RATE and np.isfinite(sound).all())


def test_given_notes_have_another_colour_than_new_ones():
    piece = Piece((Note(60, 127, 0, 24), Note(60, 127, 24, 24)))
    plain, primed = piano_roll(piece), piano_roll(piece, prime_end=24)
    quarter = quarter_pixels(piece)
    row = next(y for y in range(len(plain)) if (plain[y, KEYS + 5] == (11, 110, 153)).all())
    assert (plain[row, KEYS + 5] == plain[row, KEYS + quarter + 5]).all()
    assert (primed[row, KEYS + 5] != primed[row, KEYS + quarter + 5]).any()
    assert (primed[row, KEYS + quarter + 5] == plain[row, KEYS + quarter + 5]).all()


def test_octaves_are_named_at_the_lower_edge_of_their_c():
    piece = Piece((Note(60, 80, 0, 24), Note(80, 80, 0, 24)))
    names = octave_names(piece)
    assert names == [(100.0, "C4"), (50.0, "C5")]
    assert octave_names(Piece(())) == []
