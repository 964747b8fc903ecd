"""Turns of a person in, turns of the model out: a conversation whose turns can be undone, and
its transcript as a sample.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from seqforge.core.records import Prompt, Sample
from seqforge.core.sampling.logit_filters import END, FilterParams
from seqforge.core.sampling.params import SamplerParams
from seqforge.core.sampling.request import (
    OPENING,
    SamplingRequest,
    filter_params,
    stop_ending,
)
from seqforge.core.sampling.sampler import CALL, FIRST_CALL, Sampler
from seqforge.core.sampling.sampling_kernel import BatchState, Grammar, Ids, closed_batch, note_all


@dataclass(frozen=True)
class Transcript:
    """A record of a chat so far."""

    parts: tuple[str, ...] = ()
    """Its text in pieces, so that appending copies nothing."""
    typed: tuple[int, ...] = ()
    """Which of the pieces were typed; the others were drawn."""
    through: bool = False
    """Whether the chat continued into it through the end symbol of the record before."""
    given: int = 0
    """Symbols typed before the first was drawn."""
    drawn: int = 0
    """Symbols drawn, the end symbol included."""
    log_prob: float = 0.0
    """Log-probability of the drawn symbols, in nats."""
    removed: float = 0.0
    """Sum of the probabilities that the grammar forbade."""
    ended: bool = False
    turns: tuple[SamplerParams, ...] = ()
    """Sampling options of each continuation."""
    opening: str = ""
    """The opening it began after, if nothing was typed first; see `SamplingRequest.opening`."""

    @cached_property
    def text(self) -> str:
        """The whole text, without the end symbol."""
        return "".join(self.parts)

    def pieces(self) -> Iterator[tuple[str, bool]]:
        """The text in pieces, each with whether it was typed."""
        typed = set(self.typed)
        return ((part, place in typed) for place, part in enumerate(self.parts))

    def said(self, text: str) -> Transcript:
        """The record with typed symbols added."""
        given = self.given if self.drawn else self.given + len(text)
        typed = (*self.typed, len(self.parts))
        return replace(self, parts=(*self.parts, text), typed=typed, given=given)

    def continued(self, row: BatchState, ids: Sequence[int], text: str) -> Transcript:
        """The record with the symbols of the last call added."""
        last = len(ids)
        return replace(
            self,
            parts=(*self.parts, text),
            drawn=self.drawn + last,
            log_prob=self.log_prob + float(row.log_probs[0, last] - row.log_probs[0, 0]),
            removed=self.removed + float(row.removed[0, last] - row.removed[0, 0]),
            ended=last > 0 and ids[-1] == END,
        )

    def sample(self, number: int, model: str, has_grammar: bool) -> Sample:
        """The record as a sample; options that its continuations do not share are left out."""
        temperatures = {options.temperature for options in self.turns}
        seeds = {options.seed for options in self.turns}
        settings = self.turns[-1].settings if len(set(self.turns)) == 1 else {}
        opening = {OPENING: self.opening} if self.opening else {}
        return Sample(
            symbols=self.text,
            prime_length=self.given,
            number=number,
            model=model,
            temperature=temperatures.pop() if len(temperatures) == 1 else None,
            seed=seeds.pop() if len(seeds) == 1 else None,
            mean_log_prob=self.log_prob / self.drawn if self.drawn else None,
            ended=self.ended,
            removed_mass=self.removed / self.drawn if self.drawn and has_grammar else None,
            settings={**settings, **opening, "turns": len(self.turns)} if self.turns else {},
        )


_ONE_ROW = np.zeros(1, np.int64)


@dataclass(frozen=True)
class _UndoPoint:
    """A state of the chat to return to; never modified."""

    state: Any
    row: BatchState
    records: tuple[Transcript, ...]


@dataclass
class _Turn:
    """What one `Conversation.undo` takes back."""

    before: _UndoPoint
    said: bool = False
    """Whether it began with typed text, to which the continuation belongs."""
    drawn_from: _UndoPoint | None = None
    """The state before the continuation; None if there is none yet."""


class Conversation:
    """A chat: a text that a person and a model write in turns, with undo.

    Law: what is drawn hangs on the seed, the sample's number and how many symbols were drawn in
    the conversation before, as in `Sampler.draw`: the prime said and then n symbols drawn are
    sample 1 of that length. A turn that was taken back leaves no trace.

    One continuation is drawn at a time: an iterator that another call has followed is spent.
    """

    _state: Any
    _row: BatchState
    _records: tuple[Transcript, ...]

    def __init__(
        self,
        sampler: Sampler,
        options: SamplerParams,
        read: Callable[[str, str], str] = lambda text, what: text,
    ) -> None:
        """Begin, with the prime of the options said where there is one.

        Args:
            sampler: What draws.
            options: How; they can be changed between turns.
            read: Gives the symbols of what is said or stopped at; told what it is, for messages.

        Raises:
            InputError: If the prime has a symbol that the vocabulary lacks.
            ValueError: If the options hold a suffix, or more than one record.
        """
        if options.suffix or options.records > 1:
            raise ValueError("a conversation has no suffix, and its records come one by one")
        self._read, self._sampler = read, sampler
        self.options = options.changed(prime="")
        self._plan: SamplingRequest = sampler.plan(self.options)
        self._turns: list[_Turn] = []
        self._restore(self._beginning())
        if options.prime:
            self.say(Prompt(options.prime))

    @property
    def text(self) -> str:
        """The current record, or the last one."""
        return self._records[-1].text if self._records else ""

    @property
    def ended(self) -> bool:
        """Whether the model has ended the record, so that typed text begins another."""
        return bool(self._records) and self._records[-1].ended

    @property
    def turns(self) -> int:
        """Number of turns that can be undone."""
        return len(self._turns)

    @property
    def number(self) -> int:
        """Number of the sample whose random numbers are used."""
        return int(self._row.numbers[0])

    @property
    def has_drawn(self) -> bool:
        """Whether the last turn has a continuation that can be drawn again."""
        return bool(self._turns) and self._turns[-1].drawn_from is not None

    @property
    def records(self) -> tuple[Transcript, ...]:
        """The records so far."""
        return self._records

    def samples(self) -> list[Sample]:
        """The records so far, as samples."""
        model, has_grammar = self._plan.model, len(self._plan.grammar.allowed) > 0
        return [
            record.sample(number, model, has_grammar)
            for number, record in enumerate(self._records, 1)
        ]

    def change(self, **options: Any) -> None:
        """Change sampling options from now on.

        Raises:
            InputError: If what to stop at can never come; then nothing changes.
            TypeError: For an option that there is not.
            ValueError: If a value is out of range; then nothing changes.
        """
        if unfit := options.keys() & {"prime", "suffix", "records"}:
            raise ValueError(f"{min(unfit)} cannot change in a conversation")
        if (stop := options.get("stop")) is not None and stop != "":
            options["stop"] = self._read(stop, "where to stop")
        changed = self.options.changed(**options)
        self._sampler.check(changed)
        self.options = changed
        self._fit_window()

    def say(self, text: str | Prompt) -> None:
        """Add a typed text; after an ended record, begin another with it.

        Raises:
            InputError: If one is not in the vocabulary; then nothing changes.
        """
        text = text.symbols if isinstance(text, Prompt) else self._read(text, "what was typed")
        ids = self._plan.vocabulary.encode(text, "what was typed").astype(np.int64)
        self._turns.append(_Turn(self._point(), said=True))
        record = self._open_record()
        if self.ended:
            self._begin_record()
            record = Transcript()
        note_all(self._row, 0, ids, self._plan.grammar)
        self._plan.engine.read(self._state, ids)
        self._put(record.said(text))

    def go_on(self, length: int | None = None) -> Iterator[str]:
        """Let the model continue; yields its symbols, a few at a time.

        What was yielded is part of the text, also where the iterator is left early. It stops at
        the model's end symbol; going on from there is going on through it, to another record.

        Args:
            length: Most symbols; the options say it where it is not given.

        Raises:
            ValueError: If the length is below 1.
        """
        options = self.options if length is None else self.options.changed(length=length)
        here = self._point()
        if not self._turns or self.has_drawn or not self._turns[-1].said:
            self._turns.append(_Turn(here))
        self._turns[-1].drawn_from = here
        return self._draw(options, self._turns[-1])

    def again(self, length: int | None = None) -> Iterator[str]:
        """Draw the last continuation again, with the random numbers of the next sample.

        Raises:
            ValueError: If the last turn has none, or the length is below 1.
        """
        begun = self._turns[-1].drawn_from if self._turns else None
        if begun is None:
            raise ValueError("nothing was drawn yet")
        options = self.options if length is None else self.options.changed(length=length)
        number, turn = self.number + 1, replace(self._turns[-1])
        self._turns[-1] = turn  # what still draws for the old one is spent
        self._restore(begun)
        self._row.numbers[0] = number
        return self._draw(options, turn)

    def undo(self) -> None:
        """Undo the last turn: typed text, continuation, or both.

        Raises:
            ValueError: If there is none.
        """
        if not self._turns:
            raise ValueError("there is no turn to undo")
        self._restore(self._turns.pop().before)

    def begin_anew(self) -> None:
        """Start a new text, as a turn that can be undone."""
        self._turns.append(_Turn(self._point()))
        self._restore(self._beginning())

    def _draw(self, options: SamplerParams, turn: _Turn) -> Iterator[str]:
        """Draw call by call; symbols are added to the text before they are yielded."""
        vocabulary, filters = self._plan.vocabulary, filter_params(options, self._plan.vocabulary)
        ending = stop_ending(options.stop, None)
        limit = int(self._row.positions[0]) + options.length
        new, call, record = "", FIRST_CALL, self._open_record()
        if (
            record == Transcript()
        ):  # nothing was said: it begins where a sample without a prime does
            self._state = self._plan.engine.rows(self._plan.state, _ONE_ROW)
            record = replace(record, opening=self._plan.opening)
        record = replace(record, turns=(*record.turns, options))
        while self._turns and self._turns[-1] is turn:
            before = self._point() if ending else None
            ids = self._run(filters, min(call, limit - int(self._row.positions[0])))
            place = ending(new + vocabulary.decode(ids), 0, True) if ending else None
            if before is not None and place is not None:  # draw no further than the end
                self._restore(before)
                ids = self._run(filters, place - len(new))
            text = vocabulary.decode(ids)
            record = record.continued(self._row, ids, text)
            self._put(record)
            new, call = new + text if ending else "", CALL
            if text:
                yield text
            if record.ended or place is not None or self._row.positions[0] >= limit:
                return

    def _run(self, filters: FilterParams, count: int) -> list[int]:
        """Draw up to so many symbols, or to the end symbol; returns their ids."""
        if count < 1:
            return []
        row = self._row
        row.limits[0], row.ends_left[0], row.open[0] = row.positions[0] + count, 1, True
        self._plan.engine.run(self._state, row, filters, self._plan.grammar)
        return [int(i) for i in row.drawn[0] if i >= 0]

    def _open_record(self) -> Transcript:
        """The record that the next symbols belong to."""
        return (
            self._records[-1]
            if self._records and not self.ended
            else Transcript(through=self.ended)
        )

    def _put(self, record: Transcript) -> None:
        """Replace a record by its newer self, or append it."""
        others = self._records if self.ended else self._records[:-1]
        self._records = (*others, record)

    def _begin_record(self) -> None:
        """Reset the model to the start of a record; random numbers and positions continue."""
        fresh, old, records = self._beginning(), self._row, self._records
        fresh.row.numbers[0], fresh.row.positions[0] = old.numbers[0], old.positions[0]
        fresh.row.begins[0] = old.positions[0]
        self._restore(replace(fresh, records=records))

    def _beginning(self) -> _UndoPoint:
        """The state of an empty chat."""
        row = self._new_row()
        row.numbers[0] = 1
        return _UndoPoint(self._plan.fresh, row, ())

    def _new_row(self) -> BatchState:
        # The window is there without a penalty too: the next turn may have one.
        return closed_batch(
            1, len(self._plan.vocabulary), self.options.repetition_window, CALL
        )  # fmt: skip

    def _fit_window(self) -> None:
        """Resize the repetition window to the options, and fill it with the last symbols."""
        old = self._row
        if old.recent.shape[1] == self.options.repetition_window:
            return
        row = self._new_row()
        grammar = self._plan.grammar
        none = Grammar(grammar.allowed[:0], grammar.following[:0])
        note_all(row, 0, self._heard(self.options.repetition_window), none)
        self._row = old._replace(recent=row.recent, seen=row.seen, counts=row.counts)

    def _heard(self, most: int) -> Ids:
        """The last ids typed or drawn since the start of the record, (T,)."""
        ids = np.zeros(0, np.int64)
        for record in reversed(self._records):
            end = [END] if record.ended else []
            said = self._plan.vocabulary.encode(record.text[-most:]).astype(np.int64)
            ids = np.concatenate([said, np.array(end, np.int64), ids])
            if len(ids) >= most or not record.through:
                break
        return np.ascontiguousarray(ids[-most:])

    def _point(self) -> _UndoPoint:
        state = self._plan.engine.rows(self._state, _ONE_ROW)
        return _UndoPoint(state, deepcopy(self._row), self._records)

    def _restore(self, point: _UndoPoint) -> None:
        self._state = self._plan.engine.rows(point.state, _ONE_ROW)
        self._row, self._records = deepcopy(point.row), point.records
        self._fit_window()
