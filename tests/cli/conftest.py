"""The command line, called in the process or as a process of its own."""

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

torch.set_num_threads(1)

TEXT = "the cat sat on the mat, and the dog lay by the door. " * 400


@pytest.fixture
def seqforge():
    """Call the program; returns its result with ``exit_code``, ``stdout`` and ``stderr``."""
    from seqforge.cli.main import app

    def call(*arguments: object):
        result = CliRunner().invoke(app, [str(argument) for argument in arguments])
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return call


@contextmanager
def processes(*program, ending=signal.SIGKILL, **environment):
    """Start ``python -m program ...`` as often as wanted; what still runs is ended afterwards."""
    running = []

    def launch(*arguments: object) -> subprocess.Popen:
        process = subprocess.Popen(
            [sys.executable, "-m", *program, *map(str, arguments)], text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, **environment},
        )  # fmt: skip
        running.append(process)
        return process

    yield launch
    for process in running:
        if process.poll() is None:
            process.send_signal(ending)
        process.communicate(timeout=60)


@pytest.fixture
def start():
    """Start the program as a process of its own; it is ended with the test."""
    with processes("seqforge") as launch:
        yield launch


@pytest.fixture
def text_file(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text(TEXT)
    return path


def wait_for(condition, seconds=60.0):
    """Wait until something is so."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


def small(out: Path, *more: object) -> list[object]:
    """Options of a run that takes a second or two."""
    return ["--out", out, "--budget", "30steps", "--hidden-size", 16, "--num-layers", 1,
            "--batch-size", 8, "--seq-len", 16, "--precision", "fp32",
            "--set", "sampling.length=60", *more]  # fmt: skip
