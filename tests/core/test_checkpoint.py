"""One safe file: whole, or refused with a sentence."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from seqforge.core.checkpoint import (
    KEY,
    ModelCard,
    load_checkpoint,
    read_arrays,
    save_checkpoint,
    write_arrays,
)
from seqforge.core.config import RunConfig
from seqforge.errors import CheckpointError


def saved(folder, **changes):
    path = folder / "model.safetensors"
    rng = np.random.default_rng(0)
    weights = {"a": rng.random((40, 3), np.float32), "b": np.arange(5, dtype=np.float32)}
    card = ModelCard(
        seqforge_version="1", name="n", config=RunConfig(domain="text"), symbols=("x", "é")
    )
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
    training = {"training": {"kept_as": "fp16"}}
    half = card.model_copy(update={"config": RunConfig(domain="text", **training)})
    save_checkpoint(path, half, weights)
    found = load_checkpoint(path)

    assert whole - path.stat().st_size > 0.9 * sum(array.nbytes for array in weights.values()) / 2
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
        "from seqforge.core.checkpoint import write_arrays\n"
        "n = 0\n"
        "while True:\n"
        "    n += 1\n"
        "    write_arrays(Path(sys.argv[1]), {'n': n}, {'w': np.full(300_000, n, np.float32)})\n"
        "    print(n, flush=True)\n"
    )
    path = tmp_path / "state.safetensors"
    for attempt in range(20):
        process = subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE)
        process.stdout.readline()
        time.sleep(0.003 * attempt)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        header, arrays = read_arrays(path)
        assert (arrays["w"] == header["n"]).all()
    write_arrays(path, {"n": 0}, {})
