"""Tables of a saved memory in, checked against those of a new one, so that no index in them leads
outside.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqforge.core.memory.code_tree import CodeTree, tree_of
from seqforge.core.memory.copies import CopyTables
from seqforge.core.memory.mixer import MixerTables
from seqforge.core.memory.slots import LINE, SlotTables
from seqforge.core.memory.symbol_memory import Tables


def restored_tables(found: Tables, new: Tables) -> Tables:
    """Saved tables and those of a new memory of the same symbols in, what may be read with out.

    Raises:
        ValueError: If they do not fit.
    """
    size = len(new.ranks)
    ranks = _whole("ranks", found.ranks, new.ranks, int(new.ranks.max()) + 1)
    return new._replace(
        tree=_tree(found.tree, size), slots=_slots(found.slots, new.slots),
        copies=_copies(found.copies, new.copies, size), mixer=_mixer(found.mixer, new.mixer),
        ranks=ranks,
    )  # fmt: skip


def _tree(found: CodeTree, size: int) -> CodeTree:
    if found.children.shape != (size - 1, 2):
        raise ValueError("the code tree is one of other symbols")
    return tree_of(found.children)


def _slots(found: SlotTables, new: SlotTables) -> SlotTables:
    lines = found.slots.size // LINE
    if lines < 16 or lines & (lines - 1) or found.slots.shape != (lines * LINE,):
        raise ValueError("the table of contexts has no size of one")
    return new._replace(
        slots=_like("slots", found.slots, new.slots),
        histories=_chances("histories", found.histories, new.histories),
        grid=_chances("grid", found.grid, new.grid), runs=_chances("runs", found.runs, new.runs),
    )  # fmt: skip


def _copies(found: CopyTables, new: CopyTables, size: int) -> CopyTables:
    read = _whole("read", found.read, new.read, len(found.history) + 1)
    history = _like("history", found.history, new.history)
    if history[: int(read[0])].max(initial=0) >= size:
        raise ValueError("the history has a symbol that is none")
    return new._replace(
        history=history, read=read,
        heads=_whole("heads", found.heads, new.heads, 1 << 31),
        chances=_chances("chances", found.chances, new.chances),
    )  # fmt: skip


def _mixer(found: MixerTables, new: MixerTables) -> MixerTables:
    ways = len(found.visits)
    names = [name for name in MixerTables._fields if name != "starts"]
    tables = {name: _like(name, getattr(found, name), getattr(new, name)) for name in names}
    if ways < 2 or any(len(table) != ways for table in tables.values()):
        raise ValueError("the mixer has not learnt with a network")
    for name in names:
        if tables[name].shape[1:] != getattr(new, name).shape[1:]:
            raise ValueError(f"{name} has another shape")
        if not np.isfinite(tables[name]).all():
            raise ValueError(f"{name} has what is no number")
    return new._replace(**tables)


def _like(name: str, found: NDArray[Any], new: NDArray[Any]) -> NDArray[Any]:
    """The array, if it is of a kind with a new one."""
    if found.dtype != new.dtype or found.ndim != new.ndim:
        raise ValueError(f"{name} is another kind of array")
    return found


def _whole(name: str, found: NDArray[Any], new: NDArray[Any], stop: int) -> NDArray[Any]:
    """Whole numbers from 0 to below ``stop``."""
    if _like(name, found, new).shape != new.shape or not 0 <= found.min() <= found.max() < stop:
        raise ValueError(f"{name} has what it cannot have")
    return found


def _chances(name: str, found: NDArray[Any], new: NDArray[Any]) -> NDArray[Any]:
    """Probabilities."""
    inside = (found >= 0).all() and (found <= 1).all()
    if _like(name, found, new).shape != new.shape or not inside:
        raise ValueError(f"{name} has what is no probability")
    return found
