"""What was compiled is kept for the next process, and nothing is needed of the folder."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import seqforge
from tests.small_runs import DAMAGES

DRAW = """
import sys
import numpy as np
from seqforge.core.model.checkpoint import Checkpoint, ModelCard
from seqforge.core.config import RunConfig
from seqforge.core.kernels import kernel_cache
from seqforge.core.sampling.sampler import Sampler, SamplerParams

compiled, compile_now = [], kernel_cache.object_code
kernel_cache.object_code = lambda text, level: [compiled.append(text), compile_now(text, level)][1]
noise, size, hidden = np.random.default_rng(0), 4, 8
shapes = {
    "embedding.weight": (size, hidden), "layers.0.weight_ih_l0": (4 * hidden, hidden),
    "layers.0.weight_hh_l0": (4 * hidden, hidden), "layers.0.bias_ih_l0": (4 * hidden,),
    "layers.0.bias_hh_l0": (4 * hidden,), "output.weight": (size, hidden), "output.bias": (size,),
}
config = RunConfig(domain="text", model={"hidden_size": hidden})
card = ModelCard(seqforge_version="0", name="toy", config=config, symbols=tuple("abc"))
weights = {k: noise.normal(size=v).astype(np.float32) for k, v in shapes.items()}
samples = list(Sampler(Checkpoint(card, weights)).draw(3, SamplerParams(length=20, prime="ab")))
assert "torch" not in sys.modules
print(len(compiled), [sample.symbols for sample in samples])
"""


def draw(cache, before="", program=DRAW, parts=1):
    """What the program prints, in a process of its own with its own cache: words, and the rest."""
    environment = {**os.environ, "SEQFORGE_CACHE": str(cache)}
    done = subprocess.run(
        [sys.executable, "-c", before + program],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.split(" ", parts)


def kept_in(cache):
    return {path: path.stat().st_mtime_ns for path in cache.rglob("*.kernel")}


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """A cache that a process has filled, how many kernels it compiled, and what it drew."""
    cache = tmp_path_factory.mktemp("cache")
    compiled, drawn = draw(cache)
    assert int(compiled) == len(kept_in(cache)) > 0
    return cache, compiled, drawn


def test_the_second_process_compiles_nothing(first):
    cache, _, drawn = first
    kept = kept_in(cache)

    assert draw(cache) == ["0", drawn]
    assert kept_in(cache) == kept


def copy_of_the_package(folder):
    return shutil.copytree(Path(seqforge.__file__).parent, folder / "seqforge")


def test_another_installation_of_the_same_sources_compiles_nothing(first, tmp_path, monkeypatch):
    """Elsewhere, and with other times: a second environment, or a clone that was moved."""
    cache, _, drawn = first
    elsewhere = copy_of_the_package(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    where = "import seqforge; print(seqforge.__file__, end=' ')\n"

    assert draw(cache, where, parts=2) == [str(elsewhere / "__init__.py"), "0", drawn]


@pytest.mark.parametrize(
    ("module", "was", "now"),
    [
        ("sampling/sampling_kernel.py", "filter_logits(size, ", "filter_logits(size, 0.0 * "),
        ("sampling/logit_filters.py", "return filters.temperature\n", "return 0.0\n"),
        ("kernels/expressions.py", "whole numbers become", "whole numbers turn into"),
    ],
    ids=["the kernel", "one that it calls", "the compiler"],
)  # fmt: skip
def test_a_changed_source_is_compiled_anew(first, tmp_path, monkeypatch, module, was, now):
    """The first two make every draw the likeliest symbol, the last changes a comment."""
    cache, compiled, drawn = first
    changed = copy_of_the_package(tmp_path) / "core" / module
    text = changed.read_text()
    assert was in text
    changed.write_text(text.replace(was, now))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    own = shutil.copytree(cache, tmp_path / "cache")

    found = draw(own)

    assert (found[1] == drawn) == (module == "kernels/expressions.py")
    assert 0 < int(found[0]) <= int(compiled)
    assert draw(own) == ["0", found[1]]


CONSTANT = """
import sys, types
from seqforge.core.kernels import kernel_cache
from seqforge.core.kernels.compiler import kernel
import lengths, measured
compiled, compile_now = [], kernel_cache.object_code
kernel_cache.object_code = lambda text, level: [compiled.append(text), compile_now(text, level)][1]
print(len(compiled) + 0 * measured.whole(2), measured.whole(2), len(compiled))
"""


def test_a_changed_number_of_another_module_is_compiled_anew(tmp_path, monkeypatch):
    (tmp_path / "lengths.py").write_text("INCH = 2.5\n")
    (tmp_path / "measured.py").write_text(
        "import lengths\nfrom seqforge.core.kernels.compiler import kernel\n"
        "@kernel\ndef whole(n: int) -> float:\n    return n * lengths.INCH\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    cache = tmp_path / "cache"
    assert draw(cache, program=CONSTANT, parts=2)[1:] == ["5.0", "1\n"]
    assert draw(cache, program=CONSTANT, parts=2)[1:] == ["5.0", "0\n"]

    (tmp_path / "lengths.py").write_text("INCH = 2.54\n")
    shutil.rmtree(tmp_path / "__pycache__", ignore_errors=True)

    assert draw(cache, program=CONSTANT, parts=2)[1:] == ["5.08", "1\n"]


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_what_is_damaged_is_compiled_again(first, tmp_path, damage):
    """A machine that lost its power may leave files cut short; a disk may flip a bit of code."""
    cache, _, drawn = first
    own = shutil.copytree(cache, tmp_path / "cache")
    victim = next(own.rglob("read_and_draw*"))
    good = victim.read_bytes()
    victim.write_bytes(damage(good))

    assert draw(own) == ["1", drawn]
    assert victim.read_bytes() == good


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
def test_a_disk_that_is_full_is_no_reason_not_to_draw(first, tmp_path):
    """No file of the process may grow beyond 100 bytes; writing more fails."""
    _, compiled, drawn = first
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))\n"

    assert draw(tmp_path, limit) == [compiled, drawn]
    assert kept_in(tmp_path) == {}


def test_without_a_place_to_keep_it_the_kernel_is_compiled_each_time(first, tmp_path):
    """A folder below a regular file cannot be made, whoever asks."""
    _, compiled, drawn = first
    (tmp_path / "file").write_text("in the way")

    assert draw(tmp_path / "file" / "cache") == [compiled, drawn]
    assert [path.name for path in tmp_path.rglob("*")] == ["file"]
