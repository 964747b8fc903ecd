"""MusicXML read as it sounds: what transposes, what is silent, what is played in which order."""

from __future__ import annotations

import io
import sys
import zipfile
from itertools import pairwise

import pytest

from seqforge.domains.music.file_type import music_file_type
from seqforge.domains.music.midi.midi_file import midi_bytes, parse_midi
from seqforge.domains.music.musicxml.measures import MOST_PLAYED, Marks, playing_order
from seqforge.domains.music.musicxml.reader import read_musicxml
from seqforge.domains.music.notes import DRUMS, KeySignature, Tempo, TimeSignature
from seqforge.errors import InputError

QUARTER = 24
COMMON = "<time><beats>4</beats><beat-type>4</beat-type></time>"
PERIOD = "<divisions>2</divisions>"


def note(step="C", octave=4, duration=8, more="", alter="") -> str:
    altered = f"<alter>{alter}</alter>" if alter else ""
    pitch = f"<pitch><step>{step}</step>{altered}<octave>{octave}</octave></pitch>"
    return f"<note>{pitch}<duration>{duration}</duration>{more}</note>"


def rest(duration=8, more="") -> str:
    return f"<note><rest/><duration>{duration}</duration>{more}</note>"


def score(*measures: str, parts: tuple[str, ...] = (), declared: str = "", head: str = "") -> str:
    """A score of one part, or of those given whole; two divisions a quarter, 4/4."""
    first, *others = measures or ("",)
    inside = [f"<attributes>{PERIOD}{COMMON}</attributes>{first}", *others]
    bars = "".join(f'<measure number="{n}">{bar}</measure>' for n, bar in enumerate(inside, 1))
    declared = declared or '<score-part id="P1"><part-name>M</part-name></score-part>'
    body = "".join(parts) or f'<part id="P1">{bars}</part>'
    return (
        f'<?xml version="1.0"?><score-partwise version="4.0">{head}'
        f"<part-list>{declared}</part-list>{body}</score-partwise>"
    )


@pytest.fixture
def read(tmp_path):
    """Reads a text: the piece and what is said."""

    def reading(text: str | bytes):
        path = tmp_path / "x.musicxml"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return read_musicxml(path, QUARTER)

    return reading


def heard(piece) -> list[tuple[int, int, int]]:
    return [(note.pitch, note.start, note.duration) for note in piece.notes]


def transposed(chromatic: int, octaves: int = 0, number: str = "") -> str:
    change = f"<octave-change>{octaves}</octave-change>" if octaves else ""
    staff = f' number="{number}"' if number else ""
    return f"<transpose{staff}><chromatic>{chromatic}</chromatic>{change}</transpose>"


@pytest.mark.parametrize(
    ("chromatic", "octaves", "pitch", "sharps"),
    [
        (-2, 0, 72, 0),
        (-3, 0, 71, 5),
        (-9, 0, 65, -1),
        (0, -1, 62, 2),
        (-2, -1, 60, 0),
        (7, 0, 81, 3),
    ],
)
def test_a_transposing_instrument_sounds_where_it_sounds(read, chromatic, octaves, pitch, sharps):
    key = "<key><fifths>2</fifths></key>"
    attributes = f"<attributes>{key}{transposed(chromatic, octaves)}</attributes>"
    piece, said = read(score(attributes + note("D", 5)))

    assert (heard(piece), said) == ([(pitch, 0, 96)], "")
    assert piece.key_signatures == (KeySignature(0, sharps, False),)


def test_a_player_who_changes_instruments_is_transposed_from_there_on(read):
    bars = [f"<attributes>{transposed(by)}</attributes>{note('D', 5)}" for by in (-2, -3, 0)]
    assert [pitch for pitch, *_ in heard(read(score(*bars))[0])] == [72, 71, 74]


def test_staves_and_parts_have_transpositions_of_their_own(read):
    two_staves = (
        f"<attributes><staves>2</staves>{transposed(-2, number='1')}</attributes>"
        + note("D", 5, more="<staff>1</staff>")
        + "<backup><duration>8</duration></backup>"
        + note("D", 4, more="<staff>2</staff>")
    )
    assert [pitch for pitch, *_ in heard(read(score(two_staves))[0])] == [62, 72]
    parts = tuple(
        f'<part id="P{n}"><measure number="1"><attributes>{PERIOD}{COMMON}'
        f"{transposed(by)}</attributes>{note('C', 4 + n)}</measure></part>"
        for n, by in enumerate((-2, 3), 1)
    )
    declared = "".join(
        f'<score-part id="P{n}"><part-name>M</part-name></score-part>' for n in (1, 2)
    )
    group = (
        '<part-group type="start" number="1"/>' + declared + '<part-group type="stop" number="1"/>'
    )
    assert [p for p, *_ in heard(read(score(parts=parts, declared=group))[0])] == [70, 87]


def test_a_score_in_concert_pitch_is_written_as_it_sounds(read):
    bar = f"<attributes>{transposed(-2)}</attributes>{note('D', 5)}"
    piece, _ = read(score(bar, head="<defaults><concert-score/></defaults>"))
    assert heard(piece) == [(74, 0, 96)]


def test_what_is_silent_does_not_sound(read):
    harmony = "<harmony><root><root-step>C</root-step></root><kind>major</kind></harmony>"
    figured = "<figured-bass><figure><figure-number>6</figure-number></figure></figured-bass>"
    cue = note("C", 6, more="<voice>2</voice>").replace("<note>", "<note><cue/>")
    grace = (
        note("B", 4, 0).replace("<note>", "<note><grace/>").replace("<duration>0</duration>", "")
    )
    bar = harmony + figured + cue + "<backup><duration>8</duration></backup>" + grace + note("C", 4)
    piece, said = read(score(bar, harmony + rest(4) + harmony + note("D", 4, 4)))

    assert (heard(piece), said) == ([(60, 0, 96), (62, 144, 48)], "")


def test_notes_that_are_not_printed_sound(read):
    bar = note("C", 5).replace("<note>", '<note print-object="no">')
    assert heard(read(score(bar))[0]) == [(72, 0, 96)]


DRUM_PART = (
    '<score-part id="P1"><part-name>Drums</part-name>'
    '<score-instrument id="K"><instrument-name>Kick</instrument-name></score-instrument>'
    '<score-instrument id="S"><instrument-name>Snare</instrument-name></score-instrument>'
    '<score-instrument id="X"><instrument-name>?</instrument-name></score-instrument>{}'
    "</score-part>"
)
UNPITCHED = (
    "<note><unpitched><display-step>{}</display-step><display-octave>{}</display-octave>"
    '</unpitched><duration>2</duration><instrument id="{}"/>{}</note>'
)


def test_percussion_strikes_the_key_of_its_instrument_its_name_or_its_place(read):
    midi = (
        '<midi-instrument id="K"><midi-channel>10</midi-channel>'
        "<midi-unpitched>36</midi-unpitched></midi-instrument>"
    )
    cross = "<notehead>x</notehead>"
    bar = "".join(
        [UNPITCHED.format("F", 4, "K", ""), UNPITCHED.format("C", 5, "S", ""),
         UNPITCHED.format("G", 5, "X", cross), UNPITCHED.format("B", 1, "X", "")]
    )  # fmt: skip
    piece, said = read(score(bar, declared=DRUM_PART.format(midi)))

    assert [(note.pitch, note.program) for note in piece.notes] == [
        (35, DRUMS), (38, DRUMS), (42, DRUMS), (38, DRUMS),
    ]  # fmt: skip
    assert said == ""


@pytest.mark.parametrize("how", ["channel", "clef"])
def test_a_part_of_channel_10_or_under_a_percussion_clef_is_drums(read, how):
    channel = '<midi-instrument id="X"><midi-channel>10</midi-channel></midi-instrument>'
    clef = "<attributes><clef><sign>percussion</sign></clef></attributes>"
    declared = DRUM_PART.format(channel) if how == "channel" else ""
    instrument = '<instrument id="X"/>' if how == "channel" else ""
    bar = (clef if how == "clef" else "") + note("D", 2, more=instrument)
    piece, _ = read(score(bar, declared=declared))
    assert [(note.pitch, note.program) for note in piece.notes] == [(38, DRUMS)]


def test_programs_change_where_the_score_says_so(read):
    def sound(program: int) -> str:
        inside = f'<midi-instrument id="I"><midi-program>{program}</midi-program></midi-instrument>'
        return f"<sound>{inside}</sound>"

    declared = (
        '<score-part id="P1"><part-name>M</part-name><score-instrument id="I"><instrument-name>V'
        '</instrument-name></score-instrument><midi-instrument id="I">'
        "<midi-program>41</midi-program></midi-instrument></score-part>"
    )
    piece, _ = read(score(note(), sound(72) + note("D"), declared=declared))
    assert [note.program for note in piece.notes] == [40, 71]


BARS = "CDEFGAB"


def bar(letter: str, *, left: str = "", right: str = "", sound: str = "", words: str = "") -> str:
    def line(side: str, inside: str) -> str:
        return f'<barline location="{side}">{inside}</barline>' if inside else ""

    said = f"<direction-type><words>{words}</words></direction-type>" if words else ""
    element = f"<sound {sound}/>" if sound else ""
    direction = f"<direction>{said}{element}</direction>" if said or sound else ""
    return line("left", left) + note(letter) + direction + line("right", right)


FORWARD, BACKWARD = '<repeat direction="forward"/>', '<repeat direction="backward"{}/>'
TWICE = BACKWARD.format("")


def first(number: str) -> str:
    return f'<ending number="{number}" type="start"/>'


def last(number: str, kind: str = "stop") -> str:
    return f'<ending number="{number}" type="{kind}"/>'


@pytest.mark.parametrize(
    ("bars", "played"),
    [
        ([bar("C", sound='fine="yes"'), bar("D", sound='dacapo="yes"')], "CDC"),
        ([bar("C", words="Fine"), bar("D", words="D.C. al Fine")], "CDC"),
        ([bar("C"), bar("D", right=TWICE), bar("E")], "CDCDE"),
        ([bar("C"), bar("D", left=FORWARD), bar("E", right=TWICE), bar("F")], "CDEDEF"),
        ([bar("C", right=BACKWARD.format(' times="3"'))], "CCC"),
        (
            [bar("C"), bar("D", left=first("1"), right=last("1") + TWICE),
             bar("E", left=first("2"), right=last("2", "discontinue")), bar("F")],
            "CDCEF",
        ),
        (
            [bar("C"), bar("D", left=first("1, 2"), right=last("1, 2") + TWICE),
             bar("E", left=first("3"), right=last("3")), bar("F", right=TWICE)],
            "CDCDCEFF",
        ),
        (
            [bar("C"), bar("D", left="<segno/>", sound='tocoda="c"'),
             bar("E", sound='dalsegno="s"'), bar("F", left="<coda/>")],
            "CDEDF",
        ),
        (
            [bar("C"), bar("D", words="To Coda"), bar("E", words="D.C. al Coda"),
             bar("F", sound='coda="c"')],
            "CDECDF",
        ),
        (  # after the jump repeats are not taken, and the last ending is
            [bar("C"), bar("D", left=first("1"), right=last("1") + TWICE),
             bar("E", left=first("2"), right=last("2"), sound='dacapo="yes"')],
            "CDCECE",
        ),
        ([bar("C"), bar("D", words="Da Capo")], "CDCD"),
    ],
)  # fmt: skip
def test_bars_are_played_in_the_order_that_the_score_says(read, bars, played):
    piece, said = read(score(*bars))
    assert "".join(BARS[[0, 2, 4, 5, 7, 9, 11].index(n.pitch - 60)] for n in piece.notes) == played
    assert [after.start - before.start for before, after in pairwise(piece.notes)] == [96] * (
        len(played) - 1
    )
    assert said == ""


def test_two_coda_signs_are_where_from_and_where_to():
    marks = [Marks(), Marks(coda=True), Marks(da_capo=True), Marks(coda=True)]
    assert playing_order(marks) == [0, 1, 2, 0, 1, 3]


def test_marks_that_contradict_each_other_come_to_an_end():
    every = Marks(True, 99, (1, 5), True, True, True, True, True, True, True)
    assert len(playing_order([every] * 50)) <= MOST_PLAYED + 1


def test_repeats_without_end_are_one_sentence(read):
    with pytest.raises(InputError, match=r"x\.musicxml: lasts more than 20,000 quarters"):
        read(score(bar("C", right=BACKWARD.format(' times="999999999"'))))


def tie(*kinds: str) -> str:
    return "".join(f'<tie type="{kind}"/>' for kind in kinds)


def test_ties_join_notes_over_bars_and_voices(read):
    bars = [
        note("C", 4, 8, tie("start")),
        note("C", 4, 8, tie("stop", "start")),
        note("E", 4, 8, "<voice>1</voice>") + "<backup><duration>8</duration></backup>"
        + note("C", 4, 4, tie("stop") + "<voice>2</voice>"),
        note("C", 4, 4, tie("start")) + note("D", 4, 4, tie("stop")),
    ]  # fmt: skip
    piece, _ = read(score(*bars))
    assert heard(piece) == [(60, 0, 240), (64, 192, 96), (60, 288, 48), (62, 336, 48)]


def test_a_tie_into_a_repeat_is_struck_anew_the_second_time(read):
    begun = bar("C", left=FORWARD).replace("</note>", tie("start") + "</note>")
    ended = note("C", more=tie("stop")) + f'<barline location="right">{TWICE}</barline>'
    assert heard(read(score(begun, ended))[0]) == [(60, 0, 192), (60, 192, 192)]


def calls(text: str, read) -> int:
    """How many functions of Python's are called to read it."""
    count = 0

    def counting(frame, event, argument):
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(counting)
    try:
        read(text)
    finally:
        sys.setprofile(None)
    return count


def test_the_work_grows_with_the_notes_and_not_with_their_square(read):
    slurred = '<notations><tied type="{0}"/><slur type="{0}" number="1"/></notations>'
    one = "".join(note("C", 4, 4, tie(k) + slurred.format(k)) for k in ("start", "stop"))
    few, many = (calls(score(*[one] * bars), read) for bars in (50, 400))

    assert few < many < 8.2 * few


@pytest.mark.parametrize(
    ("bars", "pickup", "times"),
    [
        ([note(duration=2), note(), note()], 24, [(0, 4, 4)]),
        ([note(), note(duration=6), note(duration=2), note()], 0, [(0, 4, 4)]),  # parts that meet
        ([note(), note(duration=6), note(), note()], 0, [(0, 4, 4), (96, 3, 4), (168, 4, 4)]),
        ([note(), note(duration=12), note()], 0, [(0, 4, 4), (96, 6, 4), (240, 4, 4)]),
        ([note(), note(duration=4)], 0, [(0, 4, 4)]),  # the last may be short
        ([note(), rest(), "", note()], 0, [(0, 4, 4)]),
        ([note(duration=4)], 0, [(0, 4, 4)]),
    ],
)
def test_bar_lines_fall_where_they_are_written(read, bars, pickup, times):
    piece, _ = read(score(*bars))
    assert (piece.pickup, piece.time_signatures) == (
        pickup,
        tuple(TimeSignature(*t) for t in times),
    )
    assert parse_midi(midi_bytes(piece), QUARTER, "x.mid") == (piece, "")


def test_metres_change_and_add_up(read):
    def metre(*beats: tuple[str, int]) -> str:
        inside = "".join(f"<beats>{a}</beats><beat-type>{b}</beat-type>" for a, b in beats)
        return f"<attributes><time>{inside}</time></attributes>"

    bars = [
        metre(("3+2", 8)) + note(duration=5),
        metre(("2", 4), ("3", 8)) + note(duration=7),
        note(duration=7),
    ]
    piece, _ = read(score(*bars))
    assert [time[1:] for time in piece.time_signatures] == [(5, 8), (7, 8)]


def test_tempos_of_any_part_count_at_their_places(read):
    mark = (
        "<direction><direction-type><metronome><beat-unit>quarter</beat-unit><beat-unit-dot/>"
        "<per-minute>60</per-minute></metronome></direction-type><offset>2</offset></direction>"
    )
    piece, _ = read(score('<sound tempo="120.5"/>' + mark + note()))
    assert piece.tempos == (Tempo(0, round(60e6 / 120.5)),)  # the second comes after the last onset
    piece, _ = read(score('<sound tempo="120.5"/>' + mark + note(duration=4) + note(duration=4)))
    assert piece.tempos == (Tempo(0, round(60e6 / 120.5)), Tempo(24, round(60e6 / 90)))


@pytest.mark.parametrize("duration", ["-8", "0", "1e9", "", "8" * 5000, "NaN"])
def test_lengths_that_cannot_be_are_left_out_and_counted(read, duration):
    piece, said = read(score(note(duration=duration) + note("D")))
    assert (heard(piece), said) == ([(62, 0, 96)], "1 note without a length left out")


def test_the_cursor_does_not_leave_the_bar(read):
    """A step back over its beginning, and one forward over its end."""
    bars = [
        note() + "<backup><duration>99</duration></backup>" + note("E"),
        note("F") + "<backup><duration>8</duration></backup>"
        "<forward><duration>99</duration></forward>",
        note("G"),
    ]
    assert heard(read(score(*bars))[0]) == [(60, 0, 96), (64, 0, 96), (65, 96, 96), (67, 192, 96)]


def test_chords_tuplets_and_voices_are_where_their_durations_put_them(read):
    third = "<attributes><divisions>9</divisions></attributes>"
    chord = note("E", 4, 12).replace("<note>", "<note><chord/>")
    nested = "".join(note("C", 5, 4) for _ in range(3)) + note("D", 5, 24)  # a ninth of a whole
    piece, _ = read(score(third + note("C", 4, 12) + chord + nested))
    assert heard(piece) == [
        (60, 0, 32), (64, 0, 32), (72, 32, 11), (72, 43, 10), (72, 53, 11), (74, 64, 64),
    ]  # fmt: skip


def test_a_timewise_score_is_the_same(read):
    partwise = score(note("C") + note("D"), note("E"))
    bars = partwise.split("<measure")[1:]
    inside = [text.split(">", 1)[1].split("</measure>")[0] for text in bars]
    timewise = "".join(
        f'<measure number="{n}"><part id="P1">{b}</part></measure>' for n, b in enumerate(inside)
    )
    head = partwise.split('<part id="P1">')[0].replace("partwise", "timewise")
    assert read(head + timewise + "</score-timewise>") == read(partwise)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-8-sig", "latin-1"])
def test_encodings_are_told_by_their_first_bytes(read, encoding):
    name = {"latin-1": "iso-8859-1"}.get(encoding, encoding.removesuffix("-sig"))
    text = score(note()).replace('"1.0"', f'"1.0" encoding="{name}"').replace(">M<", ">Flöte<")
    assert heard(read(text.encode(encoding))[0]) == [(60, 0, 96)]


def packed(text: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("META-INF/container.xml", "<container/>")
        archive.writestr("score.xml", text)
    return buffer.getvalue()


def test_an_archive_may_say_its_type(tmp_path):
    """As MusicXML 4.0 asks for; an e-book has that file too."""
    path = tmp_path / "x.mxl"
    for names, is_score in (
        (("mimetype", "META-INF/container.xml", "a.xml"), True),
        (("META-INF/container.xml", "a.musicxml", "cover.png"), True),
        (("mimetype", "META-INF/container.xml", "book.opf", "a.xml"), False),
        (("mimetype", "content.xml"), False),
    ):
        with zipfile.ZipFile(path, "w") as archive:
            for name in names:
                archive.writestr(name, score(note()))
        assert music_file_type(path) == "musicxml"
        if is_score:
            assert heard(read_musicxml(path, QUARTER)[0]) == [(60, 0, 96)]
        else:
            with pytest.raises(InputError, match=r"x\.mxl: is .*book"):
                read_musicxml(path, QUARTER)


def test_an_archive_that_lies_about_its_size_is_read_no_further_than_the_limit(read):
    data = bytearray(packed(b"<" * 60_000_000))
    assert len(data) < 100_000
    place = data.index(b"PK\1\2", data.index(b"PK\1\2") + 1)  # the second entry of the directory
    data[place + 24 : place + 28] = (1000).to_bytes(4, "little")
    with pytest.raises(InputError, match=r"(holds more than 50 MB|is not a whole)"):
        read(bytes(data))
    with pytest.raises(InputError, match="holds more than 50 MB"):
        read(packed(b"<" * 60_000_000))


ENTITIES = '<!DOCTYPE score-partwise [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]>'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (score(note()).replace("?>", "?>" + ENTITIES, 1), "declares entities"),
        (
            score(note()).replace(
                "?>", '?><!DOCTYPE s [<!ENTITY x SYSTEM "file:///etc/passwd">]>', 1
            ),
            "declares entities",
        ),
        ("<a>" * 300, r"is XML but not MusicXML \(it begins with <a>\)"),
        ("<svg><g/></svg>", "is XML but not MusicXML"),
        ("<score-partwise>" + "<a>" * 300, "has elements inside of more than 200 others"),
        (score(note()).replace("</part>", ""), r":1: is not well-formed XML \(mismatched tag\)"),
        (score(rest()), "has no note in it that sounds"),
    ],
)
def test_what_is_no_score_is_one_sentence(read, text, said):
    with pytest.raises(InputError, match=f"x\\.musicxml:? ?{said}"):
        read(text)


def test_a_document_type_from_the_network_is_not_fetched(read):
    doctype = (
        '<!DOCTYPE score-partwise PUBLIC "-//Recordare//DTD" "http://localhost:1/partwise.dtd">'
    )
    assert heard(read(score(note()).replace("?>", "?>" + doctype, 1))[0]) == [(60, 0, 96)]
