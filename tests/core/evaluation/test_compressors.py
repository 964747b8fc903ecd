"""The compressor baseline."""

import gzip
import lzma
import zlib

import numpy as np
import pyppmd
import pytest

from seqforge.core.evaluation.compressors import bytes_of_symbols, compressor_bits, ppmd_bits


@pytest.fixture
def bases():
    return np.random.default_rng(0).integers(1, 5, 60_000, dtype=np.uint8)


def test_it_is_the_growth_of_the_compressed_length(bases):
    train, held_out = bases[:50_000], bases[50_000:]

    result = compressor_bits(train, held_out)

    for name, compress in (("zlib", lambda b: zlib.compress(b, 9)), ("lzma", lzma.compress)):
        growth = len(compress(bases.tobytes())) - len(compress(train.tobytes()))
        assert result.bits[name] == 8 * growth / 10_000
    assert (result.context_symbols, result.held_out_symbols) == (50_000, 10_000)


def test_random_bases_cost_two_bits_and_a_little(bases):
    result = compressor_bits(bases[:50_000], bases[50_000:])

    assert set(result.bits) == {"zlib", "bz2", "lzma"}
    assert all(2 <= bits < 2.5 for bits in result.bits.values())


def test_what_was_seen_before_costs_next_to_nothing(bases):
    result = compressor_bits(bases, bases[-10_000:])

    assert result.bits["zlib"] < 0.2
    assert result.bits["lzma"] < 0.2


def test_wide_ids_are_two_bytes_little_endian():
    ids = np.random.default_rng(0).integers(0, 1_000, 5_000).astype(np.uint16)
    as_bytes = ids.astype("<u2").tobytes()
    growth = len(zlib.compress(as_bytes, 9)) - len(zlib.compress(as_bytes[:6_000], 9))

    for order in "<>":
        swapped = ids.astype(f"{order}u2")
        assert compressor_bits(swapped[:3_000], swapped[3_000:]).bits["zlib"] == growth * 8 / 2_000


def test_the_limits_take_the_nearest_of_both(bases):
    train, held_out = bases[:50_000], bases[50_000:]

    limited = compressor_bits(train, held_out, context_limit=7_000, held_out_limit=2_000)

    assert limited == compressor_bits(train[-7_000:], held_out[:2_000])
    assert (limited.context_symbols, limited.held_out_symbols) == (7_000, 2_000)


def test_a_tiny_held_out_part_has_no_figure(bases):
    result = compressor_bits(bases, bases[:999])

    assert result.bits == {"zlib": None, "bz2": None, "lzma": None}


def test_no_figure_is_ever_negative():
    """The block sorter may need fewer bytes for more of the same."""
    constant = np.ones(3_000_000, np.uint8)

    result = compressor_bits(constant, constant[:1_000])

    assert all(bits is None or bits > 0 for bits in result.bits.values())


@pytest.mark.parametrize(
    ("name", "wanted"), [("tinyshakespeare.txt.gz", 2.029), ("linux-kernel-6mb.c.gz", 1.400)]
)
def test_ppmd_needs_what_was_measured_elsewhere(shared_data, name, wanted):
    """The last tenth of real texts, after all before it, one byte a symbol."""
    text = np.frombuffer(gzip.decompress((shared_data / "text" / name).read_bytes()), np.uint8)
    cut = len(text) * 9 // 10

    assert ppmd_bits(text[:cut], text[cut:]) == pytest.approx(wanted, abs=0.001)


def test_ppmd_in_blocks_packs_like_ppmd_at_once(bases, monkeypatch):
    """However the training part is cut, and with ids of either byte order."""
    train, held_out = bases[:50_000], bases[50_000:]
    packed = [
        len(pyppmd.compress(part.tobytes(), max_order=8, mem_size=64 << 20))
        for part in (bases, train)
    ]
    monkeypatch.setattr("seqforge.base.machine._BLOCK", 777)

    assert ppmd_bits(train, held_out) == 8 * (packed[0] - packed[1]) / 10_000
    wide = [ids.astype(f"{order}u2") for order in "<>" for ids in (train, held_out)]
    assert ppmd_bits(*wide[:2]) == ppmd_bits(*wide[2:])


def test_ppmd_takes_the_nearest_of_both_and_says_nothing_of_a_tiny_part(bases):
    train, held_out = bases[:50_000], bases[50_000:]

    limited = ppmd_bits(train, held_out, context_limit=7_000, held_out_limit=2_000)

    assert limited == ppmd_bits(train[-7_000:], held_out[:2_000])
    assert ppmd_bits(train, held_out[:999]) is None


def test_symbols_are_the_bytes_of_text_as_far_as_they_are_bytes(shared_data):
    """Shakespeare costs what the file costs, although its ids begin at 1."""
    text = gzip.decompress((shared_data / "text" / "tinyshakespeare.txt.gz").read_bytes())
    letters, ids = np.unique(np.frombuffer(text, np.uint8), return_inverse=True)
    ids, cut = (ids + 1).astype(np.uint8), len(ids) * 9 // 10
    table = bytes_of_symbols(np.array([0, *letters], np.uint32))

    assert ppmd_bits(ids[:cut], ids[cut:], table=table) == pytest.approx(2.029, abs=0.001)
    assert table[ids].tobytes() == text
    few = bytes_of_symbols(np.array([0, 0x2019, 65, 1, 0x1F600, 0], np.uint32))
    assert few.tolist() == [0, 2, 65, 1, 3, 4], "no two have the same byte"
    assert bytes_of_symbols(np.arange(257, dtype=np.uint32)) is None
