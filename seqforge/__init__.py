"""Train small recurrent sequence models on your own text, genome or tunes, and sample them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from seqforge.version import __version__

if TYPE_CHECKING:
    from seqforge.api import Model, load

__all__ = ["Model", "__version__", "load"]


def __getattr__(name: str) -> Any:
    """``seqforge.load`` and ``seqforge.Model``, imported when first asked for (torch is slow)."""
    if name in ("load", "Model"):
        from seqforge import api

        return getattr(api, name)
    raise AttributeError(f"module 'seqforge' has no attribute {name!r}")
