"""Music in another key."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqforge.base.paths import data_folder
from seqforge.domains.music.abc import parser, tune_books
from seqforge.domains.music.domain import MusicDomain
from seqforge.domains.music.keys import find_key, parse_key, piece_to_c, shifted, to_c, transposed
from seqforge.domains.music.notes import DRUMS, KeySignature, Note, Piece
from tests.domains.music.abc.test_parser import ABC_CHARACTERS, cleaned

from .conftest import few, pieces

SOME = [-6, -5, -1, 2, 6]
TUNES, MELODY = data_folder() / "tunes.abc", data_folder() / "melody.mid"


@pytest.fixture(scope="session")
def tunes(corpus_files) -> list[str]:
    return [record.symbols for path in corpus_files for record in tune_books.read(path)]


def sounds(abc: str, higher: int = 0) -> list[tuple[int, int, int]]:
    """Pitch, start and duration of each note."""
    return [(note.pitch + higher, note.start, note.duration) for note in decoded(abc)]


@lru_cache(5000)
def decoded(abc: str) -> tuple[Note, ...]:
    return parser.decode(abc, 24).piece.notes


@pytest.mark.parametrize("place", range(len(SOME)))
def test_every_note_of_the_corpus_moves_and_comes_back(place, tunes):
    """Each tune by one of the intervals and by the next: two of five."""
    for number, abc in enumerate(tunes):
        if (number - place) % len(SOME) > 1:
            continue
        semitones = SOME[place]
        moved = transposed(abc, semitones)
        assert sounds(moved) == sounds(abc, semitones)
        assert cleaned("X:1\nT:x\n" + moved) == moved
        assert transposed(moved, -semitones) == abc


music = st.lists(
    st.sampled_from([*ABC_CHARACTERS.replace("^", "").replace("_", ""), "[K:Bm]", "[K:A _b]"])
    | st.sampled_from(["^f", "_B", "=c", "f-|", "[^ce]", "{g}", "c'", "A,,", "^c2>"]),
    max_size=60,
)  # fmt: skip


@few
@given(st.sampled_from(["G", "Edor", "Amix", "F#m", "D =c"]), music, st.integers(-6, 6))
def test_any_clean_tune_moves(key, music, by):
    """With single accidentals; a field between notes may look like one (``K:``)."""
    abc = cleaned(f"X:1\nM:C\nK:{key}\nC\n{''.join(music)}")
    if not any(sign in abc for sign in ("==", "=^", "^=", "_=", "=_", "^^", "__")):
        assert sounds(transposed(abc, by)) == sounds(abc, by)


@pytest.mark.parametrize(
    ("abc", "semitones", "expected"),
    [
        ("K:D\nDF^GA =c|[K:Am]^Gb,", -2, "K:C\nCE^FG _B|[K:Gm]^FA"),
        ("K:C\nB,b''", 1, "K:Db\nCc'''"),
        ("M:C\nL:1/8\nCE", 2, "M:C\nL:1/8\nK:D\nDF"),
        ("C|\nK:D\nF", 2, "K:D\nD|\nK:E\nG"),
        ("K:E\n^^F_d", 1, "K:F\n^G__e"),
        ("K:E\n^^D", -4, "K:C\n^B,"),
        ("K:C\n^^B", 11, "K:Cb\n^b"),
        ("K:C\n^^B__B", 11, "K:B\n^b_a"),
        ("K:D ^g =c\nGc", -2, "K:C _b ^f\nFB"),
        ("K:C#\n^A|[K:Cb]A", 1, "K:D\n=B|[K:C]A"),
    ],
)
def test_what_is_written(abc, semitones, expected):
    assert transposed(abc, semitones) == expected
    assert sounds(expected) == sounds(abc, semitones)


@few
@given(text=st.text(ABC_CHARACTERS, max_size=60), semitones=st.integers(-12, 12))
def test_any_text_can_be_moved(text, semitones):
    """What is typed as a prime, or drawn, may be anything."""
    transposed(text, semitones)
    assert to_c(to_c(text)[0])[1] == 0


def test_the_key_has_few_signs():
    for semitones in range(-6, 7):
        for name in ("C", "Gm", "Ebdor", "F#", "Gb", "Elyd", "G#m"):
            key = parse_key(transposed(f"K:{name}\nC", semitones).split("\n")[0][2:])
            assert abs(key.sharps) <= 6
            assert key.mode == parse_key(name).mode


def test_a_tune_in_c_keeps_its_mode(tunes):
    for abc in tunes:
        moved, semitones = to_c(abc)
        key, ours = (parse_key(text.split("K:")[1].split("\n")[0]) for text in (moved, abc))
        assert (key.tonic, key.mode) == ("C", ours.mode)
        assert -5 <= semitones <= 6
        assert sounds(moved) == sounds(abc, semitones)
        assert to_c(moved) == (moved, 0)


@few
@given(piece=pieces(), semitones=st.integers(-12, 12))
def test_a_piece_moves_but_for_its_drums(piece, semitones):
    moved = shifted(piece, semitones)

    assert replace(moved, notes=piece.notes, key_signatures=piece.key_signatures) == piece
    for before, after in zip(piece.notes, moved.notes, strict=True):
        by = 0 if before.program == DRUMS else semitones
        assert (after.pitch - before.pitch - by) % 12 == 0
        assert after.pitch == before.pitch + by or not 0 <= before.pitch + by <= 127
        assert 0 <= after.pitch <= 127
    for old, new in zip(piece.key_signatures, moved.key_signatures, strict=True):
        assert (new.sharps - old.sharps - 7 * semitones) % 12 == 0
        assert abs(new.sharps) <= 6


def test_a_piece_without_a_signature_is_moved_by_the_key_it_is_in():
    scale = [62, 64, 66, 67, 69, 71, 73, 74]
    notes = tuple(Note(pitch, 80, 24 * i, 24) for i, pitch in enumerate(scale))
    assert str(find_key(notes)[0]) == "D"

    assert [note.pitch for note in piece_to_c(Piece(notes)).notes] == [p - 2 for p in scale]
    minor = Piece(notes, key_signatures=(KeySignature(0, 2, minor=True),))
    assert piece_to_c(minor).notes[0].pitch == 63
    assert piece_to_c(minor).key_signatures == (KeySignature(0, -3, minor=True),)


@pytest.mark.parametrize(("code", "path"), [("abc", TUNES), ("events", TUNES), ("events", MELODY)])
def test_reading_gives_each_tune_in_the_keys_asked_for(code, path):
    plain = list(MusicDomain(code=code).read(path))
    domain = MusicDomain(code=code, key="C", transpositions=2)
    found = list(domain.read(path))

    assert [record.augmented for record in found] == [False, True, True, True, True] * len(plain)
    assert [record.note for record in found if not record.augmented] == [r.note for r in plain]
    for number, record in enumerate(found):
        before = domain.decode(plain[number // 5].symbols).piece.notes
        after = domain.decode(record.symbols).piece
        (by,) = {b.pitch - a.pitch for a, b in zip(before, after.notes, strict=True)}
        first = domain.decode(found[number - number % 5].symbols).piece
        in_c = first.notes[0].pitch - before[0].pitch
        assert by - in_c == [0, 1, -1, 2, -2][number % 5]
        assert first.key_signatures[0][1:] in ((0, False), (-3, True), (-2, True), (-1, False))


def test_the_key_is_part_of_the_code_and_copies_are_not():
    assert MusicDomain.coding == ("code", "steps_per_quarter", "key")
