"""What a terminal is spared: colours that it refuses, bars that it cannot draw, tracebacks."""

import os
import pty
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest

from seqforge.cli import counting
from seqforge.cli.progress import make_watcher
from seqforge.cli.stderr import say
from tests.patience import PATIENCE


@contextmanager
def terminal_stderr(monkeypatch, **surroundings):
    """Inside, stderr is a terminal; yields a function that says what was written there."""
    ours, theirs = pty.openpty()
    for name in ("NO_COLOR", "FORCE_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in surroundings.items():
        monkeypatch.setenv(name, value)
    with os.fdopen(theirs, "w") as stream, monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", stream)

        def written():
            stream.flush()
            return os.read(ours, 1 << 16).decode()

        yield written
    os.close(ours)


@pytest.mark.parametrize(
    ("surroundings", "coloured"),
    [
        ({"TERM": "xterm"}, True),
        ({"TERM": "xterm", "NO_COLOR": "1"}, False),
        ({"TERM": "dumb"}, False),
        ({"TERM": "dumb", "FORCE_COLOR": "1"}, True),
        ({"TERM": "xterm", "FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
    ],
)
def test_who_gets_colours(monkeypatch, surroundings, coloured):
    with terminal_stderr(monkeypatch, **surroundings) as written:
        say("error: no", "red")
        assert written() == ("\x1b[31merror: no\x1b[0m\r\n" if coloured else "error: no\r\n")


def test_a_dumb_terminal_gets_plain_lines(monkeypatch):
    with terminal_stderr(monkeypatch, TERM="dumb") as written:
        watcher = make_watcher(quiet=False)
        watcher.stage("reading")
        watcher.advance(1, 4, "file 1 of 4")
        watcher.close()
        lines = written().split("\r\n")
    assert lines == ["reading ...", "  reading  25% | file 1 of 4", ""]


def test_a_dumb_terminal_is_told_how_many_samples_there_are(monkeypatch):
    with terminal_stderr(monkeypatch, TERM="dumb") as written:
        monkeypatch.setattr(counting, "PLAIN_SECONDS", 0.0)
        with counting.Counting(0, 4, quiet=False, length=10) as count:
            count.drew(20)
        assert "  drawing | 0 of 4 samples, 20 symbols" in written()


def test_an_error_on_a_dumb_terminal_has_no_escapes():
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "seqforge", "run", "nonsense"], stderr=theirs,
        env={**os.environ, "TERM": "dumb"},
    )  # fmt: skip
    process.wait(timeout=PATIENCE)
    os.close(theirs)
    written = os.read(ours, 1 << 16).decode()
    os.close(ours)

    assert "error: 'nonsense' is neither" in written
    assert "\x1b" not in written


@pytest.mark.parametrize("moment", [0.05, 0.25, 0.6])
def test_ctrl_c_at_any_moment_is_one_line(moment, tmp_path):
    """From our own first line on, wherever it is by then: importing, compiling, drawing."""
    begin = "from seqforge.__main__ import main; print('begun', flush=True); main()"
    process = subprocess.Popen(
        [sys.executable, "-c", begin, "sample", "fly", "--length", "100000000"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout.readline() == "begun\n"
    time.sleep(moment)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=PATIENCE)

    assert process.returncode == 130
    assert said.splitlines()[-1] == "stopped"
    assert "Traceback" not in said


@pytest.mark.parametrize(
    "error",
    [MemoryError(), RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't "
                                 "allocate memory: you tried to allocate 4 bytes")],
)  # fmt: skip
def test_out_of_memory_is_one_sentence(seqforge, error):
    from seqforge.cli.app import app

    @app.command("exhaust", hidden=True)
    def exhaust():
        raise error

    result = seqforge("exhaust")
    app.registered_commands.pop()
    assert result.exit_code == 1
    assert result.stderr.startswith("error: not enough memory for this; give a smaller")


@pytest.mark.parametrize(
    ("typed", "meant"),
    [(["run", "txet"], "text"), (["run", "Shakespear"], "shakespeare"), (["sample", "flly"], "fly"),
     (["models", "show", "foklk"], "folk"), (["config", "set", "emial", "x"], "email"),
     (["run", "text", "--set", "trainin.seq_len=3"], "training"),
     (["run", "text", "--set", "training.seqlen=3"], "training.seq_len"),
     (["run", "text", "--separater", "x"], "--separator"),
     (["music", "--model", "fokl"], "folk"), (["blast", "x.fa", "--bakend", "local"], "--backend"),
     (["sampel", "fly"], "sample"), (["sample", "fly", "--lenght", "5"], "--length")],
)  # fmt: skip
def test_a_word_that_is_not_known_brings_the_nearest(seqforge, typed, meant):
    result = seqforge(*typed)
    assert result.exit_code in (1, 2)
    said = " ".join(result.stderr.replace("│", " ").split())
    assert (
        f"id you mean {meant}?" in said.replace("'", "")
        or f"options: {meant}" in said
        or ("options: --backend" in said)
    )
