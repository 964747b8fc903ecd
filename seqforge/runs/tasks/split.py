"""Examples in, what is trained on and what is held out: by group, drawn with the seed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from seqforge.core.config import DataConfig, Split
from seqforge.core.data.examples import (
    Example,
    Examples,
    ExampleSet,
    SymbolTable,
    TaskName,
    counted_symbols,
)
from seqforge.core.data.split import PARTS
from seqforge.errors import InputError


def split_examples(
    task: TaskName, examples: Sequence[Example], data: DataConfig, seed: int
) -> ExampleSet:
    """Examples in, their ids by part out; equal pairs count once.

    Raises:
        InputError: If a class has one example, or nothing is left to train on.
    """
    once = list({(one.source, one.target): one for one in examples}.values())
    if not once:
        raise InputError("there is no example in the input")
    notes = []
    if len(once) < len(examples):
        notes.append(
            f"{len(examples) - len(once):,} of {len(examples):,} examples are repeated "
            "and count once"
        )
    if task == "classify":
        _check_classes(once)
    parts = _parts(once, Split.parse(data.split), seed)
    sources = counted_symbols((one.source for one in parts["train"]), data.min_count)
    targets = counted_symbols(one.target for one in once)
    known, goals = SymbolTable(sources), SymbolTable(targets)
    shift = 0 if task == "translate" else 1  # classes and labels have no end
    encoded = {
        name: Examples.of(
            (known.encode(one.source), goals.encode(one.target) - shift) for one in part
        )
        for name, part in parts.items()
    }
    several = sum(n > 1 for n in Counter(one.source for one in once).values())
    if several:
        notes.append(f"{several:,} sources have several targets")
    return ExampleSet(task, encoded, sources, targets, {}, tuple(notes))


def _parts(examples: Sequence[Example], split: Split, seed: int) -> dict[str, list[Example]]:
    groups = sorted({one.group for one in examples})
    order = np.random.default_rng([seed, 11]).permutation(len(groups))
    test = round(split.test * len(groups))
    valid = round(split.valid * len(groups))
    place = {
        groups[number]: "test" if rank < test else "valid" if rank < test + valid else "train"
        for rank, number in enumerate(order)
    }
    found: dict[str, list[Example]] = {part: [] for part in PARTS}
    for one in examples:
        found[place[one.group]].append(one)
    return found


def _check_classes(examples: Sequence[Example]) -> None:
    counts = Counter(one.target[0] for one in examples)
    if len(counts) < 2:
        raise InputError(
            f"{examples[0].where}: all examples are of the class {next(iter(counts))!r}; give "
            "files of two classes or more"
        )
    for one in examples:
        if counts[one.target[0]] < 2:
            raise InputError(
                f"{one.where}: the class {one.target[0]!r} has this one example; give it more, or "
                "leave it out"
            )
