"""MIDI files: exact on the grid, guarded against everything else."""

from __future__ import annotations

import io
import re

import mido
import pytest
from hypothesis import given

from seqforge.domains.music.event_codec import encode
from seqforge.domains.music.midi.midi_file import midi_bytes, parse_midi, read_midi
from seqforge.domains.music.notes import DRUMS, Note, Piece, Tempo, TimeSignature, normalised
from seqforge.errors import InputError
from tests.domains.music.broken_midi import NOTES, SURVEYED, header, meta, track
from tests.domains.music.conftest import few, pieces
from tests.domains.music.odd_midi import OTHERS

KINDS = SURVEYED | OTHERS


def test_one_note_is_these_bytes():
    """A quarter of middle C at 24 ticks a quarter, against the MIDI standard."""
    expected = bytes.fromhex(
        "4d546864 00000006 0001 0002 0018"  # MThd, format 1, 2 tracks, 24 ticks
        "4d54726b 00000013"  # MTrk, 19 bytes
        "00 ff 58 04 04 02 18 08"  # 4/4
        "00 ff 51 03 07 a1 20"  # 500 000 microseconds
        "18 ff 2f 00"  # end of track after 24 ticks
        "4d54726b 0000000f"  # MTrk, 15 bytes
        "00 c0 00"  # program 0
        "00 90 3c 40"  # note_on 60, velocity 64
        "18 80 3c 00"  # 24 ticks on: note_off 60
        "00 ff 2f 00"
    )

    assert midi_bytes(normalised(Piece((Note(60, 64, 0, 24),)))) == expected


@few
@given(piece=pieces())
def test_reading_undoes_writing(piece):
    piece = normalised(piece)
    if not piece.notes:
        return

    assert parse_midi(midi_bytes(piece, "a text"), piece.steps_per_quarter, "x.mid") == (piece, "")


@pytest.mark.parametrize("kind", KINDS)
def test_a_broken_file_gives_its_notes_or_one_sentence(kind, tmp_path):
    data, notes, said = KINDS[kind]
    path = tmp_path / "x.mid"
    path.write_bytes(data)

    if notes is None:
        with pytest.raises(InputError, match=f"^{re.escape(f'{path}: {said}')}$"):
            read_midi(path, 24)
    else:
        piece, note = read_midi(path, 24)
        assert (len(piece.notes), note) == (notes, said)
        encode(piece)


def test_the_survey_has_all_its_kinds():
    assert [int(kind[:2]) for kind in SURVEYED] == list(range(54))


def test_a_file_of_eleven_megabytes_is_refused(tmp_path):
    path = tmp_path / "x.mid"
    path.write_bytes(bytes(11_000_000))

    with pytest.raises(
        InputError, match="holds more than 10 MB, which is too much for a MIDI file"
    ):
        read_midi(path, 24)


def test_what_reading_changed_is_said():
    """At 96 ticks a quarter a 24th of a quarter is 4 ticks: 2 ticks later is off the grid."""
    late = b"\x02\x90\x3c\x40\x60\x80\x3c\x00"
    piece, note = parse_midi(header() + track(NOTES + late + b"\x00\x90\x40\x40"), 24, "x.mid")

    assert note == (
        "2 of 10 notes moved to the grid (by 0.021 quarter at most), "
        "1 note never ended and cut at the next"
    )
    assert len(piece.notes) == 10


def test_what_a_salvaged_track_holds():
    """Half a file gives the notes of its half, at their places; the one that was cut sounds on."""
    piece, _ = parse_midi(SURVEYED["05_trunc_mid_track"].data, 24, "x.mid")

    assert piece.notes == tuple(Note(60 + n, 64, 24 * n, 24) for n in range(5))


def test_patterns_of_format_2_follow_one_another():
    piece, _ = parse_midi(SURVEYED["28_format2"].data, 24, "x.mid")

    assert [note.start for note in piece.notes] == [24 * n for n in range(16)]


def test_film_time_is_seconds():
    """At 25 frames of 40 ticks a second, 96 ticks are 0.096 s: 4.608 steps of 120 quarters."""
    piece, _ = parse_midi(SURVEYED["12_smpte_div"].data, 24, "x.mid")

    assert [note.start for note in piece.notes] == [round(4.608 * n) for n in range(8)]
    assert piece.tempos == (Tempo(0, 500_000),)


def test_29_frames_a_second_are_those_of_ntsc():
    """A second and a thousandth is 30 frames of 80 ticks, which is 48 steps and a little."""
    delta = b"\x92\x60"  # 2400
    data = header(division=0xE350) + track(delta + b"\x90\x3c\x40" + delta + b"\x80\x3c\x40")

    assert parse_midi(data, 1000, "x.mid")[0].notes == (Note(60, 64, 2002, 2002),)


QUARTER = 24


def metres(*times: tuple[int, int, int], starts: tuple[int, ...] = ()) -> Piece:
    """A note a quarter (or at ``starts``) under (bars, numerator, denominator), in normal form."""
    signatures, step = [], 0
    for bars, numerator, denominator in times:
        signatures.append(TimeSignature(step, numerator, denominator))
        step += bars * numerator * 4 * QUARTER // denominator
    notes = tuple(Note(60, 80, n, 12) for n in starts or range(0, step, 12))
    return normalised(Piece(notes, time_signatures=tuple(signatures)))


@pytest.mark.parametrize(
    ("times", "pickup"),
    [
        (((1, 1, 4), (9, 3, 4)), 24),
        (((1, 1, 8), (9, 6, 8)), 12),
        (((1, 2, 4), (9, 4, 4)), 48),
        (((1, 3, 8), (9, 6, 8), (2, 9, 8)), 36),
        (((1, 5, 4), (1, 6, 4), (1, 5, 4)), 0),  # Promenade: a metre that changes every bar
        (((1, 3, 4), (9, 4, 4)), 0),
        (((1, 2, 4), (1, 4, 4), (1, 2, 4), (1, 4, 4)), 0),
        (((2, 1, 4), (9, 3, 4)), 0),
        (((1, 6, 8), (9, 3, 8)), 0),
    ],
)
def test_a_short_first_bar_in_a_metre_that_does_not_come_back_is_the_pickup(times, pickup):
    piece = metres(*times)
    again, said = parse_midi(midi_bytes(piece), QUARTER, "x.mid")

    assert (piece.pickup, again, said) == (pickup, piece, "")
    assert [time[1:] for time in piece.time_signatures] == [
        time[1:] for time in times[bool(pickup) :]
    ]


def test_a_bar_of_silence_before_the_music_is_no_pickup():
    assert metres((1, 1, 4), (4, 4, 4), starts=(24, 48)).pickup == 0


def test_a_pickup_of_three_quarters_of_a_bar_is_said_in_the_file():
    piece = normalised(Piece(tuple(Note(60, 80, 24 * n, 24) for n in range(11)), pickup=72))
    data = midi_bytes(piece)

    assert b"pick-up" in data
    assert parse_midi(data, QUARTER, "x.mid") == (piece, "")


def one_track(*messages: mido.Message, ticks: int = 96) -> bytes:
    file, buffer = mido.MidiFile(type=0, ticks_per_beat=ticks), io.BytesIO()
    file.tracks.append(mido.MidiTrack(messages))
    file.save(file=buffer)
    return buffer.getvalue()


def struck(channel: int, pitch: int = 60, time: int = 96) -> list[mido.Message]:
    return [
        mido.Message("note_on", channel=channel, note=pitch, velocity=80),
        mido.Message("note_off", channel=channel, note=pitch, time=time),
    ]


def setup(text: str) -> mido.Message:
    return mido.Message("sysex", data=bytes.fromhex(text))


def control(channel: int, number: int, value: int, time: int = 0) -> mido.Message:
    return mido.Message("control_change", channel=channel, control=number, value=value, time=time)


GS_RESET, XG_ON = setup("41 10 42 12 40 00 7f 00 41"), setup("43 10 4c 00 00 7e 00")


@pytest.mark.parametrize(
    ("before", "channel", "is_drums"),
    [
        ([], 9, True),
        ([], 8, False),
        ([mido.Message("program_change", channel=9, program=25)], 9, True),  # another kit
        ([control(3, 0, 120), mido.Message("program_change", channel=3)], 3, True),  # GM2
        ([XG_ON, control(3, 0, 127), mido.Message("program_change", channel=3)], 3, True),
        ([GS_RESET, control(3, 0, 127), mido.Message("program_change", channel=3)], 3, False),
        ([control(9, 0, 121), mido.Message("program_change", channel=9)], 9, False),
        ([setup("41 10 42 12 40 1a 15 01 10")], 10, True),  # GS: part 11 is for rhythm
        ([setup("41 10 42 12 40 10 15 00 1b")], 9, False),  # and part 10 is not
        ([setup("43 10 4c 08 02 07 02")], 2, True),  # XG: part 3 plays drums
    ],
)
def test_drums_are_told_by_channel_bank_and_part(before, channel, is_drums):
    piece, said = parse_midi(one_track(*before, *struck(channel)), 24, "x.mid")

    assert ([note.program == DRUMS for note in piece.notes], said) == ([is_drums], "")


def test_a_channel_is_drums_only_while_its_bank_says_so():
    piece, _ = parse_midi(
        one_track(
            control(3, 0, 120), mido.Message("program_change", channel=3), *struck(3),
            control(3, 0, 0), mido.Message("program_change", channel=3, program=40), *struck(3),
        ), 24, "x.mid",
    )  # fmt: skip
    assert [note.program for note in piece.notes] == [DRUMS, 40]


def test_a_note_cut_by_another_voice_of_its_instrument_is_counted():
    held = [
        mido.Message("note_on", channel=0, note=60),
        mido.Message("note_on", channel=1, note=60, time=96),
    ]
    ends = [
        mido.Message("note_off", channel=1, note=60, time=96),
        mido.Message("note_off", channel=0, note=60, time=96),
    ]
    piece, said = parse_midi(one_track(*held, *ends), 24, "x.mid")

    assert [note[2:4] for note in piece.notes] == [(0, 24), (24, 24)]
    assert said == "1 held note cut where the same instrument strikes the pitch again"


def test_presses_of_a_pedal_are_counted():
    presses = [control(0, 64, value, time) for value, time in ((127, 0), (80, 9), (0, 9), (64, 9))]
    _, one = parse_midi(one_track(presses[0], *struck(0), presses[2]), 24, "x.mid")
    _, two = parse_midi(one_track(*presses, *struck(0), control(0, 67, 127)), 24, "x.mid")

    assert one == "1 press of a pedal ignored"
    assert (
        two
        == "1 of 1 notes moved to the grid (by 0.01 quarter at most), 2 presses of a pedal ignored"
    )


@pytest.mark.parametrize("number", [120, 123, 124, 127])
def test_all_notes_off_ends_what_sounds_on_its_channel(number):
    notes = [mido.Message("note_on", channel=c, note=60 + c) for c in (0, 0, 1)]
    off = control(0, number, 0, time=192)
    end = mido.Message("note_off", channel=1, note=61, time=192)
    piece, said = parse_midi(one_track(notes[0], notes[2], off, end), 24, "x.mid")

    assert [(note.pitch, note.duration) for note in piece.notes] == [(60, 48), (61, 96)]
    assert said == "1 note ended by an all-notes-off"


@pytest.mark.parametrize(("notes", "said"), [(1, "1 running status"), (18, "18 running statuses")])
def test_plurals_of_what_is_repaired(notes, said):
    text = meta(0x01, b"a")
    again = text + b"\x00\x3c\x40\x60\x3c\x00"
    _, note = parse_midi(header() + track(b"\x00\x90\x3c\x00" + again * notes), 24, "x.mid")

    assert f"{said} taken from before a meta or system event" in note
