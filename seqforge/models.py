"""Finding models: bundled ones by name, others by file or run folder."""

from __future__ import annotations

from pathlib import Path

from seqforge.base.nearest import did_you_mean
from seqforge.base.spooling import is_piped, settled
from seqforge.errors import CheckpointError
from seqforge.resources import bundled_folder
from seqforge.runs import RUNS, RunFolder

_SUFFIX = ".safetensors"


def bundled_models() -> dict[str, Path]:
    """Models that ship, by name."""
    return {path.stem: path for path in sorted(bundled_folder().glob(f"*{_SUFFIX}"))}


def local_models() -> dict[str, Path]:
    """Models in the run folders under ``runs/``, by folder."""
    found = sorted(RUNS.glob("*/model.safetensors"), key=lambda path: path.stat().st_mtime)
    return {str(path.parent): path for path in found}


def find_model(name: str) -> Path:
    """The file of a model, given as a bundled name, a .safetensors file or a run folder.

    Raises:
        CheckpointError: If there is none; names those that there are.
    """
    path = Path(name)
    if is_piped(name):
        return settled(path)
    if len(path.name) > 255:  # no file system has such names, and some raise over them
        raise CheckpointError(f"{name[:40]}...: is no model; give a name, a file or a run folder")
    if path.is_dir():
        model = RunFolder(path).model
        if not model.is_file():
            raise CheckpointError(f"{path}: no model in this run folder yet; let its run finish")
        return model
    if path.suffix == _SUFFIX or path.exists():
        return path
    bundled = bundled_models()
    if name not in bundled:
        known = ", ".join(bundled) or "none"
        raise CheckpointError(
            f"{name!r} is no bundled model ({known}), no .safetensors file and no run folder"
            + did_you_mean(name, [*bundled, *local_models()])
        )
    return bundled[name]
