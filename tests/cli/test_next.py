"""The distribution of the next symbol: a model's own, as its scores say it."""

import json

import numpy as np
import pytest

from seqforge import load
from seqforge.api.model import Model
from seqforge.core.model.checkpoint import Checkpoint, load_checkpoint
from seqforge.core.sampling.next_symbols import NextSymbol
from seqforge.runs.folder import bundled_models


@pytest.fixture(scope="module")
def shakespeare():
    return load("shakespeare")


def test_probabilities_are_those_of_scores(shakespeare):
    """P(symbol | context) is what scoring context and symbol says of the symbol."""
    rows = shakespeare.next("O Rome", k=1000)
    assert len(rows) == len(shakespeare.card.symbols) + 1
    assert sum(row.probability for row in rows) == pytest.approx(1)
    assert sorted(rows, key=lambda row: -row.probability) == rows
    for row in (rows[0], rows[5]):
        bits = shakespeare.score("O Rome" + row.symbol)[-1]
        assert row.probability == pytest.approx(2.0**-bits, rel=1e-5)


def test_as_many_as_asked_for_the_end_as_nothing(shakespeare):
    rows = shakespeare.next("O Rome", k=70)
    assert shakespeare.next("O Rome", k=3) == rows[:3]
    assert [row.symbol for row in rows].count("") == 1
    assert isinstance(rows[0], NextSymbol)


def test_without_a_context_it_is_the_beginning_of_a_record(shakespeare):
    first = shakespeare.next(k=1)[0]
    assert first.probability == pytest.approx(2.0 ** -shakespeare.score(first.symbol)[0], rel=1e-5)


def test_a_context_is_written_as_a_prime_is():
    fly = load("fly")
    assert fly.next("acgu") == fly.next("ACGT")
    assert fly.next("ac!g", unknown="skip") == fly.next("ACG")


def test_a_wrong_number_is_refused(shakespeare):
    with pytest.raises(ValueError, match="k must be 1 or above, not 0"):
        shakespeare.next("O", k=0)
    with pytest.raises(ValueError, match="k"):
        shakespeare.next("O", k="3")


def test_equally_likely_symbols_come_in_the_order_of_ids():
    """All weights zero: every symbol is as likely as any other."""
    checkpoint = load_checkpoint(bundled_models()["fly"])
    zero = {name: np.zeros_like(array) for name, array in checkpoint.weights.items()}
    symbols = [row.symbol for row in Model(Checkpoint(checkpoint.card, zero)).next(k=9)]
    assert symbols == ["", *checkpoint.card.symbols][:9]


def test_the_command_shows_what_python_gives(seqforge, shakespeare):
    rows = shakespeare.next("O Rome", k=4)
    document = json.loads(seqforge("next", "shakespeare", "O Rome", "-k", 4, "--json").stdout)
    assert document == [{"symbol": s, "probability": p} for s, p in rows]
    shown = seqforge("next", "shakespeare", "O Rome", "-k", 4).stdout.splitlines()
    assert [line.split()[0] for line in shown] == [repr(row.symbol) for row in rows]
    whole = seqforge("next", "fly", "-k", 9, "--unknown", "skip").stdout
    assert any(line.startswith("end ") for line in whole.splitlines())


def test_a_strange_symbol_is_refused_in_a_sentence(seqforge):
    result = seqforge("next", "shakespeare", "O \N{SNOWMAN}")
    assert result.exit_code == 1
    assert "the context: '☃' (U+2603) at position 3 is not a symbol" in result.stderr
