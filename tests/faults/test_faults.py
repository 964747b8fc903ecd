"""Killed at system calls and without power, every command goes on and ends as if nothing was.

The long test takes some twenty minutes; ``python -m tests.faults.harness 200 20 20`` is the same
and says how far it is.
"""

import os

import pytest

from seqforge.core.data.domain import Sample
from seqforge.core.output.writer import writer_for
from seqforge.domains.text.domain import TextDomain
from seqforge.runs.pipeline import run
from seqforge.runs.progress import NullProgress
from seqforge.runs.request import RunRequest
from tests.faults.harness import Moment, Tally, moments_of, play
from tests.faults.power import MODES, Disk, after_power_cut
from tests.faults.scenes import fingerprint, scenes
from tests.small_runs import material


def plain(folder):
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_disk_holds_what_was_synced_and_no_more(tmp_path, monkeypatch):
    root, disk = tmp_path / "root", Disk(tmp_path / "shadow")
    root.mkdir()
    (root / "old").write_bytes(b"old")
    disk.begin(root)
    monkeypatch.setattr(os, "fsync", os.fsync)
    disk.watch()
    with (root / "both").open("wb") as stream:
        stream.write(b"synced")
        stream.flush()
        os.fsync(stream.fileno())
        stream.write(b" and more")
    (root / "both").rename(root / "renamed")
    folder = os.open(root, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)
    (root / "later").write_bytes(b"later")
    (root / "old").unlink()

    found = {}
    for mode in MODES:
        after_power_cut(root, disk, tmp_path / mode, mode)
        found[mode] = plain(tmp_path / mode)

    assert found["names lost"] == {"old": b"old", "renamed": b"synced"}
    assert found["names kept"] == {"renamed": b"synced", "later": b""}
    assert found["zeros"] == {"renamed": b"synced", "later": bytes(5)}
    assert found["mixed"]["renamed"] == b"synced"


def test_moments_are_calls_that_change_something_of_the_scene(tmp_path):
    seen = f"""
7 write(1</elsewhere>, "", 9) = 9
7 write(4<{tmp_path}/out/a>, "", 9) = 9
8 write(5<{tmp_path}/out/b>, "", 9 <unfinished ...>
7 rename("out/a", "out/c") = 0
8 <... write resumed>) = 9
8 write(5<{tmp_path}/out/b>, "", 9) = 9
8 write(5<{tmp_path}/out/d>, "", 9) = 9
7 +++ exited with 0 +++
"""
    assert moments_of(seen, tmp_path) == [
        Moment("write", 2, f"{tmp_path}/out/a"),
        Moment("rename", 1, "out/c"),
        Moment("write", 3, f"{tmp_path}/out/d"),
    ]


@pytest.mark.parametrize("mode", ["names lost", "zeros"])
def test_after_a_finished_run_everything_is_on_the_disk(tmp_path, monkeypatch, mode):
    small = {
        "training.budget": "4steps", "model.hidden_size": 8, "training.batch_size": 4,
        "training.seq_len": 8, "training.precision": "fp32", "training.lanes": 1,
        "training.num_evaluations": 2, "sampling.length": 70, "sampling.count": 1,
        "search.backend": "local", "search.controls": 1,
    }  # fmt: skip
    root, disk = tmp_path / "root", Disk(tmp_path / "shadow")
    root.mkdir()
    order = RunRequest("genome", (str(material("genome", root)),), small, root / "runs" / "x")
    disk.begin(root)
    monkeypatch.setattr(os, "fsync", os.fsync)
    disk.watch()

    run(order, NullProgress())

    wanted = fingerprint(root)
    assert {"runs/x/similarity/training.fa.gz", "runs/x/metrics.jsonl"} <= set(wanted)
    before = root.rename(tmp_path / "before")
    after_power_cut(before, disk, root, mode)
    assert {**fingerprint(root), "runs/x/.seqforge.lock": ""} == {
        **wanted, "runs/x/.seqforge.lock": ""
    }  # fmt: skip
    (events,) = (root / "runs" / "x" / "tensorboard").iterdir()
    assert events.read_bytes() == (before / events.relative_to(root)).read_bytes()


def test_after_the_last_sample_everything_is_on_the_disk(tmp_path, monkeypatch):
    root, disk = tmp_path / "root", Disk(tmp_path / "shadow")
    root.mkdir()
    disk.begin(root)
    monkeypatch.setattr(os, "fsync", os.fsync)
    disk.watch()
    with writer_for(TextDomain(), root / "x.txt", 2, {"seed": 1}) as output:
        for number in (1, 2):
            output.add(Sample("words", number=number))
        output.finish()

    after_power_cut(root, disk, tmp_path / "after", "names lost")

    left = {name for name in plain(tmp_path / "after") if not name.endswith(".lock")}
    assert left == {"x.txt", "x.txt.tsv"}
    assert plain(tmp_path / "after").items() >= plain(root).items()


@pytest.mark.slow
def test_two_hundred_kills_and_twenty_power_cuts(tmp_path, require_program, new_cache):
    require_program("strace")
    words = {scene.words[0] for scene in scenes()}
    assert words == {"run", "train", "sample", "blast", "music"}

    tally: Tally = play(tmp_path, new_cache(), kills=200, cuts=20, fills=20)

    assert tally.kills >= 200, str(tally)
    assert not tally.faults, str(tally)
