"""A memory's file: what comes back is what was saved, or one sentence on why not."""

from __future__ import annotations

import json
import struct
from dataclasses import replace

import numpy as np
import pytest

from seqforge.core.memory.memory_file import load_memory, save_memory
from seqforge.core.model.checkpoint import load_checkpoint, read_arrays, write_arrays
from seqforge.domains.text.domain import TextDomain
from seqforge.domains.text.memory import TextMemories, TextMemory
from seqforge.errors import CheckpointError
from seqforge.runs.folder import memory_path
from tests.core.memory import laws
from tests.core.sampling.tiny import SYMBOLS, checkpoint

SIZE = len(SYMBOLS) + 1
IDS = np.tile(np.arange(1, SIZE, dtype=np.uint8), 60)
DOMAIN = TextDomain()


@pytest.fixture(scope="module")
def model():
    return checkpoint(seed=1)


@pytest.fixture(scope="module")
def memory():
    made = TextMemory.made(IDS, SYMBOLS, 1 << 20)
    made.learn(IDS[:300])
    made.score(IDS[300:], laws.network_of(IDS[300:], SIZE))
    return made


@pytest.fixture
def path(memory, model, tmp_path):
    save_memory(tmp_path / "memory.safetensors", memory, model)
    return tmp_path / "memory.safetensors"


def drawn(memory):
    streams, found = memory.streams(1), []
    for symbol, row in zip(IDS[:50], laws.network_of(IDS[:50], SIZE), strict=True):
        streams.ids[0], streams.network[0] = symbol, row
        streams.read()
        found.append(streams.log_probs[0].copy())
    return np.array(found)


def test_a_small_memory_is_a_small_file_that_gives_the_same_bits(memory, model, path):
    assert sum(array.nbytes for array in memory.to_arrays().values()) > 50e6
    assert path.stat().st_size < 2e6
    np.testing.assert_array_equal(drawn(load_memory(path, model, DOMAIN)), drawn(memory))


def test_it_lies_beside_its_model(tmp_path):
    assert memory_path(tmp_path / "model.safetensors") == tmp_path / "memory.safetensors"
    assert memory_path(tmp_path / "fly.safetensors") == tmp_path / "fly.memory.safetensors"


def test_the_memory_of_another_model_is_refused(path, model):
    with pytest.raises(CheckpointError, match="is the memory of another model than toy"):
        load_memory(path, checkpoint(seed=2), DOMAIN)
    other = replace(model, card=model.card.model_copy(update={"symbols": tuple("gfedcba")}))
    with pytest.raises(CheckpointError, match="a model with other symbols than toy"):
        load_memory(path, other, DOMAIN)


def test_a_changed_file_is_refused(path, model):
    data = bytearray(path.read_bytes())
    data[-100] ^= 1
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match="was changed after it was written"):
        load_memory(path, model, DOMAIN)
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(CheckpointError, match="is not a whole"):
        load_memory(path, model, DOMAIN)
    path.write_bytes(b"\x80\x04" + bytes(100))
    with pytest.raises(CheckpointError, match="is a pickle and no"):
        load_memory(path, model, DOMAIN)


@pytest.mark.parametrize(
    ("name", "kind", "sentence"),
    [
        ("tables.ranks", ["int64", 10**12], "is larger than what is packed"),
        ("tables.ranks", ["int64", SIZE + 1], "has not the size that it should have"),
        ("tables.ranks", ["object", SIZE], "is of no kind of array"),
        ("tables.ranks", ["int64", -SIZE], "is of no kind of array"),
        ("tables.ranks", 7, "cannot be used"),
        ("tables.new", ["int64", SIZE], "cannot be used"),
    ],
)
def test_what_is_said_of_an_array_is_checked(path, model, name, kind, sentence):
    header, arrays = read_arrays(path)
    header["arrays"][name] = kind
    write_arrays(path, header, arrays)
    with pytest.raises(CheckpointError, match=sentence):
        load_memory(path, model, DOMAIN)


def test_a_file_of_other_arrays_is_refused(path, model):
    header, arrays = read_arrays(path)
    header["arrays"]["tables.older"] = header["arrays"].pop("tables.ranks")
    arrays["tables.older"] = arrays.pop("tables.ranks")
    write_arrays(path, header, arrays)
    with pytest.raises(CheckpointError, match="another version of seqforge wrote it"):
        load_memory(path, model, DOMAIN)


def test_several_memories_are_one_file_that_says_how_many(model, tmp_path):
    several, path = TextMemories.made(IDS, SYMBOLS, 70_000), tmp_path / "memory.safetensors"
    several.learn(IDS[:300])
    several.score(IDS[300:], laws.network_of(IDS[300:], SIZE))
    save_memory(path, several, model)
    loaded = load_memory(path, model, DOMAIN)
    header, arrays = read_arrays(path)

    assert header["memories"] == 2
    assert type(loaded) is TextMemories
    np.testing.assert_array_equal(drawn(loaded), drawn(several))
    header["memories"] = 3
    write_arrays(path, header, arrays)
    with pytest.raises(CheckpointError, match="another number of memories than it says"):
        load_memory(path, model, DOMAIN)


def test_a_file_of_before_there_were_several_opens(path, memory, model):
    header, arrays = read_arrays(path)
    assert header.pop("memories") == 1
    write_arrays(path, header, arrays)
    np.testing.assert_array_equal(drawn(load_memory(path, model, DOMAIN)), drawn(memory))


def test_a_memory_is_no_model_and_a_model_no_memory(path, model, tmp_path):
    with pytest.raises(CheckpointError, match="is a memory; name the model beside it"):
        load_checkpoint(path)
    write_arrays(tmp_path / "other.safetensors", {"format": 1}, dict(model.weights))
    with pytest.raises(CheckpointError, match="is no memory of format 1"):
        load_memory(tmp_path / "other.safetensors", model, DOMAIN)


def test_no_pickle_is_in_it(path):
    size = struct.unpack("<Q", path.read_bytes()[:8])[0]
    table = json.loads(path.read_bytes()[8 : 8 + size])
    assert {one["dtype"] for name, one in table.items() if name != "__metadata__"} == {"U8"}
