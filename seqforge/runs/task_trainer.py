"""A set of examples in, a trainer of a task out, the same on all processes of a training."""

from __future__ import annotations

import platform
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel

from seqforge.base.machine import choose_device
from seqforge.core.config import STRICT, RunConfig
from seqforge.core.data.examples import ExampleSet
from seqforge.core.data.labelling import TRAINING_ONLY, Labelling, Sensed, labelling_of
from seqforge.core.model.task_model import Fixed, make_network
from seqforge.core.model.task_networks import frequent_ngrams
from seqforge.core.training.distributed import ALONE, Ranks
from seqforge.core.training.example_task import ExampleTask
from seqforge.core.training.resume import load_state
from seqforge.core.training.trainer import Trainer
from seqforge.registry import load_domain


class TaskSetup(BaseModel):
    """What all processes of a training share."""

    model_config = STRICT

    config: RunConfig
    examples: Path
    """The file of the examples, which all must see."""
    corpus_key: str
    resume: Path | None
    """Rank 0 reads it."""


def check_seen(shared: TaskSetup, ranks: Ranks) -> None:
    """Check that all processes see the examples; each calls it.

    Raises:
        RunError: If one does not.
    """
    problem = (
        f"{shared.examples}: process {ranks.rank} (on {platform.node()}) does not see the "
        "examples; give --out a folder that all machines share"
    )
    ranks.check(None if shared.examples.is_file() else problem)


def fixed_of(data: ExampleSet, config: RunConfig, labelling: Labelling | None) -> Fixed:
    """What a model has from its training part before it is trained.

    Args:
        data: The examples.
        config: How long n-grams are, if they count.
        labelling: What the domain's sensors have learnt.
    """
    part, order = data.parts["train"], config.model.ngrams
    sources = [part.source(number) for number in range(len(part) if order else 0)]
    grams = np.zeros(0, np.int64)
    if sources:
        grams = frequent_ngrams(sources, len(data.source_symbols) + 1, order)
    kept = {name: one for name, one in data.sensors.items() if not name.startswith(TRAINING_ONLY)}
    return Fixed(grams, kept, 0 if labelling is None else labelling.width)


class _Sensed:
    """Sensors of stretches of examples."""

    def __init__(self, labelling: Labelling, data: ExampleSet) -> None:
        self._labelling, self._data = labelling, data
        self._known: dict[tuple[str, int], Sensed] = {}

    def __call__(self, part: str, example: int, start: int, stop: int) -> NDArray[np.float32]:
        key = part, example
        if key not in self._known:
            self._known[key] = self._labelling.sensed_part(self._data, part, example)
        return self._known[key](start, stop)


def make_task_trainer(
    shared: TaskSetup, data: ExampleSet, ranks: Ranks = ALONE, fixed: Fixed | None = None
) -> Trainer:
    """A new or resumed trainer, the same on all ranks; each calls it.

    Args:
        shared: What all are told.
        data: The examples.
        ranks: Who is who.
        fixed: What `fixed_of` gave, where it is known already.
    """
    config = shared.config
    domain = load_domain(config.domain, config.domain_options) if data.sensors else None
    labelling = labelling_of(domain, data.sensors)
    torch.set_num_threads(1)  # lanes take the cores
    torch.manual_seed(config.training.seed)
    network = make_network(
        config,
        len(data.source_symbols),
        len(data.target_symbols),
        fixed_of(data, config, labelling) if fixed is None else fixed,
    )
    if ranks.world > 1:
        weights = ranks.broadcast(network.arrays())
        network.load_state_dict({name: torch.from_numpy(one) for name, one in weights.items()})
    network.to(choose_device(config.training.device))
    task = ExampleTask(
        data,
        config.training,
        config.task.class_weights,
        None if labelling is None else _Sensed(labelling, data),
        None if labelling is None else labelling.mirror,
    )
    trainer = Trainer(network, task, config.training, ranks=ranks)
    if shared.resume is not None:
        load_state(shared.resume, trainer, config, shared.corpus_key)
    return trainer
