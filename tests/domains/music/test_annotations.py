"""Annotations of tunes are what written examples say, and agree with the parser of tunes."""

import string
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from seqforge.domains.music import event_codec
from seqforge.domains.music.abc import parser
from seqforge.domains.music.abc.playback import SoundingElement
from seqforge.domains.music.annotations import (
    annotate_events,
    annotate_tune,
    events_on_staff,
    tune_on_staff,
)
from seqforge.domains.music.domain import MusicDomain
from seqforge.domains.music.notes import KeySignature, Note, Piece, TimeSignature
from seqforge.plugin import Annotates, WritesNotes
from tests.conftest import ROOT

HEAD = "M:6/8\nL:1/8\nK:C\n"
# A line break is shown as $; a number as its double: 0-9, then a, b, c ...
TUNE = 'c2c e^de|g2g c3|cde d2d|def edc:|$|:[ce]2 "Am"(3abc d>e|1g3:|2 a3||'
WRITTEN = {
    "place in bar": "0022344500022330012233500122345000000000000000002333446000000000000",
    "note on a beat": "xx..x....xx..xx.x...xx..x...x.......xxxxx................xx....xx..",
    "note length": "221-1111-221-33-111-221-111-111-----22222-------111-2-0--33----33--",
    "height of the note": "eee-iggi-mmm-ee-egi-ggg-gik-ige-----eeeee-------oqe-g-i--mm----oo--",
    "scale degree of the note":
        "222-6446-aaa-22-246-444-468-642-----22222-------ce2-4-6--aa----cc--",
    "note is the tonic": "xxx..........xx.x.............x.....xxxxx.........x................",
    "note is the fifth": ".........xxx.............................................xx........",
    "bars of the section so far":
        "000000000222222244444444666666666---0000000000000000000002222200000",
    "bars left to the cadence":
        "666666666444444422222222000000000---2222222222222222222220000000000",
    "last bar before a cadence":
        "........................xxxxxxxxx........................xxxxxxxxxx",
    "inside a repeat": "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx.....xxxxxxxxxxxxxxxxxxxxxxx........",
    "bar line comes next":
        ".......x......x.......x........x.x....................x....x....xx.",
    "line break comes next":
        "................................x..................................",
    "field": "." * 67,
    "chord symbol": "..........................................xxx......................",
    "inside a chord": "....................................xxx............................",
    "inside an ending": "........................................................xxx..xxxx..",
}  # fmt: skip


def shown(values):
    if values.dtype == bool:
        return "".join(".x"[int(value)] for value in values)
    doubled = [-1 if np.isnan(value) else round(2 * float(value)) for value in values]
    return "".join((string.digits + string.ascii_lowercase + "-")[two] for two in doubled)


def after_head(name, tune, head=HEAD):
    return shown(annotate_tune(head + tune)[name][len(head) :])


@pytest.mark.parametrize("name", WRITTEN)
def test_what_is_so_in_a_written_tune(name):
    found = annotate_tune(HEAD + TUNE.replace("$", "\n"))
    assert found.keys() == WRITTEN.keys()
    assert shown(found[name][len(HEAD) :]) == WRITTEN[name]
    if name != "line break comes next":
        assert set(shown(found[name][: len(HEAD) - 1])) <= set(".-x")


def test_a_pickup_ends_where_full_bars_do():
    assert after_head("place in bar", "d|c6|") == "50000"
    assert after_head("place in bar", "c6|d|") == "00000"


def test_fields_in_a_tune_change_key_metre_and_unit():
    head = "M:4/4\nL:1/4\nK:G\n"
    assert after_head("scale degree of the note", "GD|[K:D]GD|", head) == "2a------82-"
    assert after_head("note length", "G|\nL:1/8\nG|", head) == "2--------1-"
    assert after_head("note on a beat", "L:1/8\nGGGG|[M:3/8]GGG|", head) == "......x.x.........x..."
    assert annotate_tune(head + "GD|[K:D]GD|")["field"].tolist() == [
        *(letter != "\n" for letter in head), 0, 0, 0, 1, 1, 1, 1, 1, 0, 0, 0,
    ]  # fmt: skip


@pytest.mark.parametrize(
    "tune", ["c>d e<f g>>a", "(3abc (2de (5fgabc", "c/ d// e3/2 f/4 z2 [ceg]3", "c4>d2"]
)
def test_lengths_are_those_of_the_parser(tune):
    for head in (HEAD, "M:2/4\nK:D\n", "K:C\n"):
        wanted = [
            4 * one.length for one in parser.elements_of(head + tune)
            if isinstance(one, SoundingElement)
        ]  # fmt: skip
        found = annotate_tune(head + tune)["note length"][len(head) :]
        kinds = ("note", "rest", "chord")
        starts = [t.start() for t in parser.TOKEN.finditer(tune) if t.lastgroup in kinds]
        assert found[starts].tolist() == pytest.approx(wanted)


def test_bars_of_real_tunes_are_filled_by_their_notes():
    for record in MusicDomain(code="abc").read(Path(ROOT / "data" / "tunes.abc")):
        found = annotate_tune(record.symbols)
        ends = np.flatnonzero(found["bar line comes next"])
        place = found["place in bar"] + np.nan_to_num(found["note length"])
        assert np.nanmax(place) <= 4
        assert len(ends) > 4
        assert np.nanmax(found["bars left to the cadence"]) >= 3


def test_events_have_the_places_of_their_piece():
    notes = [Note(60 + step, 80, 12 * step, 12) for step in range(9)]
    keys, times = (KeySignature(0, 1, False),), (TimeSignature(0, 3, 4),)
    symbols = event_codec.encode(Piece(tuple(notes), 24, (), times, keys))
    found = annotate_events(symbols, 24)
    sounds = ~np.isnan(found["pitch of the note"])
    assert found["pitch of the note"][sounds].tolist() == [60 + step for step in range(9)]
    places = [0, 0.5, 1, 1.5, 2, 2.5, 0, 0.5, 1]
    assert found["place in bar"][sounds].tolist() == places
    assert found["note on a beat"][sounds].tolist() == [place % 1 == 0 for place in places]
    assert found["semitones above the tonic"][sounds].tolist() == [5, 6, 7, 8, 9, 10, 11, 0, 1]
    assert found["note is the tonic"][sounds].tolist() == [0, 0, 0, 0, 0, 0, 0, 1, 0]
    assert found["note is the fifth"][sounds].tolist() == [0, 0, 1, 0, 0, 0, 0, 0, 0]
    bars = [i for i, symbol in enumerate(symbols) if symbol == event_codec.BAR]
    assert np.flatnonzero(found["bar line comes next"]).tolist() == [i - 1 for i in bars]
    assert found["bars so far"][-1] == len(bars)


def test_the_beat_of_events_follows_the_metre():
    times = (TimeSignature(0, 6, 8), TimeSignature(72, 2, 4))
    notes = tuple(Note(60, 80, 12 * step, 12) for step in range(10))
    found = annotate_events(event_codec.encode(Piece(notes, 24, (), times)), 24)
    sounds = ~np.isnan(found["pitch of the note"])
    assert found["note on a beat"][sounds].tolist() == [1, 0, 0, 1, 0, 0, 1, 0, 1, 0]


@given(st.text(st.sampled_from("ABcd_^=,'/23:|[](\")<>{}!zZ%&- \nKML~"), max_size=80))
@example("K:C\n[1")
@example("|:|:|")
@example("(0abc")
def test_any_text_has_an_annotation_for_each_symbol(text):
    for found in (annotate_tune(text), annotate_events(text, 24)):
        for values in found.values():
            assert values.shape == (len(text),)
            assert values.dtype in (bool, np.float32)
    assert annotate_tune(text).keys() == WRITTEN.keys()


@given(st.text("cd2 |", max_size=40), st.text("ce3 |", max_size=40))
def test_what_follows_a_double_bar_does_not_change_what_comes_before(first, second):
    first += "c||"
    alone, joined = annotate_tune(HEAD + first), annotate_tune(HEAD + first + second)
    for name in set(alone) - {"bar line comes next"}:
        np.testing.assert_array_equal(alone[name], joined[name][: len(HEAD + first)])


def test_the_domain_annotates_both_codes():
    assert isinstance(MusicDomain(), Annotates)
    assert "inside a repeat" in MusicDomain(code="abc").annotate("c|")
    assert "pitch of the note" in MusicDomain(code="events").annotate("e")


def test_notes_on_a_staff_are_where_a_tune_writes_them():
    tune = "L:1/4\nK:G\n[CE]2 z B,|c'/>d/ _b|\n"
    notes, bars = tune_on_staff(tune)
    assert [tune[note.start : note.stop].strip() for note in notes] == [
        "[CE]2", "B,", "c'/", "d/", "_b"
    ]  # fmt: skip
    assert [note[2:] for note in notes] == [
        (0, 2, 0), (3, 1, -1), (4, 0.75, 14), (4.75, 0.25, 8), (5, 1, 13)
    ]  # fmt: skip
    assert bars == [4, 6]
    assert tune_on_staff("") == ([], [])


def test_notes_of_events_are_those_of_the_piece():
    notes = (Note(60, 80, 0, 12, 0), Note(61, 80, 12, 12, 0), Note(71, 80, 24, 120, 0))
    piece = Piece(notes, 24, (), (TimeSignature(0, 1, 4),), (KeySignature(0, 0, False),))
    events = event_codec.encode(piece)
    found = events_on_staff(events, 24)
    assert [note[2:] for note in found.notes] == [(0, 0.5, 0), (0.5, 0.5, 0), (1, 5, 6)]
    assert found.bars[0] == 1
    for note, one in zip(found.notes, notes, strict=True):
        assert events[note.start] == event_codec.PITCHES[one.pitch]
        assert not set(events[note.start + 1 : note.stop]) & set(event_codec.PITCHES.values())
    assert isinstance(MusicDomain(), WritesNotes)
