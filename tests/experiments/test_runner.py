"""Trials that ended are kept whatever happens, and nothing is done twice."""

import json
import signal
from pathlib import Path

import pytest

from seqforge.errors import ConfigError, RunError
from seqforge.experiments.counting import CountingSettings
from seqforge.experiments.recipe import checked_settings
from seqforge.experiments.runner import ExperimentFolder, run_experiment
from seqforge.runs.progress import NullProgress
from tests.forking import Command
from tests.patience import wait_for

ONE_CORE = Path(__file__).with_name("on_one_core.py")
SMALL = {"cells": ["gru", "rnn"], "languages": [2], "seeds": 2, "steps": 5, "tried_to": 60,
         "ways": ["mean/0.01"]}  # fmt: skip
KEYS = [f"2-{cell}-mean/0.01-{seed}" for cell in ("gru", "rnn") for seed in (0, 1)]
WORDS = [word for key, value in SMALL.items()
         for word in ("--set", f"experiment.{key}={json.dumps(value)}")]  # fmt: skip


def begun(path):
    folder = ExperimentFolder(path)
    path.mkdir()
    folder.begin("counting", CountingSettings(**SMALL))
    return folder


def row(key):
    return {"key": key, "cell": "gru", "language": "a^n b^n", "seed": 0, "way": "mean/0.01",
            "fails_from": 7, "loss": 1.0, "seconds": 0.0}  # fmt: skip


def test_rows_are_kept_and_a_line_that_was_cut_off_is_none(tmp_path):
    folder = begun(tmp_path / "x")
    folder.add(row("2-gru-mean/0.01-0"))
    whole = (folder.path / "rows.jsonl").read_bytes()
    folder.add(row("2-gru-mean/0.01-1"))
    every = (folder.path / "rows.jsonl").read_bytes()
    for cut in range(len(whole), len(every)):
        (folder.path / "rows.jsonl").write_bytes(every[:cut])
        assert set(folder.rows()) <= {"2-gru-mean/0.01-0", "2-gru-mean/0.01-1"}
        assert "2-gru-mean/0.01-0" in folder.rows()
    folder.add(row("2-rnn-mean/0.01-0"))  # behind the line that was cut off
    assert {"2-gru-mean/0.01-0", "2-rnn-mean/0.01-0"} <= set(folder.rows())


def test_killed_in_the_middle_it_goes_on_with_what_is_left(tmp_path):
    """By SIGKILL, as soon as a row is there; the rows that were there stay as they are."""
    out = tmp_path / "out"
    command = Command("run", "counting", "--out", out, "--quiet", *WORDS, script=ONE_CORE)
    folder = ExperimentFolder(out)
    wait_for(lambda: folder.rows() or command.poll() is not None)
    command.end()
    before = folder.rows()

    again = Command("run", "counting", "--out", out, "--quiet", *WORDS)
    said, complaint = again.communicate()
    assert again.returncode == 0, complaint
    rows = json.loads(folder.summary.read_text())["experiment"]["rows"]
    assert [r["key"] for r in rows] == KEYS
    assert {key: r for key, r in folder.rows().items() if key in before} == before
    assert "median of 2 seeds" in said
    assert "Units that count" in folder.page.read_text()


def test_ctrl_c_keeps_what_has_ended_and_says_the_command_that_goes_on(tmp_path):
    """It has all settings: without them the folder would be refused."""
    out = tmp_path / "out"
    words = [*WORDS, "--set", "experiment.seeds=500"]
    command = Command("run", "counting", "--out", out, *words, script=ONE_CORE)
    folder = ExperimentFolder(out)
    wait_for(lambda: folder.rows() or command.poll() is not None)
    command.send_signal(signal.SIGINT)
    complaint = command.communicate()[1]
    assert command.returncode == 130, complaint
    said = " ".join(complaint.split())
    assert f"go on with: seqforge run counting --out {out} --set" in said
    assert "--set experiment.seeds=500" in said
    assert folder.rows()


def test_a_finished_experiment_does_nothing_again(tmp_path):
    folder = begun(tmp_path / "x")
    for key in KEYS:
        folder.add({**row(key), "cell": key[2:5]})
    before = (folder.path / "rows.jsonl").read_bytes()
    run_experiment("counting", CountingSettings(**SMALL), folder, NullProgress())
    assert (folder.path / "rows.jsonl").read_bytes() == before
    assert json.loads(folder.summary.read_text())["experiment"]["published"]


def test_other_settings_in_the_same_folder_are_refused(tmp_path):
    folder = begun(tmp_path / "x")
    with pytest.raises(RunError, match=r"was begun with seeds = 2, not 3; give another --out"):
        folder.begin("counting", CountingSettings(**{**SMALL, "seeds": 3}))
    other = ExperimentFolder(tmp_path / "y")
    other.path.mkdir()
    (other.path / "novel.txt").write_text("mine")
    with pytest.raises(RunError, match="holds other files and no experiment"):
        other.begin("counting", CountingSettings(**SMALL))


@pytest.mark.parametrize(
    ("values", "said"),
    [({"seeds": 0}, "seeds"), ({"sedes": 3}, r"sedes.*; did you mean seeds\?"),
     ({"cells": "lstm"}, "cells")],
)  # fmt: skip
def test_a_wrong_setting_is_named(values, said):
    with pytest.raises(ConfigError, match=said):
        checked_settings("counting", values, "counting.toml")


def test_an_option_of_a_training_is_refused(tmp_path):
    command = Command("run", "counting", "--hidden-size", 8, "--out", tmp_path / "x")
    _, complaint = command.communicate()
    assert command.returncode == 1
    assert "counting is an experiment and has no setting 'model.hidden_size'" in complaint
    assert not (tmp_path / "x").exists()
