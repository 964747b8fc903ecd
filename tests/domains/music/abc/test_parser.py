"""ABC: cleaning, decoding against abc2midi, and writing."""

from __future__ import annotations

import importlib
import random
import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqforge.base.paths import data_folder
from seqforge.domains.music.abc import parser, tune_books
from seqforge.domains.music.abc.fields import split_tunes
from seqforge.domains.music.abc.tune_books import clean_tune
from seqforge.domains.music.abc.writer import to_abc
from seqforge.domains.music.keys import find_key, key_from_signature, parse_key, signature
from seqforge.domains.music.notes import Note, Piece, bar_length, normalised, skyline
from tests.conftest import ROOT
from tests.domains.music.conftest import few, pieces
from tests.steps import growth, steps

ABC_CHARACTERS = " \n|:[]()<>-/,'^_=%{}!\"~.ABCDEFGabcdefgzZxHKLMVTw123456789"


def cleaned(text: str) -> str:
    return clean_tune(next(split_tunes(text)), Counter())


def pitches(music: str) -> list[int]:
    return [note.pitch for note in parser.decode("L:1/8\nK:C\n" + music, 24).piece.notes]


def lengths(music: str, head: str = "M:4/4\nL:1/8\nK:C\n") -> list[int]:
    return [note.duration for note in parser.decode(head + music, 24).piece.notes]


@pytest.fixture(scope="session")
def tunes(corpus_files) -> list[str]:
    return [record.symbols for path in corpus_files for record in tune_books.read(path)]


def test_cleaning_keeps_metre_unit_key_and_music():
    tune = (
        "X:7\nT:A tune\nC:somebody\nM: 6/8 % jig\nK:G major\n%%MIDI program 1\n"
        '|: "G"G2 {a}!trill!A ~B3 | [M:9/8] (d2e f3) uA3 :|\\\n'
        '[1 c3 "^slow"[CE-]2 z \\\n[2 d6 ||\nw:la la\n'
        "K:D\nA2 > B x2 `c`d|]"
    )

    assert cleaned(tune) == (
        "M:6/8\nL:1/8\nK:G\n|:G2 A B3|[M:9/8] d2e f3 A3:|1c3 [CE-]2 z [2d6||\n[K:D]A2 > B z2 cd|]"
    )


@few
@given(music=st.text(st.sampled_from(ABC_CHARACTERS), max_size=80))
def test_cleaning_what_is_clean_changes_nothing(music):
    for tune in split_tunes("X:1\nK:C\n" + music):
        if tune.has_key and (once := clean_tune(tune, Counter())):
            assert cleaned("X:1\nT:x\n" + once) == once


def test_cleaning_the_corpus_again_changes_nothing_and_hides_nothing(tunes):
    for symbols in tunes:
        assert cleaned("X:1\nT:x\n" + symbols) == symbols
        assert parser.decode(symbols, 24).skipped == 0


@few
@given(text=st.text(st.sampled_from(ABC_CHARACTERS), max_size=200))
def test_any_text_decodes(text):
    decoded = parser.decode(text, 24)
    assert 0 <= decoded.full_bars <= decoded.bars
    assert 0 <= decoded.skipped <= len(text)
    assert decoded.piece == normalised(decoded.piece)


@pytest.mark.parametrize("character", ABC_CHARACTERS + "\\+$&")
def test_a_long_line_of_one_character_takes_no_longer_than_another(character):
    """Counted; and all lines of ten thousand come to an end, also inside what is not counted."""
    parser.decode(character * 10_000, 24)
    cleaned("X:1\nK:C\nC" + character * 10_000)

    assert growth(lambda length: parser.decode(character * length, 24), 400) < 1.2
    assert growth(lambda length: cleaned("X:1\nK:C\nC" + character * length), 400) < 1.2


def test_damaged_tunes_decode(tunes):
    rng = random.Random(3)
    for symbols in tunes[:150]:
        damaged = list(symbols)
        for _ in range(9):
            damaged[rng.randrange(len(damaged))] = rng.choice(ABC_CHARACTERS)
        assert parser.decode("".join(damaged), 24).piece.end < 24 * 20_000 * 2


@pytest.mark.parametrize(
    ("music", "expected"),
    [
        ("C,CcC'c'", [48, 60, 72, 72, 84]),
        ("^F F f|F", [66, 66, 78, 65]),  # until the bar line, in all octaves
        ("^f-|f f", [78, 77]),  # a tie carries it over, for its note alone
        ("^fC-|C f", [78, 60, 77]),
        ("^^C __D =E", [62, 60, 64]),
        ("[K:D]F [K:Dm]B [K:F exp _e]E", [66, 70, 63]),
        ("[K:Ador]F[K:Amix]G[K:Ephr]F[K:Hp]c", [66, 67, 65, 73]),
        ("|:C|D:|", [60, 62, 60, 62]),
        ("C|1D:|2E||", [60, 62, 60, 64]),
        ("|:C|1,3D:|2E:|", [60, 62, 60, 64, 60, 62]),
        ("C::D:|", [60, 60, 62, 62]),
        ("C|D||E|F|]", [60, 62, 64, 65]),
        ("|:C||D:|E||F:|", [60, 62, 60, 62, 64, 65, 65]),  # |: is gone back to past ||
        ("C:|D||E:|", [60, 60, 62, 64, 64]),  # without |: the last || is (4.8)
        ("|:C|1D:|E|F|]", [60, 62, 60, 64, 65]),  # a first ending alone, left out then
        ("|:C|D|:E:|", [60, 62, 60, 62, 64, 64]),  # |: where :| is missing
        ("C|D|E||F:|", [60, 62, 64, 65, 65]),
        ("[CEG]2 {AB}c", [60, 64, 67, 69, 71, 72]),
        ('"Am"A!f!B"^up"c', [69, 71, 72]),
        ("V:1\nC\nV:2\nE\nV:1\nD", [60, 64, 62]),
    ],
)
def test_pitches(music, expected):
    assert pitches(music) == expected


@pytest.mark.parametrize(
    ("music", "expected"),
    [
        ("A2 A/ A// A3/2 A/4", [24, 6, 3, 18, 3]),
        ("A>B A<<B", [18, 6, 3, 21]),
        ("(3ABc (2AB", [8, 8, 8, 18, 18]),
        ("(3:2:2A2B z", [16, 8]),
        ("A-A A-|A", [24, 24]),
        ("[CE]2", [24, 24]),
        ("[L:1/4]A", [24]),
    ],
)
def test_lengths(music, expected):
    assert lengths(music) == expected


def test_the_unit_follows_the_metre_where_nothing_is_said():
    assert lengths("A", "M:2/4\nK:C\n") == [6]
    assert lengths("A", "M:3/4\nK:C\n") == [12]
    assert lengths("A", "M:C|\nK:C\n") == [12]


def test_tempo_is_in_quarters():
    piece = parser.decode("M:6/8\nQ:3/8=100\nK:C\nABc", 24).piece
    assert piece.tempos[0].microseconds == 400_000  # 150 quarters a minute


@pytest.fixture
def decoder(monkeypatch):
    """The benchmark that compares with abc2midi."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return importlib.import_module("abc_decoder")


def test_pitches_are_those_of_abc2midi(decoder, tunes, require_program, tmp_path):
    """The others have repeats without a beginning, of which abc2midi keeps no rule."""
    program = require_program("abc2midi")
    sample = random.Random(6).sample(tunes, 250)
    found = decoder.agreement(program, dict(enumerate(sample)), tmp_path)

    assert found["% equal"] >= 97
    assert found["% equal, each |: written out"] >= 98


@pytest.mark.slow
def test_pitches_of_all_tunes_are_those_of_abc2midi(decoder, require_program, tmp_path):
    found = decoder.agreement(require_program("abc2midi"), decoder.book_tunes(), tmp_path)

    assert found["tunes"] > 4000
    assert found["% equal"] >= 98
    assert found["% equal, each |: written out"] >= 99.7


def test_a_symbol_takes_a_few_steps(tunes):
    """What comes of it in tunes a second is measured by benchmarks/abc_decoder.py."""
    parser.decode(tunes[0], 24)
    for symbols in tunes[:100]:
        assert steps(lambda symbols=symbols: parser.decode(symbols, 24)) < 220 * len(symbols)


def test_the_tunes_that_ship_have_full_bars():
    records = list(tune_books.read(data_folder() / "tunes.abc"))
    assert len(records) == 10
    for record in records:
        decoded = parser.decode(record.symbols, 24)
        assert decoded.bars == decoded.full_bars > 7, record.name


@pytest.mark.parametrize("count", [200, pytest.param(400, marks=pytest.mark.slow)])
def test_written_melodies_sound_as_before(tunes, count):
    """Notes -> ABC -> notes: all but those with a rest shorter than a sixteenth."""
    unequal = 0
    for symbols in tunes[:count]:
        melody = skyline(parser.decode(symbols, 24).piece.notes)
        again = parser.decode(to_abc(Piece(tuple(melody))), 24).piece
        unequal += [n[:4] for n in melody] != [n[:4] for n in again.notes]
    assert unequal <= 2


def test_fast_runs_are_written_as_they_are_but_what_is_played_unevenly_is_not():
    run = [Note(60 + n, 80, 2 * n, 2) for n in range(6)]
    written = [*run, *(Note(60, 80, 12 + 12 * n, 12) for n in range(30))]
    assert "(3C/4^C/4D/4" in to_abc(Piece(tuple(written)))
    played = [note._replace(start=note.start + note.start // 12 % 3) for note in written]
    assert "(3C/4" not in to_abc(Piece(tuple(played)))


@few
@given(piece=pieces())
def test_any_piece_is_written_as_clean_abc_in_full_bars(piece):
    text = to_abc(piece)
    decoded = parser.decode(text, 24)

    assert decoded.skipped == 0
    if decoded.piece.notes:
        assert cleaned("X:1\n" + text) == text
    signature_ = decoded.piece.time_signatures[0]
    if "M:none" not in text and "[M:" not in text and bar_length(signature_, 24) % 3 == 0:
        assert decoded.full_bars >= decoded.bars - 1


@pytest.mark.parametrize("minor", [False, True])
@pytest.mark.parametrize("sharps", range(-7, 8))
def test_keys_have_their_signatures(sharps, minor):
    key = key_from_signature(sharps, minor)
    assert key.sharps == sharps
    assert key.minor == minor
    assert parse_key(str(key)) == key
    assert sum(abs(by) for by in signature(sharps).values()) == abs(sharps)


def test_the_key_of_a_scale_is_found():
    for field in ("C", "Bb", "F#", "Em", "Cm", "G#m"):
        key = parse_key(field)
        tune = parser.decode(f"K:{field}\n" + _scale(key.tonic[0]), 24).piece
        assert (find_key(tune.notes)[0].sharps - key.sharps) % 12 == 0


def _scale(letter: str) -> str:
    order = "CDEFGAB"
    place = order.index(letter)
    scale = order[place:] + order[:place].lower()
    return f"{scale[0]}4{scale[2]}2{scale[4]}2{scale[6]}{scale[1]}{scale[3]}{scale[5]}{scale[0]}8"


def test_bars_of_another_length_have_a_metre_of_their_own():
    """Bar lines fall where they are written, also where parts and pick-ups do not add up."""
    piece = parser.decode("M:2/4\nL:1/8\nK:C\nG|A4|B4:|C4|D2|E3 F|G4|]", 24).piece

    assert piece.pickup == 12
    steps = [(time.step, time.numerator, time.denominator) for time in piece.time_signatures]
    assert steps == [(0, 2, 4), (108, 1, 8), (120, 2, 4), (264, 1, 4), (288, 2, 4)]


def test_a_part_that_its_upbeat_completes_keeps_its_metre():
    piece = parser.decode("M:2/4\nL:1/8\nK:C\n|:G|A4|B3:|", 24).piece
    assert len(piece.time_signatures) == 1


BAR_LINES = st.text("AB|:]\n12[ ", max_size=24)


@few
@given(BAR_LINES)
def test_a_bar_line_stands_once_and_cleaning_again_changes_nothing(body):
    for tune in split_tunes(f"X:1\nM:6/8\nK:D\n{body}A\n"):
        text = clean_tune(tune, Counter())
        assert not re.search(r"\n\n|[|:]\n\|\|?[A-G]", text)
        assert not text or cleaned(f"X:1\n{text}\n") == text
