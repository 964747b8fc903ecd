"""One training on two processes, over gloo: the same model as one process with two lanes makes."""

import json
import os
import signal
import subprocess

import pytest

from seqforge.core.checkpoint import load_checkpoint
from tests.cli.conftest import processes
from tests.patience import PATIENCE, wait_for

SIZE = ["--hidden-size", 24, "--num-layers", 2, "--dropout", 0.2, "--batch-size", 8,
        "--seq-len", 16, "--precision", "fp32", "--set", "training.evaluations=10"]  # fmt: skip


@pytest.fixture
def torchrun():
    """Start the program as two processes; what still runs is ended with the test."""
    program = ("torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "seqforge")
    # SIGTERM, which torchrun hands on to the processes.
    with processes(*program, ending=signal.SIGTERM, OMP_NUM_THREADS="1") as launch:
        yield launch


def ended(process):
    out, err = process.communicate(timeout=PATIENCE)
    return process.returncode, out, err


def looks(run):
    """Step, training and held-out bits of each look."""
    lines = (run / "metrics.jsonl").read_text().splitlines()
    return [tuple(json.loads(line)[k] for k in ("step", "train_bits", "valid_bits"))
            for line in lines]  # fmt: skip


def largest_difference(one, other):
    ours, theirs = (load_checkpoint(run / "model.safetensors").weights for run in (one, other))
    return max(abs(ours[name] - theirs[name]).max() for name in ours)


EVERYTHING = [
    word for setting in (
        "training.averaging=0.2", "training.schedule=plateau", "training.learning_rate=0.02",
        "training.accumulate=2", "training.label_smoothing=0.1", "training.own_inputs=0.3",
        "model.variational=true", "model.weight_drop=0.2", "model.embedding_dropout=0.1",
        "training.evaluations=50",
    ) for word in ("--set", setting)
]  # fmt: skip


@pytest.mark.parametrize(
    ("more", "tolerance"), [([], 1e-4), (EVERYTHING, 1e-3)], ids=["plain", "everything"]
)
def test_two_processes_train_the_model_of_one(
    torchrun, seqforge, text_file, tmp_path, more, tolerance
):
    """Losses, held-out bits and weights agree; one process speaks, and one run folder is left.

    They add up the same numbers in another order; a high learning rate makes more of that.
    """
    order = ["train", "text", text_file, "--budget", "200steps", *SIZE, *more]
    both = torchrun(*order, "--lanes", 1, "--out", tmp_path / "both")
    code, out, err = ended(both)
    one = seqforge(*order, "--lanes", 2, "--out", tmp_path / "one")

    assert code == one.exit_code == 0, err
    assert out.count("model:") == 1
    assert err.count("training ...") == 1
    for ours, theirs in zip(looks(tmp_path / "both"), looks(tmp_path / "one"), strict=True):
        assert ours == pytest.approx(theirs, abs=1e-4)
    first, *_, last = looks(tmp_path / "both")
    assert last[1] < first[1] - 0.5, "it has learnt something"
    assert largest_difference(tmp_path / "both", tmp_path / "one") < tolerance
    assert json.loads((tmp_path / "both" / "summary.json").read_text())["ranks"] == 2


def test_stopped_by_ctrl_c_it_goes_on_with_two_processes_or_one(
    torchrun, seqforge, text_file, tmp_path
):
    """The state of both is saved once; the end is that of an undisturbed run.

    At this rate another order of the sums is worth 1e-6 after so many steps, at the usual one 5e-5.
    """
    order = ["train", "text", text_file, "--budget", "1500steps", *SIZE, "--learning-rate", 1e-3]
    first = torchrun(*order, "--lanes", 1, "--out", tmp_path / "run")
    wait_for(lambda: (tmp_path / "run" / "metrics.jsonl").exists() or first.poll() is not None)
    first.send_signal(signal.SIGINT)
    _, _, said = ended(first)
    assert said.count("stopped, everything saved; go on with:") == 1
    assert "seqforge/" not in said, "torchrun shows a traceback of its own, and we none"
    stopped = looks(tmp_path / "run")
    assert 0 < len(stopped) < 10

    second = torchrun(*order, "--lanes", 1, "--out", tmp_path / "run")
    wait_for(lambda: len(looks(tmp_path / "run")) > len(stopped) or second.poll() is not None)
    second.send_signal(signal.SIGINT)
    _, _, said = ended(second)
    assert "going on from step" in said

    last = seqforge(*order, "--lanes", 1, "--out", tmp_path / "run", "--resume")
    whole = seqforge(*order, "--lanes", 2, "--out", tmp_path / "whole")

    assert last.exit_code == whole.exit_code == 0, last.stderr + whole.stderr
    assert [step for step, _, _ in looks(tmp_path / "run")] == list(range(150, 1501, 150))
    assert largest_difference(tmp_path / "run", tmp_path / "whole") < 1e-4


def test_a_time_budget_and_what_is_auto_are_decided_once(torchrun, text_file, tmp_path):
    options = [*SIZE[:8], "--seq-len", 16, "--lanes", 1, "--out", tmp_path / "run"]
    code, _, err = ended(torchrun("train", "text", text_file, "--budget", "1s", *options))

    assert code == 0, err
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["training"]["seconds"] >= 1


def test_a_mistake_is_said_once(torchrun, tmp_path):
    code, _, err = ended(torchrun("train", "text", tmp_path / "none.txt"))
    assert code == 1
    assert err.count("none.txt: there is no such file or folder") == 1


def test_when_one_process_is_killed_the_other_ends_in_a_sentence(torchrun, text_file, tmp_path):
    process = torchrun("train", "text", text_file, "--budget", "5000steps", *SIZE,
                       "--out", tmp_path / "run")  # fmt: skip
    wait_for(lambda: (tmp_path / "run" / "metrics.jsonl").exists() or process.poll() is not None)
    children = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(process.pid)], capture_output=True, text=True, check=True
    )
    second = max(int(pid) for pid in children.stdout.split())
    os.kill(second, signal.SIGKILL)
    code, _, err = ended(process)

    assert code == 1
    assert "another of the 2 processes of this training has ended" in err
    assert (tmp_path / "run" / "resume.safetensors").exists()
