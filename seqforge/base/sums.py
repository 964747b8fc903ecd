"""A folder in, a sum of every file of it out; and later what of it is not any more as it was.

The sums are CRC-32, a sixteenth of a second for 100 MB: they find what a disk, a power cut or a
copy did, and are no defence against a person. Files are read in blocks.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_BLOCK = 1 << 20
_OWN = "sum"

Sums = dict[str, list[int]]
"""Size and CRC-32 of each file, by its name."""


def sums_of(folder: Path, besides: str) -> Sums:
    """The sums of all files of a folder that have an ending, but for one of them."""
    return {
        path.name: sum_of(path)
        for path in sorted(folder.iterdir())
        if path.suffix and path.name != besides and path.is_file()
    }


def damage(folder: Path, index: str) -> str | None:
    """What is wrong with a folder of which a sealed JSON file has the sums, as ``files``.

    None where every byte is as it was: a loss of power may leave a file of the right size, and
    zeros in it.
    """
    try:
        sums = unsealed(json.loads((folder / index).read_text(encoding="utf-8")))["files"]
        return changed(folder, sums)
    except OSError as error:
        return f"{Path(error.filename or index).name}: {error.strerror or error}"
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return f"{index} cannot be read"


def changed(folder: Path, sums: Mapping[str, Any]) -> str | None:
    """The first file that is not as it was, and how; None where all are.

    Raises:
        OSError: If a file cannot be read.
    """
    for name, (size, crc) in sums.items():
        path = folder / name
        if not path.is_file():
            return f"{name} is missing"
        if path.stat().st_size != size:
            return f"{name} has {path.stat().st_size:,} bytes of {size:,}"
        if sum_of(path) != [size, crc]:
            return f"{name} has changed"
    return None


def sealed(document: Mapping[str, Any]) -> dict[str, Any]:
    """A JSON document with a sum of itself in it."""
    return {**document, _OWN: _own_sum(document)}


def unsealed(document: Any) -> dict[str, Any]:
    """The document that was sealed; one that has no sum of itself is taken as it is.

    Raises:
        ValueError: If it is no document, or not any more as it was.
    """
    if not isinstance(document, dict):
        raise ValueError("holds no JSON object")
    rest = {key: value for key, value in document.items() if key != _OWN}
    if _OWN in document and document[_OWN] != _own_sum(rest):
        raise ValueError("has changed since it was written")
    return rest


def _own_sum(document: Mapping[str, Any]) -> int:
    kept = json.loads(json.dumps(document))  # a key that is a number comes back as a text
    return zlib.crc32(json.dumps(kept, sort_keys=True).encode())


def sum_of(path: Path) -> list[int]:
    """Size and CRC-32 of a file."""
    size = crc = 0
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            size += len(block)
            crc = zlib.crc32(block, crc)
    return [size, crc]
