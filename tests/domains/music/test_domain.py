"""MusicDomain: what the commands use."""

from __future__ import annotations

import random
import subprocess
import sys

import mido
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqforge.base.paths import data_folder
from seqforge.core.data.domain import HasDefaultInput, Sample, Settles
from seqforge.domains.music import event_codec
from seqforge.domains.music.domain import MusicDomain
from seqforge.domains.music.midi.midi_file import midi_bytes, parse_midi, read_midi
from seqforge.domains.music.notes import Note, Piece, normalised
from seqforge.errors import InputError

ABC = MusicDomain(code="abc")
EVENTS = MusicDomain(code="events")
TUNES, MELODY = data_folder() / "tunes.abc", data_folder() / "melody.mid"


def test_it_has_a_default_input_and_settles():
    assert isinstance(ABC, HasDefaultInput)
    assert isinstance(ABC, Settles)


def test_the_default_input_is_three_books_read_where_they_lie():
    paths = ABC.default_input()
    assert len(paths) > 1000
    assert all("music21" in path.parts and path.suffix == ".abc" for path in paths)


def test_auto_is_abc_only_where_every_file_is():
    auto = MusicDomain()
    assert auto.settle([TUNES]).code == "abc"
    assert auto.settle([TUNES, MELODY]).code == "events"
    assert auto.settle([MELODY]).code == "events"
    assert EVENTS.settle([TUNES]) is EVENTS


def test_unknown_formats_are_refused():
    with pytest.raises(ValueError, match="'mid', 'abc', 'musicxml', 'svg', 'png', 'wav' or 'ogg'"):
        MusicDomain(formats=("mp3",))


def test_unknown_options_are_refused():
    with pytest.raises(ValueError, match="grid"):
        MusicDomain(grid=3)


def test_midi_for_an_abc_model_names_the_remedy():
    with pytest.raises(InputError, match="--code events"):
        list(ABC.read(MELODY))


def test_a_file_without_music_is_refused(tmp_path):
    path = tmp_path / "x.abc"
    path.write_text("Dear diary,\n\nnothing here.\n")
    with pytest.raises(InputError, match="no ABC tune in it"):
        list(ABC.read(path))
    with pytest.raises(InputError, match="there is no such file"):
        list(ABC.read(tmp_path / "missing.abc"))


def test_reading_a_book_says_what_was_dropped(tmp_path):
    path = tmp_path / "x.abc"
    tune = 'X:1\nT:One\nK:C\n"C"CDE{f}F|\n\n'
    path.write_text(tune + tune + "X:3\nT:no key\nCDE\n")

    (record,) = ABC.read(path)

    assert (record.name, record.group) == ("One", "x.abc")
    assert record.note == (
        "dropped 1 duplicate tunes, 2 grace notes, 1 tunes without K: or without notes"
    )


@pytest.mark.parametrize("domain", [ABC, EVENTS], ids=["abc", "events"])
def test_reading_what_was_written_gives_the_symbols_back(domain, tmp_path):
    for number, record in enumerate(domain.read(TUNES), 1):
        path = tmp_path / f"{number}.mid"
        files = domain.write([Sample(record.symbols, model="m", number=number)], path)
        assert files == [path, path.with_suffix(".abc")]

        (again,) = domain.read(files[domain.code == "abc"])
        assert again.symbols == record.symbols


def test_several_samples_are_numbered_and_say_how_they_were_made(tmp_path):
    samples = [
        Sample("K:G\nGAB|", number=n, model="folk", temperature=0.8, seed=5, mean_log_prob=-1.25)
        for n in (1, 2)
    ]

    files = ABC.write(samples, tmp_path / "t0.8.mid")

    assert [f.name for f in files] == [
        "t0.8-001.mid", "t0.8-001.abc", "t0.8-002.mid", "t0.8-002.abc"
    ]  # fmt: skip
    said = "seqforge music: folk, temperature 0.8, seed 5, sample 2, mean log-probability -1.2500"
    assert said in mido.MidiFile(files[2]).tracks[0][0].text
    assert files[3].read_text() == (
        f"X:2\nT:folk, seed 5, sample 2\nN:{said}\nM:4/4\nL:1/8\nK:G\nGAB|\n"
    )


def rubbish() -> list[tuple[MusicDomain, str]]:
    rng = random.Random(1)
    abc = " \n|:[]()<>-/,'^_=%{}!\"ABCDEFGabcdefgzZxKML123456789"
    tokens = "".join(event_codec.TOKENS) + "|~+"
    texts = [(ABC, text) for text in ("", "|", "K:C", "M:3/4\nL:1/8\nK:G\n", "\n\nX:2\n\nA")]
    texts += [(EVENTS, ""), (EVENTS, "|||"), (EVENTS, tokens[:600])]
    for _ in range(6):
        texts.append((ABC, "".join(rng.choices(abc, k=150))))
        texts.append((EVENTS, "".join(rng.choices(tokens, k=60))))
    return texts


@pytest.mark.filterwarnings("ignore")  # of music21 about its own guesses
@pytest.mark.parametrize("number", range(len(rubbish())))
def test_every_written_file_is_read_by_mido_pretty_midi_and_music21(number, tmp_path):
    import music21
    import pretty_midi

    domain, text = rubbish()[number]

    midi, abc = domain.write([Sample(text)], tmp_path / "x.mid")

    assert mido.MidiFile(midi).length > 0
    pretty_midi.PrettyMIDI(str(midi))
    music21.converter.parse(str(midi), forceSource=True)
    assert abc.read_text().startswith("X:1\nT:")
    assert domain.show(Sample(text)).endswith("\n")


def test_a_midi_prime_becomes_abc_with_its_pickup_key_and_metre():
    assert ABC.prime(MELODY) == (
        "M:6/8\nL:1/8\nK:Em\n"
        "E|G2A B>cB|A2F D>EF|G2E E>^DE|F2^D B,2E|\n"
        "G2A B>cB|A2F D>EF|G>FE ^D>^CD|E3 E2"
    )


def test_primes_of_the_other_kind_are_turned_into_the_code():
    notes = EVENTS.decode(EVENTS.prime(TUNES)).piece.notes
    assert notes[:20] == EVENTS.decode(EVENTS.prime(MELODY)).piece.notes[:20]
    assert EVENTS.prime("as typed") == "as typed"
    assert ABC.prime(TUNES).endswith("E3 E2")  # and the bar goes on


def test_a_prime_of_a_whole_bar_ends_with_a_bar_line(tmp_path):
    path = tmp_path / "x.mid"
    notes = tuple(Note(60 + i, 80, 24 * i, 24) for i in range(4))
    path.write_bytes(midi_bytes(normalised(Piece(notes))))
    assert ABC.prime(path).endswith("E2|")


@pytest.mark.parametrize("domain", [ABC, EVENTS], ids=["abc", "events"])
def test_the_end_of_a_bar_after_a_prime_is_found(domain):
    whole = domain.prime(TUNES)
    given = whole.index("|" if domain is ABC else "~") + 1

    end = domain.unit_end(whole, given, 4, over=True)

    assert domain.bars(whole[:end]) - domain.bars(whole[:given]) == 4
    assert domain.unit_end(whole, given, 99, over=True) is None


@given(st.text("ABc|:[]12\nK ", max_size=60), st.integers(1, 4), st.integers(0, 20))
def test_where_a_bar_ends_does_not_change_as_more_is_drawn(text, bars, given):
    """Else a sample would hang on how many symbols are drawn at a time."""
    final = ABC.unit_end(text, given, bars, over=True)
    for length in range(len(text)):
        early = ABC.unit_end(text[:length], given, bars, over=False)
        assert early in (None, final)


@pytest.mark.filterwarnings("ignore")
def test_musicxml_gives_the_notes_that_music21_wrote(tmp_path):
    import music21

    piece, _ = read_midi(MELODY, 24)
    score = music21.converter.parse(str(MELODY), forceSource=True, quantizePost=False)
    path = tmp_path / "x.musicxml"
    score.write("musicxml", path)

    (record,) = EVENTS.read(path)

    pitches = [note.pitch for note in EVENTS.decode(record.symbols).piece.notes]
    assert pitches == [note.pitch for note in piece.notes]


@pytest.mark.parametrize(
    "data", [b"<a>", b"<?xml version='1.0'?><score-partwise/>", b"PK\3\4rubbish"]
)
def test_broken_musicxml_is_one_sentence(data, tmp_path):
    path = tmp_path / "x.musicxml"
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"x\.musicxml: ") as caught:
        list(EVENTS.read(path))
    assert "\n" not in str(caught.value)


def test_the_melody_that_ships_is_its_own_golden_file():
    piece, note = read_midi(MELODY, 24)
    assert note == ""
    assert (len(piece.notes), piece.pickup) == (38, 12)
    text = mido.MidiFile(MELODY).tracks[0][0].text
    assert midi_bytes(piece, text) == MELODY.read_bytes()
    assert parse_midi(MELODY.read_bytes(), 24, "x")[0] == piece


def test_importing_it_loads_nothing_heavy():
    code = (
        "import sys, seqforge.domains.music.domain\n"
        "slow = 'torch', 'music21', 'pretty_midi', 'matplotlib', 'mido', 'soundfile', 'jinja2'\n"
        "print([module for module in slow if module in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_neither_a_pick_up_nor_the_line_that_closes_a_prime_is_a_bar():
    head = "M:3/4\nL:1/8\nK:G\n"
    new = head + "G|A2 B2 c2|d6|e6|]"
    assert ABC.unit_end(new, 0, 1, over=True) == len(head + "G|A2 B2 c2|")
    prime = head + "A6|B6"
    assert ABC.unit_end(prime + "||c6|d6|]", len(prime), 1, over=True) == len(prime + "||c6|")
