"""The same command goes on with the run that it began, and with no other."""

from dataclasses import replace
from pathlib import Path

import pytest

from seqforge.base.file_locks import held_folder
from seqforge.base.folders import sha256_of
from seqforge.runs.pipeline import run
from seqforge.runs.progress import NullProgress
from seqforge.runs.request import AskedRun, Interrupted, unfinished_run_of
from tests.runs.test_pipeline_resuming import Stopping, Told, small


@pytest.fixture
def order(tmp_path, monkeypatch):
    """An order without a folder, and under ``runs/`` what it had begun when it was stopped."""
    monkeypatch.chdir(tmp_path)
    order = replace(small("text", tmp_path), out=None, inputs=("words.txt",))
    with pytest.raises(Interrupted):
        run(order, Stopping())
    return order


def waiting(order):
    """The run that an order goes on with, if there is one."""
    return unfinished_run_of(AskedRun.of(order), NullProgress())


def test_the_same_command_goes_on_and_a_finished_run_is_not_begun_again(order):
    (begun,) = Path("runs").iterdir()
    watcher = Told()
    assert run(order, watcher).path == begun
    assert f"going on with {begun}, which the same command began; --out begins another" in (
        watcher.notes
    )

    assert waiting(order) is None


def test_only_the_same_order_goes_on(order, tmp_path):
    (begun,) = Path("runs").iterdir()
    there = waiting(order)
    assert there.path == begun
    settings = dict(order.settings)
    same = [
        replace(order, inputs=(str(tmp_path / "words.txt"),)),
        replace(order, settings={**settings, "training.seed": 0, "model.dropout": 0.25}),
        replace(order, command="another word for it", sample_every="9steps"),
    ]
    assert [waiting(one).path for one in same] == [begun] * 3
    others = [
        replace(order, settings={**settings, "training.seed": 1}),
        replace(order, settings={k: v for k, v in settings.items() if k != "model.hidden_size"}),
        replace(order, settings={**settings, "domain_options.bytes": True}),
        replace(order, only_train=False),
        replace(order, inputs=("-",)),
        replace(order, inputs=("words.txt", "more.txt")),
    ]
    assert [waiting(one) for one in others] == [None] * len(others)
    assert AskedRun.of(replace(order, inputs=("-",))).fingerprint() is None


def test_input_that_has_changed_begins_anew(order):
    (begun,) = Path("runs").iterdir()
    before = sha256_of(begun / "resume.safetensors")
    Path("words.txt").write_text("other words " * 900)
    watcher = Told()

    other = run(order, watcher)

    assert other.path != begun
    assert f"{begun} was begun on other content of these files; beginning anew" in watcher.notes
    assert sha256_of(begun / "resume.safetensors") == before


def test_a_run_that_is_worked_on_is_left_alone(order):
    (begun,) = Path("runs").iterdir()
    with held_folder(begun):
        assert waiting(order) is None
    assert waiting(order).path == begun
