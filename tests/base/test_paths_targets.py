"""What a person names with --out, and where the bytes go."""

import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from tempfile import mkdtemp

import pytest

from seqforge.base.paths import OutputTarget, folder_named, refuse_inputs, target_of
from seqforge.errors import ConfigError, RunError
from tests.conftest import ROOT


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_a_regular_file_and_a_new_one_are_themselves():
    Path("old").write_text("x")
    for name in ("old", "new", "a b", "a\nb", os.fsdecode(b"\xff"), "12"):
        assert target_of(Path(name)) == OutputTarget(Path(name), Path(name))


def test_links_are_followed_to_their_end_and_stay():
    Path("far").mkdir()
    Path("far/target").write_text("x")
    Path("far/relative").symlink_to("target")
    Path("link").symlink_to("far/relative")
    Path("dangling").symlink_to("far/new")
    Path("folder").symlink_to("far")

    assert target_of(Path("link")).path == Path("far/target")
    assert target_of(Path("dangling")).path == Path("far/new")
    assert target_of(Path("folder/target")).path == Path("folder/target")
    assert not any(target_of(Path(name)).direct for name in ("link", "dangling"))


def test_pipes_and_devices_are_written_to_as_they_are():
    os.mkfifo("pipe")
    Path("to the pipe").symlink_to("pipe")
    for name in ("pipe", "to the pipe", os.devnull):
        assert target_of(Path(name)).direct


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs /proc")
def test_an_open_descriptor_is_written_from_where_it_stands():
    """``>> log`` keeps what is in it: the file is not opened once more."""
    Path("log").write_text("before\n")
    with open("log", "ab") as stream:
        number = stream.fileno()
        Path("link").symlink_to(f"/proc/self/fd/{number}")
        for name in (f"/dev/fd/{number}", f"/proc/self/fd/{number}", "link"):
            found = target_of(Path(name))
            assert (found.direct, found.descriptor) == (True, number)
            with found.open() as copy:
                copy.write(b"line\n")
    assert Path("log").read_text() == "before\nline\nline\nline\n"
    with pytest.raises(OSError, match="Bad file descriptor"):
        target_of(Path(f"/dev/fd/{number}")).open()


def test_standard_output_by_its_name():
    assert target_of(Path("/dev/stdout")).descriptor == 1


@pytest.mark.parametrize(
    ("name", "said"),
    [("folder", "is a folder; name a file"), ("link", "is a folder; name a file"),
     ("none/x", "none/x: there is no folder none"), ("file/x", "there is no folder file"),
     ("dangling", "dangling: leads to none/x, and there is no folder none"),
     ("circle", "is a loop of links"), ("x" * 300, "cannot be written (File name too long)")],
)  # fmt: skip
def test_what_is_no_place_for_a_file_is_one_sentence(name, said):
    Path("folder").mkdir()
    Path("file").write_text("")
    for link, leads in (("link", "folder"), ("dangling", "none/x"), ("circle", "circle")):
        Path(link).symlink_to(leads)

    with pytest.raises(ConfigError, match=re.escape(said)):
        target_of(Path(name))


@pytest.mark.skipif(os.geteuid() != 0, reason="needs another user")
def test_a_link_that_another_user_laid_in_a_folder_open_to_all_is_not_followed():
    Path("tmp").mkdir()
    Path("tmp").chmod(0o1777)
    Path("tmp/x").symlink_to("../mine")
    os.lchown("tmp/x", 12, 34)

    with pytest.raises(RunError, match="is another user's link"):
        target_of(Path("tmp/x"))
    os.lchown("tmp/x", os.geteuid(), 34)
    assert target_of(Path("tmp/x")).path == Path("tmp/../mine")


AS_NOBODY = """
import os, sys
from pathlib import Path
from seqforge.base.paths import target_of
from seqforge.errors import SeqforgeError
os.setgroups([]); os.setgid(65534); os.setuid(65534)
for name in sys.argv[1:]:
    try:
        print(target_of(Path(name)).path)
    except SeqforgeError as error:
        print(error)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="needs another user")
def test_what_another_user_may_not_replace_is_said_at_once(tmp_path):
    """The tests may be run by root, whom nothing is forbidden."""
    home = Path(mkdtemp(prefix="seqforge-test-"))  # which others can see, unlike those of pytest
    try:
        home.chmod(0o755)
        for name, mode in (("own", 0o755), ("tmp", 0o1777)):
            (home / name).mkdir()
            (home / name).chmod(mode)
        os.chown(home / "own", 65534, 65534)
        kinds = [("own/protected", 0o444, 65534), ("tmp/theirs", 0o666, 0)]
        kinds += [("own/theirs", 0o666, 0), ("own/mine", 0o600, 65534)]
        for name, mode, owner in kinds:
            (home / name).write_text("precious")
            (home / name).chmod(mode)
            os.chown(home / name, owner, owner)
        result = subprocess.run(
            [sys.executable, "-c", AS_NOBODY, *(home / name for name, *_ in kinds)], text=True,
            capture_output=True, check=False, cwd="/",
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
    finally:
        shutil.rmtree(home)

    protected, sticky, theirs, mine = result.stdout.splitlines()
    assert protected.endswith("own/protected: is write-protected; give another --out")
    assert sticky.endswith("in a folder where nobody else may replace it; give another --out")
    assert (theirs, mine) == (str(home / "own/theirs"), str(home / "own/mine"))


def test_no_input_is_written_over_by_whatever_name():
    Path("input").write_text("x")
    Path("twin").hardlink_to("input")
    Path("link").symlink_to("input")
    for name in ("input", "./input", "twin", "link"):
        with pytest.raises(ConfigError, match="is an input of this command"):
            refuse_inputs([Path("new"), Path(name)], [Path("none"), Path("input")])
    refuse_inputs([Path("new")], [Path("none"), Path("input")])
    refuse_inputs([Path(os.devnull)], [Path(os.devnull)])


def test_a_socket_is_one_sentence_in_the_end():
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        with pytest.raises(OSError, match="socket"):
            target_of(Path("socket")).open()


def test_stdout_is_no_folder():
    folder_named(None)
    folder_named(Path("x"))
    with pytest.raises(ConfigError, match="--out -: several files"):
        folder_named(Path("-"))
