"""Token arrays in, held-out bits of general compressors out."""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqforge.base.machine import in_blocks

CONTEXT_LIMIT = 4_000_000
"""Training symbols a compressor sees first; all three forget older data anyway (zlib after 32
KiB, bz2 after 900 kB, lzma after 8 MiB)."""
HELD_OUT_LIMIT = 1_000_000
PPMD_LIMIT = 16_000_000
"""The same for PPMd, which forgets nothing until its memory is full."""
PPMD_ORDER = 8
_PPMD_MEMORY = 64 << 20  # bytes of contexts; when they are full, PPMd begins anew
_FEWEST = 1_000
"""With fewer held-out symbols, whole bytes and block headers would dominate the figure."""

_COMPRESSORS: Mapping[str, Callable[[bytes], bytes]] = {
    "zlib": partial(zlib.compress, level=9),
    "bz2": partial(bz2.compress, compresslevel=9),
    "lzma": lzma.compress,
}


@dataclass(frozen=True)
class CompressorResult:
    """Bits per symbol of each compressor, and how many symbols they saw."""

    bits: dict[str, float | None]
    """By name (zlib, bz2, lzma); None if the difference of lengths means nothing."""
    context_symbols: int
    """Training symbols compressed before the held-out ones."""
    held_out_symbols: int


def compressor_bits(
    train: NDArray[Any],
    held_out_tokens: NDArray[Any],
    *,
    context_limit: int = CONTEXT_LIMIT,
    held_out_limit: int = HELD_OUT_LIMIT,
) -> CompressorResult:
    """Bits per held-out symbol: 8 (|C(train + held-out)| - |C(train)|) / held-out symbols.

    A symbol is as many bytes, little-endian, as its id has (one for uint8, two for uint16).

    Args:
        train: (N,) ids; the last ``context_limit`` of them are used.
        held_out_tokens: (M,) ids; the first ``held_out_limit`` of them are used. Under a thousand
            there is no figure, and none where a compressor's blocks make the difference negative.
        context_limit: Symbols.
        held_out_limit: Symbols.

    References:
        Benedetto, Caglioti and Loreto 2002, https://doi.org/10.1103/PhysRevLett.88.048702
    """
    context = _bytes_of(train[max(0, len(train) - context_limit) :])
    held_out = held_out_tokens[:held_out_limit].astype(train.dtype)
    symbols = len(held_out)
    bits: dict[str, float | None] = dict.fromkeys(_COMPRESSORS)
    if symbols >= _FEWEST:
        both = context + _bytes_of(held_out)
        with ThreadPoolExecutor(len(_COMPRESSORS)) as pool:  # all three let go of the GIL
            grown = {
                name: pool.submit(_growth, compress, context, both)
                for name, compress in _COMPRESSORS.items()
            }
        bits = {name: _bits(future.result(), symbols) for name, future in grown.items()}
    return CompressorResult(bits, min(len(train), context_limit), symbols)


def _growth(compress: Callable[[bytes], bytes], context: bytes, both: bytes) -> int:
    return len(compress(both)) - len(compress(context))


def _bits(growth: int, symbols: int) -> float | None:
    return 8 * growth / symbols if growth > 0 else None


def ppmd_bits(
    train: NDArray[Any],
    held_out_tokens: NDArray[Any],
    *,
    table: NDArray[np.uint8] | None = None,
    context_limit: int = PPMD_LIMIT,
    held_out_limit: int = HELD_OUT_LIMIT,
) -> float | None:
    """The same for PPMd (variant I, order `PPMD_ORDER`): prediction by partial matching.

    It has no figure in the same cases.

    Args:
        train: As for `compressor_bits`.
        held_out_tokens: Likewise.
        table: (V,) the byte of each id, see `bytes_of_symbols`; without it symbols are written as
            `compressor_bits` does.
        context_limit: Symbols.
        held_out_limit: Symbols.

    References:
        Cleary and Witten 1984, https://doi.org/10.1109/TCOM.1984.1096090;
        Shkarin 2002, https://doi.org/10.1109/DCC.2002.999958
    """
    held_out = held_out_tokens[:held_out_limit].astype(train.dtype)
    if len(held_out) < _FEWEST:
        return None
    context = train[max(0, len(train) - context_limit) :]

    def length(blocks: Iterable[NDArray[Any]]) -> int:
        return _ppmd_length(blocks if table is None else (table[ids] for ids in blocks))

    alone = length(in_blocks(context))
    return _bits(length(chain(in_blocks(context), [held_out])) - alone, len(held_out))


def bytes_of_symbols(code_points: NDArray[np.uint32]) -> NDArray[np.uint8] | None:
    """The code point of each id in, a byte for each out: its own where it is one, else a free one.

    PPMd expects bytes to be those of text: letters lie above digits. More than 256 symbols have no
    such table: None.
    """
    if len(code_points) > 256:
        return None
    own = code_points < 256
    own[1:] &= code_points[1:] != code_points[0]  # the end symbol's may be a symbol's too
    free = np.setdiff1d(np.arange(256), code_points[own])
    table = code_points.copy()
    table[~own] = free[: np.count_nonzero(~own)]
    return table.astype(np.uint8)


def _ppmd_length(blocks: Iterable[NDArray[Any]]) -> int:
    """Bytes of some blocks, one after another, under PPMd."""
    from pyppmd import Ppmd8Encoder

    encoder = Ppmd8Encoder(PPMD_ORDER, _PPMD_MEMORY)
    return sum(len(encoder.encode(_bytes_of(block))) for block in blocks) + len(encoder.flush())


def _bytes_of(ids: NDArray[np.unsignedinteger]) -> bytes:
    """Ids in, their bytes, little-endian, out."""
    return ids.astype(ids.dtype.newbyteorder("<")).tobytes()
