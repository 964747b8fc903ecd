"""Continuations never play the prime again, and N bars are N bars of sound."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import seqforge
from seqforge.base.paths import data_folder
from seqforge.core.data.domain import Sample
from seqforge.core.records import Prompt
from seqforge.domains.music.abc import parser
from seqforge.domains.music.abc.continuation import continued, opened
from seqforge.domains.music.domain import MusicDomain
from seqforge.domains.music.midi.midi_file import parse_midi
from seqforge.domains.music.musicxml.reader import read_musicxml
from seqforge.domains.music.primer import BARS, read_prime
from seqforge.domains.music.render.sample_export import SampleExport, write_quick
from tests.domains.music.conftest import few
from tests.domains.music.scores import sounding

ABC = MusicDomain(code="abc")
HEAD = "M:4/4\nL:1/4\nK:C\n"
HALF_BAR = (
    "X:1\nT:t\nM:6/8\nL:1/8\nK:G\n|:D3|E3 B2A|B2G E2G|F3 A2G|A2F DEF|E3 B2A|B2c d2e|B2A G2F|E3:|\n"
)


def letters(text: str) -> str:
    """What is heard, as letters."""
    names = dict(zip((60, 62, 64, 65, 67, 69, 71), "CDEFGAB", strict=True))
    names |= {pitch + 12: name.lower() for pitch, name in names.items()}
    return "".join(names[note.pitch] for note in parser.decode(text, 24).piece.notes)


@pytest.mark.parametrize(
    ("prime", "drawn", "text", "played"),
    [
        ("CDEF|", "cdef|efga:|", "CDEF|:cdef|efga:|", "CDEFcdefefgacdefefga"),
        ("CDEF|", "|cdef:|", "CDEF|:cdef:|", "CDEFcdefcdef"),
        ("CDEF|", "]cdef:|", "CDEF|:cdef:|", "CDEFcdefcdef"),
        ("CDEF|", ":cdef:|", "CDEF|:cdef:|", "CDEFcdefcdef"),
        ("CDEF|", "cdef|", "CDEF|cdef|", "CDEFcdef"),
        ("CDEF|", "cdef||cdef|]", "CDEF|cdef||cdef|]", "CDEFcdefcdef"),
        ("CDEF|", "cdef|1efga:|2gabc'|]", "CDEF|:cdef|1efga:|2gabc'|]", None),
        ("CDEF|", "cdef|:efga:|", "CDEF|cdef|:efga:|", "CDEFcdefefgaefga"),
        ("CD", "ef|efga:|", "CDef|:efga:|", "CDefefgaefga"),
        ("CD", "ef:|", "CDef||", "CDef"),
        ("CD", "ef:|cdef:|", "CDef|:cdef:|", "CDefcdefcdef"),
        ("CD", "ef::cdef:|", "CDef|:cdef:|", "CDefcdefcdef"),
        ("|:CDEF|", "cdef:|", "|CDEF|:cdef:|", "CDEFcdefcdef"),
        ("|:CDEF:|", "cdef:|", "|:CDEF:|cdef:|", "CDEFCDEFcdefcdef"),
        ("|:CDEF:|:GABc|", "efga:|", "|:CDEF:|GABc|:efga:|", None),
        ("CDEF::GABc|", "efga:|", "CDEF:|GABc|:efga:|", None),
        ("CDEF|1GABc|", "efga:|2gagf|", "CDEF|GABc|:efga:|2gagf|", None),
        ("CDEF|1GABc:|2GABd|", "efga:|", "CDEF|1GABc:|2GABd|:efga:|", None),
        ("", "CDEF:|", "CDEF:|", "CDEFCDEF"),
    ],
)
def test_a_repeat_begins_where_the_prime_ends_at_the_earliest(prime, drawn, text, played):
    found, kept = continued(HEAD + prime + drawn, len(HEAD + prime))

    assert found == HEAD + text
    assert letters(found[:kept]) == letters(continued(HEAD + prime, len(HEAD + prime))[0])
    assert played is None or letters(found) == played


def test_a_sample_that_is_shown_plays_nothing_of_the_prime_again():
    sample = Sample(HEAD + "CDEF|cdef:|gabc\n", prime_length=len(HEAD + "CDEF|"))
    assert ABC.show(sample) == HEAD + "CDEF|:cdef:|gabc\n"
    pieces = [HEAD + "CDEF|", "cdef:|", "gabc", "defg|", "abc"]
    coming = ABC.showing(replace(sample, symbols=pieces[0]), iter(pieces))
    assert next(coming) == HEAD + "CDEF|:cdef:|gabcdefg|"  # as soon as it is certain


@pytest.mark.parametrize(
    ("prime", "drawn", "played"),
    [
        ("CDEF|", "cdef|1efga:|2gabg|]", "CDEFcdefefgagabg"),
        ("|:CDEF:|", "|:cdef::efga:|", "CDEFCDEFcdefefga"),
        ("", "|:CDEF|[1 GABG:|[2 cdef|]", "CDEFGABGcdef"),
    ],
)
def test_so_many_bars_are_each_played_once(prime, drawn, played):
    given = len(HEAD + prime) if prime else 0
    assert letters(continued(HEAD + prime + drawn, given, once=True)[0]) == played


bar_lines = st.sampled_from(["|", "||", "|]", "|:", ":|", "::", "|1", ":|2", ":|", "|"])


def texts(letters: str) -> st.SearchStrategy[str]:
    bars = st.tuples(st.text(letters, min_size=1, max_size=4), bar_lines).map("".join)
    return st.lists(bars, min_size=1, max_size=6).map("".join)


@few
@given(texts("CDEFGAB"), texts("cdefgab"), st.booleans())
def test_after_the_first_new_note_nothing_of_the_prime_is_heard(prime, drawn, once):
    # Nobody plays what stands in a second ending behind another second ending of one repeat.
    assume(prime.count(":|2") < 2)
    text, kept = continued(HEAD + prime + drawn, len(HEAD + prime), once)
    heard = letters(text)
    new = next(n for n, letter in enumerate(heard) if letter.islower())

    assert heard[new:].islower()
    assert heard[:new] == letters(text[:kept])
    assert set(drawn) & set("cdefgab") <= set(heard[new:]) or ":|2" in drawn or "|1" in drawn


def longest_first(tune: str, bars: int) -> str | None:
    end = ABC.unit_end(HEAD + tune, len(HEAD) + tune.index("c"), bars, over=True)
    return None if end is None else tune[: end - len(HEAD)]


@pytest.mark.parametrize(
    ("tune", "bars", "kept"),
    [
        ("CDEF|cdef|efga|", 1, "CDEF|cdef|"),
        ("CDEF|cdef:|efga|", 2, "CDEF|cdef:|efga|"),
        ("CDcd|cdef|efga|", 1, "CDcd|cdef|"),  # the first goes on with a bar of the prime's
        ("CDEF|cde||f|cdef|", 2, "CDEF|cde||f|cdef|"),  # two parts of a bar are one
        ("CDEF|cdef|", 2, None),
    ],
)
def test_a_bar_is_new_that_begins_after_the_prime(tune, bars, kept):
    assert longest_first(tune, bars) == kept


@pytest.mark.parametrize(
    ("tune", "result"),
    [
        ("CDEF|CDEF:|", "CDEF|CDEF|"),
        ("CDEF|CDEF|]", "CDEF|CDEF|"),
        ("|:D|CDEF|CDE:|", "|:D|CDEF|CDE"),
        ("CDEF|CD||", "CDEF|CD"),
        ("CDEF|CD|", "CDEF|CD"),
        ("CDEF|(3CDE F2|", "CDEF|(3CDE F2|"),
        ("CDEF|[M:3/4]CDE|", "CDEF|[M:3/4]CDE|"),
        ("CDEF|1C2:|2CD|]", "CDEF|1C2:|2CD"),
        ("CDEF|CDEFG|", "CDEF|CDEFG|"),
        ("CDEF", "CDEF"),
    ],
)
def test_a_prime_that_ends_in_a_part_of_a_bar_stays_open(tune, result):
    assert opened(HEAD + tune) == HEAD + result


def test_bars_without_a_metre_are_counted_by_their_lines():
    head = "M:none\nL:1/4\nK:C\n"
    text = head + "CD|EFGAB|C|D|"
    assert ABC.unit_end(text, len(head + "CD|"), 2, over=True) == len(head + "CD|EFGAB|C|")


def test_music_without_a_metre_ends_with_its_bar_line():
    assert opened("M:none\nL:1/4\nK:C\nCD|]").endswith("CD|")


def test_a_half_bar_is_filled_by_what_is_drawn(tmp_path):
    (tmp_path / "half.abc").write_text(HALF_BAR)
    prime = read_prime(ABC, tmp_path / "half.abc", BARS)
    assert prime.symbols.endswith("G2F|E3")

    sample = Sample(prime.symbols + " GAB|c6|]", prime_length=len(prime.symbols))
    performance = SampleExport(ABC, sample)
    assert len(performance.piece.time_signatures) == 1
    assert (performance.piece.pickup, performance.new_bars) == (36, 1)


@pytest.fixture(scope="module")
def folk():
    return seqforge.load("folk")


def check_continuations(folk, path, count: int, bars: int | None) -> None:
    """Each begins with the prime, plays nothing of it again, and has the bars that were wanted."""
    domain = folk.domain
    symbols = read_prime(domain, path, BARS).symbols
    ends = {"bars": bars, "length": 1000 * bars} if bars else {"min_length": 80}
    how = {"prime": Prompt(symbols), "temperature": 0.8, "seed": 1}
    for sample in folk.sample(count, **how, **ends):
        performance = SampleExport(domain, sample)
        prime = SampleExport(domain, replace(sample, symbols=symbols)).piece.notes
        notes = performance.piece.notes
        assert [n[::2] for n in notes[: len(prime)]] == [n[::2] for n in prime]
        given, heard = ([n.pitch for n in part] for part in (prime, notes[len(prime) :]))
        places = range(len(heard) - len(given) + 1)
        assert not any(heard[n : n + len(given)] == given for n in places)
        assert bars is None or performance.new_bars == bars
        assert parser.decode(performance.abc, 24).piece.notes == notes


def test_a_continuation_of_a_melody_is_new(folk, tmp_path):
    (tmp_path / "half.abc").write_text(HALF_BAR)
    for path in (data_folder() / "melody.mid", tmp_path / "half.abc"):
        check_continuations(folk, path, 3, None)
        check_continuations(folk, path, 2, 8)


@pytest.mark.slow
@pytest.mark.parametrize("bars", [None, 16])
def test_eighty_continuations_are_new(folk, shared_data, tmp_path, bars):
    (tmp_path / "half.abc").write_text(HALF_BAR)
    bach = shared_data / "music" / "midi" / "bach-prelude-c-major-bwv846.mid"
    ours = [data_folder() / name for name in ("melody.mid", "tunes.abc")]
    for path in (*ours, bach, tmp_path / "half.abc"):
        check_continuations(folk, path, 20, bars)


@pytest.mark.parametrize(
    ("prime", "drawn", "bars", "kept"),
    [
        ("R-T-R-T-|", "V-V-V-V-|V_", 1, "V-V-V-V-|"),
        ("R-T-", "V-V-|R-R-R-R-|R", 1, "V-V-|R-R-R-R-|"),  # the first ends a bar of the prime's
        ("R-", "T-~V-V-V-V-|R-R-R-R-|R", 1, "T-~V-V-V-V-|"),  # of a grammar that was left out
        ("R-~", "R-R-R-R-|T-T-T-T-|", 2, "R-R-R-R-|T-T-T-T-|"),
        ("", "R-~R-R-R-R-|T-T-T-T-|", 1, "R-~R-R-R-R-|"),
        ("", "R-R-R-", 1, None),
    ],
)
def test_bars_of_events_that_begin_after_the_prime_are_new(prime, drawn, bars, kept):
    domain = MusicDomain(code="events")
    end = domain.unit_end(prime + drawn, len(prime), bars, over=True)

    assert end == (None if kept is None else len(prime + kept))
    if kept:
        sample = Sample(prime + kept, prime_length=len(prime), settings={"bars": bars})
        assert SampleExport(domain, sample).new_bars == bars


def test_the_last_of_so_many_bars_of_events_ends_with_its_bar_line():
    performance = SampleExport(MusicDomain(code="events"), Sample("R-R-R-R9-|"))
    assert (performance.piece.end, performance.new_bars) == (126, 2)
    sample = replace(performance.sample, settings={"bars": 1})
    performance = SampleExport(MusicDomain(code="events"), sample)
    assert (performance.piece.end, performance.new_bars) == (96, 1)


@pytest.mark.parametrize("code", ["abc", "events"])
def test_all_files_of_a_sample_have_the_same_notes(code, tmp_path):
    """MIDI, ABC and MusicXML: of a melody with repeats, a pick-up and a prime."""
    domain = MusicDomain(code=code)
    prime = read_prime(domain, data_folder() / "tunes.abc", 4).symbols
    text = prime + "|c2e gec|BAG A2B|1c6:|2c3 c2:|" if code == "abc" else prime
    performance = SampleExport(domain, Sample(text, prime_length=len(prime)))
    files = {
        path.suffix: path
        for path in write_quick(performance, tmp_path / "x", ("mid", "abc", "musicxml"))
    }

    wanted = [(n.pitch, n.start, n.duration) for n in performance.piece.notes]
    midi, _ = parse_midi(files[".mid"].read_bytes(), 24, "x")
    score, _ = read_musicxml(files[".musicxml"], 24)
    abc = parser.decode(files[".abc"].read_text(), 24).piece
    for piece in (midi, score, abc):
        assert [(n.pitch, n.start, n.duration) for n in piece.notes] == wanted
        assert piece.time_signatures == performance.piece.time_signatures
        assert piece.pickup == performance.piece.pickup
    assert len(sounding(files[".musicxml"].read_text())) == len(wanted)
