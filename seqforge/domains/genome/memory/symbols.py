"""Symbols in, bases and kinds of symbols out: what the mixture of bases leaves open (case, gaps,
ends) is counted by kind.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqforge.core.kernels.compiler import kernel
from seqforge.core.kernels.elementary import exponential, logarithm

Ints = NDArray[np.int64]
_BASES = "ACGT"
_PRIOR = 0.1


class Alphabet(NamedTuple):
    """What each id stands for."""

    bases: Ints
    """(V,): 0 to 3 for a base of either case, -1 for other symbols."""
    kinds: Ints
    """(V,): upper-case bases, lower-case bases, and each other symbol by itself."""
    changes: NDArray[np.float64]
    """(K, K): how often each kind came after each."""
    last: Ints
    """(1,): the kind of the last symbol."""


def alphabet_of(symbols: Sequence[str]) -> Alphabet:
    """A vocabulary's symbols, ids 1 to V - 1, before anything was counted."""
    bases, kinds, others = [-1], [0], 1
    cases: dict[bool, int] = {}
    for symbol in symbols:
        base = _BASES.find(symbol.upper())
        bases.append(base)
        if base < 0:
            kinds.append(others)
            others += 1
        else:
            if symbol.isupper() not in cases:
                cases[symbol.isupper()] = others
                others += 1
            kinds.append(cases[symbol.isupper()])
    return Alphabet(
        np.array(bases), np.array(kinds), np.zeros((others, others)), np.zeros(1, np.int64)
    )


@kernel
def log_prob_of(alphabet: Alphabet, chances: NDArray[np.float64], symbol: int) -> float:
    """Log-probability of an id, by its kind and the probabilities (4,) of the bases.

    Where a kind has not all four bases, its share is divided among those that it has.
    """
    kind, before = int(alphabet.kinds[symbol]), int(alphabet.last[0])
    total = 0.0
    for k in range(len(alphabet.changes)):
        total += alphabet.changes[before, k] + _PRIOR
    chance = (alphabet.changes[before, kind] + _PRIOR) / total
    if alphabet.bases[symbol] >= 0:
        whole = 0.0
        for v in range(len(alphabet.bases)):
            if alphabet.kinds[v] == kind:
                whole += chances[alphabet.bases[v]]
        chance *= chances[alphabet.bases[symbol]] / whole
    return logarithm(chance)


@kernel
def all_log_probs(
    alphabet: Alphabet, chances: NDArray[np.float64], found: NDArray[np.float64]
) -> None:  # fmt: skip
    """Those of all ids (V,)."""
    for symbol in range(len(found)):
        found[symbol] = log_prob_of(alphabet, chances, symbol)


@kernel
def _note_symbol(alphabet: Alphabet, symbol: int, adapt: bool) -> None:
    kind = int(alphabet.kinds[symbol])
    if adapt:
        alphabet.changes[alphabet.last[0], kind] += 1.0
    alphabet.last[0] = kind


@kernel
def note_symbols(alphabet: Alphabet, ids: NDArray[Any]) -> None:
    """Count the kinds of training symbols."""
    for t in range(len(ids)):
        _note_symbol(alphabet, int(ids[t]), True)


@kernel
def score_symbols(
    alphabet: Alphabet, ids: NDArray[Any], chances: NDArray[np.float64], adapt: bool,
    found: NDArray[np.float64],
) -> None:  # fmt: skip
    """Fill in the log-probabilities (W, T) of symbols; ``chances`` (W, N + 1, 4) are those of the N
    bases among them, W times."""
    place = 0
    for t in range(len(ids)):
        symbol = int(ids[t])
        for way in range(len(chances)):
            found[way, t] = log_prob_of(alphabet, chances[way, place], symbol)
        place += int(alphabet.bases[symbol] >= 0)
        _note_symbol(alphabet, symbol, adapt)


@kernel
def read_network(
    alphabet: Alphabet, log_probs: NDArray[np.float32], chances: NDArray[np.float64]
) -> None:  # fmt: skip
    """A network's log-probabilities (N, V) as probabilities (N, 4) of the bases, whatever case."""
    for t in range(len(log_probs)):
        total = 0.0
        for s in range(4):
            chances[t, s] = 1e-9
        for v in range(len(alphabet.bases)):
            if alphabet.bases[v] >= 0:
                chances[t, alphabet.bases[v]] += exponential(min(float(log_probs[t, v]), 0.0))
        for s in range(4):
            total += chances[t, s]
        for s in range(4):
            chances[t, s] /= total
