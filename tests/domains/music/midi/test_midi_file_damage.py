"""Files damaged at random: notes or one sentence, soon, and no memory kept."""

from __future__ import annotations

import random

import pytest

from seqforge.base.machine import peak_memory_mb
from seqforge.domains.music.event_codec import LONGEST, encode
from seqforge.domains.music.midi.midi_file import parse_midi
from seqforge.domains.music.notes import Piece
from seqforge.errors import InputError
from tests.domains.music.broken_midi import GOOD, LONG, SURVEYED
from tests.domains.music.odd_midi import OTHERS
from tests.steps import steps

SMALL = [kind.data for kind in (SURVEYED | OTHERS).values() if len(kind.data) < 5000]


def mutated(data: bytes, rng: random.Random) -> bytes:
    """The bytes with some flipped, changed, put in, taken out or doubled, or the end cut off."""
    found = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4, 8))):
        place, size = rng.randrange(len(found) + 1), rng.choice((1, 1, 2, 3, 7, 50))
        match rng.randrange(6):
            case 0 if place < len(found):
                found[place] ^= 1 << rng.randrange(8)
            case 1 if place < len(found):
                found[place] = rng.choice((0, 0x7F, 0x80, 0xF0, 0xF7, 0xFF, rng.randrange(256)))
            case 2:
                found[place:place] = rng.randbytes(size)
            case 3:
                del found[place : place + size]
            case 4:
                start = rng.randrange(len(found) + 1)
                found[place:place] = found[start : start + 4 * size]
            case _ if rng.random() < 0.3:
                del found[place:]
    return bytes(found)


def parsed(data: bytes) -> Piece | None:
    """The piece, or None for one sentence that names the file."""
    try:
        piece, said = parse_midi(data, 24, "x.mid")
    except InputError as error:
        piece, said = None, str(error)
        assert said.startswith("x.mid: ")
    assert "\n" not in said
    return piece


def outcome(data: bytes) -> int:
    """The number of notes, or -1 where there is no piece."""
    piece = parsed(data)
    if piece is None:
        return -1
    encode(piece)
    return len(piece.notes)


def check_steps(data: bytes) -> None:
    """Reading takes a few steps a byte; writing a few for what it reads and what it writes.

    A long rest is few bytes and many bars: its symbols are bounded by the time they stand for.
    """
    found: list[Piece | None] = []
    assert steps(lambda: found.append(parsed(data))) < 1_000 + 30 * len(data)
    (piece,) = found
    if piece is None:
        return
    text: list[str] = []
    taken = steps(lambda: text.extend(encode(piece)))
    changes = len(piece.tempos) + len(piece.time_signatures) + len(piece.key_signatures)
    assert taken < 2_000 + 100 * len(piece.notes) + 500 * changes + 20 * len(text)
    held = sum(note.duration for note in piece.notes) // LONGEST
    assert len(text) <= 4 * len(piece.notes) + held + changes + 2 * piece.end


def test_mutated_files_give_notes_or_an_input_error():
    rng = random.Random(8)
    found = [outcome(mutated(rng.choice((GOOD, LONG, *SMALL)), rng)) for _ in range(3000)]

    assert sum(notes > 0 for notes in found) > 1500
    assert found.count(-1) > 100


def test_a_file_cut_anywhere_after_its_first_note_gives_the_notes_before_the_cut():
    """Eight bytes a note, the first of them at byte 22."""
    for size in range(26, len(GOOD)):
        assert outcome(GOOD[:size]) == min(8, (size - 22 + 4) // 8)


@pytest.mark.slow
def test_a_hundred_thousand_mutated_files(midi_files):
    """None raises anything else, takes more than a few steps, or leaves memory behind."""
    rng = random.Random(2026)
    whole = [path.read_bytes() for path in midi_files]
    seeds = 3 * [data[: 500 * n] for data in whole for n in (1, 4, 8)] + SMALL
    early = 0.0
    for number in range(100_000):
        data = mutated(rng.choice(seeds), rng)
        if number % 20:
            outcome(data)
        else:  # counting takes ten times as long as reading
            check_steps(data)
        if number == 10_000:
            early = peak_memory_mb()

    assert peak_memory_mb() - early < 10
