"""A trained network, its corpus and a memory in, held-out bits of each alone and of both out."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from copy import deepcopy
from pathlib import Path
from tempfile import gettempdir
from typing import NamedTuple

import numpy as np

from seqforge.base.machine import in_blocks, mapped, release_pages
from seqforge.base.messages import Advance
from seqforge.core.data.corpus import Corpus, Segment, TokenPart
from seqforge.core.data.vocabulary import Vocabulary
from seqforge.core.evaluation.adaptive_likelihood import DynamicNetwork
from seqforge.core.evaluation.likelihood import bits, symbol_log_probs
from seqforge.core.memory.memory import (
    HasBestMemory,
    HasMemory,
    Ids,
    LogProbs,
    Memory,
    Network,
    ScoresTogether,
)
from seqforge.core.memory.switching import Switch
from seqforge.core.model.adapting import SEGMENT
from seqforge.core.model.char_rnn import CharRNN
from seqforge.reporting.summary import MemoryScores

_BLOCK = 1 << 20
"""Symbols read at a time."""
_FEW = 64
"""Symbols that a memory is tried out with."""
_KEPT = 1 << 25
"""Log-probabilities of a network that are kept for another pass."""
_MOST_STEPS = 8_000
"""Steps of dynamic evaluation; a longer part is learnt from with gaps."""
_LONGER, _MORE = 4, 3
"""Thorough, it has steps of up to so many times as many symbols, and so many times the steps,
before there are gaps."""

Expert = Callable[[TokenPart], Iterable[tuple[Segment, Network]]]
"""A part in, its chunks in order with a network's log-probabilities out."""
Ways = Sequence[LogProbs]
"""Log-probabilities of a part's scored symbols (T,) in each way, memory-mapped."""


class _Work(NamedTuple):
    folder: Path
    """Where log-probabilities lie meanwhile, eight bytes a symbol and way."""
    progress: Advance

    @classmethod
    def on(cls, corpus: Corpus, progress: Advance) -> _Work:
        """In the corpus's folder, unless its cache was removed meanwhile."""
        return cls(corpus.folder if corpus.folder.is_dir() else Path(gettempdir()), progress)


class _Best:
    """A domain whose memory is its best one."""

    def __init__(self, domain: HasBestMemory) -> None:
        self.memory = domain.best_memory


def of_effort(domain: HasMemory, effort: str) -> HasMemory:
    """A domain whose memory is the one of an effort, ``fast`` or ``best``, if it has two."""
    return _Best(domain) if effort == "best" and isinstance(domain, HasBestMemory) else domain


def prepare_memory(domain: HasMemory, vocabulary: Vocabulary, training: Ids) -> threading.Thread:
    """Begin to compile what a memory of some symbols needs, beside whatever else is done.

    A memory meanwhile waits for the rest. The thread is no daemon: LLVM must not be cut off.
    """
    begun = threading.Thread(target=_try_out, args=(domain, vocabulary, training))
    begun.start()
    return begun


def _try_out(domain: HasMemory, vocabulary: Vocabulary, training: Ids) -> None:
    """Have a small memory learn and score a few symbols in all ways."""
    ids, size = training[:_FEW], len(vocabulary)
    even = np.full((len(ids), size), -math.log(size), np.float32)
    with suppress(Exception):  # whoever needs the memory says what is wrong
        memory = domain.memory(vocabulary, training, len(ids), 0)
        memory.learn(ids)
        ways = [_score(memory, ids, known, True)[0] for known in ([], [even])]
        Switch().mixed(*ways)


def memory_scores(
    network: CharRNN, corpus: Corpus, domain: HasMemory, budget: int, steps: int,
    progress: Advance, thorough: bool = False,
) -> MemoryScores:  # fmt: skip
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
        thorough: Dynamic evaluation learns from more of what it reads.
    """
    assert corpus.held_out is not None
    part, tested = corpus.part(corpus.held_out), corpus.held_out == "test"
    memory, work = _new(corpus, domain, budget), _Work.on(corpus, progress)
    _learn(memory, corpus.train, progress)
    before = [corpus.valid] if tested and corpus.valid.scored > 0 else []
    symbols = sum(each.scored for each in (*before, part))
    experts: list[Expert] = [_Frozen(network, work.folder)]
    if (most := min(steps, _MOST_STEPS)) > 0:
        segment, every = _stretches(symbols, most, thorough)
        dynamic = DynamicNetwork(
            network, corpus.train, max(1, steps // 4), segment=segment, every=every
        )
        experts.append(dynamic.log_probs)
    return _all_ways(memory, experts, before, part, work)


def _stretches(symbols: int, most: int, thorough: bool) -> tuple[int, int]:
    """How many symbols a step of dynamic evaluation learns from, and from one of how many such
    stretches."""
    segment = SEGMENT
    if thorough:
        segment *= min(max(1, -(-symbols // (most * SEGMENT))), _LONGER)
        most *= _MORE
    return segment, max(1, -(-symbols // (most * segment)))


def second_half_scores(
    network: CharRNN, corpus: Corpus, domain: HasMemory, budget: int, progress: Advance,
    saved: Memory | None = None,
) -> MemoryScores:  # fmt: skip
    """The same on the valid part, memory and mixer having learnt from the training part: data that
    the network was not trained on, in two halves.

    ``saved``: the memory of the network, which has read its training data before.
    """
    memory, work = saved or _new(corpus, domain, budget), _Work.on(corpus, progress)
    experts = [_Frozen(network, work.folder)]
    return _all_ways(memory, experts, [corpus.train], corpus.valid, work)


def learnt_memory(
    network: CharRNN, corpus: Corpus, domain: HasMemory, budget: int, progress: Advance
) -> Memory:
    """A memory that has read the training part, and on the valid part how far to trust the
    network."""
    memory, work = _new(corpus, domain, budget), _Work.on(corpus, progress)
    _learn(memory, corpus.train, progress)
    _adapt(memory, [corpus.valid], [_Frozen(network, work.folder)], work)
    return memory


def _new(corpus: Corpus, domain: HasMemory, budget: int) -> Memory:
    parts = (corpus.train, corpus.valid, corpus.test)
    symbols = sum(len(part.tokens) for part in parts)
    return domain.memory(corpus.vocabulary, corpus.train.tokens, symbols, budget)


class _Frozen:
    """A network as it is; what it says of the part it was asked for last is kept in a file, unless
    it is very much."""

    def __init__(self, network: CharRNN, folder: Path) -> None:
        """Take a network, and where log-probabilities lie meanwhile."""
        self._network, self._folder = network, folder
        self._part: TokenPart | None = None
        self._kept: list[tuple[Segment, Network]] = []

    def __call__(self, part: TokenPart) -> Iterable[tuple[Segment, Network]]:
        """An expert's answer."""
        if self._part is part:
            return self._kept
        self._part, self._kept = None, []
        if part.scored * len(self._network.output.bias) > _KEPT:
            return symbol_log_probs(self._network, part)
        self._part, self._kept = part, self._read(part)
        return self._kept

    def _read(self, part: TokenPart) -> list[tuple[Segment, Network]]:
        segments: list[Segment] = []

        def rows() -> Iterator[Network]:
            for segment, found in symbol_log_probs(self._network, part):
                segments.append(segment)
                yield found

        every = mapped(self._folder, rows(), np.float32).reshape(part.scored, -1)
        ends = np.cumsum([stop - scored_from for _, scored_from, stop in segments])
        return list(zip(segments, np.split(every, ends[:-1]), strict=True))


def _all_ways(
    memory: Memory, experts: Sequence[Expert], before: Sequence[TokenPart], part: TokenPart,
    work: _Work,
) -> MemoryScores:  # fmt: skip
    """Frozen and adaptive scores of a part, after others that the mixer learns from.

    A mixer may be misled by a poor network, where it has seen little: the mixture is that of what
    it says with the network and without.
    """
    size = sum(array.nbytes for array in memory.to_arrays().values())
    read = _together if isinstance(memory, ScoresTogether) else _apart
    frozen, adaptive = read(memory, experts, before, part, work)
    return MemoryScores(
        alone_frozen=_bits(frozen[:1]),
        alone_adaptive=_bits(adaptive[:1]),
        mixed_frozen=_bits(frozen) if len(frozen) > 1 else None,
        mixed_adaptive=_bits(adaptive[:2]),
        mixed_dynamic=_bits(adaptive) if len(adaptive) > 2 else None,
        bytes=size,
    )


def _together(
    memory: Memory, experts: Sequence[Expert], before: Sequence[TokenPart], part: TokenPart,
    work: _Work,
) -> tuple[Ways, Ways]:  # fmt: skip
    """All ways in one pass over each part: frozen (1 or 2) and adaptive (1 + experts)."""
    assert isinstance(memory, ScoresTogether)
    _adapt(memory, before, experts, work)
    frozen = _scored(memory.reader(), part, experts[:1] if before else [], False, work)
    return frozen, _scored(memory, part, experts, True, work)


def _apart(
    memory: Memory, experts: Sequence[Expert], before: Sequence[TokenPart], part: TokenPart,
    work: _Work,
) -> tuple[Ways, Ways]:  # fmt: skip
    """The same with a copy of the memory for each way."""
    frozen: list[LogProbs] = []
    adaptive: list[LogProbs] = []
    for number in range(len(experts) + 1):
        used = experts[number - 1 : number] if number else []
        copy = memory if number == len(experts) else deepcopy(memory)
        _adapt(copy, before, used, work)
        if number == 0 or (number == 1 and before):
            frozen += _scored(copy, part, used, False, work)
        adaptive += _scored(copy, part, used, True, work)
        del copy
    return frozen, adaptive


def _bits(ways: Ways) -> float:
    """Bits per symbol of the mixture of some ways, the first two first."""
    total, switches = 0.0, [Switch() for _ in ways[1:]]
    for found, *others in zip(*map(in_blocks, ways), strict=True):
        for switch, other in zip(switches, others, strict=True):
            found = switch.mixed(other, found)
        total += float(found.sum())
    return round(bits(-total / len(ways[0])), 4)


def _learn(memory: Memory, part: TokenPart, progress: Advance) -> None:
    size = len(part.tokens)
    for first in range(0, size, _BLOCK):
        memory.learn(part.tokens[first : first + _BLOCK])
        release_pages(part.tokens)
        progress(min(first + _BLOCK, size), size, "remembering train")


def _adapt(
    memory: Memory, parts: Sequence[TokenPart], experts: Sequence[Expert], work: _Work
) -> None:
    for part in parts:
        for _ in _read(memory, part, experts, True, work):
            pass


def _scored(
    memory: Memory, part: TokenPart, experts: Sequence[Expert], adapt: bool, work: _Work
) -> Ways:
    rows = (found.T for found in _read(memory, part, experts, adapt, work))
    return list(mapped(work.folder, rows, np.float64).reshape(part.scored, -1).T)


def _read(
    memory: Memory, part: TokenPart, experts: Sequence[Expert], adapt: bool, work: _Work
) -> Iterator[LogProbs]:
    """Log-probabilities (ways, n) of the pieces of a part, in its order; context is read but not
    learnt.
    """
    count, what = 0, f"scoring {'adaptively' if adapt else 'frozen'}"
    for context_from, scored_from, stop, known in _pieces(part, experts):
        if context_from < scored_from:
            memory.score(part.tokens[context_from:scored_from], adapt=False)
        yield _score(memory, part.tokens[scored_from:stop], known, adapt)
        release_pages(part.tokens)
        count += stop - scored_from
        work.progress(count, part.scored, what)


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
            for begin in range(scored_from, stop, _BLOCK):
                context = start if begin == scored_from else begin
                yield context, begin, min(stop, begin + _BLOCK), []
        return
    begins = {scored_from: start for start, scored_from, _ in part.segments.tolist()}
    for found in zip(*(expert(part) for expert in experts), strict=True):
        _, scored_from, stop = found[0][0]
        yield begins.get(scored_from, scored_from), scored_from, stop, [each for _, each in found]
