"""Where training stands, in one file: weights, optimiser, carried state, clock, decisions.

Everything else a run depends on (windows, dropout masks, resets) is a function of seed and step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from seqforge.core.checkpoint import Arrays, read_arrays, write_arrays
from seqforge.core.config import RunConfig
from seqforge.core.model import State
from seqforge.core.training import Clock, Trainer
from seqforge.errors import CheckpointError

FORMAT = 1

_SAVE_SECONDS = 20.0

_LATER = ("sampling.", "search.")  # settings that training does not depend on
_MOMENTS = ("exp_avg", "exp_avg_sq")


class Saver:
    """Keeps where training stands, now and then, on all ranks at the same steps."""

    def __init__(self, path: Path, trainer: Trainer, config: RunConfig, corpus: str) -> None:
        self._told = (path, trainer, config, corpus)
        self._trainer = trainer
        self._saved = trainer.clock.total

    def save_if_due(self) -> None:
        """Keep it if the last time is a while ago, by the clock that all ranks share."""
        if self._trainer.clock.total - self._saved > _SAVE_SECONDS:
            self.save()

    def save(self) -> None:
        """Keep it."""
        save_state(*self._told)
        self._saved = self._trainer.clock.total


def save_state(path: Path, trainer: Trainer, config: RunConfig, corpus: str) -> None:
    """Keep where training stands, atomically.

    All ranks call it at the same step; rank 0 writes, with the carried state of all.

    Args:
        path: ``resume.safetensors``.
        trainer: Between two steps.
        config: What the run was told.
        corpus: Hash of what it trains on.

    Raises:
        RunError: If the disk refuses; the state kept before stays whole.
    """
    header = {
        "resume_format": FORMAT,
        "config": config.model_dump(mode="json"),
        "corpus": corpus,
        "step": trainer.step,
        "clock": asdict(trainer.clock),
        "precision": trainer.precision,
        "lanes": trainer.lane_count * trainer.ranks.world,
        "evaluation_interval": trainer.evaluation_interval,
        "evaluation_symbols": trainer.evaluation_symbols,
        "best_bits": trainer.best_bits,
        "best_step": trainer.best_step,
        "last_valid": trainer.last_valid,
    }
    mine = [[tuple(part.cpu() for part in layer) for layer in one] for one in trainer.lanes.states]
    states = trainer.ranks.gather(mine)
    if trainer.ranks.rank == 0:
        write_arrays(path, header, _arrays(trainer, [one for rank in states for one in rank]))


def load_state(path: Path, trainer: Trainer, config: RunConfig, corpus: str) -> None:
    """Put a trainer where `save_state` found it; rank 0 reads, all ranks call it.

    Another number of ranks may go on: the streams are dealt out anew.

    Raises:
        CheckpointError: If the file is damaged, or belongs to another input or other settings.
    """
    header, arrays = trainer.ranks.agree(lambda: _checked(path, config, corpus))
    trainer.step = header["step"]
    trainer.clock = Clock(**header["clock"])
    trainer.precision = header["precision"]
    trainer.evaluation_interval = header["evaluation_interval"]
    trainer.evaluation_symbols = header["evaluation_symbols"]
    trainer.best_bits, trainer.best_step = header["best_bits"], header["best_step"]
    trainer.last_valid = header["last_valid"]
    trainer.use_lanes(max(1, header["lanes"] // trainer.ranks.world))
    _restore(trainer, arrays)


def _checked(path: Path, config: RunConfig, corpus: str) -> tuple[dict[str, Any], Arrays]:
    header, arrays = read_arrays(path)
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
            f"{path}: the run was begun on other input; give the same files, or another --out"
        )
    return header, arrays


def _arrays(trainer: Trainer, states: Sequence[State]) -> Arrays:
    arrays: Arrays = {f"model.{k}": v for k, v in trainer.model.arrays().items()}
    for number, parameter in enumerate(trainer.model.parameters()):
        moments = trainer.optimizer.state.get(parameter, {})
        for name in _MOMENTS:
            if name in moments:
                arrays[f"{name}.{number}"] = moments[name].cpu().numpy()
    for lane, state in enumerate(states):
        for layer, parts in enumerate(state):
            for number, part in enumerate(parts):
                arrays[f"state.{lane}.{layer}.{number}"] = part.cpu().numpy()
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
            step = torch.tensor(float(trainer.step), device=parameter.device)
            trainer.optimizer.state[parameter] = {"step": step, **moments}
    trainer.lanes.states = [
        [
            tuple(
                torch.from_numpy(_rows(arrays, f"{layer}.{number}", rows)).to(part)
                for number, part in enumerate(parts)
            )
            for layer, parts in enumerate(state)
        ]
        for rows, state in zip(trainer.lanes.rows, trainer.lanes.states, strict=True)
    ]
    trainer.unseen_losses = arrays["unseen_losses"].tolist()


def _rows(arrays: Arrays, part: str, rows: slice) -> NDArray[Any]:
    """Some rows of a carried state that lies there a lane an array."""
    lanes = sum(name.startswith("state.") and name.endswith(f".{part}") for name in arrays)
    return np.concatenate([arrays[f"state.{lane}.{part}"] for lane in range(lanes)])[rows]
