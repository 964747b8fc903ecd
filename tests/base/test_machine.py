"""Long arrays block by block, and that a scan leaves no pages behind."""

import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqforge.base.machine import in_blocks, release_pages
from seqforge.core.data.batches import TbpttBatches
from seqforge.core.data.corpus import TokenPart

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="resident pages are counted in /proc")
_SIZE = 64_000_000


@given(size=st.integers(0, 90), block=st.integers(1, 40), overlap=st.integers(0, 50))
def test_blocks_make_the_array_and_each_shows_what_comes_next(size, block, overlap):
    array = np.arange(size)

    blocks = list(in_blocks(array, block, overlap))

    assert np.concatenate([array[:0], *(b[:block] for b in blocks)]).tolist() == array.tolist()
    for number, found in enumerate(blocks):
        start = number * block
        assert found.tolist() == array[start : start + block + overlap].tolist()


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    path = tmp_path_factory.mktemp("long") / "x.npy"
    np.save(path, np.random.default_rng(0).integers(1, 5, _SIZE, np.uint8))
    return path


@pytest.fixture
def mapped(kept):
    return np.load(kept, mmap_mode="r")


def resident_file_bytes():
    """Pages of files; those of a folder that lies in memory are counted as shared memory."""
    lines = Path("/proc/self/status").read_text().splitlines()
    kinds = ("RssFile", "RssShmem")
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith(kinds))


@LINUX
def test_a_scan_leaves_no_pages_behind(mapped):
    before = resident_file_bytes()
    most = 0
    for block in in_blocks(mapped[::-1]):
        assert block.min() > 0
        most = max(most, resident_file_bytes() - before)

    assert most < _SIZE / 10
    assert mapped.max() == 4, "what was given back can be read again"
    assert resident_file_bytes() - before > 0.9 * _SIZE, "a plain scan keeps them all"
    release_pages(mapped[5:100])
    assert resident_file_bytes() - before < _SIZE / 10


@LINUX
def test_an_epoch_of_windows_leaves_few_pages_behind(mapped):
    """A look at one symbol may bring in 2 MiB, so the rows are few here."""
    part = TokenPart(mapped, np.empty((0, 3), np.int64), _SIZE, 1)
    streams = TbpttBatches(part, 4, 8192, mirror=np.array([0, 4, 3, 2, 1]))
    streams.window(0)
    before = resident_file_bytes()

    most = 0
    for step in range(streams.windows_per_epoch):
        streams.window(step)
        most = max(most, resident_file_bytes() - before)

    assert streams.symbols_per_epoch > 1.9 * _SIZE
    assert most < 0.5 * _SIZE
    streams.window(0)
    assert resident_file_bytes() - before < _SIZE / 10
