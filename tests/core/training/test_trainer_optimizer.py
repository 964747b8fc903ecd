"""The optimiser's step is that of torch's class, without what that imports."""

import subprocess
import sys

import pytest
import torch

from seqforge.core.training.trainer import FusedAdamW
from tests.conftest import ROOT


@pytest.mark.parametrize("weight_decay", [0.0, 0.03])
def test_the_numbers_are_those_of_torch(weight_decay):
    torch.manual_seed(0)
    ours = [torch.nn.Parameter(torch.randn(*shape)) for shape in ((5, 7), (33,), (64, 100))]
    theirs = [torch.nn.Parameter(one.detach().clone()) for one in ours]
    mine = FusedAdamW(ours, 1e-2, weight_decay)
    other = torch.optim.AdamW(theirs, 1e-2, (0.9, 0.99), weight_decay=weight_decay, fused=True)

    for step in range(1, 6):
        for optimizer in (mine, other):
            optimizer.param_groups[0]["lr"] = 1e-2 / step
        for one, two in zip(ours, theirs, strict=True):
            one.grad = torch.randn_like(one)
            two.grad = one.grad.clone()
        mine.step()
        other.step()

    for one, two in zip(ours, theirs, strict=True):
        assert torch.equal(one, two)
        assert mine.state[one].keys() == other.state[two].keys()
        for name, value in other.state[two].items():
            assert torch.equal(mine.state[one][name], value)


def test_training_does_not_import_torchs_compiler_or_sympy(tmp_path):
    code = (
        "import sys; from seqforge.cli.main import app\n"
        "try: app(sys.argv[1:])\n"
        "except SystemExit as ended: assert not ended.code\n"
        "heavy = 'torch', 'torch._dynamo', 'torch.fx.experimental.symbolic_shapes', 'sympy'\n"
        "print(*(name in sys.modules for name in heavy), file=sys.stderr)"
    )
    text = tmp_path / "text.txt"
    text.write_text("the cat sat on the mat\n" * 400)
    done = subprocess.run(
        [sys.executable, "-c", code, "train", "text", str(text), "--budget", "3steps", "--quiet",
         "--hidden-size", "8", "--precision", "fp32", "--device", "cpu", "--no-memory",
         "--out", str(tmp_path / "run")],
        cwd=ROOT, capture_output=True, text=True, check=False
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr.split()[-4:] == ["True", "False", "False", "False"]
