"""Commands whose --out is a folder: one at a time, and nothing of a person's is lost in it."""

import os
from pathlib import Path

import pytest

from seqforge.base.file_locks import held_folder

BASES = "ACGTTGCAAGCTTACGGATCCATGCAAGTCCGATTAGCCATAGGCTTAACGTACCGGATATCGCG"


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("x.fa").write_text(f">x\n{BASES}\n>y\n{BASES[::-1]}\n")
    Path("lib.fa").write_text(f">lib\n{BASES * 3}\n")


def blast(seqforge, *more):
    return seqforge("blast", "x.fa", "--against", "lib.fa", "--quiet", *more)


def music(seqforge, *more):
    return seqforge("music", "--bars", 1, "--formats", "abc", "--no-page", *more)


FILES = [(blast, "x-similarity", "hits.tsv"), (music, "music", "tune.abc")]


@pytest.mark.parametrize(("command", "folder", "name"), FILES)
def test_a_strangers_file_is_named_before_anything_is_done(seqforge, command, folder, name):
    Path(folder).mkdir()
    Path(folder, name).write_text("precious")
    Path(folder, ".env").write_text("precious")

    result = command(seqforge)

    assert result.exit_code == 1
    said = " ".join(result.stderr.split())
    assert f"error: {folder}/{name}: would be overwritten, but it was changed" in said
    assert {p.name: p.read_text() for p in Path(folder).iterdir()} == {
        name: "precious", ".env": "precious"
    }  # fmt: skip


@pytest.mark.parametrize(("command", "folder", "name"), FILES)
def test_the_same_again_is_silent_and_a_change_of_ones_own_is_kept(seqforge, command, folder, name):
    assert command(seqforge).exit_code == 0
    before = sorted(os.listdir(folder))
    again = command(seqforge)
    assert (again.exit_code, "earlier command" in again.stderr) == (0, False)
    assert sorted(os.listdir(folder)) == before
    assert not [name for name in before if name.startswith(".")]

    Path(folder, name).write_text("my notes")
    assert command(seqforge).exit_code == 1
    assert Path(folder, name).read_text() == "my notes"


def test_what_an_earlier_command_left_is_replaced_and_said(seqforge):
    music(seqforge, "--seed", 1)
    result = music(seqforge, "--seed", 2)

    assert result.exit_code == 0
    assert "music/tune.abc: of an earlier command, replaced" in result.stderr
    assert music(seqforge, "--seed", 3, "--quiet").stderr == ""


@pytest.mark.parametrize(("command", "folder", "name"), FILES)
def test_two_at_once(seqforge, command, folder, name):
    Path(folder).mkdir()
    with held_folder(Path(folder)):
        result = command(seqforge)

    assert result.exit_code == 1
    assert f"{folder}: another seqforge is working in it; wait for it, or give" in " ".join(
        result.stderr.split()
    )
    assert os.listdir(folder) == []


@pytest.mark.parametrize("command", [blast, music])
def test_a_place_that_cannot_be_leaves_no_folder(seqforge, command):
    Path("file").write_text("precious")
    for out, said in (("file", "is a file, and a folder is needed"), ("-", "--out -: several")):
        result = command(seqforge, "--out", out)
        assert result.exit_code == 1
        assert said in " ".join(result.stderr.split())
    Path("lib.fa").unlink()
    if command is blast:
        assert command(seqforge, "--out", "a/b").exit_code == 1
        assert not Path("a").exists()
    assert Path("file").read_text() == "precious"


@pytest.mark.parametrize("command", [("run", "text"), ("train", "text")])
def test_a_run_has_a_folder_and_no_stream(seqforge, command):
    result = seqforge(*command, "--input", "x.fa", "--out", "-")

    assert result.exit_code == 1
    assert "--out -: several files are written, and stdout is one" in " ".join(
        result.stderr.split()
    )
    assert sorted(os.listdir()) == ["lib.fa", "x.fa"]


def test_a_typo_costs_nothing_that_lay_in_the_folder(seqforge):
    home = Path("home")
    home.mkdir()
    for name in (".bashrc", ".env"):
        (home / name).write_text("precious")
    (home / ".git").mkdir()

    result = seqforge("run", "text", "--input", "nosuch.txt", "--out", home)

    assert result.exit_code == 1
    assert "nosuch.txt" in result.stderr
    assert sorted(os.listdir(home)) == [".bashrc", ".env", ".git"]


def test_names_are_put_out_by_their_bytes(seqforge):
    """So that a program that reads them can open the files."""
    odd = os.fsdecode(b"a\n\xff b")
    result = blast(seqforge, "--out", odd)
    drawn = seqforge("sample", "fly", "--length", 5, "--out", f"{odd}.fa")

    assert (result.exit_code, drawn.exit_code) == (0, 0), result.stderr
    assert os.fsencode(odd) + b"/hits.tsv\n" in result.stdout_bytes
    assert drawn.stdout_bytes == os.fsencode(odd) + b".fa\n"
