"""Scores of units are r and AUC as textbooks have them; a planted unit is found, noise is not."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqforge.core.inspection.annotations import Annotation
from seqforge.core.inspection.ranking import BINS, score_units


class Table:
    """Units that lie in memory."""

    def __init__(self, values):
        self.values = values.astype(np.float32)

    def __len__(self):
        return len(self.values)

    def units(self, start=0, stop=None):
        return self.values[start:stop]


def noise(count, units=4, seed=0):
    return np.tanh(np.random.default_rng(seed).normal(size=(count, units)))


@given(count=st.integers(40, 300), seed=st.integers(0, 99), hole=st.floats(0, 0.5))
def test_r_is_pearsons_where_the_annotation_is_known(count, seed, hole):
    from scipy.stats import pearsonr

    random, x = np.random.default_rng(seed), noise(count, seed=seed)
    values = random.normal(size=count) + x[:, 0]
    values[random.random(count) < hole] = np.nan

    found = score_units(Table(x), [Annotation.of("a", values)])

    for half, part in ((found.first, slice(count // 2)), (found.second, slice(count // 2, None))):
        known = np.isfinite(values[part])
        wanted = [pearsonr(x[part][known, u], values[part][known])[0] for u in range(4)]
        np.testing.assert_allclose(half[0], wanted, atol=1e-5)


@given(count=st.integers(40, 300), seed=st.integers(0, 99), share=st.floats(0.1, 0.9))
def test_auc_is_mann_and_whitneys_of_the_steps(count, seed, share):
    from scipy.stats import mannwhitneyu

    random, x = np.random.default_rng(seed), noise(count, seed=seed)
    holds = random.random((7, count)) < share
    holds[:, [0, count // 2]], holds[:, [1, count // 2 + 1]] = True, False
    values = [Annotation.of(str(i), row) for i, row in enumerate(holds)]

    found = score_units(Table(x), values)

    steps = np.floor((x.astype(np.float32) + 1) * BINS / 2)
    part = slice(count // 2, None)
    for a, row in enumerate(holds[:, part]):
        for u in range(4):
            wins = mannwhitneyu(steps[part][row, u], steps[part][~row, u]).statistic
            auc = wins / (row.sum() * (~row).sum())
            assert found.second[a, u] == pytest.approx(2 * auc - 1, abs=1e-9)
            assert found.value(a, u) == pytest.approx(
                auc if found.first[a, u] >= 0 else 1 - auc, abs=1e-9
            )


def test_unknown_places_do_not_count():
    x = noise(400)
    holds = (x[:, 2] > 0.3).astype(np.float32)
    holds[::3] = np.nan
    whole = Annotation("a", holds, "auc")

    found = score_units(Table(x), [whole])
    known = np.isfinite(holds)
    less = score_units(Table(x[known]), [Annotation("a", holds[known], "auc")])

    np.testing.assert_allclose(found.first + found.second, less.first + less.second, atol=0.05)
    assert found.best(0) == [2]
    assert found.value(0, 2) > 0.99


@pytest.mark.parametrize("measure", ["r", "auc"])
def test_a_planted_unit_is_first_and_shifted_annotations_find_nothing(measure):
    x = noise(20_000, units=50)
    clock = np.sin(np.arange(20_000) / 9.0)
    x[:, 17] = 0.8 * clock + 0.2 * x[:, 17]
    one = Annotation.of("clock", clock > 0.5 if measure == "auc" else clock)

    found = score_units(Table(x), [one, *(one.shifted(n) for n in (5011, 7013, 9001))])

    assert found.best(0) == [17]
    assert found.value(0, 17) > 0.9
    others = np.delete(found.second, 17, axis=1)
    assert np.abs(others).max() < 0.1


def test_what_does_not_vary_has_no_score():
    x = noise(100)
    x[:, 1] = 0.25
    rows = (np.full(100, 0.1), np.zeros(100, bool), np.full(100, np.nan), x[:, 0])
    flat = [Annotation.of("some", row) for row in rows]

    found = score_units(Table(x), flat)

    assert not found.first[:3].any()
    assert found.first[3, 1] == 0
    assert found.first[3, 0] == pytest.approx(1)


def test_the_chunks_do_not_show():
    from scipy.stats import pearsonr

    x = noise(50_000, units=3)
    values = [Annotation.of("v", x[:, 1] + np.arange(50_000) * 1e-4),
              Annotation.of("b", x[:, 2] > 0)]  # fmt: skip
    found = score_units(Table(x), values)

    part = slice(25_000, None)
    wanted = pearsonr(x[part, 1], values[0].values[part])[0]
    assert found.second[0, 1] == pytest.approx(wanted, abs=1e-5)
    assert found.second[1, 2] > 0.98
