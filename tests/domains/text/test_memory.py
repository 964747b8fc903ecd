"""The memory of text keeps the laws, and its contexts are those of words and lines."""

from __future__ import annotations

from functools import partial

import numpy as np

from seqforge.core.memory.symbol_memory import SymbolMemory
from seqforge.domains.text.memory import (
    CLOSING,
    DIGIT,
    LOWER,
    NEWLINE,
    OPENING,
    SPACE,
    STOP,
    UPPER,
    BarredTextMemory,
    TextMemory,
    traits,
)
from tests.conftest import ROOT
from tests.core.memory import laws

TEXT = "".join(
    f"{who}:\n{'What' if n % 3 else 'And'} is the {n} of (two {what}s), or {n + 1}?\n\n"
    for n in range(20)
    for who, what in (("ROMEO", "thing"), ("First Citizen", "word"))
)
SYMBOLS = sorted(set(TEXT))
IDS = np.array([SYMBOLS.index(symbol) + 1 for symbol in TEXT], np.uint8)
SIZE = len(SYMBOLS) + 1
MAKE = partial(TextMemory.made, IDS, SYMBOLS, 1 << 20)


def test_the_laws_hold():
    laws.check_pieces(MAKE, IDS[:900], SIZE)
    laws.check_causality(MAKE, IDS[:900], SIZE)
    laws.check_distribution(MAKE, IDS[:300], SIZE)
    laws.check_saved(MAKE, IDS[:600], SIZE)
    laws.check_interpreted(MAKE, IDS[:150], SIZE)
    laws.check_streams(MAKE, IDS[:900], SIZE)


def test_no_index_is_outside_where_contexts_share_check_words():
    """Twelve thousand characters in small tables: slots are mistaken for others now and then."""
    readme = (ROOT / "README.md").read_text("utf-8")[:12_000]
    symbols = sorted(set(readme))
    ids = np.array([symbols.index(symbol) + 1 for symbol in readme], np.uint8)
    make = partial(TextMemory.made, ids, symbols, 1 << 24)
    laws.check_bounds(make, ids, len(symbols) + 1)


def test_symbols_have_their_kinds():
    found = traits(["a", "A", "7", "\n", " ", "(", "]", "?", "_"])
    kinds = [LOWER, UPPER, DIGIT, NEWLINE, SPACE, OPENING, CLOSING, STOP]
    assert found[1:9, 0].tolist() == kinds
    assert found[2, 1] == found[1, 1] == 1
    assert found[1:, 2].tolist() == [1, 1, 1, 0, 0, 0, 0, 0, 1]


def test_words_and_lines_tell_more_than_the_last_symbols():
    general = SymbolMemory(IDS, SIZE, 1 << 20)
    text = MAKE()
    for memory in (general, text):
        memory.learn(IDS[:1500])
    assert text.score(IDS[1500:]).sum() > general.score(IDS[1500:]).sum()


def test_text_with_bars_has_contexts_of_bars():
    tune = "".join(f'"G"GABc|"D"d{n}ef|\n' for n in range(9)) * 4
    symbols = sorted(set(tune))
    ids = np.array([symbols.index(symbol) + 1 for symbol in tune], np.uint8)
    make = partial(TextMemory.made, ids, symbols, 1 << 20)
    assert type(make()) is BarredTextMemory
    assert type(laws.copied(make())) is BarredTextMemory
    assert type(laws.copied(MAKE())) is TextMemory
    laws.check_pieces(make, ids, len(symbols) + 1)
    laws.check_saved(make, ids, len(symbols) + 1)
    laws.check_interpreted(make, ids[:100], len(symbols) + 1)
