"""A piece in, sound out (synthesis or a SoundFont) as WAV or OGG; and a player for files."""

from __future__ import annotations

import importlib.util
import io
import os
import shutil
import sys
import tempfile
import wave
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqforge.base.messages import unreadable
from seqforge.base.process import run_child
from seqforge.domains.music.midi.midi_file import midi_bytes
from seqforge.domains.music.notes import DRUMS, Note, Piece
from seqforge.domains.music.tempo_map import TempoMap
from seqforge.errors import ConfigError, ProgramError

Waveform = NDArray[np.float32]
"""(time,), one channel, the loudest moment at 0.8."""

RATE = 44_100
_FONT_SECONDS = 600.0  # that a program may take to play a piece
MOST_SECONDS = 300.0
"""Longest audio."""
_OVERTONES = 6
_DRUM_SECONDS = 0.05  # to 1/e
_LOUDEST = 0.8
_FONTS = ("/usr/share/sounds/sf2", "/usr/share/sounds/sf3", "/usr/share/soundfonts",
          "/usr/local/share/soundfonts")  # fmt: skip
_MODULES = ("tinysoundfont", "fluidsynth")  # the second is what pyfluidsynth is imported as


def synthesize(
    piece: Piece, rate: int = RATE, seconds: float = MOST_SECONDS, soundfont: str = ""
) -> Waveform | None:
    """A piece in, its audio out; None for silence.

    Args:
        piece: Whatever it is.
        rate: Values a second.
        seconds: How much of it.
        soundfont: A .sf2 or .sf3 file; none for the plain synthesis.

    Raises:
        ConfigError: If the SoundFont is no file.
        ProgramError: If nothing here plays SoundFonts, or this one cannot be played.
    """
    clock = TempoMap(piece)
    notes = tuple(note for note in piece.notes if clock.seconds(note.start) < seconds)
    if not notes:
        return None
    ends = [clock.seconds(note.start + note.duration) for note in notes]
    last = min(seconds, max(ends))
    if soundfont:
        heard = _with_font(Piece(notes, piece.steps_per_quarter, piece.tempos), soundfont, rate)
        last += 1.0  # what an instrument rings on
    else:
        heard = _plain(notes, ends, clock, last, rate)
    heard = heard[: int(last * rate)]
    loudest = float(max(heard.max(initial=0), -heard.min(initial=0)))
    return np.asarray(heard * (_LOUDEST / loudest), np.float32) if loudest else None


def _plain(
    notes: tuple[Note, ...], ends: list[float], clock: TempoMap, last: float, rate: int
) -> NDArray[np.float64]:
    import pretty_midi

    instrument = pretty_midi.Instrument(0)
    mix = np.zeros(int((last + 1) * rate) + 1)
    for note, end in zip(notes, ends, strict=True):
        start, stop = clock.seconds(note.start), min(last, end)
        if note.program == DRUMS:
            _add_noise(mix[int(start * rate) :], note, rate)
        elif stop > start:
            instrument.notes.append(pretty_midi.Note(note.velocity, note.pitch, start, stop))
    if instrument.notes:
        highest = pretty_midi.note_number_to_hz(max(note.pitch for note in instrument.notes))
        tones = instrument.synthesize(rate, _wave(int(rate / 2 / highest)))
        mix[: len(tones)] += tones[: len(mix)]
    return mix


def _wave(overtones: int) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    """A periodic wave of so many partials, of which none may lie above half the rate."""
    partials = range(2, 1 + min(_OVERTONES, overtones))

    def wave_of(phase: NDArray[np.float64]) -> NDArray[np.float64]:
        # sin((k + 1) x) = 2 cos(x) sin(k x) - sin((k - 1) x), which is quicker than more sines
        mix, before, now = np.sin(phase), np.zeros_like(phase), np.sin(phase)
        twice = 2 * np.cos(phase)
        for k in partials:
            before, now = now, twice * now - before
            mix += now / k**1.5
        return mix

    return wave_of


def _add_noise(mix: NDArray[np.float64], note: Note, rate: int) -> None:
    length = min(len(mix), int(8 * _DRUM_SECONDS * rate))
    noise = np.random.default_rng(note.pitch).standard_normal(length)
    mix[:length] += note.velocity * noise * np.exp(-np.arange(length) / (_DRUM_SECONDS * rate))


def found_font() -> str:
    """A SoundFont of the system that can be played here; empty if there is none."""
    if not _players():
        return ""
    fonts = [font for folder in _FONTS for font in sorted(Path(folder).glob("*.sf[23]"))]
    return str(fonts[0]) if fonts else ""


def _players() -> list[str]:
    modules = [name for name in _MODULES if importlib.util.find_spec(name)]
    return modules + [name for name in ("fluidsynth",) if shutil.which(name)]


def check_font(path: str) -> None:
    """Check that a SoundFont can be played here, as far as possible beforehand.

    Raises:
        ConfigError: If it is not a SoundFont.
        ProgramError: If nothing here plays them.
    """
    try:
        with Path(path).open("rb") as file:
            head = file.read(12)
    except OSError as error:
        raise ConfigError(f"{path}: {unreadable(error)}") from error
    if head[:4] != b"RIFF" or head[8:] != b"sfbk":
        raise ConfigError(f"{path}: is not a SoundFont (.sf2 or .sf3)")
    if not _players():
        raise ProgramError(
            f"{path}: nothing here plays SoundFonts; install the program fluidsynth, or with pip "
            "pyfluidsynth or tinysoundfont, or leave out --soundfont for the plain sound"
        )


def _with_font(piece: Piece, font: str, rate: int) -> NDArray[np.float64]:
    check_font(font)
    ways = {"tinysoundfont": _by_tinysoundfont, "fluidsynth": _by_fluidsynth}
    reasons = []
    for player in dict.fromkeys(_players()):
        try:
            return ways[player](midi_bytes(piece), font, rate)
        except (
            OSError, RuntimeError, ValueError, AttributeError, ImportError, ProgramError,
        ) as error:  # fmt: skip
            reasons.append(f"{player}: {' '.join(str(error).split())}")
    raise ProgramError(f"{font}: could not be played ({'; '.join(reasons)}); try another")


def _by_tinysoundfont(midi: bytes, font: str, rate: int) -> NDArray[np.float64]:
    import tinysoundfont

    synth = tinysoundfont.Synth(samplerate=rate)
    synth.sfload(font)
    player = tinysoundfont.Sequencer(synth)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "piece.mid"
        path.write_bytes(midi)
        player.midi_load(str(path))
    parts: list[Any] = []
    block = rate // 100
    while not player.is_empty():
        player.process(block / rate)
        parts.append(np.frombuffer(bytes(synth.generate(block)), np.float32))
    parts.append(np.frombuffer(bytes(synth.generate(rate)), np.float32))
    return np.asarray(np.concatenate(parts).reshape(-1, 2).mean(axis=1), np.float64)


def _by_fluidsynth(midi: bytes, font: str, rate: int) -> NDArray[np.float64]:
    """By the program where it is installed, else by the library."""
    program = shutil.which("fluidsynth")
    if program is None:
        import pretty_midi

        heard = pretty_midi.PrettyMIDI(io.BytesIO(midi)).fluidsynth(rate, synthesizer=font)
        return np.asarray(heard, np.float64)
    import soundfile

    with tempfile.TemporaryDirectory() as folder:
        path, out = Path(folder) / "piece.mid", Path(folder) / "piece.wav"
        path.write_bytes(midi)
        # The blocks that it writes in are all that -z changes.
        command = [program, "-ni", "-F", str(out), "-T", "wav", "-r", str(rate), "-z", "1024"]
        quietly = {"SDL_AUDIODRIVER": "dummy"}  # else it looks for sound cards, and waits for that
        ended = run_child([*command, font, str(path)], _FONT_SECONDS, environment=quietly)
        if ended.code:
            raise ProgramError(ended.reason)
        values, _ = soundfile.read(out, dtype="float32", always_2d=True)  # of 16 bits: exact
    mixed: NDArray[np.float64] = np.divide(sum(values.T), values.shape[1], dtype=np.float64)
    return mixed


def wav_bytes(heard: Waveform, rate: int = RATE) -> bytes:
    """Audio in, a 16-bit WAV file out."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((np.clip(heard, -1, 1) * 32_767).astype("<i2").tobytes())
    return buffer.getvalue()


def ogg_bytes(heard: Waveform, rate: int = RATE) -> bytes:
    """Audio in, an OGG Vorbis file out."""
    import soundfile

    buffer = io.BytesIO()
    with soundfile.SoundFile(buffer, "w", rate, 1, format="OGG", subtype="VORBIS") as file:
        for start in range(0, len(heard), rate):  # libsndfile's encoder dies of long blocks
            file.write(heard[start : start + rate])
    return _with_serial(buffer.getvalue(), 0)


def mp3_bytes(heard: Waveform, rate: int = RATE) -> bytes:
    """Audio in, an MP3 file of half its rate out, for browsers that play no OGG.

    Encoding takes three times as long as OGG does, and a listener would wait for it.
    """
    import soundfile

    heard, rate = heard[: len(heard) // 2 * 2].reshape(-1, 2).mean(axis=1), rate // 2
    buffer = io.BytesIO()
    kind = {"format": "MP3", "subtype": "MPEG_LAYER_III"}
    with soundfile.SoundFile(buffer, "w", rate, 1, **kind) as file:
        for start in range(0, len(heard), rate):
            file.write(heard[start : start + rate])
    return buffer.getvalue()


def _with_serial(ogg: bytes, serial: int) -> bytes:
    """The file with a fixed stream number: libsndfile's is random (RFC 3533, 6)."""
    pages, start = bytearray(ogg), 0
    while start < len(pages):
        segments = pages[start + 26]
        end = start + 27 + segments + sum(pages[start + 27 : start + 27 + segments])
        pages[start + 14 : start + 18] = serial.to_bytes(4, "little")
        pages[start + 22 : start + 26] = bytes(4)
        pages[start + 22 : start + 26] = _checksum(bytes(pages[start:end])).to_bytes(4, "little")
        start = end
    return bytes(pages)


_ALL = 0xFFFFFFFF
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def _checksum(page: bytes) -> int:
    """That of an OGG page (RFC 3533, 6): zlib's, of bits in the reverse order and from 0."""
    value = zlib.crc32(page.translate(_REVERSED), _ALL) ^ _ALL
    return int(f"{value:032b}"[::-1], 2)


PLAYERS: dict[str, tuple[str, ...]] = {
    "afplay": (),
    "ffplay": ("-nodisp", "-autoexit", "-loglevel", "error"),
    "paplay": (),
    "aplay": ("-q",),
    "play": ("-q",),  # SoX's
}
"""Programs that play a WAV file and exit; the first one found is used."""


def player() -> list[str]:
    """The command that plays a WAV file; empty where the system opens one (Windows).

    Raises:
        ProgramError: If there is none; names those that are known.
    """
    if sys.platform == "win32":
        return []
    for name, options in PLAYERS.items():
        if path := shutil.which(name):
            return [path, *options]
    raise ProgramError(
        f"--play finds no player here ({', '.join(PLAYERS)}); install one, or leave it out: the "
        "page plays in any browser"
    )


def play(path: Path) -> None:
    """Play a WAV file to its end.

    Raises:
        ProgramError: If there is no player, or it fails.
    """
    command = player()
    if sys.platform == "win32":
        os.startfile(path)
        return
    ended = run_child([*command, str(path)])
    if ended.code:
        reason = " ".join(ended.complaint.split())[-200:] or f"exit code {ended.code}"
        raise ProgramError(f"{path}: {command[0]} could not play it ({reason})")
