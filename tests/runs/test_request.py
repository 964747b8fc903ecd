"""What was asked for becomes one request before the first stage."""

from dataclasses import FrozenInstanceError, replace

import pytest

from seqforge.core.config import Budget
from seqforge.errors import ConfigError
from seqforge.registry import options_of
from seqforge.runs.folder import RunFolder
from seqforge.runs.pipeline import begin
from seqforge.runs.progress import NullProgress
from seqforge.runs.request import AskedRun, RunRequest, resolve, settle
from tests.small_runs import material


@pytest.fixture
def order(tmp_path):
    """An order of a recipe of its own."""
    recipe = tmp_path / "mine.toml"
    recipe.write_text('domain = "text"\nnote = "made up"\n[model]\nhidden_size = 8\n')
    words = str(material("text", tmp_path))
    return RunRequest(
        str(recipe), (words,), {"training.seed": 3}, tmp_path / "run", command="seqforge run mine"
    )


def resolved(asked, folder):
    with folder.locked():
        return resolve(settle(asked, folder), folder, NullProgress())


def test_everything_is_settled_and_nothing_is_written(order):
    folder = RunFolder(order.out)
    found = resolved(AskedRun.of(replace(order, sample_every="500steps")), folder)

    assert (found.pipeline, found.note) == ("mine", "made up")
    assert (found.config.model.hidden_size, found.config.training.seed) == (8, 3)
    assert found.config.domain_options == options_of(found.domain)
    assert [str(path) for path in found.inputs.files] == list(order.inputs)
    assert found.sample_every == Budget(steps=500)
    assert found.start is found.known is None
    assert not folder.begun
    with pytest.raises(FrozenInstanceError):
        found.note = ""


def test_the_recipe_is_read_once(order, tmp_path):
    asked = AskedRun.of(order)
    (tmp_path / "mine.toml").unlink()

    assert resolved(asked, RunFolder(order.out)).config.model.hidden_size == 8


def test_what_is_written_down_is_read_once_while_the_folder_is_held(order):
    folder, config = RunFolder(order.out), order.out / "config.toml"
    with folder.locked():
        begin(resolve(settle(AskedRun.of(order), folder), folder, NullProgress()))
        assert folder.origin().command == "seqforge run mine"
        config.write_text(config.read_text().replace("run mine", "run other"))
        assert folder.origin().command == "seqforge run mine"
    with folder.locked():
        assert folder.origin().command == "seqforge run other"


def test_an_older_run_says_less_of_how_it_was_begun(tmp_path):
    folder, config = RunFolder(tmp_path), tmp_path / "config.toml"
    config.write_text('domain = "text"\n[made]\npipeline = "text"\nsha256 = {"a.txt" = "12"}\n')

    assert (folder.origin().asked, folder.origin().init) == ("", None)
    assert [(str(path), digest) for path, digest in folder.inputs()] == [("a.txt", "12")]

    config.write_text('domain = "text"\n[made]\npipeline = "text"\ncommand = 7\n')
    with pytest.raises(ConfigError, match=r"config.toml: made.command: .* \(got 7\)"):
        RunFolder(tmp_path).origin()
