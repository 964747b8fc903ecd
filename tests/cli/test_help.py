"""The help of each command: examples that work, groups of options, completion in the shell."""

import re
import shlex
from pathlib import Path

import pytest
from typer.main import get_command

from seqforge.cli.examples import EXAMPLES, OF_DOMAINS
from seqforge.cli.main import app
from tests.patience import PATIENCE

ROOT = Path(__file__).parents[2]
COMMANDS = get_command(app).commands
AS_INSTALLED = Path(__file__).with_name("as_installed.py")
MADE = {"samples.fa", "runs/prose", "runs/docs"}
OWN = {"runs/names", "runs/dates", "names.txt", "dates.txt"}  # models and texts of a person


def test_every_command_has_three_examples_in_its_help(seqforge):
    assert EXAMPLES.keys() == COMMANDS.keys()
    for name, examples in EXAMPLES.items():
        shown = [line.strip() for line in seqforge(name, "--help").stdout.splitlines()]
        assert len(examples) == 3
        assert shown[shown.index("Examples:") + 1 :][:3] == list(examples)


@pytest.mark.parametrize("typed", [*OF_DOMAINS, ("run", "folk"), ("train", "fly")])
def test_the_help_of_a_domain_has_examples_of_that_one(seqforge, typed):
    command, pipeline = typed
    domain = {"folk": "music", "fly": "genome"}.get(pipeline, pipeline)
    shown = [line.strip() for line in seqforge(*typed, "--help").stdout.splitlines()]
    examples = shown[shown.index("Examples:") + 1 :][:3]
    assert examples == list(OF_DOMAINS[command, domain])
    assert all(one.startswith(f"seqforge {command} {domain} ") for one in examples)


@pytest.mark.parametrize("name", [*EXAMPLES, *OF_DOMAINS])
def test_its_options_exist_and_its_files_lie_in_a_clone(name):
    for example in (EXAMPLES | OF_DOMAINS)[name]:
        _, command, *arguments = shlex.split(example)
        assert COMMANDS[command].make_context(command, arguments)
        for path in (one for one in arguments if "/" in one and one not in MADE | OWN):
            if "80/10/10" not in path:
                assert (ROOT / path).exists(), example


def test_what_examples_use_is_what_others_make():
    outs = {
        words[place + 1]
        for words in map(shlex.split, sum(EXAMPLES.values(), ()))
        for place, word in enumerate(words)
        if word == "--out"
    }
    assert outs >= MADE


@pytest.mark.parametrize(
    ("typed", "offered"),
    [("sa", "sample"), ("sample sh", "shakespeare"), ("run gen", "genome"),
     ("run folk --hid", "--hidden-size"), ("sample fly --top-", "--top-k")],
)  # fmt: skip
def test_the_shell_completes_commands_models_pipelines_and_options(start, typed, offered):
    words = f"seqforge {typed}"
    asked = start(
        script=AS_INSTALLED, _SEQFORGE_COMPLETE="complete_bash", COMP_WORDS=words,
        COMP_CWORD=str(len(words.split()) - 1),
    )  # fmt: skip
    assert offered in asked.communicate(PATIENCE)[0].split()
    assert asked.returncode == 0


@pytest.mark.parametrize("shell", ["zsh", "fish"])
@pytest.mark.parametrize(
    ("typed", "offered"), [("sa", "sample"), ("sample sh", "shakespeare"), ("run gen", "genome")]
)
def test_other_shells_are_answered_as_they_ask(start, shell, typed, offered):
    asked = start(
        script=AS_INSTALLED, _SEQFORGE_COMPLETE=f"complete_{shell}",
        _TYPER_COMPLETE_ARGS=f"seqforge {typed}", _TYPER_COMPLETE_FISH_ACTION="get-args",
    )  # fmt: skip
    assert re.search(rf"\b{offered}\b", asked.communicate(PATIENCE)[0])
    assert asked.returncode == 0


def test_options_stand_in_groups(seqforge):
    shown = seqforge("sample", "--help").stdout
    for group in ("What to begin with", "How to draw", "Where to stop", "Output"):
        assert f"─ {group} ─" in shown
