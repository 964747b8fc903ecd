"""What a terminal is spared: colours that it refuses, bars that it cannot draw, tracebacks."""

import os
import pty
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from seqforge.cli import progress
from seqforge.cli.console import say
from seqforge.cli.main import app
from seqforge.cli.progress import make_watcher
from tests.cli.conversing import read_all
from tests.patience import PATIENCE


def said_on_terminal(monkeypatch, speak, **surroundings):
    """What a function says on a stderr that is a terminal."""
    ours, theirs = pty.openpty()
    for name in ("NO_COLOR", "FORCE_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in surroundings.items():
        monkeypatch.setenv(name, value)
    with os.fdopen(theirs, "w") as stream, monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", stream)
        speak()
    return read_all(ours)


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
    said = said_on_terminal(monkeypatch, lambda: say("error: no", "red"), **surroundings)
    assert said == ("\x1b[31merror: no\x1b[0m\r\n" if coloured else "error: no\r\n")


def test_a_dumb_terminal_gets_plain_lines(monkeypatch):
    def watch():
        watcher = make_watcher(quiet=False)
        watcher.stage("reading")
        watcher.advance(1, 4, "file 1 of 4")
        watcher.close()

    said = said_on_terminal(monkeypatch, watch, TERM="dumb")
    assert said.split("\r\n") == ["reading ...", "  reading  25% | file 1 of 4", ""]


def test_a_bar_without_colours_has_no_escape_for_style(monkeypatch):
    def watch():
        watcher = make_watcher(quiet=False)
        watcher.stage("reading")
        watcher.advance(1, 4, "file 1 of 4")
        watcher.close()

    said = said_on_terminal(monkeypatch, watch, TERM="xterm", NO_COLOR="1")
    assert "file 1 of 4" in said
    assert not re.search(r"\x1b\[[\d;]*m", said)


def test_a_dumb_terminal_is_told_how_many_samples_there_are(monkeypatch):
    def count():
        with progress.SamplingProgress(0, 4, quiet=False, length=10) as samples:
            samples.drew(20)

    monkeypatch.setattr(progress, "PLAIN_SECONDS", 0.0)
    said = said_on_terminal(monkeypatch, count, TERM="dumb")
    assert "  drawing | 0 of 4 samples, 20 symbols" in said


def on_screen(written):
    """What a terminal shows in the end of what was written to it."""
    lines, row, column = [""], 0, 0
    for piece in re.findall(r"\x1b\[[\d;?]*[A-Za-z]|[\r\n]|[^\x1b\r\n]+", written):
        if piece == "\r":
            column = 0
        elif piece == "\n":
            row += 1
            lines += [""] * (row == len(lines))
        elif piece == "\x1b[2K":
            lines[row] = ""
        elif piece == "\x1b[1A":
            row -= 1
        elif not piece.startswith("\x1b"):
            end = column + len(piece)
            lines[row] = lines[row][:column].ljust(column) + piece + lines[row][end:]
            column = end
    return "\n".join(lines)


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_no_bar_is_left_among_samples_whose_reader_shares_the_terminal(seqforge, form):
    arguments = ["sample", "fly", "-n", "3", "--length", "15000", *form]
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        ["sh", "-c", '"$0" -m seqforge "$@" | cat', sys.executable, *arguments],
        stdin=theirs, stdout=theirs, stderr=theirs, env={**os.environ, "TERM": "xterm"},
    )  # fmt: skip
    os.close(theirs)
    written = read_all(ours)

    assert process.wait(PATIENCE) == 0
    assert "of 3 samples" in written
    assert on_screen(written) == seqforge(*arguments).stdout


def test_an_error_on_a_dumb_terminal_has_no_escapes():
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "seqforge", "run", "nonsense"], stderr=theirs,
        env={**os.environ, "TERM": "dumb"},
    )  # fmt: skip
    os.close(theirs)
    written = read_all(ours)

    assert process.wait(timeout=PATIENCE) == 1
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
    "module",
    ["typer", "seqforge.cli.blast", "seqforge.api.model", "llvmlite", "pydantic.dataclasses",
     "seqforge.core.sampling.sampler", "seqforge.cli.progress"],
)  # fmt: skip
def test_ctrl_c_at_any_import_is_one_line(module):
    code = (
        "import runpy, signal, sys\n"
        "class AtImport:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name == {module!r}:\n"
        "            sys.meta_path.remove(self)\n"
        "            signal.raise_signal(signal.SIGINT)\n"
        "sys.meta_path.insert(0, AtImport())\n"
        "sys.argv = ['seqforge', 'sample', 'fly', '--length', '100000000']\n"
        "runpy.run_module('seqforge', run_name='__main__', alter_sys=True)\n"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], check=False, stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE, text=True, timeout=PATIENCE,
    )  # fmt: skip
    assert (found.returncode, found.stderr) == (130, "stopped\n")


@pytest.mark.parametrize(
    "error",
    [MemoryError(), RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't "
                                 "allocate memory: you tried to allocate 4 bytes"),
     RuntimeError("can't start new thread"),
     ImportError("libx.so: failed to map segment from shared object")],
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


def test_adapt_without_a_number_is_once_wherever_it_stands(seqforge):
    prime = ("--prime", "ACGT" * 10)
    once = seqforge("sample", "fly", "--length", 5, "--adapt", 1, *prime)
    for arguments in (
        ("fly", "--adapt", *prime),
        ("--adapt", "fly", *prime),
        ("fly", *prime, "--adapt"),
    ):
        found = seqforge("sample", *arguments, "--length", 5)
        assert (found.exit_code, found.stdout) == (0, once.stdout)
    assert "adapt=1" in once.stdout


@pytest.mark.parametrize("command", ["models", "doctor", "domains", "models show folk"])
def test_tables_break_no_word_at_eighty_columns(seqforge, monkeypatch, command):
    plain = seqforge(*command.split()).stdout
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w") as stream, ThreadPoolExecutor() as reader:
        shown = reader.submit(read_all, ours)
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", stream)
            patch.setenv("TERM", "xterm")
            patch.setenv("COLUMNS", "80")
            with pytest.raises(SystemExit) as ended:
                app(command.split())
        stream.close()
        shown = shown.result()

    assert ended.value.code == 0
    paths = re.compile(r"\S*/\S{40,}")
    assert all(len(line) <= 80 for line in shown.splitlines() if not paths.search(line))
    assert sorted(shown.split()) == sorted(plain.split())
