"""PNG files, read back by the rules of the format."""

import struct
import zlib

import numpy as np
import pytest

from seqforge.charts.png import png_bytes


@pytest.mark.parametrize("shape", [(1, 1, 3), (7, 5, 3), (192, 333, 3)])
def test_a_picture_survives(shape):
    picture = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    data = png_bytes(picture)

    assert data[:8] == bytes.fromhex("89504e470d0a1a0a")
    chunks, place = {}, 8
    while place < len(data):
        (length,) = struct.unpack_from(">I", data, place)
        kind, body = data[place + 4 : place + 8], data[place + 8 : place + 8 + length]
        assert struct.unpack_from(">I", data, place + 8 + length)[0] == zlib.crc32(kind + body)
        chunks[kind] = body
        place += length + 12
    assert list(chunks) == [b"IHDR", b"IDAT", b"IEND"]
    # width, height, 8 bits, RGB, deflate, filters by row, not interlaced
    assert chunks[b"IHDR"] == struct.pack(">II", shape[1], shape[0]) + bytes([8, 2, 0, 0, 0])
    rows = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(shape[0], -1)
    assert (rows[:, 0] == 0).all()
    assert (rows[:, 1:].reshape(shape) == picture).all()
