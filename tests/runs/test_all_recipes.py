"""Every recipe run small: what is found is run, what is not is said with where it is to be had."""

import json

from seqforge.base.atomic_files import read_toml
from seqforge.base.paths import recipe_folder
from seqforge.runs.all_recipes import run_all
from seqforge.runs.progress import NullProgress
from seqforge.runs.recipes import experiment_names, recipe_names
from tests.cli.conftest import call

NAMES = {
    "North": "Abba\nBoda\nCaba\nDaab\nBacc\nAdba",
    "South": "Lili\nMoli\nNolo\nKilo\nLolo\nMimo",
}


def test_recipes_whose_data_are_there_are_run_and_never_twice(tmp_path):
    folder = tmp_path / "data" / "deep" / "names"
    folder.mkdir(parents=True)
    for name, text in NAMES.items():
        (folder / f"{name}.txt").write_text(text)
    given = ([str(tmp_path / "data")], "3steps", tmp_path / "out", NullProgress())
    rows = {row.recipe: row for row in run_all(*given, recipes=("names", "greff"))}
    assert rows["names"].outcome == "done", rows
    assert "accuracy" in rows["names"].figure
    assert rows["greff"].outcome == "no data"
    assert "JSB chorales" in rows["greff"].figure
    assert [
        one["recipe"] for one in json.loads((tmp_path / "out" / "all.json").read_text())["rows"]
    ]

    model = tmp_path / "out" / "names" / "model.safetensors"
    before = model.stat().st_mtime_ns
    run_all(*given, recipes=("names",))
    assert model.stat().st_mtime_ns == before


def test_recipes_that_want_data_say_where_they_are_to_be_had():
    for name in recipe_names():
        document = read_toml(recipe_folder() / f"{name}.toml")
        assert ("wants" in document) == ("source" in document), name
    assert "counting" in experiment_names()


def test_what_run_all_does_not_take_is_refused(tmp_path):
    refused = call("run", "all", "--out", tmp_path / "o", "--hidden-size", 4)
    assert refused.exit_code == 1
    assert "no model.hidden_size" in refused.stderr
    missing = call("run", "all", tmp_path / "nowhere", "--out", tmp_path / "o")
    assert missing.exit_code == 1
    assert "there is no such folder" in missing.stderr


def test_a_recipe_without_its_data_says_where_they_are_to_be_had(tmp_path):
    result = call("run", "linux", "--out", tmp_path / "run")
    assert result.exit_code == 1
    assert "learns from data that do not ship (files of kernel/" in result.stderr
