"""Records of ids and an engine in, what the network expected and what every unit did at each
symbol out, memory-mapped where it is large.
"""

from __future__ import annotations

import math
import shutil
import weakref
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from seqforge.base.machine import release_pages, usable_cores
from seqforge.base.messages import Advance, unheard
from seqforge.core.cells.catalogue import cell_type
from seqforge.core.data.vocabulary import Vocabulary
from seqforge.core.kernels.ops import block_names
from seqforge.core.sampling.engine import TracingEngine
from seqforge.core.sampling.states_kernel import States

TOP = 5
"""Of the likeliest symbols, as many are kept."""

_PIECE = 4096  # symbols of a row
_CONTEXT = 512  # read before a piece that begins inside a record
_ROWS = 64
_STEPS = 64  # at a time: 64 rows of 600 units take 10 MB
_IN_MEMORY = 1 << 26  # bytes; what is larger is memory-mapped

Ids = NDArray[np.integer[Any]]
Halves = NDArray[np.float16]


class Piece(NamedTuple):
    """A stretch of a record that one row reads."""

    record: int
    context: int
    """From where it is read, in the record."""
    start: int
    """From where it is kept."""
    stop: int
    at: int
    """Where ``start`` lies among the symbols of all records."""


Visit = Callable[[list[Piece], int, States], None]
"""Told of a window; see `read_pieces`."""


class _OwnFolder:
    """A folder that goes when nobody holds it any more."""

    def __init__(self) -> None:
        self.name = mkdtemp(prefix="seqforge-")
        weakref.finalize(self, shutil.rmtree, self.name, ignore_errors=True)


@dataclass(frozen=True)
class Trace:
    """N symbols of one or more records, one after the other; L layers of H units.

    State and gates at a symbol are those after it was read; bits, entropy and the likeliest symbols
    are of the prediction of this symbol, made before.
    """

    ids: NDArray[np.int64]
    """(N,)."""
    lengths: tuple[int, ...]
    """Symbols of each record."""
    bits: NDArray[np.float32]
    """(N,): surprise, minus the binary logarithm of the probability."""
    entropy: NDArray[np.float32]
    """(N,): bits expected."""
    top_ids: NDArray[np.int32]
    """(N, 5): the likeliest symbols, the first one first; fewer in small vocabularies."""
    top_probabilities: Halves
    """(N, 5)."""
    hidden: Halves
    """(N, L, H): h."""
    cell: Halves | None
    """(N, L, H): the cell of an LSTM; None for other networks."""
    gates: Halves | None
    """(N, L, blocks, H): activations, named by `gate_names`; None if they were not asked for."""
    gate_names: tuple[str, ...]
    _folder: _OwnFolder | None = field(default=None, repr=False)

    def __len__(self) -> int:
        """Number of symbols."""
        return len(self.ids)

    def expected(self, place: int, vocabulary: Vocabulary) -> list[tuple[str, float]]:
        """The likeliest symbols at a place, with their probabilities; the end symbol is ``""``."""
        symbols = ("", *vocabulary.symbols)
        pairs = zip(self.top_ids[place], self.top_probabilities[place], strict=True)
        return [(symbols[number], float(chance)) for number, chance in pairs]

    @property
    def carried(self) -> Halves:
        """(N, L, H): what a unit can be held at: the cell of an LSTM, else h."""
        return self.hidden if self.cell is None else self.cell

    def units(self, start: int = 0, stop: int | None = None) -> NDArray[np.float32]:
        """What units carry, in [-1, 1], as (n, L * H): h, or tanh of an LSTM's cell."""
        part = self.carried[start:stop].astype(np.float32)
        found = part if self.cell is None else np.tanh(part, out=part)
        return found.reshape(len(part), part.shape[1] * part.shape[2])


def pieces(lengths: Sequence[int], piece: int = _PIECE, context: int = _CONTEXT) -> list[Piece]:
    """Lengths of records in, their pieces out, so that rows of about one length can be read."""
    found, at = [], 0
    for record, length in enumerate(lengths):
        for start in range(0, length, piece):
            stop = min(start + piece, length)
            found.append(Piece(record, max(0, start - context), start, stop, at + start))
        at += length
    return found


def read_pieces(
    engine: TracingEngine, records: Sequence[Ids], visit: Visit, *, gates: bool = False,
    progress: Advance = unheard,
) -> None:  # fmt: skip
    """Read records with an engine, on all cores.

    Args:
        engine: Reads.
        records: Ids (T,) of each.
        visit: Called, by several threads, with the pieces that the rows read, the step at which a
            window begins, counted from the context of each, and the window.
        gates: Whether windows hold gates.
        progress: Told of symbols read.
    """
    todo = pieces([len(ids) for ids in records])
    todo.sort(key=lambda piece: piece.context - piece.stop)
    rows = max(1, min(_ROWS, -(-len(todo) // usable_cores())))  # so that no core is idle
    batches = [todo[i : i + rows] for i in range(0, len(todo), rows)]
    total, done = sum(piece.stop - piece.start for piece in todo), 0

    def read(batch: list[Piece]) -> int:
        longest = max(piece.stop - piece.context for piece in batch)
        ids = np.zeros((longest, len(batch)), np.int64)
        for row, piece in enumerate(batch):
            ids[: piece.stop - piece.context, row] = records[piece.record][
                piece.context : piece.stop
            ]
        state = engine.begin(len(batch))
        for step in range(0, longest, _STEPS):
            visit(batch, step, engine.trace(state, ids[step : step + _STEPS], gates))
        return sum(piece.stop - piece.start for piece in batch)

    with ThreadPoolExecutor(usable_cores()) as pool:
        for count in pool.map(read, batches):
            done += count
            progress(done, total, "tracing")


def kept_rows(batch: list[Piece], step: int, steps: int) -> Iterator[tuple[int, slice, slice]]:
    """A window in; each row with something to keep, its steps, and where they belong, out."""
    for row, piece in enumerate(batch):
        first = max(piece.start - piece.context - step, 0)
        last = min(piece.stop - piece.context - step, steps)
        if first < last:
            place = piece.at - (piece.start - piece.context) + step
            yield row, slice(first, last), slice(place + first, place + last)


class Expected(NamedTuple):
    """What a network said of symbols before they came."""

    bits: NDArray[np.float32]
    entropy: NDArray[np.float32]
    top_ids: NDArray[np.int32]
    top_probabilities: NDArray[np.float32]


def expected(logits: NDArray[np.float32], ids: Ids) -> Expected:
    """Logits (T, R, V) and the symbols that came (T, R) in, what was expected (T, R, ...) out."""
    log_probs = logits - logits.max(axis=-1, keepdims=True)
    chances = np.exp(log_probs)
    total = chances.sum(axis=-1, keepdims=True)
    chances /= total
    log_probs -= np.log(total)
    came = np.take_along_axis(log_probs, ids[..., None], -1)[..., 0]
    top = np.argpartition(-chances, min(TOP, chances.shape[-1]) - 1, axis=-1)[..., :TOP]
    values = np.take_along_axis(chances, top, -1)
    order = np.argsort(-values, axis=-1, kind="stable")
    nats = -(chances * log_probs).sum(axis=-1)
    return Expected(
        (-came / math.log(2)).astype(np.float32), (nats / math.log(2)).astype(np.float32),
        np.take_along_axis(top, order, -1).astype(np.int32),
        np.take_along_axis(values, order, -1),
    )  # fmt: skip


def trace(
    engine: TracingEngine, records: Sequence[Ids], cell: str, *, gates: bool = False,
    progress: Advance = unheard,
) -> Trace:  # fmt: skip
    """Records in, their trace out.

    A record of more than 4,096 symbols is read in pieces side by side, each from 512 symbols before
    it on; what is told then differs a little from one long pass.

    Args:
        engine: Reads.
        records: Ids (T,) of each, without end symbols.
        cell: The kind of the network's cells.
        gates: Whether activations are kept too.
        progress: Told of symbols read.
    """
    count, gate_names = sum(map(len, records)), block_names(cell) if gates else ()
    first = engine.trace(engine.begin(1), np.zeros((1, 1), np.int64))
    (layers, units), width = first.hidden.shape[1::2], min(TOP, first.logits.shape[-1])
    shapes: dict[str, tuple[int, ...]] = {"hidden": (count, layers, units)}
    if cell_type(cell).carried:
        shapes["cell"] = shapes["hidden"]
    if gates:
        shapes["gates"] = (count, layers, len(gate_names), units)
    folder, arrays = _arrays(shapes)
    flat = np.concatenate([np.asarray(ids, np.int64) for ids in records] or [np.zeros(0, np.int64)])
    bits, entropy = np.empty(count, np.float32), np.empty(count, np.float32)
    top_ids = np.empty((count, width), np.int32)
    top_probabilities = np.empty((count, width), np.float16)

    def visit(batch: list[Piece], step: int, found: States) -> None:
        parts = {"hidden": found.hidden, "cell": found.kept, "gates": found.gates}
        for row, steps, places in kept_rows(batch, step, len(found.hidden)):
            said = expected(found.logits[steps, row], flat[places])
            bits[places], entropy[places] = said.bits, said.entropy
            top_ids[places], top_probabilities[places] = said.top_ids, said.top_probabilities
            for name, array in arrays.items():
                array[places] = parts[name][steps, :, row]
        for array in arrays.values():
            release_pages(array)

    read_pieces(engine, records, visit, gates=gates, progress=progress)
    return Trace(
        flat, tuple(map(len, records)), bits, entropy, top_ids, top_probabilities,
        arrays["hidden"], arrays.get("cell"), arrays.get("gates"), gate_names, folder,
    )  # fmt: skip


def _arrays(
    shapes: dict[str, tuple[int, ...]],
) -> tuple[_OwnFolder | None, dict[str, Halves]]:
    """Arrays of float16 to be filled in, in files of a folder of their own where they are large."""
    if 2 * sum(map(math.prod, shapes.values())) <= _IN_MEMORY:
        return None, {name: np.empty(shape, np.float16) for name, shape in shapes.items()}
    folder = _OwnFolder()
    found: dict[str, Halves] = {
        name: open_memmap(Path(folder.name) / f"{name}.npy", "w+", np.float16, shape)
        for name, shape in shapes.items()
    }
    return folder, found
