"""A model in one safe file: weights, and in the header everything needed to use them.

The file is safetensors (https://github.com/huggingface/safetensors): an eight-byte length, a JSON
header, raw numbers. Nothing in it can run code. The header has one key of ours, ``seqforge``,
with canonical JSON; several keys would come out in another order in each process.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from seqforge.core.config import STRICT, RunConfig, first_problem
from seqforge.core.files import write_atomically
from seqforge.core.vocabulary import Vocabulary
from seqforge.errors import CheckpointError

FORMAT = 1
KEY = "seqforge"

Arrays = dict[str, NDArray[Any]]


class Ancestor(BaseModel):
    """A model that another one went on from."""

    model_config = STRICT

    name: str
    sha256: str
    """Of its file."""
    inputs: tuple[tuple[str, str], ...] = ()
    """What it was trained on: name and SHA-256 of each file."""
    steps: int = 0
    note: str = ""


class Provenance(BaseModel):
    """Where a model comes from and how good it was found to be."""

    model_config = STRICT

    inputs: tuple[tuple[str, str], ...] = ()
    """Name and SHA-256 of each input file."""
    corpus: str = ""
    """Hash of inputs, domain, options and split."""
    symbols: dict[str, int] = {}
    """Symbols in train, valid and test."""
    steps: int = 0
    trained_seconds: float = 0.0
    bits_per_symbol: dict[str, float | None] = {}
    """Held-out score in bits, of valid and test."""
    date: str = ""
    note: str = ""
    """What a reader of its card should know: the source of the data, its licence."""
    ancestors: tuple[Ancestor, ...] = ()
    """Models it went on from, the nearest first."""


class ModelCard(BaseModel):
    """What stands in a model's header beside the weights."""

    model_config = STRICT

    format: int = FORMAT
    seqforge_version: str
    name: str
    config: RunConfig
    symbols: tuple[str, ...]
    unknown: bool = False
    provenance: Provenance = Provenance()

    @property
    def vocabulary(self) -> Vocabulary:
        """The vocabulary that the weights were trained with."""
        return Vocabulary(self.symbols, self.unknown)


@dataclass(frozen=True)
class Checkpoint:
    """A model as it lies in its file."""

    card: ModelCard
    weights: Arrays
    """In float32, whatever they were kept as."""


def save_checkpoint(path: Path, card: ModelCard, weights: Arrays) -> None:
    """Write ``model.safetensors``, atomically, in the precision that the settings ask for.

    Raises:
        RunError: If the disk refuses.
    """
    kind = np.float16 if card.config.training.kept_as == "fp16" else np.float32
    kept = {name: array.astype(kind) for name, array in weights.items()}
    write_arrays(path, card.model_dump(mode="json"), kept)


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a model.

    Raises:
        CheckpointError: If it is missing, damaged, not ours, or of another format.
    """
    header, weights = read_arrays(path)
    if "resume_format" in header:
        raise CheckpointError(f"{path}: is where a training stands; the model lies beside it")
    found = header.get("format")
    if found != FORMAT:
        raise CheckpointError(
            f"{path}: a model of format {found}, and this seqforge reads format {FORMAT}; "
            "use the version that wrote it, or train it again"
        )
    try:
        card = ModelCard.model_validate(header)
        _ = card.vocabulary
    except ValidationError as error:
        raise CheckpointError(f"{path}: a damaged header: {first_problem(error)}") from error
    except ValueError as error:
        raise CheckpointError(f"{path}: a damaged header: {error}") from error
    return Checkpoint(card, {name: array.astype(np.float32) for name, array in weights.items()})


def write_arrays(path: Path, header: Mapping[str, Any], arrays: Arrays) -> None:
    """Write arrays and a JSON header with a digest over both, atomically.

    Raises:
        RunError: If the disk refuses.
    """
    text = _canonical({"digest": _digest(header, arrays), **header})
    contiguous = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    write_atomically(path, save(contiguous, metadata={KEY: text}))


def read_arrays(path: Path) -> tuple[dict[str, Any], Arrays]:
    """What `write_arrays` wrote: the header and the arrays.

    Raises:
        CheckpointError: If the file is missing, damaged, changed since, or not ours.
    """
    if not path.is_file():
        raise CheckpointError(f"{path}: there is no such file")
    try:
        with safe_open(path, framework="numpy") as stream:
            metadata = stream.metadata() or {}
            arrays = {name: stream.get_tensor(name) for name in stream.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(
            f"{path}: is not a whole .safetensors file ({error}); copy it again or train it again"
        ) from error
    if KEY not in metadata:
        raise CheckpointError(f"{path}: was not written by seqforge: no {KEY!r} in its header")
    try:
        header = json.loads(metadata[KEY])
        digest = header.pop("digest")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CheckpointError(f"{path}: a damaged header; copy the file again") from error
    if digest != _digest(header, arrays):
        raise CheckpointError(
            f"{path}: was changed after it was written (its digest does not fit); copy it again"
        )
    return header, arrays


def _canonical(value: Mapping[str, Any]) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def _digest(header: Mapping[str, Any], arrays: Arrays) -> str:
    digest = hashlib.sha256(_canonical(header).encode())
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name}{array.dtype.str}{array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
