"""A memory and symbols in, the laws of the Memory protocol checked, for tests of every memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqforge.core.kernels.compiler import checked, interpreted
from seqforge.core.memory.memory import Memory, ScoresTogether

Make = Callable[[], Any]
"""Makes a new memory; always the same one."""


def network_of(ids: NDArray[Any], vocab_size: int, seed: int = 0) -> NDArray[np.float32]:
    """Log-probabilities (T, V) as a network might give them, a little better than chance."""
    logits = np.random.default_rng(seed).normal(size=(len(ids), vocab_size))
    logits[np.arange(len(ids)), ids] += 1.0
    logits -= np.log(np.exp(logits).sum(axis=1, keepdims=True))
    return logits.astype(np.float32)


def taught(make: Make, ids: NDArray[Any]) -> Any:
    """A new memory that has read symbols."""
    memory = make()
    memory.learn(ids)
    return memory


def copied(memory: Any) -> Any:
    """The memory, saved and loaded."""
    return type(memory).from_arrays({k: np.array(v) for k, v in memory.to_arrays().items()})


def bits(log_probs: NDArray[np.float64]) -> float:
    """Bits a symbol."""
    return float(-log_probs.mean() / math.log(2))


def check_pieces(make: Make, ids: NDArray[Any], vocab_size: int) -> None:
    """Learning and scoring in pieces gives the bits of doing it at once."""
    half, net = len(ids) // 2, network_of(ids, vocab_size)
    whole, pieces = taught(make, ids[:half]), make()
    for piece in np.array_split(ids[:half], 3):
        pieces.learn(piece)
    later, given = ids[half:], net[half:]
    for adapt in (True, False):
        for used in (None, given):
            parts = [
                pieces.score(later[a:b], None if used is None else used[a:b], adapt)
                for a, b in ((0, 1), (1, 1), (1, 37), (37, len(later)))
            ]
            np.testing.assert_array_equal(whole.score(later, used, adapt), np.concatenate(parts))


def check_causality(make: Make, ids: NDArray[Any], vocab_size: int, adapt: bool = True) -> None:
    """What comes later does not matter to the score of a symbol."""
    half, at = len(ids) // 2, 3 * len(ids) // 4
    net = network_of(ids, vocab_size)[half:]
    one, other = taught(make, ids[:half]), taught(make, ids[:half])
    changed = ids.copy()
    changed[at:] = (changed[at:] + 1) % vocab_size
    first, second = one.score(ids[half:], net, adapt), other.score(changed[half:], net, adapt)
    np.testing.assert_array_equal(first[: at - half], second[: at - half])
    assert (first[at - half :] != second[at - half :]).any()


def check_together(make: Make, ids: NDArray[Any], vocab_size: int) -> None:
    """Several ways at once give the bits of each on its own, in pieces too; a reader none of
    what it reads to the memory; what comes later does not matter."""
    half = len(ids) // 2
    later, nets = ids[half:], [network_of(ids[half:], vocab_size, seed) for seed in (1, 2)]
    together = taught(make, ids[:half])
    read = together.reader().score_together(later, nets[:1], adapt=False)
    np.testing.assert_array_equal(read[0], taught(make, ids[:half]).score(later, adapt=False))
    cuts = (0, 1, 40, len(later))
    parts = [
        together.score_together(later[a:b], [net[a:b] for net in nets]) for a, b in pairwise(cuts)
    ]
    found = np.concatenate(parts, axis=1)
    for way, net in enumerate((None, nets[0])):
        np.testing.assert_array_equal(found[way], taught(make, ids[:half]).score(later, net))
    changed, at = later.copy(), len(later) // 2
    changed[at:] = (changed[at:] + 1) % vocab_size
    again = taught(make, ids[:half]).score_together(changed, nets)
    np.testing.assert_array_equal(again[:, :at], found[:, :at])
    assert (found[2] != found[1]).any()


def check_distribution(make: Make, ids: NDArray[Any], vocab_size: int) -> None:
    """Probabilities sum to 1, and those of `predict` are those of `score`."""
    half = len(ids) // 2
    net = network_of(ids, vocab_size)
    memory = taught(make, ids[:half])
    for t in range(half, len(ids)):
        row = net[t] if t % 2 else None
        expected = memory.predict(row)
        assert expected.shape == (vocab_size,)
        assert abs(math.fsum(np.exp(expected)) - 1.0) < 1e-9
        given = None if row is None else row[None]
        assert memory.score(ids[t : t + 1], given, t % 3 > 0)[0] == expected[ids[t]]


def check_frozen(make: Make, ids: NDArray[Any]) -> None:
    """Scoring without adapting gives the same bits again, and leaves no trace in the tables."""
    third = len(ids) // 3
    memory, untouched = taught(make, ids[:third]), taught(make, ids[:third])
    later = ids[third:]
    first = copied(memory).score(later, adapt=False)
    np.testing.assert_array_equal(memory.score(later, adapt=False), first)
    again, wanted = copied(memory), copied(untouched)
    for each in (again, wanted):  # far enough for every context to be the same
        each.score(np.tile(later[:200], 3), adapt=False)
    np.testing.assert_array_equal(
        again.score(later, adapt=False)[-50:], wanted.score(later, adapt=False)[-50:]
    )


def check_saved(make: Make, ids: NDArray[Any], vocab_size: int) -> None:
    """Saved and loaded, it scores the same bits; and what it does then changes the first not."""
    half, net = len(ids) // 2, network_of(ids, vocab_size)
    memory = taught(make, ids[:half])
    memory.score(ids[half : half + 50], net[half : half + 50])
    loaded = copied(memory)
    later, given = ids[half + 50 :], net[half + 50 :]
    np.testing.assert_array_equal(loaded.score(later, given), memory.score(later, given))


def check_interpreted(make: Make, ids: NDArray[Any], vocab_size: int) -> None:
    """Plain Python gives the bits of the compiled code."""
    half, net = len(ids) // 2, network_of(ids, vocab_size)

    def scores() -> Iterator[NDArray[np.float64]]:
        memory = taught(make, ids[:half])
        yield memory.score(ids[half:-20], net[half:-20])
        yield memory.score(ids[-20:], adapt=False)

    compiled = list(scores())
    with np.errstate(over="ignore"), interpreted():
        plain = list(scores())
    for one, other in zip(compiled, plain, strict=True):
        np.testing.assert_array_equal(one, other)


def check_bounds(make: Make, ids: NDArray[Any], vocab_size: int) -> None:
    """No index is ever outside its array, and checked it gives the same bits."""
    half, net = len(ids) // 2, network_of(ids, vocab_size)

    def scores() -> NDArray[np.float64]:
        memory = make()
        memory.learn(ids[:half])
        if isinstance(memory, ScoresTogether):
            return memory.score_together(ids[half:], [net[half:], net[half:]])
        return memory.score(ids[half:], net[half:])

    compiled = scores()
    with checked():
        np.testing.assert_array_equal(compiled, scores())


def _begun_anew(memory: Any, make: Make) -> Any:
    """What a memory has learnt, before the first symbol of a record."""
    begun = make().to_arrays().items()
    row = {
        name: part
        for name, part in begun
        if name.lstrip("0123456789.").startswith(("row.", "alphabet.last"))
    }
    return type(memory).from_arrays({k: np.array(v) for k, v in (memory.to_arrays() | row).items()})


def check_streams(
    make: Make, ids: NDArray[Any], vocab_size: int, between: NDArray[Any] | None = None,
    after: int = 0, rounding: float = 0.0,
) -> None:  # fmt: skip
    """Streams give what a frozen memory scores from the beginning of a record, whatever is beside
    them; their quick form is near it, and what was learnt stays.

    Args:
        make: Makes the memory.
        ids: What it learns, and scores.
        vocab_size: V.
        between: What is learnt last, where a record's beginning is no beginning of the history.
        rounding: How far log-probabilities may be apart: those of streams are float32.
        after: So many symbols may be repeats of the end of what was learnt, which a memory may
            follow beyond it, and streams may not.
    """
    half, net = len(ids) // 2, network_of(ids, vocab_size)
    memory = taught(make, ids[: half - 50])
    memory.score(ids[half - 50 : half], net[half - 50 : half])
    if between is not None:
        memory.learn(between)
    later, given = ids[half:], net[half:]
    wanted = _begun_anew(memory, make).score(later, given, adapt=False)
    before = {name: np.array(part) for name, part in memory.to_arrays().items()}
    exact, quick = memory.streams(3, exact=True), memory.streams(1)
    other = np.random.default_rng(1).integers(0, vocab_size, len(later))
    for t in range(len(later) - 1):
        exact.ids[:] = other[t], later[t], -1 if t % 3 else other[-t]
        exact.network[:] = given[t], given[t + 1], given[0]
        quick.ids[:], quick.network[:] = later[t], given[t + 1]
        exact.read()
        quick.read()
        apart = exact.log_probs[1, later[t + 1]] - np.float32(wanted[t + 1])
        assert t < after or abs(apart) <= rounding
        one, near = np.exp(exact.log_probs[1:2]), np.exp(quick.log_probs)
        np.testing.assert_allclose([one.sum(), near.sum()], 1, atol=1e-5)
        assert np.abs(one - near).sum() < 0.02
        if t == len(later) // 2:
            exact = exact.rows(np.array([0, 1, 1]))
            exact.put(2, quick.rows(np.array([0])))
    for name, part in memory.to_arrays().items():
        np.testing.assert_array_equal(part, before[name])


_TOTAL = 1 << 48


def _cumulative(memory: Memory) -> list[int]:
    """Shares of a whole number, in the order of the ids; each at least 1."""
    chances = np.exp(memory.predict())
    sizes = [1 + int(chance * (_TOTAL - 2 * len(chances))) for chance in chances]
    sizes[-1] += _TOTAL - sum(sizes)
    return [0, *np.cumsum(sizes).tolist()]


def check_coding(make: Make, ids: NDArray[Any]) -> None:
    """An arithmetic coder needs as many bits as the scores say, and its code can be read again.

    The code is one exact number: an interval [low, low + width) of integers that grow.
    """
    half = len(ids) // 2
    later = ids[half:].tolist()
    writer, reader = taught(make, ids[:half]), taught(make, ids[:half])
    scored = taught(make, ids[:half]).score(ids[half:])
    low, width = 0, 1
    for symbol in later:
        shares = _cumulative(writer)
        low, width = (
            low * _TOTAL + width * shares[symbol],
            width * (shares[symbol + 1] - shares[symbol]),
        )
        writer.score(np.array([symbol], ids.dtype))
    size = 48 * len(later) - width.bit_length() + 2
    assert abs(size + scored.sum() / math.log(2)) < 4
    code, scale = low + width - 1, _TOTAL ** len(later)
    low, width = 0, 1
    for symbol in later:
        scale //= _TOTAL
        place = (code // scale - low * _TOTAL) // width
        shares = _cumulative(reader)
        found = max(n for n, start in enumerate(shares) if start <= place)
        assert found == symbol
        low, width = (
            low * _TOTAL + width * shares[found],
            width * (shares[found + 1] - shares[found]),
        )
        reader.score(np.array([symbol], ids.dtype))
