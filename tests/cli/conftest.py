"""The command line, called in the process or as a process of its own."""

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from seqforge.core.config import RunConfig
from seqforge.core.model.checkpoint import save_checkpoint
from tests.cli.conversing import OnTerminal
from tests.conftest import ROOT
from tests.core.sampling.tiny import checkpoint
from tests.forking import beginning
from tests.patience import PATIENCE

torch.set_num_threads(1)

STOPPING = Path(__file__).with_name("stopping.py")
TEXT = "the cat sat on the mat, and the dog lay by the door. " * 400


def call(*arguments: object):
    """Call the program; returns its result with ``exit_code``, ``stdout`` and ``stderr``."""
    from seqforge.cli.main import app

    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture
def seqforge():
    """`call`, for a test."""
    return call


@pytest.fixture(scope="session")
def tunes_model(made_once):
    """A run on the tunes that ship; read it only."""

    def fill(folder: Path) -> None:
        order = ["run", "music", ROOT / "data" / "tunes.abc", *small(folder / "run")]
        result = call(*order, "--split", "80/20/0", "--lanes", 1)
        assert result.exit_code == 0, result.stderr

    return made_once("tunes", fill) / "run"


@pytest.fixture(scope="session")
def text_model(made_once):
    """A run on `TEXT`; read it only."""

    def fill(folder: Path) -> None:
        folder.mkdir()
        (folder / "text.txt").write_text(TEXT)
        result = call("train", "text", folder / "text.txt", *small(folder / "run"))
        assert result.exit_code == 0, result.stderr

    return made_once("text", fill) / "run"


@pytest.fixture
def start():
    """Start the program as a process of its own; it is ended with the test."""
    with beginning() as begin:
        yield begin


def stopped_in_the_middle(path: Path, *words: object, by: int = signal.SIGKILL):
    """A command that writes samples to ``path`` and stops when some of them are known to be there.

    Returns:
        How many the note tells of, what it said on stdout and stderr, and its exit code.
    """
    note = path.with_name(path.name + ".partial.json")
    with beginning() as begin:
        process = begin(*words, script=STOPPING, STOP_AT=note.name, STOP_BY=str(int(by)))
        said = process.communicate(PATIENCE)
        assert note.exists(), f"it came to its end before it was stopped: {said[1]}"
        return json.loads(note.read_text())["done"], *said, process.returncode


@pytest.fixture
def text_file(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text(TEXT)
    return path


def remembering(out: Path, *more: object) -> list[object]:
    """Options of a run that takes a second."""
    return ["--out", out, "--budget", "30steps", "--hidden-size", 16, "--num-layers", 1,
            "--batch-size", 8, "--seq-len", 16, "--precision", "fp32",
            "--set", "training.num_evaluations=5", "--set", "sampling.length=60",
            *more]  # fmt: skip


def small(out: Path, *more: object) -> list[object]:
    """Options of a run of half that time: it scores no memory beside the network."""
    return remembering(out, "--set", "memory.enabled=false", *more)


@pytest.fixture(scope="module")
def surroundings(new_cache):
    """One cache for all processes here."""
    return {
        **os.environ,
        "SEQFORGE_CACHE": str(new_cache()),
        "TERM": "dumb",
        "OMP_NUM_THREADS": "1",
    }


@pytest.fixture
def piped(start, surroundings):
    """Give a conversation lines through a pipe."""

    def talk(*arguments, lines=()):
        typed = "".join(f"{line}\n" for line in lines)
        process = start("sample", *arguments, stdin=typed, **surroundings)
        out, err = process.communicate(PATIENCE)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    return talk


@pytest.fixture
def terminal(surroundings):
    """Start a conversation on a terminal of its own."""
    running = []

    def start(*arguments, **files):
        running.append(OnTerminal(surroundings, *arguments, **files))
        return running[-1]

    yield start
    for one in running:
        one.close()


@pytest.fixture
def toy(tmp_path):
    """A model of seven symbols that often ends a record, as one of any domain."""

    def save(domain, symbols="abcdefg", **options):
        made, path = checkpoint(), tmp_path / f"{domain}.safetensors"
        config = RunConfig(domain=domain, domain_options=options, model=made.card.config.model)
        card = made.card.model_copy(update={"config": config, "symbols": tuple(symbols)})
        save_checkpoint(path, card, made.weights)
        return path

    return save
