"""A checkpoint and options in, samples out: many at once (continuous batching), one symbol by
symbol (streaming), or between a prefix and a suffix (infilling).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqforge.base.machine import usable_cores
from seqforge.core.data.constraint import Constraint
from seqforge.core.data.domain import Domain, Opens, Sample
from seqforge.core.model.checkpoint import Checkpoint, ModelCard
from seqforge.core.sampling.engine import Engine
from seqforge.core.sampling.ngram_engine import cpu_engine
from seqforge.core.sampling.params import SamplerParams
from seqforge.core.sampling.request import (
    Ending,
    SamplingRequest,
    StreamBuffer,
    check_stop,
    fitting,
    make_request,
)
from seqforge.core.sampling.sampling_kernel import BatchState, Grammar, Ids

_CALL_SYMBOLS = 4096  # of all rows of a lot: a millisecond or ten, whatever their number
_SHORTEST_CALL, _LONGEST_CALL = 64, 1024
_AHEAD = 4  # samples that may be begun before one is done, as a multiple of the rows


OnSymbols = Callable[[int], None]
"""Told how many symbols were drawn since the last call."""


@dataclass
class _RowBatch:
    """The rows of one thread."""

    state: Any
    streams: BatchState
    drawings: list[StreamBuffer | None]


def draw_samples(
    plan: SamplingRequest, first: int, count: int, rows: int, threads: int, drawn: OnSymbols
) -> Iterator[Sample]:  # fmt: skip
    """A request in, samples ``first`` to ``first + count - 1`` out, in order (continuous batching).

    Args:
        plan: How to draw.
        first: Number of the first stream.
        count: How many.
        rows: Most rows of a thread.
        threads: Most threads.
        drawn: Told how many symbols each call drew.
    """
    if count < 1:
        return
    threads = min(threads, count)
    lots = [_lot(plan, min(rows, -(-count // threads))) for _ in range(threads)]
    with ThreadPoolExecutor(threads) as executor:
        run = map if threads == 1 else executor.map
        numbers = range(first, first + count)
        begun, next_out = iter(numbers), first
        ahead = _AHEAD * sum(len(lot.drawings) for lot in lots)
        ready: dict[int, list[Sample]] = {}
        seats = [(lot, row) for lot in lots for row in range(len(lot.drawings))]
        waiting = next(begun, None)
        while next_out in numbers:
            for lot, row in seats:
                if lot.drawings[row] is None and waiting is not None and waiting < next_out + ahead:
                    _seat(plan, lot, row, waiting)
                    waiting = next(begun, None)
            list(run(lambda lot: plan.engine.run(
                lot.state, lot.streams, plan.filters, plan.grammar), lots))  # fmt: skip
            drawn(sum(int((lot.streams.drawn >= 0).sum()) for lot in lots))
            for lot, row in seats:
                _collect(lot, row, ready)
            while next_out in ready:
                yield from ready.pop(next_out)
                next_out += 1


def _lot(plan: SamplingRequest, rows: int) -> _RowBatch:
    call = min(max(_CALL_SYMBOLS // rows, _SHORTEST_CALL), _LONGEST_CALL)
    state = plan.engine.rows(plan.state, np.zeros(rows, np.int64))
    return _RowBatch(state, plan.streams(rows, call), [None] * rows)


def _seat(plan: SamplingRequest, lot: _RowBatch, row: int, number: int) -> None:
    plan.seat(lot.streams, row, number)
    plan.engine.put(lot.state, row, plan.state)
    lot.drawings[row] = StreamBuffer(plan, number)


def _collect(lot: _RowBatch, row: int, ready: dict[int, list[Sample]]) -> None:
    drawing = lot.drawings[row]
    if drawing is None:
        return
    drawing.take(lot.streams, row)
    if not drawing.open:
        lot.streams.open[row] = False
        lot.drawings[row] = None
        ready[drawing.number] = drawing.done


FIRST_CALL, CALL = 8, 64  # symbols: something to see at once, then little cost a call


class Stream:
    """Sample ``number`` of a request, streamed; equal to that of `Sampler.draw`."""

    def __init__(self, plan: SamplingRequest, number: int) -> None:
        """Begin.

        Raises:
            ValueError: If there is a suffix: how to fill is known only when all is drawn.
        """
        if plan.options.suffix:
            raise ValueError("a sample with a suffix cannot be drawn symbol by symbol")
        self._plan = plan
        self._state = plan.engine.rows(plan.state, np.zeros(1, np.int64))
        self._drawing = StreamBuffer(plan, number)
        self._streams = plan.streams(1, FIRST_CALL)
        plan.seat(self._streams, 0, number)

    def __iter__(self) -> Iterator[str]:
        """What is drawn, a few symbols at a time; all at once where its end is known last."""
        if self._plan.waits:
            deque(self._pieces(), maxlen=0)
            yield "".join(sample.drawn for sample in self.samples)
        else:
            yield from self._pieces()

    def _pieces(self) -> Iterator[str]:
        plan = self._plan
        while self._drawing.open:
            plan.engine.run(self._state, self._streams, plan.filters, plan.grammar)
            new = self._drawing.take(self._streams, 0)
            if new:
                yield new
            if self._streams.drawn.shape[1] < CALL:
                self._streams = _longer(self._streams, min(CALL, plan.options.length))

    @property
    def begun(self) -> Sample:
        """The sample before anything is drawn: prime and settings."""
        return self._plan.sample(self._drawing.number, "", 0.0, 0.0, ended=False, first=True)

    @property
    def samples(self) -> list[Sample]:
        """The complete sample (or samples, with several records), at the end."""
        return self._drawing.done


def _longer(streams: BatchState, call: int) -> BatchState:
    """The same row with room for more symbols per call."""
    rest = call - streams.drawn.shape[1]
    return streams._replace(
        drawn=np.pad(streams.drawn, ((0, 0), (0, rest)), constant_values=-1),
        log_probs=np.pad(streams.log_probs, ((0, 0), (0, rest))),
        removed=np.pad(streams.removed, ((0, 0), (0, rest))),
    )


_CALL = 1024  # symbols that are drawn between two looks for Ctrl-C
_CANDIDATE = 40  # bit of the stream's number from which the candidate is counted


def infill(
    plan: SamplingRequest, first: int, count: int, threads: int, drawn: OnSymbols
) -> Iterator[Sample]:  # fmt: skip
    """A request with a suffix in, samples ``first`` to ``first + count - 1`` out.

    Where the grammar forbids the suffix after some candidates these are left out, unless after
    all. ``drawn`` is told of the symbols of all candidates.
    """
    suffix = plan.vocabulary.encode(plan.options.suffix, "the suffix").astype(np.int64)
    numbers = iter(range(first, first + count))
    with ThreadPoolExecutor(threads) as executor:
        while some := list(islice(numbers, threads)):
            yield from executor.map(lambda number: _fill(plan, suffix, number, drawn), some)


def _fill(plan: SamplingRequest, suffix: Ids, number: int, drawn: OnSymbols) -> Sample:
    engine, rows = plan.engine, plan.options.candidates
    state = engine.rows(plan.state, np.zeros(rows, np.int64))
    streams = plan.streams(rows, _CALL)
    for row in range(rows):
        plan.seat(streams, row, number + (row << _CANDIDATE))
    parts: list[NDArray[np.unsignedinteger]] = []  # (C, T) each, as narrow as ids can be
    while streams.open.any():
        engine.run(state, streams, plan.filters, plan.grammar)
        new = streams.drawn[:, : int((streams.drawn[0] >= 0).sum())]  # all are of one length
        parts.append(new.astype(plan.vocabulary.dtype))
        drawn(new.size)
    last = parts[-1].shape[1]
    chosen = _chosen(plan, engine.read(state, suffix).sum(axis=1), streams.places, suffix, number)
    text = plan.vocabulary.decode(np.concatenate([part[chosen] for part in parts]).tolist())
    log_prob, removed = float(streams.log_probs[chosen, last]), float(streams.removed[chosen, last])
    sample = plan.sample(number, text, log_prob, removed, ended=False, first=True)
    end = plan.options.suffix
    return replace(sample, symbols=sample.symbols + end, suffix_length=len(end))


def _chosen(
    plan: SamplingRequest, log_probs: NDArray[np.float64], places: NDArray[np.int32], suffix: Ids,
    number: int,
) -> int:  # fmt: skip
    """The chosen candidate: at random, in proportion to the suffix's probability after it."""
    fits = fitting(plan.grammar, places, suffix)
    if fits.any():
        log_probs[~fits] = -np.inf
    if log_probs.max() == -np.inf:  # an n-gram model has seen the suffix after none of them
        log_probs = np.zeros(len(log_probs))
    chances = np.exp(log_probs - log_probs.max())
    key = [plan.options.seed, number + (len(chances) << _CANDIDATE)]
    wanted = np.random.Generator(np.random.Philox(key=key)).random() * chances.sum()
    chosen = int(np.searchsorted(np.cumsum(chances), wanted, side="right"))
    return min(chosen, len(chances) - 1)


__all__ = [
    "CALL", "FIRST_CALL", "Ending", "OnSymbols", "Sampler", "SamplerParams", "Stream",
    "draw_samples", "infill", "openings_of",
]  # fmt: skip

_ROWS = 128
"""Rows per thread, enough to use each weight many times while it is in the cache."""


def openings_of(domain: Domain, card: ModelCard) -> tuple[str, ...]:
    """Openings of a model's samples without a prime; () to begin as a record does."""
    return domain.openings(len(card.provenance.inputs)) if isinstance(domain, Opens) else ()


class Sampler:
    """Draws samples from a model."""

    def __init__(
        self,
        checkpoint: Checkpoint,
        constraint: Constraint | None = None,
        *,
        openings: Sequence[str] = (),
        engine: Engine | None = None,
        rows: int = _ROWS,
        threads: int | None = None,
    ) -> None:
        """Lay the weights out for drawing.

        Args:
            checkpoint: The model.
            constraint: The grammar to keep to.
            openings: After what a sample may begin that has no prime; see `openings_of`.
            engine: What reads and draws; the compiled kernel where it is not given.
            rows: Most samples that a thread draws side by side.
            threads: Most threads; the cores where it is not given.

        Raises:
            CheckpointError: If weights are missing or of the wrong shape.
            ValueError: If the grammar is not one over the model's vocabulary.
        """
        self.name = checkpoint.card.name
        self.vocabulary = checkpoint.card.vocabulary
        self._engine: Engine = engine or cpu_engine(checkpoint)
        self._openings = tuple(openings)
        self._rows, self._threads = rows, threads or usable_cores()
        size = len(self.vocabulary)
        self._grammar = Grammar(np.zeros((0, size), bool), np.zeros((0, size), np.int32))
        self._begun = None if constraint is None else constraint.begun
        if constraint is not None:
            if constraint.allowed.shape[1] != size:
                raise ValueError("the constraint is not one over the model's vocabulary")
            self._grammar = Grammar(
                np.ascontiguousarray(constraint.allowed, bool),
                np.ascontiguousarray(constraint.following, np.int32),
            )

    def draw(
        self, count: int, options: SamplerParams, *, first: int = 1, ending: Ending | None = None
    ) -> Iterator[Sample]:
        """Draw samples ``first`` to ``first + count - 1``.

        Each is the same however many are drawn beside it, in whatever order. With more than one
        record each of these streams gives up to so many samples.

        Args:
            count: How many.
            options: How to draw.
            first: Number of the first, from 1.
            ending: Where a sample is to end besides.

        Raises:
            InputError: If what is given has a symbol that the vocabulary lacks.
        """
        return self.samples(self.plan(options, ending), count, first)

    def samples(
        self,
        plan: SamplingRequest,
        count: int,
        first: int = 1,
        drawn: OnSymbols = lambda symbols: None,
    ) -> Iterator[Sample]:
        """Draw the samples of a request, as `draw` does; ``drawn`` is told of symbols as they
        come."""
        if plan.options.suffix:
            return infill(plan, first, count, self._threads, drawn)
        return draw_samples(plan, first, count, self._rows, self._threads, drawn)

    def stream(
        self, options: SamplerParams, number: int = 1, ending: Ending | None = None
    ) -> Stream:
        """Stream one sample; raises what `draw` and `Stream` raise."""
        return Stream(self.plan(options, ending), number)

    def plan(
        self, options: SamplerParams, ending: Ending | None = None,
        labels: Mapping[str, Any] | None = None,
    ) -> SamplingRequest:  # fmt: skip
        """Options in, the request with its prime read out; raises what `draw` raises.

        Args:
            options: How to draw.
            ending: Where a sample is to end besides.
            labels: What samples are to say of themselves besides the options.
        """
        plan = make_request(
            self.name, self.vocabulary, options, self._grammar, ending, self._engine, labels or {},
            self._openings,
        )  # fmt: skip
        if options.prime and self._begun is not None:
            plan.begun.places[:] = self._begun[plan.begun.places]
        return plan

    def check(self, options: SamplerParams) -> None:
        """Refuse options that can never be met.

        Raises:
            InputError: If what to stop at holds a symbol that the vocabulary lacks or that is
                never drawn, is longer than what is drawn, or stands against the grammar.
        """
        check_stop(self.vocabulary, options, self._grammar)

    def score(self, text: str) -> NDArray[np.float64]:
        """Bits of each symbol of a record (T,), read from the start.

        Raises:
            InputError: If the text has a symbol that the vocabulary lacks.
        """
        ids = self.vocabulary.encode(text).astype(np.int64)
        return np.asarray(-self._engine.read(self._engine.begin(1), ids)[0] / np.log(2))
