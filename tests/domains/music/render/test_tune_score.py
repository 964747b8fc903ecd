"""The score of a tune: behind each head a field that bears the number of its note."""

import re
from itertools import pairwise
from xml.etree import ElementTree

from seqforge.domains.music import event_codec
from seqforge.domains.music.domain import MusicDomain
from seqforge.domains.music.notes import KeySignature, Note, Piece, TimeSignature
from seqforge.domains.music.render import tune_score
from seqforge.plugin import EngravesNotes

HEAD = "M:2/4\nL:1/8\nK:C\n"
UP = HEAD + "|:CDEF|[GB]2 A2-|1A2 d2:|2A2 e2|f4|]\n"


def fields(score):
    """Note, place and width of each field, in the order of the score."""
    root = ElementTree.fromstring(f"<svg>{score.markup}</svg>")
    return [
        (int(one.get("data-note")), *(int(one.get(name)) for name in ("x", "y", "width")))
        for one in root.iter("rect")
    ]


def test_each_head_has_a_field_with_its_note():
    (score,) = MusicDomain(code="abc").written_scores([UP])
    notes = MusicDomain(code="abc").written_tune(UP).notes
    found = fields(score)
    assert [note for note, *_ in found] == [0, 1, 2, 3, 4, 4, 5, 6, 7, 8, 9, 10]
    assert [UP[notes[n].start] for n, *_ in found] == list("CDEF[[AAdAef")
    heights = {n: y for n, _, y, _ in found}
    for low, high in [(0, 1), (1, 2), (2, 3), (3, 5), (5, 7), (7, 9), (9, 10)]:
        steps = notes[high].height - notes[low].height
        assert heights[low] - heights[high] == 90 * steps
    places = [x for n, x, _, _ in found]
    assert places == sorted(places)
    for (_, x, _, width), (_, other, _, _) in pairwise(found[:4]):
        assert x + width <= other


def test_a_note_tied_over_a_bar_line_has_a_field_for_each_head():
    text = HEAD + "A4-|A4|B6|\n"
    (score,) = MusicDomain(code="abc").written_scores([text])
    assert [note for note, *_ in fields(score)] == [0, 1, 2, 2]


def test_events_have_scores_of_all_that_sounds():
    notes = tuple(
        Note(pitch, 80, start, 12, 0)
        for start, pitch in [(0, 60), (0, 64), (12, 61), (24, 72), (36, 71)]
    )
    piece = Piece(notes, 12, (), (TimeSignature(0, 4, 4),), (KeySignature(0, 0, False),))
    events, domain = event_codec.encode(piece), MusicDomain(code="events", steps_per_quarter=12)
    (score,) = domain.written_scores([events])
    written = domain.written_tune(events).notes
    letters = {n: events[written[n].start] for n, *_ in fields(score)}
    assert sorted(letters.values()) == sorted(event_codec.PITCHES[note.pitch] for note in notes)


def test_scores_hold_repeats_endings_and_nothing_that_acts():
    (score,) = MusicDomain(code="abc").written_scores([UP])
    names = set(re.findall(r"<(\w+)", score.markup))
    assert names <= {"defs", "g", "path", "polygon", "polyline", "ellipse", "rect", "use", "text",
                     "tspan"}  # fmt: skip
    assert {"1", "2"} <= set(re.findall(r">([^<]+)</tspan>", score.markup))
    assert not re.search(r"\bon\w+=|href=\"[^#]|style", score.markup)
    assert set(re.findall(r'href="#([^"]+)"', score.markup)) <= set(
        re.findall(r'id="([^"]+)"', score.markup)
    )


def test_many_tunes_have_a_score_each_and_without_verovio_there_is_none(monkeypatch):
    domain = MusicDomain(code="abc")
    assert isinstance(domain, EngravesNotes)
    tunes = [HEAD + f"{note}4|\n" for note in "CDE"]
    assert len({score.markup for score in domain.written_scores(tunes)}) == 3
    assert domain.written_scores([]) == []
    monkeypatch.setattr(tune_score.importlib.util, "find_spec", lambda name: None)
    assert domain.written_scores(tunes) == [None] * 3
