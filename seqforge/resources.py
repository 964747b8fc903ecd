"""Where the files that ship lie: in a wheel inside the package, in a clone beside it."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).parent


def _shipped(name: str) -> Path:
    inside = _PACKAGE / f"_{name}"
    return inside if inside.is_dir() else _PACKAGE.parent / name


def data_folder() -> Path:
    """Small inputs that ship, with sources and licences in their README."""
    return _shipped("data")


def recipe_folder() -> Path:
    """Recipes (TOML), one an experiment."""
    return _shipped("pipelines")


def bundled_folder() -> Path:
    """Small trained models."""
    return _PACKAGE / "bundled"
