"""Exponential and logarithm against the standard library's."""

from __future__ import annotations

import math

import numpy as np

from seqforge.core.kernels.compiler import interpreted
from seqforge.core.kernels.elementary import exponential, logarithm


def test_the_logarithm_is_that_of_the_standard_library():
    draw = np.random.default_rng(0)
    numbers = np.concatenate([np.exp(draw.uniform(-700, 700, 3000)), draw.uniform(0.5, 2.0, 3000),
                              [1.0, 0.5, 2.0, 2.0**-1022, 1 - 2.0**-53, 1 + 2.0**-52]])  # fmt: skip
    for x in map(float, numbers):
        wanted = math.log(x)
        assert abs(logarithm(x) - wanted) <= 4e-16 * max(1.0, abs(wanted))


def test_the_logarithm_of_nothing_is_minus_infinity():
    assert logarithm(0.0) == logarithm(-1.0) == logarithm(math.nan) == -math.inf
    assert logarithm(1.0) == 0.0


def test_the_logarithm_undoes_the_exponential():
    for x in np.linspace(-600, 0, 1001).tolist():
        assert abs(logarithm(exponential(x)) - x) <= 1e-15 * max(1.0, abs(x))


def test_compiled_and_interpreted_give_the_same_bits():
    numbers = np.exp(np.linspace(-50, 50, 301)).tolist()
    compiled = [logarithm(x) for x in numbers]
    with interpreted():
        assert [logarithm(x) for x in numbers] == compiled
