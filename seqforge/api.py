"""The Python door: ``seqforge.load("fly").sample(n=10, temperature=0.8)``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property, partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

import numpy as np
from numpy.typing import NDArray

from seqforge.core.checkpoint import Checkpoint, ModelCard, load_checkpoint
from seqforge.core.domain import Barred, Domain, Hints, Sample
from seqforge.core.sampling.beam import beam_search
from seqforge.core.sampling.conversation import Conversation
from seqforge.core.sampling.plan import Plan
from seqforge.core.sampling.pool import Drawn
from seqforge.core.sampling.sampler import Ending, Sampler, SamplingOptions
from seqforge.core.sampling.stream import Stream
from seqforge.core.vocabulary import Unknown
from seqforge.errors import DomainError
from seqforge.models import find_model
from seqforge.registry import load_domain

if TYPE_CHECKING:
    from seqforge.core.sampling.adapting import Adaptation
    from seqforge.core.sampling.engine import Engine


class Symbols(str):
    """A text in a model's own symbols, which no domain has to make out of anything."""

    __slots__ = ()


class How(TypedDict, total=False):
    """How to draw; `SamplingOptions` says what holds where nothing is given, and all sources.

    Sample k of a seed is the same however many are drawn beside it.
    """

    temperature: float | tuple[float, float]
    """0 is greedy, infinity uniform; a pair is that of the first symbol and of the last."""
    top_k: int | None
    top_p: float | None
    min_p: float | None
    typical_p: float | None
    repetition_penalty: float
    repetition_window: int
    length: int | None
    """Draw exactly so many symbols, the end symbol held back."""
    min_length: int | None
    max_length: int | None
    """Stop where the record ends, or at so many symbols; the model's own setting where neither
    length is given."""
    records: int
    """Go on through the end of a record until so many came."""
    stop: str | None
    """Stop when this was drawn; it is kept."""
    bars: int | None
    """Stop after so many bars; of music."""
    prime: str | Path
    """Begin with this: text, or a file in the domain's format."""
    suffix: str | Path
    """End with this, after exactly ``length`` symbols."""
    candidates: int
    unknown: Unknown
    """What becomes of symbols of prime or suffix that the model does not know: an error
    ("refuse", if nothing is said), left out ("skip"), or its unknown symbol ("map")."""
    seed: int
    constraint: bool
    """Whether to keep to the domain's grammar; it is kept to if nothing is said."""


class Model:
    """A trained model, ready to draw from and to score with."""

    def __init__(self, checkpoint: Checkpoint, device: str = "cpu", adapted: int = 0) -> None:
        """Take a checkpoint.

        Args:
            checkpoint: The model.
            device: ``cpu`` draws with the compiled kernel; ``cuda`` or ``mps`` with torch.
            adapted: How often it has learned from a prime, for samples to say.
        """
        self._checkpoint, self._device, self._adapted = checkpoint, device, adapted

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

    def sample(self, n: int = 1, **how: Unpack[How]) -> list[Sample]:
        """Draw samples.

        Raises:
            InputError: If what is given has a symbol that the model does not know.
            ValueError: If an argument is out of range.
        """
        return list(self.draw(n, **how))

    def draw(
        self, n: int = 1, *, first: int = 1, drawn: Drawn = lambda symbols: None,
        **how: Unpack[How],
    ) -> Iterator[Sample]:  # fmt: skip
        """Draw samples ``first`` to ``first + n - 1`` as they come; raises what `sample` raises.

        ``drawn`` is told of symbols as they come, also of samples that are not whole yet.
        """
        sampler, plan = self._planned(how)
        return sampler.samples(plan, n, first, drawn)

    def stream(self, *, number: int = 1, **how: Unpack[How]) -> Iterator[str]:
        """Draw sample ``number``, and yield its symbols as they come; raises what `sample` raises.

        The prime is not among them, nor is the end symbol.
        """
        return chain.from_iterable(self.drawings(**how)(number))

    def drawings(self, **how: Unpack[How]) -> Callable[[int], Stream]:
        """Gives the sample of a number a few symbols at a time, and whole in ``samples``.

        Raises what `sample` raises.
        """
        _, plan = self._planned(how)
        return partial(Stream, plan)

    def conversation(self, **how: Unpack[How]) -> Conversation:
        """A text to be written in turns with the model, the prime said already.

        Raises:
            InputError: If the prime has a symbol that the model does not know.
            ValueError: If an argument is out of range, or is ``suffix``, ``records`` or ``bars``.
        """
        if how.get("bars") is not None:
            raise ValueError("a conversation counts no bars")
        return Conversation(self._sampler(how), self.options(how))

    def beam(
        self, width: int, n: int = 1, *, length_penalty: float = 0.0, **how: Unpack[How]
    ) -> list[Sample]:
        """The ``n`` likeliest sequences that a search holding ``width`` finds; see `beam_search`.

        Raises:
            InputError: If what is given has a symbol that the model does not know.
            ValueError: If an argument is out of range.
        """
        _, plan = self._planned(how)
        return beam_search(plan, width, n, length_penalty)

    def score(self, text: str) -> NDArray[np.float64]:
        """Bits of each symbol of a record (T,), from the start; the end symbol is not scored.

        Raises:
            InputError: If the text has a symbol that the model does not know.
        """
        return self._sampler({"constraint": False}).score(text)

    def adapted(
        self, prime: str | Path, passes: int = 1, unknown: Unknown = "refuse"
    ) -> tuple[Model, Adaptation]:
        """A model that has learned from a prime, and what that did; see `adapting.adapt`.

        Raises:
            InputError: If the prime is too short or has a symbol that the model does not know.
        """
        from seqforge.core.sampling.adapting import adapt

        symbols, _ = self.given(prime, unknown)
        adaptation = adapt(
            self._checkpoint, self.card.vocabulary.encode(symbols, "the prime"), passes=passes
        )
        return Model(adaptation.checkpoint, self._device, self._adapted + passes), adaptation

    def options(self, how: How) -> SamplingOptions:
        """How to draw, with the model's own length where none is given.

        Raises:
            ValueError: If a value is out of range, or two exclude each other.
        """
        given: dict[str, Any] = {**how}
        length, max_length = given.pop("length", None), given.pop("max_length", None)
        if length is not None and max_length is not None:
            raise ValueError("give length or max_length, not both")
        for name in ("bars", "constraint"):
            given.pop(name, None)
        heat = given.pop("temperature", 1.0)
        start, end = heat if isinstance(heat, tuple | list) else (heat, None)
        given["min_length"] = given.get("min_length") or 0
        unknown = given.pop("unknown", "refuse")
        for name in ("prime", "suffix"):
            given[name] = self.given(given.pop(name, ""), unknown, f"the {name}")[0]
        most = self.card.config.sampling.length if max_length is None else max_length
        return SamplingOptions(
            temperature=start,
            temperature_end=end,
            length=most if length is None else length,
            exact_length=length is not None,
            **given,
        )

    def given(
        self, source: str | Path, unknown: Unknown = "refuse", what: str = "the prime"
    ) -> tuple[Symbols, dict[str, int]]:
        """Symbols to begin or end with, and how often which others were left out or mapped.

        Raises:
            InputError: As `sample` does; calls it ``what``.
        """
        if isinstance(source, Symbols):
            return source, {}
        if not source:
            return Symbols(), {}
        read = self.domain.prime(source)
        what = str(source) if isinstance(source, Path) else what
        hint = self.domain.hint if isinstance(self.domain, Hints) else lambda symbol: ""
        symbols, strange = self.card.vocabulary.known(read, what, unknown, hint)
        return Symbols(symbols), strange

    def _planned(self, how: How) -> tuple[Sampler, Plan]:
        sampler, ending = self._sampler(how), self._ending(how)
        labels = {
            "bars": how.get("bars"),
            "adapt": self._adapted or None,
            "constraint": None if how.get("constraint", True) else False,
        }
        said = {name: value for name, value in labels.items() if value is not None}
        return sampler, sampler.plan(self.options(how), ending, said)

    def _sampler(self, how: How) -> Sampler:
        grammar = None
        if how.get("constraint", True):
            grammar = self.domain.constraint(self.card.vocabulary)
        return Sampler(self._checkpoint, grammar, engine=self._engine)

    @cached_property
    def _engine(self) -> Engine:
        if self._device == "cpu":
            from seqforge.core.sampling.engine import KernelEngine

            return KernelEngine.of(self._checkpoint)
        from seqforge.core.sampling.torch_engine import TorchEngine

        return TorchEngine(self._checkpoint, self._device)

    def _ending(self, how: How) -> Ending | None:
        bars, domain = how.get("bars"), self.domain
        if bars is None:
            return None
        if not isinstance(domain, Barred):
            raise DomainError(f"{self.card.name}: a model of {domain.name} has no bars to count")
        if bars < 1:
            raise ValueError(f"bars must be 1 or above, not {bars}")
        barred = domain

        def ending(symbols: str, given: int, over: bool) -> int | None:
            return barred.bar_end(symbols, given, bars, over)

        return ending


def load(name: str | Path, device: str = "cpu") -> Model:
    """A model: a bundled name, a ``.safetensors`` file or a run folder.

    Raises:
        CheckpointError: If there is none or it cannot be used.
    """
    return Model(load_checkpoint(find_model(str(name))), device)
