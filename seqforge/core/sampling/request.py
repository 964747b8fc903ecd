"""A model, options and a prime in, a sampling request out: state shared by its samples, and the
progress of one sample.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, get_type_hints

import numpy as np
from numpy.typing import NDArray

from seqforge.core.data.domain import Sample
from seqforge.core.data.vocabulary import Vocabulary, describe
from seqforge.core.sampling.engine import Engine
from seqforge.core.sampling.logit_filters import END, FilterParams
from seqforge.core.sampling.params import MOST, SamplerParams
from seqforge.core.sampling.sampling_kernel import BatchState, Grammar, Ids, closed_batch, note_all
from seqforge.errors import InputError

Ending = Callable[[str, int, bool], int | None]
"""A record's symbols, the number given at the left, and whether it is over, in; where it ends,
or None to continue, out. Before it is over, only certain ends are returned."""

OPENING = "opening"
"""Setting of a sample with its opening."""
_EXPECTED = 0.01
"""Least probability of a symbol of an opening after those before it."""


@dataclass(frozen=True)
class SamplingRequest:
    """State shared by a request's samples."""

    model: str
    vocabulary: Vocabulary
    options: SamplerParams
    filters: FilterParams
    grammar: Grammar
    ending: Ending | None
    engine: Engine
    state: Any
    """Of one row, after the prime or the opening."""
    fresh: Any
    """Of one row, before anything was read."""
    opening: str
    """Symbols read instead of a prime, so that a sample begins at a likely place."""
    begun: BatchState
    """One row that has read the prime."""
    labels: Mapping[str, Any]
    """Further settings that samples carry."""
    waits: bool
    """Whether more symbols may be needed before a sample's end is certain."""

    @cached_property  # the same for every sample, of which there may be many short ones
    def settings(self) -> dict[str, Any]:
        """Sampling options that differ from the defaults."""
        opening = {OPENING: self.opening} if self.opening else {}
        return {**self.options.settings, **self.labels, **opening}

    def sample(
        self, number: int, text: str, log_prob: float, removed: float, ended: bool, first: bool
    ) -> Sample:
        """Drawn symbols in, a sample out.

        Args:
            number: Of the sample.
            text: Its symbols without those given.
            log_prob: Of all of it, the end symbol's too, in nats.
            removed: The sum, over its symbols, of the probability that the grammar forbade.
            ended: Whether the end symbol came.
            first: Whether it begins with the prime: a stream's later records do not.
        """
        count, prime = len(text) + ended, self.options.prime if first else ""
        has_grammar = len(self.grammar.allowed) > 0
        return Sample(
            symbols=prime + text,
            prime_length=len(prime),
            number=number,
            model=self.model,
            temperature=self.options.temperature,
            seed=self.options.seed,
            mean_log_prob=log_prob / count if count else None,
            ended=ended,
            removed_mass=removed / count if count and has_grammar else None,
            settings=dict(self.settings),
        )

    def streams(self, rows: int, call: int) -> BatchState:
        """A batch of rows for this request, ``call`` symbols at a time."""
        window = self.begun.recent.shape[1]
        return closed_batch(rows, len(self.vocabulary), window, min(call, self.options.length))

    def seat(self, streams: BatchState, row: int, number: int) -> None:
        """Start a sample in a row."""
        for mine, given in (
            (streams.places, self.begun.places), (streams.recent, self.begun.recent),
            (streams.seen, self.begun.seen), (streams.counts, self.begun.counts),
        ):  # fmt: skip
            mine[row] = given[0]
        streams.numbers[row], streams.positions[row], streams.begins[row] = number, 0, 0
        streams.limits[row], streams.ends_left[row] = self.options.length, self.options.records
        streams.log_probs[row], streams.removed[row] = 0.0, 0.0
        streams.drawn[row], streams.open[row] = -1, True


def make_request(
    model: str, vocabulary: Vocabulary, options: SamplerParams, grammar: Grammar,
    ending: Ending | None, engine: Engine, labels: Mapping[str, Any], openings: Sequence[str] = (),
) -> SamplingRequest:  # fmt: skip
    """Options and a model's engine in, the request with its prime (or opening) read once out.

    Raises:
        InputError: If the prime, or where to stop, has a symbol that the vocabulary lacks, or
            what to stop at cannot come.
    """
    check_stop(vocabulary, options, grammar)
    prime = vocabulary.encode(options.prime, "the prime").astype(np.int64)
    window = options.repetition_window if options.repetition_penalty > 1 else 0
    begun = closed_batch(1, len(vocabulary), window, 1)
    state = fresh = engine.begin(1)
    opening = ""
    if len(prime):  # what is not called need not be fetched from the disk
        note_all(begun, 0, prime, grammar)
        state = engine.rows(fresh, np.zeros(1, np.int64))
        engine.read(state, prime)
    else:
        opening, state = _opened(vocabulary, engine, fresh, openings)
    return SamplingRequest(
        model, vocabulary, options, filter_params(options, vocabulary), grammar,
        stop_ending(options.stop, ending), engine, state, fresh, opening, begun, labels,
        waits=ending is not None,
    )  # fmt: skip


def _opened(
    vocabulary: Vocabulary, engine: Engine, fresh: Any, openings: Sequence[str]
) -> tuple[str, Any]:
    """The first opening whose symbols the model expects."""
    for text in openings:
        if set(text) <= set(vocabulary.symbols):
            state = engine.rows(fresh, np.zeros(1, np.int64))
            log_probs = engine.read(state, vocabulary.encode(text).astype(np.int64))[0]
            if (log_probs[1:] >= np.log(_EXPECTED)).all():
                return text, state
    return "", fresh


def filter_params(options: SamplerParams, vocabulary: Vocabulary) -> FilterParams:
    """Options in, the kernel's parameters out."""
    end = options.temperature if options.temperature_end is None else options.temperature_end
    unknown = vocabulary.unknown_id
    own: dict[str, Any] = {
        "seed": np.uint64(options.seed),
        "temperature_end": float(end),
        "positions": options.length,
        "least": MOST if options.exact_length else options.min_length,
        "unknown": -1 if unknown is None else unknown,
    }
    kinds = get_type_hints(FilterParams)
    return FilterParams(**{
        name: kinds[name](own[name] if name in own else options.value_or_off(name))
        for name in FilterParams._fields
    })  # fmt: skip


def stop_ending(stop: str | None, more: Ending | None) -> Ending | None:
    """The rule that ends a record: at the first ``stop``, or by another rule, whichever is
    first."""
    if not stop:
        return more

    def first(symbols: str, given: int, over: bool) -> int | None:
        place = symbols.find(stop, given)
        found = [place + len(stop)] if place >= 0 else []
        other = more(symbols, given, over) if more else None
        return min([*found, *([] if other is None else [other])], default=None)

    return first


def check_stop(vocabulary: Vocabulary, options: SamplerParams, grammar: Grammar) -> None:
    """Refuse a stop that can never be drawn."""
    stop = options.stop or ""
    ids = vocabulary.encode(stop, "where to stop").astype(np.int64)
    never = ""
    if vocabulary.unknown_id is not None and vocabulary.unknown_id in ids:
        place = int((ids == vocabulary.unknown_id).argmax())
        never = f"{describe(stop[place])} is not a symbol of this model, and its unknown symbol"
        never += " is never drawn"
    elif len(stop) > options.length:
        never = f"it has {len(stop):,} symbols, and at most {options.length:,} are drawn"
    elif not fitting(grammar, np.arange(len(grammar.allowed), dtype=np.int32), ids).any():
        never = "the grammar allows it nowhere" if len(grammar.allowed) else ""
    if never:
        raise InputError(f"where to stop: {stop[:60]!r} can never come: {never}")


def fitting(grammar: Grammar, places: NDArray[np.int32], ids: Ids) -> NDArray[np.bool_]:
    """States (R,) in which the grammar allows all of the ids (T,)."""
    fits = np.ones(len(places), bool)
    if not len(grammar.allowed):
        return fits
    for symbol in ids:
        fits &= grammar.allowed[places, symbol]
        places = grammar.following[places, symbol]
    return fits


class StreamBuffer:
    """The symbols of one row so far, and the samples made of them."""

    def __init__(self, plan: SamplingRequest, number: int) -> None:
        self._plan, self.number = plan, number
        self._parts: list[str] = []
        self._from = np.zeros(2)
        """Log-probability and removed mass of all records before."""
        # The sums before each symbol that earlier calls drew: an ending may lie there.
        self._before: list[NDArray[np.float64]] = []
        self.done: list[Sample] = []
        self.open = True

    def take(self, streams: BatchState, row: int) -> str:
        """Take the symbols of the last call; returns their text, cut at the end."""
        ids = streams.drawn[row][streams.drawn[row] >= 0]
        sums = np.stack([streams.log_probs[row], streams.removed[row]])
        self.open = bool(streams.open[row])
        begins, new = 0, ""
        for end in [*np.flatnonzero(ids == END).tolist(), len(ids)]:
            ended, text = end < len(ids), self._plan.vocabulary.decode(ids[begins:end].tolist())
            if not ended and not text:
                break
            self._parts.append(text)
            self._before.append(sums[:, begins:end])
            place = self._end(over=ended or not self.open)
            if place is not None:
                self.open = False
                whole, known = "".join(self._parts), np.hstack([*self._before, sums[:, [end]]])
                self._parts = [whole[:place]]
                self._finish(known[:, place], ended=False)
                return new + text[: max(place - len(whole) + len(text), 0)]
            new += text
            if ended or not self.open:
                self._finish(sums[:, end + ended], ended)
            begins = end + 1
        return new

    def _end(self, over: bool) -> int | None:
        """Where the record ends, in drawn symbols; None to continue."""
        if self._plan.ending is None:
            self._before = []
            return None
        given = "" if self.done else self._plan.options.prime
        self._parts = ["".join(self._parts)]
        place = self._plan.ending(given + self._parts[0], len(given), over)
        return None if place is None else place - len(given)

    def _finish(self, sums: NDArray[np.float64], ended: bool) -> None:
        """Make a sample of the text; ``sums`` (2,) are those after its last symbol."""
        number = (self.number - 1) * self._plan.options.records + len(self.done) + 1
        log_prob, removed = (sums - self._from).tolist()
        text, first = "".join(self._parts), not self.done
        self.done.append(self._plan.sample(number, text, log_prob, removed, ended, first))
        self._parts, self._from, self._before = [], sums, []
