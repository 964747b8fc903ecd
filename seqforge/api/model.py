"""A model name or file in, a Model out that samples, streams, searches and scores from Python."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack, cast, get_args

import numpy as np
from numpy.typing import NDArray

from seqforge.base.messages import add_remark, did_you_mean
from seqforge.core.data.domain import (
    Domain,
    Sample,
    StopsAfterUnits,
    copy_units,
)
from seqforge.core.data.prompting import known_prompt, read_prompt
from seqforge.core.data.vocabulary import Unknown
from seqforge.core.model.checkpoint import Checkpoint, ModelCard, load_checkpoint
from seqforge.core.records import Prompt
from seqforge.core.sampling.beam import beam_search
from seqforge.core.sampling.chat import Conversation
from seqforge.core.sampling.engine import prepare_for
from seqforge.core.sampling.next_symbols import NextSymbol, next_symbols, spelled_out
from seqforge.core.sampling.options import check_kind, driven_units
from seqforge.core.sampling.params import How, SamplerParams, conflict, said
from seqforge.core.sampling.request import Ending, SamplingRequest
from seqforge.core.sampling.sampler import (
    OnSymbols,
    Sampler,
    Stream,
    openings_of,
)
from seqforge.errors import CheckpointError, ConfigError, DomainError
from seqforge.registry import load_domain, options_for_files
from seqforge.runs.folder import find_model
from seqforge.runs.model_memory import ModelMemory

if TYPE_CHECKING:
    from seqforge.core.inspection.trace import Trace
    from seqforge.core.sampling.dynamic_evaluation import Adaptation
    from seqforge.core.sampling.engine import Engine, KernelEngine, TracingEngine
    from seqforge.core.sampling.ngram_engine import NgramEngine


_STOP = "where to stop"
_CONTEXTS = ("the prime", "the context")
_MOST_UNASKED = 1_000_000
"""Most symbols of a record without a given length, whatever the model's settings."""
_ON_KERNELS = ("auto", "cpu")
_DEVICES = ("auto", "cpu", "cuda", "mps")


class Model:
    """A trained model, for sampling and scoring."""

    def __init__(
        self,
        checkpoint: Checkpoint,
        device: str = "cpu",
        adapted: int = 0,
        memory: ModelMemory | None = None,
    ) -> None:
        """Take a checkpoint.

        Args:
            checkpoint: The model.
            device: ``cpu`` (and ``auto``) draws with the compiled kernel; ``cuda`` or ``mps`` with
                torch.
            adapted: How often it has learned from a prime, for samples to say.
            memory: Where its memory is; None for none.

        Raises:
            ValueError: If there is no such kind of device.
        """
        if device not in _DEVICES:
            raise ValueError(f"device is one of {', '.join(_DEVICES)}, not {device!r}")
        self._checkpoint, self._device, self._adapted = checkpoint, device, adapted
        self._memory = memory

    @property
    def card(self) -> ModelCard:
        """Settings, vocabulary, data and score of the model."""
        return self._checkpoint.card

    @property
    def memory_path(self) -> Path:
        """The file of its memory.

        Raises:
            CheckpointError: If there is none, or the model was not opened from a file.
        """
        self._memory_beside.check()
        return self._memory_beside.path

    @cached_property
    def domain(self) -> Domain:
        """The domain of its symbols.

        Raises:
            DomainError: If it is not installed.
        """
        config = self.card.config
        return load_domain(config.domain, options_for_files(config.domain_options))

    def sample(self, n: int = 1, **how: Unpack[How]) -> list[Sample]:
        """Draw samples.

        Raises:
            InputError: If what is given has a symbol that the model does not know.
            ValueError: If an argument is out of range.
        """
        return list(self.draw(n, **how))

    def draw(
        self, n: int = 1, *, first: int = 1, drawn: OnSymbols = lambda symbols: None,
        **how: Unpack[How],
    ) -> Iterator[Sample]:  # fmt: skip
        """Draw samples ``first`` to ``first + n - 1`` as they come; raises what `sample` raises.

        ``drawn`` is told of symbols as they come, also of samples that are not whole yet.
        """
        for name, value, least in (("n", n, 0), ("first", first, 1)):
            check_kind(name, value, int)
            if value < least:
                raise ValueError(f"{name} must be {least} or above, not {value}")
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

        def begin(number: int) -> Stream:
            check_kind("number", number, int)
            if number < 1:
                raise ValueError(f"number must be 1 or above, not {number}")
            return Stream(plan, number)

        return begin

    def conversation(self, **how: Unpack[How]) -> Conversation:
        """A chat with the model, after the prime.

        Raises:
            InputError: If the prime has a symbol that the model does not know.
            ValueError: If an argument is out of range, or is ``suffix``, ``records`` or ``bars``.
        """
        if how.get("bars") is not None:
            raise ValueError("a conversation counts no bars")
        options, unknown = self.options(how), how.get("unknown", "refuse")
        return Conversation(
            self._sampler(how), options, lambda text, what: self.prompt(text, unknown, what).symbols
        )

    def beam(
        self, width: int, n: int = 1, *, length_penalty: float = 0.0, **how: Unpack[How]
    ) -> list[Sample]:
        """The ``n`` most probable sequences of a beam search of ``width``; see `beam_search`.

        Raises:
            InputError: If what is given has a symbol that the model does not know.
            ValueError: If an argument is out of range.
        """
        for name, value, kind in (
            ("width", width, int), ("n", n, int), ("length_penalty", length_penalty, float),
        ):  # fmt: skip
            check_kind(name, value, kind)
        if sentence := conflict(said(how) | {"beam"}):
            raise ValueError(sentence)
        _, plan = self._planned(how)
        return beam_search(plan, width, n, length_penalty)

    def score(
        self, text: str | Path, unknown: Unknown | None = None, memory: bool = False
    ) -> NDArray[np.float64]:
        """Bits of each symbol of a record (T,), from the start; the end symbol is not scored.

        Args:
            text: Read as a prime is: typed bases may be small letters; or a file.
            unknown: What becomes of symbols that the model does not know; where nothing is said
                its unknown symbol takes them, and without one they are refused.
            memory: Score the mixture with the memory that was saved beside the model, frozen.

        Raises:
            CheckpointError: If a memory is asked for and there is none.
            InputError: If the text has a symbol that the model does not know.
            ValueError: If an argument is of the wrong kind.
        """
        if unknown is None:
            unknown = "map" if self.card.vocabulary.unknown else "refuse"
        symbols = self.prompt(text, unknown, "the text").symbols
        return Sampler(self._checkpoint, engine=self._reading(memory)).score(symbols)

    def next(
        self, context: str | Path | Prompt = "", k: int = 10, unknown: Unknown = "refuse",
        memory: bool = False,
    ) -> list[NextSymbol]:  # fmt: skip
        """The ``k`` likeliest symbols after a context, each with its probability.

        The model's own: no temperature, no filter, no grammar. The end of a record is "".

        Args:
            context: How the record begins, written as a prime is.
            k: Most symbols.
            unknown: What becomes of symbols of the context that the model does not know.
            memory: Mix with the memory that was saved beside the model.

        Raises:
            CheckpointError: If a memory is asked for and there is none.
            InputError: If the context has a symbol that the model does not know.
            ValueError: If an argument is of the wrong kind or out of range.
        """
        check_kind("k", k, int)
        if k < 1:
            raise ValueError(f"k must be 1 or above, not {k}")
        begun = self.prompt(context, unknown, "the context").symbols
        ids = self.card.vocabulary.encode(begun).astype(np.int64)
        found = next_symbols(self._reading(memory), self.card.vocabulary, ids, k)
        return spelled_out(found, self.domain)

    def trace(self, text: str | Path, unknown: Unknown | None = None, gates: bool = False) -> Trace:
        """What the network expected and what all its units did at each symbol of a record.

        Args:
            text, unknown: As in `score`.
            gates: Whether activations of the gates are kept too.

        Raises:
            InputError: If the text has a symbol that the model does not know.
            ValueError: If an argument is of the wrong kind.
        """
        from seqforge.core.inspection.trace import trace

        if unknown is None:
            unknown = "map" if self.card.vocabulary.unknown else "refuse"
        symbols, cell = self.prompt(text, unknown, "the text").symbols, self.card.config.model.cell
        ids = self.card.vocabulary.encode(symbols, "the text")
        return trace(self._network("has no units to trace"), [ids], cell, gates=gates)

    def adapted(
        self, prime: str | Path | Prompt, passes: int = 1, unknown: Unknown = "refuse"
    ) -> tuple[Model, Adaptation]:
        """A model adapted to a prime, and the scores of the prime; see `adapt_to_prime`.

        Raises:
            InputError: If the prime is too short or has a symbol that the model does not know.
        """
        from seqforge.core.sampling.dynamic_evaluation import adapt_to_prime

        check_kind("passes", passes, int)
        self._network("has no weights to adapt")
        symbols = self.prompt(prime, unknown).symbols
        adaptation = adapt_to_prime(
            self._checkpoint, self.card.vocabulary.encode(symbols, "the prime"), passes=passes
        )
        times = self._adapted + passes
        return Model(adaptation.checkpoint, self._device, times, self._memory), adaptation

    def options(self, how: How) -> SamplerParams:
        """How to draw, with the model's own length where none is given.

        Raises:
            ValueError: If a value is out of range, or two exclude each other.
        """
        if strange := sorted(how.keys() - How.__annotations__.keys()):
            hint = did_you_mean(strange[0], How.__annotations__)
            raise TypeError(f"there is no option {strange[0]!r} of drawing{hint}")
        if sentence := conflict(said(how)):
            raise ValueError(sentence)
        given: dict[str, Any] = {**how}
        unknown = given.pop("unknown", "refuse")
        for name, what in (
            ("prime", "the prime"), ("suffix", "the suffix"), ("stop", _STOP),
        ):  # fmt: skip
            value = given.pop(name, None)
            given[name] = self.prompt("" if value is None else value, unknown, what).symbols
        given["stop"] = given["stop"] or None
        # A file may ask for more than anybody waits for.
        most = min(self.card.config.sampling.length, _MOST_UNASKED)
        return SamplerParams.of(given, most)

    def prompt(
        self, source: str | Path | Prompt, unknown: Unknown = "refuse", what: str = "the prime"
    ) -> Prompt:
        """What is given to begin or end with or to stop at, in the model's symbols.

        A prompt is taken as it is.

        Raises:
            InputError: As `sample` does; calls it ``what``.
            ValueError: If it is neither text nor a path, or there is no such way with others.
        """
        if unknown not in get_args(Unknown):
            raise ValueError(f"unknown is one of {', '.join(get_args(Unknown))}, not {unknown!r}")
        if isinstance(source, Prompt):
            return source
        if not isinstance(source, str | Path):
            raise ValueError(f"{what} must be a text or a Path, not {source!r:.60}")
        if source == "":
            return Prompt(name=what)
        vocabulary = self.card.vocabulary
        prompt = read_prompt(self.domain, source, vocabulary, what)
        for note in prompt.notes:
            add_remark(f"{prompt.name}: {note}")
        known = known_prompt(prompt, self.domain, vocabulary, unknown, remedied=what != _STOP)
        if what in _CONTEXTS and self.card.config.model.smoothing == "none":
            ids = vocabulary.encode(known.symbols).astype(np.int64)
            if sentence := cast("NgramEngine", self._engine).fallback(ids):
                add_remark(f"{known.name}: {sentence}")
        return known

    def _reading(self, memory: bool) -> Engine:
        """What reads a text, and forbids nothing."""
        if memory:
            return self._memory_beside.engine(self._engine, self.domain, 0, exact=True)
        return self._engine

    def _planned(self, how: How) -> tuple[Sampler, SamplingRequest]:
        options = self.options(how)
        sampler, ending = self._sampler(how), self._ending(how)
        labels = {
            "bars": how.get("bars"),
            "label": self.card.label or None,
            "adapt": self._adapted or None,
            "constraint": None if how.get("constraint", True) else False,
            "copy_limit": self._copy_limit(how),
        }
        given = {name: value for name, value in labels.items() if value is not None}
        return sampler, sampler.plan(options, ending, given)

    def _copy_limit(self, how: How) -> int | None:
        """The longest span that may be copied; 0: any; None without a memory."""
        given = how.get("copy_limit")
        if given is None and how.get("memory"):
            return copy_units(self.domain, self.card.vocabulary).limit
        return given

    def _sampler(self, how: How) -> Sampler:
        grammar = None
        if how.get("constraint", True):
            grammar = self.domain.constraint(self.card.vocabulary)
        openings = openings_of(self.domain, self.card)
        engine = self._driven(how.get("drive", ""))
        if how.get("memory"):
            engine = self._memory_beside.engine(engine, self.domain, how.get("copy_limit"))
        return Sampler(self._checkpoint, grammar, openings=openings, engine=engine)

    def _driven(self, units: str) -> Engine:
        """The engine, with units held at values.

        Raises:
            ConfigError: If it does not draw on the CPU, or there is no such unit.
            ValueError: If they are not written as `How` says.
        """
        engine = self._engine
        if not (held := driven_units(units)):
            return engine
        if self._device not in _ON_KERNELS:
            raise ConfigError(f"units are driven on the CPU alone, not on {self._device}")
        self._network("has no units to hold")
        try:
            return cast("KernelEngine", engine).held(held)
        except ValueError as error:
            raise ConfigError(f"{self.card.name}: {error}") from error

    @property
    def _memory_beside(self) -> ModelMemory:
        if self.card.config.model.is_ngram:
            raise ConfigError(f"{self.card.name}: an n-gram model has no memory beside it")
        if self._memory is None:
            raise CheckpointError(f"{self.card.name}: was not opened from a file with a memory")
        return self._memory

    def _network(self, lack: str) -> TracingEngine:
        """The engine of a network.

        Raises:
            ConfigError: If it is an n-gram model, with what that lacks.
        """
        if self.card.config.model.is_ngram:
            raise ConfigError(f"{self.card.name}: is an n-gram model and {lack}")
        return cast("TracingEngine", self._engine)

    @cached_property
    def _engine(self) -> Engine:
        if self._device in _ON_KERNELS:
            from seqforge.core.sampling.ngram_engine import cpu_engine

            return cpu_engine(self._checkpoint)
        if self.card.config.model.is_ngram:
            raise ConfigError(f"{self.card.name}: an n-gram model is read on the CPU alone")
        from seqforge.core.sampling.torch_engine import TorchEngine

        return TorchEngine(self._checkpoint, self._device)

    def _ending(self, how: How) -> Ending | None:
        count, domain = how.get("bars"), self.domain
        if count is None:
            return None
        if not isinstance(domain, StopsAfterUnits):
            raise DomainError(f"{self.card.name}: a model of {domain.name} has no bars to count")
        if count < 1:
            raise ValueError(f"bars must be 1 or above, not {count}")
        counted = domain

        def ending(symbols: str, given: int, over: bool) -> int | None:
            return counted.unit_end(symbols, given, count, over)

        return ending


def load(name: str | Path, device: str = "cpu", label: str | None = None) -> Model:
    """A bundled name, a ``.safetensors`` file or a run folder in, a model out.

    A model that was trained with labels becomes that of the ``label``.

    Raises:
        CheckpointError: If there is none or it cannot be used, or has not this label.
        ValueError: If the name is neither text nor a path, or there is no such kind of device.
    """
    if not isinstance(name, str | Path):
        raise ValueError(f"a model is given by its name or its path, not as {name!r:.60}")
    path = find_model(str(name))
    if device in _ON_KERNELS:
        prepare_for(path)
    checkpoint = load_checkpoint(path, label)
    return Model(checkpoint, device, memory=ModelMemory(path, checkpoint))


def sample(
    name: str | Path, n: int = 1, *, device: str = "cpu", label: str | None = None,
    **how: Unpack[How],
) -> list[Sample]:  # fmt: skip
    """Samples of a model, as ``load(name, device, label).sample(n, **how)`` gives them."""
    return load(name, device, label).sample(n, **how)
