"""What a person sees while a run trains, and what it says of the network's size."""

import json
import os
import pty
import re
import subprocess
import sys
from itertools import pairwise

import pytest

from seqforge.cli import progress
from seqforge.cli.progress import make_watcher
from seqforge.core.training.events import StepReport
from tests.cli.conftest import small
from tests.cli.conversing import read_all


def test_samples_are_shown_as_often_as_asked(seqforge, tmp_path, text_file):
    result = seqforge("train", "text", text_file, *small(tmp_path / "run"), "--budget", "200steps",
                      "--sample-every", "50steps")  # fmt: skip

    assert result.exit_code == 0, result.stderr
    steps = [int(s) for s in re.findall(r"a sample after step (\d+):\n  \| .+", result.stderr)]
    assert len(steps) >= 3
    assert all(b - a >= 20 for a, b in pairwise(steps))
    assert "a sample after" not in result.stdout


def test_a_log_has_no_samples_unless_they_are_asked_for(seqforge, tmp_path, text_file):
    result = seqforge("train", "text", text_file, *small(tmp_path / "run"))
    assert "a sample after" not in result.stderr


@pytest.mark.parametrize("every", ["3epochs", "often", "0s"])
def test_what_is_no_interval_is_refused_before_anything_is_done(
    seqforge, tmp_path, text_file, every
):
    result = seqforge("train", "text", text_file, *small(tmp_path / "run"), "--sample-every", every)

    assert result.exit_code == 1
    assert "--sample-every: give 30s, 2m, 1h or 500steps, not" in " ".join(result.stderr.split())
    assert not (tmp_path / "run").exists()


def test_another_interval_is_no_other_run(seqforge, tmp_path, text_file):
    for more in ([], ["--sample-every", "1s"]):
        result = seqforge("train", "text", text_file, *small(tmp_path / "run"), *more)
        assert result.exit_code == 0, result.stderr
    assert "this run is finished" in result.stderr


def test_a_terminal_shows_the_sample_under_the_bar(tmp_path, text_file):
    """In 80 columns nothing is wider than the screen."""
    ours, theirs = pty.openpty()
    arguments = ["train", "text", text_file, *small(tmp_path / "run"), "--budget", "200steps",
                 "--sample-every", "50steps"]  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-m", "seqforge", *map(str, arguments)],
        stdout=subprocess.DEVNULL, stderr=theirs, stdin=theirs,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "80", "LINES": "30"},
    )  # fmt: skip
    os.close(theirs)
    written = read_all(ours)

    assert process.wait() == 0
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", written)
    after_step = re.findall(
        r"% last \d+ steps: [\d.]+ bits[^\r\n]*\r?\n\s*\r?\n?after step [\d,]+:\r?\n([^\r\n]+)",
        plain,
    )
    assert after_step
    assert "nats" not in plain
    assert all(len(line) <= 80 for line in plain.splitlines())


@pytest.mark.parametrize("verbose", [False, True])
def test_the_line_says_bits_of_the_last_steps_and_nats_if_asked(monkeypatch, capsys, verbose):
    monkeypatch.setattr(progress, "PLAIN_SECONDS", 0.0)
    watcher = make_watcher(quiet=False, verbose=verbose)
    watcher.pulse(StepReport(1, 0.1, 3.0, 1, None, 47_000.0, 90.0))
    watcher.pulse(StepReport(500, 0.45, 2.0, 20, 2.125, 47_000.0, 14.0))

    first, later = capsys.readouterr().err.splitlines()
    nats = " (1.386 nats)" if verbose else ""
    assert "10% | first step: 3.000 bits" in first
    assert f"45% | last 20 steps: 2.000 bits{nats}, held-out 2.125 | 47k symbols/s |" in later


def test_the_size_is_judged_before_and_the_curves_after(seqforge, tmp_path, text_file):
    result = seqforge("run", "text", text_file, *small(tmp_path / "run"))

    assert result.exit_code == 0, result.stderr
    said = json.loads((tmp_path / "run" / "summary.json").read_text())["advice"]
    assert said["before"].startswith(
        "2,259 weights, 19,080 training symbols (8.4 symbols a weight)"
    )
    assert said["before"] in result.stderr
    assert said["after"] in result.stderr
    assert said["after"].startswith(said["verdict"])
    page = (tmp_path / "run" / "report.html").read_text()
    assert said["before"] in page
    assert said["after"][1:] in page


def test_a_run_without_held_out_data_gets_no_verdict(seqforge, tmp_path, text_file):
    size = [*small(tmp_path / "run"), "--set", "training.num_evaluations=30"]
    result = seqforge("run", "text", text_file, *size, "--split", "100/0/0")
    assert result.exit_code == 0, result.stderr
    said = json.loads((tmp_path / "run" / "summary.json").read_text())["advice"]
    assert said["before"]
    assert said["verdict"] is said["after"] is None
    lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    assert json.loads(lines[-1])["valid_perplexity"] is None


def test_a_learning_rate_of_a_hundred_is_said_to_have_diverged(seqforge, tmp_path, text_file):
    run = seqforge("train", "text", text_file, *small(tmp_path / "run", "--learning-rate", 100))

    assert run.exit_code == 0, run.stderr
    assert "diverged: held-out" in run.stderr
    assert "under-fitting" not in run.stderr
