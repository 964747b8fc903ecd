"""What kernels call beyond Python does what its Python body says."""

from __future__ import annotations

import math

import numpy as np

from seqforge.core.kernels.compiler import interpreted, kernel
from seqforge.core.kernels.intrinsics import bits_of_float, find_equal, find_least, prefetch


@kernel
def _found(table, at: int, wanted: int) -> int:
    prefetch(table, at)
    return find_equal(table, at, wanted)


@kernel
def _least(table, at: int) -> int:
    return find_least(table, at)


@kernel
def _bits(x: float) -> int:
    return bits_of_float(x)


TABLE = np.random.default_rng(0).integers(0, 65536, 200).astype(np.uint16)
TABLE[100:150] //= 8192  # equal ones


def test_the_first_of_eight_equal_numbers_is_found():
    for at in range(190):
        for wanted in {*TABLE[at : at + 9].tolist(), 5}:
            found = _found(TABLE, at, wanted)
            with interpreted():
                assert _found(TABLE, at, wanted) == found
            assert found == 8 or TABLE[at + found] == wanted


def test_the_first_of_the_least_of_eight_is_found():
    for at in range(190):
        assert _least(TABLE, at) == TABLE[at : at + 8].argmin()


def test_the_bits_of_a_number_are_those_of_its_memory():
    for x in (0.0, -0.0, 1.5, -math.pi, 5e-324, math.inf):
        assert _bits(x) == np.array(x).view(np.int64)
        with interpreted():
            assert _bits(x) == np.array(x).view(np.int64)
