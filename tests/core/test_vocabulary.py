"""Symbols and ids."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqforge.core.vocabulary import UNKNOWN, Vocabulary
from seqforge.errors import InputError


@given(st.text(min_size=1))
def test_decoding_undoes_encoding(text):
    vocabulary = Vocabulary.from_counts({symbol: text.count(symbol) for symbol in text})

    assert vocabulary.decode(vocabulary.encode(text).tolist()) == text


@given(st.text(min_size=1), st.characters())
def test_a_symbol_that_is_not_known_is_named_with_its_place(text, strange):
    vocabulary = Vocabulary.from_counts({s: 1 for s in text if s != strange} or {"a": 1})
    if strange in vocabulary.symbols:
        return
    known = "".join(vocabulary.symbols)

    with pytest.raises(InputError, match=f"U\\+{ord(strange):04X}.* at position {len(known) + 1} "):
        vocabulary.encode(known + strange)


def test_the_end_symbol_counts_and_an_unknown_symbol_is_there_only_on_request():
    counts = {"a": 9, "b": 9, "c": 1}

    assert len(Vocabulary.from_counts(counts)) == 4
    assert not Vocabulary.from_counts(counts).unknown
    rare = Vocabulary.from_counts(counts, min_count=2)
    assert rare.symbols == ("a", "b", UNKNOWN)
    assert rare.decode(rare.encode("abcz").tolist()) == f"ab{UNKNOWN}{UNKNOWN}"


def test_a_text_that_holds_the_replacement_character_keeps_it_as_a_symbol():
    vocabulary = Vocabulary.from_counts({"a": 2, UNKNOWN: 2})

    assert not vocabulary.unknown
    assert vocabulary.decode(vocabulary.encode(f"a{UNKNOWN}").tolist()) == f"a{UNKNOWN}"


@given(st.text(min_size=1), st.text(min_size=1), st.integers(1, 3), st.integers(1, 3))
def test_an_extended_vocabulary_keeps_every_id_and_knows_the_new_text(old, new, was, least):
    """Old symbols keep their ids, however rare; rarer new ones than asked for are unknown."""
    first = Vocabulary.from_counts(Counter(old), was)
    counts = Counter(new)

    both = first.extended(counts, least)

    assert both.symbols[: len(first.symbols)] == first.symbols
    known = set(both.symbols) - ({UNKNOWN} if both.unknown else set())
    wanted = {s for s in counts if counts[s] >= least and not (s == UNKNOWN and both.unknown)}
    assert wanted <= known
    assert set(both.symbols) - set(first.symbols) <= wanted | {UNKNOWN}
    rare = set(counts) - known
    assert not rare or both.unknown
    assert both.encode(new).tolist() == [
        both.unknown_id if s in rare else both.symbols.index(s) + 1 for s in new
    ]
    assert both.extended(counts, least) == both


@pytest.mark.parametrize(("size", "dtype"), [(255, "uint8"), (256, "uint16")])
def test_ids_take_a_byte_while_they_fit(size, dtype):
    assert Vocabulary(tuple(map(chr, range(1000, 1000 + size)))).dtype == dtype
