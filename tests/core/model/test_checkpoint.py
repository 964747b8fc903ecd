"""One safe file: whole, or refused with a sentence."""

import json
import os
import subprocess
import sys
import time
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.numpy import save_file

from seqforge.core.config import ModelConfig, RunConfig, TrainingConfig
from seqforge.core.model.checkpoint import (
    KEY,
    ModelCard,
    load_checkpoint,
    read_arrays,
    save_checkpoint,
    weight_shapes,
    write_arrays,
)
from seqforge.errors import CheckpointError
from tests.forking import Command


def saved(folder, **changes):
    path = folder / "model.safetensors"
    rng = np.random.default_rng(0)
    model = ModelConfig(hidden_size=4, embedding_size=3)
    weights = {
        name: rng.random(shape, np.float32) for name, shape in weight_shapes(3, model).items()
    }
    config = RunConfig(domain="text", model=model)
    card = ModelCard(seqforge_version="1", name="n", config=config, symbols=("x", "é"))
    save_checkpoint(path, card.model_copy(update=changes), weights)
    return path, card, weights


def test_what_is_saved_is_what_is_loaded(tmp_path):
    path, card, weights = saved(tmp_path)
    found = load_checkpoint(path)

    assert found.card == card
    assert found.weights.keys() == weights.keys()
    assert all((found.weights[name] == weights[name]).all() for name in weights)


def test_half_the_space_costs_a_thousandth_of_a_weight_at_most(tmp_path):
    path, card, weights = saved(tmp_path)
    whole = path.stat().st_size
    training = {"training": TrainingConfig(weights_dtype="fp16")}
    half = card.model_copy(update={"config": card.config.model_copy(update=training)})
    save_checkpoint(path, half, weights)
    found = load_checkpoint(path)

    assert whole - path.stat().st_size > 0.8 * sum(array.nbytes for array in weights.values()) / 2
    for name, array in weights.items():
        assert found.weights[name].dtype == np.float32
        np.testing.assert_allclose(found.weights[name], array, rtol=1e-3)


def test_the_same_model_gives_the_same_bytes_in_every_process(tmp_path):
    path, _, _ = saved(tmp_path)
    code = f"import sys; sys.path.insert(0, {os.path.dirname(__file__)!r})\n" + (
        "from pathlib import Path; import test_checkpoint as t\n"
        f"d = Path({str(tmp_path)!r}) / 'again'; d.mkdir(); t.saved(d)"
    )
    subprocess.run(
        [sys.executable, "-c", code], check=True, env={**os.environ, "PYTHONHASHSEED": "5"}
    )

    assert (tmp_path / "again" / "model.safetensors").read_bytes() == path.read_bytes()


@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_any_change_of_any_byte_is_noticed(tmp_path_factory, data):
    path, _, _ = saved(tmp_path_factory.mktemp("model"))
    whole = path.read_bytes()
    place = data.draw(st.integers(0, len(whole) - 1))
    damaged = bytearray(whole)
    damaged[place] ^= data.draw(st.integers(1, 255))
    path.write_bytes(damaged)

    try:
        found = load_checkpoint(path)
    except CheckpointError as error:
        assert str(path) in str(error)  # noqa: PT017  (either outcome is right)
    else:  # white space in the header may change without any meaning changing
        assert json.dumps(found.card.model_dump(mode="json")) == json.dumps(
            saved(tmp_path_factory.mktemp("again"))[1].model_dump(mode="json")
        )


@settings(max_examples=40, deadline=None)
@given(keep=st.floats(0, 1, exclude_max=True))
def test_a_file_cut_short_is_refused(tmp_path_factory, keep):
    path, _, _ = saved(tmp_path_factory.mktemp("model"))
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * keep)])

    with pytest.raises(CheckpointError, match=r"is not a whole \.safetensors file"):
        load_checkpoint(path)


def test_another_format_number_says_which_is_wanted(tmp_path):
    path, _, _ = saved(tmp_path, format=99)
    with pytest.raises(
        CheckpointError, match="a model of format 99, and this seqforge reads format 1"
    ):
        load_checkpoint(path)


def test_a_foreign_safetensors_file_is_refused(tmp_path):
    save_file({"w": np.zeros(3)}, tmp_path / "x.safetensors")
    with pytest.raises(CheckpointError, match="not written by seqforge"):
        load_checkpoint(tmp_path / "x.safetensors")


def test_a_header_of_nonsense_is_refused(tmp_path):
    for number, text in enumerate(["[]", "{", '"x"', "1", "[" * 100_000]):
        path = tmp_path / f"{number}.safetensors"
        save_file({"w": np.zeros(3)}, path, metadata={KEY: text})
        with pytest.raises(CheckpointError):
            load_checkpoint(path)


def test_killed_while_writing_the_file_before_stays_whole(tmp_path):
    """Twenty SIGKILLs at different moments of a process that does nothing but save."""
    code = (
        "import sys, numpy as np; from pathlib import Path\n"
        "from seqforge.core.model.checkpoint import write_arrays\n"
        "n = 0\n"
        "while True:\n"
        "    n += 1\n"
        "    write_arrays(Path(sys.argv[1]), {'n': n}, {'w': np.full(300_000, n, np.float32)})\n"
        "    print(n, flush=True)\n"
    )
    script, path = tmp_path / "saving.py", tmp_path / "state.safetensors"
    script.write_text(code)
    for attempt in range(20):
        process = Command(path, script=script)
        process.stdout.readline()
        time.sleep(0.003 * attempt)
        process.end()
        header, arrays = read_arrays(path)
        assert (arrays["w"] == header["n"]).all()
    write_arrays(path, {"n": 0}, {})


def rewritten(path, header=None, **arrays):
    """A model's file with other settings or arrays, its digest right: it is a plain hash."""
    found, weights = read_arrays(path)
    write_arrays(path, {**found, **(header or {})}, weights | arrays)
    return path


@pytest.mark.parametrize(
    ("hidden", "layers"), [(4096, 8), (16384, 100), (4, 2), (5, 1)], ids=lambda value: str(value)
)
def test_a_header_that_asks_for_more_than_the_file_holds_is_refused_before_anything_is_made(
    tmp_path, hidden, layers
):
    path, card, _ = saved(tmp_path)
    config = card.config.model_dump(mode="json")
    config["model"] |= {"hidden_size": hidden, "num_layers": layers}
    rewritten(path, {"config": config})

    tracemalloc.start()
    with pytest.raises(CheckpointError, match=r"do not fit its settings: .* (shape|missing)"):
        load_checkpoint(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10_000_000


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"output.bias": np.array([0, np.nan, 0], np.float32)}, "infinite or NaN"),
        ({"output.bias": np.array([0, np.inf, 0], np.float32)}, "infinite or NaN"),
        ({"output.bias": np.zeros(3, np.int64)}, "output.bias is of type I64"),
        ({"output.bias": np.zeros((1, 3), np.float32)}, r"has the shape \(1, 3\), not \(3,\)"),
        ({"more": np.zeros(3, np.float32)}, "more belongs to no such network"),
    ],
)
def test_arrays_that_are_no_weights_of_the_network_are_named(tmp_path, arrays, said):
    path = rewritten(saved(tmp_path)[0], **arrays)
    with pytest.raises(CheckpointError, match=said):
        load_checkpoint(path)


def test_a_header_larger_than_any_vocabulary_is_refused_by_its_size(tmp_path):
    path = tmp_path / "model.safetensors"
    with path.open("wb") as stream:
        stream.write((60_000_000).to_bytes(8, "little") + b"{")
        stream.truncate(60_000_009)
    with pytest.raises(CheckpointError, match=r"header of .* bytes is larger than any model's"):
        load_checkpoint(path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"PK\x03\x04archive/data.pkl", "a PyTorch file or another zip archive"),
        (b"\x80\x02}q\x00.", "is a pickle"),
        (b"\x1f\x8b\x08" + b"0" * 40, "packed with gzip"),
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer"),
        (b"", "not a whole .safetensors file"),
        (b"words, words", "not a whole .safetensors file"),
        ((100_000_000).to_bytes(8, "little") + b"{", "not a whole .safetensors file"),
        ((60).to_bytes(8, "little") + b'{"a":' + b"[" * 55, "not a whole .safetensors file"),
        ((8).to_bytes(8, "little") + b'{"a": 1}', "its header cannot be read"),
        (b"\x2f\0\0\0\0\0\0\0" + b'{"a":{"shape":[1e999],"dtype":"F32","data_off":0}}', "cannot"),
        ((26).to_bytes(8, "little") + b'{"a": {"x":1}, "a":{"x":1}}', "key stands twice|cannot"),
    ],
)
def test_what_is_no_model_is_named_for_what_it_is(tmp_path, content, said):
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=said):
        load_checkpoint(path)


def test_a_folder_and_a_pipe_are_no_models(tmp_path):
    os.mkfifo(tmp_path / "pipe.safetensors")
    with pytest.raises(CheckpointError, match="is no ordinary file"):
        load_checkpoint(tmp_path / "pipe.safetensors")
    with pytest.raises(CheckpointError, match="is a folder"):
        load_checkpoint(tmp_path)


def test_a_key_that_stands_twice_is_refused(tmp_path):
    path, _, _ = saved(tmp_path)
    header, weights = read_arrays(path)
    text = json.dumps({"digest": "", **header}).replace('{"digest"', '{"name": "x", "digest"')
    save_file(weights, path, metadata={KEY: text})
    with pytest.raises(CheckpointError, match="a damaged header"):
        load_checkpoint(path)


def test_the_file_is_the_one_that_the_library_writes(tmp_path):
    """Arrays of all kinds, without being copied first."""
    kinds = ("u8", "i8", "f8", "f4", "u4", "i4", "f2", "u2", "i2", "i1", "u1", "?")
    arrays = {f"{kind} {n}": np.arange(n).astype(kind) for kind in kinds for n in (0, 3)}
    arrays |= {"across": np.ones((2, 3), np.float32).T, "none": np.array(True)}
    path, theirs = tmp_path / "ours", tmp_path / "theirs"
    write_arrays(path, {"said": 'é\\ " \x7f \x00 \n', "number": 1}, arrays)
    with safe_open(path, framework="numpy") as stream:
        text = stream.metadata()
    whole = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    save_file(whole, theirs, metadata=text)
    assert path.read_bytes() == theirs.read_bytes()
    _, found = read_arrays(path)
    assert found.keys() == arrays.keys()
