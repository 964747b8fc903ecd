"""Many samples side by side: a row that is done takes the next sample, and threads share the rows.

A sample hangs on its number alone, so neither rows nor threads change it. Samples come out in
order; what is done too early waits, and how much may wait is bounded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from seqforge.core.domain import Sample
from seqforge.core.sampling.plan import Drawing, Plan
from seqforge.core.sampling.streams import Streams

_CALL_SYMBOLS = 4096  # of all rows of a lot: a millisecond or ten, whatever their number
_SHORTEST_CALL, _LONGEST_CALL = 64, 1024
_AHEAD = 4  # samples that may be begun before one is done, as a multiple of the rows


Drawn = Callable[[int], None]
"""Told how many symbols came since it was last told."""


@dataclass
class _Lot:
    """The rows of one thread."""

    state: Any
    streams: Streams
    drawings: list[Drawing | None]


def draw_samples(
    plan: Plan, first: int, count: int, rows: int, threads: int, drawn: Drawn
) -> Iterator[Sample]:  # fmt: skip
    """Draw streams ``first`` to ``first + count - 1``; yields their samples in order.

    Args:
        plan: How to draw.
        first: Number of the first stream.
        count: How many.
        rows: Most rows of a thread.
        threads: Most threads.
        drawn: Told how many symbols each call drew.
    """
    if count < 1:
        return
    threads = min(threads, count)
    lots = [_lot(plan, min(rows, -(-count // threads))) for _ in range(threads)]
    with ThreadPoolExecutor(threads) as executor:
        run = map if threads == 1 else executor.map
        numbers = range(first, first + count)
        begun, next_out = iter(numbers), first
        ahead = _AHEAD * sum(len(lot.drawings) for lot in lots)
        ready: dict[int, list[Sample]] = {}
        seats = [(lot, row) for lot in lots for row in range(len(lot.drawings))]
        waiting = next(begun, None)
        while next_out in numbers:
            for lot, row in seats:
                if lot.drawings[row] is None and waiting is not None and waiting < next_out + ahead:
                    _seat(plan, lot, row, waiting)
                    waiting = next(begun, None)
            list(run(lambda lot: plan.engine.run(
                lot.state, lot.streams, plan.rules, plan.grammar), lots))  # fmt: skip
            drawn(sum(int((lot.streams.drawn >= 0).sum()) for lot in lots))
            for lot, row in seats:
                _collect(lot, row, ready)
            while next_out in ready:
                yield from ready.pop(next_out)
                next_out += 1


def _lot(plan: Plan, rows: int) -> _Lot:
    call = min(max(_CALL_SYMBOLS // rows, _SHORTEST_CALL), _LONGEST_CALL)
    state = plan.engine.rows(plan.state, np.zeros(rows, np.int64))
    return _Lot(state, plan.streams(rows, call), [None] * rows)


def _seat(plan: Plan, lot: _Lot, row: int, number: int) -> None:
    plan.seat(lot.streams, row, number)
    plan.engine.put(lot.state, row, plan.state)
    lot.drawings[row] = Drawing(plan, number)


def _collect(lot: _Lot, row: int, ready: dict[int, list[Sample]]) -> None:
    drawing = lot.drawings[row]
    if drawing is None:
        return
    drawing.take(lot.streams, row)
    if not drawing.open:
        lot.streams.open[row] = False
        lot.drawings[row] = None
        ready[drawing.number] = drawing.done
