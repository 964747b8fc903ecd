"""A run folder: what is in a folder already is a person's, and stays."""

import os
from pathlib import Path

import pytest

from seqforge.errors import RunError
from seqforge.runs.folder import RunFolder


def snapshot(folder: Path) -> dict[str, object]:
    return {
        str(path.relative_to(folder)): os.readlink(path) if path.is_symlink() else
        path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }  # fmt: skip


def stop_after(folder: Path, made: str) -> None:
    if made:
        (folder / made).write_text("of this run")
    raise KeyboardInterrupt


def fail_in(folder: Path, made: str = "") -> None:
    with pytest.raises(KeyboardInterrupt), RunFolder(folder).locked():
        stop_after(folder, made)


def test_a_failing_run_leaves_every_hidden_file_as_it_was(tmp_path):
    home = tmp_path / "home"
    (home / ".git" / "objects").mkdir(parents=True)
    for name in (".env", ".bashrc", ".stdin.txt", ".lock", ".git/HEAD", ".x.partial"):
        (home / name).write_text("precious")
    (home / ".config").symlink_to("elsewhere")
    before = snapshot(home)

    fail_in(home, ".stdin.fa")

    assert snapshot(home) == before


@pytest.mark.parametrize("there", ["", "a", "a/b"])
def test_a_failing_run_leaves_no_folder_that_it_made(tmp_path, there):
    (tmp_path / there).mkdir(parents=True, exist_ok=True)
    before = snapshot(tmp_path)

    fail_in(tmp_path / "a" / "b" / "c")

    assert snapshot(tmp_path) == before


@pytest.mark.parametrize(
    "content", ["[database]\nport = 3\n", "is = no = TOML", 'made = "by hand"', "[made]\nby = 1"]
)
def test_the_settings_of_another_program_are_no_run(tmp_path, content):
    (tmp_path / "config.toml").write_text(content)

    with (
        pytest.raises(RunError, match=r"holds other files and no run \(config.toml is damaged, or"),
        RunFolder(tmp_path).locked(),
    ):
        pass

    assert snapshot(tmp_path) == {"config.toml": content.encode()}


def test_two_runs_in_one_folder(tmp_path):
    with (
        RunFolder(tmp_path).locked(),
        pytest.raises(RunError, match="another seqforge is working in it"),
        RunFolder(tmp_path).locked(),
    ):
        pass


@pytest.mark.parametrize(
    ("name", "said"),
    [("nowhere", "is a link that leads nowhere"), ("circle", "is a link that leads nowhere"),
     ("file", "is a file, and a folder is needed"), ("file/x", "cannot be written"),
     (os.fsdecode(b"\xff"), "its name is not UTF-8")],
)  # fmt: skip
def test_a_place_that_cannot_be_a_folder_is_one_sentence(tmp_path, name, said):
    (tmp_path / "nowhere").symlink_to("gone")
    (tmp_path / "circle").symlink_to("circle")
    (tmp_path / "file").write_text("precious")
    before = snapshot(tmp_path)

    with pytest.raises(RunError, match=said), RunFolder(tmp_path / name).locked():
        pass

    assert snapshot(tmp_path) == before
