"""A few pieces beside many: closeness, and the rows of the report."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqforge.domains.music.report import closeness, closeness_of_few, compared, gathered

VALUES = st.lists(st.integers(0, 8).map(float), min_size=2, max_size=20)
DASH = "\N{EN DASH}"


@given(VALUES, VALUES)
def test_closeness_is_scipys_kolmogorov_smirnov_distance_from_one(some, reference):
    from scipy.stats import ks_2samp

    distance = ks_2samp(some, reference, method="asymp").statistic
    assert closeness(some, reference) == pytest.approx(1 - distance)


def test_closeness_by_hand():
    assert closeness([1, 2, 3], [3, 2, 1]) == 1
    assert closeness([1, 2], [3, 4]) == 0
    assert closeness([1, 4], [2, 3]) == 0.5


def test_few_of_the_same_are_less_close_than_all_of_them():
    """Why samples are set beside choices as small as they are."""
    drawn = random.Random(1)
    group = [drawn.gauss(0, 1) for _ in range(500)]

    few, many = closeness_of_few(group, 9, group), closeness_of_few(group, 400, group)

    assert 0.6 < few.mean() < 0.8
    assert many.min() > 0.95
    assert (closeness_of_few(group[:3], 9, group) == closeness(group[:3], group)).all()


def test_rows_are_medians_then_ranges():
    rows = compared(
        {
            "samples": {"steps": [1.0, 2.0]},
            "held-out": {"steps": [2.0] * 4},
            "training": {"steps": [float(n) for n in range(11)], "bars": [4.0]},
            "random notes": {"steps": [20.0]},
        }
    )

    assert list(rows) == ["steps", "bars", f"steps, 10{DASH}90 %", f"bars, 10{DASH}90 %"]
    assert rows["steps"] == {
        "samples": 1.5,
        "held-out": 2,
        "training": 5,
        "random notes": 20,
        "closeness": 0.273,  # behind 2 lie all samples, and 8 of 11 training values
        "closeness, held-out": 0.273,
        "closeness, random": 0,
    }
    assert rows[f"steps, 10{DASH}90 %"] == {
        "samples": f"1.1{DASH}1.9",
        "held-out": f"2{DASH}2",
        "training": f"1{DASH}9",
        "random notes": f"20{DASH}20",
        "closeness, held-out": f"0.27{DASH}0.27",
    }
    assert rows["bars"]["samples"] is rows["bars"]["closeness"] is None
    assert rows["bars"].keys() == rows["steps"].keys()


def test_measures_that_a_piece_lacks_are_left_out():
    found = gathered([{"a": 1.0, "b": None}, {}, {"a": 3.0, "b": 2.0}])
    assert found == {"a": [1, 3], "b": [2]}
    assert list(found) == ["a", "b"]
