"""The Python door: ``seqforge.load("fly").sample(n=10, temperature=0.8)``."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqforge.core.checkpoint import Checkpoint, ModelCard, load_checkpoint
from seqforge.core.domain import Domain, Sample
from seqforge.core.sampling.sampler import Sampler, SamplingOptions
from seqforge.core.vocabulary import Unknown
from seqforge.models import find_model
from seqforge.registry import load_domain


def load(name: str | Path) -> Model:
    """A model: a bundled name, a ``.safetensors`` file or a run folder.

    Raises:
        CheckpointError: If there is none or it cannot be used.
    """
    return Model(load_checkpoint(find_model(str(name))))


class Model:
    """A trained model, ready to draw from and to score with."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._checkpoint = checkpoint

    @property
    def card(self) -> ModelCard:
        """What is known of the model: settings, vocabulary, data, score."""
        return self._checkpoint.card

    @cached_property
    def domain(self) -> Domain:
        """The domain that knows what its symbols mean.

        Raises:
            DomainError: If it is not installed.
        """
        return load_domain(self.card.config.domain, self.card.config.domain_options)

    def sample(
        self,
        n: int = 1,
        *,
        temperature: float = 1.0,
        length: int | None = None,
        max_length: int | None = None,
        prime: str | Path = "",
        seed: int = 0,
        top_k: int | None = None,
        top_p: float | None = None,
        constraint: bool = True,
        unknown: Unknown = "refuse",
    ) -> list[Sample]:
        """Draw samples; sample k of a seed is the same whatever ``n`` is.

        Args:
            n: How many.
            temperature: 0 is greedy.
            length: Draw exactly so many symbols, the end symbol held back.
            max_length: Stop where the record ends, or at so many symbols; the model's own
                setting where neither length is given.
            prime: Begin with this: text, or a file in the domain's format.
            seed: Of the draws.
            top_k: Keep so many symbols.
            top_p: Keep the fewest symbols of this mass.
            constraint: Whether to keep to the domain's grammar.
            unknown: What becomes of symbols of the prime that the model does not know: an error
                ("refuse"), left out ("skip"), or the model's unknown symbol ("map").

        Raises:
            InputError: If the prime has symbols that the model does not know.
            ValueError: If an argument is out of range.
        """
        options = self.options(
            temperature=temperature, length=length, max_length=max_length, prime=prime, seed=seed,
            top_k=top_k, top_p=top_p, unknown=unknown,
        )  # fmt: skip
        return list(self.draw(n, options, constraint))

    def options(
        self,
        *,
        length: int | None,
        max_length: int | None,
        prime: str | Path,
        unknown: Unknown = "refuse",
        **more: Any,
    ) -> SamplingOptions:
        """How to draw, as `sample` takes it, with the model's own length where none is given."""
        return SamplingOptions(
            length=length or max_length or self.card.config.sampling.length,
            exact_length=length is not None,
            prime=self.prime(prime, unknown)[0],
            **more,
        )

    def prime(self, source: str | Path, unknown: Unknown = "refuse") -> tuple[str, dict[str, int]]:
        """The symbols to begin with, and how often which others were left out or mapped.

        Raises:
            InputError: As `sample` does.
        """
        if not source:
            return "", {}
        return self.card.vocabulary.known(self.domain.prime(source), "the prime", unknown)

    def draw(self, n: int, options: SamplingOptions, constraint: bool = True) -> Iterator[Sample]:
        """Draw samples as they come; `sample` says the rest."""
        grammar = self.domain.constraint(self.card.vocabulary) if constraint else None
        return Sampler(self._checkpoint, grammar).draw(n, options)

    def score(self, text: str) -> NDArray[np.float64]:
        """Bits of each symbol of a record (T,), from the start; the end symbol is not scored.

        Raises:
            InputError: If the text has a symbol that the model does not know.
        """
        return Sampler(self._checkpoint).score(text)
