"""One seqforge at a time, and no trace of it afterwards."""

import os
import signal
import subprocess
import sys

import pytest

from seqforge.base.file_locks import FOLDER_LOCK, held, held_folder
from seqforge.errors import RunError


def test_a_second_one_is_told_and_the_lock_is_gone_afterwards(tmp_path):
    with (
        held_folder(tmp_path),
        pytest.raises(RunError, match="another seqforge is working in it; wait for it"),
        held_folder(tmp_path),
    ):
        pass

    assert not list(tmp_path.iterdir())
    with held_folder(tmp_path):
        assert os.listdir(tmp_path) == [FOLDER_LOCK]


def test_what_a_killed_process_left_is_taken_over(tmp_path):
    code = (
        "import sys; from pathlib import Path; from seqforge.base.file_locks import held_folder\n"
        "with held_folder(Path(sys.argv[1])): print(flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        with pytest.raises(RunError, match="another seqforge"), held_folder(tmp_path):
            pass
        process.send_signal(signal.SIGKILL)
    assert os.listdir(tmp_path) == [FOLDER_LOCK]

    with held_folder(tmp_path):
        pass

    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("laid", ["link", "dangling", "file", "folder", "pipe"])
def test_what_is_no_lock_is_neither_written_to_nor_removed(tmp_path, laid):
    lock, theirs = tmp_path / "x.lock", tmp_path / "theirs"
    if laid == "file":
        lock.write_text("precious")
    elif laid == "folder":
        lock.mkdir()
    elif laid == "pipe":
        os.mkfifo(lock)
    else:
        lock.symlink_to(theirs)
        if laid == "link":
            theirs.write_text("precious")
    before = {path: path.lstat() for path in tmp_path.iterdir()}

    with pytest.raises(RunError, match=r"x\.lock: is not a lock"), held(lock, "busy"):
        pass

    assert {path: path.lstat() for path in tmp_path.iterdir()} == before


def test_a_missing_folder_is_one_sentence(tmp_path):
    with pytest.raises(RunError, match="cannot be written"), held_folder(tmp_path / "none"):
        pass
