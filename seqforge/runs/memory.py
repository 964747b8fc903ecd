"""A trained network, its corpus and a memory in, held-out bits of each alone and of both out."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy

import numpy as np

from seqforge.base.machine import release_pages
from seqforge.base.messages import Advance
from seqforge.core.data.corpus import Corpus, TokenPart
from seqforge.core.evaluation.likelihood import bits, symbol_log_probs
from seqforge.core.memory.memory import HasMemory, LogProbs, Memory, Network
from seqforge.core.memory.switching import switched
from seqforge.core.model.char_rnn import CharRNN
from seqforge.reporting.summary import MemoryScores

_BLOCK = 1 << 20
"""Symbols between two looks at the progress."""


def memory_scores(
    network: CharRNN, corpus: Corpus, domain: HasMemory, budget: int, progress: Advance
) -> MemoryScores:
    """What memory and network need on the part of the headline, alone and together.

    The memory learns from the training part; the mixer learns on the valid part, which the
    network has not been trained on, how far to trust the network. Where valid is itself the part
    that is scored, it learns that while it is scored, and there is no frozen score of both.

    Args:
        network: It was trained on the training part.
        corpus: Something is held out.
        domain: Makes the memory.
        budget: Bytes of its counts.
        progress: Told of symbols read.
    """
    assert corpus.held_out is not None
    part, tested = corpus.part(corpus.held_out), corpus.held_out == "test"
    memory = _new(corpus, domain, budget)
    _learn(memory, corpus.train, progress)
    mixes = tested and corpus.valid.scored > 0
    if mixes:
        _scored(memory, corpus.valid, network, True, progress)
    return _all_ways(memory, part, network, mixes, progress)


def second_half_scores(
    network: CharRNN, corpus: Corpus, domain: HasMemory, budget: int, progress: Advance
) -> MemoryScores:
    """The same on the valid part, memory and mixer having learnt from the training part: data that
    the network was not trained on, in two halves.
    """
    memory = _new(corpus, domain, budget)
    _scored(memory, corpus.train, network, True, progress)
    return _all_ways(memory, corpus.valid, network, True, progress)


def _new(corpus: Corpus, domain: HasMemory, budget: int) -> Memory:
    parts = (corpus.train, corpus.valid, corpus.test)
    symbols = sum(len(part.tokens) for part in parts)
    # Half of the budget: the adaptive scores begin from two copies of the same memory.
    return domain.memory(corpus.vocabulary, corpus.train.tokens, symbols, budget // 2)


def _all_ways(
    memory: Memory, part: TokenPart, network: CharRNN, mixes: bool, progress: Advance
) -> MemoryScores:
    """Frozen and adaptive scores; ``mixes``: whether the mixer knows the network.

    A mixer may be misled by a poor network, where it has seen little: the mixture is that of what
    it says with the network and without.
    """
    frozen = _scored(memory, part, None, False, progress)
    mixed = _scored(memory, part, network, False, progress) if mixes else None
    other = deepcopy(memory)
    with_network = _scored(memory, part, network, True, progress)
    size = sum(array.nbytes for array in memory.to_arrays().values())
    del memory
    alone = _scored(other, part, None, True, progress)
    return MemoryScores(
        alone_frozen=_bits(frozen),
        alone_adaptive=_bits(alone),
        mixed_frozen=None if mixed is None else _bits(switched(mixed, frozen)),
        mixed_adaptive=_bits(switched(with_network, alone)),
        bytes=size,
    )


def _bits(log_probs: LogProbs) -> float:
    return round(bits(-float(log_probs.sum()) / len(log_probs)), 4)


def _learn(memory: Memory, part: TokenPart, progress: Advance) -> None:
    size = len(part.tokens)
    for first in range(0, size, _BLOCK):
        memory.learn(part.tokens[first : first + _BLOCK])
        release_pages(part.tokens)
        progress(min(first + _BLOCK, size), size, "remembering train")


def _scored(
    memory: Memory, part: TokenPart, network: CharRNN | None, adapt: bool, progress: Advance
) -> LogProbs:
    """Log-probabilities of a part, read in its order; context is read but not learnt."""
    pieces: list[LogProbs] = []
    count, what = 0, f"scoring {'adaptively' if adapt else 'frozen'}"
    for context_from, scored_from, stop, known in _pieces(part, network):
        if context_from < scored_from:
            memory.score(part.tokens[context_from:scored_from], adapt=False)
        pieces.append(memory.score(part.tokens[scored_from:stop], known, adapt))
        count += stop - scored_from
        progress(count, part.scored, what)
    return np.concatenate(pieces)


def _pieces(
    part: TokenPart, network: CharRNN | None
) -> Iterator[tuple[int, int, int, Network | None]]:
    """Context from, scored from, stop, and the network's log-probabilities, piece by piece."""
    begins = {scored_from: start for start, scored_from, _ in part.segments.tolist()}
    if network is None:
        for start, scored_from, stop in part.segments.tolist():
            yield start, scored_from, stop, None
        return
    for (_, scored_from, stop), known in symbol_log_probs(network, part):
        yield begins.get(scored_from, scored_from), scored_from, stop, known
