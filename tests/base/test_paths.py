"""A folder is walked whatever lies in it: links, loops, pipes, names that are no text."""

import os
import socket
import sys

import pytest

from seqforge.base.paths import expanded, path_shown, walk

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="links and pipes of POSIX")


def under(root):
    found = walk(root)
    files = sorted(os.fsencode(path.relative_to(root)) for path in found.files)
    return files, {path.relative_to(root).as_posix(): reason for path, reason in found.unread}


def test_linked_folders_are_read_once_and_what_cannot_be_read_is_listed(tmp_path):
    root, far = tmp_path / "root", tmp_path / "far"
    (root / "sub").mkdir(parents=True)
    far.mkdir()
    for path in (root / "a.txt", root / "sub/b.txt", far / "c.txt", root / ".hidden"):
        path.write_text("x")
    (root / "broken.txt").symlink_to("gone.txt")
    (root / "loop").symlink_to("loop")
    (root / "again").symlink_to("sub")
    (root / "far1").symlink_to(far)
    (root / "far2").symlink_to(far)
    (far / "back").symlink_to(root)
    (root / "up").symlink_to(tmp_path)
    (root / "link.txt").symlink_to(far / "c.txt")
    os.mkfifo(root / "fifo")
    with socket.socket(socket.AF_UNIX) as server:
        here = os.getcwd()
        os.chdir(root)  # the path of a socket may have but 100 characters
        server.bind("socket")
        os.chdir(here)

        files, unread = under(root)

    assert files == [b"a.txt", b"far1/c.txt", b"link.txt", b"sub/b.txt"]
    already = "is a link to a folder that is read already"
    assert unread == {
        "broken.txt": "is a link to what is not there",
        "loop": "is a loop of links",
        "again": already, "far2": already, "far1/back": already,
        "up": "is a link to a folder that holds this one; name that folder if it is meant",
        "fifo": "is a pipe; in a folder only files are read",
        "socket": "is a socket; in a folder only files are read",
    }  # fmt: skip
    assert walk(root).hidden == 1


@pytest.mark.skipif(sys.platform != "linux", reason="a system whose names are bytes")
def test_a_name_that_is_no_utf8_can_be_shown(tmp_path):
    name = b"caf\xe9\x1b[31m.txt"
    with open(os.path.join(os.fsencode(tmp_path), name), "wb"):
        pass

    (path,) = walk(tmp_path).files

    assert path_shown(path.name) == r"caf\xe9\x1b[31m.txt"
    assert path_shown("né 1.txt") == "né 1.txt"


def test_patterns_and_home_are_read_as_a_shell_reads_them(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("b.txt", "a.txt", "c.fa"):
        (tmp_path / name).touch()

    assert expanded(str(tmp_path / "*.txt")) == [tmp_path / "a.txt", tmp_path / "b.txt"]
    assert expanded("~/c.fa") == [tmp_path / "c.fa"]
    assert expanded("~/[ab].txt") == [tmp_path / "a.txt", tmp_path / "b.txt"]
    assert expanded(str(tmp_path / "*.gb")) is None
    assert expanded("~nobody-of-this-name/x") is None
