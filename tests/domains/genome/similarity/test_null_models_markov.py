"""A Markov model counts as a slow plain version does, and its samples have its words."""

from collections import Counter
from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqforge.domains.genome.similarity.null_models import MarkovModel, order_for
from tests.steps import growth, steps

COMPLEMENT = dict(zip("ACGT", "TGCA", strict=True))


def other_strand(bases):
    return "".join(COMPLEMENT.get(base, base) for base in reversed(bases))


def words(text, size):
    found = (text[i : i + size] for i in range(len(text) - size + 1))
    return Counter(word for word in found if set(word) <= set("ACGT"))


def plain_counts(text, size, both):
    counted = words(text, size)
    if both:
        counted += words(other_strand(text), size)
    return [counted["".join(word)] for word in product("ACGT", repeat=size)]


@given(
    text=st.text("ACGTN\n", min_size=8, max_size=200).filter(lambda t: words(t, 3)),
    cuts=st.lists(st.integers(0, 200), max_size=5),
    both=st.booleans(),
)
def test_the_same_as_counting_word_by_word(text, cuts, both):
    """However the text is cut into blocks, samples are those of a model of plain counts."""
    edges = [0, *sorted(cuts), len(text)]
    blocks = [text[a:b] for a, b in pairwise(edges)]
    plain = MarkovModel(np.array(plain_counts(text, 3, both)))

    model = MarkovModel.of(blocks, order=2, both=both)

    assert model.order == 2
    assert model.sample(50, 1) == plain.sample(50, 1)


@pytest.mark.parametrize("order", [0, 1, 3, 5])
def test_samples_have_the_words_of_what_was_counted(order, random_bases):
    """Chi-squared of the followers of each context, 400,000 bases against the counts."""
    uneven = random_bases(3_000) + random_bases(500) * 3 + "ATATATCG" * 300
    expected = np.array(plain_counts(uneven, order + 1, both=False), float).reshape(-1, 4)
    model = MarkovModel.of([uneven], order, both=False)

    drawn = np.array(plain_counts(model.sample(400_000, 3), order + 1, both=False), float)
    drawn = drawn.reshape(-1, 4)

    assert not drawn[expected == 0].any()
    chances = expected / np.maximum(expected.sum(1, keepdims=True), 1)
    wanted = chances * drawn.sum(1, keepdims=True)
    some = wanted > 5
    chi_squared = ((drawn - wanted)[some] ** 2 / wanted[some]).sum()
    freedom = some.sum() - some.any(1).sum()
    assert abs(chi_squared - freedom) < 5 * (2 * freedom) ** 0.5 + 3
    assert np.abs(drawn - wanted).max() < 6 * wanted.max() ** 0.5  # and no rare one went wild


def test_both_strands_make_a_model_of_either(random_bases):
    text = random_bases(500) + "AAAAACCCC" * 30

    here = MarkovModel.of([text], 3)

    assert here.sample(300, 0) == MarkovModel.of([other_strand(text)], 3).sample(300, 0)
    assert here.sample(300, 0) != MarkovModel.of([text], 3, both=False).sample(300, 0)


def test_a_context_that_ends_the_text_goes_on_as_a_shorter_one():
    """AAC stands only at the end; what follows it is what follows C: always G."""
    model = MarkovModel.of(["CGCGCGTTGAAC"], 3, both=False)

    drawn = model.sample(5_000, 0)

    assert "AAC" in drawn
    assert {drawn[i + 3] for i in range(len(drawn) - 3) if drawn[i : i + 3] == "AAC"} == {"G"}


def test_the_order_is_what_the_text_bears(random_bases):
    text = random_bases(30_000)

    assert [order_for(n) for n in (10, 1_600, 25_600, 409_599, 409_600, 10**9)] == [
        0,
        1,
        3,
        4,
        5,
        5,
    ]
    assert MarkovModel.of([text]).order == 3
    assert MarkovModel.of([text], both=True).order == order_for(2 * (len(text) - 5))


@pytest.mark.parametrize("length", [0, 1, 3, 5, 6, 100])
def test_samples_are_as_long_as_asked(length):
    assert len(MarkovModel.of(["ACGTACGGTCA" * 9], 4).sample(length, 0)) == length


def test_text_without_a_word_is_refused():
    with pytest.raises(ValueError, match="nothing to make a Markov model of"):
        MarkovModel.of(["ACNGT", "N"], 3)


def test_a_base_takes_a_few_steps_however_many_there_are(random_bases):
    model = MarkovModel.of([random_bases(10_000)])

    assert growth(lambda length: model.sample(length, 0), 5_000) < 1.1
    assert steps(lambda: model.sample(10_000, 0)) < 10 * 10_000
