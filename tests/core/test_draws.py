"""Drawing: filters against slow plain statements, frequencies against probabilities."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from seqforge.core.sampling.draws import Draws, choose, log_softmax, probabilities

LOGITS = arrays(np.float64, st.tuples(st.integers(1, 4), st.integers(2, 12)),
                elements=st.floats(-30, 30))  # fmt: skip


def plain(row, temperature, top_k, top_p):
    """The same rule, one row at a time, with lists."""
    weights = [math.exp((x - max(row)) / temperature) for x in row]
    ranked = sorted(range(len(row)), key=lambda i: (-row[i], i))[: top_k or len(row)]
    total = math.fsum(weights[i] for i in ranked)
    kept, mass = [], 0.0
    for i in ranked:
        if mass >= (top_p or 1.0) and kept:
            break
        kept.append(i)
        mass += weights[i] / total
    total = math.fsum(weights[i] for i in kept)
    return [weights[i] / total if i in kept else 0.0 for i in range(len(row))]


@given(
    LOGITS, st.floats(0.1, 5), st.one_of(st.none(), st.integers(1, 12)),
    st.one_of(st.none(), st.floats(0.05, 0.95)),
)  # fmt: skip
def test_filters_equal_a_plain_statement(logits, temperature, top_k, top_p):
    found = probabilities(logits, temperature, top_k, top_p)

    for row, chances in zip(logits.tolist(), found.tolist(), strict=True):
        wanted = plain(row, temperature, top_k, top_p)
        if any(abs(sum(sorted(wanted)[-n:]) - (top_p or 2)) < 1e-9 for n in range(13)):
            continue  # on the very edge of top_p rounding decides
        assert chances == pytest.approx(wanted, abs=1e-9)


@given(LOGITS)
def test_temperature_has_exact_limits(logits):
    greedy, uniform = probabilities(logits, 0.0), probabilities(logits, math.inf)

    assert (greedy.argmax(1) == logits.argmax(1)).all()
    assert set(np.unique(greedy)) <= {0.0, 1.0}
    assert (uniform == 1 / logits.shape[1]).all()


def test_what_is_not_allowed_stays_impossible_at_every_temperature():
    logits = np.array([[1.0, -np.inf, 3.0]])
    for temperature in (0.0, 1e-300, 0.7, 1e300, math.inf):
        chances = probabilities(logits, temperature, top_k=3, top_p=0.999)
        assert chances[0, 1] == 0
        assert chances.sum() == pytest.approx(1)


@pytest.mark.parametrize("wrong", [{"temperature": -1}, {"temperature": math.nan}, {"top_k": 0},
                                   {"top_p": 0.0}, {"top_p": 1.5}])  # fmt: skip
def test_arguments_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match="must"):
        probabilities(np.zeros((1, 3)), **wrong)


@given(arrays(np.float64, (1, 6), elements=st.floats(0, 1)), st.floats(0, 1, exclude_max=True))
def test_a_symbol_of_probability_zero_is_never_drawn(weights, uniform):
    if weights.sum() == 0:
        return
    chances = weights / weights.sum()

    (drawn,) = choose(chances, np.array([uniform]))

    assert chances[0, drawn] > 0
    assert chances[0, :drawn].sum() <= uniform + 1e-12
    assert chances[0, : drawn + 1].sum() >= uniform - 1e-12


@pytest.mark.parametrize("options", [{}, {"temperature": 0.5}, {"temperature": math.inf},
                                     {"top_k": 3}, {"top_p": 0.7}])  # fmt: skip
def test_frequencies_match_the_probabilities(options):
    """Pearson's chi-squared below its 99.9 % point (5 degrees of freedom: 20.5)."""
    logits = np.array([[0.3, 1.1, -0.4, 2.0, 0.0, -1.0]])
    chances = probabilities(logits, **options)[0]
    draws = Draws(7, [1])
    counts = np.zeros(6)
    for _ in range(20_000):
        counts[choose(chances[None], draws.next())[0]] += 1

    possible = chances > 0
    wanted = 20_000 * chances[possible]
    assert counts[~possible].sum() == 0
    assert ((counts[possible] - wanted) ** 2 / wanted).sum() < 20.5


def test_a_draw_depends_on_seed_number_and_position_alone():
    together = Draws(3, [1, 2, 9])
    alone = [Draws(3, [number]) for number in (1, 2, 9)]
    for _ in range(600):
        assert together.next().tolist() == [float(one.next()[0]) for one in alone]
    assert Draws(3, [1]).next() != Draws(4, [1]).next()


@given(LOGITS)
def test_log_softmax_adds_up_to_one(logits):
    np.testing.assert_allclose(np.exp(log_softmax(logits)).sum(1), 1)
