"""The memory of tunes keeps the laws in both codes; its contexts are those of bars and beats."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from seqforge.core.memory.contexts import RECENT
from seqforge.core.memory.symbol_memory import SymbolMemory
from seqforge.domains.music.event_codec import encode
from seqforge.domains.music.memory import (
    BARS,
    CONTOUR,
    HEADER,
    NUMERATOR,
    STATE,
    TIME,
    TUNES,
    TuneMemory,
    traits,
    tune_contexts,
)
from seqforge.domains.music.notes import Note, Piece
from tests.core.memory import laws

DRAW = np.random.default_rng(5)


def tunes(count: int) -> str:
    """Tunes of eight bars, the second half like the first."""
    found = []
    for _ in range(count):
        bars = ["".join(DRAW.choice(list("ABcdefg"), 3)) + "/2B/2c2" for _ in range(4)]
        half = "|".join(bars) + "|\n"
        found.append(f"M:4/4\nL:1/4\nK:{DRAW.choice(['G', 'D'])}\n{half}{half}")
    return "\0".join(found)


def events(count: int) -> str:
    """Pieces of the events code."""
    pieces = []
    for _ in range(count):
        pitches = DRAW.choice([60, 62, 64, 65, 67], 12)
        pieces.append(encode(Piece([Note(int(p), 80, n * 12, 12) for n, p in enumerate(pitches)])))
    return "\0".join(pieces)


def ids_of(text: str, symbols: list[str]) -> np.ndarray:
    return np.array([symbols.index(s) + 1 if s != "\0" else 0 for s in text], np.uint8)


def state_after(text: str) -> np.ndarray:
    symbols = sorted(set("ABCDEFGKLMabcdefgz0123456789:/|\n"))
    state, recent, table = (
        np.zeros(STATE, np.int64),
        np.zeros(RECENT, np.uint16),
        traits(symbols, False),
    )
    hashes, selectors = np.zeros(TUNES.count, np.uint64), np.zeros(4, np.int64)
    for position, symbol in enumerate(ids_of(text, symbols)):
        recent[position] = symbol
        tune_contexts(state, recent, position + 1, table, hashes, selectors)
    return state


def test_the_time_in_a_bar_is_that_of_its_notes():
    head = "M:4/4\nL:1/4\nK:G\n"
    assert state_after(head + "Bc2d/2e3/2z4|")[BARS] == state_after(head + "A|")[BARS]
    before = state_after(head + "|B|")
    for notes, time in (("c", 48), ("c2", 96), ("c/2", 24), ("c3/2", 72), ("z4", 192), ("c/", 24)):
        state = state_after(head + "|B|" + notes + "d")  # the last note is not over yet
        assert state[TIME] == time
        assert state[NUMERATOR] == 0
    assert before[TIME] == 0


def test_the_contour_is_the_same_in_another_key():
    assert (
        state_after("K:G\nGBdg")[CONTOUR] & 0xFFFFFF == state_after("K:A\nAcea")[CONTOUR] & 0xFFFFFF
    )
    assert state_after("K:G\nGBdg")[CONTOUR] != state_after("K:G\nGBdf")[CONTOUR]


def test_the_head_of_a_tune_is_kept_until_the_next_tune():
    one, other = (state_after(f"M:4/4\nL:1/4\nK:{key}\nA|") for key in "GD")
    assert one[HEADER] != other[HEADER]
    assert state_after("M:4/4\nL:1/4\nK:G\nA|B|\nc|")[HEADER] == one[HEADER]


@pytest.mark.parametrize("text", [tunes(12), events(25)], ids=["abc", "events"])
def test_the_laws_hold(text):
    symbols = sorted(set(text) - {"\0"})
    ids, size = ids_of(text, symbols), len(symbols) + 1
    make = partial(TuneMemory.made, ids, symbols, text.count("K:") == 0, 1 << 20)
    laws.check_pieces(make, ids[:600], size)
    laws.check_causality(make, ids[:600], size)
    laws.check_distribution(make, ids[:200], size)
    laws.check_saved(make, ids[:400], size)
    laws.check_interpreted(make, ids[:120], size)
    laws.check_bounds(make, ids, size)


def test_bars_tell_more_than_the_last_symbols():
    text = tunes(80)
    symbols = sorted(set(text) - {"\0"})
    ids = ids_of(text, symbols)
    general = SymbolMemory(ids, len(symbols) + 1, 1 << 20)
    of_tunes = TuneMemory.made(ids, symbols, False, 1 << 20)
    for memory in (general, of_tunes):
        memory.learn(ids[:4000])
    assert of_tunes.score(ids[4000:]).sum() > general.score(ids[4000:]).sum()
