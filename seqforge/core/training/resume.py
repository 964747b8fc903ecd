"""A trainer in, resume.safetensors out, and back: weights, optimiser, carried state, clock."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from seqforge.core.config import RunConfig
from seqforge.core.model.checkpoint import Arrays, read_arrays, write_arrays
from seqforge.core.training.events import TrainingClock
from seqforge.core.training.trainer import Trainer
from seqforge.errors import CheckpointError

FORMAT = 4

_SAVE_SECONDS = 20.0

_LATER = ("sampling.", "search.")  # settings that training does not depend on
_MOMENTS = ("exp_avg", "exp_avg_sq")

Snapshot = tuple[dict[str, Any], Arrays]
"""Header and arrays, as `write_arrays` takes them; the weights are called ``model.*``."""


class Snapshots:
    """Snapshots of a training at intervals, on all ranks at the same steps."""

    def __init__(self, trainer: Trainer, config: RunConfig, corpus: str) -> None:
        """Count from where training stands; the arguments are those of `snapshot`."""
        self._trainer, self._config, self._corpus = trainer, config, corpus
        self._taken = trainer.clock.total

    @property
    def due(self) -> bool:
        """Whether the interval has passed, by the shared clock."""
        return self._trainer.clock.total - self._taken > _SAVE_SECONDS

    def take(self) -> Snapshot:
        """Take a snapshot."""
        self._taken = self._trainer.clock.total
        return snapshot(self._trainer, self._config, self._corpus)


def snapshot(trainer: Trainer, config: RunConfig, corpus: str) -> Snapshot:
    """A copy of the training state, which later steps do not change.

    All ranks call it at the same step; rank 0 gets it, with the carried state of all, and the
    others get nothing in it.

    Args:
        trainer: Between two steps.
        config: What the run was told.
        corpus: Hash of what it trains on.
    """
    carried = _carried(trainer)
    if carried is None:
        return {}, {}
    header = {
        "resume_format": FORMAT,
        "config": config.model_dump(mode="json"),
        "corpus": corpus,
        "step": trainer.step,
        "clock": asdict(trainer.clock),
        "precision": trainer.precision,
        "device": trainer.device.type,
        "lanes": trainer.lane_count * trainer.ranks.world,
        "evaluation_interval": trainer.evaluation_interval,
        "evaluation_symbols": trainer.evaluation_symbols,
        "rate_fallen": trainer.rate_fallen,
        "loss_scale": trainer.scaler.state_dict(),
        "best_bits": trainer.best_bits,
        "best_step": trainer.best_step,
        "last_valid": trainer.last_valid,
    }
    return header, _arrays(trainer, carried)


def save_state(path: Path, trainer: Trainer, config: RunConfig, corpus: str) -> None:
    """Write the training state to ``resume.safetensors``, atomically; rank 0 writes.

    Raises:
        RunError: If the disk refuses; the state kept before stays whole.
    """
    header, arrays = snapshot(trainer, config, corpus)
    if header:
        write_arrays(path, header, arrays)


def load_state(path: Path, trainer: Trainer, config: RunConfig, corpus: str) -> None:
    """Restore a trainer from ``resume.safetensors``; rank 0 reads, all ranks call it.

    Another number of ranks may go on: the streams are dealt out anew.

    Raises:
        CheckpointError: If the file is damaged, or belongs to another input or other settings.
    """
    arrays: Arrays = {}

    def read() -> dict[str, Any]:
        header, found = _checked(path, config, corpus)
        arrays.update(found)
        return header

    header = trainer.ranks.broadcast_object(read)
    _restore_decisions(trainer, header)
    _restore(trainer, trainer.ranks.broadcast(arrays))


def _checked(path: Path, config: RunConfig, corpus: str) -> tuple[dict[str, Any], Arrays]:
    try:
        header, arrays = read_arrays(path)
    except CheckpointError as error:
        raise CheckpointError(
            f"{path}: where training stood cannot be read any more; remove it, and training "
            f"begins anew ({error})"
        ) from error
    if header.get("resume_format") != FORMAT:
        raise CheckpointError(f"{path}: is no training state of this version; choose another --out")
    differ = RunConfig.of(header["config"], str(path)).differences(config, _LATER)
    if differ:
        raise CheckpointError(
            f"{path}: the run was begun with other settings ({'; '.join(differ)}); "
            "give the same, or another --out"
        )
    if header["corpus"] != corpus:
        raise CheckpointError(
            f"{path}: the run was begun on other input, or by a seqforge that read and split it "
            "otherwise; give the same files, or another --out"
        )
    return header, arrays


def _restore_decisions(trainer: Trainer, header: dict[str, Any]) -> None:
    trainer.step = header["step"]
    trainer.clock = TrainingClock(**header["clock"])
    settled = header["precision"]
    if settled is not None:
        trainer.ranks.broadcast_object(lambda: _check_precision(settled, trainer))
        trainer.use_precision(settled)
    if header["loss_scale"]:
        trainer.scaler.load_state_dict(header["loss_scale"])
    trainer.evaluation_interval = header["evaluation_interval"]
    trainer.evaluation_symbols = header["evaluation_symbols"]
    trainer.rate_fallen = header["rate_fallen"]
    trainer.best_bits, trainer.best_step = header["best_bits"], header["best_step"]
    trainer.last_valid = header["last_valid"]
    if trainer.device.type == "cpu" and header["device"] == "cpu":
        trainer.use_lanes(max(1, header["lanes"] // trainer.ranks.world))


def _check_precision(settled: str, trainer: Trainer) -> None:
    if settled not in trainer.precisions:
        raise CheckpointError(
            f"the run was begun in {settled}, which this machine's {trainer.device.type} does not "
            "have; go on where it was begun, or start from its model with --init in another --out"
        )


def _carried(trainer: Trainer) -> Tensor | None:
    """On rank 0 the carried state of all ranks, (B, numbers of a row); elsewhere nothing."""
    mine = trainer.lanes.carried().cpu()
    parts = trainer.ranks.gather(mine.flatten())
    return torch.cat(parts).view(-1, *mine.shape[1:]) if parts else None


def _arrays(trainer: Trainer, carried: Tensor) -> Arrays:
    """Copies of all that is to be kept; ``carried`` is one already, and so are the weights."""
    arrays: Arrays = {f"model.{k}": v for k, v in trainer.model.arrays().items()}
    for number, parameter in enumerate(trainer.model.parameters()):
        moments = trainer.optimizer.state.get(parameter, {})
        for name in _MOMENTS:
            if name in moments:
                arrays[f"{name}.{number}"] = moments[name].cpu().numpy().copy()
                arrays[f"steps.{number}"] = np.array(float(moments["step"]))
    arrays["state"] = carried.numpy()
    if trainer.average is not None:
        for number, value in enumerate(trainer.average.values):
            arrays[f"average.{number}"] = value.cpu().numpy().copy()
    # In double precision: the mean over them must come out the same after a resume.
    arrays["unseen_losses"] = np.array(trainer.unseen_losses, np.float64)
    return arrays


def _restore(trainer: Trainer, arrays: Arrays) -> None:
    weights = {
        k.removeprefix("model."): torch.from_numpy(v.copy())
        for k, v in arrays.items()
        if k.startswith("model.")
    }
    trainer.model.load_state_dict(weights)
    for number, parameter in enumerate(trainer.model.parameters()):
        if f"{_MOMENTS[0]}.{number}" in arrays:
            moments = {
                name: torch.from_numpy(arrays[f"{name}.{number}"].copy()).to(parameter)
                for name in _MOMENTS
            }
            step = torch.tensor(arrays[f"steps.{number}"].item(), device=parameter.device)
            trainer.optimizer.state[parameter] = {"step": step, **moments}
    if trainer.average is not None:
        for number, value in enumerate(trainer.average.values):
            value.copy_(torch.from_numpy(arrays[f"average.{number}"]))
    trainer.lanes.carry_on(torch.from_numpy(arrays["state"].copy()).flatten(1))
    trainer.unseen_losses = arrays["unseen_losses"].tolist()
