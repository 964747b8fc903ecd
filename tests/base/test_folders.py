"""A folder of results: what a person keeps there, or made of them, is not written over."""

import os
from pathlib import Path

import pytest

from seqforge.base.folders import NOTE, cache_root, claimed_folder, folder_for
from seqforge.errors import RunError
from tests.cli.interrupting import ctrl_c_at

NAMES = r"tune(-\d+)?\.(mid|svg)"


def work(folder: Path, *files: str, what: str = "", stop: bool = False) -> str:
    said: list[str] = []
    with claimed_folder(folder, NAMES, said.append):
        for name in files:
            (folder / name).write_text(f"{name} {what}")
        if stop:
            raise KeyboardInterrupt
    return "".join(said)


def test_the_same_command_again_says_nothing_and_another_what_it_replaces(tmp_path):
    assert work(tmp_path, "tune-1.mid", "tune-1.svg") == ""
    assert work(tmp_path, "tune-1.mid", "tune-1.svg") == ""
    said = work(tmp_path, "tune-1.mid", "tune-1.svg", what="seed 2")

    assert said == f"{tmp_path / 'tune-1.mid'} and 1 more: of an earlier command, replaced"
    assert sorted(os.listdir(tmp_path)) == ["tune-1.mid", "tune-1.svg"]


@pytest.mark.parametrize("laid", ["file", "link", "folder", "pipe", "changed"])
def test_what_is_not_as_seqforge_left_it_is_not_written_over(tmp_path, laid):
    path = tmp_path / "tune.svg"
    if laid == "file":
        path.write_text("precious")
    elif laid == "link":
        path.symlink_to("elsewhere")
    elif laid == "folder":
        path.mkdir()
    elif laid == "pipe":
        os.mkfifo(path)
    else:
        work(tmp_path, "tune.mid", "tune.svg")
        path.write_text("with fingerings of mine")
    before = {item.name: item.lstat() for item in tmp_path.iterdir()}

    with pytest.raises(RunError, match=r"tune\.svg: would be overwritten, but it was changed"):
        work(tmp_path, "tune.mid", "tune.svg")

    assert {item.name: item.lstat() for item in tmp_path.iterdir()} == before


def test_files_of_other_names_are_nobodys_concern(tmp_path):
    (tmp_path / "tune.wav").write_text("precious")
    (tmp_path / "tune.mid.bak").symlink_to("elsewhere")

    work(tmp_path, "tune.mid")
    (tmp_path / "tune.wav").write_text("changed")

    assert work(tmp_path, "tune.mid") == ""


def test_a_stopped_command_is_gone_on_with(tmp_path):
    """After a kill too: the note is there before the files."""
    work(tmp_path, "tune-1.mid")
    for files in (["tune-1.mid"], ["tune-1.mid", "tune-2.mid"]):
        with pytest.raises(KeyboardInterrupt):
            work(tmp_path, *files, what="seed 2", stop=True)

    work(tmp_path, "tune-1.mid", "tune-2.mid", what="seed 2")
    assert sorted(os.listdir(tmp_path)) == ["tune-1.mid", "tune-2.mid"]


def test_where_the_cache_was_emptied_nothing_is_written_over(tmp_path):
    work(tmp_path, "tune.mid")
    for kept in (cache_root() / "outputs").iterdir():
        kept.write_text("damaged")

    with pytest.raises(RunError, match="would be overwritten"):
        work(tmp_path, "tune.mid", what="seed 2")


def test_after_a_kill_the_cache_is_not_needed(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        work(tmp_path, "tune.mid", stop=True)
    assert sorted(os.listdir(tmp_path)) == [NOTE, "tune.mid"]

    assert work(tmp_path, "tune.mid") == ""


def test_what_came_to_nothing_leaves_nothing(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        work(tmp_path, stop=True)
    assert os.listdir(tmp_path) == []

    work(tmp_path, "tune.mid")
    (tmp_path / "tune-9.svg").write_text("precious")
    with pytest.raises(RunError):
        work(tmp_path)
    assert "precious" in (tmp_path / "tune-9.svg").read_text()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"files": 3}', '{"files": {"x": 1}}'])
def test_a_note_of_somebody_else_is_left_alone(tmp_path, content):
    (tmp_path / NOTE).write_text(content)

    with pytest.raises(RunError, match=rf"{NOTE}: cannot be read"):
        work(tmp_path, "tune.mid")

    assert (tmp_path / NOTE).read_text() == content


def test_two_at_once(tmp_path):
    with (
        claimed_folder(tmp_path, NAMES, print),
        pytest.raises(RunError, match="another seqforge is working in it"),
        claimed_folder(tmp_path, "other", print),
    ):
        pass


def test_where_the_cache_cannot_be_written_the_folder_keeps_its_note(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("SEQFORGE_CACHE", str(tmp_path / "file" / "cache"))
    folder = tmp_path / "out"
    folder.mkdir()
    work(folder, "tune.mid")

    assert work(folder, "tune.mid") == ""
    (folder / "tune.mid").write_text("a person's")
    with pytest.raises(RunError, match="was changed, or not written by seqforge"):
        work(folder, "tune.mid")

    monkeypatch.setenv("SEQFORGE_CACHE", str(tmp_path / "cache"))
    (folder / "tune.mid").unlink()
    work(folder, "tune.mid")
    assert os.listdir(folder) == ["tune.mid"]


def test_ctrl_c_while_a_folder_is_made_leaves_none(tmp_path):
    home = tmp_path / "home"
    home.mkdir()

    with pytest.raises(KeyboardInterrupt), ctrl_c_at("home", 1), folder_for(home / "new"):
        pytest.fail("it was made")  # the disk is waited for before, and Ctrl-C comes then

    assert list(home.iterdir()) == []
