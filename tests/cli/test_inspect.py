"""seqforge inspect on the command line: a table, a document, files, refusals."""

import json

import pytest

from seqforge.core.model.checkpoint import save_checkpoint
from tests.conftest import ROOT
from tests.runs.test_inspect import PLANTED, bracketed_text, planted


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    """A small model that knows brackets, and a text with some."""
    folder = tmp_path_factory.mktemp("planted")
    model, text = planted(), folder / "text.txt"
    save_checkpoint(folder / "model.safetensors", model.card, model.weights)
    text.write_text(bracketed_text(4_000))
    return folder / "model.safetensors", text


def test_the_table_names_units_and_the_files_are_written(seqforge, material, tmp_path):
    model, text = material
    out = tmp_path / "seen"
    result = seqforge("inspect", model, text, "--out", out)

    assert result.exit_code == 0, result.stderr
    first, *_ = result.stdout.splitlines()
    assert f"bits per character over {len(text.read_text()):,} symbols" in first
    assert {path.name for path in out.iterdir()} >= {"units.json", "trace.tsv", "inspect.html"}
    kept = json.loads((out / "units.json").read_text())
    found = [row for row in kept["units"] if row["found"]]
    assert f"{len(found)} units found" in first
    assert f"0:{PLANTED}" in result.stdout
    for row in found:
        assert f"{row['layer']}:{row['unit']}" in result.stdout

    again = seqforge("inspect", model, text, "--out", out, "--json")
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
