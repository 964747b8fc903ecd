"""The kernel is compiled ahead of its use."""

import os
import subprocess
import sys

import pytest

from seqforge.base.paths import bundled_folder
from seqforge.core.model.checkpoint import save_checkpoint
from tests.core.sampling.tiny import checkpoint
from tests.forking import Command
from tests.patience import PATIENCE

WAITED = """
import sys, threading
from seqforge.base.folders import cache_root

def kept():
    for thread in threading.enumerate():
        if thread is not threading.main_thread():
            thread.join()
    return sorted(path.name for path in cache_root().rglob("*.kernel"))
"""

PREPARED = (
    WAITED
    + """
from pathlib import Path
from seqforge.core.sampling.engine import prepare_for
prepare_for(Path(sys.argv[1]))
early = {"pydantic", "safetensors"} & set(sys.modules)
before = kept()
import seqforge
seqforge.load(sys.argv[1]).sample(length=9)
print(len(early), len(before), before == kept())
"""
)

MIXED = (
    WAITED
    + """
import numpy as np
from seqforge.core.data.domain import copy_units
from seqforge.core.sampling.copy_limit import CopyLimit
from seqforge.core.sampling.engine import KernelEngine, MemoryEngine, prepare_mixture
from seqforge.core.sampling.sampler import Sampler, SamplerParams
from seqforge.registry import load_domain
from tests.core.sampling.tiny import checkpoint

domain = load_domain(sys.argv[1])
model = checkpoint(symbols=("A", "C", "G", "T"))
card = model.card
ids = np.random.default_rng(0).integers(1, 5, 500).astype(card.vocabulary.dtype)
memory = domain.memory(card.vocabulary, ids, 500, 1 << 22)
memory.learn(ids)
memory.score(ids)
before = kept()
prepare_mixture(card, domain)
ready = kept()
units = copy_units(domain, card.vocabulary)
limit = CopyLimit(memory.history, units, 9)
engine = MemoryEngine(KernelEngine.of(model), memory, 5, limit=limit)
Sampler(model, engine=engine).draw(1, SamplerParams(length=9))
new = {name.partition("-")[0] for name in set(kept()) - set(ready)}
print(len(ready) > len(before), new <= {"read_and_draw"})
"""
)


@pytest.mark.parametrize("model", ["fly", "folk", "looks back"])  # an LSTM, a GRU, attention
def test_a_models_kernel_is_compiled_before_the_model_is_read(model, tmp_path):
    path = bundled_folder() / f"{model}.safetensors"
    if not path.exists():
        path = tmp_path / "made.safetensors"
        made = checkpoint(cell="rnn", attention=10)
        save_checkpoint(path, made.card, made.weights)
    done = subprocess.run(
        [sys.executable, "-c", PREPARED, str(path)],
        capture_output=True, text=True, check=False,
        env={**os.environ, "SEQFORGE_CACHE": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["0", "1", "True"]


@pytest.mark.parametrize("content", [None, b"", b'\\"cell\\":\\"none\\"', b"\xff" * 100])
def test_what_is_no_model_has_nothing_compiled(content, tmp_path):
    path = tmp_path / "x.safetensors"
    if content is not None:
        path.write_bytes(content)
    code = PREPARED.split("early")[0] + "print(threading.active_count())"
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["1"]


@pytest.mark.parametrize("domain", ["text", "genome"])
def test_what_draws_with_a_memory_is_compiled_before_the_memory_is_read(domain, tmp_path):
    """All but the network's own kernel, which is prepared when the model is opened."""
    (tmp_path / "mixed.py").write_text(MIXED)
    process = Command(domain, script=tmp_path / "mixed.py", SEQFORGE_CACHE=str(tmp_path))
    said, complaints = process.communicate(PATIENCE)
    assert process.returncode == 0, complaints
    assert said.split() == ["True", "True"]
