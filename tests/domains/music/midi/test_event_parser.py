"""The reader of events against mido, which reads whole files well and slowly."""

from __future__ import annotations

import io

import mido
from hypothesis import given
from hypothesis import strategies as st

from seqforge.domains.music.midi.event_parser import (
    CONTROL,
    KEY_SIGNATURE,
    MARKER,
    NOTE_OFF,
    NOTE_ON,
    PROGRAM,
    TEMPO,
    TIME_SIGNATURE,
    Event,
    Repairs,
    read_events,
)
from seqforge.domains.music.midi.midi_file import midi_bytes
from seqforge.domains.music.notes import normalised
from tests.domains.music.conftest import few, pieces

MAJOR = ("Cb", "Gb", "Db", "Ab", "Eb", "Bb", "F", "C", "G", "D", "A", "E", "B", "F#", "C#")
MINOR = ("Abm", "Ebm", "Bbm", "Fm", "Cm", "Gm", "Dm", "Am", "Em", "Bm", "F#m", "C#m", "G#m", "D#m",
         "A#m")  # fmt: skip
KEYS = {
    name: (place - 7, minor)
    for minor, names in enumerate((MAJOR, MINOR))
    for place, name in enumerate(names)
}


def by_mido(data: bytes) -> list[Event]:
    """What mido reads, in our form."""
    found = []
    for number, track in enumerate(mido.MidiFile(file=io.BytesIO(data)).tracks):
        tick = 0
        for message in track:
            tick += message.time
            if (event := in_our_form(message)) is not None:
                found.append((tick, number, *event))
    return sorted(found, key=lambda event: event[0])


def in_our_form(message) -> tuple[int, int, int] | None:
    match message.type:
        case "note_on" if message.velocity:
            return NOTE_ON | message.channel, message.note, message.velocity
        case "note_on" | "note_off":
            return NOTE_OFF | message.channel, message.note, message.velocity
        case "program_change":
            return PROGRAM | message.channel, message.program, 0
        case "control_change" if message.control in (0, 64, 66, 120, *range(123, 128)):
            return CONTROL | message.channel, message.control, message.value
        case "set_tempo":
            return TEMPO, message.tempo, 0
        case "time_signature":
            return TIME_SIGNATURE, message.numerator, message.denominator.bit_length() - 1
        case "key_signature":
            return KEY_SIGNATURE, *KEYS[message.key]
        case "marker" if message.text == "pick-up":
            return MARKER, 0, 0
    return None


def ours(data: bytes) -> list[Event]:
    """What we read, with nothing to repair."""
    repairs = Repairs()
    events = read_events(data, "x.mid", repairs).events
    assert repairs.said() == ""
    return events


def test_real_files_hold_the_events_that_mido_reads(midi_files):
    assert len(midi_files) == 14
    for path in midi_files:
        events = ours(path.read_bytes())
        assert len(events) > 500
        assert events == by_mido(path.read_bytes()), path


@few
@given(piece=pieces())
def test_our_own_files_hold_the_events_that_mido_reads(piece):
    data = midi_bytes(normalised(piece), "a text")

    assert ours(data) == by_mido(data)


SEVEN, TIMES = st.integers(0, 127), st.integers(0, 300_000)
CHANNELS = st.integers(0, 15)


def of(kind: str, **values: st.SearchStrategy[int]) -> st.SearchStrategy[mido.Message]:
    return st.builds(mido.Message, st.just(kind), channel=CHANNELS, time=TIMES, **values)


def meta(kind: str, **values: st.SearchStrategy[object]) -> st.SearchStrategy[mido.MetaMessage]:
    return st.builds(mido.MetaMessage, st.just(kind), time=TIMES, **values)


NOTES = of("note_on", note=SEVEN, velocity=SEVEN) | of("note_off", note=SEVEN, velocity=SEVEN)
MESSAGES = st.one_of(
    NOTES,
    of("polytouch", note=SEVEN, value=SEVEN),
    of("control_change", control=SEVEN, value=SEVEN),
    of("program_change", program=SEVEN),
    of("aftertouch", value=SEVEN),
    of("pitchwheel", pitch=st.integers(-8192, 8191)),
    st.builds(mido.Message, st.just("sysex"), data=st.lists(SEVEN, max_size=200), time=TIMES),
    meta("set_tempo", tempo=st.integers(0, 0xFFFFFF)),
    meta(
        "time_signature",
        numerator=st.integers(0, 255),
        denominator=st.integers(0, 28).map(lambda power: 2**power),
    ),
    meta("key_signature", key=st.sampled_from(sorted(KEYS))),
    meta("lyrics", text=st.text(st.characters(max_codepoint=255), max_size=200)),
    meta("sequence_number", number=st.integers(0, 65_535)),
    meta("channel_prefix", channel=CHANNELS),
    meta("midi_port", port=CHANNELS),
    meta("smpte_offset", hours=st.integers(0, 23)),
    meta("sequencer_specific", data=st.lists(st.integers(0, 255), max_size=200).map(tuple)),
)


@given(
    tracks=st.lists(
        st.lists(MESSAGES | NOTES, max_size=30).map(mido.MidiTrack), min_size=1, max_size=4
    ),
    ticks=st.integers(480, 32_767),
)
def test_any_file_that_mido_writes_holds_the_events_that_mido_reads(tracks, ticks):
    file = mido.MidiFile(type=1, ticks_per_beat=ticks, tracks=tracks)
    buffer = io.BytesIO()
    file.save(file=buffer)

    assert ours(buffer.getvalue()) == by_mido(buffer.getvalue())
