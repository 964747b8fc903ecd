"""seqforge inspect on the command line: a table, a document, files, refusals."""

import json

import pytest

from tests.conftest import ROOT


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    """A piece of a play, of which the bundled model knows every character."""
    path = tmp_path_factory.mktemp("text") / "play.txt"
    speech = "ROMEO:\nWhat light is this that breaks upon the window of the house?\n\n"
    path.write_text(speech * 40)
    return path


def test_the_table_names_units_and_the_files_are_written(seqforge, text, tmp_path):
    out = tmp_path / "seen"
    result = seqforge("inspect", "shakespeare", text, "--out", out)

    assert result.exit_code == 0, result.stderr
    first, *_ = result.stdout.splitlines()
    assert first.startswith(("0.", "1."))
    assert f"bits per character over {len(text.read_text()):,} symbols" in first
    assert {"units.json", "trace.tsv"} <= {path.name for path in out.iterdir()}
    kept = json.loads((out / "units.json").read_text())
    found = [row for row in kept["units"] if row["found"]]
    assert f"{len(found)} units found" in first
    for row in found:
        assert f"{row['layer']}:{row['unit']}" in result.stdout

    again = seqforge("inspect", "shakespeare", text, "--out", out, "--json")
    assert again.exit_code == 0, again.stderr
    assert json.loads(again.stdout)["units"] == kept["units"]


def test_what_cannot_be_read_is_refused_in_a_sentence(seqforge, tmp_path):
    for words, said in (
        (("shakespeare", tmp_path / "none.txt"), "none.txt: there is no such file or folder"),
        (("nobody", ROOT / "README.md"), "nobody"),
    ):
        result = seqforge("inspect", *words)
        assert result.exit_code == 1
        assert said in " ".join(result.stderr.split())
