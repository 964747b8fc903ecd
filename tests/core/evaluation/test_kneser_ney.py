"""Kneser-Ney n-grams against their formula, slowly, and on real texts and genomes."""

import gzip
import math
from collections import Counter, defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqforge.core.evaluation.context_order import Stretch, compare_contexts, sort_by_digit
from seqforge.core.evaluation.kneser_ney import kneser_ney_bits
from seqforge.core.kernels.compiler import interpreted


class PlainKneserNey:
    """The same formula, a dictionary of followers a context, one symbol at a time."""

    def __init__(self, train, vocab_size, highest, depth, mirror=None):
        self.vocab_size = vocab_size
        texts = [[int(t) for t in train[1:]]]
        if mirror is not None:
            texts.append([int(mirror[t]) for t in reversed(texts[0])])
        self.counts = [defaultdict(Counter) for _ in range(highest + 1)]
        before = [defaultdict(set) for _ in range(highest + 1)]
        padded = [0] * depth
        for text in texts:
            padded = [*padded, *text, *[0] * depth]
            for at in range(len(padded) - depth - len(text), len(padded) - depth):
                for k in range(highest + 1):
                    context, symbol = tuple(padded[at - k : at]), padded[at]
                    self.counts[k][context][symbol] += 1
                    before[k][(context, symbol)].add(padded[at - k - 1])
        self.kinds = [defaultdict(Counter) for _ in range(highest + 1)]
        for k, grams in enumerate(before):
            for (context, symbol), found in grams.items():
                self.kinds[k][context][symbol] = len(found)
        self.of_counts = [self._discounts(table) for table in self.counts]
        self.of_kinds = [self._discounts(table) for table in self.kinds]

    def _discounts(self, table):
        n = Counter(count for followers in table.values() for count in followers.values())
        if all(n[count] for count in (1, 2, 3, 4)):
            y = n[1] / (n[1] + 2 * n[2])
            found = [1 - 2 * y * n[2] / n[1], 2 - 3 * y * n[3] / n[2], 3 - 4 * y * n[4] / n[3]]
            if all(0 < discount < k for k, discount in enumerate(found, 1)):
                return found
        return [0.5, 1.0, 1.5]

    def probability(self, context, symbol, order, top=True):
        if order < 0:
            return 1 / self.vocab_size
        lower = self.probability(context, symbol, order - 1, top=False)
        seen = tuple(context[len(context) - order :])
        table, discounts = (
            (self.counts[order], self.of_counts[order])
            if top
            else (self.kinds[order], self.of_kinds[order])
        )
        if order > len(context) or seen not in table:
            return lower
        followers = table[seen]
        taken = sum(discounts[min(count, 3) - 1] for count in followers.values())
        count = followers[symbol]
        kept = count - discounts[min(count, 3) - 1] if count else 0
        return (kept + taken * lower) / followers.total()

    def bits(self, held_out, segments, order):
        scores = [
            math.log2(self.probability(tuple(map(int, held_out[start:at])), held_out[at], order))
            for start, scored_from, stop in segments
            for at in range(scored_from, stop)
        ]
        return -sum(scores) / len(scores)


@st.composite
def cases(draw):
    vocab_size = draw(st.integers(2, 5))
    symbols = st.integers(0, vocab_size - 1)
    train = [0, *draw(st.lists(symbols, min_size=1, max_size=300)), 0]
    held_out = draw(st.lists(symbols, min_size=3, max_size=40))
    cut, start = len(held_out) // 2, draw(st.integers(0, len(held_out) // 2))
    segments = [(0, 1, cut + 1), (start, cut + 1, len(held_out))]
    mirror = draw(st.none() | st.permutations(range(vocab_size)).map(np.array))
    dtype = draw(st.sampled_from([np.uint8, np.uint16]))
    return np.array(train, dtype), np.array(held_out, dtype), segments, vocab_size, mirror


@given(cases())
def test_it_is_the_formula(case):
    train, held_out, segments, vocab_size, mirror = case
    plain = PlainKneserNey(train, vocab_size, 5, 5, mirror)
    stretch = Stretch(held_out, segments)

    found = kneser_ney_bits(train, stretch, stretch, vocab_size, mirror=mirror, highest=5)

    wanted = {order: plain.bits(held_out, segments, order) for order in found.bits}
    assert found.bits == pytest.approx(wanted)
    assert found.order == min(found.bits, key=found.bits.get)
    assert max(found.bits) in (5, found.order + 2)


@settings(max_examples=5)
@given(cases())
def test_the_compiled_kernels_do_what_python_does(case):
    train, held_out, segments, vocab_size, mirror = case
    scored, choosing = (Stretch(held_out, [segment]) for segment in segments)

    def bits():
        return kneser_ney_bits(train, scored, choosing, vocab_size, mirror=mirror, highest=4)

    with interpreted():
        by_python = bits()
    assert bits() == by_python


def test_places_are_ordered_by_what_stands_before_them():
    """A radix sort in two passes over real prose, with the lengths of shared contexts."""
    text = np.frombuffer(b"\0\0\0\0" + __doc__.encode() * 20, np.uint8)
    places, target = (np.arange(4, len(text), dtype=np.uint32) for _ in range(2))
    common = np.zeros(len(places), np.uint8)

    sort_by_digit(text, places, target, np.zeros((1 << 16) + 1, np.int64), 3, 2, 256)
    sort_by_digit(text, target, places, np.zeros((1 << 16) + 1, np.int64), 1, 2, 256)
    compare_contexts(text, places, common, 4)

    contexts = [bytes(text[place - 4 : place])[::-1] for place in places.tolist()]
    assert contexts == sorted(contexts)
    assert sorted(places.tolist()) == list(range(4, len(text)))
    for before, after, shared in zip(contexts, contexts[1:], common[1:].tolist(), strict=False):
        assert before[:shared] == after[:shared]
        assert before[: shared + 1] != after[: shared + 1] or shared == 4


def test_the_order_is_chosen_on_another_part_than_is_scored():
    """What repeats itself chooses an order that letters without any pattern would not."""
    letters = np.random.default_rng(0).integers(1, 6, 3_000).astype(np.uint8)
    periodic = np.resize(np.array([1, 2, 3, 1, 4, 5, 2], np.uint8), 3_000)
    train = np.concatenate([[0], periodic, letters, [0]]).astype(np.uint8)
    whole = [(0, 10, 3_000)]

    found = kneser_ney_bits(train, Stretch(letters, whole), Stretch(periodic, whole), 6)

    assert found.bits[found.order] > min(found.bits.values())
    assert found.order >= 2


def test_long_training_data_are_counted_from_their_last_part():
    train = np.repeat(np.array([0, 1, 2, 0], np.uint8), [1, 500, 200, 1])
    stretch = Stretch(np.full(50, 2, np.uint8), [(0, 0, 50)])

    cut = kneser_ney_bits(train, stretch, stretch, 3, limit=201)

    assert cut.train_symbols == 201
    assert cut.bits == kneser_ney_bits(train[500:], stretch, stretch, 3).bits
    mirrored = kneser_ney_bits(train, stretch, stretch, 3, limit=402, mirror=np.arange(3))
    assert mirrored.train_symbols == 201


def test_nothing_to_score_is_an_error():
    train = np.array([0, 1, 0], np.uint8)
    with pytest.raises(ValueError, match="no held-out symbol"):
        kneser_ney_bits(train, Stretch(train, [(0, 2, 2)]), Stretch(train, [(0, 0, 2)]), 2)


def tail_of(text, share):
    """The ids of a text, a cut before its last part, and the size of its vocabulary."""
    letters, ids = np.unique(np.frombuffer(text, np.uint8), return_inverse=True)
    return (ids + 1).astype(np.uint8), len(ids) - int(len(ids) * share), len(letters) + 1


@pytest.mark.parametrize(
    ("name", "order", "bits"),
    [
        ("tinyshakespeare.txt.gz", 6, 2.188),
        pytest.param("linux-kernel-6mb.c.gz", 16, 1.972, marks=pytest.mark.slow),
    ],
)
def test_real_texts_cost_less_than_by_witten_bell(shared_data, name, order, bits):
    """The last tenth, where Witten-Bell n-grams of at most order 8 need 2.408 (Shakespeare)."""
    ids, cut, size = tail_of(gzip.decompress((shared_data / "text" / name).read_bytes()), 0.1)
    train = np.concatenate([[0], ids[:cut], [0]]).astype(np.uint8)
    stretch = Stretch(ids, [(cut - 20, cut, len(ids))])

    found = kneser_ney_bits(train, stretch, stretch, size)

    assert found.order == order
    assert found.bits[order] == pytest.approx(bits, abs=0.001)
