"""Scores as pictures: real verovio in a real child process, on our own MusicXML."""

from __future__ import annotations

import io
import random
import re
import sys
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from seqforge.base.paths import data_folder
from seqforge.domains.music.midi.midi_file import read_midi
from seqforge.domains.music.musicxml.writer import GIVEN_COLOUR, to_musicxml
from seqforge.domains.music.notes import DRUMS, KeySignature, Note, Piece, TimeSignature
from seqforge.domains.music.render.engraving import svg_pages, svg_pages_of, to_png
from seqforge.errors import RenderError


def drawn_notes(pages: list[str]) -> int:
    return sum(len(re.findall(r'class="note[" ]', page)) for page in pages)


def written_notes(xml: str) -> int:
    return xml.count("<note") - xml.count("<notehead") - xml.count("<rest")


def random_piece(seed: int) -> Piece:
    """Anything: overlapping, on no grid, in odd metres and all instruments."""
    rng = random.Random(seed)
    programs = rng.sample([*range(128), DRUMS], rng.randint(1, 3))
    low, high = sorted(rng.sample(range(128), 2))
    length = rng.choice([24, 400, 1200])
    notes = tuple(
        Note(rng.randint(low, high), 80, rng.randrange(length), rng.choice([1, 5, 12, 24, 300]),
             rng.choice(programs))
        for _ in range(rng.randint(0, 60))
    )  # fmt: skip
    return Piece(
        notes,
        rng.choice([4, 12, 24, 96, 480]),
        time_signatures=tuple(
            TimeSignature(step, rng.randint(1, 16), rng.choice([1, 2, 4, 8, 16, 32, 64]))
            for step in (0, rng.randrange(length))
        ),
        key_signatures=(KeySignature(rng.randrange(50), rng.randint(-7, 7), rng.random() < 0.5),),
        pickup=rng.choice([0, 12, 31]),
    )


@pytest.fixture(scope="module")
def melody() -> Piece:
    return read_midi(data_folder() / "melody.mid", 24)[0]


@pytest.mark.parametrize("count", [30, pytest.param(300, marks=pytest.mark.slow)])
def test_random_pieces_are_drawn_by_one_process_without_an_error(count):
    """Every written note is drawn."""
    documents = [to_musicxml(random_piece(seed), f"piece {seed}") for seed in range(count)]
    drawn = svg_pages_of(documents, seconds=300)

    assert len(drawn) == count
    for seed, (document, pages) in enumerate(zip(documents, drawn, strict=True)):
        assert drawn_notes(pages) == written_notes(document), seed


def test_real_files_are_drawn_whole(midi_files):
    documents = []
    for path in midi_files:
        piece, _ = read_midi(path, 24)
        first = tuple(note for note in piece.notes if note.start < 100 * 24)
        documents.append(to_musicxml(replace(piece, notes=first), path.stem))

    for document, pages in zip(documents, svg_pages_of(documents, seconds=120), strict=True):
        assert drawn_notes(pages) == written_notes(document)


def test_a_long_score_has_several_pages(melody):
    turns = [
        note._replace(start=note.start + 576 * turn) for turn in range(20) for note in melody.notes
    ]
    pages = svg_pages(to_musicxml(replace(melody, notes=tuple(turns))))

    assert len(pages) > 1
    assert all(page.startswith("<svg") for page in pages)


def test_the_picture_has_its_title_its_staff_and_its_colours(melody):
    with_title, without = (
        picture(to_png(svg_pages(to_musicxml(melody, title, prime_end=150))[0], 1000))
        for title in ("My very own melody", "")
    )

    assert with_title.shape[1] == without.shape[1] == 1000
    assert (with_title[0] == 255).all(), "white paper"
    band = with_title[10:60]
    assert (band.min(axis=2) < 100).sum() > 400, "the title is dark"
    assert (band[:, 300:700].min(axis=2) < 100).sum() == (band.min(axis=2) < 100).sum(), "centred"
    ink = [int(GIVEN_COLOUR[place : place + 2], 16) for place in (1, 3, 5)]
    assert (np.abs(with_title.astype(int) - ink).max(axis=2) < 8).sum() > 300, "given notes"


def test_the_tempo_mark_is_a_note_that_any_font_has(melody):
    (page,) = svg_pages(to_musicxml(melody))

    assert "\u2669." in page
    assert not [sign for sign in page if "\ue000" <= sign <= "\uf8ff"]


def test_no_staff_line_runs_over_another(melody):
    """Systems lie below each other: what a page is for."""
    (page,) = svg_pages(to_musicxml(melody))
    tops = [int(y) for y in re.findall(r'class="staff"><path d="M\d+ (\d+) ', page)]
    systems = sorted(set(tops))
    assert len(systems) >= 2
    assert all(below - above > 700 for above, below in pairwise(systems))


@pytest.mark.parametrize("text", ["", "no score at all", "<score-partwise/>", "\ud800"])
def test_what_is_no_score_is_one_sentence(text):
    with pytest.raises(RenderError, match=r"^verovio ") as caught:
        svg_pages(text)
    assert "\n" not in str(caught.value)


def test_a_score_among_others_is_named(melody):
    good = to_musicxml(melody)
    with pytest.raises(RenderError, match="score 2 of 3"):
        svg_pages_of([good, "bad", good])


def test_what_takes_too_long_is_ended(melody):
    with pytest.raises(RenderError, match=r"had not finished after 0\.001 s"):
        svg_pages(to_musicxml(melody), seconds=0.001)


def test_what_is_no_svg_is_one_sentence():
    with pytest.raises(RenderError, match=r"^resvg cannot render the page"):
        to_png("no picture")


def test_verovio_stays_out_of_this_process(melody):
    svg_pages(to_musicxml(melody))
    assert "verovio" not in sys.modules


def test_nothing_to_draw_is_no_page():
    assert svg_pages_of([]) == []


def picture(png: bytes) -> np.ndarray:
    """(height, width, 3), 0-255."""
    from matplotlib.image import imread

    return (imread(io.BytesIO(png), format="png")[:, :, :3] * 255).round().astype(np.uint8)
