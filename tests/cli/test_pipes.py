"""Pipes, standard input and folders with anything in them, named wherever an input can be."""

import gzip
import io
import os
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner

from seqforge.base.paths import spool
from seqforge.cli.main import app
from seqforge.cli.options import await_stdin
from seqforge.errors import InputError
from seqforge.runs.load_inputs import _kept
from tests.base.test_textio import PACKERS
from tests.cli.conftest import TEXT, small
from tests.small_runs import genome, text, tunes

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pipes of POSIX")


def seqforge(*arguments, stdin=None):
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], input=stdin)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@contextmanager
def pipe(data: bytes):
    """The name of a pipe through which this comes once, as ``<(...)`` of a shell gives it."""
    source, sink = os.pipe()

    def write() -> None:
        with open(sink, "wb") as stream:
            stream.write(data)

    writer = threading.Thread(target=write)
    writer.start()
    yield f"/dev/fd/{source}"
    os.close(source)
    writer.join()


def table(folder):
    return [row.split("\t") for row in (folder / "ingest.tsv").read_text().splitlines()[1:]]


@pytest.mark.parametrize("pack", ["gz", "zip"])
def test_what_comes_packed_through_a_pipe_is_kept_in_the_run_folder(tmp_path, pack):
    out = tmp_path / "run"
    with pipe(PACKERS[pack](genome(6000).encode())) as name:
        first = seqforge("train", "genome", "--fasta", name, *small(out))
    assert first.exit_code == 0, first.stderr
    (row,) = table(out)
    assert row[1:2] + row[3:] == ["split", "1", "6000"]

    (out / "stages.json").unlink()
    again = seqforge("train", "genome", "--out", out, "--resume")  # the pipe is gone by now
    assert again.exit_code == 0, again.stderr


def test_standard_input_is_read_packed_and_in_utf_16(tmp_path):
    data = gzip.compress(TEXT.encode("utf-16"))
    result = seqforge("train", "text", "--input", "-", *small(tmp_path / "run"), stdin=data)
    assert result.exit_code == 0, result.stderr
    assert table(tmp_path / "run")[0][4] == str(len(TEXT))


def test_samples_and_library_may_come_through_pipes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    library = genome(3000)
    query = ">q\n" + library.split("\n")[1][:300] + "\n"
    (tmp_path / "lib.fa").write_text(library)
    with pipe(gzip.compress(query.encode())) as samples, pipe(library.encode()) as against:
        result = seqforge("blast", samples, "--against", against)
    assert result.exit_code == 0, result.stderr
    assert "1 of 1 samples have a hit" in result.stdout
    assert (tmp_path / "samples-similarity" / "hits.tsv").is_file()

    result = seqforge("blast", "-", "--against", "lib.fa", "--out", "b", stdin=query.encode())
    assert "1 of 1 samples have a hit" in result.stdout
    result = seqforge("blast", "lib.fa", "--against", "-", "--out", "c", stdin=library.encode())
    assert "1 of 1 samples have a hit" in result.stdout


def test_a_prime_may_come_through_a_pipe(tmp_path):
    drawn = [
        seqforge("sample", "fly", "--prime-file", "-", "--length", 9, stdin=b">x\nACGTACGT\n"),
        seqforge("sample", "fly", "--prime", "ACGTACGT", "--length", 9),
    ]
    assert drawn[0].stdout == drawn[1].stdout

    out = tmp_path / "tunes"
    files = ("--formats", "abc", "--no-page", "--bars", 2, "--out", out)
    result = seqforge("music", "--prime", "-", *files, stdin=tunes(1).encode())
    assert result.exit_code == 0, result.stderr
    assert [path.suffix for path in out.iterdir()] == [".abc"]


def test_evaluate_and_a_recipe_may_come_through_pipes(tmp_path):
    result = seqforge("evaluate", "fly", "-", stdin=genome(600).encode())
    assert result.exit_code == 0, result.stderr

    (tmp_path / "words.txt").write_text(text(6000))
    recipe = f'domain = "text"\ninputs = ["{tmp_path / "words.txt"}"]\n'
    with pipe(recipe.encode()) as name:
        result = seqforge("train", name, *small(tmp_path / "run"))
    assert result.exit_code == 0, result.stderr
    assert 'pipeline = "recipe"' in (tmp_path / "run" / "config.toml").read_text()


def test_what_is_kept_of_a_pipe_takes_the_place_of_nothing(tmp_path):
    """A person's file of that name stays; what a killed command kept of the same is taken again."""
    folder = tmp_path / "run"
    folder.mkdir()

    def kept(content, begun=()):
        with pipe(content) as name:
            return _kept(name, folder, "", ".txt", begun)

    (folder / ".stdin.txt").write_bytes(b"mine")
    (folder / ".stdin+.txt").symlink_to("nowhere")
    path = kept(b"new")

    assert path.name == ".stdin++.txt"
    assert kept(b"new") == path
    assert kept(b"", [str(path)]) == path
    assert path.read_bytes() == b"new"
    assert (folder / ".stdin.txt").read_bytes() == b"mine"
    assert len(list(folder.iterdir())) == 3


def test_a_run_goes_on_with_what_it_kept_beside_a_file_of_that_name(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".stdin.txt").write_text("mine")
    command = ("train", "text", "-", *small(tmp_path / "run"))

    assert seqforge(*command, stdin=TEXT).exit_code == 0
    again = seqforge(*command, stdin="")

    assert (again.exit_code, "this run is finished" in again.stderr) == (0, True)
    assert (tmp_path / "run" / ".stdin.txt").read_text() == "mine"


@pytest.mark.parametrize(
    "command",
    [
        ["train", "text", "--input", "-", "-"],
        ["train", "-", "--input", "-"],
        ["blast", "-", "--against", "-"],
        ["evaluate", "fly", "-", "-"],
        ["evaluate", "-", "-"],
        ["sample", "fly", "--interactive", "--prime-file", "-"],
        ["music", "--prime", "-", "--model", "-"],
    ],
    ids=" ".join,
)
def test_standard_input_can_be_named_but_once(command):
    result = seqforge(*command, stdin=b"x")
    assert result.exit_code == 1
    assert "standard input can be read only once; name a file" in result.stderr


@pytest.mark.parametrize("command", [["evaluate", "fly", "-"], ["blast", "-"]])
def test_what_is_wrong_with_a_pipe_is_said_by_the_name_that_was_typed(command):
    result = seqforge(*command, stdin=b"")
    assert result.exit_code == 1
    assert "error: -: is empty" in result.stderr


def test_closed_standard_input_is_one_sentence(tmp_path, monkeypatch):
    closed = io.TextIOWrapper(io.BytesIO())
    closed.close()
    monkeypatch.setattr(sys, "stdin", closed)
    with pytest.raises(InputError, match="standard input is closed"):
        spool("-", tmp_path / "x")


def test_one_bad_file_costs_that_file_alone(tmp_path):
    folder, out = tmp_path / "in", tmp_path / "run"
    (folder / "locked").mkdir(parents=True)
    for name in ("a.txt", "b.txt.xz", "c.txt"):
        pack = PACKERS["xz" if name.endswith("xz") else "plain"]
        (folder / name).write_bytes(pack((name + TEXT).encode()))
    (folder / "broken.txt").symlink_to("gone.txt")
    os.mkfifo(folder / "pipe.txt")
    (folder / "x.pdf").write_bytes(b"%PDF-1.4")
    (folder / "y.txt").write_bytes(b"%PDF-1.4")
    if sys.platform == "linux":
        os.rename(folder / "c.txt", os.fsencode(folder) + b"/caf\xe9.txt")

    result = seqforge("train", "text", folder, *small(out))

    assert result.exit_code == 0, result.stderr
    rows = {row[0].rpartition("/")[2]: (row[1], row[2]) for row in table(out)}
    assert rows["a.txt"][0] == rows["b.txt.xz"][0] == "kept"
    assert rows["y.txt"] == (
        "refused",
        f"{folder}/y.txt: is a PDF; save its text as a plain text file",
    )
    assert rows["broken.txt"][1].endswith("broken.txt: is a link to what is not there")
    assert rows["pipe.txt"][1].endswith("pipe.txt: is a pipe; in a folder only files are read")
    if sys.platform == "linux":
        assert rows[r"caf\xe9.txt"][1].endswith(r"caf\xe9.txt: its name is not UTF-8; rename it")
    assert "1 files of other kinds left out (.pdf)" in result.stderr


def test_when_nothing_can_be_read_the_table_says_why(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "broken.txt").symlink_to("gone.txt")
    out = tmp_path / "run"

    result = seqforge("train", "text", tmp_path / "in", *small(out))

    assert result.exit_code == 1
    assert "broken.txt: is a link to what is not there" in result.stderr
    assert [row[1] for row in table(out)] == ["refused"]


def test_a_folder_of_hidden_files_says_so(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / ".x.txt").write_text(TEXT)
    result = seqforge("train", "text", tmp_path / "in", *small(tmp_path / "run"))
    assert "1 hidden files or folders in it do not count: name them" in result.stderr
    result = seqforge("train", "text", tmp_path / "in" / ".x.txt", *small(tmp_path / "run"))
    assert result.exit_code == 0, result.stderr


def test_a_pattern_in_quotes_is_filled_in(tmp_path):
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text(name + TEXT)
    result = seqforge("train", "text", "--input", tmp_path / "*.txt", *small(tmp_path / "run"))
    assert result.exit_code == 0, result.stderr
    assert len(table(tmp_path / "run")) == 2
    result = seqforge("train", "text", "--input", tmp_path / "*.csv", *small(tmp_path / "r2"))
    assert "there is no such file or folder, and no file fits this pattern" in result.stderr


def test_an_encoding_can_be_said_to_every_command(tmp_path):
    path = tmp_path / "x.txt"
    path.write_bytes(("é" + TEXT).encode("latin-1"))
    run = ("train", "text", path, *small(tmp_path / "run"))
    assert "--encoding (latin-1, cp1252, ...)" in seqforge(*run).stderr
    run = ("train", "text", path, *small(tmp_path / "run2"))
    assert seqforge(*run, "--encoding", "latin-1").exit_code == 0
    assert (
        "'latin9x' is not a text encoding; encodings are"
        in seqforge(*run, "--encoding", "latin9x").stderr
    )

    model = tmp_path / "run2"
    refused = seqforge("evaluate", model, path)
    assert "byte 0xe9 at offset 0 is not UTF-8" in refused.stderr, "a model forgets the encoding"
    assert seqforge("evaluate", model, path, "--encoding", "cp1252").exit_code == 0
    assert "not a text encoding" in seqforge("evaluate", model, path, "--encoding", "rot13").stderr
    prime = ("sample", model, "--prime-file", path, "--length", 5)
    assert seqforge(*prime, "--encoding", "latin-1").stdout.startswith("é")
    assert seqforge(*prime).exit_code == 1


def test_a_terminal_is_told_what_is_awaited_and_ends_with_one_ctrl_d(tmp_path, monkeypatch, capsys):
    master, slave = os.openpty()
    os.write(master, b">q\nACGT\n\x04")
    with open(slave) as terminal:
        monkeypatch.setattr(sys, "stdin", terminal)
        await_stdin("x.fa", [Path("-")], None)
        spool("-", tmp_path / "kept")

    os.close(master)
    assert (tmp_path / "kept").read_bytes() == b">q\nACGT\n"
    assert capsys.readouterr().err == (
        "reading what is typed here, up to Ctrl-D on a line of its own\n"
    )


def test_a_device_is_no_input(tmp_path):
    result = seqforge("train", "text", "--input", "/dev/zero", *small(tmp_path / "run"))
    assert "/dev/zero: is a device, and a file or a pipe is wanted" in result.stderr
