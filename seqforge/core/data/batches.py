"""A token array in, batches out: B streams for truncated backpropagation through time (TBPTT)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seqforge.base.machine import in_blocks, release_pages
from seqforge.core.data.corpus import TokenPart, Tokens
from seqforge.core.data.vocabulary import END
from seqforge.errors import ConfigError, InputError

_KEPT_WINDOWS = 16  # windows after which the pages read so far are given back
_LONG_RECORD = 4096  # symbols a record from which on a sample may as well begin in its middle


@dataclass(frozen=True)
class BatchWindow:
    """The data of one step."""

    inputs: NDArray[np.int64]
    """(B, T); under labels, ``label * V + symbol``."""
    targets: NDArray[np.int64]
    """(B, T); the symbol after each input."""
    resets: NDArray[np.bool_]
    """(B,); rows whose carried state is zeroed first."""

    @property
    def symbols(self) -> int:
        """B * T."""
        return self.inputs.size


class TbpttBatches:
    """B rows over a token array, half of them backwards through ``mirror`` if there is one.

    At the beginning of an epoch every row starts from a zero state and the end symbol, as a sample
    without a prime does; later a row is reset to a zero state now and then. With long records any
    place may be a beginning. With short ones only a record's own start is: a row starts there if
    one is near, and a window that happens to begin with the end symbol always starts from a zero
    state.
    """

    def __init__(
        self,
        part: TokenPart,
        batch_size: int,
        seq_len: int,
        *,
        seed: int = 0,
        reset_probability: float = 0.0,
        mirror: NDArray[np.int64] | None = None,
        symbols: int = 0,
    ) -> None:
        """Lay the rows out; ``symbols`` is V, where inputs are to be ids under their labels.

        Raises:
            ConfigError: If there is a mirror and the batch is odd.
            InputError: If the part is too small for so many rows.
        """
        if mirror is not None and batch_size % 2:
            raise ConfigError(
                f"training.batch_size: {batch_size} is odd, and half of the streams read the "
                "other strand; give an even --batch-size, or --strands forward"
            )
        readings: list[_Reading] = [_Reading(part.tokens, None)]
        if mirror is not None:
            readings.append(_Reading(part.tokens[::-1], mirror))
        rows = batch_size // len(readings)
        self._shift = min(seq_len, len(part.tokens) // 10)
        self._length = (len(part.tokens) - 1 - self._shift) // rows
        if self._length < 1:
            raise InputError(
                f"{part.symbols:,} training symbols are too few for {batch_size} streams; "
                f"give a --batch-size of {max(1, part.symbols // 2)} or less"
            )
        self._tokens, self._readings = part.tokens, readings
        self._part, self._symbols = part, symbols
        self._rows, self._seq_len = rows, seq_len
        self._seed, self._reset_probability = seed, reset_probability
        self._long_records = part.symbols >= _LONG_RECORD * max(part.records, 1)
        self.windows_per_epoch = -(-self._length // seq_len)
        self.symbols_per_epoch = self._length * batch_size

    def window(self, step: int) -> BatchWindow:
        """The data of step ``step`` (from 0)."""
        epoch, number = divmod(step, self.windows_per_epoch)
        start = number * self._seq_len
        length = min(self._seq_len, self._length - start)
        firsts = [(reading, self._firsts(reading, epoch)) for reading in self._readings]
        blocks = [
            reading.block(first + start, length + 1)
            for reading, places in firsts
            for first in places
        ]
        block = np.stack(blocks)
        if step % _KEPT_WINDOWS == 0:
            release_pages(self._tokens)
        inputs, targets = block[:, :-1], block[:, 1:]
        resets = inputs[:, 0] == END
        if number == 0:
            resets[:] = True
        else:
            draw = self._draw(step)
            resets |= draw.random(len(resets)) < self._reset_probability
        if self._long_records:
            inputs = inputs.copy()
            inputs[resets, 0] = END
        if self._symbols:
            places = [first + start + np.arange(length) for _, some in firsts for first in some]
            inputs = inputs + self._symbols * self._labels(np.array(places))
        return BatchWindow(inputs, targets, resets)

    def _labels(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        """The labels (B, T) of inputs at these places of their direction."""
        backwards = np.arange(len(places)) >= self._rows
        # Read backwards an end symbol is the start of the record that stands before it.
        last = len(self._tokens) - 2
        places = np.where(backwards[:, None], np.maximum(last - places, 0), places)
        return self._part.labels_at(places)

    def _draw(self, what: int) -> np.random.Generator:
        # An array: of a list with such large numbers numpy makes floats, and rounds them.
        key = np.array([self._seed, what], np.uint64)
        return np.random.Generator(np.random.Philox(key=key))

    def _firsts(self, reading: _Reading, epoch: int) -> NDArray[np.int64]:
        """Where each row of a direction begins in this epoch."""
        draw = self._draw(2**63 + epoch)
        shift = int(draw.integers(self._shift + 1))
        firsts = shift + np.arange(self._rows) * self._length
        if self._long_records:
            return firsts
        # Only a start that is near: going far back for one would leave the row's end unread.
        starts = reading.record_starts
        nearest = starts[np.searchsorted(starts, firsts, "right") - 1]
        near = firsts - nearest <= min(self._seq_len, self._length // 4)
        return np.where(near, nearest, firsts)


class _Reading:
    """One direction of reading the tokens: forwards, or backwards through a map of symbols."""

    def __init__(self, tokens: Tokens, mapping: NDArray[np.int64] | None) -> None:
        self._tokens, self._mapping = tokens, mapping
        self._starts: NDArray[np.int64] | None = None

    @property
    def record_starts(self) -> NDArray[np.int64]:
        """Positions of end symbols, which are also starts; position 0 counts."""
        if self._starts is None:
            found, before = [np.zeros(1, np.int64)], 0
            for block in in_blocks(self._tokens):
                found.append(before + np.flatnonzero(block == END))
                before += len(block)
            self._starts = np.unique(np.concatenate(found))
        return self._starts

    def block(self, start: int, length: int) -> NDArray[np.int64]:
        block = self._tokens[start : start + length].astype(np.int64)
        return block if self._mapping is None else self._mapping[block]
