"""The decoder finds what trying every path finds, whatever the blocks, and keeps little of them."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqforge.core.evaluation.viterbi import NEVER, Decoder, Edge, StateMachine, decode
from seqforge.core.kernels.compiler import checked, interpreted

numbers = st.integers(-8, 8).map(float)
STATES, LABELS, SITES = 3, 2, 2


@st.composite
def machines(draw):
    edges = draw(
        st.lists(
            st.builds(
                Edge, st.integers(0, STATES - 1), st.integers(0, STATES - 1), numbers,
                st.integers(-1, SITES - 1),
            ),
            max_size=6,
        )
    )  # fmt: skip
    each = st.lists(numbers, min_size=STATES, max_size=STATES)
    stay = draw(each.map(lambda found: [n if n > -6 else NEVER for n in found]))
    return StateMachine.of(
        draw(st.lists(st.integers(0, LABELS - 1), min_size=STATES, max_size=STATES)), edges,
        draw(st.lists(st.integers(1, 3), min_size=STATES, max_size=STATES)), stay,
        draw(each), draw(each),
    )  # fmt: skip


def arrays(draw, size, columns):
    row = st.lists(numbers, min_size=columns, max_size=columns)
    found = draw(st.lists(row, min_size=size, max_size=size))
    return np.array(found, np.float32).reshape(size, columns)


@st.composite
def problems(draw):
    size = draw(st.integers(1, 7))
    sites = arrays(draw, size, SITES)
    return draw(machines()), arrays(draw, size, LABELS), np.where(sites < 0, NEVER, sites)


def ways(machine, size):
    """Each path as pairs of a run of states and the edges that lead into them."""
    edges = [
        (int(machine.source[e]), target, e)
        for target in range(STATES)
        for e in range(machine.first[target], machine.first[target + 1])
    ]

    def on(state, t, entered):
        """Paths from symbol t on, where the state was entered (by an edge or at the beginning)."""
        least = int(machine.least[state]) if entered is not None else 1
        for stop in range(t + least, size + 1):
            if stop == size:
                yield [(state, t, stop, entered)]
            for source, target, edge in edges:
                if source == state and stop < size:
                    for rest in on(target, stop, edge):
                        yield [(state, t, stop, entered), *rest]

    for state in range(STATES):
        yield from on(state, 0, None)


def worth(machine, scores, sites, way):
    total = machine.begin[way[0][0]] + machine.end[way[-1][0]]
    for state, start, stop, edge in way:
        total += scores[start:stop, machine.labels[state]].sum()
        least = 1 if edge is None else machine.least[state]
        total += machine.stay[state] * (stop - start - least) if stop - start > least else 0
        if edge is not None:
            total += machine.weight[edge]
            total += sites[start, machine.site[edge]] if machine.site[edge] >= 0 else 0
    return float(total)


def in_blocks(scores, sites, cut):
    bounds = [0, *sorted({c for c in cut if c < len(scores)}), len(scores)]
    return [(scores[a:b], sites[a:b]) for a, b in itertools.pairwise(bounds)]


@given(problems(), st.lists(st.integers(1, 6), max_size=3))
def test_the_best_of_all_paths_is_found(problem, cut):
    machine, scores, sites = problem
    tried = [(worth(*problem, way), way) for way in ways(machine, len(scores))]
    best = max((found for found, _ in tried), default=NEVER)
    if best < -1e29:
        with pytest.raises(ValueError, match="no path of the machine fits"):
            list(decode(machine, in_blocks(scores, sites, cut)))
        return
    found = np.concatenate(list(decode(machine, in_blocks(scores, sites, cut)))).tolist()
    assert len(found) == len(scores)

    def states(way):
        return [state for state, start, stop, _ in way for _ in range(start, stop)]

    assert max(w for w, way in tried if states(way) == found) == pytest.approx(best)


@given(problems())
def test_compiled_and_interpreted_are_the_same(problem):
    machine, scores, sites = problem
    results = []
    for mode in (checked, interpreted):
        with mode():
            try:
                paths = list(decode(machine, in_blocks(scores, sites, [2, 4])))
                results.append([path.tolist() for path in paths])
            except ValueError as error:
                results.append(str(error))
    assert results[0] == results[1]


def test_a_long_sequence_is_given_out_as_it_is_read():
    """Two states that scores tell apart: little more than a block is ever kept."""
    generator = np.random.default_rng(0)
    machine = StateMachine.of([0, 1], [Edge(0, 1, -4.0), Edge(1, 0, -4.0)], [5, 1])
    truth = np.repeat(np.arange(300) % 2, generator.integers(20, 400, 300))
    scores = np.where(truth[:, None] == [0, 1], 0.0, -1.0).astype(np.float32)
    decoder, found, kept = Decoder(machine), [], []
    for start in range(0, len(truth), 1000):
        part = scores[start : start + 1000]
        found.append(decoder.read(part, np.zeros((len(part), 0), np.float32)))
        kept.append(start + len(part) - sum(map(len, found)))
    found.append(decoder.finish())
    assert max(kept) < 1000
    np.testing.assert_array_equal(np.concatenate(found), truth)


def test_nothing_in_nothing_out():
    machine = StateMachine.of([0], [])
    assert [len(path) for path in decode(machine, [])] == [0]
    with pytest.raises(ValueError, match="254 edges"):
        Decoder(StateMachine.of([0], [Edge(0, 0)] * 255))
