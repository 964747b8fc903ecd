"""The n-gram baseline against its formula, slowly, and against known figures."""

import gzip
import itertools
import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqforge.core.evaluation.ngram import ngram_bits, thin


class PlainWittenBell:
    """The same formula, one dictionary of grams an order, one symbol at a time."""

    def __init__(self, train, vocab_size, highest, mirror=None):
        ring = [int(t) for t in train[1:]]
        rings = [ring] if mirror is None else [ring, [int(mirror[t]) for t in reversed(ring)]]
        self.vocab_size = vocab_size
        self.counts = [Counter() for _ in range(highest + 1)]
        for ring in rings:
            for k, counts in enumerate(self.counts):
                for at in range(len(ring)):
                    counts[tuple(ring[(at + j) % len(ring)] for j in range(k + 1))] += 1

    def probability(self, context, symbol, order):
        if order < 0:
            return 1 / self.vocab_size
        if order > len(context):
            return self.probability(context, symbol, order - 1)
        seen = context[len(context) - order :]
        counts = [self.counts[order][(*seen, s)] for s in range(self.vocab_size)]
        different = sum(count > 0 for count in counts)
        lower = self.probability(context, symbol, order - 1)
        if not different:
            return lower
        return (counts[symbol] + different * lower) / (sum(counts) + different)

    def bits(self, held_out, segments, order):
        scores = [
            math.log2(self.probability(tuple(map(int, held_out[start:at])), held_out[at], order))
            for start, scored_from, stop in segments
            for at in range(scored_from, stop)
        ]
        return -sum(scores) / len(scores)


@st.composite
def cases(draw):
    vocab_size = draw(st.integers(1, 6))
    symbols = st.integers(0, vocab_size - 1)
    train = [0, *draw(st.lists(symbols, max_size=60)), 0]
    held_out = draw(st.lists(symbols, min_size=1, max_size=40))
    cuts = sorted(draw(st.lists(st.integers(0, len(held_out) - 1), max_size=3, unique=True)))
    bounds = [*cuts, len(held_out)]
    segments = [
        (draw(st.integers(0, start)), start, stop) for start, stop in itertools.pairwise(bounds)
    ] or [(0, 0, len(held_out))]
    mirror = draw(st.none() | st.permutations(range(vocab_size)).map(np.array))
    dtype = draw(st.sampled_from([np.uint8, np.uint16]))
    return np.array(train, dtype), np.array(held_out, dtype), segments, vocab_size, mirror


@given(cases())
def test_it_is_the_formula(case):
    train, held_out, segments, vocab_size, mirror = case
    plain = PlainWittenBell(train, vocab_size, 5, mirror)

    result = ngram_bits(train, held_out, segments, vocab_size, orders=range(6), mirror=mirror)

    assert result.bits == pytest.approx(
        {order: plain.bits(held_out, segments, order) for order in range(6)}
    )
    assert result.held_out_symbols == sum(stop - at for _, at, stop in segments)


@pytest.mark.parametrize(("vocab_size", "highest"), [(256, 7), (65536, 3), (3, 39), (5, 26)])
def test_it_is_the_formula_where_codes_fill_their_integer(vocab_size, highest, monkeypatch):
    """256**8 is all of 64 bits; blocks are made small so that there are several."""
    monkeypatch.setattr("seqforge.core.evaluation.ngram._BLOCK", 7)
    monkeypatch.setattr("seqforge.core.evaluation.ngram._SOME", 5)
    draws = np.random.default_rng(1).integers(vocab_size - 2, vocab_size, 60)
    train = np.array([0, *draws[:40], 0], np.uint16)
    held_out = draws[35:].astype(np.uint16)
    segments = [(0, 0, len(held_out))]

    result = ngram_bits(train, held_out, segments, vocab_size, orders=range(60))

    assert max(result.bits) == highest
    few = min(highest, 4)
    rarely = PlainWittenBell(train, vocab_size, few)
    assert result.bits[few] == pytest.approx(rarely.bits(held_out, segments, few))


@given(cases(), st.integers(0, 5))
def test_the_probabilities_of_all_symbols_sum_to_one(case, order):
    train, context, _, vocab_size, mirror = case
    total = 0.0
    for symbol in range(vocab_size):
        held_out = np.append(context, context.dtype.type(symbol))
        segments = [(0, len(context), len(held_out))]
        result = ngram_bits(train, held_out, segments, vocab_size, orders=[order], mirror=mirror)
        total += 2 ** -result.bits[order]

    assert total == pytest.approx(1)


def test_data_without_structure_cost_log2_of_the_vocabulary():
    data = np.random.default_rng(0).integers(0, 8, 300_000, dtype=np.uint8)
    train, held_out = data[:250_000], data[250_000:]

    result = ngram_bits(train, held_out, [(0, 10, len(held_out))], 8)

    assert result.bits[0] == pytest.approx(3, abs=0.001)
    assert result.bits[2] == pytest.approx(3, abs=0.01)
    assert result.best in {0, 1}


def test_it_stops_when_an_order_was_worse_twice_running():
    data = np.random.default_rng(0).integers(0, 8, 3_000, dtype=np.uint8)
    heard = []

    result = ngram_bits(
        data[:2_000], data[2_000:], [(0, 0, 1_000)], 8, progress=lambda *order: heard.append(order)
    )

    assert max(result.bits) == result.best + 2
    assert heard == [(order, 12, f"order-{order} n-gram") for order in result.bits]


def test_long_training_data_are_counted_from_their_last_part():
    train = np.repeat(np.array([0, 1, 2, 0], np.uint8), [1, 500, 200, 1])
    held_out = np.full(50, 2, np.uint8)
    segments = [(0, 0, 50)]

    cut = ngram_bits(train, held_out, segments, 3, limit=201)
    alone = ngram_bits(train[500:], held_out, segments, 3)

    assert cut.bits == alone.bits
    assert cut.train_symbols == 201
    assert ngram_bits(train, held_out, segments, 3).train_symbols == 701


def test_the_limit_counts_both_directions():
    train = np.zeros(1_000, np.uint8)

    result = ngram_bits(train, train, [(0, 0, 10)], 2, mirror=np.array([0, 1]), limit=600)

    assert result.train_symbols == 300


def test_nothing_to_score_is_an_error():
    train = np.array([0, 1, 0], np.uint8)

    with pytest.raises(ValueError, match="no held-out symbol"):
        ngram_bits(train, train, [(0, 2, 2)], 2)
    with pytest.raises(ValueError, match=r"no usable order among \[70\]"):
        ngram_bits(train, train, [(0, 0, 2)], 2, orders=[70])


@settings(max_examples=30)
@given(st.lists(st.integers(1, 60_000), min_size=1, max_size=8), st.integers(1, 100_000))
def test_thinning_takes_about_the_limit_and_keeps_the_view_back(lengths, limit):
    segments, at = [], 0
    for length in lengths:
        segments.append((at, at + 5, at + 5 + length))
        at += 5 + length

    kept = thin(segments, limit)

    scored = {place for _, first, stop in kept for place in range(first, stop)}
    assert len(scored) == sum(stop - first for _, first, stop in kept)
    assert len(scored) <= max(limit, 10_000)
    assert len(scored) >= min(limit, sum(lengths)) - 10_000
    assert all(
        any(s == start and first <= a < b <= stop for s, first, stop in segments)
        for start, a, b in kept
    )


@pytest.mark.parametrize(
    ("most", "second", "best", "lowest"),
    [(3_000_000, 1.9727, 6, 1.9616), pytest.param(None, 1.974, 8, 1.949, marks=pytest.mark.slow)],
)
def test_a_fly_chromosome_costs_what_was_measured_before(shared_data, most, second, best, lowest):
    """dm3 chr2R, or its beginning: last 5 % held out, both strands; order 2 and the best."""
    with gzip.open(shared_data / "genome" / "dm3-chr2R.fa.gz") as stream:
        letters = np.frombuffer(stream.read().split(b"\n", 1)[1], np.uint8)
    table = np.zeros(256, np.uint8)
    for base, pair in enumerate(("Aa", "Cc", "Gg", "Tt"), start=1):
        table[[ord(letter) for letter in pair]] = base
    bases = table[letters]
    bases = bases[bases > 0][:most]
    cut = len(bases) * 95 // 100
    train = np.concatenate([[0], bases[:cut], [0]]).astype(np.uint8)
    held_out = bases[cut - 12 :]

    result = ngram_bits(
        train, held_out, [(0, 12, len(held_out))], 5, mirror=np.array([0, 4, 3, 2, 1])
    )

    assert result.bits[2] == pytest.approx(second, abs=0.001)
    assert result.bits[best] == pytest.approx(lowest, abs=0.001)
    assert result.best == best


def test_shakespeare_is_best_at_order_four(shared_data):
    text = gzip.decompress((shared_data / "text" / "tinyshakespeare.txt.gz").read_bytes())
    letters, ids = np.unique(np.frombuffer(text, np.uint8), return_inverse=True)
    ids = (ids + 1).astype(np.uint8)
    cut = len(ids) * 9 // 10
    train = np.concatenate([[0], ids[:cut], [0]]).astype(np.uint8)

    result = ngram_bits(train, ids, [(cut - 8, cut, len(ids))], len(letters) + 1)

    assert result.best == 4
    assert result.bits[4] == pytest.approx(2.408, abs=0.002)
