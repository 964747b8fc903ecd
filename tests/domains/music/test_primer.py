"""Melodies to go on from, and how what is drawn after them is put out."""

import mido
import pytest

from seqforge.base.paths import data_folder
from seqforge.core.data.domain import Sample
from seqforge.domains.music.domain import MusicDomain
from seqforge.domains.music.midi.midi_file import midi_bytes, read_midi
from seqforge.domains.music.notes import (
    DRUMS,
    KeySignature,
    Note,
    Piece,
    Tempo,
    TimeSignature,
    normalised,
)
from seqforge.domains.music.primer import BARS, read_prime
from seqforge.domains.music.render.sample_export import SampleExport
from seqforge.errors import InputError

TUNES, MELODY = data_folder() / "tunes.abc", data_folder() / "melody.mid"
DOMAINS = {
    (code, key): MusicDomain(code=code, key=key)
    for code in ("abc", "events")
    for key in ("as written", "C")
}
ABC, EVENTS = DOMAINS["abc", "as written"], DOMAINS["events", "as written"]


def saved(path, piece):
    path.write_bytes(midi_bytes(normalised(piece)))
    return path


def long_piece(bars=100):
    """Quarters in 3/4 after a pick-up; from bar 80 on in D, faster, in 2/4."""
    turn = 24 + 79 * 72
    return Piece(
        tuple(Note(60 + i % 12, 80, 24 * i, 24, 5) for i in range(1 + 79 * 3 + (bars - 79) * 2)),
        24,
        (Tempo(0, 600_000), Tempo(turn, 400_000)),
        (TimeSignature(0, 3, 4), TimeSignature(turn, 2, 4)),
        (KeySignature(0, 0, False), KeySignature(turn, 2, False)),
        24,
    )


@pytest.mark.parametrize("domain", DOMAINS.values(), ids=map("-".join, DOMAINS))
def test_what_is_put_out_begins_with_what_was_given(domain):
    """Pitches, lengths, metre, pick-up, key and tempo of the file, whatever the model knows."""
    given, _ = read_midi(MELODY, 24)
    prime = read_prime(domain, MELODY, BARS)
    then = MusicDomain(**{**vars(domain), "transpose": -prime.moved, "tempo": prime.tempo})

    piece = SampleExport(then, Sample(prime.symbols, prime_length=len(prime.symbols))).piece

    assert [note[:1] + note[2:4] for note in piece.notes] == [n[:1] + n[2:4] for n in given.notes]
    assert piece.time_signatures == given.time_signatures
    assert piece.key_signatures == given.key_signatures
    assert piece.pickup == given.pickup == 12
    assert piece.tempos == given.tempos
    assert (prime.moved, str(prime.key)) == ((-4, "Cm") if domain.key == "C" else (0, "Em"))
    assert any("what it draws is moved back" in note for note in prime.notes) == bool(prime.moved)


@pytest.mark.parametrize("code", ["abc", "events"])
def test_a_long_prime_is_its_last_bars_in_what_holds_there(code, tmp_path):
    domain = DOMAINS[code, "as written"]
    path = saved(tmp_path / "x.mid", long_piece())

    short = read_prime(domain, path, 4)
    longer = read_prime(domain, path, 30)

    assert (short.tempo, str(short.key)) == (400_000, "D")
    assert (longer.tempo, str(longer.key)) == (600_000, "C")
    piece = domain.decode(short.symbols).piece
    assert (len(piece.notes), piece.pickup) == (8, 0)
    assert piece.time_signatures == (TimeSignature(0, 2, 4),)
    piece = domain.decode(longer.symbols).piece
    assert len(piece.notes) == 21 * 2 + 9 * 3
    assert piece.time_signatures == (TimeSignature(0, 3, 4), TimeSignature(9 * 72, 2, 4))
    assert short.notes == (
        "the last 4 of 101 bars are gone on from; a model remembers no further back",
    )
    whole = read_prime(domain, path, None)
    assert domain.decode(whole.symbols).piece.pickup == 24
    assert whole.notes == ()


def test_a_long_tune_is_cut_at_a_bar_line_in_what_holds_there(tmp_path):
    path = tmp_path / "x.abc"
    path.write_text("X:1\nQ:1/4=90\nM:4/4\nL:1/8\nK:G\nA8|B8|[K:D][M:3/4]c6|\n[L:1/4]d3|e3|f3|]\n")
    prime = read_prime(ABC, path, 2)
    assert prime.symbols == "M:3/4\nL:1/4\nK:D\ne3|f3|"
    assert prime.tempo == round(60e6 / 90)
    assert (
        read_prime(ABC, path, 4).symbols == "M:4/4\nL:1/8\nK:G\n[K:D][M:3/4]c6|\n[L:1/4]d3|e3|f3|"
    )


def test_bars_of_many_symbols_are_fewer(tmp_path):
    notes = tuple(Note(48 + i % 40, 60 + i % 7 * 8, 6 * i, 5) for i in range(2_000))
    path = saved(tmp_path / "x.mid", Piece(notes))
    for domain in (ABC, EVENTS):
        assert 2_500 < len(read_prime(domain, path, BARS).symbols) <= 4_000


def test_a_melody_is_taken_out_of_many_parts_and_this_is_said(tmp_path):
    high = [Note(72 + i, 90, 24 * i, 24, 40) for i in range(8)]
    low = [Note(48, 70, 48 * i, 48, 0) for i in range(4)]
    path = saved(tmp_path / "x.mid", Piece((*high, *low)))

    prime = read_prime(ABC, path, BARS)

    notes = ABC.decode(prime.symbols).piece.notes
    assert [note.pitch for note in notes] == [note.pitch for note in high]
    assert prime.program == 40
    assert prime.notes == (
        "2 instruments reduced to the melody, 8 of 12 notes, since this model goes on "
        "with a single voice",
    )
    kept = read_prime(EVENTS, path, BARS)
    assert len(EVENTS.decode(kept.symbols).piece.notes) == 12
    assert kept.notes == ()


def test_percussion_alone_is_no_melody(tmp_path):
    path = saved(tmp_path / "x.mid", Piece((Note(38, 90, 0, 24, DRUMS),)))
    with pytest.raises(InputError, match=r"x\.mid: holds percussion alone, .* --code events"):
        read_prime(ABC, path, BARS)
    assert EVENTS.decode(read_prime(EVENTS, path, BARS).symbols).piece.notes


def test_a_prime_without_notes_is_one_sentence(tmp_path):
    file = mido.MidiFile()
    file.tracks.append(mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=400_000)]))
    file.save(tmp_path / "x.mid")
    (tmp_path / "x.abc").write_text("X:1\nK:G\nz4|z4|\n")
    for domain in (ABC, EVENTS):
        with pytest.raises(InputError, match=r"x\.mid: there is no note in it"):
            read_prime(domain, tmp_path / "x.mid", BARS)
        with pytest.raises(InputError, match=r"x\.abc: no ABC tune in it"):
            read_prime(domain, tmp_path / "x.abc", BARS)
        with pytest.raises(InputError, match=r"y\.mid: there is no such file"):
            read_prime(domain, tmp_path / "y.mid", BARS)


def test_the_first_of_several_tunes_is_named():
    assert "the first of its tunes, Greensleeves" in read_prime(ABC, TUNES, BARS).notes[0]


@pytest.mark.parametrize("domain", [DOMAINS["abc", "C"], EVENTS], ids=["abc", "events"])
def test_any_real_file_is_gone_on_from(domain, midi_files):
    for path in midi_files:
        prime = read_prime(domain, path, BARS)
        assert 0 < len(prime.symbols) <= 4_000
        assert domain.decode(prime.symbols).piece.notes
        assert domain.key != "C" or prime.key.tonic == "C"
        assert -6 < prime.moved < 7


def test_what_is_drawn_is_moved_by_semitones_or_into_a_key():
    tune = Sample("M:4/4\nL:1/8\nK:Em\nE2 G2 B2 e2|")

    def out(**options):
        performance = SampleExport(MusicDomain(code="abc", **options), tune)
        return [note.pitch for note in performance.piece.notes], performance.abc

    for options, pitches, key in (
        ({}, [64, 67, 71, 76], "Em"),
        ({"transpose": 3}, [67, 70, 74, 79], "Gm"),
        ({"transpose": -5}, [59, 62, 66, 71], "Bm"),
        ({"into_key": "D"}, [62, 65, 69, 74], "Dm"),
        ({"into_key": "Am"}, [69, 72, 76, 81], "Am"),
        ({"into_key": "Am", "transpose": 12}, [81, 84, 88, 93], "Am"),
    ):
        found, abc = out(**options)
        assert found == pitches, options
        assert f"\nK:{key}\n" in abc
    events = MusicDomain(code="events", into_key="F#m")
    piece = Piece((Note(64, 80, 0, 24),), key_signatures=(KeySignature(0, 1, True),))
    from seqforge.domains.music.event_codec import encode

    moved = SampleExport(events, Sample(encode(piece))).piece
    assert (moved.notes[0].pitch, moved.key_signatures) == (66, (KeySignature(0, 3, True),))


def test_tempo_and_instrument_of_the_prime_are_put_out():
    domain = MusicDomain(code="abc", tempo=674_157, program=40)
    performance = SampleExport(domain, Sample("K:C\nCDE|"))
    assert performance.piece.tempos == (Tempo(0, 674_157),)
    assert {note.program for note in performance.piece.notes} == {40}
    assert "\nQ:1/4=89\nM:4/4\n" in performance.abc


@pytest.mark.parametrize(
    ("text", "quarters"),
    [
        (
            "X:1\nQ:60\nM:4/4\nK:C\n\nX:2\nQ:1/4=200\nM:4/4\nL:1/8\nK:C\nCDEF|\n",
            200,
        ),  # one is empty
        ("X:1\nM:4/4\nL:1/4\nQ:C=100\nK:C\nCDEF|\n", 100),  # a unit a beat
        ("X:1\rM:4/4\rL:1/8\rQ:1/4=90\rK:C\rCDEF|\r", 90),
        ("X:1\nM:4/4\nL:1/8\nK:C\nCDEF|\n\nX:2\nQ:1/4=90\nK:C\nC|\n", 0),
    ],
)
def test_the_tempo_is_that_of_the_tune_that_is_gone_on_from(text, quarters, tmp_path):
    path = tmp_path / "tune.abc"
    path.write_text(text)
    tempo = read_prime(MusicDomain(code="abc"), path, BARS).tempo
    assert tempo == (round(60e6 / quarters) if quarters else 0)


def test_a_piece_is_moved_to_c_alike_when_it_is_learnt_and_when_it_is_gone_on_from(tmp_path):
    """Its first signature comes late, and says another key than its notes before."""
    notes = [Note(pitch, 80, 24 * i, 24) for i, pitch in enumerate((69, 73, 76, 73, 69, 64) * 3)]
    piece = normalised(Piece(tuple(notes), key_signatures=(KeySignature(96, -3, False),)))
    path = saved(tmp_path / "late.mid", piece)
    domain = MusicDomain(code="events", key="C")
    (record,) = domain.read(path)
    learnt = domain.decode(record.symbols).piece.notes
    given = domain.decode(read_prime(domain, path, BARS).symbols).piece.notes
    assert [note.pitch for note in learnt] == [note.pitch for note in given]
