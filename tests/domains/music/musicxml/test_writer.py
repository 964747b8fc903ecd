"""MusicXML that we write: the same notes back, bars that add up, beams and ties that end."""

from __future__ import annotations

import re
import warnings
from collections import Counter
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from xml.etree import ElementTree

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from seqforge.base.paths import data_folder
from seqforge.domains.music.abc import parser, tune_books
from seqforge.domains.music.midi.midi_file import read_midi
from seqforge.domains.music.musicxml.reader import read_musicxml
from seqforge.domains.music.musicxml.writer import GIVEN_COLOUR, to_musicxml
from seqforge.domains.music.notes import (
    DRUMS,
    BarSign,
    KeySignature,
    Note,
    Piece,
    Tempo,
    TimeSignature,
    normalised,
)
from tests.domains.music.conftest import few, pieces
from tests.domains.music.scores import check, measures, sounding

# Ways to divide a quarter of 24 steps that notation has signs for.
_QUARTERS = ([0], [0, 12], [0, 6, 12, 18], [0, 18], [0, 6], [0, 8, 16], [0, 16], [8], [12], [6, 18],
             [0, 3, 6, 12], [0, 4, 8, 12], [0, 4, 8, 12, 16, 20], [0, 6, 12, 16, 20], [21], [],
             )  # fmt: skip
_METRES = ((4, 4), (3, 4), (2, 4), (6, 8), (9, 8), (12, 8), (3, 8), (2, 2), (5, 4), (7, 8), (6, 4))


@st.composite
def readable(draw: st.DrawFn) -> Piece:
    """A melody, perhaps in chords, whose notes and rests notation has signs for."""
    numerator, denominator = draw(st.sampled_from(_METRES))
    quarters = draw(st.lists(st.sampled_from(_QUARTERS), min_size=1, max_size=16))
    if denominator == 8:  # a triplet of eighths over a beat and a half of another has no sign
        quarters = [[o for o in inside if o not in (8, 16)] for inside in quarters]
    eighth = draw(st.sampled_from([0, 12])) if numerator % 2 == 0 else 0
    onsets = [24 * n + o for n, inside in enumerate(quarters) for o in inside]
    onsets = sorted({onset + eighth for onset in onsets} | {0}) if eighth else onsets
    end = 24 * len(quarters) + eighth
    notes: list[Note] = []
    for onset, following in pairwise([*onsets, end]):
        if (onset - eighth) % 24 == 0 and draw(st.integers(0, 4)) == 0:
            continue  # a rest
        chord = draw(st.sets(st.integers(60, 77), min_size=1, max_size=3))
        notes += [Note(pitch, 80, onset, following - onset) for pitch in chord]
    sharps = draw(st.integers(-7, 7))
    return normalised(
        Piece(
            tuple(notes),
            time_signatures=(TimeSignature(0, numerator, denominator),),
            key_signatures=(KeySignature(0, sharps, draw(st.booleans())),),
            pickup=eighth,
        )
    )


def as_heard(piece: Piece) -> list[tuple[int, Fraction, Fraction]]:
    grid = piece.steps_per_quarter
    notes = [(n.pitch, Fraction(n.start, grid), Fraction(n.duration, grid)) for n in piece.notes]
    return sorted(notes, key=lambda note: (note[1], note[0]))


def as_music21(xml: str) -> list[tuple[int, Fraction, Fraction]]:
    """What music21 hears; ties followed here, since its stripTies loses some after chords."""
    from music21 import converter

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        score = converter.parseData(xml, format="musicxml")
    found: list[tuple[int, Fraction, Fraction]] = []
    for sounding_now in score.flatten().notes:
        for note in getattr(sounding_now, "notes", (sounding_now,)):
            start, length = Fraction(sounding_now.offset), Fraction(sounding_now.quarterLength)
            if note.tie is not None and note.tie.type != "start":
                before = max(i for i, (pitch, *_) in enumerate(found) if pitch == note.pitch.midi)
                pitch, first, so_far = found[before]
                assert first + so_far == start
                found[before] = (pitch, first, so_far + length)
            else:
                found.append((note.pitch.midi, start, length))
    return sorted(found, key=lambda note: (note[1], note[0]))


@few
@given(piece=readable())
def test_what_notation_has_signs_for_comes_back_the_same(piece):
    xml = to_musicxml(piece)

    check(xml)
    assert sounding(xml) == as_heard(piece)


@settings(max_examples=25, phases=[Phase.explicit, Phase.generate])  # to shrink takes minutes
@given(piece=readable())
def test_music21_hears_the_same_notes(piece):
    assert as_music21(to_musicxml(piece)) == as_heard(piece)


@few
@given(piece=pieces())
def test_any_piece_makes_a_sound_document(piece):
    xml = to_musicxml(piece, 'a "title" & <one>\x00')

    check(xml)
    strokes = {note.pitch for note in piece.notes if note.program == DRUMS}
    assert {pitch for pitch, _, _ in sounding(xml) if pitch >= 24} >= strokes - set(range(24))


@settings(max_examples=25, phases=[Phase.explicit, Phase.generate])
@given(piece=pieces(8))
def test_music21_reads_any_piece(piece):
    from music21 import converter

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        score = converter.parseData(to_musicxml(piece), format="musicxml")
    assert all(part.getElementsByClass("Measure") for part in score.parts)
    assert len(score.parts) >= len({note.program for note in piece.notes})


def tunes(path):
    return [parser.decode(record.symbols, 24).piece for record in tune_books.read(path)]


def test_the_tunes_that_ship_come_back_the_same():
    for piece in tunes(data_folder() / "tunes.abc"):
        xml = to_musicxml(piece)
        check(xml)
        assert as_music21(xml) == sounding(xml) == as_heard(piece)


def test_our_own_reader_gives_the_piece_back(tmp_path):
    piece, _ = read_midi(data_folder() / "melody.mid", 24)
    path = tmp_path / "x.musicxml"
    path.write_text(to_musicxml(piece, "A melody"), encoding="utf-8")

    again, note = read_musicxml(path, 24)

    assert note == ""
    assert [n._replace(velocity=0) for n in again.notes] == [
        n._replace(velocity=0) for n in piece.notes
    ]
    assert again.pickup == piece.pickup == 12
    assert again.time_signatures == piece.time_signatures
    assert again.key_signatures == piece.key_signatures
    assert again.tempos[0].microseconds == pytest.approx(piece.tempos[0].microseconds, rel=0.01)


@pytest.mark.parametrize("count", [20, pytest.param(60, marks=pytest.mark.slow)])
def test_tunes_of_the_corpus_come_back_the_same(corpus_files, count):
    """All but a few, which have lengths that are on no grid of 24."""
    same = total = 0
    for path in corpus_files[:count]:
        for piece in tunes(path)[:1]:
            xml = to_musicxml(piece)
            check(xml)
            heard, meant = sounding(xml), as_heard(piece)
            total += 1
            same += heard == meant
    assert total >= 0.8 * count
    assert same >= 0.95 * total


@pytest.mark.parametrize("quarters", [100, pytest.param(None, marks=pytest.mark.slow)])
def test_real_files_make_sound_documents_and_keep_their_notes(midi_files, quarters):
    """Every file is a sound document; those on the grid keep every onset."""
    on_grid = {"the-entertainer", "bethena", "satie-gymnopedie-no1", "maple-leaf-rag"}
    for path in midi_files:
        piece, _ = read_midi(path, 24)
        if quarters:
            first = tuple(note for note in piece.notes if note.start < 24 * quarters)
            piece = replace(piece, notes=first)
        xml = to_musicxml(piece, path.stem)
        check(xml)
        meant = {(pitch, start) for pitch, start, _ in as_heard(piece)}
        kept = len(meant & {(pitch, start) for pitch, start, _ in sounding(xml)}) / len(meant)
        assert kept >= (1 if path.stem in on_grid else 0.9), path.name


def lines(piece: Piece) -> list[str]:
    """Type, dots and beams of the first voice, a word a sign."""
    found = []
    for _, _, _, signs in measures(to_musicxml(piece)):
        for sign in signs:
            text = sign.element.findtext("type", "bar") + "." * (
                sign.element.find("dot") is not None
            )
            text += "r" * (sign.pitch is None) + "".join(beam[0] for beam in sign.beams.values())
            text += "~" * any(t.get("type") == "start" for t in sign.element.iter("tie"))
            found.append(text)
        found.append("|")
    return found[:-1]


def melody(lengths: list[int], numerator: int, denominator: int, **more: object) -> Piece:
    """Notes of these lengths in sixteenths; rests below zero."""
    notes, now = [], 0
    for length in lengths:
        if length > 0:
            notes.append(Note(67, 80, now, 6 * length))
        now += 6 * abs(length)
    return Piece(tuple(notes), time_signatures=(TimeSignature(0, numerator, denominator),), **more)


@pytest.mark.parametrize(
    ("lengths", "metre", "expected"),
    [
        ([2, 4, 2, 8], (4, 4), "eighth quarter eighth half"),
        ([4, 8, 4], (4, 4), "quarter half quarter"),
        ([6, 4, 6], (4, 4), "quarter. eighth~ eighth quarter."),
        ([2] * 8, (4, 4), "eighthb eighthc eighthc eighthe eighthb eighthc eighthc eighthe"),
        ([2, 2, 2, 1, 1, 8], (4, 4), "eighthb eighthe eighthb 16thcb 16thee half"),
        ([3, 1, 1, 3], (2, 4), "eighth.b 16theb 16thbf eighth.e"),
        ([2, 2, 2, 4, 2], (6, 8), "eighthb eighthc eighthe quarter eighth"),
        ([4, 4, 4], (6, 8), "quarter eighth~ eighth quarter"),
        ([8, 4, -4, 4, -4], (3, 4), "half quarter | quarterr quarter quarterr"),
        ([20], (4, 4), "whole~ | quarter quarterr halfr"),
        ([18], (9, 8), "half.~ quarter."),
        ([1] * 6, (3, 8), "16thbb 16thcc 16thcc 16thcc 16thcc 16thee"),
    ],
)
def test_values_show_the_beats(lengths, metre, expected):
    said = " ".join(lines(melody(lengths, *metre)))
    assert said == expected


@pytest.mark.parametrize("program", [0, DRUMS])
def test_no_onset_moves_past_the_last_bar_line(program):
    """A note that begins just before it stays in its bar: there is no bar that nobody asked for."""
    piece = Piece((Note(60, 64, 0, 24, program), Note(62, 64, 95, 1, program)))
    document = to_musicxml(piece, "t")
    assert document.count("<measure ") == 1
    assert len(sounding(document)) == 2


def test_a_pickup_is_bar_nought():
    root = ElementTree.fromstring(to_musicxml(melody([2] + [4] * 4, 4, 4, pickup=12)))
    bars = [dict(measure.attrib) for measure in root.iter("measure")]
    assert bars == [{"number": "0", "implicit": "yes"}, {"number": "1"}]


def test_repeats_and_endings_stand_where_they_are_written():
    """A repeat inside a bar splits it; a short bar before one keeps the metre."""
    piece = melody([4] * 4 + [4] * 4 + [4] * 3 + [4] * 4, 2, 4)
    piece = replace(piece, time_signatures=(
        TimeSignature(0, 2, 4), TimeSignature(192, 3, 4), TimeSignature(264, 2, 4),
    ))  # fmt: skip
    signs = [
        BarSign(0, False, True, False, ""), BarSign(72, True, True, False, ""),
        BarSign(96, False, False, False, "1"), BarSign(144, True, False, False, "2"),
        BarSign(192, False, False, True, ""),
    ]  # fmt: skip
    root = ElementTree.fromstring(to_musicxml(piece, signs=signs, has_ids=True))
    found = []
    for measure in root.iter("measure"):
        lines = [
            [line.get("location"), *(
                one.get("direction") or one.get("number") + one.get("type")
                for one in [*line.iter("ending"), *line.iter("repeat")]
            )]
            for line in measure.iter("barline")
        ]  # fmt: skip
        found.append((len(measure.findall("note")), lines))
    assert found[:6] == [
        (2, [["left", "forward"]]),
        (1, [["right", "backward"]]),
        (1, [["left", "forward"]]),
        (2, [["left", "1start"], ["right", "1stop", "backward"]]),
        (2, [["left", "2start"], ["right", "2stop"]]),
        (3, []),
    ]
    ids = [note.get("id") for note in root.iter("note")]
    assert ids[:3] == ["P1-1-1-0-67", "P1-1-1-96-67", "P1-1-1-192-67"]
    assert len(set(ids)) == len(ids)


def test_a_short_bar_before_a_repeat_keeps_the_metre():
    piece = melody([2] * 6 + [2] * 5 + [2] * 6, 6, 8)
    piece = replace(piece, time_signatures=(
        TimeSignature(0, 6, 8), TimeSignature(72, 5, 8), TimeSignature(132, 6, 8),
    ))  # fmt: skip
    sign = BarSign(132, True, False, False, "")

    def metres(signs):
        root = ElementTree.fromstring(to_musicxml(piece, signs=signs))
        return [time.findtext("beats") for time in root.iter("time")]

    assert metres([]) == ["6", "5", "6"]
    assert metres([sign]) == ["6"]


@pytest.mark.parametrize(
    ("pitches", "sharps", "expected"),
    [
        ([76, 75, 76], 0, "E5 D#5 E5"),  # a lower neighbour
        ([62, 63, 62], 0, "D4 Eb4 D4"),  # an upper one
        ([69, 68, 69], -3, "A4n Ab4b A4n"),
        ([65, 66, 67], 1, "F4n F#4# G4"),
        ([60, 61, 62], -5, "C4 Db4 D4n"),
    ],
)
def test_notes_outside_the_key_are_spelled_by_where_they_go(pitches, sharps, expected):
    notes = tuple(Note(pitch, 80, 24 * n, 24) for n, pitch in enumerate(pitches))
    xml = to_musicxml(Piece(notes, key_signatures=(KeySignature(0, sharps, False),)))
    said = []
    for note in ElementTree.fromstring(xml).iter("note"):
        if (pitch := note.find("pitch")) is not None:
            sign = {"1": "#", "-1": "b"}.get(pitch.findtext("alter", ""), "")
            said.append(pitch.findtext("step") + sign + pitch.findtext("octave"))
            shown = note.findtext("accidental")
            said[-1] += {"natural": "n", "flat": "b", "sharp": "#", None: ""}[shown]
    wanted = expected.split()
    if sharps == 0:  # these say the spelling alone
        said = [re.sub("[n#b]$", "", name) for name in said]
    assert said == wanted


def test_two_hands_have_two_staves_and_two_lengths_two_voices():
    low = [Note(40 + n, 80, 24 * n, 24) for n in range(4)]
    high = [Note(76, 80, 0, 96), *(Note(67, 80, 24 * n, 24) for n in range(4))]
    signs = next(measures(to_musicxml(Piece((*low, *high)))))[3]

    assert Counter((s.staff, s.voice) for s in signs) == {
        ("1", "1"): 1,
        ("1", "2"): 4,
        ("2", "5"): 4,
    }


def test_the_left_hand_reads_the_treble_clef_where_it_plays_high():
    """An accompaniment about G4 under a held melody, then one two octaves below."""
    held = [Note(76, 80, 48 * n, 48) for n in range(16)]
    broken = [Note((60, 67, 64, 67)[n % 4] - 24 * (n >= 32), 80, 12 * n, 12) for n in range(64)]
    root = ElementTree.fromstring(to_musicxml(Piece((*held, *broken))))
    clefs = [
        (bar.get("number"), clef.get("number"), clef.findtext("sign"))
        for bar in root.iter("measure")
        for clef in bar.iter("clef")
    ]
    staves = Counter(note.findtext("staff") for note in root.iter("note"))

    assert clefs == [("1", "1", "G"), ("1", "2", "G"), ("5", "2", "F")]
    assert staves == {"1": 16, "2": 64}


def test_a_triplet_may_go_from_one_hand_to_the_other():
    notes = [Note(76, 80, 24 * n, 8) for n in range(4)]
    notes += [Note(45, 80, 24 * n + third, 8) for n in range(4) for third in (8, 16)]
    notes += [Note(pitch, 80, 96, 96) for pitch in (40, 47, 71, 76)]
    piece = Piece(tuple(notes))
    xml = to_musicxml(piece)

    check(xml)
    assert sounding(xml) == as_heard(piece)
    brackets = [b.get("type") for b in ElementTree.fromstring(xml).iter("tuplet")]
    assert len(brackets) == 2 * 4 * 2, "four beats in both hands"


def test_a_melody_has_the_clef_of_its_range():
    for pitch, sign in ((40, "F"), (72, "G")):
        xml = to_musicxml(Piece((Note(pitch, 80, 0, 24),)))
        assert [clef.findtext("sign") for clef in ElementTree.fromstring(xml).iter("clef")] == [
            sign
        ]


def test_programs_are_parts_from_high_to_low_with_their_names_and_drums_are_unpitched():
    notes = (Note(72, 80, 0, 24, 73), Note(60, 80, 0, 24, 40), Note(38, 80, 0, 24, DRUMS))
    xml = to_musicxml(Piece(notes))
    root = ElementTree.fromstring(xml)

    check(xml)
    assert [name.text for name in root.iter("part-name")] == ["Flute", "Violin", "Drums"]
    assert [p.text for p in root.iter("midi-program")] == ["74", "41", "1"]
    assert [u.findtext("display-step") for u in root.iter("unpitched")] == ["C"]
    assert [u.text for u in root.iter("midi-unpitched")] == ["39"]


def test_the_given_melody_is_coloured_and_the_model_begins_where_it_begins():
    piece = melody([4] * 8, 4, 4)
    root = ElementTree.fromstring(to_musicxml(piece, prime_end=5 * 24))
    coloured = [note.get("color") == GIVEN_COLOUR for note in root.iter("note")]
    words = {w.text: d.findtext("offset") for d in root.iter("direction") for w in d.iter("words")}

    assert coloured == [True] * 5 + [False] * 3
    assert words == {"given": None, "from here: the model": str(96)}


def test_metre_key_and_tempo_change_where_they_do():
    piece = replace(
        melody([4] * 7, 4, 4),
        time_signatures=(TimeSignature(0, 4, 4), TimeSignature(96, 3, 4)),
        key_signatures=(KeySignature(0, 0, False), KeySignature(96, 2, False)),
        tempos=(Tempo(0, 600_000), Tempo(96, 400_000)),
    )
    bars = list(ElementTree.fromstring(to_musicxml(piece)).iter("measure"))
    found = [
        [bar.findtext(path) for path in (".//beats", ".//fifths", ".//per-minute")] for bar in bars
    ]
    assert found == [["4", "0", "100"], ["3", "2", "150"]]


def test_a_performance_becomes_readable():
    """Onsets a little late and ends a little early are sixteenths and eighths, without rests."""
    played = [(0, 11), (13, 10), (24, 5), (30, 7), (37, 5), (42, 6), (49, 22), (72, 20)]
    piece = Piece(tuple(Note(72, 80, start, length) for start, length in played))
    said = " ".join(lines(piece))
    assert said == "eighthb eighthe 16thbb 16thcc 16thcc 16thee quarter quarter"
