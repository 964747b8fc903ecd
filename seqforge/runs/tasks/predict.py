"""A task's model and sources in, its classes, labels or translations out."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from seqforge.base.machine import usable_cores
from seqforge.base.messages import Advance, unheard
from seqforge.core.data.labelling import Labelling, Labels, Sensed
from seqforge.core.model.task_model import TaskModel
from seqforge.core.model.task_networks import Batch
from seqforge.core.model.translator import (
    Translation,
    Translator,
    translate,
    translate_greedily,
)

Ids = NDArray[np.integer]
_BATCH = 64
_LONGER = 2.0
"""A translation is cut at so many times the length of its source, and a few symbols more."""


def class_probabilities(
    model: TaskModel, sources: Sequence[Ids], progress: Advance = unheard
) -> NDArray[np.float32]:
    """Sources in, the probability of each class (N, C) out."""
    found = np.zeros((len(sources), len(model.card.target_symbols)), np.float32)

    def work(rows: NDArray[np.int64]) -> None:
        batch = _unlabelled([sources[row] for row in rows])
        with torch.no_grad():
            found[rows] = model.network.logits(batch, "fp32").softmax(1).numpy()

    _in_threads(work, _batches(sources), progress)
    return found


def label_probabilities(
    model: TaskModel, source: Ids, sensed: Sensed | None = None,
    labelling: Labelling | None = None, stretch: int = 16_384, margin: int = 1_024,
) -> Iterator[NDArray[np.float32]]:  # fmt: skip
    """A source of any length in, the probabilities of its labels (N, L), stretch by stretch, out.

    Each stretch is read with so many symbols of margin on both sides. Where steps are of several
    symbols the mean of two phases counts, and of both directions where the domain mirrors.
    """
    stride = model.network.config.stride
    stretch, margin = -(-stretch // stride) * stride, -(-margin // stride) * stride
    phases = sorted({0, stride // 2}) if labelling is not None else [0]

    def read(start: int) -> NDArray[np.float32]:
        found = np.zeros((min(stretch, len(source) - start), _labels(model)), np.float32)
        firsts = {max(0, start - margin + phase) for phase in phases} if start else {0}
        for first in sorted(firsts):
            last = min(len(source), start + stretch + margin)
            sensors = None if sensed is None else sensed(first, last)
            both = _both_ways(model, source[first:last], sensors, labelling)
            found += both[start - first :][: len(found)] / len(firsts)
        return found

    threads = usable_cores()
    with ThreadPoolExecutor(threads) as pool:
        waiting: deque[Future[NDArray[np.float32]]] = deque()
        for start in range(0, len(source), stretch):
            waiting.append(pool.submit(read, start))
            if len(waiting) > threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _labels(model: TaskModel) -> int:
    return len(model.card.target_symbols)


def _both_ways(
    model: TaskModel, ids: Ids, sensors: NDArray[np.float32] | None, labelling: Labelling | None
) -> NDArray[np.float32]:
    """Probabilities (N, L) of the labels of a stretch, read as it is and, where the domain mirrors,
    backwards too."""
    mirror = None if labelling is None else labelling.mirror
    sources, beside = [ids], [] if sensors is None else [sensors]
    if mirror is not None:
        sources.append(mirror.source(ids))
        beside += [mirror.sensors(one) for one in beside]
    batch = _unlabelled(sources, beside)
    with torch.no_grad():
        found: NDArray[np.float32] = model.network.logits(batch, "fp32").softmax(2).numpy()
    if mirror is None:
        return found[:, 0]
    mean = (found[:, 0] + found[::-1, 1][:, mirror.labels]) / 2
    return np.asarray(mean, np.float32)


def labels_by(model: TaskModel, labelling: Labelling | None) -> Labels:
    """A model in, its labels of any sequence out."""
    return lambda ids, sensed: label_probabilities(model, ids, sensed, labelling)


def translations(
    model: TaskModel, sources: Sequence[Ids], beam: int, progress: Advance = unheard
) -> list[Translation]:
    """Sources in, the best translation of each out; see `translate`."""
    return _translated(
        model, sources, lambda network, batch, most: translate(network, batch, beam, most), progress
    )


def greedy_translations(
    model: TaskModel, sources: Sequence[Ids], progress: Advance = unheard
) -> list[list[int]]:
    """Sources in, the translation of each, greedily, out: the quick way to score many."""
    return _translated(model, sources, translate_greedily, progress)


_Made = TypeVar("_Made")


def _translated(
    model: TaskModel, sources: Sequence[Ids],
    made_of: Callable[[Translator, Batch, int], list[_Made]], progress: Advance,
) -> list[_Made]:  # fmt: skip
    """What is made of a batch, and of the length at which it is cut, for each source in turn."""
    network = model.network
    assert isinstance(network, Translator)
    found: dict[int, _Made] = {}

    def work(rows: NDArray[np.int64]) -> None:
        chosen = [sources[row] for row in rows]
        made = made_of(network, _unlabelled(chosen), _longest(chosen))
        found.update(zip(rows.tolist(), made, strict=True))

    _in_threads(work, _batches(sources), progress)
    return [found[row] for row in range(len(sources))]


def _unlabelled(sources: Sequence[Ids], sensors: Sequence[NDArray[np.float32]] = ()) -> Batch:
    """Sources whose targets are not known."""
    return Batch.of(sources, [np.zeros(1)] * len(sources), sensors)


def _longest(sources: Sequence[Ids]) -> int:
    return round(_LONGER * max(map(len, sources))) + 10


def _batches(sources: Sequence[Ids]) -> list[NDArray[np.int64]]:
    """Rows of sources of about the same length."""
    order = np.argsort([len(source) for source in sources], kind="stable")
    return [order[at : at + _BATCH] for at in range(0, len(order), _BATCH)]


def _in_threads(
    work: Callable[[NDArray[np.int64]], None], batches: Sequence[NDArray[np.int64]],
    progress: Advance,
) -> None:  # fmt: skip
    with ThreadPoolExecutor(usable_cores()) as pool:
        for done, _ in enumerate(pool.map(work, batches), 1):
            progress(done, len(batches), "batches")
