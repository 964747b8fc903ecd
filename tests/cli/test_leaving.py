"""What is left of a command that was refused, stopped or had nothing to do."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import seqforge as python_door
from seqforge.cli.progress import SamplingProgress
from seqforge.cli.sample_output import SamplingJob, save, settings_of
from seqforge.core.data.domain import Sample
from seqforge.domains.genome.domain import GenomeDomain
from seqforge.runs.folder import find_model
from tests.cli.conftest import stopped_in_the_middle
from tests.patience import PATIENCE


def flies(count, draw=None):
    """Samples of the model that ships, drawn as the command draws them."""
    model = python_door.load("fly")
    how = {"length": 20}
    settings = settings_of(find_model("fly"), count, model.options(how), {})
    plain = lambda first, drawn: model.draw(count - first + 1, first=first, **how)  # noqa: E731
    return SamplingJob(model.domain, count, draw or plain, None, settings)


def test_a_refused_command_leaves_nothing_that_the_right_one_would_stumble_over(seqforge, tmp_path):
    path = tmp_path / "x.fa"
    refused = seqforge("sample", "fly", "--bars", 3, "--out", path)
    assert refused.exit_code == 1
    assert "has no bars to count" in refused.stderr
    assert os.listdir(tmp_path) == []

    assert seqforge("sample", "fly", "--length", 10, "--out", path).exit_code == 0
    assert os.listdir(tmp_path) == ["x.fa"]


def test_ctrl_c_before_the_first_sample_leaves_nothing(tmp_path, capsys):
    from typer import Exit

    def draw(first, drawn):
        drawn(7)
        raise KeyboardInterrupt

    with pytest.raises(Exit) as stopped:
        save(flies(3, draw), tmp_path / "x.fa", quiet=False, json_=False)

    assert stopped.value.exit_code == 130
    assert capsys.readouterr().err == "stopped before a sample was whole; nothing is kept\n"
    assert os.listdir(tmp_path) == []


def test_resume_leaves_a_finished_file_alone(tmp_path, capsys):
    path = tmp_path / "x.fa"
    path.write_text("finished")

    save(flies(2), path, quiet=False, json_=False, resume=True)
    assert path.read_text() == "finished"
    said = capsys.readouterr()
    assert said.out == ""
    assert f"{path}: is there and nothing of it is unfinished" in said.err
    save(flies(2), path, quiet=False, json_=True, resume=True)
    assert len(json.loads(capsys.readouterr().out)) == 2
    assert path.read_text() == "finished"

    save(flies(2), path, quiet=False, json_=False)
    assert path.read_text().count(">") == 2


def test_the_note_says_what_it_is_computed_on():
    path, options = find_model("fly"), python_door.load("fly").options({})

    found = [settings_of(path, 1, options, {}, device) for device in ("auto", "cpu", "cuda")]

    assert [settings["device"] for settings in found] == ["cpu", "cpu", "cuda"]
    assert found[0] == found[1] == settings_of(path, 1, options, {})


def test_symbols_count_before_a_sample_is_whole(capsys, monkeypatch):
    monkeypatch.setattr("seqforge.cli.progress.PLAIN_SECONDS", 0.0)
    with SamplingProgress(0, 4, quiet=False, length=100) as counting:
        counting.drew(100)
        counting.drew(100)
        counting.saw(Sample("A" * 100))
    with SamplingProgress(2, 4, quiet=False) as counting:
        counting.drew(50)
        counting.saw(Sample("A" * 50))
    lines = capsys.readouterr().err.splitlines()

    assert lines[1].startswith("  drawing | 0 of 4 samples, 200 symbols, ")
    assert re.search(r"k symbols/s, \d+:\d\d left$", lines[1]), "however slow the machine is"
    assert lines[2].startswith("  drawing | 1 of 4 samples, ")
    assert "symbols, " not in lines[2]
    assert lines[3].endswith("? left"), "of samples that end where they like nothing is known yet"
    assert lines[4].startswith("  drawing | 3 of 4 samples, ")


def test_whoever_draws_can_tell_how_far_it_is(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("seqforge.cli.progress.PLAIN_SECONDS", 0.0)

    def draw(first, drawn):
        drawn(7_000)
        yield Sample("ACGT", number=first)

    save(flies(1, draw), tmp_path / "x.fa", quiet=False, json_=False)
    assert "0 of 1 samples, 7,000 symbols, " in capsys.readouterr().err


@pytest.mark.parametrize("ending", ["txt", "abc", "MIDI", "old.mid"])
def test_a_tune_gets_its_endings_whatever_was_asked_for(seqforge, tunes_model, tmp_path, ending):
    result = seqforge("sample", tunes_model, "--max-length", 60, "--out", tmp_path / f"u.{ending}")

    stem = "u.old" if "old" in ending else "u"
    assert result.exit_code == 0, result.stderr
    assert sorted(os.listdir(tmp_path)) == [f"{stem}.abc", f"{stem}.mid"]
    assert (tmp_path / f"{stem}.mid").read_bytes().startswith(b"MThd")
    assert (tmp_path / f"{stem}.abc").read_text().startswith("X:")


def test_the_melody_command_wants_a_folder(seqforge, tunes_model, tmp_path):
    result = seqforge("music", "--model", tunes_model, "--out", tmp_path / "tune.mid")

    assert result.exit_code == 1
    assert "tune.mid: is the name of a file, and a folder is wanted" in " ".join(
        result.stderr.split()
    )
    assert os.listdir(tmp_path) == []


def test_melodies_are_written_as_they_come_and_gone_on_with(seqforge, tunes_model, tmp_path):
    options = ("music", "--model", tunes_model, "--bars", 2, "--out", tmp_path, "-n", 30,
               "--formats", "mid,abc", "--no-page")  # fmt: skip
    done, _, said, code = stopped_in_the_middle(tmp_path / "tune.mid", *options, by=signal.SIGINT)

    assert code == 130
    assert f"stopped after {done:,} of 30 samples; go on with: seqforge music" in said
    kept = {path: path.read_bytes() for path in tmp_path.glob("*.mid")}
    assert len(kept) in (done, done + 1)
    again = seqforge(*options)
    assert f"going on after {done:,} of 30 samples" in again.stderr
    names = [f"tune-{number:03}.{kind}" for number in range(1, 31) for kind in ("abc", "mid")]
    assert sorted(os.listdir(tmp_path)) == sorted(names)
    assert {path: path.read_bytes() for path in kept} == kept


def test_a_line_begins_after_what_ctrl_c_cut(terminal):
    talk = terminal("fly", "--length", 900_000_000)
    talk.until(r"([ACGT]{60}\n){3}")
    talk.type("\x03")

    assert re.search(r"\n(\x1b\[\d+m)?stopped$", talk.until("stopped"))
    assert talk.process.wait(PATIENCE) == 130


@pytest.mark.parametrize(
    ("encoding", "more"),
    [("latin-1", ()), ("latin-1", ("--json",)), ("latin-1", ("-i",)), ("ascii", ())],
)
def test_what_is_piped_is_utf_8_whatever_the_surroundings_say(toy, tmp_path, encoding, more):
    model = toy("text", "ab€défg")
    result = subprocess.run(
        [sys.executable, "-m", "seqforge", "sample", str(model), "--length", "60", *more],
        env={**os.environ, "PYTHONIOENCODING": encoding}, stdin=subprocess.DEVNULL if not more or
        "-i" not in more else None, input=b"\n" if "-i" in more else None,
        capture_output=True, timeout=PATIENCE, check=False,
    )  # fmt: skip

    assert result.returncode == 0, result.stderr
    text = result.stdout.decode("utf-8")
    assert "€" in (json.loads(text)[0]["symbols"] if "--json" in more else text)


def test_a_domain_with_a_file_a_sample_is_finished_when_all_are_there(tmp_path):
    from seqforge.core.output.writer import is_finished
    from seqforge.domains.music.domain import MusicDomain

    path, domain = tmp_path / "t.mid", MusicDomain(code="abc")
    for number in (1, 2):
        (tmp_path / f"t-00{number}.mid").write_bytes(b"")
    assert [is_finished(domain, path, count) for count in (1, 2, 3)] == [False, True, False]
    Path(f"{path}.partial.json").write_text("{}")
    assert not is_finished(domain, path, 2)
    assert not is_finished(GenomeDomain(), tmp_path / "x.fa", 1)
