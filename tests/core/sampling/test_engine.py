"""The kernel is compiled ahead of its use."""

import os
import subprocess
import sys

import pytest

from seqforge.base.paths import bundled_folder

PREPARED = """
import sys, threading
from pathlib import Path
from seqforge.core.sampling.engine import prepare_for
prepare_for(Path(sys.argv[1]))
early = {"pydantic", "safetensors"} & set(sys.modules)
for thread in threading.enumerate():
    if thread is not threading.main_thread():
        thread.join()
from seqforge.base.folders import cache_root
kept = lambda: sorted(path.name for path in cache_root().rglob("*.kernel"))
before = kept()
import seqforge
seqforge.load(sys.argv[1]).sample(length=9)
print(len(early), len(before), before == kept())
"""


@pytest.mark.parametrize("model", ["fly", "folk"])  # an LSTM and a GRU
def test_a_models_kernel_is_compiled_before_the_model_is_read(model, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", PREPARED, str(bundled_folder() / f"{model}.safetensors")],
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
