"""Tunes to look at and to listen to."""

import io

import numpy as np
import pretty_midi
import pytest

from seqforge.core.domain import Sample, Shows
from seqforge.domains.music import MusicDomain
from seqforge.domains.music.midi import midi_bytes
from seqforge.domains.music.notes import DRUMS, Note, Piece, Tempo, normalised
from seqforge.domains.music.showing import piano_roll, synthesis
from tests.conftest import ROOT

RATE = 11_025


def strongest(sound, rate=RATE):
    """The frequency of most power, in Hz."""
    power = np.abs(np.fft.rfft(sound)) ** 2
    return np.fft.rfftfreq(len(sound), 1 / rate)[power.argmax()]


@pytest.mark.parametrize(("pitch", "hertz"), [(69, 440.0), (60, 261.63), (81, 880.0), (40, 82.41)])
def test_a_note_sounds_at_its_pitch(pitch, hertz):
    sound = synthesis(Piece((Note(pitch, 90, 0, 96),)), RATE)
    assert strongest(sound) == pytest.approx(hertz, abs=1)
    assert np.abs(sound).max() == pytest.approx(0.8)
    assert sound.dtype == np.float32


def test_no_overtone_is_folded_down_from_above_half_the_rate():
    """C8 at 4,186 Hz: its octave has no place below 5,512 Hz."""
    power = np.abs(np.fft.rfft(synthesis(Piece((Note(108, 90, 0, 96),)), RATE))) ** 2
    assert power[:4000].sum() < 0.01 * power.sum()


def test_a_note_is_heard_when_midi_says_so():
    """Starts under changing tempos, against pretty_midi, which reads the file that we write."""
    notes = tuple(Note(60 + 2 * i, 100, 24 * i, 12) for i in range(8))
    piece = normalised(Piece(notes, tempos=(Tempo(0, 600_000), Tempo(60, 300_000))))
    other = pretty_midi.PrettyMIDI(io.BytesIO(midi_bytes(piece)))
    sound = synthesis(piece, RATE)

    assert len(sound) / RATE == pytest.approx(other.get_end_time() + 0.06, abs=0.001)
    heard = np.abs(sound) > 0.02
    for note in other.instruments[0].notes:
        assert heard[int(note.start * RATE) : int(note.end * RATE)].mean() > 0.8
        before = slice(int((note.start - 0.03) * RATE), int(note.start * RATE))
        assert note.start == 0 or not heard[before].any()


def test_only_the_first_seconds_of_a_long_piece_are_played():
    notes = tuple(Note(60, 100, 48 * i, 24) for i in range(100))
    assert 19 < len(synthesis(Piece(notes), RATE)) / RATE < 21


def test_drums_are_noise():
    sound = synthesis(Piece((Note(38, 100, 0, 24, DRUMS),)), RATE)
    power = np.abs(np.fft.rfft(sound)) ** 2
    assert power.max() < 0.05 * power.sum()


def test_silence_is_no_picture_and_no_sound():
    assert piano_roll(Piece()) is None
    assert synthesis(Piece(), RATE) is None
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
