"""The one way in which files are written: whole, durable, and never through what others laid."""

import os
import re
import stat
import subprocess
import sys

import pytest

from seqforge.base.atomic_files import disk_errors, replacing, sweep, write_atomically
from seqforge.errors import RunError
from tests.base.disks import room_for


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def _usual_umask():
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.mark.usefixtures("_usual_umask")
@pytest.mark.parametrize("kept", [0o600, 0o640, 0o666, 0o444])
def test_a_file_that_is_replaced_keeps_its_mode_and_a_new_one_heeds_the_umask(tmp_path, kept):
    old, new = tmp_path / "old", tmp_path / "new"
    old.write_text("before")
    old.chmod(kept)

    write_atomically(old, b"after")
    write_atomically(new, b"after")

    assert (old.read_text(), mode(old), mode(new)) == ("after", kept, 0o644)


@pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="needs a right to give away")
def test_a_file_that_is_replaced_keeps_its_owner_where_that_can_be(tmp_path):
    path = tmp_path / "x"
    path.write_text("before")
    os.chown(path, 12, 34)

    write_atomically(path, b"after")

    assert (path.stat().st_uid, path.stat().st_gid) == (12, 34)


def test_what_is_private_is_so_from_its_first_byte_whatever_stood_there(tmp_path):
    path = tmp_path / "settings.toml"
    path.write_text("")
    path.chmod(0o666)
    with replacing(path, private=True) as stream:
        assert stat.S_IMODE(os.fstat(stream.fileno()).st_mode) == 0o600

    assert mode(path) == 0o600


@pytest.mark.parametrize("name", ["x.partial", ".x.partial", "x.tmp"])
def test_what_was_laid_beside_is_neither_followed_nor_touched(tmp_path, name):
    theirs = tmp_path / "theirs"
    theirs.write_text("precious")
    (tmp_path / name).symlink_to(theirs)

    write_atomically(tmp_path / "x", b"data")

    assert theirs.read_text() == "precious"
    assert (tmp_path / name).is_symlink()
    assert (tmp_path / "x").read_bytes() == b"data"


def test_a_link_is_replaced_and_another_name_of_the_file_keeps_what_it_had(tmp_path):
    target, link, twin = tmp_path / "target", tmp_path / "link", tmp_path / "twin"
    target.write_text("precious")
    link.symlink_to(target)
    twin.hardlink_to(target)

    write_atomically(link, b"data")
    write_atomically(target, b"data")

    assert (twin.read_text(), link.read_text(), link.is_symlink()) == ("precious", "data", False)


@pytest.mark.parametrize("name", ["a b", "a\nb", "ü" * 127, os.fsdecode(b"\xff.fa"), "-"])
def test_any_name_can_be_written_that_the_system_allows(tmp_path, name):
    write_atomically(tmp_path / name, b"data")

    assert (tmp_path / name).read_bytes() == b"data"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_disk_that_refuses_leaves_what_stood_there_and_nothing_beside_it(tmp_path):
    path = tmp_path / "x"
    path.write_text("old")

    with room_for(100), pytest.raises(RunError, match=r"x: cannot be written \(File too large\)"):
        write_atomically(path, bytes(101))

    assert path.read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_folder_of_that_name_and_a_missing_folder_are_one_sentence(tmp_path):
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "folder", tmp_path / "none" / "x"):
        with pytest.raises(RunError, match=f"{path}: cannot be written"):
            write_atomically(path, b"data")

    assert [item.name for item in tmp_path.iterdir()] == ["folder"]


def test_an_error_of_the_writer_leaves_all_as_it_was(tmp_path):
    with pytest.raises(ZeroDivisionError), disk_errors(tmp_path), replacing(tmp_path / "x"):
        1 / 0  # noqa: B018

    assert not list(tmp_path.iterdir())


def test_sweeping_removes_what_a_killed_writer_left_and_nothing_else(tmp_path):
    code = (
        "import os, sys; from pathlib import Path\n"
        "from seqforge.base.atomic_files import replacing\n"
        "with replacing(Path(sys.argv[1])) as stream: os._exit(9)"
    )
    subprocess.run([sys.executable, "-c", code, tmp_path / "x"], check=False)
    (left,) = tmp_path.iterdir()
    assert re.fullmatch(r"\.seqforge-[0-9a-f]{16}\.partial", left.name)
    others = [".env", "x.partial", ".seqforge-mine.partial"]
    for name in others:
        (tmp_path / name).write_text("precious")
    (tmp_path / f".seqforge-{'0' * 16}.partial").symlink_to(tmp_path / ".env")

    with replacing(tmp_path / "y") as stream:  # is being written
        stream.write(b"data")
        sweep(tmp_path)

    assert not left.exists()
    assert {"y", f".seqforge-{'0' * 16}.partial", *others} == {p.name for p in tmp_path.iterdir()}
    assert (tmp_path / "y").read_bytes() == b"data"
