"""Words, marks and blanks: nothing is lost on the way to symbols and back."""

from __future__ import annotations

import gzip

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from seqforge.core.data.vocabulary import UNKNOWN
from seqforge.domains.text.words import (
    JOINED,
    MOST_WORDS,
    Speller,
    WordTable,
    chosen_words,
    count_words,
    encoded,
    tokens,
    whole_lines,
)

texts = st.text("ab \n\t.,()'\"\u201c\u2019-é_7", max_size=40) | st.text(max_size=40)


def said(table: WordTable, symbols: str) -> str:
    return Speller(table)(symbols)


@given(texts)
@example('He said, "it\'s (3.14)" -- no?  Yes!\n\n  indented')
@example("a b")
@example(" a ")
def test_a_text_of_known_words_comes_back(text):
    table = WordTable(sorted({token for token in tokens(text) if len(token) > 1}))
    symbols = encoded(text, table.symbol)
    kept = "".join(UNKNOWN if c == JOINED or ord(c) >= 0xF0000 else c for c in text)
    assert said(table, symbols) == kept
    assert encoded(said(table, symbols), table.symbol) == symbols


@given(texts, st.integers(0, 40))
def test_text_with_unknown_words_gives_the_same_symbols_again(text, known):
    words = sorted({token for token in tokens(text) if len(token) > 1})
    table = WordTable(words[: known % (len(words) + 1)])
    symbols = encoded(text, table.symbol)
    assert encoded(said(table, symbols), table.symbol) == symbols


@given(texts, st.data())
def test_a_speller_may_be_given_pieces(text, data):
    table = WordTable(sorted({token for token in tokens(text) if len(token) > 1}))
    symbols = encoded(text, table.symbol)
    at = data.draw(st.integers(0, len(symbols)))
    speller = Speller(table)
    assert speller(symbols[:at]) + speller(symbols[at:], True) == said(table, symbols)


@given(st.lists(texts, max_size=5))
def test_whole_lines_give_the_symbols_of_the_whole_text(blocks):
    text = "".join(blocks)
    table = WordTable(sorted({token for token in tokens(text) if len(token) > 1}))
    pieces = list(whole_lines(blocks))
    assert "".join(pieces) == text
    assert all(piece.endswith("\n") for piece in pieces[:-1])
    assert "".join(encoded(piece, table.symbol) for piece in pieces) == encoded(text, table.symbol)


def test_a_space_is_said_only_where_none_is_expected():
    table = WordTable(["the", "cat", "said", "it's"])
    the, cat, talks, its = map(table.symbol, table.words)
    assert encoded("the cat said, it's (the) cat.\n", table.symbol) == (
        f"{the}{cat}{talks},{its}({the}){cat}.\n"
    )
    assert encoded("3.14", WordTable(["14"]).symbol)[1:3] == f".{JOINED}"
    assert encoded('the "cat"', table.symbol) == f'{the} "{cat}"'
    assert encoded("the  cat", table.symbol) == f"{the}  {cat}"
    assert encoded("\n the", table.symbol) == f"\n {the}"


def test_the_most_frequent_words_have_symbols_if_they_occur_so_often():
    counts = count_words(["to be or not", " to be a\nbe not ", "Zoe"])
    assert counts == {"be": 3, "not": 2, "to": 2, "or": 1, "Zoe": 1}
    assert chosen_words(counts, 2) == ("be", "not", "to")
    assert chosen_words(counts, 1) == ("be", "not", "to", "Zoe", "or")
    many = dict.fromkeys(map(str, range(10, MOST_WORDS + 100)), 2)
    assert len(chosen_words(type(counts)(many), 2)) == MOST_WORDS


def test_strange_words_say_what_they_are_and_known_ones_keep_their_symbols():
    table = WordTable(["cat"])
    symbols = encoded("cat zebra yak zebra", table.strange_symbol)
    assert symbols[0] == table.symbol("cat")
    assert [table.token(symbol) for symbol in symbols[1:]] == ["zebra", "yak", "zebra"]
    assert table.symbol("zebra") == UNKNOWN, "in a file it is the unknown symbol"


@pytest.mark.parametrize("name", ["tinyshakespeare.txt.gz", "ptb.test.txt.gz"])
def test_real_text_comes_back_and_is_shorter(shared_data, name):
    path = shared_data / "text" / name
    if not path.exists():
        pytest.skip(f"{name} is not among the large inputs")
    with gzip.open(path, "rt", encoding="utf-8") as stream:
        text = stream.read(300_000)
    table = WordTable(chosen_words(count_words([text]), 1))
    symbols = encoded(text, table.symbol)
    assert said(table, symbols) == text
    assert len(text) > 3.4 * len(symbols)
