"""Options that mean the same wherever they stand are there wherever they can be."""

import json

import pytest
from typer.main import get_command

from tests.cli.conftest import small

EVERYWHERE = {"--json", "--quiet", "--out", "-o", "--verbose", "-v"}
DRAWS = {"run", "train", "sample", "music"}


def leaves():
    """Every command by its words, and the groups that do something by themselves."""
    from seqforge.cli.main import app

    found = {}

    def walk(command, words):
        if words:
            found[words] = command
        for name, below in getattr(command, "commands", {}).items():
            walk(below, (*words, name))

    walk(get_command(app), ())
    return found


@pytest.mark.parametrize("words", leaves(), ids=" ".join)
def test_every_command_has_them(words):
    flags = {flag for parameter in leaves()[words].params for flag in parameter.opts}
    wanted = EVERYWHERE | ({"--seed"} if words[0] in DRAWS else set())
    assert wanted <= flags, wanted - flags


ANSWERS = [
    ("models",), ("models", "list"), ("models", "show", "fly"), ("domains",), ("doctor",),
    ("config",), ("config", "show"), ("config", "set", "database", "em_rel"),
    ("config", "unset", "database"), ("sample", "fly", "--length", "5"),
]  # fmt: skip


@pytest.mark.parametrize("command", ANSWERS, ids=" ".join)
def test_json_is_one_document_and_nothing_else(seqforge, tmp_path, monkeypatch, command):
    monkeypatch.setenv("SEQFORGE_CONFIG", str(tmp_path))
    result = seqforge(*command, "--json", "--quiet")
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)
    assert result.stderr == ""


@pytest.mark.parametrize("command", ANSWERS[:-1], ids=" ".join)
def test_out_names_a_file_for_the_answer(seqforge, tmp_path, monkeypatch, command):
    monkeypatch.setenv("SEQFORGE_CONFIG", str(tmp_path))
    path = tmp_path / "answer"
    shown = seqforge(*command)
    result = seqforge(*command, "-o", path)
    assert (result.exit_code, result.stdout) == (0, "")
    assert path.read_text() == shown.stdout
    assert seqforge(*command, "-o", "-").stdout == shown.stdout


def test_a_group_hands_its_options_on(seqforge):
    before = seqforge("models", "--json", "show", "fly")
    assert json.loads(before.stdout)["name"] == "fly"
    assert before.stdout == seqforge("models", "show", "fly", "--json").stdout


def test_more_is_said_with_v_and_nothing_with_quiet(seqforge, tmp_path, monkeypatch):
    monkeypatch.setenv("SEQFORGE_CONFIG", str(tmp_path))
    for command in (("models",), ("models", "show", "fly"), ("domains",), ("doctor",), ("config",)):
        assert len(seqforge(*command, "-v").stdout) > len(seqforge(*command).stdout), command
    assert "temperature 1, length 5" in seqforge("sample", "fly", "--length", 5, "-v").stderr
    assert seqforge("config", "set", "database", "em_rel", "--quiet").stdout == ""


def test_training_and_scoring_have_them_too(seqforge, tmp_path, text_file):
    trained = seqforge("train", "text", text_file, "--json", *small(tmp_path / "run"))
    assert json.loads(trained.stdout)["domain"] == "text"
    assert trained.stderr == ""

    scored = seqforge("evaluate", tmp_path / "run", text_file, "--json", "-o", tmp_path / "x.json")
    assert (scored.stdout, scored.stderr) == ("", "")
    assert json.loads((tmp_path / "x.json").read_text())["symbols"] > 0
    quiet = seqforge("evaluate", tmp_path / "run", text_file, "--quiet")
    assert quiet.stderr == ""
    assert "bits per character" in quiet.stdout
    assert "text.txt: 1 records" in seqforge("evaluate", tmp_path / "run", text_file, "-v").stderr
