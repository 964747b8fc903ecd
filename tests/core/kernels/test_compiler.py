"""The kernels' language: what is compiled equals what Python does with the same function."""

import importlib
import math
import re
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from seqforge.core.kernels.compiler import checked, interpreted, kernel
from seqforge.core.kernels.intrinsics import (
    add_scaled,
    dot,
    float_of_bits,
    high_product,
    popcount,
    prefetch,
)
from seqforge.core.kernels.llvm import WIDTH
from seqforge.core.kernels.values import KernelError
from tests.conftest import ROOT

LIMIT = 3
SMALL = st.integers(-9, 9)
REAL = st.floats(-1e6, 1e6)


class Pair(NamedTuple):
    weights: np.ndarray
    scale: float
    inner: "Counts"


class Counts(NamedTuple):
    table: np.ndarray
    offset: int


@kernel
def whole_numbers(a: int, b: int, found: np.ndarray) -> None:
    found[0] = a + b
    found[1] = a - b * LIMIT
    found[2] = a // b
    found[3] = a % b
    found[4] = (a << 3) ^ (b & 5) | (a >> 1)
    found[5] = abs(a) + min(a, b) - max(b, 2)
    found[6] = -a if a < b else 7
    found[7] = int(a < b <= LIMIT) + int(not a)
    found[8] = int(a / b)


@kernel
def scaled_row(
    weights: np.ndarray, tables: np.ndarray, row: int, offset: int, found: np.ndarray
) -> float:
    pair = Pair(weights, 0.25, Counts(tables[row], offset))
    return scaled(pair, row, found) + pair.scale


@kernel
def too_few(table: np.ndarray) -> int:
    return int(Counts(table).offset)


@kernel
def real_numbers(x: float, n: int, found: np.ndarray) -> None:
    found[0] = x * n + 0.5
    found[1] = x / 3 - n
    found[2] = math.sqrt(abs(x)) * np.floor(x)
    found[3] = math.log(abs(x) + 1.0)
    found[4] = 1.0 if x > n or n == 2 else -math.inf
    found[5] = float(int(x)) + max(x, 1.0)


@kernel
def wrapped(a: np.uint64, b: np.uint64, found: np.ndarray) -> None:
    found[0] = a * b + np.uint64(7)
    found[1] = a >> np.uint64(11)
    found[2] = high_product(a, b)
    found[3] = np.uint64(1) if a < b else b // np.uint64(3)


@kernel
def steps(n: int, seen: np.ndarray) -> int:
    """Loops that count up, down and on a condition, with an early end of each."""
    place = 0
    for i in range(n):
        if i == 4:
            continue
        seen[place], place = i, place + 1
        if place > 6:
            break
    for i in range(n, 0, -2):
        seen[place] += i
        place += 1
    while place > 0:
        if seen[place] == 5:
            return place
        place -= 1
    return -1


@kernel
def add_rows(table: np.ndarray, totals: np.ndarray) -> None:
    for row in range(table.shape[0]):
        numbers = table[row]
        for column in range(len(numbers)):
            totals[row] += numbers[column]


@kernel
def scaled(pair: Pair, row: int, flags: np.ndarray) -> float:
    total = 0.0
    for i in range(pair.weights.shape[1]):
        flags[i] = pair.weights[row, i] > 0 and pair.inner.table[i] > pair.inner.offset
        if flags[i]:
            total += float(pair.weights[row, i]) * pair.scale
    return total


@kernel
def summed(table: np.ndarray, totals: np.ndarray) -> float:
    """A kernel that calls another."""
    add_rows(table, totals)
    total = 0.0
    for i in range(len(totals)):
        total += totals[i]
    return total


@kernel
def bits_back(bits: int) -> float:
    return float_of_bits(bits)


@kernel
def doubled(x: float) -> float:
    return 2 * x


@kernel
def halved(x: float) -> float:
    return x / 2


@kernel
def applied(how, name: str, x: float) -> float:
    """Kernels and strings as arguments."""
    if name == "twice":
        return how(how(x))
    return how(x)


@kernel
def inner_product(a, b) -> np.float32:
    return dot(a, 0, b, 16, len(a))


@kernel
def moved(target, scale: float, source) -> None:
    add_scaled(target, 16, np.float32(scale), source, 0, len(source))


@kernel
def ones(bits: int) -> int:
    return popcount(bits)


@kernel
def asked_for(table: np.ndarray) -> int:
    """Places beyond the end may be asked for as well."""
    for i in range(-100, 2 * len(table)):
        prefetch(table, 100 * i)
    return int(table[0])


@kernel
def constants(found: np.ndarray) -> None:
    """What is known beforehand is calculated by Python."""
    found[0] = max(LIMIT, 2) + abs(-LIMIT) + int(np.floor(2.7))
    found[1] = float(LIMIT) * 2 if LIMIT > 2 else math.gamma(2.0)
    found[2] = int(-math.inf < 1 and LIMIT != 4)


@kernel
def is_between(x: float, low: float, high: float) -> bool:
    return low <= x < high


def both(function, *arguments):
    """What the compiled form and Python leave in copies of the arguments, and return."""
    copies = [[a.copy() if isinstance(a, np.ndarray) else a for a in arguments] for _ in range(2)]
    compiled = function(*copies[0])
    with interpreted(), np.errstate(over="ignore"):
        plain = function(*copies[1])
    return (compiled, copies[0]), (plain, copies[1])


def check(function, *arguments):
    (compiled, mine), (plain, theirs) = both(function, *arguments)
    assert compiled == plain
    for one, other in zip(mine, theirs, strict=True):
        if isinstance(one, np.ndarray):
            np.testing.assert_array_equal(one, other)


@given(SMALL, SMALL.filter(bool))
@example(-7, 2)
@example(7, -2)
def test_whole_numbers_divide_and_shift_as_pythons(a, b):
    check(whole_numbers, a, b, np.zeros(9, np.int64))


@given(REAL, SMALL)
def test_real_numbers_and_their_functions(x, n):
    check(real_numbers, x, n, np.zeros(6))


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
def test_unsigned_numbers_wrap(a, b):
    check(wrapped, np.uint64(a), np.uint64(b), np.zeros(4, np.uint64))


@given(st.integers(0, 20))
def test_loops_with_their_early_ends(n):
    check(steps, n, np.zeros(40, np.int64))


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.int32, np.int64, np.float64])
@given(data=st.data())
def test_elements_of_every_kind_are_read_and_added(dtype, data):
    table = data.draw(arrays(dtype, (3, 5), elements={"min_value": 0, "max_value": 20}))
    check(add_rows, table, np.zeros(3, np.float64 if dtype is np.float64 else np.int64))
    check(summed, table.astype(float), np.zeros(3))


def test_small_integers_are_cut_when_they_are_stored():
    found = np.zeros((2, 9), np.int8)
    whole_numbers(100, 3, found[0])
    assert found[0, 0] == 103
    assert found[0, 4] == np.array((100 << 3) ^ (3 & 5) | (100 >> 1)).astype(np.int8)
    assert not found[1].any()  # the view behind it is left alone


@given(arrays(np.float32, (2, 4), elements=st.floats(-9, 9, width=32)), st.integers(0, 1), SMALL)
def test_named_tuples_of_arrays_and_numbers(weights, row, offset):
    pair = Pair(weights, 0.5, Counts(np.arange(-2, 2, dtype=np.int32), offset))
    check(scaled, pair, row, np.zeros(4, bool))


@given(arrays(np.float32, (2, 4), elements=st.floats(-9, 9, width=32)), st.integers(0, 1), SMALL)
def test_named_tuples_made_of_their_fields(weights, row, offset):
    table = np.arange(8, dtype=np.int32).reshape(2, 4)
    check(scaled_row, weights, table, row, offset, np.zeros(4, bool))


def test_a_tuple_of_other_fields_is_refused():
    with pytest.raises(KernelError, match="a tuple of 2 fields, and 1 are given"):
        too_few(np.zeros(3))


def test_constants_are_calculated_beforehand():
    check(constants, np.zeros(3, np.int64))


@given(st.floats(allow_nan=False))
def test_bits_become_the_number_they_are(x):
    bits = np.array([x]).view(np.int64)[0]
    assert bits_back(int(bits)) == x


def test_a_kernel_or_a_string_as_argument_has_code_of_its_own():
    assert [applied(how, name, 8.0) for how in (doubled, halved) for name in ("once", "twice")] == [
        16, 32, 4, 2,
    ]  # fmt: skip
    with interpreted():
        assert applied(doubled, "twice", 1.5) == 6


VECTOR = st.integers(1, 5).flatmap(
    lambda n: arrays(np.float32, (2, 16 * n), elements=st.floats(-99, 99, width=32))
)


@given(VECTOR, st.floats(-9, 9, width=32))
def test_sums_over_vectors_have_one_order(pair, scale):
    """To the bit, whatever the processor: against the same order in NumPy."""
    a, b = pair
    check(inner_product, a, np.concatenate([np.zeros(16, np.float32), b]))
    check(moved, np.concatenate([np.ones(16, np.float32), a]), scale, b)


@given(st.integers(-(2**63), 2**63 - 1))
def test_set_bits_are_counted(bits):
    check(ones, bits)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint32, np.float32])
def test_asking_for_memory_changes_nothing(dtype):
    check(asked_for, np.array([7, 1, 2], dtype))


@given(st.floats(), st.floats(), st.floats())
def test_comparisons_and_not_a_number(x, low, high):
    assert is_between(x, low, high) is (low <= x < high)


def test_other_types_are_compiled_on_their_own():
    assert summed(np.ones((2, 2), np.int32), np.zeros(2)) == 4
    assert summed(np.full((2, 3), 0.5), np.zeros(2)) == 3


@kernel
def no_result(x: float):
    return x


@kernel
def mixed(x: int, found: np.ndarray) -> None:
    found[0] = x + 0.5


@kernel
def changes_kind(x: int) -> float:
    total = 0
    for _ in range(x):
        total = total + x / 2
    return total


@kernel
def builds_a_list(x: int) -> None:
    [x]  # noqa: B018


@kernel
def calls_anything(x: float) -> float:
    return math.gamma(x)


@kernel  # noqa: RET503
def forgets_to_return(x: int) -> int:
    if x > 0:
        return 1


@pytest.mark.parametrize(
    ("function", "arguments", "sentence"),
    [
        (no_result, (1.0,), "no_result: a kernel returns one of"),
        (mixed, (1, np.zeros(1, np.int64)), "int expected, not float"),
        (changes_kind, (1,), "int expected, not float"),
        (builds_a_list, (1,), "kernels know no List"),
        (calls_anything, (1.0,), "kernels cannot call gamma"),
        (forgets_to_return, (1,), "has to end with a return"),
        (add_rows, (np.zeros((3, 4)).T, np.zeros(4)), "C-contiguous arrays only"),
        (add_rows, (np.zeros((3, 4), ">f8"), np.zeros(3)), "no array of >f8"),
        (add_rows, ([1, 2], np.zeros(3)), "a kernel takes no list"),
        (add_rows, (np.zeros((3, 4)),), "takes 2 arguments, not 1"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_what_is_outside_the_language_is_refused_with_its_place(function, arguments, sentence):
    with pytest.raises(KernelError, match=sentence):
        function(*arguments)


def test_a_refusal_names_the_line():
    with pytest.raises(KernelError, match=r"test_compiler\.py:\d+: kernels know no List"):
        builds_a_list(1)


def test_the_page_about_kernels_runs_as_it_stands(tmp_path, monkeypatch):
    """Its blocks in one module: a kernel needs a file, where its source is read."""
    page = (ROOT / "docs" / "kernels.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (tmp_path / "page_of_kernels.py").write_text("\n\n".join(blocks))
    monkeypatch.syspath_prepend(tmp_path)
    found = importlib.import_module("page_of_kernels")

    table = np.arange(6 * WIDTH, dtype=np.float32).reshape(3, -1)
    check(found.add_rows, table, np.ones(2 * WIDTH, np.float32))


@kernel
def sum_of(table: np.ndarray, first: int, count: int) -> float:
    total = 0.0
    for i in range(first, first + count):
        total += table[1, i]
    return total


@pytest.mark.parametrize(("first", "count", "index"), [(0, 4, 3), (-1, 2, -1), (2, 9, 3)])
def test_checked_kernels_name_the_first_index_outside(first, count, index):
    table = np.ones((2, 3))
    line = sum_of.function.__code__.co_firstlineno + 4
    with checked(), pytest.raises(IndexError) as raised:
        sum_of(table, first, count)
    assert str(raised.value).endswith(f"test_compiler.py:{line}: index {index} of an array of 3")
    with checked():
        assert sum_of(table, 0, 3) == 3.0
    assert sum_of(table, 0, 3) == 3.0
