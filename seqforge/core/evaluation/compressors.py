"""Token arrays in, held-out bits of general compressors out."""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

from numpy.typing import NDArray

CONTEXT_LIMIT = 4_000_000
"""Training symbols a compressor sees first; all three forget older data anyway (zlib after 32
KiB, bz2 after 900 kB, lzma after 8 MiB)."""
HELD_OUT_LIMIT = 1_000_000
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
    little_endian = train.dtype.newbyteorder("<")
    context = train[max(0, len(train) - context_limit) :].astype(little_endian).tobytes()
    held_out = held_out_tokens[:held_out_limit].astype(little_endian)
    symbols = len(held_out)
    bits: dict[str, float | None] = dict.fromkeys(_COMPRESSORS)
    if symbols >= _FEWEST:
        both = context + held_out.tobytes()
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
