"""Sampling options on the command line and in a conversation: made from the table."""

import pytest
from typer.main import get_command

from seqforge import load
from seqforge.cli.chat import HELP, SETTINGS
from seqforge.cli.main import app
from seqforge.core.sampling.params import APART, rows


@pytest.mark.parametrize("name", rows())
def test_the_command_line_has_every_option_with_the_text_of_the_table(name):
    found = {one.name: one for one in get_command(app).commands["sample"].params}
    assert found[name].help == rows()[name].option.help
    wanted = rows()[name].option.flags or (f"--{name.replace('_', '-')}",)
    wanted = [part for flag in wanted for part in flag.split("/")]
    assert set(wanted) <= {*found[name].opts, *found[name].secondary_opts}


def test_a_conversation_has_the_commands_of_the_table():
    assert {row.name for row in SETTINGS.values()} == {
        name for name, row in rows().items() if row.option.chat
    }
    for row in SETTINGS.values():
        assert row.option.help.split(";")[0][:40] in " ".join(HELP.split())
        assert f"/{row.option.chat[0]} {row.option.example}" in HELP


VALUES = {
    "temperature": 0.5, "stop": "T", "beam": 4, "length": 9, "suffix": "T", "repetition_penalty": 2,
}  # fmt: skip


def value_of(name):
    return VALUES.get(name, 2 if rows()[name].values.kind is int else 0.5)


def draw(fly, beam=None, **how):
    return fly.sample(**how) if beam is None else fly.beam(beam, **how)


@pytest.mark.parametrize(("one", "other"), [(a, b) for a, others in APART.items() for b in others])
def test_options_that_exclude_each_other_are_refused_alike_in_python_and_typed(
    seqforge, one, other
):
    how = {name: value_of(name) for name in (one, other)}
    flags = {name: f"--{name.replace('_', '-')}" for name in how}
    with pytest.raises(ValueError, match=f"give {one} or {other}, not both"):
        draw(load("fly"), **how)
    result = seqforge("sample", "fly", *(part for n in how for part in (flags[n], how[n])))
    assert result.exit_code == 2
    said = " ".join(result.stderr.replace("│", " ").split())
    assert f"give {flags[one]} or {flags[other]}, not both" in said
