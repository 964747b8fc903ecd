"""A run that was stopped goes on, whatever recipe it is of and whatever became of its files."""

import json
import os
import shutil
import signal
from dataclasses import replace
from pathlib import Path

import pytest
import tomli_w

from seqforge.base.atomic_files import as_json
from seqforge.core.config import RunConfig
from seqforge.core.model.checkpoint import read_arrays, write_arrays
from seqforge.errors import CheckpointError, ConfigError, RunError
from seqforge.runs.folder import RunFolder, read_metrics
from seqforge.runs.pipeline import run
from seqforge.runs.progress import NullProgress
from seqforge.runs.recipes import find_recipe, recipe_names
from seqforge.runs.request import Interrupted, RunRequest
from seqforge.runs.results import SearchOutcome, TrainResult
from tests.small_runs import DAMAGES, material

_SMALL = {
    "training.budget": "4steps", "model.hidden_size": 8, "model.embedding_size": 8,
    "training.batch_size": 4, "training.seq_len": 8, "training.precision": "fp32",
    "training.lanes": 1, "training.num_evaluations": 4, "training.device": "cpu",
    "memory.enabled": False,
}  # fmt: skip


class Told(NullProgress):
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


def _learns_from_anything(name):
    """Whether a recipe takes any file of its domain; others have tests of their own."""
    recipe = find_recipe(name)
    return not recipe.wants and recipe.config().data.made is None


@pytest.fixture(
    scope="module", params=[name for name in recipe_names() if _learns_from_anything(name)]
)
def recipe(request):
    return request.param


def small(recipe, folder, **more):
    folder.mkdir(exist_ok=True)
    return RunRequest(
        recipe, (str(material(recipe, folder)),), {**_SMALL, **more}, folder / "run",
        only_train=True,
    )  # fmt: skip


def weights(folder):
    _, arrays = read_arrays(folder.model)
    return {name: array.tobytes() for name, array in arrays.items()}


def test_every_recipe_that_ships_goes_on_where_it_was_stopped(recipe, tmp_path):
    order = small(recipe, tmp_path)
    with pytest.raises(Interrupted):
        run(order, Stopping())

    watcher = Told()
    folder = run(order, watcher)
    whole = run(small(recipe, tmp_path / "whole"), NullProgress())

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


@pytest.fixture(scope="module")
def stopped(tmp_path_factory, new_cache):
    """A training of text that was stopped on the way, made once; read it only."""
    folder = tmp_path_factory.mktemp("stopped")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEQFORGE_CACHE", str(new_cache()))
        with pytest.raises(Interrupted):
            run(small("text", folder), Stopping())
    return folder


@pytest.fixture
def begun(stopped, tmp_path):
    """A copy of it in a place of its own, and the order that goes on."""
    shutil.copytree(stopped, tmp_path, dirs_exist_ok=True)
    config = tmp_path / "run" / "config.toml"
    config.write_text(config.read_text().replace(str(stopped), str(tmp_path)))
    return replace(small("text", tmp_path), inputs=(str(tmp_path / "words.txt"),))


def test_a_run_that_was_begun_with_settings_under_old_names_goes_on(begun, tmp_path):
    """As its files are there: config.toml and resume.safetensors name what was called otherwise."""
    run_folder = tmp_path / "run"
    config, state = run_folder / "config.toml", run_folder / "resume.safetensors"
    config.write_text(config.read_text().replace("num_evaluations =", "evaluations ="))
    header, arrays = read_arrays(state)
    training = header["config"]["training"]
    training["evaluations"] = training.pop("num_evaluations")
    write_arrays(state, {k: v for k, v in header.items() if k != "digest"}, arrays)
    watcher = Told()

    folder = run(begun, watcher)

    assert any("going on from step 2" in note for note in watcher.notes)
    assert weights(folder) == weights(run(small("text", tmp_path / "whole"), NullProgress()))


def test_an_input_that_has_changed_is_said_to_have_whatever_it_is_called(begun, tmp_path):
    (tmp_path / "words.txt").write_text("other words " * 900)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "link.txt").symlink_to(tmp_path / "words.txt")
    (tmp_path / "elsewhere" / "words.txt").write_text("other words " * 900)
    names = ["words.txt", "link.txt", "elsewhere/../words.txt", "elsewhere/words.txt"]
    for name in names:
        order = replace(begun, inputs=(str(tmp_path / name),))
        with pytest.raises(RunError, match=rf"{name} has changed\); give the same files unchanged"):
            run(order, NullProgress())


def test_a_file_under_another_name_is_the_same_and_another_file_is_new(begun, tmp_path):
    (tmp_path / "words.txt").rename(tmp_path / "renamed.txt")
    assert run(replace(begun, inputs=(str(tmp_path / "renamed.txt"),)), NullProgress()).finished(
        True
    )

    (tmp_path / "more.txt").write_text("other words " * 900)
    (tmp_path / "run" / "stages.json").unlink()
    both = tuple(str(tmp_path / name) for name in ("renamed.txt", "more.txt"))
    with pytest.raises(RunError, match=r"\(\S*more.txt is new\)"):
        run(replace(begun, inputs=both), NullProgress())
    with pytest.raises(RunError, match=r"\(\S*more.txt is new; \S*renamed.txt is missing\)"):
        run(replace(begun, inputs=both[1:]), NullProgress())


def test_a_finished_run_that_is_given_a_longer_budget_says_how_to_train_on(begun, tmp_path):
    run(begun, NullProgress())
    longer = replace(begun, settings={**_SMALL, "training.budget": "9steps"})
    with pytest.raises(ConfigError, match=rf"with a budget of 4steps; .*--init {tmp_path}/run "
                                          r"--budget 9steps"):  # fmt: skip
        run(longer, NullProgress())
    with pytest.raises(ConfigError, match=r"started with other settings .*training.seed: 0 and 1"):
        run(replace(longer, settings={**longer.settings, "training.seed": 1}), NullProgress())


@pytest.mark.parametrize(
    "name",
    ["/abs/x", "../x", "..", ".", "", "  ", "a/b", "a\\b", "x\n", "x\x1b[31m", "x" * 300, 7,
     ".hidden", "\u202ex", ["x"]],
)  # fmt: skip
def test_the_name_of_a_recipe_makes_no_folder_outside_of_runs(tmp_path, name):
    path = tmp_path / "recipe.toml"
    path.write_text(tomli_w.dumps({"domain": "text", "made": {"pipeline": name}}))
    with pytest.raises(ConfigError, match=r"made.pipeline: .* is not a valid name") as refused:
        find_recipe(str(path))
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 200 + len(str(path))


@pytest.mark.parametrize("name", ["text", "my genome", "été-2", "x.y_z"])
def test_any_name_that_a_folder_can_have_is_a_name_of_a_recipe(tmp_path, name):
    (tmp_path / f"{name}.toml").write_text('domain = "text"\n')
    assert find_recipe(str(tmp_path / f"{name}.toml")).name == name


def test_a_damaged_run_does_not_keep_another_from_going_on(begun, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, content in {"bad": b"= 1", "latin": b"x = '\xff'", "odd": b"made = 3"}.items():
        (Path("runs") / name).mkdir(parents=True)
        (Path("runs") / name / "config.toml").write_bytes(content)
        (Path("runs") / name / "resume.safetensors").touch()
    Path("run").rename("runs/text-1")
    watcher = Told()

    folder = run(replace(begun, out=None, resume=True), watcher)

    assert folder.path == Path("runs/text-1")
    assert "going on with runs/text-1" in watcher.notes


@pytest.fixture(scope="module")
def whole(tmp_path_factory, stopped, new_cache):
    """The same training, undisturbed; read it only."""
    folder = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEQFORGE_CACHE", str(new_cache()))
        return run(small("text", folder), NullProgress())


def steps(folder):
    return [line.step for line in read_metrics(folder)]


def test_a_damaged_note_of_stages_is_worked_out_again(begun, whole, tmp_path):
    folder = run(begun, NullProgress())
    folder.stages.write_bytes(DAMAGES["a bit"](folder.stages.read_bytes()))
    watcher = Told()

    again = run(begun, watcher)

    assert watcher.notes[0] == f"{folder.stages}: was damaged; what it told of is worked out again"
    assert weights(again) == weights(whole)
    assert again.finished(only_train=True)


def test_every_damage_to_the_note_of_stages_is_seen(tmp_path):
    folder = RunFolder(tmp_path)
    result = SearchOutcome(steps=4, bits=1.5)
    folder.stage("training", SearchOutcome, lambda: result)
    good = folder.stages.read_bytes()
    assert folder.mended() == []
    others = [b"[]", b'{"training": 3}', b"null", b'{"training": []}', b"\xff"]
    for content in [*(damage(good) for damage in DAMAGES.values()), *others]:
        folder.stages.write_bytes(content)
        with pytest.raises(RunError, match=r"stages.json: is damaged .*; remove it and go on"):
            folder.finished()
        assert len(folder.mended()) == 1
        assert not folder.stages.exists()
    folder.stages.write_text('{"training": {"steps": 4}}')  # before there were sums
    assert folder.undone(["training"]) == []


def test_results_of_an_older_version_are_read_and_what_is_no_result_is_said(tmp_path):
    folder = RunFolder(tmp_path)
    old = {
        "steps": 4, "best_step": 4, "seconds": 1.5, "train_symbols_per_second": 9.0,
        "symbols_seen": 36, "precision": "fp32", "lanes": 1, "device": "cpu", "parameters": 7,
        "of another version": [1],
    }  # fmt: skip
    similarity = {"sentence": "none", "table": [{"a": 1}], "wall_seconds": 2.0}
    folder.stages.write_text(json.dumps({"training": old, "searching": similarity}))

    def work():
        raise AssertionError("is done already")

    trained = folder.stage("training", TrainResult, work)
    assert (trained.steps, trained.ranks, trained.advice) == (4, 1, None)
    searched = folder.stage("searching", SearchOutcome, work)
    assert searched.model_dump(mode="json", exclude_unset=True) == similarity
    with pytest.raises(RunError, match=r"stages.json: is damaged \(searching: steps: Field requi"):
        folder.stage("searching", TrainResult, work)


def test_a_damaged_state_of_training_is_one_sentence(begun, whole, tmp_path):
    state = tmp_path / "run" / "resume.safetensors"
    good = state.read_bytes()
    for damage in DAMAGES.values():
        state.write_bytes(damage(good))
        with pytest.raises(CheckpointError, match="cannot be read any more; remove it, and train"):
            run(begun, NullProgress())

    state.unlink()
    with (tmp_path / "run" / "metrics.jsonl").open("ab") as stream:
        stream.write(b'{"step": 3, "tra')
    folder = run(begun, NullProgress())
    assert (weights(folder), steps(folder)) == (weights(whole), steps(whole))


def test_a_torn_line_of_metrics_is_left_out(begun, whole, tmp_path):
    folder = RunFolder(tmp_path / "run")
    good, there = folder.metrics.read_bytes(), steps(folder)
    for torn in [b"\xff\xfe", bytes(200), b"[" * 30_000, b"7\n", b'{"step": "x"}\n', b"\n"]:
        folder.metrics.write_bytes(good + torn)
        assert steps(folder) == there

    run(begun, NullProgress())

    assert steps(folder) == steps(whole)
    assert all(map(json.loads, folder.metrics.read_text().splitlines()))


def test_what_a_kill_left_before_the_run_was_begun_is_no_strangers(tmp_path):
    order = small("text", tmp_path)
    order.out.mkdir()
    for name in ("config.toml.partial", ".seqforge-0123456789abcdef.partial", ".seqforge.lock"):
        (order.out / name).touch()
    assert run(order, NullProgress()).finished(only_train=True)
