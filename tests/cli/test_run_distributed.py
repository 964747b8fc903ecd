"""One training on two processes, over gloo: the same model as one process with two lanes makes."""

import json
import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from seqforge import core
from seqforge.core.model.checkpoint import load_checkpoint
from tests.forking import two_ranks
from tests.patience import PATIENCE, wait_for

SIZE = ["--hidden-size", 24, "--num-layers", 2, "--dropout", 0.2, "--batch-size", 8,
        "--seq-len", 16, "--precision", "fp32", "--set", "training.num_evaluations=10",
        "--set", "memory.enabled=false"]  # fmt: skip


def interrupted(launched, processes, condition):
    """Press Ctrl-C once something is so; what is left of it."""
    wait_for(lambda: condition() or processes[0].poll() is not None)
    for one in processes:
        one.send_signal(signal.SIGINT)
    return launched.ended()


class Torchrun:
    """Two processes that ``torchrun`` starts; it hands signals on to them."""

    def __init__(self, *words: object) -> None:
        program = ["torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m"]
        self.process = subprocess.Popen(
            [sys.executable, "-m", *program, "seqforge", *map(str, words)], text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )  # fmt: skip

    def ended(self):
        out, err = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, out, err

    def interrupt_when(self, condition):
        return interrupted(self, [self.process], condition)


class Pair:
    """`two_ranks` of the program."""

    def __init__(self, begin, *words: object) -> None:
        self.both = two_ranks(begin, *words)

    def ended(self):
        said = [one.communicate(PATIENCE) for one in self.both]
        out, err = map("".join, zip(*said, strict=True))
        return max(one.returncode for one in self.both), out, err

    def interrupt_when(self, condition):
        return interrupted(self, self.both, condition)


@pytest.fixture
def torchrun():
    """Start the program by torchrun; it is ended with the test."""
    running = []

    def start(*words):
        running.append(Torchrun(*words))
        return running[-1]

    yield start
    for one in running:
        if one.process.poll() is None:
            one.process.send_signal(signal.SIGTERM)  # which torchrun hands on
        one.process.communicate(timeout=PATIENCE)


@pytest.fixture
def pair(start):
    """Start the program as two processes without torchrun, whose imports take seconds."""
    return partial(Pair, start)


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
        "training.ema_share=0.2", "training.schedule=plateau", "training.learning_rate=0.02",
        "training.grad_accumulation=2", "training.label_smoothing=0.1",
        "training.scheduled_sampling=0.3",
        "model.variational=true", "model.weight_drop=0.2", "model.embedding_dropout=0.1",
        "model.attention=20",
        "training.num_evaluations=20",
    ) for word in ("--set", setting)
]  # fmt: skip


def test_two_processes_learn_the_task_of_one(pair, seqforge, tmp_path):
    """A classifier, whose batches are dealt out by rows."""
    table = tmp_path / "some.tsv"
    rows = [f"{'ab' * (n % 5 + 1)}{'xy'[n % 2]}{n}\t{'pq'[n % 2]}\n" for n in range(90)]
    table.write_text("".join(rows))
    order = ["train", "text", table, "--task", "classify", "--budget", "40steps", *SIZE]
    order = [*order, "--split", "60/20/20"]
    code, _, err = pair(*order, "--lanes", 1, "--out", tmp_path / "both").ended()
    one = seqforge(*order, "--lanes", 2, "--out", tmp_path / "one")

    assert code == one.exit_code == 0, err
    for ours, theirs in zip(looks(tmp_path / "both"), looks(tmp_path / "one"), strict=True):
        assert ours == pytest.approx(theirs, abs=1e-4)
    first, *_, last = looks(tmp_path / "both")
    assert last[1] < first[1], "it has learnt something"


@pytest.mark.parametrize(
    ("more", "tolerance"), [([], 1e-4), (EVERYTHING, 1e-3)], ids=["plain", "everything"]
)
def test_two_processes_train_the_model_of_one(pair, seqforge, text_file, tmp_path, more, tolerance):
    """Losses, held-out bits and weights agree; one process speaks, and one run folder is left.

    They add up the same numbers in another order; a high learning rate makes more of that.
    """
    order = ["train", "text", text_file, "--budget", "80steps", *SIZE, *more]
    code, out, err = pair(*order, "--lanes", 1, "--out", tmp_path / "both").ended()
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
    torchrun, pair, seqforge, text_file, tmp_path
):
    """The state of both is saved once; the end is that of an undisturbed run.

    At this rate another order of the sums is worth 1e-6 after so many steps, at the usual one 5e-5.
    """
    order = ["train", "text", text_file, "--budget", "300steps", *SIZE, "--learning-rate", 1e-3]
    first = torchrun(*order, "--lanes", 1, "--out", tmp_path / "run")
    _, _, said = first.interrupt_when((tmp_path / "run" / "metrics.jsonl").exists)
    assert said.count("stopped, everything saved; go on with:") == 1
    ours = str(Path(core.__file__).parent.parent)
    assert ours not in said, "torchrun shows a traceback of its own, and we none"
    stopped = looks(tmp_path / "run")
    assert 0 < len(stopped) < 10

    second = pair(*order, "--lanes", 1, "--out", tmp_path / "run")
    _, _, said = second.interrupt_when(lambda: len(looks(tmp_path / "run")) > len(stopped))
    assert "going on from step" in said

    last = seqforge(*order, "--lanes", 1, "--out", tmp_path / "run", "--resume")
    whole = seqforge(*order, "--lanes", 2, "--out", tmp_path / "whole")

    assert last.exit_code == whole.exit_code == 0, last.stderr + whole.stderr
    assert [step for step, _, _ in looks(tmp_path / "run")] == list(range(30, 301, 30))
    assert largest_difference(tmp_path / "run", tmp_path / "whole") < 1e-4


def test_a_time_budget_and_what_is_auto_are_decided_once(pair, text_file, tmp_path):
    options = [*SIZE[:8], "--seq-len", 16, "--lanes", 1, "--out", tmp_path / "run"]
    code, _, err = pair("train", "text", text_file, "--budget", "1s", *options).ended()

    assert code == 0, err
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["training"]["seconds"] >= 1


def test_a_mistake_is_said_once(pair, tmp_path):
    code, _, err = pair("train", "text", tmp_path / "none.txt").ended()
    assert code == 1
    assert err.count("none.txt: there is no such file or folder") == 1


def test_when_one_process_is_killed_the_other_ends_in_a_sentence(pair, text_file, tmp_path):
    order = ["train", "text", text_file, "--budget", "5000steps", *SIZE,
             "--set", "training.num_evaluations=500"]  # fmt: skip
    first, second = pair(*order, "--out", tmp_path / "run").both
    wait_for(lambda: (tmp_path / "run" / "metrics.jsonl").exists() or first.poll() is not None)
    second.kill()
    _, err = first.communicate(PATIENCE)

    assert first.returncode == 1
    assert "another of the 2 processes of this training has ended" in err
    assert (tmp_path / "run" / "resume.safetensors").exists()
