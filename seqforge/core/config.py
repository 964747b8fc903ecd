"""TOML values in, the typed configuration of a run out; also budgets (10m), splits
(90/5/5) and temperature schedules (1.2:0.5).
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    Field,
    PlainValidator,
    ValidationError,
    model_validator,
)

from seqforge.base.atomic_files import as_json
from seqforge.base.messages import first_problem
from seqforge.core.model_config import STRICT as STRICT
from seqforge.core.model_config import Fraction as Fraction
from seqforge.core.model_config import ModelConfig as ModelConfig
from seqforge.core.records import parse_regions
from seqforge.core.task_config import MadeKind as MadeKind
from seqforge.core.task_config import TaskConfig as TaskConfig
from seqforge.core.task_config import check_task
from seqforge.errors import ConfigError

_UNITS = {"s": 1, "m": 60, "h": 3600}


@dataclass(frozen=True)
class Budget:
    """How long to train: exactly one of the three is set."""

    seconds: float | None = None
    steps: int | None = None
    epochs: float | None = None

    @classmethod
    def parse(cls, text: str) -> Budget:
        """Read ``90s``, ``10m``, ``2h``, ``20000steps`` or ``3epochs``.

        Raises:
            ValueError: If the text is none of these or not above zero.
        """
        match = re.fullmatch(r"([0-9]*\.?[0-9]+)\s*(s|m|h|steps?|epochs?)", text.strip().lower())
        if match is None or not 0 < float(match[1]) < 1e15:
            raise ValueError(f"a budget is 90s, 10m, 2h, 20000steps or 3epochs, not {text[:60]!r}")
        amount, unit = float(match[1]), match[2]
        if unit in _UNITS:
            return cls(seconds=amount * _UNITS[unit])
        if unit.startswith("epoch"):
            return cls(epochs=amount)
        return cls(steps=max(1, round(amount)))


@dataclass(frozen=True)
class Split:
    """Shares of train, valid and test, which add up to one."""

    train: float
    valid: float
    test: float

    @classmethod
    def parse(cls, text: str) -> Split:
        """Read ``90/5/5``, in percent.

        Raises:
            ValueError: If it is not three numbers that add up to 100, the first above zero.
        """
        try:
            train, valid, test = (float(part) for part in text.split("/"))
        except ValueError:
            train = valid = test = -1.0
        if not all(map(math.isfinite, (train, valid, test))):
            train = -1.0
        if train <= 0 or min(valid, test) < 0 or abs(train + valid + test - 100) > 1e-6:
            raise ValueError(
                f"a split is train/valid/test in percent, such as 90/5/5, not {text[:60]!r}"
            )
        return cls(train / 100, valid / 100, test / 100)


class TemperatureSchedule(NamedTuple):
    """A constant temperature, or one that changes from the first to the last symbol."""

    start: float
    end: float | None = None

    @classmethod
    def of(cls, given: Any) -> TemperatureSchedule:
        """A number, a pair or text such as ``1.2:0.5`` in, the schedule out.

        A number is taken as it is; whoever uses it checks it. An integer beyond all floats is
        infinite, as its text would be.

        Raises:
            ValueError: If it is a text that says neither, or no pair.
        """
        if isinstance(given, cls):
            return given
        if isinstance(given, str):
            return cls._parse(given)
        if not isinstance(given, tuple | list):
            return cls(in_floats(given))
        if len(given) != 2:
            raise ValueError(f"temperature is a number, or the first and the last, not {given!r}")
        return cls(*map(in_floats, given))

    @classmethod
    def _parse(cls, text: str) -> TemperatureSchedule:
        try:
            numbers = [float(part) for part in text.split(":")]
        except ValueError:
            numbers = []
        if len(numbers) not in (1, 2) or not all(number >= 0 for number in numbers):
            raise ValueError(
                f"{text!r} is no temperature: give a number, 0 or above (inf draws uniformly), or "
                "START:END such as 1.2:0.5"
            )
        if len(numbers) == 2 and math.isinf(sum(numbers)):
            raise ValueError("a temperature that changes must be finite at both ends")
        return cls(*numbers)

    def __str__(self) -> str:
        return str(self.start) if self.end is None else f"{self.start}:{self.end}"


def in_floats(number: Any) -> Any:
    """A number in; infinity out for an integer beyond all floats, else what was given."""
    if isinstance(number, int) and abs(number) > sys.float_info.max:
        return math.inf if number > 0 else -math.inf
    return number


_MOST_LANES = 4096
Count = Annotated[int, Field(ge=1, le=10**12)]


def _checked_lanes(lanes: int | str) -> int | str:
    if lanes == "auto" or (isinstance(lanes, int) and 1 <= lanes <= _MOST_LANES):
        return lanes
    raise ValueError(f"a number of threads, or auto, is wanted (got {lanes!r})")


def _checked_by(parse: Any) -> AfterValidator:
    def check(text: str) -> str:
        parse(text)
        return text

    return AfterValidator(check)


def _checked_temperature(given: Any) -> float | str:
    schedule = TemperatureSchedule.of(given)
    for temperature in schedule if schedule.end is not None else schedule[:1]:
        if not isinstance(temperature, int | float) or not 0 <= temperature < math.inf:
            raise ValueError(f"a temperature is a finite number, 0 or above, not {temperature!r}")
    return float(schedule.start) if schedule.end is None else str(schedule)


Temperature = Annotated[float | str, PlainValidator(_checked_temperature)]


class DataConfig(BaseModel):
    """Table ``[data]``: the split, and rare symbols."""

    model_config = STRICT

    split: Annotated[str, _checked_by(Split.parse)] = "90/5/5"
    """train/valid/test in percent."""
    hold_out: Annotated[str, _checked_by(parse_regions)] | None = None
    """Records or regions of the test part, ``chrX,chr4:1-2000000`` (1-based, inclusive);
    ``split`` then divides the rest into train and valid."""
    min_count: Count = 1
    """Rarer symbols become the unknown symbol."""
    made: MadeKind | None = None
    """Examples that a run without inputs makes for itself: addition or dates."""
    made_examples: Count = 50_000
    """How many are made; equal ones count once."""


_RENAMED = {
    "own_inputs": "scheduled_sampling",
    "own_temperature": "scheduled_sampling_temperature",
    "kept_as": "weights_dtype",
    "accumulate": "grad_accumulation",
    "final_rate": "final_lr_ratio",
    "averaging": "ema_share",
    "evaluations": "num_evaluations",
}
"""Old keys of [training] and their present names; both are read."""
_OLD_NAMES = {new: old for old, new in _RENAMED.items()}


class TrainingConfig(BaseModel):
    """Table ``[training]``: budget, optimiser, evaluation, precision."""

    model_config = STRICT

    budget: Annotated[str, _checked_by(Budget.parse)] = "10m"
    batch_size: Annotated[int, Field(ge=1, le=10**6)] = 64
    """Streams per batch."""
    seq_len: Annotated[int, Field(ge=1, le=10**6)] = 128
    """Truncated-BPTT window, in symbols."""
    learning_rate: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 4e-3
    """Peak learning rate, after the warm-up."""
    warmup: Fraction = 0.02
    """Share of the budget in which the learning rate rises linearly."""
    schedule: Literal["cosine", "plateau", "constant"] = "cosine"
    """Learning rate after the warm-up: a cosine fitted to the budget; a drop at evaluations
    without gain; or constant."""
    final_lr_ratio: Fraction = 0.01
    """Learning rate at the end of the cosine, and the lowest of plateau, as a share of the peak."""
    plateau_factor: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """Factor of the learning rate at an evaluation without gain."""
    weight_decay: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.01
    ema_share: Fraction = 0.0
    """Share of the steps so far that the EMA of the weights covers; 0: no EMA."""
    clip_norm: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0
    """Largest Euclidean norm of the gradient over all weights."""
    reset_probability: Fraction = 0.02
    """Chance per window that a stream's carried state is zeroed."""
    num_evaluations: Count = 25
    """Evaluations on held-out data over the budget."""
    grad_accumulation: Annotated[int, Field(ge=1, le=10**6)] = 1
    """Windows per optimiser step."""
    label_smoothing: Fraction = 0.0
    """Share of a target's probability spread over all symbols (Szegedy et al. 2016)."""
    scheduled_sampling: Fraction = 0.0
    """Chance at the end of the budget that an input is the model's own draw; it rises from 0
    (Bengio et al. 2015)."""
    scheduled_sampling_temperature: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0
    """Temperature of the model's own draws."""
    patience: Count | None = None
    """Early stopping after this many evaluations without a better one; None: never."""
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    """Number format; ``auto`` takes the fastest, measured. fp16 is for GPUs without bf16."""
    lanes: Annotated[int | str, AfterValidator(_checked_lanes)] = "auto"
    """Training threads; ``auto`` takes the available cores."""
    weights_dtype: Literal["fp32", "fp16"] = "fp32"
    """Number format of ``model.safetensors``; fp16 halves the file."""
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0

    @model_validator(mode="before")
    @classmethod
    def _under_their_names_now(cls, values: Any) -> Any:
        return renamed(values) if isinstance(values, Mapping) else values


def renamed(training: Mapping[str, Any]) -> dict[str, Any]:
    """The table [training] in, the same with present key names out.

    Raises:
        ValueError: If one stands there under both names.
    """
    for old, new in _RENAMED.items():
        if old in training and new in training:
            raise ValueError(f"{old} is called {new} now, and both are given; leave one out")
    return {_RENAMED.get(key, key): value for key, value in training.items()}


class SamplingConfig(BaseModel):
    """Table ``[sampling]``: the samples at the end of a run."""

    model_config = STRICT

    temperatures: Annotated[tuple[Temperature, ...], Field(min_length=1)] = (0.5, 0.8, 1.0)
    """Numbers, or temperature schedules such as ``"1.2:0.5"``."""
    count: Count = 3
    """Samples per temperature."""
    length: Count = 1000
    """Longest sample, in symbols."""
    exact_length: bool = False
    """Draw exactly ``length`` symbols, the end symbol held back."""
    memory: bool = False
    """Draw from the mixture of network and memory, which is then kept beside the model."""


def parse_size(text: str) -> int:
    """``1G``, ``500M`` or a number of bytes in, bytes out.

    Raises:
        ValueError: If it is none of these.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([kMG]?)B?", text.strip())
    if found is None:
        raise ValueError(f"a size such as 1G or 500M is wanted (got {text!r})")
    size = int(float(found[1]) * {"": 1, "k": 10**3, "M": 10**6, "G": 10**9}[found[2]])
    if not 10**6 <= size <= 10**12:
        raise ValueError(f"a size from 1M to 1000G is wanted (got {text!r})")
    return size


class MemoryConfig(BaseModel):
    """Table ``[memory]``: the memory beside the network."""

    model_config = STRICT

    enabled: bool = True
    """Whether contexts and repeats of the training data are counted, and mixed with the network."""
    budget: Annotated[str, _checked_by(parse_size)] = "1G"
    """Most bytes of its counts: ``1G``, ``500M``."""
    effort: Literal["fast", "best"] = "fast"
    """``best``: fewer bits at two or three times the time."""
    save: bool = False
    """Whether it is kept beside the model, for samples: ``memory.safetensors``."""


class InitConfig(BaseModel):
    """Table ``[init]``: the model of a warm start; None: fresh weights."""

    model_config = STRICT

    model: str | None = None
    """A bundled name, a .safetensors file or a run folder."""
    sha256: str | None = None
    """Checksum of the model's file, recorded when the run begins."""
    extend_vocabulary: bool = False
    """Whether symbols that the model does not know are added."""

    @model_validator(mode="after")
    def _a_model_to_extend(self) -> Self:
        if self.extend_vocabulary and self.model is None:
            raise ValueError(
                "extend_vocabulary adds to a model's symbols, and there is no model; "
                "give --init MODEL too"
            )
        return self


class RunConfig(BaseModel):
    """All settings of a run; a recipe is one of these as TOML."""

    model_config = STRICT

    domain: str
    domain_options: dict[str, Any] = {}
    data: DataConfig = DataConfig()
    model: ModelConfig = ModelConfig()
    training: TrainingConfig = TrainingConfig()
    sampling: SamplingConfig = SamplingConfig()
    search: dict[str, Any] = {}
    """Table ``[search]``, checked by the domain's own model (`Searches`)."""
    init: InitConfig = InitConfig()
    memory: MemoryConfig = MemoryConfig()
    task: TaskConfig = TaskConfig()

    @model_validator(mode="after")
    def _of_its_task(self) -> Self:
        check_task(self.task.kind, self.model)
        return self

    @property
    def keeps_memory(self) -> bool:
        """Whether the memory is kept beside the model."""
        return self.memory.save or self.sampling.memory

    @classmethod
    def of(cls, values: Mapping[str, Any], where: str) -> Self:
        """Plain values in, the checked config out.

        Raises:
            ConfigError: With ``where``, the key and what was wanted, for the first wrong value.
        """
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            known = flat(cls(domain="").model_dump())
            tables = {key.rpartition(".")[0] for key in known}
            problem = first_problem(error, [*known, *tables, *cls.model_fields])
            raise ConfigError(f"{where}: {problem}") from error

    def differences(self, other: RunConfig, besides: tuple[str, ...] = ()) -> list[str]:
        """Another config in, the keys that differ, with both values, out.

        Keys that begin with one of ``besides`` do not count. Values are compared as files keep
        them: one side has been through TOML or JSON, and the other has not.
        """
        mine, theirs = flat(as_json(self.model_dump())), flat(as_json(other.model_dump()))
        return [
            f"{key}: {mine.get(key)} and {theirs.get(key)}"
            for key in sorted(mine.keys() | theirs.keys())
            if mine.get(key) != theirs.get(key) and not key.startswith(besides)
        ]


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested tables in, one table with dotted keys out."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{prefix}{key}.")
        else:
            found[prefix + key] = value
    return found


def with_setting(values: dict[str, Any], path: str, value: Any) -> None:
    """Set ``values["a"]["b"] = value`` for the path ``a.b``, making tables on the way.

    A setting that was called otherwise once may be given, and stand there, under either name.

    Raises:
        ConfigError: If the path leads through something that is not a table.
    """
    *tables, key = path.split(".")
    if tables == ["training"]:
        key = _RENAMED.get(key, key)
    for name in tables:
        values = values.setdefault(name, {})
        if not isinstance(values, dict):
            raise ConfigError(f"{path}: {name} is a value and has no settings inside")
    if tables == ["training"]:
        values.pop(_OLD_NAMES.get(key, ""), None)
    values[key] = value
