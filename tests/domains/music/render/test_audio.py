"""Tunes to listen to."""

import contextlib
import io
import shutil
import sys
import wave
from pathlib import Path

import numpy as np
import pretty_midi
import pytest
import soundfile

from seqforge.domains.music.midi.midi_file import midi_bytes
from seqforge.domains.music.notes import DRUMS, Note, Piece, Tempo, normalised
from seqforge.domains.music.render import audio
from seqforge.domains.music.render.audio import mp3_bytes, ogg_bytes, synthesize, wav_bytes
from seqforge.errors import ConfigError, ProgramError
from tests.conftest import missing

RATE = 11_025
FONT = Path(pretty_midi.__file__).parent / "TimGM6mb.sf2"


def strongest(heard, rate=RATE):
    """The frequency of most power, in Hz."""
    power = np.abs(np.fft.rfft(heard)) ** 2
    return np.fft.rfftfreq(len(heard), 1 / rate)[power.argmax()]


@pytest.mark.parametrize(("pitch", "hertz"), [(69, 440.0), (60, 261.63), (81, 880.0), (40, 82.41)])
def test_a_note_sounds_at_its_pitch(pitch, hertz):
    heard = synthesize(Piece((Note(pitch, 90, 0, 96),)), RATE)
    assert strongest(heard) == pytest.approx(hertz, abs=1)
    assert np.abs(heard).max() == pytest.approx(0.8)
    assert heard.dtype == np.float32


def test_it_is_no_thin_sine():
    """At least three overtones have a hundredth of the power of the tone."""
    power = np.abs(np.fft.rfft(synthesize(Piece((Note(57, 90, 0, 96),)), RATE))) ** 2
    hertz = np.fft.rfftfreq(2 * len(power) - 2, 1 / RATE)
    of = [power[abs(hertz - 220 * k) < 5].sum() for k in (1, 2, 3, 4)]
    assert min(of) > 0.01 * of[0]


def test_no_overtone_is_folded_down_from_above_half_the_rate():
    """C8 at 4,186 Hz: its octave has no place below 5,512 Hz."""
    heard = synthesize(Piece((Note(108, 90, 0, 96),)), RATE)
    power = np.abs(np.fft.rfft(heard)) ** 2
    hertz = np.fft.rfftfreq(len(heard), 1 / RATE)
    assert power[hertz < 4_000].sum() < 0.01 * power.sum()


def test_a_note_is_heard_when_midi_says_so():
    """Starts under changing tempos, against pretty_midi, which reads the file that we write."""
    notes = tuple(Note(60 + 2 * i, 100, 24 * i, 12) for i in range(8))
    piece = normalised(Piece(notes, tempos=(Tempo(0, 600_000), Tempo(60, 300_000))))
    other = pretty_midi.PrettyMIDI(io.BytesIO(midi_bytes(piece)))
    heard = synthesize(piece, RATE)

    assert len(heard) / RATE == pytest.approx(other.get_end_time(), abs=0.001)
    loud = np.abs(heard) > 0.02
    for note in other.instruments[0].notes:
        assert loud[int(note.start * RATE) : int((note.end - 0.05) * RATE)].mean() > 0.8
        before = slice(int((note.start - 0.03) * RATE), int(note.start * RATE))
        assert note.start == 0 or not loud[before].any()


def test_only_so_many_seconds_of_a_long_piece_are_played():
    notes = tuple(Note(60, 100, 48 * i, 24) for i in range(1_000))
    assert len(synthesize(Piece(notes), RATE, 20)) / RATE == pytest.approx(19.5, abs=0.01)
    assert len(synthesize(Piece(notes), 1_000)) / 1_000 == pytest.approx(299.5, abs=0.01)
    held = Piece((Note(60, 100, 0, 48_000),))
    assert len(synthesize(held, RATE, 20)) / RATE == pytest.approx(20, abs=0.01)


def test_drums_are_noise():
    heard = synthesize(Piece((Note(38, 100, 0, 24, DRUMS),)), RATE)
    power = np.abs(np.fft.rfft(heard)) ** 2
    assert power.max() < 0.05 * power.sum()


def test_drums_and_tones_sound_together():
    both = synthesize(Piece((Note(38, 100, 0, 24, DRUMS), Note(69, 100, 48, 48))), RATE)
    assert strongest(both[RATE:]) == pytest.approx(440, abs=2)
    assert np.abs(both[: RATE // 20]).max() > 0.1


def test_nothing_is_no_sound():
    assert synthesize(Piece(), RATE) is None


def test_files_of_sound_are_read_by_others():
    heard = synthesize(Piece(tuple(Note(60 + i, 100, 24 * i, 24) for i in range(8))), 22_050)

    with wave.open(io.BytesIO(wav_bytes(heard, 22_050))) as file:
        assert (file.getnchannels(), file.getframerate()) == (1, 22_050)
        values = np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32_767
    assert np.abs(values - heard).max() < 1e-4
    again, rate = soundfile.read(io.BytesIO(ogg_bytes(heard, 22_050)))
    assert (rate, len(again)) == (22_050, len(heard))
    assert np.corrcoef(again, heard)[0, 1] > 0.95


def test_the_same_sound_is_the_same_bytes():
    """The checksums of all pages are those that libsndfile, reading it again, takes for right."""
    heard = synthesize(Piece(tuple(Note(60 + i, 100, 24 * i, 24) for i in range(30))))
    first = ogg_bytes(heard)
    assert first == ogg_bytes(heard)
    assert first.count(b"OggS") > 5
    assert len(soundfile.read(io.BytesIO(first))[0]) == len(heard)
    broken = bytearray(first)
    broken[len(first) // 2] ^= 255
    with contextlib.suppress(soundfile.LibsndfileError):
        assert len(soundfile.read(io.BytesIO(bytes(broken)))[0]) < len(heard)


def test_minutes_are_encoded():
    """libsndfile's encoder crashes over a single block of minutes."""
    heard = np.sin(np.arange(240 * 44_100, dtype=np.float32) / 20) / 2
    assert ogg_bytes(heard).startswith(b"OggS")


def test_a_soundfont_that_is_none_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"no\.sf2: cannot be read"):
        audio.check_font(str(tmp_path / "no.sf2"))
    (tmp_path / "x.sf2").write_bytes(b"RIFF1234WAVE")
    with pytest.raises(ConfigError, match=r"x\.sf2: is not a SoundFont"):
        audio.check_font(str(tmp_path / "x.sf2"))


def test_without_a_program_for_it_a_soundfont_is_one_sentence(monkeypatch):
    monkeypatch.setattr(audio, "_MODULES", ())
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ProgramError, match=r"install the program fluidsynth, or with pip pyfluid"):
        synthesize(Piece((Note(60, 100, 0, 24),)), RATE, soundfont=str(FONT))
    assert audio.found_font() == ""


def test_a_soundfont_is_played_where_it_can_be():
    try:
        audio.check_font(str(FONT))
    except ProgramError as error:
        missing(str(error))
    heard = synthesize(Piece((Note(69, 100, 0, 96),)), 44_100, soundfont=str(FONT))
    assert strongest(heard[:44_100], 44_100) == pytest.approx(440, abs=3)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows opens a sound by itself")
def test_playing_needs_a_player_and_says_what_it_said(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ProgramError, match=r"no player here \(afplay, ffplay, paplay, aplay"):
        audio.player()

    heard = tmp_path / "heard"
    program = tmp_path / "aplay"
    program.write_text(f'#!/bin/sh\necho "$2" > {heard}\n')
    program.chmod(0o755)
    audio.play(tmp_path / "x.wav")
    assert heard.read_text() == f"{tmp_path / 'x.wav'}\n"

    program.write_text("#!/bin/sh\necho no such device >&2; exit 3\n")
    with pytest.raises(ProgramError, match=r"could not play it \(no such device\)"):
        audio.play(tmp_path / "x.wav")
    assert shutil.which("aplay") == str(program)


def test_sound_as_mp3_is_as_long_and_the_same_bytes():
    heard = synthesize(Piece((Note(60, 90, 0, 48),)))
    first, second = mp3_bytes(heard), mp3_bytes(heard)
    assert first == second
    seconds = soundfile.info(io.BytesIO(first)).duration
    assert seconds == pytest.approx(len(heard) / 44_100, abs=0.1)
