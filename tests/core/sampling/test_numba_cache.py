"""What was compiled is kept for the next process, and nothing is needed of the folder."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import seqforge
from seqforge.core.sampling import numba_cache as numba_cache_module
from tests.small_runs import DAMAGES

DRAW = """
import hashlib, sys
import numpy as np
from seqforge.core.model.checkpoint import Checkpoint, ModelCard
from seqforge.core.config import RunConfig
from seqforge.core.sampling.numba_cache import is_kept
from seqforge.core.sampling.sampler import Sampler, SamplerParams

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
samples = list(Sampler(Checkpoint(card, weights)).draw(3, SamplerParams(length=20, prime="ab")))
assert "torch" not in sys.modules
print(before, is_kept(), [sample.symbols for sample in samples])
"""


def draw(cache, before="", program=DRAW, parts=2):
    """What the program prints, in a process of its own with its own cache: words, and the rest."""
    environment = {**os.environ, "SEQFORGE_CACHE": str(cache)}
    done = subprocess.run(
        [sys.executable, "-c", before + program],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split(" ", parts)


def compiled(cache):
    found = [p for p in cache.rglob("*") if p.suffix in (".nbi", ".nbc")]
    return {(str(p), p.stat().st_mtime_ns) for p in found}


@pytest.fixture(scope="module")
def folder_of_one(tmp_path_factory, new_cache):
    """A folder with what a process kept of the kernel, and what such a process draws."""
    kept = new_cache()
    _, is_kept, drawn = draw(kept)
    assert is_kept == "True"
    folder = tmp_path_factory.mktemp("kept")
    shutil.copytree(kept / "kernel", folder / "kernel")
    return folder, drawn


def test_the_second_process_compiles_nothing(folder_of_one):
    folder, drawn = folder_of_one
    kept = compiled(folder)
    assert {os.path.splitext(path)[1] for path, _ in kept} == {".nbi", ".nbc"}

    assert draw(folder) == ["True", "True", drawn]
    assert compiled(folder) == kept


def test_another_installation_of_the_same_sources_compiles_nothing(
    folder_of_one, tmp_path, monkeypatch
):
    """Elsewhere, and with other times: a second environment, or a clone that was moved."""
    folder, drawn = folder_of_one
    kept = compiled(folder)
    elsewhere = tmp_path / "seqforge"
    shutil.copytree(Path(seqforge.__file__).parent, elsewhere, copy_function=shutil.copy)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    where = "import seqforge; print(seqforge.__file__, end=' ')\n"

    file, *found = draw(folder, where, parts=3)
    assert file == str(elsewhere / "__init__.py")
    assert found == ["True", "True", drawn]
    assert compiled(folder) == kept


@pytest.mark.parametrize("suffix", [".nbi", ".nbc"])
def test_what_is_damaged_is_compiled_again(folder_of_one, suffix):
    """A machine that lost its power may leave files cut short; a disk may flip a bit of code."""
    folder, drawn = folder_of_one
    damaged = [path for path in folder.rglob(f"*{suffix}") if "note_all" in path.name]
    for path in damaged:
        data = path.read_bytes()
        half = len(data) // 2
        flipped = data[:half] + bytes([data[half] ^ 16]) + data[half + 1 :]
        path.write_bytes(flipped if suffix == ".nbc" else data[:half])
    assert damaged
    assert draw(folder)[2] == drawn
    kept = compiled(folder)
    assert draw(folder)[2] == drawn
    assert compiled(folder) == kept


@pytest.mark.parametrize("suffix", [".nbi", ".nbc"])
def test_no_damaged_file_is_unpickled(tmp_path, suffix):
    def files():
        return numba_cache_module._Whole(str(tmp_path), "f-1.py311", "stamp")

    files().save("key", {"code": bytes(range(250))})
    (path,) = tmp_path.rglob(f"*{suffix}")
    good = path.read_bytes()
    for damage in DAMAGES.values():
        path.write_bytes(damage(good))
        assert files().load("key") is None
        assert not files().whole

        files().save("key", {"code": bytes(range(250))})
        assert files().load("key") == {"code": bytes(range(250))}
        assert files().whole
        assert path.read_bytes() == good
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
def test_a_disk_that_is_full_is_no_reason_not_to_draw(folder_of_one):
    """No file of the process may grow beyond 100 bytes; writing more fails."""
    folder, drawn = folder_of_one
    for path in folder.rglob("*note_all*"):
        path.unlink()
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))\n"
    assert draw(folder, limit)[2] == drawn
    assert not list(folder.rglob("*note_all*.nbc"))
    assert draw(folder)[2] == drawn
    assert list(folder.rglob("*note_all*.nbc"))


NOTE = """
import numpy as np
from seqforge.core.sampling.numba_cache import is_kept
from seqforge.core.sampling.numba_kernel import Grammar, closed_batch as closed_streams, note_all

streams = closed_streams(1, 5, 3, 1)
free = Grammar(np.zeros((0, 5), bool), np.zeros((0, 5), np.int32))
note_all(streams, 0, np.array([4, 4, 2, 4]), free)
print(is_kept(), is_kept(), streams.counts.tolist())
"""


def test_without_a_place_to_keep_it_the_kernel_is_compiled_each_time(tmp_path):
    """A folder below a regular file cannot be made, whoever asks."""
    (tmp_path / "file").write_text("in the way")
    before, after, counts = draw(tmp_path / "file" / "cache", program=NOTE)
    assert (before, after, counts.strip()) == ("False", "False", "[[0, 0, 1, 0, 2]]")
    assert [p.name for p in tmp_path.rglob("*")] == ["file"]


@pytest.mark.parametrize("name", ["seqforge.core.sampling.numba_cache"])
def test_numba_keeps_its_own_folder(name):
    """Where others' functions are kept is theirs to say: the setting is put back."""
    code = (
        f"import numba, {name}, seqforge.core.sampling.numba_kernel; print(numba.config.CACHE_DIR)"
    )
    environment = {**os.environ, "NUMBA_CACHE_DIR": "/elsewhere"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "/elsewhere"
