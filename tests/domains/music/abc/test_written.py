"""A tune as it is written: each repeat once, and every note is of the symbols that write it."""

from seqforge.domains.music.abc.parser import decode
from seqforge.domains.music.abc.written import written_piece
from seqforge.domains.music.annotations import tune_on_staff
from seqforge.domains.music.domain import MusicDomain
from tests.conftest import ROOT

HEAD = "M:2/4\nL:1/8\nK:G\n"


def told(text):
    """Pitch, first step and written symbols of each sound."""
    spans = {note.start: text[note.start : note.stop].strip() for note in tune_on_staff(text).notes}
    found = written_piece(text, 12)
    return [(one.pitch, one.step, spans[one.symbol]) for one in sorted(found.sounds)]


def test_repeats_are_written_once_and_notes_are_of_their_symbols():
    text = HEAD + "|:F2 ^c2|1[DA]4:|2{e}z2 c-|c4|]"
    assert told(text) == [
        (66, 0, "F2"), (73, 12, "^c2"), (62, 24, "[DA]4"), (69, 24, "[DA]4"),
        (72, 60, "c"), (72, 66, "c4"),
    ]  # fmt: skip
    found = written_piece(text, 12)
    signs = [(sign.step, sign.closes, sign.opens, sign.ending) for sign in found.signs]
    assert signs[:3] == [(0, False, True, ""), (24, False, False, "1"), (48, True, False, "2")]
    assert found.piece.end == 90
    assert [note.pitch for note in found.piece.notes] == [66, 73, 62, 69, 72]


def test_voices_sound_together_and_keep_their_symbols():
    text = "V:1\nV:2\nM:2/4\nL:1/8\nK:C\nV:1\nc4|d4|\nV:2\nE4|F4|"
    found = written_piece(text, 12)
    assert sorted((one.step, one.pitch, text[one.symbol]) for one in found.sounds) == [
        (0, 64, "E"), (0, 72, "c"), (24, 65, "F"), (24, 74, "d"),
    ]  # fmt: skip


def test_tunes_without_their_repeats_are_as_they_are_played():
    for tune in MusicDomain().read(ROOT / "data" / "tunes.abc"):
        plain = tune.symbols.replace("|:", "|").replace(":|", "|")
        written, played = written_piece(tune.symbols, 24), decode(plain, 24)
        assert written.piece.notes == played.piece.notes
        starts = {(note.start, note.pitch) for note in written.piece.notes}
        assert starts <= {(one.step, one.pitch) for one in written.sounds}
