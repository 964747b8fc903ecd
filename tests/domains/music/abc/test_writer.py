"""ABC that is written: lengths, repeats and bars as every player reads them."""

from __future__ import annotations

import importlib
import random
from collections.abc import Callable
from itertools import islice

import pytest
from hypothesis import given

import seqforge
from seqforge.base.paths import data_folder
from seqforge.core.records import Sample
from seqforge.domains.music.abc import parser, tune_books
from seqforge.domains.music.abc.repair import repaired
from seqforge.domains.music.abc.writer import to_abc
from seqforge.domains.music.domain import MusicDomain
from seqforge.domains.music.file_type import read_notes
from seqforge.domains.music.notes import Note, Piece, skyline
from seqforge.domains.music.render.sample_export import SampleExport
from tests.conftest import ROOT
from tests.domains.music.conftest import few, pieces

HEAD = "M:4/4\nL:1/4\nK:C\n"


def sounds(abc: str) -> list[tuple[int, int, int]]:
    """Pitch, start and duration of each note."""
    return [(note.pitch, note.start, note.duration) for note in parser.decode(abc, 24).piece.notes]


def file_of(symbols: str) -> str:
    """What is written of a sample."""
    return SampleExport(MusicDomain(code="abc"), Sample(symbols)).abc


@pytest.fixture(scope="module")
def books() -> list[str]:
    """Tunes of two of the books, cleaned."""
    paths = random.Random(2).sample(MusicDomain().default_input(), 12)
    return [record.symbols for path in paths for record in tune_books.read(path)][:200]


@pytest.fixture
def tunes(monkeypatch):
    """What the benchmarks make damaged and senseless tunes with."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return importlib.import_module("common.tunes")


@pytest.fixture
def warnings(require_program, tmp_path, monkeypatch) -> Callable[[str], list[str]]:
    """What abc2midi complains of in a file."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    decoder, program = importlib.import_module("abc_decoder"), require_program("abc2midi")
    return lambda file: decoder.complaints(program, file, tmp_path)


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([16, 8, 16, 8], "(3:2:2C2D(3:2:2E2F|]"),
        ([8, 16, 24], "(3:2:2CD2E2|]"),
        ([8, 8, 8, 24], "(3CDEF2|]"),
        ([4, 8, 12, 24], "(3:2:2C/DEF2|]"),
        ([20, 4, 24], "(3:2:2C5/D/E2|]"),
    ],
)
def test_thirds_are_written_as_tuplets(steps, expected):
    starts = [sum(steps[:place]) for place in range(len(steps))]
    notes = tuple(
        Note((60, 62, 64, 65)[place], 80, start, length)
        for place, (start, length) in enumerate(zip(starts, steps, strict=True))
    )
    abc = to_abc(Piece(notes))
    assert abc.split("\n")[3] == expected
    assert sounds(abc) == [(note.pitch, note.start, note.duration) for note in notes]


@few
@given(piece=pieces())
def test_no_length_written_is_over_anything_but_a_power_of_two(piece):
    for token in parser.TOKEN.finditer(to_abc(piece).split("\n", 3)[3]):
        over = (token["length"] or token["rest_length"] or "").partition("/")[2]
        assert over in ("", "2", "4", "8", "16")


SOUND = [
    "CDEF|GABc|]",
    "C|DEFG|ABc|]",
    "|:C|DEFG|ABc:|\n|:c|BAGF|EDC:|",
    "|:CDEF|1GABc:|2c4||",
    "C2-C2|[CE]2-[CE]z|(3CDE F>G|]",
    "CDEF||GABc|]",
    "CDEF|[M:3/4]GAB|[K:D]FGA|]",
]


@pytest.mark.parametrize("music", SOUND)
def test_what_is_sound_stays_to_the_letter(music, warnings):
    assert repaired(HEAD + music) == HEAD + music
    assert warnings(file_of(HEAD + music)) == []


AMISS = {
    "CDEF|:GABc|": "C2D2 E2F2||G2A2 B2c2|]",  # a repeat that is never closed
    "CDEF||GABc:|": "C2D2 E2F2||\n|:G2A2 B2c2:|",  # one that goes back to a double bar
    "CDEF:|GABc:|": "|:C2D2 E2F2:|\n|:G2A2 B2c2:|",
    "|:CDEF|1GABc|c4|]": "C2D2 E2F2||G2A2 B2c2|c8|]",
    "|::CD:|": "C2D2||C2D2||C2D2|]",
    "C2D2-|z4|]": "C4 D4|z8|]",  # tied to nothing
    "C2-D2|": "C4 D4|]",
    "CDE/3F/3G/3A|": "C2D2 (3EFGA2|]",
    "C'c,D|": "c2C2 D2|]",
    "C:|\nD4|]": "|:[M:1/4]C2:|\n[M:4/4]D8|]",  # no field
    "CDEF|G|ABcd|": "C2D2 E2F2|[M:1/4]G2|[M:4/4]A2B2 c2d2|]",
    "CDEF|GABcd|": "C2D2 E2F2|[M:5/4]G2A2 B2c2 d2|]",
    "[C2E4]2|": "[CE]8|]",
    "^FGz2|?B4|": "^F2G2 z4|B8|]",
}


@pytest.mark.parametrize("music", AMISS)
def test_what_is_amiss_is_written_anew(music, warnings):
    copy = repaired(HEAD + music)
    assert copy == f"M:4/4\nL:1/8\nK:C\n{AMISS[music]}"
    assert sounds(copy) == sounds(HEAD + music)
    assert warnings(file_of(HEAD + music)) == []


def test_a_copy_sounds_as_the_tune_and_is_its_own_copy(books):
    for symbols in books:
        copy = repaired(symbols)
        assert sounds(copy) == sounds(symbols), symbols
        assert sounds(repaired(copy)) == sounds(copy)


@pytest.mark.parametrize("bar", ["c/4d3/4e7", "c3/4d/4e7"])
def test_places_between_two_steps_are_the_same_in_a_copy(bar):
    """The repeat begins at an odd step, and in its copy at step 0 of a block."""
    text = f"M:2/4\nL:1/16\nK:C\nc/|:{bar}:|f8-|"
    copy = repaired(text)
    assert copy != text
    assert sounds(copy) == sounds(text)


def test_titles_and_origins_are_one_line_without_a_comment():
    file = tune_books.with_header(f"{HEAD}CDEF|]", 3, "100 %\nof \x1b it", "x\ry")
    assert file.startswith("X:3\nT:100 \\% of it\nN:x y\nM:4/4\n")


def test_what_is_written_has_no_warning(warnings, midi_files, tunes, books):
    rng = random.Random(7)
    texts = [to_abc(read_notes(path, 24)[0]) for path in midi_files]
    texts += [tunes.random_abc(rng) for _ in range(20)]
    texts += [tunes.damaged(rng.choice(books), rng) for _ in range(20)]
    for text in texts:
        assert warnings(file_of(text)) == [], text


@pytest.mark.slow
def test_two_hundred_generated_files_have_no_warning(warnings):
    """Samples with and without the grammar, and continuations; the benchmark has more."""
    folk = seqforge.load("folk")
    domain = folk.domain
    melody = data_folder() / "melody.mid"
    count = 0
    for temperature in (0.8, 1.0, 1.3):
        for how in ({}, {"constraint": False}, {"prime": melody}):
            how |= {"length": 600, "temperature": temperature, "seed": 9}
            for sample in folk.sample(n=23, **how):
                assert warnings(SampleExport(domain, sample).abc) == []
                count += 1
    assert count > 200


@few
@given(piece=pieces())
def test_the_melody_of_any_piece_is_written_whole(piece):
    melody = skyline(piece.notes)
    assert bool(sounds(to_abc(piece))) == bool(melody)


def test_lines_of_a_copy_are_no_fields():
    for music in ("CDEF|C:|", "C:|C:|C:|", *("|".join(islice("CDEFGAB" * 9, n)) for n in (9, 30))):
        copy = repaired(f"M:1/4\nL:1/4\nK:C\n{music}")
        lines = copy.split("\n")[3:]
        assert not any(line[1:2] == ":" and line[0] != "|" for line in lines)
