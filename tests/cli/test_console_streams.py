"""Standard output and error that are closed, full, or whose reader has gone: never a traceback."""

import os
import subprocess
import sys

import pytest

from tests.conftest import ROOT
from tests.patience import PATIENCE

_GUARDED = """
import sys
from seqforge.cli.console import guarded
def command():
    {}
sys.exit(guarded(command))
"""
_MUCH = "print('x' * 1_000_000)"


def shell(command: str, body: str = "print('result'); sys.exit(3)") -> subprocess.CompletedProcess:
    """A line of a shell in which ``$RUN`` is a program that runs the body as a command."""
    return subprocess.run(
        ["bash", "-c", command.replace("$RUN", '"$PYTHON" -c "$BODY"')], capture_output=True,
        env={**os.environ, "PYTHON": sys.executable, "BODY": _GUARDED.format(body)}, text=True,
        check=False, timeout=PATIENCE, cwd=ROOT,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("command", "body", "code", "out", "err"),
    [
        ("$RUN", "print('result'); sys.exit(3)", 3, "result\n", ""),
        ("$RUN 2>&-", "print('result'); print('note', file=sys.stderr)", 0, "result\n", ""),
        ("$RUN 2>/dev/full", "print('note', file=sys.stderr); print('result')", 0, "result\n", ""),
        ("$RUN >&- 2>&-", "print('result')", 1, "", ""),
        ("$RUN <&-", "print(repr(sys.stdin.read()))", 0, "''\n", ""),
        ("$RUN >&-", "pass", 0, "", ""),
        ("$RUN >&-", "print('result')", 1, "", "(Bad file descriptor)"),
        ("$RUN >/dev/full", "print('result')", 1, "", "(No space left on device)"),
        ("$RUN >/dev/full", _MUCH, 1, "", "(No space left on device)"),
        ("set -o pipefail; $RUN | true", _MUCH, 1, "", ""),
        ("set -o pipefail; $RUN 2>&1 | head -c 3", _MUCH, 1, "xxx", ""),
    ],
)
def test_streams_as_they_may_be_found(command, body, code, out, err):
    result = shell(command, body)

    sentence = f"error: standard output cannot be written {err}\n" if err else ""
    assert (result.returncode, result.stdout, result.stderr) == (code, out, sentence)


def test_a_closed_stream_gives_its_number_to_no_other_file(tmp_path):
    body = (
        f"open({str(tmp_path / 'x')!r}, 'w').close(); print(open({str(tmp_path / 'x')!r}).fileno())"
    )

    assert int(shell("$RUN <&- 2>&-", body).stdout) > 2


def test_commands_say_so_in_one_line():
    program = '"$PYTHON" -m seqforge --version'
    result = shell(f"{program} >/dev/full; {program} >&-; {program} 2>&-")

    assert result.stdout.startswith("seqforge ")
    assert result.stderr == "".join(
        f"error: standard output cannot be written ({why})\n"
        for why in ("No space left on device", "Bad file descriptor")
    )


def test_a_long_sample_comes_through_a_pipe_at_once_and_ends_with_its_reader(start):
    """It would take hours to be whole."""
    process = start("sample", "fly", "--length", 900_000_000)

    assert process.stdout.read(100).startswith(">sample_1 model=fly t=1.0 seed=0\nTTTG")
    process.stdout.close()
    assert process.wait(PATIENCE) == 1
    assert "Traceback" not in process.stderr.read()


def test_a_name_that_stands_for_stdout(seqforge, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    plain = seqforge("sample", "fly", "--length", 20)
    dash = seqforge("sample", "fly", "--length", 20, "--out", "-")
    json_ = seqforge("sample", "fly", "--length", 20, "--out", "-", "--json")

    assert plain.exit_code == dash.exit_code == json_.exit_code == 0
    assert dash.stdout == plain.stdout
    assert json_.stdout.startswith("[{")
    assert seqforge("sample", "fly", "--out", "-", "--resume").exit_code == 2
    assert os.listdir() == []
