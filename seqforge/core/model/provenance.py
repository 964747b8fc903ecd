"""Where a model comes from: its data, its training, its ancestors, its score."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel

from seqforge.core.config import STRICT
from seqforge.core.data.overlap import Sketch


def _checked_sketch(text: str) -> str:
    Sketch.parse(text)
    return text


class Ancestor(BaseModel):
    """A model that another one was initialised from."""

    model_config = STRICT

    name: str
    sha256: str
    """Of its file."""
    inputs: tuple[tuple[str, str], ...] = ()
    """Its training files: name and SHA-256 of each."""
    steps: int = 0
    note: str = ""


class Provenance(BaseModel):
    """Origin and held-out score of a model."""

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
    """Held-out score in bits, on valid and test."""
    date: str = ""
    note: str = ""
    """For readers of the card: source and licence of the data."""
    ancestors: tuple[Ancestor, ...] = ()
    """Models it was initialised from, the nearest first."""
    sketch: Annotated[str, AfterValidator(_checked_sketch)] = ""
    """Of the windows of all that it was trained on, its ancestors' training data among them; see
    `data.overlap.Sketch`. Older models have none."""
