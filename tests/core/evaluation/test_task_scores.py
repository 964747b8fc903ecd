"""Scores of classes and sequences, beside plain counting."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqforge.core.evaluation.task_scores import ClassScores, SequenceScores, calibration

pairs = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=60)


@given(pairs)
def test_scores_of_classes_are_those_of_plain_counting(found):
    true, said = (np.array(column) for column in zip(*found, strict=True))
    scores = ClassScores.of(true, said, 4)
    assert scores.accuracy == pytest.approx(np.mean(true == said))
    each = []
    for one in sorted({*true.tolist(), *said.tolist()}):
        right = sum(a == b == one for a, b in found)
        each.append(2 * right / (sum(a == one for a, _ in found) + sum(b == one for _, b in found)))
    assert scores.macro_f1 == pytest.approx(np.mean(each))


def test_what_is_most_confused_comes_first():
    true, said = np.array([0, 0, 0, 1, 2, 2]), np.array([1, 1, 0, 1, 0, 2])
    assert ClassScores.of(true, said, 3).most_confused() == [(0, 1, 2), (2, 0, 1)]


def test_a_classifier_that_says_what_it_knows_is_calibrated():
    draw = np.random.default_rng(0)
    chance = draw.uniform(0.5, 1, 40_000)
    probabilities = np.stack([chance, 1 - chance], 1)
    true = (draw.uniform(size=len(chance)) > chance).astype(int)
    _, error = calibration(probabilities, true)
    assert error < 0.01
    _, sure = calibration(np.stack([np.ones(1000), np.zeros(1000)], 1), true[:1000])
    assert sure == pytest.approx(np.mean(true[:1000]), abs=1e-9)


def test_sequences_are_right_as_a_whole_and_by_place():
    scores = SequenceScores.of([[1, 2, 3], [1, 2], [4]], [[1, 2, 3], [1, 3], [4, 4]])
    assert scores.exact == pytest.approx(1 / 3)
    assert scores.token_accuracy == pytest.approx((3 + 1 + 1) / (3 + 2 + 2))
