"""N-gram models: counts, probabilities and files, against plain statements in Python."""

from collections import Counter, defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqforge.core.kernels.compiler import checked, interpreted
from seqforge.core.model.ngram import (
    chance_of_symbol,
    check_counts,
    check_described,
    discounts_of,
    fill_chances,
    ngram_model,
    score_symbols,
    symbol_bits,
    symbol_of,
)
from seqforge.core.model.ngram_counting import count_ngrams

RECORDS = st.lists(st.text("abc", max_size=12), min_size=1, max_size=6)
SYMBOLS = "abcd"


def tokens_of(records):
    """A part of the training data: 0, then records, each followed by 0."""
    ids = [0]
    for record in records:
        ids += [SYMBOLS.index(symbol) + 1 for symbol in record] + [0]
    return np.array(ids, np.uint8)


def counted(records, order, smoothing, folder, **how):
    return count_ngrams(
        tokens_of(records), len(SYMBOLS) + 1, order, smoothed=smoothing == "kneser-ney",
        folder=folder, **how,
    )  # fmt: skip


def modelled(records, order, smoothing, folder, **how):
    return ngram_model(
        counted(records, order, smoothing, folder, **how), len(SYMBOLS) + 1, smoothing
    )


def padded(records, order):
    """Each symbol (ends included) with the ``order`` ids before it, begin padded with ends."""
    for record in records:
        ids = [0] * order + [SYMBOLS.index(symbol) + 1 for symbol in record] + [0]
        for place in range(order, len(ids)):
            yield tuple(ids[place - order : place]), ids[place]


class Goldberg:
    """The unsmoothed model as the notes have it: counts in dictionaries, then shares."""

    def __init__(self, records, order):
        counts = defaultdict(Counter)
        for context, symbol in padded(records, order):
            counts[context][symbol] += 1
        self.shares = {
            context: {symbol: n / some.total() for symbol, n in some.items()}
            for context, some in counts.items()
        }

    def chance(self, context, symbol):
        return self.shares.get(context, {}).get(symbol, 0.0)


class KneserNey:
    """Interpolated modified Kneser-Ney, from its definition (Chen and Goodman 1998)."""

    def __init__(self, records, order):
        self.order, self.counts = order, [Counter() for _ in range(order + 1)]
        self.counts[order] = Counter((*c, s) for c, s in padded(records, order))
        for length in range(order - 1, -1, -1):
            longer = {(*c, s)[-length - 2 :] for c, s in padded(records, order)}
            self.counts[length] = Counter(gram[1:] for gram in longer)
        self.discounts = [
            discounts_of(np.array([sum(n == k for n in table.values()) for k in range(5)]))
            for table in self.counts
        ]

    def chance(self, context, symbol):
        found = 1 / (len(SYMBOLS) + 1)
        for length in range(self.order + 1):
            short = context[len(context) - length :]
            of = {g[-1]: n for g, n in self.counts[length].items() if g[:-1] == short}
            if not of:
                break
            taken = sum(self.discounts[length][min(n, 3)] for n in of.values())
            own = of.get(symbol, 0)
            kept = max(0.0, own - self.discounts[length][min(own, 3)])
            found = (kept + taken * found) / sum(of.values())
        return found


PLAIN = {"none": Goldberg, "kneser-ney": KneserNey}


@pytest.mark.parametrize("smoothing", PLAIN)
@given(train=RECORDS, held_out=RECORDS, order=st.integers(0, 5), strange=st.booleans())
def test_bits_are_those_of_a_plain_statement(
    tmp_path_factory, smoothing, train, held_out, order, strange
):
    folder = tmp_path_factory.mktemp("counts")
    held_out = [*held_out, "da"] if strange else held_out
    model, plain = modelled(train, order, smoothing, folder), PLAIN[smoothing](train, order)
    tokens, history = tokens_of(held_out), np.zeros(order, np.int64)
    found = np.empty(len(tokens) - 1)
    score_symbols(model, tokens, 0, 1, len(tokens), history, found)
    assert found == pytest.approx([plain.chance(*one) for one in padded(held_out, order)])


@given(records=RECORDS, order=st.integers(0, 4))
def test_all_symbols_together_are_certain_and_one_by_one_the_same(tmp_path_factory, records, order):
    model = modelled(records, order, "kneser-ney", tmp_path_factory.mktemp("counts"))
    chances = np.empty(len(SYMBOLS) + 1)
    for context, _ in padded([*records, "dab"], order):
        history = np.array(context[::-1], np.int64)
        fill_chances(model, history, order, chances)
        assert chances.sum() == pytest.approx(1)
        alone = [chance_of_symbol(model, history, symbol) for symbol in range(len(chances))]
        assert chances == pytest.approx(alone)


@pytest.mark.parametrize("smoothing", PLAIN)
def test_in_small_parts_and_several_threads_the_counts_are_the_same(tmp_path, smoothing):
    rng = np.random.default_rng(0)
    records = ["".join(rng.choice(list("abc"), 400)) for _ in range(5)]
    whole = counted(records, 5, smoothing, tmp_path)
    parts = counted(records, 5, smoothing, tmp_path, threads=3, together=1)
    for name, array in whole.items():
        assert (array == parts[name]).all(), name


def test_shorter_grams_without_smoothing_are_counted_as_often_as_they_are_there(tmp_path):
    """So that a context that was never seen can fall back to the end of it."""
    records = ["abab", "ba"]
    model = modelled(records, 2, "none", tmp_path)
    first, end = int(model.levels[2]), int(model.levels[3])
    found = {symbol_of(model, gram): int(model.counts[gram]) for gram in range(first, end)}
    assert found == {0: 2, 1: 3, 2: 3}


def test_a_mirrored_text_is_counted_both_ways(tmp_path):
    mirror = np.array([0, 2, 1, 3, 4], np.uint8)  # a and b stand for each other
    both = modelled(["aac"], 2, "none", tmp_path, mirror=mirror)
    plain = modelled(["aac", "cbb"], 2, "none", tmp_path)
    assert (both.grams == plain.grams).all()
    assert (both.counts == plain.counts).all()


def test_kernels_are_the_functions_they_are(tmp_path):
    records, order = ["abcab", "bcabca"], 3
    fast = counted(records, order, "kneser-ney", tmp_path)
    with interpreted(), np.errstate(over="ignore"):
        slow = counted(records, order, "kneser-ney", tmp_path)
        chance = chance_of_symbol(
            ngram_model(slow, 5, "kneser-ney"), np.array([2, 1, 0], np.int64), 3
        )
    for name, array in fast.items():
        assert (array == slow[name]).all()
    with checked():
        again = chance_of_symbol(
            ngram_model(counted(records, order, "kneser-ney", tmp_path), 5, "kneser-ney"),
            np.array([2, 1, 0], np.int64), 3,
        )  # fmt: skip
    assert chance == again


def test_arrays_of_no_text_are_refused(tmp_path):
    good = {k: np.array(v) for k, v in counted(["abcab"], 2, "none", tmp_path).items()}
    check_counts(good, 5)
    last, grams = int(good["levels"][-1]), good["grams"]
    assert grams[-1] < 1 << symbol_bits(5)
    for name, place, value, said in (
        ("grams", 0, 1 << 60, "gram 1 is out of order"),
        ("grams", last - 1, 7, f"gram {last - 1} is out of order, of no symbol"),
        ("counts", 1, 0, "gram 1 is out of order, of no symbol, or counted 0 times"),
        ("levels", 0, 1, "levels are not where"),
        ("levels", 1, 0, "levels are not where"),
        ("levels", -1, last + 1, "levels are not where"),
    ):
        bad = {key: array.copy() for key, array in good.items()}
        bad[name][place] = value
        with pytest.raises(ValueError, match=said):
            check_counts(bad, 5)


def test_what_a_file_says_of_its_arrays_is_checked_before_they_are_read():
    kinds = {"grams": "U64", "counts": "U32", "levels": "I64"}
    shapes = {"grams": (9,), "counts": (9,), "levels": (4,)}
    check_described(2, kinds, shapes)
    for changed, other, said in (
        (kinds | {"more": "U8"}, shapes, "it has grams, counts, levels, more, not grams"),
        (kinds | {"grams": "F32"}, shapes, "grams is of type F32, not U64"),
        (kinds, shapes | {"counts": (8,)}, r"counts has the shape \(8,\), not \(9,\)"),
        (kinds, shapes | {"levels": (5,)}, r"levels has the shape \(5,\), not \(4,\)"),
        (kinds, shapes | {"grams": ()}, "grams has the shape"),
    ):
        with pytest.raises(ValueError, match=said):
            check_described(2, changed, other)
