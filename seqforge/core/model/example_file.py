"""A set of examples in, one safetensors file out, and back."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

from seqforge.core.data.examples import Examples, ExampleSet
from seqforge.core.data.split import PARTS
from seqforge.core.model.checkpoint import Arrays, read_arrays, write_arrays
from seqforge.errors import CheckpointError

FORMAT = 1
_SENSORS = "sensors."
_FIELDS = tuple(field.name for field in fields(Examples))


def write_examples(path: Path, data: ExampleSet) -> None:
    """Write examples to a file.

    Raises:
        RunError: If the disk refuses.
    """
    header = {
        "examples_format": FORMAT,
        "task": data.task,
        "source_symbols": data.source_symbols,
        "target_symbols": data.target_symbols,
        "notes": data.notes,
    }
    arrays: Arrays = {f"{_SENSORS}{name}": array for name, array in data.sensors.items()}
    for name, part in data.parts.items():
        arrays |= {f"{name}.{field}": getattr(part, field) for field in _FIELDS}
    write_arrays(path, header, arrays)


def read_examples(path: Path) -> ExampleSet:
    """Read what `write_examples` wrote.

    Raises:
        CheckpointError: If the file is missing or damaged, or another one.
    """
    header, arrays = read_arrays(path)
    if header.get("examples_format") != FORMAT:
        raise CheckpointError(f"{path}: holds no examples; remove it, and the run reads them again")
    return ExampleSet(
        task=header["task"],
        parts={part: Examples(*(arrays[f"{part}.{field}"] for field in _FIELDS)) for part in PARTS},
        source_symbols=tuple(header["source_symbols"]),
        target_symbols=tuple(header["target_symbols"]),
        sensors={
            name.removeprefix(_SENSORS): array
            for name, array in arrays.items()
            if name.startswith(_SENSORS)
        },
        notes=tuple(header["notes"]),
    )
