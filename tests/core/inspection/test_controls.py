"""What counts as found, by the margins; untrained networks have the shape and fresh weights."""

import numpy as np
import pytest

from seqforge.core.inspection.controls import Finding, untrained
from tests.core.sampling.tiny import checkpoint


def finding(measure, value, fresh, shifted, keeps_sign=True):
    return Finding(0, 0, measure, value, (0.0, fresh), (shifted, 0.0), keeps_sign)


@pytest.mark.parametrize(
    ("case", "found"),
    [
        (("r", 0.91, -0.40, 0.1), True), (("r", -0.91, 0.40, 0.1), True),
        (("r", 0.69, 0.40, 0.1), False), (("r", 0.75, 0.40, -0.7), False),
        (("auc", 0.928, 0.904, 0.5), False), (("auc", 0.891, 0.797, 0.5), False),
        (("auc", 0.95, 0.89, 0.5), True), (("auc", 0.95, 0.6, 0.91), False),
        (("r", 0.91, 0.40, 0.1, False), False), (("auc", 0.99, 0.5, 0.5, False), False),
    ],
)  # fmt: skip
def test_a_unit_is_found_by_the_stated_margins(case, found):
    assert finding(*case).found is found


def test_the_margin_is_measured_from_the_best_untrained_network():
    assert finding("r", -0.9, -0.4, 0).margin == pytest.approx(0.5)
    assert finding("auc", 0.9, 0.8, 0.5).margin == pytest.approx(0.1)


def test_untrained_networks_have_the_shape_and_fresh_weights_by_their_seed():
    model = checkpoint(seed=3, cell="gru")

    one, same, other = (untrained(model, seed) for seed in (0, 0, 1))

    for name, weights in model.weights.items():
        assert one.weights[name].shape == weights.shape
        np.testing.assert_array_equal(one.weights[name], same.weights[name])
    assert any((one.weights[n] != other.weights[n]).any() for n in model.weights)
    assert any((one.weights[n] != model.weights[n]).any() for n in model.weights)
