"""A model of names by label and a classifier of names in, how many of the names drawn of each label
the classifier takes for it out, beside real held-out names.

    python benchmarks/condition.py NAMES GENERATOR CLASSIFIER

NAMES is the folder that both were trained on, a file a label; the two others are run folders.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from seqforge import load
from seqforge.core.model.checkpoint import load_labelled
from seqforge.core.model.example_file import read_examples
from seqforge.core.model.task_model import TaskModel, load_task_model
from seqforge.domains.text.examples import text_examples
from seqforge.runs.tasks.predict import class_probabilities

COUNT = 200
"""Names drawn of each label."""


def main(names: Path, generator: Path, classifier: Path) -> None:
    """Print a line for real names and one for each temperature."""
    judge = load_task_model(classifier / "model.safetensors", "classify")
    examples = list(text_examples("classify", sorted(names.glob("*.txt"))))
    known = {one.source for one in examples}
    test = read_examples(classifier / "examples.safetensors").parts["test"]
    classes = [int(test.target(number)[0]) for number in range(len(test))]
    ids = [test.source(number) for number in range(len(test))]
    found = class_probabilities(judge, ids).argmax(1)
    print(f"real held-out names: macro recall {recall(np.array(classes), found):.3f}")
    model = generator / "model.safetensors"
    for temperature in (1.0, 0.8, 0.5):
        drawn, wanted = [], []
        for label in load_labelled(model).card.labels:
            opened = load(model, label=label)
            options = {"max_length": 40, "seed": 1, "temperature": temperature}
            drawn += [one.symbols for one in opened.sample(COUNT, **options)]
            wanted += [judge.card.target_symbols.index(label)] * COUNT
        print(f"temperature {temperature}: {judged(judge, drawn, np.array(wanted), known)}")


def judged(judge: TaskModel, drawn: list[str], wanted: np.ndarray, known: set[str]) -> str:
    """Drawn names and their labels in, recall and novelty in words out."""
    new = np.array([name not in known for name in drawn])
    some = np.array([bool(name) for name in drawn])
    taken = np.full(len(drawn), -1)
    chances = class_probabilities(judge, [judge.sources.encode(name) for name in drawn if name])
    taken[some] = chances.argmax(1)
    return (
        f"macro recall {recall(wanted, taken):.3f}, of new names "
        f"{recall(wanted[new], taken[new]):.3f}; new {new.mean():.1%}, "
        f"different {len(set(drawn)) / len(drawn):.1%}"
    )


def recall(wanted: np.ndarray, found: np.ndarray) -> float:
    """The mean over classes of the share of each that is found."""
    return float(np.mean([(found[wanted == one] == one).mean() for one in np.unique(wanted)]))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:4]))
