"""A record that came about in turns: what was said, what was drawn, and how."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from seqforge.core.domain import Sample
from seqforge.core.sampling.options import SamplingOptions
from seqforge.core.sampling.plan import OPENING
from seqforge.core.sampling.streams import Streams
from seqforge.core.sampling.weighing import END


@dataclass(frozen=True)
class Written:
    """One record of a conversation so far."""

    parts: tuple[str, ...] = ()
    """Its text as it came: what grows by a few symbols is not copied each time."""
    through: bool = False
    """Whether it was gone on to through the end of the one before."""
    given: int = 0
    """Symbols said before the first was drawn."""
    drawn: int = 0
    """The end symbol counted."""
    log_prob: float = 0.0
    """Of what was drawn, in nats."""
    removed: float = 0.0
    """The sum of the probabilities that the grammar took away."""
    ended: bool = False
    turns: tuple[SamplingOptions, ...] = ()
    """How each continuation was drawn."""
    opening: str = ""
    """After what it began, where nothing was said first; see `Plan.opening`."""

    @cached_property
    def text(self) -> str:
        """All of it, the end symbol not among it."""
        return "".join(self.parts)

    def said(self, text: str) -> Written:
        """The record with symbols of a person's."""
        given = self.given if self.drawn else self.given + len(text)
        return replace(self, parts=(*self.parts, text), given=given)

    def continued(self, row: Streams, ids: Sequence[int], text: str) -> Written:
        """The record with what the last call drew in a row."""
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
        """The record as a sample; what its continuations do not share is left out."""
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
