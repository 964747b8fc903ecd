"""The grammars of both codes: what gets through is in order, and what is in order gets through."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqforge.core.data.vocabulary import END, Vocabulary
from seqforge.domains.music import event_codec
from seqforge.domains.music.abc import grammar as grammar_module
from seqforge.domains.music.abc import parser
from seqforge.domains.music.abc.tune_books import read
from seqforge.domains.music.domain import MusicDomain
from seqforge.domains.music.keys import parse_key
from seqforge.domains.music.midi.midi_file import read_midi
from tests.domains.music.conftest import few

GRID = 24
FOLK = "\n '(,-/123456789:<=>ABCDEFGKLMZ[]^_abcdefghilmoprxyz|"
"""The symbols of the bundled model."""
HELD: dict[bool, object] = {}
EVENTS: dict[str, object] = {}


@pytest.fixture(scope="module")
def tunes():
    paths = [path for path in MusicDomain(code="abc").default_input() if "oneills" in str(path)]
    return [record.symbols for path in paths[:6] for record in read(path)]


@pytest.fixture(scope="module")
def letters(tunes):
    return Vocabulary.from_counts(Counter("".join(tunes)))


@pytest.fixture(scope="module")
def abc(letters):
    return grammar_module.grammar(letters)


@pytest.fixture(scope="module")
def pieces(tunes):
    return [parser.decode(tune, GRID).piece for tune in tunes]


@pytest.fixture(scope="module")
def tokens(pieces):
    return Vocabulary.from_counts(Counter("".join(map(event_codec.encode, pieces))))


def walked(constraint, ids):
    """Whether all are allowed, the end too; the state after them."""
    state, allowed = 0, True
    for number in ids:
        allowed &= bool(constraint.allowed[state, number])
        state = constraint.following[state, number]
    return allowed and bool(constraint.allowed[state, END]), state


def wandered(constraint, vocabulary, seed, longest=250, state=0):
    """A text that the grammar lets through, each character as likely as another,
    up to where it may end."""
    rng = np.random.default_rng(seed)
    text, whole = "", ""
    for _ in range(longest):
        choice = np.flatnonzero(constraint.allowed[state])
        number = int(choice[rng.integers(len(choice))])
        if constraint.allowed[state, END]:
            whole = text
        if number != END:
            text += vocabulary.symbols[number - 1]
            state = constraint.following[state, number]
    return whole


def in_order(tune):
    """Whether a tune keeps to the rules that the grammar is narrower in."""
    decoded = parser.decode(tune, GRID)
    opened = tune.replace("::", ":||:").count("|:")
    plain = not any(sign in tune for sign in ("[1", "[2", "[M", "[L", "(5", "(9", "Z"))
    return decoded.bars == decoded.full_bars and plain and opened <= tune.count(":|")


def test_most_tunes_in_order_get_through_and_none_other(tunes, letters, abc):
    through = {tune for tune in tunes if walked(abc, letters.encode(tune))[0]}
    decoded = [parser.decode(tune, GRID) for tune in through]
    ordered = [tune for tune in tunes if in_order(tune)]

    assert len(ordered) > 200
    assert np.mean([tune in through for tune in ordered]) > 0.8
    assert all(found.bars == found.full_bars for found in decoded)


@pytest.mark.parametrize(
    ("missing", "held", "digest"),
    [
        ("", False, "51e9878de7e2e24ea3a164b7a3bfdf98"),
        ("", True, "c625bb5aa16ac53c9404b4cf0b4b6502"),
        ("2", False, "f472e90655bc316a310402abd013c357"),
        ("2", True, "0b995d49d0ac774c44b12c237e226af0"),
        ("]", False, "7468b928728873d302ad6b605a73625b"),
        ("]", True, "4f50fd438699557b59419c790d19d44b"),
        ("9", False, "2d8f378e0b2c8e9c2bd9f1d4d93fb9de"),
        ("9", True, "3df83c529453de1151b30c0bfe3e8b11"),
        ("Z", False, "db9e29509299646851cc6eb911a0f24a"),
        ("Z", True, "5cfcd675f8db6ced4ea7bf2f8e5997b7"),
    ],
)
def test_the_grammar_is_the_one_that_was_written_out_state_by_state(missing, held, digest):
    """Digests of the automata that a table of all states and symbols gave."""
    known = Vocabulary(tuple(symbol for symbol in FOLK if symbol not in missing))
    grammar = grammar_module.grammar(known, held)
    digested = hashlib.sha256()
    for array in (grammar.allowed, grammar.following, grammar.begun):
        digested.update(str((array.shape, str(array.dtype))).encode() + array.tobytes())
    assert digested.hexdigest()[:32] == digest


@few
@given(seed=st.integers(0, 2**32), held=st.booleans())
def test_whatever_the_grammar_of_abc_lets_through_is_in_order(letters, seed, held):
    grammar = HELD.setdefault(held, grammar_module.grammar(letters, held))
    text = wandered(grammar, letters, seed)
    decoded = parser.decode(text, GRID)

    assert decoded.full_bars == decoded.bars
    assert decoded.skipped == 0
    assert not held or not set("^_=") & set(text)
    opens = [mark for mark in marks(text) if mark in ("|:", ":|", "::")]
    for mark, following in pairwise([*opens, ""]):
        assert mark == ":|" or following in (":|", "::")  # what is opened is closed


def marks(text):
    return re.findall(r"::|\|:|:\|", text)


@pytest.mark.parametrize(("begun", "left"), [("A", 5), ("|:A3|d3 e2f|d3", 3), ("A3|d3 e2f|d3", 3)])
def test_a_bar_that_a_prime_began_is_filled(letters, abc, begun, left):
    """It may not be taken for a pick-up, nor for the short end of a part."""
    ids = {symbol: number for number, symbol in enumerate(letters.symbols, 1)}
    _, state = walked(abc, letters.encode("M:6/8\nL:1/8\nK:G\n" + begun))
    lines = [ids["|"], ids[":"], END]
    assert abc.allowed[state, lines].any()
    state = abc.begun[state]
    for letter in "d" * left:
        assert not abc.allowed[state, lines].any()
        assert abc.allowed[state, ids[letter]]
        state = abc.following[state, ids[letter]]
    assert abc.allowed[state, ids["|"]]


def test_a_bar_of_events_that_a_prime_began_is_no_pickup(tokens):
    known = Vocabulary(tuple(sorted({*tokens.symbols, event_codec.PICKUP})))
    grammar = event_codec.grammar(known, GRID)
    _, state = walked(grammar, known.encode("R4-"))
    pickup = known.encode(event_codec.PICKUP)[0]
    assert grammar.allowed[state, pickup]
    assert not grammar.allowed[grammar.begun[state], pickup]
    assert grammar.allowed[grammar.begun[0], known.encode("R")[0]]


def test_a_prime_that_breaks_the_rules_is_gone_on_from_at_the_next_bar(letters, abc):
    prime = "M:4/4\nL:1/8\nK:G\nABcdABcdABcd(5ABABA ["
    for seed in range(20):
        _, state = walked(abc, letters.encode(prime))
        rest = wandered(abc, letters, seed, state=state)
        _, _, later = rest.partition("|")
        decoded = parser.decode("M:4/4\nL:1/8\nK:G\n|" + later, GRID)
        assert decoded.bars == decoded.full_bars or not later.strip()


def test_a_metre_that_is_not_counted_leaves_bars_free(letters, abc):
    _, state = walked(abc, letters.encode("M:31/8\nL:1/8\nK:G\n"))
    lengths = set()
    for seed in range(10):
        text = wandered(abc, letters, seed, state=state)
        lengths |= {len(bar) for bar in text.split("|")}
    assert len(lengths) > 10


@pytest.mark.parametrize("missing", ["\n", "M", "K", ":", "/", "1", "8"])
def test_without_characters_that_a_tune_needs_nothing_is_promised(letters, missing):
    kept = Vocabulary(tuple(symbol for symbol in letters.symbols if symbol != missing))
    grammar = grammar_module.grammar(kept)
    assert (grammar is None) == (missing != "8")  # without 8 there are metres left


@pytest.mark.parametrize("symbols", ["", "a", "abc", "\n :|zA"])
def test_of_few_characters_there_is_no_tune(symbols):
    assert grammar_module.grammar(Vocabulary(tuple(symbols))) is None


@pytest.mark.parametrize("missing", [*"]23(,'>^-z", "CDE"])
def test_a_smaller_alphabet_gives_a_narrower_grammar(letters, missing):
    kept = Vocabulary(tuple(symbol for symbol in letters.symbols if symbol not in missing))
    grammar = grammar_module.grammar(kept)
    for text in [wandered(grammar, kept, seed) for seed in range(20)]:
        decoded = parser.decode(text, GRID)
        assert decoded.full_bars == decoded.bars
        assert not set(missing) & set(text)


@pytest.mark.parametrize("change", ["[M:3/4]", "[L:1/16]", "|\n[M:3/4]"])
def test_after_a_change_of_metre_bars_are_the_model_s_own(letters, abc, change):
    """They are not counted, rather than counted in the metre before."""
    _, state = walked(abc, letters.encode(f"M:4/4\nL:1/8\nK:G\nABcdABcd|{change}ABc"))
    texts = [wandered(abc, letters, seed, state=state) for seed in range(20)]
    firsts = {text.split("|")[0] for text in texts}
    assert len({len(first) for first in firsts}) > 5
    assert {character for text in texts for character in text} >= set("/3>,'-(")


def test_events_of_real_music_get_through(pieces, tokens, midi_files):
    grammar = event_codec.grammar(tokens, GRID)
    texts = [event_codec.encode(piece) for piece in pieces]
    full = [text for text in texts if (d := event_codec.decode(text, GRID)).bars == d.full_bars]
    assert len(full) > 200
    assert all(walked(grammar, tokens.encode(text))[0] for text in full if metred(text))

    played = [event_codec.encode(read_midi(path, GRID)[0]) for path in midi_files]
    known = Vocabulary.from_counts(Counter("".join(played)))
    performed = event_codec.grammar(known, GRID)
    assert len(played) == 14
    assert all(walked(performed, known.encode(text))[0] for text in played)


def metred(text):
    """Whether every bar line stands where the metre puts it (a decoded tune may lack a metre)."""
    piece = event_codec.decode(text, GRID).piece
    return event_codec.encode(piece) == text


@few
@given(seed=st.integers(0, 2**32), held=st.sampled_from(["", "G", "Em", "Ddor"]))
def test_whatever_the_grammar_of_events_lets_through_is_in_order(tokens, seed, held):
    grammar = EVENTS.setdefault(held, event_codec.grammar(tokens, GRID, held))
    decoded = event_codec.decode(wandered(grammar, tokens, seed), GRID)

    assert decoded.full_bars == decoded.bars
    if held:
        assert {note.pitch % 12 for note in decoded.piece.notes} <= event_codec.scale(held)


@pytest.mark.parametrize(
    ("key", "notes"), [("G", "GABcdef"), ("Am", "ABcdefg"), ("Edor", "EFGABcd")]
)
def test_the_scale_of_a_key_is_what_abc_sounds_in_it(key, notes):
    piece = parser.decode(f"M:none\nL:1/8\nK:{key}\n{notes}", GRID).piece
    sounding = {note.pitch % 12 for note in piece.notes}
    extra = event_codec.scale(key) - sounding
    assert sounding <= event_codec.scale(key)
    assert len(extra) == (2 if parse_key(key).mode == "m" else 0)


def test_an_irregular_metre_is_counted_too(tokens):
    seven = Vocabulary.from_counts(
        Counter(tokens.symbols) + Counter(event_codec.encode(in_seven()))
    )
    grammar = event_codec.grammar(seven, GRID)
    assert walked(grammar, seven.encode(event_codec.encode(in_seven())))[0]


def in_seven():
    tune = "M:7/8\nL:1/8\nK:D\nABcdefg|gfedcBA|A7|]"
    return parser.decode(tune, GRID).piece
