"""Symbols and ids."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqforge.core.data.vocabulary import UNKNOWN, Vocabulary
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


@given(st.text("abcXYZ\n", max_size=60), st.booleans())
def test_a_prime_is_refused_left_out_or_mapped_as_asked(text, has_unknown):
    vocabulary = Vocabulary(("a", "b", "c", *([UNKNOWN] if has_unknown else [])), has_unknown)
    strange = {s: text.count(s) for s in dict.fromkeys(text) if s not in "abc"}
    skipped = "".join(s for s in text if s in "abc")
    mapped = "".join(s if s in "abc" else UNKNOWN for s in text)

    if not strange:
        for unknown in ("refuse", "skip", "map"):
            assert vocabulary.known(text, "the prime", unknown) == (text, {})
        return
    first = next(iter(strange))
    where = rf"the prime: .*U\+{ord(first):04X}\) at position {text.index(first) + 1} is not"
    with pytest.raises(InputError, match=where) as refused:
        vocabulary.known(text, "the prime")
    for symbol, count in strange.items() if sum(strange.values()) > 1 else ():
        often = "once" if count == 1 else f"{count} times"
        assert f"(U+{ord(symbol):04X}) {often}" in str(refused.value)
    assert ("--unknown map" in str(refused.value)) == has_unknown
    if skipped:
        assert vocabulary.known(text, "the prime", "skip") == (skipped, strange)
    else:
        with pytest.raises(InputError, match="holds no symbol of this model"):
            vocabulary.known(text, "the prime", "skip")
    if has_unknown:
        assert vocabulary.known(text, "the prime", "map") == (mapped, strange)
    else:
        with pytest.raises(InputError, match=r"no unknown symbol to map .* --unknown skip"):
            vocabulary.known(text, "the prime", "map")


def test_the_unknown_symbol_itself_can_be_typed_and_only_ten_others_are_named():
    vocabulary = Vocabulary(("a", UNKNOWN), unknown=True)
    assert vocabulary.known(f"a{UNKNOWN}a", "the prime") == (f"a{UNKNOWN}a", {})

    with pytest.raises(InputError, match=r"not known are 'b' .* and 14 more; leave") as refused:
        vocabulary.known("abcdefghijklmnopqrstuvwxy", "the prime")
    assert str(refused.value).count(" once") == 10
