"""What was compiled is kept for the next process, and nothing is needed of the folder."""

import os
import subprocess
import sys
import time

import pytest

DRAW = """
import hashlib, sys
import numpy as np
from seqforge.core.checkpoint import Checkpoint, ModelCard
from seqforge.core.config import RunConfig
from seqforge.core.sampling.compiled import is_kept
from seqforge.core.sampling.sampler import Sampler, SamplingOptions

noise, size, hidden = np.random.default_rng(0), 4, 8
shapes = {
    "embedding.weight": (size, hidden), "layers.0.weight_ih_l0": (4 * hidden, hidden),
    "layers.0.weight_hh_l0": (4 * hidden, hidden), "layers.0.bias_ih_l0": (4 * hidden,),
    "layers.0.bias_hh_l0": (4 * hidden,), "output.weight": (size, hidden), "output.bias": (size,),
}
config = RunConfig(domain="text", model={"hidden_size": hidden})
card = ModelCard(seqforge_version="0", name="toy", config=config, symbols=tuple("abc"))
weights = {k: noise.normal(size=v).astype(np.float32) for k, v in shapes.items()}
before = is_kept()
samples = list(Sampler(Checkpoint(card, weights)).draw(3, SamplingOptions(length=20, prime="ab")))
assert "torch" not in sys.modules
print(before, is_kept(), [sample.symbols for sample in samples])
"""


def draw(cache):
    """What the program prints, in a process of its own with its own cache."""
    environment = {**os.environ, "SEQFORGE_CACHE": str(cache)}
    done = subprocess.run(
        [sys.executable, "-c", DRAW], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split(" ", 2)


def compiled(cache):
    found = [p for p in cache.rglob("*") if p.suffix in (".nbi", ".nbc")]
    return {(str(p), p.stat().st_mtime_ns) for p in found}


def test_the_second_process_compiles_nothing(tmp_path):
    before, after, drawn = draw(tmp_path)
    assert (before, after) == ("False", "True")
    kept = compiled(tmp_path)
    assert {os.path.splitext(path)[1] for path, _ in kept} == {".nbi", ".nbc"}

    begun = time.monotonic()
    assert draw(tmp_path) == ["True", "True", drawn]
    assert compiled(tmp_path) == kept
    assert time.monotonic() - begun < 60

    for path, _ in kept:  # whatever lies there damaged is made anew
        if path.endswith(".nbi"):
            with open(path, "r+b") as file:
                file.truncate(0)
    assert draw(tmp_path)[2] == drawn


def test_without_a_place_to_keep_it_the_kernel_is_compiled_each_time(tmp_path):
    """A folder below a regular file cannot be made, whoever asks."""
    (tmp_path / "file").write_text("in the way")
    before, after, drawn = draw(tmp_path / "file" / "cache")
    assert (before, after) == ("False", "False")
    assert len(drawn) > 20
    assert [p.name for p in tmp_path.rglob("*")] == ["file"]


@pytest.mark.parametrize("name", ["seqforge.core.sampling.compiled"])
def test_numba_keeps_its_own_folder(name):
    """Where others' functions are kept is theirs to say: the setting is put back."""
    code = f"import numba, {name}, seqforge.core.sampling.streams; print(numba.config.CACHE_DIR)"
    environment = {**os.environ, "NUMBA_CACHE_DIR": "/elsewhere"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "/elsewhere"
