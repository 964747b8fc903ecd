"""A run that was stopped goes on, whatever recipe it is of and whatever became of its files."""

import os
import signal

import pytest

from seqforge.base.jsonable import as_json
from seqforge.core.checkpoint import load_checkpoint
from seqforge.core.config import RunConfig
from seqforge.orders import Interrupted, Order
from seqforge.pipelines import run
from seqforge.recipes import recipe_names
from seqforge.watching import Silent
from tests.small_runs import material

_SMALL = {
    "training.budget": "4steps", "model.hidden_size": 8, "model.embedding_size": 8,
    "training.batch_size": 4, "training.seq_len": 8, "training.precision": "fp32",
    "training.lanes": 1, "training.evaluations": 4, "training.device": "cpu",
}  # fmt: skip


class Told(Silent):
    """Keeps what it is told."""

    def __init__(self):
        self.notes = []

    def note(self, text):
        self.notes.append(text)


class Stopping(Told):
    """Ends the run, as a person does, at the second look at held-out data."""

    def __init__(self):
        super().__init__()
        self.looks = 0

    def evaluation(self, evaluation):
        self.looks += 1
        if self.looks == 2:
            os.kill(os.getpid(), signal.SIGINT)


@pytest.fixture(scope="module", params=recipe_names())
def recipe(request):
    return request.param


def small(recipe, folder, **more):
    folder.mkdir(exist_ok=True)
    return Order(
        recipe, (str(material(recipe, folder)),), {**_SMALL, **more}, folder / "run",
        only_train=True,
    )  # fmt: skip


def weights(folder):
    return {k: v.tobytes() for k, v in load_checkpoint(folder.model).weights.items()}


def test_every_recipe_that_ships_goes_on_where_it_was_stopped(recipe, tmp_path):
    order = small(recipe, tmp_path)
    with pytest.raises(Interrupted):
        run(order, Stopping())

    watcher = Told()
    folder = run(order, watcher)
    whole = run(small(recipe, tmp_path / "whole"), Silent())

    assert any("going on from step 2" in note for note in watcher.notes)
    assert weights(folder) == weights(whole)


def test_settings_are_the_same_whatever_file_they_came_back_from():
    """A tuple, a path, a number that is none: none of them is another setting for being kept."""
    options = {"formats": ("mid", "abc"), "bars": {2, 1}, "limit": float("inf"), "of": {"a": (1,)}}
    asked = RunConfig(domain="music", domain_options=options)
    kept = RunConfig.model_validate_json(asked.model_copy(
        update={"domain_options": as_json(options)}).model_dump_json())  # fmt: skip

    assert asked.differences(kept) == kept.differences(asked) == []
    other = asked.model_copy(update={"domain_options": {**options, "formats": ("mid",)}})
    assert other.differences(kept) == ["domain_options.formats: ['mid'] and ['mid', 'abc']"]
