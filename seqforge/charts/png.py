"""Pixels in, a PNG file out."""

from __future__ import annotations

import struct
import zlib

import numpy as np
from numpy.typing import NDArray

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_DEPTH, _RGB = 8, 2  # bits a value; colour type 2: red, green and blue


def png_bytes(picture: NDArray[np.uint8]) -> bytes:
    """A PNG file (W3C, Portable Network Graphics, third edition, section 5).

    Args:
        picture: (height, width, 3), RGB.
    """
    height, width, _ = picture.shape
    # Each row begins with the number of its filter; 0 leaves the bytes as they are.
    rows = np.zeros((height, 1 + 3 * width), np.uint8)
    rows[:, 1:] = picture.reshape(height, 3 * width)
    header = struct.pack(">IIBBBBB", width, height, _DEPTH, _RGB, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows.tobytes())), (b"IEND", b""))
    return _SIGNATURE + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )
