"""What the ABC standard 2.1 says a player hears, section by section."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from seqforge.domains.music.abc import parser, tune_books
from seqforge.domains.music.abc.fields import split_tunes
from seqforge.domains.music.abc.repair import repaired
from seqforge.domains.music.abc.tune_books import clean_tune
from seqforge.domains.music.domain import MusicDomain
from seqforge.domains.music.primer import read_prime
from tests.steps import growth

HEAD = "X:1\nT:t\nM:4/4\nL:1/4\nK:C\n"
C, D, E, F, G, A, B, HIGH_C = 60, 62, 64, 65, 67, 69, 71, 72
SCALE = [C, D, E, F, G, A, B, HIGH_C]


def heard(text: str) -> list[int]:
    """Pitches in the order in which they begin, the lowest first."""
    return [note.pitch for note in parser.decode(text, 24).piece.notes]


def timed(text: str) -> list[tuple[float, int, float]]:
    """Start in quarters, pitch and duration of each note."""
    notes = parser.decode(text, 24).piece.notes
    return [(note.start / 24, note.pitch, note.duration / 24) for note in notes]


def cleaned(text: str, all_voices: bool = False) -> str:
    return clean_tune(next(split_tunes(text)), Counter(), all_voices)


ONE_VOICE = {
    "a key after a backslash": (HEAD + "CDEF|\\\nK:D\nFFCC|\n", [C, D, E, F, 66, 66, 61, 61]),
    "a part after a backslash": (HEAD + "CDE\\\nP:B\nF|GABc|\n", SCALE),
    "a comment behind it": (HEAD + "CDEF|\\  % more\n% and more\nK:D\nFC|", [*SCALE[:4], 66, 61]),
    "blanks behind it": (HEAD + "CDEF|\\   \nL:1/8\nG2A2B2c2|", SCALE),
    "words between": (HEAD + "CDEF|\\\nw:one two\nGABc|", SCALE),
    "a block of text": (HEAD + "CDEF|\n%%begintext\nABCD efga\n\n%%endtext\nG4|", [C, D, E, F, G]),
    "a block of PostScript": (HEAD + "%%beginps\n/C{GAB}def\n%%endps\nCDEF|", [C, D, E, F]),
    "a block that never ends": (HEAD + "%%beginsvg\nCDEF|\n", [C, D, E, F]),
    "+: goes on with words": (HEAD + "CDEF|\nw:la la\n+:A B C D\nG4|", [C, D, E, F, G]),
    "+: goes on with a key": ("X:1\nL:1/4\nK:D\n+:=c\nCFG|", [C, 66, G]),
    "a rest of several bars": ("M:3/4\nL:1/4\nK:C\nCDE|Z4|GAB|", [C, D, E, G, A, B]),
    "an octave below": ("M:4/4\nL:1/4\nK:C clef=treble-8\nCD", [48, 50]),
    "an octave above, by the name alone": ("L:1/4\nK:C treble+8\nCD", [72, 74]),
    "bass clef, an octave below": ("L:1/4\nK:C bass-8\nCD", [48, 50]),
    "a bass clef moves nothing": ("L:1/4\nK:C bass\nCD", [C, D]),
    "octave=": ("L:1/4\nK:C octave=-1\nCD", [48, 50]),
    "transpose=": ("L:1/4\nK:C transpose=-2\nCDEF|", [58, 60, 62, 63]),
    "all three add up": ("L:1/4\nK:C treble-8 octave=1 transpose=-2\nCD", [58, 60]),
    "sound=": ("L:1/4\nK:C sound=CA,\nCD", [57, 59]),
    "score= is for the page": ("L:1/4\nK:C score=CA,\nCD", [C, D]),
    "a clef in the middle": ("L:1/4\nK:D\nF[K:treble-8]F[K:C treble]F", [66, 54, F]),
    "a clef keeps the key": ("L:1/4\nK:D\nF[K:clef=bass]F", [66, 66]),
    "%%MIDI transpose": ("L:1/4\nK:C\n%%MIDI transpose 12\nCD\nI:MIDI transpose 0\nC", [72, 74, C]),
    "exp": ("L:1/4\nK:D exp _b\nFcB|", [F, HIGH_C, 70]),
    "exp without a key": ("L:1/4\nK:exp ^f\nFC|", [66, C]),
    "accidentals beside the signature": ("L:1/4\nK:D =c ^g\nFcG|", [66, HIGH_C, 68]),
    "accidentals without spaces": ("L:1/4\nK:Aphr_B^C\nBCF|", [70, 61, F]),
    "no key": ("L:1/4\nK:none\nFCG|", [F, C, G]),
    "parts in order": ("P:ABA\nL:1/4\nK:C\nP:A\nCD|\nP:B\nEF|", [C, D, E, F, C, D]),
    "parts in brackets": ("P:A(BC)2.A2\nK:C\nP:A\nC\nP:B\nD\nP:C\nE\n", [C, D, E, D, E, C, C]),
    "parts inline": ("P:BA\nL:1/4\nK:C\n[P:A]CD|[P:B]EF|", [E, F, C, D]),
    "a part keeps its key": ("P:ABA\nL:1/4\nK:C\nP:A\nF|\nP:B\nK:D\nF|", [F, 66, F]),
    "parts that are written out": ("P:ABA\nK:C\nP:A\nC\nP:B\nD\nP:A\nE", [C, D, E]),
    "no repeat leaves a part": ("P:AB\nL:1/4\nK:C\nP:A\nC|\nP:B\nD:|", [C, D, D]),
    "music before the parts": ("P:A2\nL:1/4\nK:C\nC|\nP:A\nD:|", [C, D, D, D, D]),
    "back to the last double bar": (HEAD + "CDEF||GABc:|", [*SCALE, *SCALE[4:]]),
    "back to a thin and thick one": (HEAD + "CDEF[|GABc:|", [*SCALE, *SCALE[4:]]),
    "an invisible bar line is single": (HEAD + "CD[|]EF:|", [C, D, E, F] * 2),
    "a dotted bar line is single": (HEAD + "CD.|EF:|", [C, D, E, F] * 2),
    "three times": (HEAD + "|::CD::|E|", [C, D] * 3 + [E]),
    "::": (HEAD + "|:C::D:|", [C, C, D, D]),
    ":|:": (HEAD + "|:C:|:D:|", [C, C, D, D]),
    ":||:": (HEAD + "|:C:||:D:|", [C, C, D, D]),
    "endings with a comma": (HEAD + "|:C|1,3D:|2E:|F|", [C, D, C, E, C, D, F]),
    "endings with a range": (HEAD + "|:C|[1-3D:|[4E|]F|", [C, D] * 3 + [C, E, F]),
    "an ending after a space": (HEAD + "|:C|1D:| [2E|]", [C, D, C, E]),
    "an ending on the next line": (HEAD + "|:C|1D:|\n[2E|]", [C, D, C, E]),
    "decorations that jump are not played": (HEAD + "C!segno!D!fine!E|!D.C.!F|", [C, D, E, F]),
    "user's symbols": (HEAD + "U:T=!trill!\nTC uDvE|", [C, D, E]),
    "a macro": (HEAD + "m:~G2=G/A/G\n~G2C|", [G, A, G, C]),
    "a macro for any note": (HEAD + "m:~n2=n/o/m\n~G2~C2|", [G, A, F, C, D, B - 12]),
    "a macro of the file": ("m:~=C\n\n" + HEAD + "~D~|", [C, D, C]),
    "microtones": ("L:1/4\nK:D\n^/F^3/2C_3/4EF|", [F, 61, E, F]),
    "spacers and slurs": (HEAD + "Cy20D (E(F))|", [C, D, E, F]),
    "a decoration with +": (HEAD + "+trill+CD|", [C, D]),
    "! as a line break": ("X:1\nI:linebreak !\nL:1/4\nK:C\nC!D|!E", [C, D, E]),
    "directives": (HEAD + "%%staffsep 40\nCD\n%%text ABC\nEF|", [C, D, E, F]),
    "lyrics and symbols": (HEAD + "CD|\ns:!f! *\nw:a b\nW:ABC\nEF|", [C, D, E, F]),
    "a file header": ("M:3/4\nL:1/4\n%%MIDI transpose 2\n\nX:1\nK:C\nCDE|", [D, E, 66]),
    "percent in quotes": (HEAD + '"50%"CD|', [C, D]),
    "back-ticks": (HEAD + "C`D``E", [C, D, E]),
    "a key in brackets heads a tune": ("X:1\nL:1/4\n[K:D]F", [66]),
}  # fmt: skip


@pytest.mark.parametrize("case", ONE_VOICE)
def test_what_is_heard(case):
    text, expected = ONE_VOICE[case]
    assert heard(text) == expected, "as it stands"
    symbols = cleaned(text)
    assert heard(symbols) == expected, symbols
    assert cleaned(f"X:1\n{symbols}") == symbols


VOICES = {
    "interleaved": "V:1\nCDEF|\nV:2\nC,4|\nV:1\nGABc|\nV:2\nG,4|\n",
    "inline": "[V:1]CDEF|[V:2]C,4|\n[V:2]G,4|\n[V:1]GABc|\n",
    "named": "V:Tenor clef=treble\nCDEF|\nV:B-2\nC,4|G,4|\nV:Tenor\nGABc|\n",
    "the first unnamed": "CDEF|GABc|\nV:2\nC,4|G,4|\n",
    "the first named later": "CDEF|\nV:2\nC,4|G,4|\nV:1\nGABc|\n",
    "inside of a line": "CDEF|[V:2]C,4|[V:1]GABc|[V:2]G,4|\n",
    "by a backslash": "V:1\nCDEF|\\\nV:2\nC,4|G,4|\\\nV:1\nGABc|\n",
    "octaves of their own": "V:1 octave=1\nC,D,E,F,|\nV:2 clef=bass-8\nC4|G4|\nV:1\nG,A,B,C|\n",
}


@pytest.mark.parametrize("case", VOICES)
def test_all_voices_sound_and_the_top_one_is_learnt_whole(case):
    text = HEAD + VOICES[case]
    lower = [(0, 48, 4), (4, 55, 4)]
    upper = [(i, pitch, 1) for i, pitch in enumerate(SCALE)]

    assert timed(text) == sorted(lower + upper)
    assert timed(cleaned(text)) == upper
    assert timed(cleaned(text, all_voices=True)) == sorted(lower + upper)


@pytest.mark.parametrize(
    "header",
    [
        "V:B\nV:A\n%%score (A B)\nK:C\nV:B\nC,4|\nV:A\nC4|",
        "V:A clef=treble\nV:B clef=bass\nK:C\nV:B\nC,4|\nV:A\nC4|",
        "I:staves [A B]\nK:C\nV:B\nC,4|\nV:A\nC4|",
        "K:C\nV:A\nV:B\nV:A\nC4|\nV:B\nC,4|",
    ],
)
def test_the_top_voice_is_that_of_the_score(header):
    text = f"X:1\nM:4/4\nL:1/4\n{header}"
    assert heard(cleaned(text)) == [60]
    assert heard(text) == [48, 60]


def test_a_field_before_the_voices_holds_for_all_and_one_in_a_voice_for_it():
    text = "X:1\nM:4/4\nL:1/4\nK:C\nM:3/4\nL:1/2\nV:1\nF\nK:D\nF\nV:2\nF,F,\n"
    expected = [(0, 53, 2), (0, 65, 2), (2, 53, 2), (2, 66, 2)]
    assert timed(text) == timed(cleaned(text, all_voices=True)) == expected


TIES = {
    "C2-z2|C4|": [(0, C, 2), (4, C, 4)],
    "[C-E]2[CE]2|": [(0, C, 4), (0, E, 2), (2, E, 2)],
    "[CE]2-[CE]2|": [(0, C, 4), (0, E, 4)],
    "[C-E-]2[CE]2|": [(0, C, 4), (0, E, 4)],
    "C4-|C4-|C4|": [(0, C, 12)],
    "C2D2-|C4|": [(0, C, 2), (2, D, 2), (4, C, 4)],
    "C4-|:C4:|": [(0, C, 8), (8, C, 4)],
    "C4 & E4-|C4 & E4|": [(0, C, 4), (0, E, 8), (4, C, 4)],
    "C4- & E4|C4|": [(0, C, 8), (0, E, 4)],
    "^C4-|C4|C4": [(0, 61, 8), (8, C, 4)],
}


@pytest.mark.parametrize("music", TIES)
def test_ties(music):
    assert timed(HEAD + music) == TIES[music]
    assert timed(cleaned(HEAD + music, all_voices=True)) == TIES[music]


@pytest.mark.parametrize(
    ("music", "expected"),
    [
        ("CDEF & G,4|G4|", [(0, 55, 4), (0, C, 1), (1, D, 1), (2, E, 1), (3, F, 1), (4, G, 4)]),
        ("C4|D4 && E4|F4|G4|", [(0, C, 4), (0, E, 4), (4, D, 4), (4, F, 4), (8, G, 4)]),
        ("(&C4|D4 & E4|F4&)|G4|", [(0, C, 4), (0, E, 4), (4, D, 4), (4, F, 4), (8, G, 4)]),
        ("^C4 & C4|", [(0, C, 4), (0, 61, 4)]),
        ("C4 & E4 & G4|C4", [(0, C, 4), (0, E, 4), (0, G, 4), (4, C, 4)]),
        ("|:C4 & E4:|", [(0, C, 4), (0, E, 4), (4, C, 4), (4, E, 4)]),
    ],
)
def test_overlays_sound_at_once(music, expected):
    assert timed(HEAD + music) == expected
    assert timed(cleaned(HEAD + music, all_voices=True)) == expected
    decoded = parser.decode(HEAD + music, 24)
    assert decoded.full_bars >= decoded.bars - 1 > -1
    assert len(decoded.piece.time_signatures) == 1
    assert "&" not in cleaned(HEAD + music)


def test_a_rest_of_bars_has_bars():
    decoded = parser.decode("M:3/4\nL:1/4\nK:C\nCDE|Z4|GAB|X2|c3|", 24)
    assert (decoded.bars, decoded.full_bars) == (9, 9)
    assert len(decoded.piece.time_signatures) == 1
    assert decoded.piece.notes[-1].start == 8 * 72


@pytest.mark.parametrize(
    ("field", "quarters"),
    [
        ("1/4 3/8 1/4 3/8=40", 200),
        ('"Allegro" 1/4=120', 120),
        ('1/4=96 "slow = 3"', 96),
        ("120", 120),
        ("C=100", 200),
        ("C3=40", 240),
        ("3/8=80", 120),
        ('"Allegro"', 120),
        ("1/0=90", 90),
        ("1/4=0", 120),
    ],
)
def test_tempo(field, quarters):
    piece = parser.decode(f"M:5/4\nL:1/2\nQ:{field}\nK:C\nC", 24).piece
    assert round(60e6 / piece.tempos[0].microseconds) == quarters


@pytest.mark.parametrize(
    ("field", "metre"),
    [("(2+3)/8", (5, 8)), ("2+3/8", (5, 8)), ("C|", (2, 2)), ("C", (4, 4)), ("3/4", (3, 4))],
)
def test_metres(field, metre):
    piece = parser.decode(f"M:{field}\nK:C\nC", 24).piece
    assert piece.time_signatures[0][1:] == metre


@pytest.mark.parametrize("coding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
def test_files_of_any_coding_are_read(coding, tmp_path: Path):
    path = tmp_path / "tune.abc"
    path.write_bytes("X:1\r\nT:Café\r\nM:4/4\r\nL:1/4\r\nK:C\r\nCDEF|\r\n".encode(coding))
    [record] = tune_books.read(path)
    assert (record.name, heard(record.symbols)) == ("Café", [C, D, E, F])


def test_titles_have_their_accents(tmp_path: Path):
    path = tmp_path / "tune.abc"
    path.write_text("X:1\nT:\\'Etude \\\"uber &eacute;t\\u00e9 100\\% % a comment\nK:C\nC|\n")
    assert next(tune_books.read(path)).name == "Étude über été 100%"


def test_a_file_header_holds_for_every_tune(tmp_path: Path):
    path = tmp_path / "book.abc"
    path.write_text("M:3/4\nL:1/4\nT:all\n\nX:1\nT:a\nK:G\nGAB|\n\nX:2\nT:b\nM:2/4\nK:C\nCD|\n")
    first, second = tune_books.read(path)
    assert first.symbols == "M:3/4\nL:1/4\nK:G\nGAB|"
    assert (second.name, second.symbols) == ("b", "M:2/4\nL:1/4\nK:C\nCD|")


def test_events_keep_all_voices_where_abc_has_the_top_one(tmp_path: Path):
    path = tmp_path / "two.abc"
    path.write_text(HEAD + VOICES["interleaved"])
    for code, pitches in (("abc", SCALE), ("events", sorted([48, 55, *SCALE]))):
        domain = MusicDomain(code=code)
        [record] = domain.read(path)
        assert sorted(n.pitch for n in domain.decode(record.symbols).piece.notes) == pitches
    assert "further voices" in next(MusicDomain(code="abc").read(path)).note
    assert "top voice" in " ".join(read_prime(MusicDomain(code="abc"), path, None).notes)
    assert read_prime(MusicDomain(code="events"), path, None).notes == ()


HOSTILE = [
    "[2", "[", "(", "((", "{", "|:", "C:|2", "C&", "(&C", "C>", "(9:9:9C", "[V:{}]C", "\nV:{}\nC",
    "[K:clef=treble-8]C[K:C treble]", "[M:3/4]C", "C\\\nK:D\n", "\nw:a\n+:b", "\n%%begintext\nC",
    "\n%%begintext\nC\n%%endtext\n", "Z2C|", "C-", "[C-E]", "{gab}C", "|\n", "\n|", "|:::C::::|",
    "|1,2-3C", "[P:A]C", "\nP:A\nC|", "[I:MIDI transpose 3]C", "\n%%score (1 2)", "C999999999999",
    "(999999999999:999999999999:999999999999C", "[Q:1/4 1/4=9]C", '"', "!", "^", "'", "\\\n",
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_work_grows_with_what_is_written(text):
    """Steps of Python, read, cleaned and written anew: twice as much for twice the text."""

    def read(number: int) -> None:
        body = "".join(text.replace("{}", str(place)) for place in range(number))
        tune = f"X:1\nP:AA\nM:4/4\nL:1/4\nK:C\nC{body}\n"
        heard(tune)
        heard(cleaned(tune, all_voices=True))
        repaired(cleaned(tune))

    assert growth(read, 60) <= 1.1


@pytest.mark.parametrize("digits", [5, 4300])
def test_numbers_of_any_length_are_read(digits):
    long = "9" * digits
    for music in (
        f"C{long}", f"z/{long}", f"Z{long}", f"({long}:{long}:{long}C", f"[CE]{long}", f"|{long}C",
        f"[{long}C", f"[M:{long}/{long}]C", f"[M:({long}+{long})/4]C", f"[L:{long}/{long}]C",
        f"[Q:{long}/{long}={long}]C", f"[Q:C{long}={long}]C", f"[Q:{long}]C",
        f"[K:C octave={long}]C", f"[K:C transpose=-{long}]C", f"[K:C clef=treble-{long}]C",
        f"[I:MIDI transpose {long}]C",
        f"C{',' * digits}", f"[V:{long}]C", f"\nP:A{long}\nC", f"y{long}C",
        f"C{'>' * digits}D",
    ):  # fmt: skip
        text = f"X:{long}\nP:A{long}(B{long}){long}\nM:4/4\nL:1/4\nK:C\nE{music}|\n"
        assert heard(text)
        assert all(0 <= pitch < 128 for pitch in heard(cleaned(text)))
        assert repaired(cleaned(text))
