"""A number in, its exponential or logarithm out: the same bits on every processor, for kernels."""

from __future__ import annotations

import math

import numpy as np

from seqforge.core.kernels.compiler import kernel
from seqforge.core.kernels.intrinsics import bits_of_float, float_of_bits

_LOG2_E = 1.4426950408889634
_LN2_HIGH, _LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
_LEAST = -700.0  # exp of less counts as nothing: no draw of 53 bits can tell
_MANTISSA = (1 << 52) - 1
_SQRT_2 = 1.4142135623730951


@kernel
def exponential(x: float) -> float:
    """exp(x) for x of 0 or below, within 2e-16 of it; 0 below -700.

    x = k ln 2 + r; exp(r) by its series (up to r^13 / 13!) in Horner's scheme, 2^k by its bits.
    There is no call in it, so that a loop over symbols becomes vector code.
    """
    if x > _LEAST:
        k = float(np.floor(x * _LOG2_E + 0.5))
        r = x - k * _LN2_HIGH - k * _LN2_LOW
        series = 1.6059043836821613e-10  # 1 / 13!
        series = series * r + 2.08767569878681e-09
        series = series * r + 2.505210838544172e-08
        series = series * r + 2.755731922398589e-07
        series = series * r + 2.7557319223985893e-06
        series = series * r + 2.48015873015873e-05
        series = series * r + 1.984126984126984e-04
        series = series * r + 1.388888888888889e-03
        series = series * r + 8.333333333333333e-03
        series = series * r + 4.1666666666666664e-02
        series = series * r + 1.6666666666666666e-01
        series = series * r + 0.5
        series = series * r + 1.0
        series = series * r + 1.0
        return series * float_of_bits((int(k) + 1023) << 52)
    return 0.0


@kernel
def logarithm(x: float) -> float:
    """The natural logarithm of a normal number above 0, within 3e-16 of it (relative, or absolute
    near 1); minus infinity of 0 and below.

    x = 2^k m with m around 1; log m = 2 artanh((m - 1) / (m + 1)) by its series, up to s^21.
    """
    if not x > 0.0:
        return -math.inf
    bits = bits_of_float(x)
    k = (bits >> 52) - 1023
    m = float_of_bits((bits & _MANTISSA) | (1023 << 52))
    if m > _SQRT_2:
        m, k = m * 0.5, k + 1
    s = (m - 1.0) / (m + 1.0)
    square = s * s
    series = 0.047619047619047616  # 1 / 21
    series = series * square + 0.05263157894736842
    series = series * square + 0.058823529411764705
    series = series * square + 0.06666666666666667
    series = series * square + 0.07692307692307693
    series = series * square + 0.09090909090909091
    series = series * square + 0.1111111111111111
    series = series * square + 0.14285714285714285
    series = series * square + 0.2
    series = series * square + 0.3333333333333333
    series = series * square + 1.0
    return float(k) * _LN2_HIGH + (float(k) * _LN2_LOW + 2.0 * s * series)
