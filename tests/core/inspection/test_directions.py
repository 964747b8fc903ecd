"""The directions of what units carry are principal components, whatever its shape."""

import numpy as np
import pytest

from seqforge.core.inspection.directions import directions


@pytest.mark.parametrize(("count", "units"), [(1, 3), (50, 4), (300, 200), (20_000, 40)])
def test_directions_are_those_of_the_largest_variance(count, units):
    rng = np.random.default_rng(count)
    size = rng.permutation(np.logspace(0, -3, units)).astype(np.float32)
    carried = rng.uniform(-1, 1, (count, units)).astype(np.float32) * size + 0.5
    found = directions(lambda start, stop: carried[start:stop], count, most=6)
    kept = min(6, count, units)
    assert found.values.shape == (count, len(found.loadings))
    deviations = carried.astype(float) - carried.mean(0, dtype=float)
    np.testing.assert_allclose(deviations @ found.loadings.T, found.values, atol=1e-4)
    variance = (found.values.astype(float) ** 2).sum(0)
    assert (np.diff(variance) <= 1e-3 * variance[0]).all()
    most = (np.linalg.svd(deviations, compute_uv=False)[:kept] ** 2).sum()
    assert variance.sum() >= 0.98 * most - 1e-6


def test_cosines_of_all_units_are_kept():
    """Three things that units follow, in 100 units: a few directions tell what all of them do."""
    rng = np.random.default_rng(0)
    carried = rng.standard_normal((500, 3)) @ rng.standard_normal((3, 100)) / 10
    carried = (carried + rng.normal(0, 0.005, carried.shape)).astype(np.float32)
    found = directions(lambda start, stop: carried[start:stop], 500)
    assert found.values.shape[1] == 24

    def cosines(rows):
        lengths = np.linalg.norm(rows, axis=1)
        return rows @ rows[0] / lengths / lengths[0]

    np.testing.assert_allclose(cosines(found.values), cosines(carried - carried.mean(0)), atol=0.02)
