"""Words in, what compressors of their text need for one out."""

from __future__ import annotations

import numpy as np
import pytest

from seqforge.core.data.vocabulary import Vocabulary
from seqforge.core.evaluation.compressors import HELD_OUT_LIMIT
from seqforge.domains.text.word_domain import WordDomain
from seqforge.runs.spelled import spelled_compressors

WORDS = [f"{letter}{digit}hello" for letter in "abcdefgh" for digit in range(8)]


@pytest.fixture(scope="module")
def domain():
    return WordDomain(symbols="words", word_table="\n".join(WORDS))


@pytest.fixture(scope="module")
def vocabulary(domain):
    return Vocabulary(tuple(domain.table.symbol(word) for word in WORDS))


def drawn(count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(1, len(WORDS) + 1, count).astype(np.uint8)


def test_bits_of_a_word_are_those_of_its_letters_and_the_space_before_it(domain, vocabulary):
    found, ppmd = spelled_compressors(vocabulary, domain, drawn(20_000, 0), drawn(5_000, 1))
    assert (found.context_symbols, found.held_out_symbols) == (20_000, 5_000)
    assert ppmd is not None
    assert found.bits["lzma"] is not None
    assert 6 < ppmd < 7, "one of 64 words"
    assert 6 < found.bits["lzma"] < 9


def test_text_longer_than_compressors_may_see_does_not_make_words_cheaper(domain, vocabulary):
    words = HELD_OUT_LIMIT // 8 * 2
    found, ppmd = spelled_compressors(vocabulary, domain, drawn(20_000, 0), drawn(words, 1))
    assert ppmd is not None
    assert 6 < ppmd < 7
    assert found.held_out_symbols == words // 2, "what is seen, in words"


def test_nothing_held_out_has_no_figure(domain, vocabulary):
    found, ppmd = spelled_compressors(vocabulary, domain, drawn(100, 0), drawn(0, 1))
    assert ppmd is None
    assert set(found.bits.values()) == {None}
    assert found.held_out_symbols == 0
