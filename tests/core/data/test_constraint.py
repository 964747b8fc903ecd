"""A table of planes leads to what the table written out leads to, and that to what a walk finds."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from seqforge.core.data.constraint import PlanarTable


def drawn_table(seed, states=24, planes=3, rows=7, size=5, codes=9):
    """A table of planes at random; the fewer codes are allowed, the more states are dead ends."""
    rng = np.random.default_rng(seed)
    return PlanarTable(
        codes=rng.integers(codes, size=(rows, size)),
        leads=rng.integers(states, size=(planes, codes), dtype=np.int32),
        allowed=rng.random((planes, codes)) < rng.random(),
        planes=np.sort(rng.integers(planes, size=states)),
        rows=rng.integers(rows, size=states),
        begun=rng.integers(states, size=states, dtype=np.int32),
    )


def written_out(table):
    """Allowed and following of all states, and where each begins."""
    at = table.planes[:, None], table.codes[table.rows]
    return table.allowed[at], table.leads[at], table.begun


def walked(allowed, following, begun):
    """What a walk finds, state by state; None if an allowed symbol leads where none is."""
    found, drawn = {0}, [0]
    for state in drawn:  # grows meanwhile
        if not allowed[state].any():
            return None
        for to in following[state][allowed[state]]:
            if to not in found:
                found.add(to)
                drawn.append(to)
    for state in drawn:
        for to in (*following[state], begun[state]):
            if to not in found:
                found.add(to)
                drawn.append(to)
    kept = sorted(found)
    number = {state: place for place, state in enumerate(kept)}
    return (
        [allowed[state] if allowed[state].any() else ~allowed[state] for state in kept],
        [[number[to] for to in following[state]] for state in kept],
        [number[begun[state]] for state in kept],
    )


@given(seed=st.integers(0, 2**32))
def test_what_is_reachable_is_what_a_walk_finds(seed):
    table = drawn_table(seed)
    found, expected = table.reachable(), walked(*written_out(table))
    assert (found is None) == (expected is None)
    if found is not None and expected is not None:
        for array, rows in zip(
            (found.allowed, found.following, found.begun), expected, strict=True
        ):
            assert np.array_equal(array, rows)
        assert (found.allowed.dtype, found.following.dtype) == (bool, np.int32)


def test_tables_at_random_are_of_both_kinds():
    """Some have dead ends and some have none: the laws above say something of each."""
    assert {drawn_table(seed).reachable() is None for seed in range(30)} == {True, False}
