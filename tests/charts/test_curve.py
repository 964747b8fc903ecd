"""The learning curve's coordinates."""

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqforge.charts.curve import BOTTOM, LEFT, RIGHT, TOP, learning_curve


def points(*rows):
    """Evaluations of which nothing else is known."""
    unknown = {"step": None, "elapsed_seconds": None, "train_bits": None, "valid_bits": None}
    return [SimpleNamespace(**(unknown | row)) for row in rows]


numbers = st.none() | st.floats(0, 1e6) | st.just(float("nan"))
rows = st.fixed_dictionaries(
    {"step": numbers, "elapsed_seconds": numbers, "train_bits": numbers, "valid_bits": numbers}
)


@given(st.lists(rows, max_size=8), st.none() | st.floats(0, 20))
def test_marks_and_ticks_are_within_the_picture(metrics, ngram):
    curve = learning_curve(points(*metrics), ngram)
    if curve is None:
        return
    assert all(LEFT - 0.1 <= tick.at <= RIGHT + 0.1 for tick in curve.x_ticks)
    assert all(TOP - 0.1 <= tick.at <= BOTTOM + 0.1 for tick in curve.y_ticks)
    assert ngram is None or TOP <= curve.ngram <= BOTTOM
    for line in curve.lines:
        xs = [float(point.split(",")[0]) for point in line.points.split()]
        assert all(LEFT <= x <= RIGHT for x in xs)


def test_the_best_is_the_lowest_valid():
    valid = [3.0, 2.0, 2.5]
    metrics = [
        {"step": 10 * i, "elapsed_seconds": 60.0 * i, "train_bits": 1.0, "valid_bits": bits}
        for i, bits in enumerate(valid, start=1)
    ]

    curve = learning_curve(points(*metrics))

    assert curve.best_label == "best 2.000 at step 20"
    assert curve.best[0] == pytest.approx(LEFT + (RIGHT - LEFT) * 2 / 3, abs=0.1)
    assert curve.x_label == "minutes"
    assert not curve.cut


def test_a_high_beginning_lies_above_the_picture():
    metrics = [
        {"step": i, "elapsed_seconds": float(i), "train_bits": None, "valid_bits": bits}
        for i, bits in enumerate([8.0, *[2 - i / 100 for i in range(20)]], start=1)
    ]

    curve = learning_curve(points(*metrics))

    assert curve.cut
    assert [line.name for line in curve.lines] == ["valid"]
    assert float(curve.lines[0].points.split()[0].split(",")[1]) < TOP


def test_without_times_it_goes_by_steps():
    curve = learning_curve(points({"step": 5, "train_bits": 2.0, "valid_bits": 2.1}))

    assert curve.x_label == "steps"
    assert curve.best_label == "best 2.100 at step 5"


def test_without_evaluations_there_is_none():
    assert learning_curve([]) is None
