"""What all samples of one order share, and what one of them has come to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqforge.core.domain import Sample
from seqforge.core.sampling.engine import Engine
from seqforge.core.sampling.options import Ending, SamplingOptions
from seqforge.core.sampling.streams import Grammar, Streams, closed_streams, note_all
from seqforge.core.sampling.weighing import END, Rules
from seqforge.core.vocabulary import Vocabulary


@dataclass(frozen=True)
class Plan:
    """How to draw, from which state."""

    model: str
    vocabulary: Vocabulary
    options: SamplingOptions
    rules: Rules
    grammar: Grammar
    ending: Ending | None
    engine: Engine
    state: Any
    """Of one row, after the prime."""
    begun: Streams
    """One row that has been led through the prime."""
    waits: bool
    """Whether more may have to be drawn before it is certain where a sample ended."""

    @property
    def limit(self) -> int:
        """Most symbols of a stream, end symbols counted."""
        return self.options.length * self.options.records

    def streams(self, rows: int, call: int) -> Streams:
        """Rows for samples of this plan, ``call`` symbols at a time."""
        window = self.begun.recent.shape[1]
        return closed_streams(rows, len(self.vocabulary), window, min(call, self.limit))

    def seat(self, streams: Streams, row: int, number: int) -> None:
        """Begin a sample in a row."""
        for mine, given in (
            (streams.places, self.begun.places), (streams.recent, self.begun.recent),
            (streams.seen, self.begun.seen), (streams.counts, self.begun.counts),
        ):  # fmt: skip
            mine[row] = given[0]
        streams.numbers[row], streams.positions[row] = number, 0
        streams.limits[row], streams.ends_left[row] = self.limit, self.options.records
        streams.log_probs[row], streams.removed[row] = 0.0, 0.0
        streams.drawn[row], streams.open[row] = -1, True


def make_plan(
    model: str, vocabulary: Vocabulary, options: SamplingOptions, grammar: Grammar,
    ending: Ending | None, engine: Engine,
) -> Plan:  # fmt: skip
    """Read the prime, once for all samples.

    Raises:
        InputError: If the prime has a symbol that the vocabulary lacks.
    """
    prime = vocabulary.encode(options.prime, "the prime").astype(np.int64)
    window = options.repetition_window if options.repetition_penalty > 1 else 0
    begun = closed_streams(1, len(vocabulary), window, 1)
    state = engine.begin(1)
    if len(prime):  # what is not called need not be fetched from the disk
        note_all(begun, 0, prime, grammar)
        engine.read(state, prime)
    return Plan(
        model, vocabulary, options, options.rules(vocabulary), grammar, options.ending(ending),
        engine, state, begun, waits=ending is not None,
    )  # fmt: skip


class Drawing:
    """One stream: what it has drawn so far, and the samples that made."""

    def __init__(self, plan: Plan, number: int) -> None:
        self._plan, self.number = plan, number
        self._text, self._log_prob, self._removed = "", 0.0, 0.0
        # The sums before each symbol of the text that earlier calls drew: an ending may lie there.
        self._before: list[NDArray[np.float64]] = []
        self.done: list[Sample] = []
        self.open = True

    def take(self, streams: Streams, row: int) -> str:
        """Take what the last call drew in a row; returns its text, cut where the stream ends."""
        ids = streams.drawn[row][streams.drawn[row] >= 0]
        sums = np.stack([streams.log_probs[row], streams.removed[row]])
        self.open = bool(streams.open[row])
        begins, new = 0, ""
        for end in [*np.flatnonzero(ids == END).tolist(), len(ids)]:
            ended, text = end < len(ids), self._plan.vocabulary.decode(ids[begins:end].tolist())
            if not ended and not text:
                break
            before = len(self._text)
            self._text += text
            over = ended or not self.open
            place = self._plan.ending(self._text, over) if self._plan.ending else None
            if place is not None:
                self.open, self._text = False, self._text[:place]
                known = np.hstack([*self._before, sums[:, begins : end + 1]])
                self._finish(known[:, len(self._text)], ended=False)
                return new + text[: max(place - before, 0)]
            new += text
            if ended or not self.open:
                self._finish(sums[:, end + ended], ended)
            elif self._plan.ending:
                self._before.append(sums[:, begins:end])
            begins = end + 1
        return new

    def _finish(self, sums: NDArray[np.float64], ended: bool) -> None:
        """Make a sample of the text; ``sums`` (2,) are those after its last symbol."""
        options, count = self._plan.options, len(self._text) + ended
        log_prob, removed = sums.tolist()
        prime = "" if self.done else options.prime
        has_grammar = len(self._plan.grammar.allowed) > 0
        self.done.append(
            Sample(
                symbols=prime + self._text,
                prime_length=len(prime),
                number=(self.number - 1) * options.records + len(self.done) + 1,
                model=self._plan.model,
                temperature=options.temperature,
                seed=options.seed,
                mean_log_prob=(log_prob - self._log_prob) / count if count else None,
                ended=ended,
                removed_mass=(removed - self._removed) / count if count and has_grammar else None,
                settings=options.settings,
            )
        )
        self._text, self._log_prob, self._removed = "", log_prob, removed
        self._before = []
