"""Symbols and ids."""

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


@pytest.mark.parametrize(("size", "dtype"), [(255, "uint8"), (256, "uint16")])
def test_ids_take_a_byte_while_they_fit(size, dtype):
    assert Vocabulary(tuple(map(chr, range(1000, 1000 + size)))).dtype == dtype
