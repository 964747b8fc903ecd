"""Weights, configuration and vocabulary in, one safetensors file out, and back: the checkpoint
format.
"""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ValidationError
from safetensors import SafetensorError, safe_open

from seqforge.base.atomic_files import disk_errors, replacing
from seqforge.base.messages import first_problem, shown, unreadable
from seqforge.core.cells.catalogue import cell_names
from seqforge.core.cells.weights import attention_shapes, layer_shapes
from seqforge.core.config import STRICT, RunConfig
from seqforge.core.data.vocabulary import Vocabulary
from seqforge.core.model.labels import (
    LABEL_FED,
    LABEL_START,
    label_number,
    labels_listed,
    weights_of_label,
)
from seqforge.core.model.ngram import check_counts, check_described
from seqforge.core.model.provenance import Ancestor as Ancestor
from seqforge.core.model.provenance import Provenance as Provenance
from seqforge.core.model_config import ModelConfig
from seqforge.core.task_config import VERBS
from seqforge.errors import CheckpointError

FORMAT = 1
KEY = "seqforge"
MEMORY_FORMAT = "memory_format"
"""The key by which the header of a memory's file is known."""

Arrays = dict[str, NDArray[Any]]
Shapes = dict[str, tuple[int, ...]]

_MOST_HEADER = 1 << 25
"""Bytes of a safetensors header; every character of Unicode as a vocabulary takes 20 MB."""
_FLOATS = {"F16", "F32"}
_KINDS = {
    "uint64": "U64", "int64": "I64", "float64": "F64", "float32": "F32", "uint32": "U32",
    "int32": "I32", "float16": "F16", "uint16": "U16", "int16": "I16", "int8": "I8",
    "uint8": "U8", "bool": "BOOL",
}  # fmt: skip
"""What safetensors calls types, in the order in which it writes arrays of them."""
_ORDER = [*_KINDS.values()]
_UNREADABLE = (
    ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError,
)  # fmt: skip
_FOREIGN = {
    b"PK\x03\x04": "a PyTorch file or another zip archive",
    b"\x80": "a pickle",
    b"\x1f\x8b": "packed with gzip",
    b"\x89HDF": "an HDF5 file",
    b"GGUF": "a GGUF model",
    b"\x93NUMPY": "a NumPy array",
    b"\x08\x00\x00\x00": "an ONNX model",
    b"version https://git-lfs": "a Git LFS pointer, without the file that it stands for",
}
"""First bytes of files that are mistaken for models. A safetensors file begins with the size of
its header: eight bytes, then a brace."""


class ModelCard(BaseModel):
    """The header of a model file: everything but the weights."""

    model_config = STRICT

    format: int = FORMAT
    seqforge_version: str
    name: str
    config: RunConfig
    symbols: tuple[str, ...]
    unknown: bool = False
    cell_package: str = ""
    """The package that brought the cell, and its version; empty for a cell of seqforge."""
    labels: tuple[str, ...] = ()
    """What its records are labelled by, of a model that is conditioned by a label."""
    label_shares: tuple[float, ...] = ()
    """The share of each label among the training records."""
    label: str = ""
    """The one label that this model is of, where it was opened with one."""
    target_symbols: tuple[str, ...] = ()
    """Classes, labels, or symbols of translations, of a model of such a task."""
    provenance: Provenance = Provenance()

    @property
    def vocabulary(self) -> Vocabulary:
        """The vocabulary of the weights."""
        return Vocabulary(self.symbols, self.unknown)


@dataclass(frozen=True)
class Checkpoint:
    """A model as in its file."""

    card: ModelCard
    weights: Arrays
    """In float32, whatever the file's type; of an n-gram model its counts."""

    def of_label(self, label: str) -> Checkpoint:
        """A model with labels as the plain model of one of them.

        Raises:
            CheckpointError: If there is no such label; names those there.
        """
        card = self.card
        if not card.labels:
            raise CheckpointError(f"{card.name}: was trained without labels; leave out --label")
        number = label_number(label, card.labels, card.name)
        named = {"name": f"{card.name} [{label}]", "label": label, "labels": ()}
        plain = card.model_copy(update={**named, "label_shares": ()})
        return Checkpoint(plain, weights_of_label(self.weights, number))


def save_checkpoint(path: Path, card: ModelCard, weights: Arrays) -> None:
    """A card and weights in, ``model.safetensors`` out, written atomically in the configured
    precision.

    Raises:
        RunError: If the disk refuses.
    """
    if not card.config.model.is_ngram:
        kind = np.float16 if card.config.training.weights_dtype == "fp16" else np.float32
        weights = {name: array.astype(kind) for name, array in weights.items()}
    write_arrays(path, card.model_dump(mode="json"), weights)


def load_checkpoint(path: Path, label: str | None = None) -> Checkpoint:
    """A model file in, a checkpoint out; of a model with labels the plain model of one of them.

    Raises:
        CheckpointError: If it is missing, damaged, not ours, or of another format; if there is no
            such label, or none is named of a model that has some.
    """
    checkpoint = load_labelled(path)
    if label is not None:
        return checkpoint.of_label(label)
    if labels := checkpoint.card.labels:
        raise CheckpointError(
            f"{path}: is a model of labels, and none is named; it has {labels_listed(labels)} "
            f"(seqforge sample --label {shlex.quote(labels[0])} draws of one)"
        )
    return checkpoint


def load_labelled(path: Path) -> Checkpoint:
    """The same, whole: with the vectors of all its labels, if it has some.

    Raises:
        CheckpointError: If it is missing, damaged, not ours, or of another format.
    """
    described = _described(path)
    card = _card(path, described)
    if (kind := card.config.task.kind) != "generate":
        raise CheckpointError(
            f"{path}: this model {VERBS[kind]} and does not generate; give it to seqforge {kind}"
        )
    if card.config.model.is_ngram:
        return _counted(path, card, described)
    _check_shapes(path, described, _shapes_of(card))
    _, arrays = read_arrays(path)
    weights = {name: array.astype(np.float32) for name, array in arrays.items()}
    if not all(np.isfinite(array).all() for array in weights.values()):
        raise CheckpointError(
            f"{path}: some of its weights are infinite or NaN; train it again, with a "
            "lower --learning-rate if its training diverged"
        )
    return Checkpoint(card, weights)


def load_card(path: Path) -> ModelCard:
    """A model file of any task in, its card out; the weights are not read.

    Raises:
        CheckpointError: If it is missing, damaged, not ours, or of another format.
    """
    return _card(path, _described(path))


def _counted(path: Path, card: ModelCard, described: _Described) -> Checkpoint:
    """An n-gram model, whose arrays are counts."""
    try:
        check_described(card.config.model.order or 0, described.dtypes, described.shapes)
        _, arrays = read_arrays(path)
        check_counts(arrays, len(card.vocabulary))
    except ValueError as error:
        raise CheckpointError(
            f"{path}: its counts do not fit its settings: {error}; train it again"
        ) from error
    return Checkpoint(card, arrays)


def check_weights(checkpoint: Checkpoint) -> None:
    """Refuse weights that are missing, of wrong shapes, or not finite.

    Raises:
        CheckpointError: If they are not.
    """
    card = checkpoint.card
    for name, shape in _shapes_of(card).items():
        array = checkpoint.weights.get(name)
        if array is None or array.shape != shape:
            found = "is missing" if array is None else f"has the shape {array.shape}, not {shape}"
            raise CheckpointError(
                f"{card.name}: its weights do not fit its settings: {name} {found}; train it again"
            )
        if not np.isfinite(array).all():
            raise CheckpointError(
                f"{card.name}: some of its weights are infinite or NaN; train it again"
            )


def _shapes_of(card: ModelCard) -> Shapes:
    return weight_shapes(len(card.vocabulary), card.config.model, len(card.labels))


def weight_shapes(vocab_size: int, model: ModelConfig, labels: int = 0) -> Shapes:
    """A configuration in, the shape of every array by torch's names out."""
    hidden, width = model.hidden_size, model.embedding_size or model.hidden_size
    shapes: Shapes = {"embedding.weight": (vocab_size, width)}
    for layer in range(model.num_layers):
        inputs = hidden if layer else width
        for name, shape in layer_shapes(model.cell, inputs, hidden).items():
            shapes[f"layers.{layer}.{name}"] = shape
    if model.attention:
        shapes |= attention_shapes(hidden, model.attention)
    if labels:
        shapes |= {LABEL_FED: (labels, width), LABEL_START: (labels, width)}
    return shapes | {"output.weight": (vocab_size, hidden), "output.bias": (vocab_size,)}


def _card(path: Path, described: _Described) -> ModelCard:
    header = described.header
    if "resume_format" in header:
        raise CheckpointError(f"{path}: is a resume file; the model is beside it")
    if MEMORY_FORMAT in header:
        raise CheckpointError(f"{path}: is a memory; name the model beside it")
    found = header.get("format")
    if found != FORMAT:
        raise CheckpointError(
            f"{path}: a model of format {found!r:.40}, and this seqforge reads format {FORMAT}; "
            "use the version that wrote it, or train it again"
        )
    values = {key: value for key, value in header.items() if key != "digest"}
    _check_cell(path, header)
    try:
        card = ModelCard.model_validate(values)
        _ = card.vocabulary
    except ValidationError as error:
        raise CheckpointError(f"{path}: a damaged header: {first_problem(error)}") from error
    except (ValueError, TypeError, OverflowError) as error:
        raise CheckpointError(f"{path}: a damaged header: {error}") from error
    return card


def _check_cell(path: Path, header: Mapping[str, Any]) -> None:
    """Say where a cell can be had that is not here."""
    package, config = header.get("cell_package"), header.get("config")
    model = config.get("model") if isinstance(config, dict) else None
    cell = model.get("cell") if isinstance(model, dict) else None
    if package and isinstance(cell, str) and cell not in cell_names():
        raise CheckpointError(
            f"{path}: its cell {shown(cell, 60)} is of the package {shown(str(package), 100)}, "
            "which is not installed; install it, then load the model again"
        )


def _check_shapes(path: Path, described: _Described, wanted: Shapes) -> None:
    """Check that the file's arrays fit its settings, before anything is allocated."""
    for name, shape in wanted.items():
        found = described.shapes.get(name)
        if found != shape:
            said = "is missing" if found is None else f"has the shape {found}, not {shape}"
            raise CheckpointError(
                f"{path}: its weights do not fit its settings: {name} {said}; train it again"
            )
    for name, kind in described.dtypes.items():
        if name not in wanted or kind not in _FLOATS:
            said = f"is of type {kind}" if name in wanted else "belongs to no such network"
            raise CheckpointError(
                f"{path}: its weights do not fit its settings: {name} {said}; train it again"
            )


def write_arrays(path: Path, header: Mapping[str, Any], arrays: Arrays) -> None:
    """Arrays and a JSON header in, a file with a checksum over both out, written atomically.

    Raises:
        RunError: If the disk refuses.
    """
    text = _canonical({"digest": _digest(header, arrays), **header})
    arrays = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    begin, ordered = _header_of(arrays, text)
    with disk_errors(path), replacing(path) as stream:
        stream.write(len(begin).to_bytes(8, "little") + begin)
        for name in ordered:
            stream.write(_bytes_of(arrays[name]))


def _header_of(arrays: Arrays, text: str) -> tuple[bytes, list[str]]:
    """The header of a safetensors file, and its arrays in the order in which they stand there.

    Byte for byte that of the library, which would copy every array twice to write it.
    """
    kinds = {name: _KINDS[array.dtype.name] for name, array in arrays.items()}
    ordered = sorted(arrays, key=lambda name: (_ORDER.index(kinds[name]), name))
    table: dict[str, Any] = {"__metadata__": {KEY: text}}
    end = 0
    for name in ordered:
        start, end = end, end + arrays[name].nbytes
        shape = list(arrays[name].shape)
        table[name] = {"dtype": kinds[name], "shape": shape, "data_offsets": [start, end]}
    begin = json.dumps(table, separators=(",", ":")).encode()
    return begin + b" " * (-len(begin) % 8), ordered


def read_arrays(path: Path) -> tuple[dict[str, Any], Arrays]:
    """A file of `write_arrays` in, header and arrays out.

    Raises:
        CheckpointError: If the file is missing, damaged, changed since, or not ours.
    """
    header = _described(path).header
    try:
        with safe_open(path, framework="numpy") as stream:
            arrays = {name: stream.get_tensor(name) for name in stream.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
        raise _not_whole(path, str(error)) from error
    digest = header.pop("digest")
    if digest != _digest(header, arrays):
        raise CheckpointError(
            f"{path}: was changed after it was written (its digest does not fit); copy it again"
        )
    return header, arrays


@dataclass(frozen=True)
class _Described:
    """What a file says of itself before its numbers."""

    header: dict[str, Any]
    """Ours, with the digest."""
    shapes: Shapes
    dtypes: dict[str, str]
    """In safetensors' words: F32."""


def _described(path: Path) -> _Described:
    """Read the header alone, so that nothing is allocated for a false claim.

    Raises:
        CheckpointError: If the file is missing or damaged, or not ours.
    """
    try:
        table = json.loads(_header_bytes(path), object_pairs_hook=_without_twins)
        metadata = table.pop("__metadata__", {})
        shapes = {str(name): tuple(map(int, one["shape"])) for name, one in table.items()}
        dtypes = {str(name): str(one["dtype"]) for name, one in table.items()}
        text = metadata.get(KEY)
    except _UNREADABLE as error:
        raise _not_whole(path, f"its header cannot be read: {error}") from error
    if text is None:
        raise CheckpointError(f"{path}: was not written by seqforge: no {KEY!r} in its header")
    try:
        header = json.loads(text, object_pairs_hook=_without_twins)
        header["digest"]
    except _UNREADABLE as error:
        raise CheckpointError(f"{path}: a damaged header; copy the file again") from error
    return _Described(header, shapes, dtypes)


def _header_bytes(path: Path) -> bytes:
    if path.is_dir():
        raise CheckpointError(f"{path}: is a folder without a model; name a .safetensors file")
    if not path.is_file():
        missing = "is no ordinary file" if path.exists() else "there is no such file"
        raise CheckpointError(f"{path}: {missing}")
    try:
        with path.open("rb") as stream:
            begin = stream.read(32)
            size, room = int.from_bytes(begin[:8], "little"), path.stat().st_size - 8
            if begin[8:9] != b"{":
                for magic, kind in _FOREIGN.items():
                    if begin.startswith(magic):
                        raise CheckpointError(
                            f"{path}: is {kind} and no .safetensors file; seqforge reads only "
                            "models that it wrote itself"
                        )
            if room < 2 or size > room or begin[8:9] != b"{":
                raise _not_whole(path, "its header is not whole")
            if size > _MOST_HEADER:
                raise _not_whole(path, f"its header of {size:,} bytes is larger than any model's")
            stream.seek(8)
            return stream.read(size)
    except OSError as error:
        raise CheckpointError(f"{path}: {unreadable(error)}") from error


def _not_whole(path: Path, why: str) -> CheckpointError:
    return CheckpointError(
        f"{path}: is not a whole .safetensors file ({why:.200}); copy it again or train it again"
    )


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Parse a JSON object and refuse duplicate keys, which readers treat differently."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands twice in it")
    return found


def _canonical(value: Mapping[str, Any]) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def weights_digest(weights: Arrays) -> str:
    """What tells a model's weights from others, whatever its card says."""
    return _digest({}, weights)


def _digest(header: Mapping[str, Any], arrays: Arrays) -> str:
    digest = hashlib.sha256(_canonical(header).encode())
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name}{array.dtype.str}{array.shape}".encode())
        digest.update(_bytes_of(array))
    return digest.hexdigest()


def _bytes_of(array: NDArray[Any]) -> memoryview:
    """The bytes of an array, not copied where they lie in order."""
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8).data
