"""An index and its array's size in, the index or an `IndexError` out: kernels that check bounds.

Machine code cannot raise. It notes the first index that is outside and goes on with 0 instead; the
caller raises what was noted.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir

from seqforge.core.kernels.llvm import I64

_noted = np.zeros(3, np.int64)
"""The place in the source, counted from 1, the index and the size; zeros while there is none."""
_places: list[str] = []


def write_check(b: ir.IRBuilder, index: Any, size: Any, place: str) -> Any:
    """Write the check of an index at ``file:line``; returns the index to go on with."""
    _places.append(place)
    inside = b.icmp_unsigned("<", index, size)
    with b.if_then(b.not_(inside)):
        note = b.inttoptr(ir.Constant(I64, _noted.ctypes.data), I64.as_pointer())
        with b.if_then(b.icmp_signed("==", b.load(note), ir.Constant(I64, 0))):
            for at, value in enumerate((ir.Constant(I64, len(_places)), index, size)):
                b.store(value, b.gep(note, [ir.Constant(I64, at)]))
    return b.select(inside, index, ir.Constant(I64, 0))


def raise_what_was_noted() -> None:
    """Raise the first index that was outside since the last call.

    Raises:
        IndexError: With the file and line, the index and the size.
    """
    place, index, size = _noted.tolist()
    _noted[:] = 0
    if place:
        raise IndexError(f"{_places[place - 1]}: index {index} of an array of {size}")
