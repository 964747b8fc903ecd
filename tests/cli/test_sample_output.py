"""Samples that go to files: written as they come, and gone on with after a stop."""

import csv
import functools
import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from tests.cli.conftest import call, small, stopped_in_the_middle
from tests.cli.conversing import read_all
from tests.conftest import missing
from tests.patience import PATIENCE, wait_for

MANY = ("-n", 1_200, "--length", 20)


@pytest.fixture(scope="module")
def rare_model(tmp_path_factory):
    """A run of text whose rare symbols, the capitals, are one unknown symbol."""
    folder = tmp_path_factory.mktemp("model")
    text = folder / "text.txt"
    text.write_text("the cat sat on the mat, and the dog lay. " * 400 + "QXZ")
    result = call("train", "text", text, "--min-count", 5, *small(folder / "run"))
    assert result.exit_code == 0, result.stderr
    return folder / "run"


def note_of(path):
    """What says how far a file is."""
    return path.with_name(path.name + ".partial.json")


def has_some(path):
    with suppress(FileNotFoundError):  # before, and after it has ended
        return json.loads(note_of(path).read_text())["done"] > 0


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """The folders of commands that were killed while they wrote a file where another stood."""

    @functools.cache
    def folder(name):
        path = tmp_path_factory.mktemp("killed") / name
        path.write_text("what stood there before")
        *_, code = stopped_in_the_middle(path, "sample", "fly", *MANY, "--out", path)
        assert code == -signal.SIGKILL
        return path.parent

    return folder


@pytest.fixture
def killed_file(killed, tmp_path):
    """A file that a killed command was writing, with what lies beside it."""

    def copy(name="x.fa"):
        shutil.copytree(killed(name), tmp_path, dirs_exist_ok=True)
        return tmp_path / name

    return copy


@pytest.mark.parametrize("name", ["x.fa", "x.jsonl"])
def test_a_killed_command_goes_on_and_ends_in_the_same_bytes(seqforge, killed_file, tmp_path, name):
    assert seqforge("sample", "fly", *MANY, "--out", tmp_path / f"whole-{name}").exit_code == 0
    path = killed_file(name)
    done = json.loads(note_of(path).read_text())["done"]

    assert 0 < done < 1_200
    assert path.read_text() == "what stood there before"
    result = seqforge("sample", "fly", *MANY, "--out", path)
    assert result.exit_code == 0
    assert f"{path}: going on after {done:,} of 1,200 samples\n" in result.stderr
    assert result.stdout == f"{path}\n"
    assert path.read_bytes() == (tmp_path / f"whole-{name}").read_bytes()
    assert sorted(os.listdir(tmp_path)) == sorted([name, f"whole-{name}"])


def test_other_settings_are_refused_until_what_is_kept_is_deleted(seqforge, killed_file, tmp_path):
    path = killed_file()

    result = seqforge("sample", "fly", *MANY, "-t", 0.5, "--seed", 3, "--out", path)

    assert result.exit_code == 1
    said = " ".join(result.stderr.split())
    assert "(temperature was 1.0 and is 0.5; seed was 0 and is 3)" in said
    assert f"or another --out, or delete {path}.partial, and all is drawn anew" in said
    other = seqforge("sample", "shakespeare", *MANY, "--out", path)
    assert other.exit_code == 1
    assert "(model was " in other.stderr
    Path(f"{path}.partial").unlink()
    assert seqforge("sample", "fly", "-n", 2, "--out", path).exit_code == 0
    assert os.listdir(tmp_path) == ["x.fa"]


def test_ctrl_c_keeps_what_is_drawn_and_says_how_to_go_on(seqforge, tmp_path):
    path = tmp_path / "x.fa"

    done, _, said, code = stopped_in_the_middle(
        path, "sample", "fly", *MANY, "--out", path, by=signal.SIGINT
    )

    assert code == 130
    assert f"stopped after {done:,} of 1,200 samples; go on with: seqforge sample fly" in said
    kept = Path(f"{path}.partial").read_text()
    assert kept.count(">") == done
    assert "Traceback" not in said
    again = seqforge("sample", "fly", *MANY, "--out", path, "--resume")
    assert f"going on after {done:,} of" in again.stderr
    assert path.read_text().startswith(kept)


def test_ctrl_c_from_outside_keeps_it_too(start, tmp_path):
    """Of more than can be drawn while anyone waits, so that it comes in the middle."""
    path = tmp_path / "x.fa"
    order = ("sample", "fly", "-n", 10_000_000, "--length", 100, "--out", path)
    process = start(*order)
    wait_for(lambda: has_some(path) or process.poll() is not None)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(PATIENCE)

    done = json.loads(note_of(path).read_text())["done"]
    assert process.returncode == 130
    assert f"stopped after {done:,} of 10,000,000 samples; go on with: seqforge sample" in said
    assert Path(f"{path}.partial").read_text().count(">") == done
    again = start(*order, "--resume")
    assert any(f"going on after {done:,} of 10,000,000 samples" in line for line in again.stderr)


def test_resume_with_nothing_saved_starts_afresh_and_needs_an_out(seqforge, tmp_path):
    path = tmp_path / "x.fa"
    result = seqforge("sample", "fly", "-n", 2, "--length", 9, "--resume", "--out", path)
    assert result.exit_code == 0
    assert path.read_text().count(">") == 2
    assert seqforge("sample", "fly", "--resume").exit_code == 2


def test_a_json_array_has_every_sample_also_when_the_file_goes_on(seqforge, killed_file):
    path = killed_file()

    result = seqforge("sample", "fly", *MANY, "--out", path, "--json")

    assert [row["number"] for row in json.loads(result.stdout)] == list(range(1, 1_201))
    assert path.read_text().count(">") == 1_200
    assert str(path) in result.stderr


def test_text_has_a_table_beside_it_that_says_how_it_was_drawn(seqforge, rare_model, tmp_path):
    options = ["-n", 3, "--prime", "the ", "-t", 0.7, "--seed", 5, "--max-length", 40]
    path = tmp_path / "x.txt"

    result = seqforge("sample", rare_model, *options, "--out", path)
    rows = json.loads(seqforge("sample", rare_model, *options, "--json").stdout)

    assert result.stdout.split() == [str(path), f"{path}.tsv"]
    assert path.read_text() == "\n\n".join(row["symbols"] for row in rows)
    with open(f"{path}.tsv", newline="") as stream:
        table = list(csv.DictReader(stream, delimiter="\t"))
    assert len(table) == 3
    for line, row in zip(table, rows, strict=True):
        assert int(line["number"]) == row["number"]
        assert int(line["symbols"]) == len(row["symbols"])
        assert float(line["mean_log_prob"]) == row["mean_log_prob"]
        assert json.loads(line["settings"]) == row["settings"]
        assert (line["temperature"], line["seed"], line["prime_length"]) == ("0.7", "5", "4")
        assert line["ended"] == str(row["ended"]).lower()


def test_json_lines_have_a_sample_each(seqforge, rare_model, tmp_path):
    options = ["-n", 3, "-t", "inf", "--length", 30]
    seqforge("sample", rare_model, *options, "--out", tmp_path / "x.jsonl")

    rows = [json.loads(line) for line in (tmp_path / "x.jsonl").read_text().splitlines()]

    assert rows == json.loads(seqforge("sample", rare_model, *options, "--json").stdout)
    assert {row["temperature"] for row in rows} == {"inf"}


def test_tunes_are_numbered_where_there_are_several(seqforge, tunes_model):
    options = ("--max-length", 60, "-t", 0.8, "--out", "t.mid")
    assert seqforge("sample", tunes_model, *options).stdout == "t.mid\nt.abc\n"
    one = {path.name: path.read_bytes() for path in Path().glob("t*.*")}
    for name in one:
        Path(name).unlink()

    many = ("sample", tunes_model, "-n", 40, *options)
    done, said, *_ = stopped_in_the_middle(Path("t.mid"), *many)
    result = seqforge(*many)

    assert sorted(one) == ["t.abc", "t.mid"]
    assert f"going on after {done:,} of 40 samples" in result.stderr
    names = [f"t-{number:03}.{kind}" for number in range(1, 41) for kind in ("mid", "abc")]
    printed = said.splitlines()
    assert len(printed) >= 2 * (done - 1), "killed between the note of a tune and its names"
    assert printed == names[: len(printed)]
    assert result.stdout.splitlines() == names[2 * done :]
    assert sorted(path.name for path in Path().glob("t*.*")) == sorted(names)
    assert Path("t-001.mid").read_bytes() == one["t.mid"]
    assert Path("t-001.abc").read_bytes() == one["t.abc"]


def test_a_full_disk_is_one_sentence_and_it_goes_on_later(seqforge, tmp_path):
    disk, order = tmp_path / "disk", ("-n", 1_000, "--length", 100)
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=60k", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        missing("the right to mount a small file system")
    try:
        full = seqforge("sample", "fly", *order, "--out", disk / "x.fa")
        assert full.exit_code == 1
        assert "x.fa: the disk is full; free some space and go on with --resume" in " ".join(
            full.stderr.split()
        )
        subprocess.run(["mount", "-o", "remount,size=20m", str(disk)], check=True)
        assert seqforge("sample", "fly", *order, "--out", disk / "x.fa", "--resume").exit_code == 0
        assert (disk / "x.fa").read_text().count(">") == 1_000
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_log_has_a_line_every_few_seconds_and_quiet_has_none(start, tmp_path):
    long = ("sample", "fly", "-n", 100_000, "--length", 100, "--out")
    loud, quiet = start(*long, tmp_path / "a.fa"), start(*long, tmp_path / "b.fa", "--quiet")
    line = next(line for line in loud.stderr if "compiling" not in line)
    for process in (loud, quiet):
        process.kill()

    assert re.fullmatch(
        r"  drawing \| [\d,]+ of 100,000 samples, ([\d,]+ symbols, )?[\d.,]+k symbols/s, "
        r"[\dh:?]+ left\n",
        line,
    )
    assert quiet.stderr.read() == ""


def test_a_terminal_shows_a_bar_and_a_pipe_gets_the_samples_alone(tmp_path):
    ours, theirs = pty.openpty()
    arguments = ["sample", "fly", "-n", "1500", "--length", "100", "--json"]
    with open(tmp_path / "out.json", "w") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "seqforge", *arguments], stdout=out, stderr=theirs,
            stdin=theirs, env={**os.environ, "TERM": "xterm", "COLUMNS": "80"},
        )  # fmt: skip
    os.close(theirs)
    shown = read_all(ours)
    assert process.wait(PATIENCE) == 0
    assert re.search(
        r"of 1,500 samples, ([\d,]+ symbols, )?[\d.,]+k symbols/s, [\dh:?]+ left", shown
    )
    assert len(json.loads((tmp_path / "out.json").read_text())) == 1500


def test_a_folder_is_no_place_for_samples(seqforge, tmp_path):
    result = seqforge("sample", "fly", "--out", tmp_path)
    assert result.exit_code == 1
    assert "is a folder; name a file in it with --out" in " ".join(result.stderr.split())


def test_symbols_that_the_model_does_not_know_are_refused_left_out_or_mapped(
    seqforge, rare_model, tmp_path
):
    def call(*more):
        return seqforge("sample", rare_model, "--prime", "the Zebra Z", "--length", 5, *more)

    refused, skipped, mapped = call(), call("--unknown", "skip"), call("--unknown", "map")

    assert refused.exit_code == 1
    said = " ".join(refused.stderr.split())
    assert "'Z' (U+005A) at position 5 is not a symbol of this model" in said
    strange = "'Z' (U+005A) 2 times, 'b' (U+0062) once, 'r' (U+0072) once"
    assert f"; not known are {strange}; leave them out with --unknown skip, or take" in said
    assert skipped.stdout.startswith("the ea ")
    assert f"the prime: left out: {strange}" in skipped.stderr
    assert mapped.stdout.startswith("the \ufffde\ufffd\ufffda \ufffd")
    assert f"the prime: taken for the unknown symbol: {strange}" in mapped.stderr
    assert call("--unknown", "skip", "--quiet").stderr == ""
    assert call("--unknown", "perhaps").exit_code == 2


def test_a_melody_with_symbols_that_the_model_does_not_know(seqforge, tunes_model):
    Path("melody.abc").write_text("X:1\nT:high\nM:4/4\nL:1/8\nK:Gb\nc''c''_b_b GABc|\n")

    refused = seqforge("music", "--prime", "melody.abc", "--model", tunes_model)
    skipped = seqforge("music", "--prime", "melody.abc", "--model", tunes_model,
                       "--formats", "abc", "--no-page", "--unknown", "skip")  # fmt: skip

    assert refused.exit_code == 1
    assert "is not a symbol of this model" in refused.stderr
    assert "'_' (U+005F) 2 times; leave them out with --unknown skip" in refused.stderr
    assert skipped.exit_code == 0
    assert "melody.abc: left out: " in skipped.stderr
    assert "\nccbb" in Path("music/melody.abc").read_text()


def test_python_says_what_becomes_of_unknown_symbols(rare_model):
    import seqforge
    from seqforge.errors import InputError

    model = seqforge.load(rare_model)
    with pytest.raises(InputError, match=r"'W' \(U\+0057\) at position 1"):
        model.sample(prime="What", length=3)
    (sample,) = model.sample(prime="What", length=3, unknown="skip")
    assert sample.symbols[: sample.prime_length] == "hat"
