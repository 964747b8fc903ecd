"""A set of examples and a configuration in, the network of a task out; the same as a model file,
and back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from seqforge.core.config import RunConfig
from seqforge.core.data.examples import SymbolTable
from seqforge.core.model.checkpoint import Arrays, ModelCard, load_card, read_arrays, write_arrays
from seqforge.core.model.task_networks import Classifier, Labeller, TaskNetwork
from seqforge.core.model.translator import Translator
from seqforge.errors import CheckpointError

_GRAMS = "ngrams.codes"
_SENSORS = "sensors."


@dataclass(frozen=True)
class Fixed:
    """What training leaves as it is, of a model."""

    grams: NDArray[np.int64]
    """Codes of the n-grams of a classifier."""
    sensors: Mapping[str, NDArray[Any]]
    """What the domain's sensors learnt."""
    sensor_width: int = 0
    """D of their features."""

    def arrays(self) -> Arrays:
        """As they are kept in the model's file."""
        kept: Arrays = {f"{_SENSORS}{name}": array for name, array in self.sensors.items()}
        return {**kept, _GRAMS: self.grams, "sensor_width": np.array([self.sensor_width])}

    @classmethod
    def of(cls, arrays: Arrays) -> Fixed:
        """From the arrays of a model's file."""
        sensors = {
            name.removeprefix(_SENSORS): array
            for name, array in arrays.items()
            if name.startswith(_SENSORS)
        }
        return cls(arrays[_GRAMS], sensors, int(arrays["sensor_width"][0]))


def make_network(
    config: RunConfig, source_symbols: int, target_symbols: int, fixed: Fixed
) -> TaskNetwork:
    """Fresh weights for a task.

    Args:
        config: Task and sizes.
        source_symbols: Without the end symbol.
        target_symbols: Classes, labels; symbols of translations without the end symbol.
        fixed: What is not trained.
    """
    kind, model = config.task.kind, config.model
    if kind == "classify":
        return Classifier(source_symbols + 1, target_symbols, model, fixed.grams)
    if kind == "label":
        return Labeller(source_symbols + 1, target_symbols, model, fixed.sensor_width)
    return Translator(source_symbols + 1, target_symbols + 1, model)


@dataclass(frozen=True)
class TaskModel:
    """The model of a task, from its file."""

    card: ModelCard
    network: TaskNetwork
    fixed: Fixed

    @cached_property
    def sources(self) -> SymbolTable:
        """The symbols of sources."""
        return SymbolTable(self.card.symbols)

    @cached_property
    def targets(self) -> SymbolTable:
        """The symbols of translations."""
        return SymbolTable(self.card.target_symbols)


def save_task_model(path: Path, card: ModelCard, weights: Arrays, fixed: Fixed) -> None:
    """A card, weights and what is fixed in, ``model.safetensors`` out, written atomically.

    Raises:
        RunError: If the disk refuses.
    """
    kind = np.float16 if card.config.training.weights_dtype == "fp16" else np.float32
    arrays = {name: array.astype(kind) for name, array in weights.items()}
    write_arrays(path, card.model_dump(mode="json"), arrays | fixed.arrays())


def load_task_model(path: Path, kind: str) -> TaskModel:
    """A model file in, the model of a task out.

    Raises:
        CheckpointError: If it is missing, damaged, not ours, or of another task.
    """
    card = load_card(path)
    found = card.config.task.kind
    if found != kind:
        raise CheckpointError(
            f"{path}: is a model of the task {found}, not {kind}; train one with --task {kind}"
        )
    _, arrays = read_arrays(path)
    try:
        fixed = Fixed.of(arrays)
        network = make_network(card.config, len(card.symbols), len(card.target_symbols), fixed)
        own = set(network.state_dict())
        weights = {n: torch.from_numpy(arrays[n].astype(np.float32)) for n in own}
        network.load_state_dict(weights)
    except (KeyError, RuntimeError, ValueError, IndexError) as error:
        raise CheckpointError(
            f"{path}: its weights do not fit its settings ({error}); train it again"
        ) from error
    if not all(bool(weight.isfinite().all()) for weight in network.state_dict().values()):
        raise CheckpointError(
            f"{path}: some of its weights are infinite or NaN; train it again, with a lower "
            "--learning-rate if its training diverged"
        )
    network.eval()
    return TaskModel(card, network, fixed)
