"""A memory and its model in, memory.safetensors out, and back: what was learnt, packed, with the
model that it was learnt beside.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from seqforge.core.memory.memory import HasStreams, KeepsMemory, Memory, SavedMemory
from seqforge.core.memory.several import parts_of
from seqforge.core.model.checkpoint import (
    MEMORY_FORMAT,
    Checkpoint,
    read_arrays,
    weights_digest,
    write_arrays,
)
from seqforge.errors import CheckpointError

FORMAT = 1
_LEVEL = 1
_MOST = 1100
"""No array is larger than so many times what it is packed to (zlib's limit is 1032)."""
_UNREADABLE = (
    ValueError, KeyError, TypeError, IndexError, AttributeError, OverflowError, zlib.error,
)  # fmt: skip
_KINDS = {"uint8", "uint16", "uint32", "uint64", "int32", "int64", "float32", "float64", "bool"}


def save_memory(path: Path, memory: Memory, model: Checkpoint) -> None:
    """Write what a memory has learnt, atomically.

    Args:
        path: Of the file.
        memory: It has read the training data, and has learnt with the model how far to trust it.
        model: The one.

    Raises:
        RunError: If the disk refuses.
    """
    arrays = memory.to_arrays()
    header = {
        MEMORY_FORMAT: FORMAT,
        "domain": model.card.config.domain,
        "symbols": list(model.card.symbols),
        "weights": weights_digest(model.weights),
        "memories": max(1, len(parts_of(arrays))),
        "arrays": {name: [array.dtype.name, *array.shape] for name, array in arrays.items()},
    }
    write_arrays(path, header, {name: _packed(array) for name, array in arrays.items()})


def load_memory(path: Path, model: Checkpoint, domain: KeepsMemory) -> SavedMemory:
    """Read a memory back, for the model that it was learnt beside.

    Raises:
        CheckpointError: If the file is missing, damaged, no memory, or that of another model.
    """
    header, packed = read_arrays(path)
    if header.get(MEMORY_FORMAT) != FORMAT:
        raise CheckpointError(f"{path}: is no memory of format {FORMAT}; save it again")
    card = model.card
    if header.get("domain") != card.config.domain or header.get("symbols") != list(card.symbols):
        raise CheckpointError(
            f"{path}: is the memory of a model with other symbols than {card.name}; give the "
            "memory that was saved with it"
        )
    if header.get("weights") != weights_digest(model.weights):
        raise CheckpointError(
            f"{path}: is the memory of another model than {card.name}, which it has learnt how far "
            "to trust; give the memory that was saved with it"
        )
    try:
        arrays = _unpacked(header["arrays"], packed)
        if max(1, len(parts_of(arrays))) != header.get("memories", 1):
            raise ValueError("it has another number of memories than it says")
        memory = domain.saved_memory(card.vocabulary, arrays)
    except _UNREADABLE as error:
        raise CheckpointError(f"{path}: cannot be used ({error}); save the memory again") from error
    if not isinstance(memory, HasStreams):
        raise CheckpointError(f"{path}: no samples can be drawn with this kind of memory")
    found: Any = memory
    return cast(SavedMemory, found)


def _packed(array: NDArray[Any]) -> NDArray[np.uint8]:
    flat = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
    return np.frombuffer(zlib.compress(flat.data, _LEVEL), np.uint8)


def _unpacked(
    kinds: Mapping[str, Any], packed: Mapping[str, NDArray[Any]]
) -> dict[str, NDArray[Any]]:
    """The arrays; nothing is allocated for more than what is there can hold.

    Raises:
        ValueError: If what is packed is not what was said.
    """
    return {name: _array(name, kind, packed[name]) for name, kind in kinds.items()}


def _array(name: str, kind: Any, packed: NDArray[Any]) -> NDArray[Any]:
    dtype, *shape = kind
    if dtype not in _KINDS or not all(isinstance(n, int) and n >= 0 for n in shape):
        raise ValueError(f"{name} is of no kind of array")
    size = math.prod(shape) * np.dtype(dtype).itemsize
    if size > _MOST * (len(packed) + 1):
        raise ValueError(f"{name} is larger than what is packed")
    unpacking = zlib.decompressobj()
    data = bytearray(unpacking.decompress(packed.tobytes(), size + 1))
    if len(data) != size or not unpacking.eof:
        raise ValueError(f"{name} has not the size that it should have")
    return np.frombuffer(data, dtype).reshape(shape)
