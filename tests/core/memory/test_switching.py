"""Two predictors become one that is hardly worse than the better."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from seqforge.core.memory.switching import SHARE, Switch

PAIR = st.integers(1, 300).flatmap(
    lambda size: arrays(float, (2, size), elements=st.floats(-30, -1e-6))
)


def switched(first, second):
    return Switch().mixed(first, second)


@given(PAIR)
def test_it_needs_little_more_than_the_better(pair):
    found = switched(*pair)

    most = np.log(2) - pair.shape[1] * np.log(1 - SHARE / 2)
    assert -found.sum() <= -pair.sum(axis=1).max() + most + 1e-9
    assert (found <= pair.max(axis=0) + 1e-12).all()
    assert (found >= pair.min(axis=0) - 1e-12).all()


@given(PAIR, st.integers(0, 299))
def test_it_depends_on_what_stands_before_alone(pair, place):
    place = min(place, pair.shape[1] - 1)
    changed = pair.copy()
    changed[:, place + 1 :] = -1.0
    np.testing.assert_array_equal(switched(*pair)[: place + 1], switched(*changed)[: place + 1])


@given(PAIR, st.integers(0, 300))
def test_where_blocks_end_makes_no_difference(pair, place):
    switch = Switch()
    blocks = [switch.mixed(*pair[:, :place]), switch.mixed(*pair[:, place:])]
    np.testing.assert_array_equal(np.concatenate(blocks), switched(*pair))


def test_it_follows_a_change_of_who_is_better():
    good, bad = np.full(500, -0.1), np.full(500, -3.0)
    first, second = np.concatenate([good, bad]), np.concatenate([bad, good])

    assert -switched(first, second).sum() < 0.1 * 1000 + 25
