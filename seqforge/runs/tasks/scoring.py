"""A task's model and the part that is held out in, its measures beside a simple model's out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqforge.base.messages import Advance
from seqforge.core.data.examples import IGNORED, Examples, ExampleSet
from seqforge.core.data.labelling import Arrays, Labelling
from seqforge.core.evaluation.linear_classifier import LinearClassifier
from seqforge.core.evaluation.task_scores import ClassScores, SequenceScores, calibration
from seqforge.core.model.task_model import TaskModel, save_task_model
from seqforge.reporting.task_page import AttendedExample
from seqforge.runs.progress import ProgressListener
from seqforge.runs.tasks.predict import (
    class_probabilities,
    greedy_translations,
    label_probabilities,
    labels_by,
    translations,
)
from seqforge.runs.tasks.results import TaskScores

_CONTEXT = 2  # symbols to either side that the baseline of labels looks at
_MOST_EXAMPLES, _ATTENDED = 20, 2


def score_task(
    model: TaskModel, data: ExampleSet, progress: Advance, labelling: Labelling | None = None
) -> TaskScores:
    """Score a model on the test part, or on valid where there is none; by the domain's measures if
    the labels are its own."""
    part = next((name for name in ("test", "valid") if len(data.parts[name])), None)
    if part is None:
        return TaskScores(part=None)
    if labelling is not None:
        found = labelling.judge(data, part, labels_by(model, labelling))
        return TaskScores.model_validate({"part": part, **asdict(found)})
    scored = _SCORED[data.task](model, data, data.parts[part], progress)
    return scored.model_copy(update={"part": part})


def tuned_model(
    model: TaskModel, data: ExampleSet, labelling: Labelling, path: Path, watcher: ProgressListener
) -> tuple[TaskModel, Arrays]:
    """A trained model in, the same with what the domain chooses on the valid part out; its file is
    written anew."""
    chosen = labelling.tuned(data, labels_by(model, labelling), watcher.advance)
    if not chosen:
        return model, chosen
    fixed = replace(model.fixed, sensors={**model.fixed.sensors, **chosen})
    save_task_model(path, model.card, model.network.arrays(), fixed)
    return replace(model, fixed=fixed), chosen


def _score_classes(
    model: TaskModel, data: ExampleSet, part: Examples, progress: Advance
) -> TaskScores:
    sources = _sources(part)
    chances = class_probabilities(model, sources, progress)
    true, names = part.targets.astype(np.int64), data.target_symbols
    scores = ClassScores.of(true, chances.argmax(1), len(names))
    bins, error = calibration(chances, true)
    train = data.parts["train"]
    simple = LinearClassifier.fitted(
        _sources(train), train.targets, len(data.source_symbols) + 1, len(names)
    )
    beside = ClassScores.of(true, simple.classes(sources), len(names))
    confused = [
        {"is": names[a], "taken for": names[b], "times": count}
        for a, b, count in scores.most_confused()
    ]
    return TaskScores(
        part=None,
        metrics={**_agreement(scores), "calibration_error": round(error, 4)},
        baseline="linear model on 1-4-grams",
        baseline_metrics=_agreement(beside),
        tables={"Each class": _by_class(scores, names), "Most confused": confused},
        names=names,
        confusion=scores.confusion.tolist(),
        calibration=[(one.probability, one.right, one.count) for one in bins],
    )


def _agreement(scores: ClassScores) -> dict[str, float]:
    return {"accuracy": round(scores.accuracy, 4), "macro_f1": round(scores.macro_f1, 4)}


def _by_class(scores: ClassScores, names: Sequence[str]) -> list[dict[str, Any]]:
    counts = scores.confusion.sum(1)
    figures = (scores.precision, scores.recall, scores.f1)
    return [
        {
            "class": name, "examples": int(counts[number]), "precision": round(float(p), 4),
            "recall": round(float(r), 4), "F1": round(float(f), 4),
        }
        for number, (name, p, r, f) in enumerate(zip(names, *figures, strict=True))
    ]  # fmt: skip


def _score_labels(
    model: TaskModel, data: ExampleSet, part: Examples, progress: Advance
) -> TaskScores:
    names = data.target_symbols
    found = []
    for number in range(len(part)):
        found += [one.argmax(1) for one in label_probabilities(model, part.source(number))]
        progress(number + 1, len(part), "sequences")
    known = part.targets != IGNORED
    true = part.targets[known].astype(np.int64)
    scores = ClassScores.of(true, np.concatenate(found)[known], len(names))
    simple = ContextLabels.counted(data.parts["train"])
    beside = ClassScores.of(true, simple.labels(part)[known], len(names))
    return TaskScores(
        part=None,
        metrics=_agreement(scores),
        baseline=f"commonest label of a symbol between {_CONTEXT} others to either side",
        baseline_metrics=_agreement(beside),
        tables={"Each label": _by_class(scores, names)},
        names=names,
        confusion=scores.confusion.tolist(),
    )


@dataclass(frozen=True)
class ContextLabels:
    """The commonest label of each symbol in its context: the baseline of labels."""

    known: dict[bytes, int]
    commonest: int

    @classmethod
    def counted(cls, train: Examples) -> ContextLabels:
        """Count the training part."""
        counts: dict[bytes, Counter[int]] = {}
        total = Counter[int]()
        for number in range(len(train)):
            labels = train.target(number).tolist()
            for context, label in zip(_contexts(train.source(number)), labels, strict=True):
                if label != IGNORED:
                    counts.setdefault(context, Counter())[label] += 1
                    total[label] += 1
        known = {context: each.most_common(1)[0][0] for context, each in counts.items()}
        return cls(known, total.most_common(1)[0][0])

    def labels(self, part: Examples) -> NDArray[np.int64]:
        """The label of each symbol of a part."""
        return np.array([
            self.known.get(context, self.commonest)
            for number in range(len(part))
            for context in _contexts(part.source(number))
        ], np.int64)  # fmt: skip


def _contexts(ids: NDArray[Any]) -> list[bytes]:
    wide = np.concatenate([np.zeros(_CONTEXT), ids, np.zeros(_CONTEXT)]).astype(np.uint16)
    size = 2 * _CONTEXT + 1
    return [wide[at : at + size].tobytes() for at in range(len(ids))]


def _score_translations(
    model: TaskModel, data: ExampleSet, part: Examples, progress: Advance
) -> TaskScores:
    sources, true = _sources(part), [part.target(n).tolist() for n in range(len(part))]
    found = greedy_translations(model, sources, progress)
    scores = SequenceScores.of(true, found)
    beside = SequenceScores.of(true, _nearest(data.parts["train"], sources))
    says, goals = model.sources, model.targets
    shown = [
        {
            "source": "".join(says.decode(sources[n].tolist())),
            "target": "".join(goals.decode(true[n])),
            "found": "".join(goals.decode(found[n])),
        }
        for n in range(min(_MOST_EXAMPLES, len(part)))
    ]
    looked = translations(model, sources[:_ATTENDED], beam=1)
    return TaskScores(
        part=None,
        metrics=_of_sequences(scores),
        baseline="target of the training source that shares most 3-grams",
        baseline_metrics=_of_sequences(beside),
        tables={"Examples": shown},
        attended=[
            AttendedExample(
                source=says.decode(source.tolist()),
                target=goals.decode(one.ids),
                weights=np.round(one.attention[: len(one.ids), : len(source)].numpy(), 4).tolist(),
            )
            for source, one in zip(sources[:_ATTENDED], looked, strict=False)
        ],
    )


def _of_sequences(scores: SequenceScores) -> dict[str, float]:
    return {"exact": round(scores.exact, 4), "token_accuracy": round(scores.token_accuracy, 4)}


def _nearest(train: Examples, sources: Sequence[NDArray[Any]]) -> list[list[int]]:
    """For each source the target of the training source that shares most of its 3-grams."""
    places: dict[bytes, list[int]] = {}
    for number in range(len(train)):
        for gram in _grams(train.source(number)):
            kept = places.setdefault(gram, [])
            if len(kept) < 200:
                kept.append(number)
    found = []
    for ids in sources:
        votes = Counter(number for gram in _grams(ids) for number in places.get(gram, ()))
        best = votes.most_common(1)[0][0] if votes else 0
        found.append(train.target(best).tolist())
    return found


def _grams(ids: NDArray[Any]) -> set[bytes]:
    wide = ids.astype(np.uint16)
    return {wide[at : at + 3].tobytes() for at in range(max(1, len(wide) - 2))}


def _sources(part: Examples) -> list[NDArray[Any]]:
    return [part.source(number) for number in range(len(part))]


_SCORED = {
    "classify": _score_classes,
    "label": _score_labels,
    "translate": _score_translations,
}
