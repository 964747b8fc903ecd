"""A trained network, its corpus and a memory in, held-out bits of each alone and of both out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import deepcopy

import numpy as np

from seqforge.base.machine import release_pages
from seqforge.base.messages import Advance
from seqforge.core.data.corpus import Corpus, Segment, TokenPart
from seqforge.core.evaluation.adaptive_likelihood import DynamicNetwork
from seqforge.core.evaluation.likelihood import bits, symbol_log_probs
from seqforge.core.memory.memory import HasMemory, Ids, LogProbs, Memory, Network, ScoresTogether
from seqforge.core.memory.switching import switched
from seqforge.core.model.adapting import SEGMENT
from seqforge.core.model.char_rnn import CharRNN
from seqforge.reporting.summary import MemoryScores

_BLOCK = 1 << 20
"""Symbols between two looks at the progress."""
_KEPT = 1 << 25
"""Log-probabilities of a network that are kept for another pass."""
_MOST_STEPS = 8_000
"""Steps of dynamic evaluation; a longer part is learnt from with gaps."""

Expert = Callable[[TokenPart], Iterable[tuple[Segment, Network]]]
"""A part in, its chunks in order with a network's log-probabilities out."""


def memory_scores(
    network: CharRNN, corpus: Corpus, domain: HasMemory, budget: int, steps: int, progress: Advance
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
        steps: How many steps the network was trained for, as many as it adapts for at most.
        progress: Told of symbols read.
    """
    assert corpus.held_out is not None
    part, tested = corpus.part(corpus.held_out), corpus.held_out == "test"
    memory = _new(corpus, domain, budget)
    _learn(memory, corpus.train, progress)
    before = [corpus.valid] if tested and corpus.valid.scored > 0 else []
    symbols = sum(each.scored for each in (*before, part))
    experts: list[Expert] = [_Frozen(network)]
    if (most := min(steps, _MOST_STEPS)) > 0:
        every = max(1, -(-symbols // (most * SEGMENT)))
        dynamic = DynamicNetwork(network, corpus.train, max(1, steps // 4), every=every)
        experts.append(dynamic.log_probs)
    return _all_ways(memory, experts, before, part, progress)


def second_half_scores(
    network: CharRNN, corpus: Corpus, domain: HasMemory, budget: int, progress: Advance
) -> MemoryScores:
    """The same on the valid part, memory and mixer having learnt from the training part: data that
    the network was not trained on, in two halves.
    """
    memory = _new(corpus, domain, budget)
    return _all_ways(memory, [_Frozen(network)], [corpus.train], corpus.valid, progress)


def learnt_memory(
    network: CharRNN, corpus: Corpus, domain: HasMemory, budget: int, progress: Advance
) -> Memory:
    """A memory that has read the training part, and on the valid part how far to trust the
    network."""
    memory = _new(corpus, domain, budget)
    _learn(memory, corpus.train, progress)
    _scored(memory, corpus.valid, [_Frozen(network)], True, progress)
    return memory


def _new(corpus: Corpus, domain: HasMemory, budget: int) -> Memory:
    parts = (corpus.train, corpus.valid, corpus.test)
    symbols = sum(len(part.tokens) for part in parts)
    memory = domain.memory(corpus.vocabulary, corpus.train.tokens, symbols, budget)
    if isinstance(memory, ScoresTogether):
        return memory
    # Half of the budget: its scores begin from copies of the same memory, two at a time.
    return domain.memory(corpus.vocabulary, corpus.train.tokens, symbols, budget // 2)


class _Frozen:
    """A network as it is; what it says of the part it was asked for last is kept, if there is
    room."""

    def __init__(self, network: CharRNN) -> None:
        self._network = network
        self._part: TokenPart | None = None
        self._kept: list[tuple[Segment, Network]] = []

    def __call__(self, part: TokenPart) -> Iterable[tuple[Segment, Network]]:
        """An expert's answer."""
        if self._part is part:
            return self._kept
        self._part, self._kept = None, []
        if part.scored * len(self._network.output.bias) > _KEPT:
            return symbol_log_probs(self._network, part)
        self._part, self._kept = part, list(symbol_log_probs(self._network, part))
        return self._kept


def _all_ways(
    memory: Memory, experts: Sequence[Expert], before: Sequence[TokenPart], part: TokenPart,
    progress: Advance,
) -> MemoryScores:  # fmt: skip
    """Frozen and adaptive scores of a part, after others that the mixer learns from.

    A mixer may be misled by a poor network, where it has seen little: the mixture is that of what
    it says with the network and without.
    """
    size = sum(array.nbytes for array in memory.to_arrays().values())
    read = _together if isinstance(memory, ScoresTogether) else _apart
    frozen, adaptive = read(memory, experts, before, part, progress)
    mixed = switched(adaptive[1], adaptive[0])
    dynamic = switched(adaptive[2], mixed) if len(adaptive) > 2 else None
    return MemoryScores(
        alone_frozen=_bits(frozen[0]),
        alone_adaptive=_bits(adaptive[0]),
        mixed_frozen=_bits(switched(frozen[1], frozen[0])) if len(frozen) > 1 else None,
        mixed_adaptive=_bits(mixed),
        mixed_dynamic=None if dynamic is None else _bits(dynamic),
        bytes=size,
    )


def _together(
    memory: Memory, experts: Sequence[Expert], before: Sequence[TokenPart], part: TokenPart,
    progress: Advance,
) -> tuple[LogProbs, LogProbs]:  # fmt: skip
    """All ways in one pass over each part: frozen (1 or 2, T) and adaptive (1 + experts, T)."""
    assert isinstance(memory, ScoresTogether)
    for earlier in before:
        _scored(memory, earlier, experts, True, progress)
    frozen = _scored(memory.reader(), part, experts[:1] if before else [], False, progress)
    return frozen, _scored(memory, part, experts, True, progress)


def _apart(
    memory: Memory, experts: Sequence[Expert], before: Sequence[TokenPart], part: TokenPart,
    progress: Advance,
) -> tuple[LogProbs, LogProbs]:  # fmt: skip
    """The same with a copy of the memory for each way."""
    frozen, adaptive = [], []
    for number in range(len(experts) + 1):
        used = experts[number - 1 : number] if number else []
        copy = memory if number == len(experts) else deepcopy(memory)
        for earlier in before:
            _scored(copy, earlier, used, True, progress)
        if number == 0 or (number == 1 and before):
            frozen.append(_scored(copy, part, used, False, progress)[0])
        adaptive.append(_scored(copy, part, used, True, progress)[0])
        del copy
    return np.stack(frozen), np.stack(adaptive)


def _bits(log_probs: LogProbs) -> float:
    return round(bits(-float(log_probs.sum()) / len(log_probs)), 4)


def _learn(memory: Memory, part: TokenPart, progress: Advance) -> None:
    size = len(part.tokens)
    for first in range(0, size, _BLOCK):
        memory.learn(part.tokens[first : first + _BLOCK])
        release_pages(part.tokens)
        progress(min(first + _BLOCK, size), size, "remembering train")


def _scored(
    memory: Memory, part: TokenPart, experts: Sequence[Expert], adapt: bool, progress: Advance
) -> LogProbs:
    """Log-probabilities (ways, T) of a part, read in its order; context is read but not learnt."""
    pieces: list[LogProbs] = []
    count, what = 0, f"scoring {'adaptively' if adapt else 'frozen'}"
    for context_from, scored_from, stop, known in _pieces(part, experts):
        if context_from < scored_from:
            memory.score(part.tokens[context_from:scored_from], adapt=False)
        pieces.append(_score(memory, part.tokens[scored_from:stop], known, adapt))
        count += stop - scored_from
        progress(count, part.scored, what)
    return np.concatenate(pieces, axis=1)


def _score(memory: Memory, ids: Ids, known: Sequence[Network], adapt: bool) -> LogProbs:
    if isinstance(memory, ScoresTogether):
        return memory.score_together(ids, known, adapt)
    return memory.score(ids, known[0] if known else None, adapt)[None]


def _pieces(
    part: TokenPart, experts: Sequence[Expert]
) -> Iterator[tuple[int, int, int, Sequence[Network]]]:
    """Context from, scored from, stop, and the networks' log-probabilities, piece by piece."""
    if not experts:
        for start, scored_from, stop in part.segments.tolist():
            yield start, scored_from, stop, []
        return
    begins = {scored_from: start for start, scored_from, _ in part.segments.tolist()}
    for found in zip(*(expert(part) for expert in experts), strict=True):
        _, scored_from, stop = found[0][0]
        yield begins.get(scored_from, scored_from), scored_from, stop, [each for _, each in found]
