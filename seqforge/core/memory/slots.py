"""Hashed contexts in, evidence for the next decision out: what followed them before.

A line of memory (64 bytes) has eight slots. A slot is one decision in one context: check bits, a
slow and a fast probability, how often it was met, and the last answers there. A further slot
holds the symbol that came last in the context, and how often in a row.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqforge.core.kernels.compiler import kernel
from seqforge.core.kernels.intrinsics import find_equal, find_least, high_product, prefetch
from seqforge.core.memory.code_tree import DEEPEST, GROUP
from seqforge.core.memory.contexts import Hashes, hashed

LINE = 32
"""Numbers (uint16) of a line: eight check words, then what the eight slots hold, by kind."""
SLOW, FAST, MET = 8, 16, 24
"""Where a slot's probabilities and its count and history lie behind its check word."""
INPUTS = 6
"""Numbers that a context gives the mixer."""
HALF = 32768
_RUN = 40503
_STEP = 25717
_LIMIT = 250
_FASTEST = 0.07
HISTORY_RATE = 0.004
RUN_RATE = 0.006
GRID_RATE = 0.003
_CLASSES = 32
_BYTES_A_SYMBOL = 35 * 2 * 2 * LINE  # contexts, groups of decisions, uint16

Words = NDArray[np.uint16]
Floats = NDArray[np.float32]


class SlotTables(NamedTuple):
    """What contexts have learnt."""

    slots: Words
    """Lines; the first one is never written: what is not found is read there."""
    histories: Floats
    """(contexts, 3 * 256): the chance of a yes by what the last symbol says and the last
    answers."""
    grid: Floats
    """(contexts, 32 * 32): the chance of a yes for a count and a slow probability."""
    runs: Floats
    """(contexts, 32): the chance that the last symbol comes again after so many in a row."""
    stretch: Floats
    """ln(p / (1 - p)) for 4096 p."""
    rates: Floats
    """How far a slow probability moves the n-th time."""


class SlotRoom(NamedTuple):
    """The contexts of the symbol at hand (C,), and the decisions on the way to it (D, C)."""

    hashes: Hashes
    lines: NDArray[np.int64]
    """Where the line of each context begins, for each group of decisions."""
    checks: NDArray[np.int64]
    """The context's part of the check words there."""
    wanted: NDArray[np.int64]
    """Check words of the decisions."""
    found: NDArray[np.int64]
    """Their slots; 1 and 2 are what a slot would hold, 0 is none."""
    says: NDArray[np.int64]
    """Whether the last symbol of a context answers no (1) or yes (2); 0: it cannot come."""
    run_checks: NDArray[np.int64]
    run_found: NDArray[np.int64]
    run_symbols: NDArray[np.int64]
    run_lengths: NDArray[np.int64]


def table_bytes(symbols: int, budget: int, memories: int = 1) -> int:
    """How large the tables of contexts have to be for so many symbols, within a budget: a power of
    two for a memory by itself, an equal part of all for one of several."""
    share = min(budget // memories, max(1 << 22, symbols * _BYTES_A_SYMBOL))
    return share if memories > 1 else 1 << max(share.bit_length() - 1, 10)


def slot_tables(contexts: int, budget: int, stretch: Floats) -> SlotTables:
    """Empty tables that take so many bytes at most."""
    lines = max(int(budget // (2 * LINE)), 16)
    slots = np.zeros(lines * LINE, np.uint16)
    slots[SLOW:MET] = HALF
    slots[MET : MET + 8] = 1
    once = 2 / 3  # how far the first answer moves a probability
    for answer in (0, 1):  # what a slot holds after one answer
        slots[[SLOW + 1 + answer, FAST + 1 + answer]] = round(
            HALF + ((65535 if answer else 0) - HALF) * once
        )
        slots[MET + 1 + answer] = 1 << 8 | 2 | answer
    grid = np.tile((np.arange(_CLASSES) + 0.5) / _CLASSES, (contexts, _CLASSES))
    return SlotTables(
        slots, np.full((contexts, 3 * 256), 0.5, np.float32), grid.astype(np.float32),
        np.full((contexts, 32), 0.7, np.float32), stretch,
        (1 / (np.arange(256) + 1.5)).astype(np.float32),
    )  # fmt: skip


def slot_room(contexts: int) -> SlotRoom:
    """Room for a number of contexts."""
    groups = np.zeros((2, DEEPEST // GROUP + 1, contexts), np.int64)
    return SlotRoom(
        np.zeros(contexts, np.uint64), *groups, *np.zeros((3, DEEPEST, contexts), np.int64),
        *np.zeros((4, contexts), np.int64),
    )  # fmt: skip


@kernel
def _below_power(count: int) -> int:
    """One less than the first power of two that is no less than a count; a mask."""
    mask = count - 1
    for n in range(5):
        mask |= mask >> (1 << n)
    return mask


@kernel
def aim(tables: SlotTables, room: SlotRoom, group: int, level: int) -> None:
    """Find the lines of a group of decisions, and begin to fetch them."""
    lines = len(tables.slots) // LINE
    mask = _below_power(lines)
    for i in range(len(room.hashes)):
        h = hashed(room.hashes[i] + np.uint64(i), np.uint64(group))
        place = int(h >> np.uint64(20)) & mask
        if place >= lines:  # there are so many where they are no power of two
            place = int(high_product(h, np.uint64(lines)))
        line = max(place, 1) * LINE
        room.lines[level, i] = line if group == 0 or room.run_found[i] > 0 else 0
        room.checks[level, i] = int(h & np.uint64(0xFFFF))
        prefetch(tables.slots, room.lines[level, i])


@kernel
def read_runs(tables: SlotTables, room: SlotRoom, vocab_size: int) -> None:
    """Find the symbol that came last in each context; the lines are those of the first group.

    A decision's slot may have the same check word; mostly it holds no symbol then.
    """
    for i in range(len(room.hashes)):
        line, check = room.lines[0, i], max((room.checks[0, i] + _RUN) & 0xFFFF, 1)
        k = find_equal(tables.slots, line, check)
        at = line + k if k < 8 and tables.slots[line + k + SLOW] < vocab_size else 0
        room.run_checks[i], room.run_found[i] = check, at
        room.run_symbols[i] = tables.slots[at + SLOW] if at > 0 else 0
        room.run_lengths[i] = min(tables.slots[at + FAST], 31) if at > 0 else 0


@kernel
def find_slots(
    tables: SlotTables, room: SlotRoom, codes: NDArray[np.uint64], path: np.uint64, depth: int,
    place: int,
) -> None:  # fmt: skip
    """Find the slots of a decision, by its place in the group.

    A context that was met once has none: its last symbol says what a slot would hold.
    """
    lines, checks = room.lines[depth // GROUP], room.checks[depth // GROUP]
    for i in range(len(room.hashes)):
        code = codes[room.run_symbols[i]]
        differs = ((code ^ path) >> np.uint64(1)) >> np.uint64(63 - depth)
        yes = int((code >> np.uint64(63 - depth)) & np.uint64(1))
        says = 1 + yes if room.run_lengths[i] > 0 and differs == np.uint64(0) else 0
        check = max((checks[i] + place * _STEP) & 0xFFFF, 1)
        k = find_equal(tables.slots, lines[i], check)
        room.says[depth, i] = says
        room.wanted[depth, i] = check
        room.found[depth, i] = lines[i] + k if k < 8 else says


@kernel
def slot_inputs(tables: SlotTables, room: SlotRoom, depth: int, inputs: Floats) -> None:
    """Write the evidence of each context's slot, `INPUTS` apart."""
    for i in range(len(room.hashes)):
        at, to = room.found[depth, i], i * INPUTS
        slow, fast, met = tables.slots[at + SLOW], tables.slots[at + FAST], tables.slots[at + MET]
        count = met >> 8
        known = 1.0 if count > 0 else 0.0
        share = min(count, 8) * 0.125
        inputs[to] = tables.stretch[slow >> 4]
        inputs[to + 1] = (float(slow) * (4.0 / 65536.0) - 2.0) * share
        inputs[to + 2] = tables.stretch[
            int(float(tables.histories[i, room.says[depth, i] * 256 + (met & 255)]) * 4095.999)
        ]
        inputs[to + 3] = tables.stretch[fast >> 4]
        cell = float(tables.grid[i, min(count, 31) * 32 + (slow >> 11)])
        inputs[to + 4] = float(tables.stretch[int(cell * 4095.999)]) * known


@kernel
def run_inputs(tables: SlotTables, room: SlotRoom, depth: int, inputs: Floats) -> int:
    """Write what the last symbol of each context says, where it still can come.

    Returns how many contexts say yes less how many say no.
    """
    balance = 0
    for i in range(len(room.hashes)):
        cell = float(tables.runs[i, room.run_lengths[i]])
        chance = float(tables.stretch[int(cell * 4095.999)])
        says = room.says[depth, i]
        sign = (1 if says == 2 else -1) if says > 0 else 0
        inputs[i * INPUTS + 5] = chance * float(sign)
        balance += sign
    return balance


@kernel
def longest(room: SlotRoom, depth: int, orders: int) -> int:
    """The last of the first contexts that knows something of the decision."""
    found = 0
    for i in range(1, orders):
        if room.found[depth, i] > 0:
            found = i
    return found


@kernel
def _moved(chance: int, answer: int, rate: float) -> int:
    """A probability of 16 bits after an answer."""
    target = 65535.0 if answer == 1 else 0.0
    return int(float(chance) + (target - float(chance)) * rate + 0.5)


@kernel
def learn_answer(tables: SlotTables, room: SlotRoom, depth: int, answer: int) -> None:
    """Let slots, made where there are none, and the tables behind them learn an answer."""
    slots = tables.slots
    wish, lines = float(answer), room.lines[depth // GROUP]
    for i in range(len(room.hashes)):
        at = room.found[depth, i]
        slow, fast, met = slots[at + SLOW], slots[at + FAST], slots[at + MET]
        count, history = met >> 8, met & 255
        which = room.says[depth, i] * 256 + history
        cell = float(tables.histories[i, which])
        tables.histories[i, which] = cell + (wish - cell) * HISTORY_RATE
        which = min(count, 31) * 32 + (slow >> 11)
        cell = float(tables.grid[i, which])
        tables.grid[i, which] = cell + (wish - cell) * GRID_RATE
        if room.run_found[i] == 0:  # a context that is met for the first time has no slots
            continue
        if slots[at] != room.wanted[depth, i]:  # there is none, or another context took its place
            at = lines[i] + find_least(slots, lines[i] + MET)
            slots[at] = room.wanted[depth, i]
        rate = float(tables.rates[count])
        slots[at + SLOW] = _moved(slow, answer, rate)
        slots[at + FAST] = _moved(fast, answer, max(rate, _FASTEST))
        longer = history * 2 + answer
        history = longer if history < 128 else (longer & 127) | 128
        slots[at + MET] = (min(count + 1, _LIMIT) << 8) | history


@kernel
def learn_symbol(tables: SlotTables, room: SlotRoom, symbol: int) -> None:
    """Let each context know which symbol came, and whether it was the last one again."""
    slots = tables.slots
    for i in range(len(room.hashes)):
        at, length = room.run_found[i], room.run_lengths[i]
        known = slots[at] == room.run_checks[i]
        if not known:
            at = room.lines[0, i] + find_least(slots, room.lines[0, i] + MET)
            slots[at] = room.run_checks[i]
        else:
            same = 1.0 if room.run_symbols[i] == symbol else 0.0
            cell = float(tables.runs[i, length])
            tables.runs[i, length] = cell + (same - cell) * RUN_RATE
        again = known and length > 0 and room.run_symbols[i] == symbol
        slots[at + SLOW] = symbol
        slots[at + FAST] = min(slots[at + FAST] + 1, 255) if again else 1
        slots[at + MET] = (slots[at + FAST] << 8) | 1
