"""Names, texts and samples with escape sequences in them: shown, never obeyed."""

import json
import os
import pty
import re
import subprocess
import sys

import pytest

from seqforge.core.model.checkpoint import load_checkpoint, save_checkpoint
from tests.cli.conversing import read_all
from tests.conftest import ROOT
from tests.patience import PATIENCE

RED = "\x1b[31m"
SYMBOLS = "\x1b[3\u202emab"


@pytest.fixture
def hostile(toy):
    """A model whose name and symbols hold escape sequences."""
    path = toy("text", SYMBOLS)
    found = load_checkpoint(path)
    card = found.card.model_copy(update={"name": f"evil{RED}\x07"})
    save_checkpoint(path, card, found.weights)
    return path


def shown_on_a_terminal(*arguments):
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "seqforge", *map(str, arguments)],
        stdin=theirs, stdout=theirs, stderr=theirs, env={**os.environ, "NO_COLOR": "1"},
    )  # fmt: skip
    os.close(theirs)
    written = read_all(ours)
    assert process.wait(PATIENCE) == 0, written
    return written


def test_a_drawn_escape_is_shown_on_a_terminal_and_exact_in_a_pipe(seqforge, hostile):
    order = ("sample", hostile, "--length", 200, "--seed", 3)

    piped = seqforge(*order).stdout
    on_terminal = shown_on_a_terminal(*order)

    assert "\x1b" in piped
    assert "\u202e" in piped
    assert "\x1b" not in on_terminal
    assert "\u202e" not in on_terminal
    visible = piped.replace("\x1b", "\\x1b").replace("\u202e", "\\u202e")
    assert visible.strip() in on_terminal.replace("\r\n", "\n")


def test_a_drawn_escape_is_exact_in_a_file(seqforge, hostile, tmp_path):
    order = ("sample", hostile, "--length", 200, "--seed", 3)
    assert seqforge(*order, "--out", tmp_path / "x.txt").exit_code == 0
    assert "\x1b" in (tmp_path / "x.txt").read_text()


def test_models_are_shown_harmlessly(seqforge, hostile):
    shown = seqforge("models", "show", hostile)

    assert shown.exit_code == 0
    assert "evil\\x1b[31m\\x07" in shown.stdout
    assert "\x1b" not in shown.stdout
    told = json.loads(seqforge("models", "show", hostile, "--json").stdout)
    assert told["name"] == f"evil{RED}\x07"


def test_errors_are_shown_harmlessly(seqforge, tmp_path):
    result = seqforge("train", "text", tmp_path / f"none{RED}.txt")

    assert result.exit_code == 1
    assert "none\\x1b[31m.txt" in result.stderr
    assert "\x1b" not in result.stderr


def test_names_of_sequences_are_shown_harmlessly(seqforge, tmp_path):
    library, samples = tmp_path / f"lib{RED}.fa", tmp_path / "samples.fa"
    bases = "ACGTTGCATTGACCAGTACGGATTACAGATCTTGACGAATGCCTTAGGCATCAATG"
    library.write_text(f">one{RED} \u202etitle\n{bases}\n")
    samples.write_text(f">q{RED}\u202e\n{bases}\n")

    result = seqforge("blast", samples, "--against", library, "--out", tmp_path / "out")

    assert result.exit_code == 0, result.stderr
    told = [result.stdout.replace(str(tmp_path), ""), result.stderr]
    told += [path.read_text() for path in (tmp_path / "out").iterdir() if path.suffix != ".lock"]
    for text in told:
        assert "\x1b" not in text
        assert "\u202e" not in text
    assert "q\\x1b[31m\\u202e\tone\\x1b[31m\t" in (tmp_path / "out" / "hits.tsv").read_text()


def test_what_refused_files_are_called_is_harmless_in_ingest_tsv(seqforge, tmp_path):
    folder = tmp_path / "texts"
    folder.mkdir()
    (folder / f"bad{RED}.txt").write_bytes(b"\x00\x01")
    (folder / "good.txt").write_text("the cat sat on the mat. " * 400)

    result = seqforge(
        "train", "text", folder, "--out", tmp_path / "run", "--budget", "2steps",
        "--hidden-size", 8, "--precision", "fp32",
    )  # fmt: skip

    assert result.exit_code == 0, result.stderr
    table = (tmp_path / "run" / "ingest.tsv").read_text()
    assert "bad\\x1b[31m.txt\trefused" in table
    assert "\x1b" not in table + result.stderr + result.stdout


def test_the_program_prints_where_text_is_made_printable_alone():
    """A command that printed by itself would print what a file or a service says as it is."""
    printing = re.compile(r"typer\.echo|click\.echo|secho\(|\bprint\(|std(?:out|err)\.write")
    allowed = {"console.py", "progress.py", "__main__.py"}
    found = [
        path.relative_to(ROOT).as_posix() for path in (ROOT / "seqforge").rglob("*.py")
        if path.name not in allowed
        and printing.search(path.read_text(encoding="utf-8").replace("console.print(", ""))
    ]  # fmt: skip
    assert found == []
