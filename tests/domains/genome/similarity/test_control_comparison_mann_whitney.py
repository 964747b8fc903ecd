"""The rank test against trying every way of dealing the values out."""

from itertools import combinations
from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqforge.domains.genome.similarity.control_comparison import EXACT_PAIRS, mann_whitney

VALUES = st.integers(-3, 3) | st.sampled_from([inf, -inf, 0.5])


def pairs_above(first, second):
    return sum((a > b) + 0.5 * (a == b) for a in first for b in second)


def enumerated_p(first, second):
    """Every choice of so many of the values as the first group, one by one."""
    values = [*first, *second]
    middle = len(first) * len(second) / 2
    here = abs(pairs_above(first, second) - middle)
    far = every = 0
    for chosen in combinations(range(len(values)), len(first)):
        rest = [values[i] for i in range(len(values)) if i not in chosen]
        far += abs(pairs_above([values[i] for i in chosen], rest) - middle) >= here
        every += 1
    return far / every


@given(
    first=st.lists(VALUES, min_size=1, max_size=5), second=st.lists(VALUES, min_size=1, max_size=5)
)
def test_small_groups_have_the_p_of_all_permutations(first, second):
    found = mann_whitney(first, second)

    assert found.exact
    assert found.u == pairs_above(first, second)
    assert found.p == pytest.approx(enumerated_p(first, second), abs=1e-12)
    assert found.superiority == found.u / (len(first) * len(second))
    assert found.delta == pytest.approx(2 * found.superiority - 1)


@given(
    first=st.lists(VALUES, min_size=1, max_size=9), second=st.lists(VALUES, min_size=1, max_size=9)
)
def test_changing_sides_changes_the_sign_alone(first, second):
    here, there = mann_whitney(first, second), mann_whitney(second, first)

    assert here.p == pytest.approx(there.p)
    assert here.delta == pytest.approx(-there.delta)


def test_groups_that_are_wholly_apart_have_the_least_p():
    found = mann_whitney(range(10, 19), range(10))

    assert (found.superiority, found.delta) == (1, 1)
    assert found.p == pytest.approx(found.least_p) == pytest.approx(2 / 92378)


@pytest.mark.parametrize("coarse", [1, 7, 25])
def test_the_approximation_meets_the_exact_p_where_it_takes_over(coarse, rng):
    """Just above and just below the largest size that is counted, ties or not."""
    n = int(EXACT_PAIRS**0.5)
    for shift in (0, 3, 8):
        first = [rng.randint(0, 100) // coarse + shift / coarse for _ in range(n)]
        second = [rng.randint(0, 100) // coarse for _ in range(n)]
        exact = mann_whitney(first, second)
        # One more value in the middle of all hardly matters, and makes it too large to count.
        middle = sorted(first + second)[n]
        normal = mann_whitney(first, [*second, middle])
        assert exact.exact
        assert not normal.exact
        assert normal.p == pytest.approx(exact.p, rel=0.15, abs=0.02)


def test_values_that_are_all_the_same_tell_nothing():
    assert mann_whitney([1, 1], [1, 1, 1]).p == 1
    many = mann_whitney([2] * 60, [2] * 60)
    assert (many.p, many.delta, many.exact) == (1, 0, False)


def test_the_rate_of_false_alarms_is_the_level(rng):
    """400 pairs of groups of one kind: p below 0.05 in one of twenty, as ties allow."""
    alarms = sum(
        mann_whitney(
            [rng.randint(0, 30) for _ in range(9)], [rng.randint(0, 30) for _ in range(27)]
        ).p
        <= 0.05
        for _ in range(400)
    )

    assert 8 <= alarms <= 34  # 20, and three standard deviations


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [([], [1], "at least one value"), ([1], [], "at least one value"), ([nan], [1], "no NaN")],
)
def test_what_cannot_be_compared_is_refused(first, second, message):
    with pytest.raises(ValueError, match=message):
        mann_whitney(first, second)


@given(
    first=st.lists(VALUES, min_size=1, max_size=5), second=st.lists(VALUES, min_size=1, max_size=5)
)
def test_the_least_p_is_the_least_of_all_ways_to_deal_the_same_values_out(first, second):
    """Ties count: one of its own above five that are equal has p = 1/6, not 2/6."""
    pooled = [*first, *second]
    ways = combinations(range(len(pooled)), len(first))
    dealt = (
        ([pooled[i] for i in way], [v for i, v in enumerate(pooled) if i not in way])
        for way in ways
    )
    least = min(mann_whitney(*groups).p for groups in dealt)

    assert mann_whitney(first, second).least_p == pytest.approx(least)


@given(st.lists(st.integers(0, 3), min_size=51, max_size=51), st.integers(0, 3))
def test_no_approximated_p_is_below_the_least(first, shift):
    found = mann_whitney(first, [value + shift for value in reversed(first)])

    assert not found.exact
    assert found.least_p <= found.p
