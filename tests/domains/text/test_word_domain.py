"""The text domain with words as symbols: files, primes, samples, measures."""

from __future__ import annotations

from functools import partial

import pytest

from seqforge.core.data.domain import Sample
from seqforge.core.data.prompting import known_prompt, read_prompt
from seqforge.core.data.vocabulary import UNKNOWN, Vocabulary
from seqforge.domains.text.domain import TextDomain
from seqforge.domains.text.word_domain import WordDomain
from seqforge.errors import ConfigError, InputError
from seqforge.registry import load_domain, options_of
from tests.core.memory import laws

TEXT = "The cat sat.\nThe cat sat on the mat (and sang).\n\nThe dog sang, too.\n"


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "x.txt"
    path.write_text(TEXT)
    return path


@pytest.fixture
def domain(path) -> WordDomain:
    found = load_domain("text", {"symbols": "words"})
    assert isinstance(found, WordDomain)
    return found.settle_counted([path, path.with_name("missing.txt")], 2)


def test_the_option_makes_words_and_the_table_stays(domain):
    assert domain.word_table.split("\n") == ["The", "cat", "sang", "sat"]
    again = load_domain("text", options_of(domain))
    assert again == domain
    assert again.settle_counted([], 1) is again
    plain = load_domain("text", {})
    assert type(plain) is TextDomain
    assert (plain.unit, domain.unit) == ("character", "symbol")


def test_blocks_records_and_separators_give_the_same_symbols(domain, path, tmp_path):
    (record,) = domain.read(path)
    blocks = list(domain.read_blocks(path))
    joined = "".join(chr(point) for block in blocks for point in block.points.tolist())
    assert joined == record.symbols
    assert blocks[-1].ends is not None
    assert record.symbols.count(UNKNOWN) == 6
    parts = load_domain("text", {**options_of(domain), "separator": "\n\n"})
    first, second = parts.read(path)
    assert first.symbols == record.symbols[: len(first.symbols)]
    assert [len(block.points) for block in parts.read_blocks(path)] == [
        len(first.symbols), len(second.symbols)
    ]  # fmt: skip
    empty = tmp_path / "empty.txt"
    empty.write_text("")
    with pytest.raises(InputError, match="is empty"):
        list(domain.read_blocks(empty))


def test_reading_what_was_written_gives_the_same_symbols(domain, path, tmp_path):
    (record,) = domain.read(path)
    symbols = record.symbols.rstrip("\n")
    (written,) = domain.write([Sample(symbols)], tmp_path / "s.txt")
    assert [read.symbols for read in domain.read(written)] == [symbols]
    assert written.read_text().startswith("The cat sat.\nThe cat sat \ufffd \ufffd \ufffd (\ufffd")
    assert domain.show(Sample(symbols)) == written.read_text() + "\n"
    shown = domain.showing(Sample(symbols), iter([symbols[:5], symbols[5:9], symbols[9:]]))
    assert "".join(shown) == domain.show(Sample(symbols))


def test_an_unknown_word_of_a_prime_is_named(domain):
    vocabulary = Vocabulary((*sorted(domain.prime("The cat sat.")), UNKNOWN), unknown=True)
    prompt = read_prompt(domain, "The zebra sat.", vocabulary)
    with pytest.raises(InputError, match=r"the prime: 'zebra' at position 2 is not a symbol of"):
        known_prompt(prompt, domain, vocabulary, "refuse")
    mapped = known_prompt(prompt, domain, vocabulary, "map")
    assert domain.text_of(mapped.symbols) == "The \ufffd sat."
    assert mapped.unknown == {"zebra": 1}
    skipped = known_prompt(prompt, domain, vocabulary, "skip")
    assert domain.text_of(skipped.symbols) == "The sat."


def test_labelled_records_have_words_too(tmp_path):
    path = tmp_path / "x.tsv"
    path.write_text("The cat sat.\tprose\nThe zebra sat.\tprose\n")
    plain = load_domain("text", {"symbols": "words", "labels": True})
    assert isinstance(plain, WordDomain)
    domain = plain.settle_counted([path], 2)
    first, second = domain.read(path)
    assert [record.label for record in (first, second)] == ["prose", "prose"]
    assert domain.text_of(first.symbols) == "The \ufffd sat."
    assert first.symbols == second.symbols
    assert [len(block.points) for block in domain.read_blocks(path)] == [4, 4]


def test_openings_are_symbols_that_end_something(domain):
    assert domain.openings(1) == ("\n\n", "\n", ".")
    assert domain.openings(100) == ()


def test_bytes_are_no_words():
    with pytest.raises(ConfigError, match="--bytes are no words"):
        load_domain("text", {"symbols": "words", "bytes": True})


def test_the_memory_is_that_of_any_symbols(domain):
    vocabulary = Vocabulary(tuple(sorted(set(domain.prime(TEXT)))))
    ids = vocabulary.encode(domain.prime(TEXT))
    make = partial(domain.memory, vocabulary, ids, len(ids), 1 << 20)
    laws.check_saved(make, ids, len(vocabulary))
    laws.check_streams(make, ids, len(vocabulary))
