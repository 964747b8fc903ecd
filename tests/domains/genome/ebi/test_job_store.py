"""The store of jobs: what is committed stays, and no state is reached by a wrong way."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from seqforge.domains.genome.ebi.job_store import JobStore
from seqforge.errors import RunError

FORM = {"program": "blastn", "database": ["em_std_inv"], "sequence": ">query\nACGT"}
SERVICE = "www.ebi.ac.uk/Tools/services/rest/ncbiblast"
JOB = "ncbiblast-R20261121-090000-0001-12345678-p1m"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "similarity" / "jobs.sqlite"


def open_store(path: Path, now: float = 1000.0) -> JobStore:
    return JobStore(path, lambda: now)


def plan(store: JobStore, key: str = "k1", query: str = "one"):
    return store.plan(key, SERVICE, query, FORM)


def test_a_search_through_all_its_states(path):
    with open_store(path) as store:
        assert plan(store).state == "planned"
        store.move("k1", "submitting")
        running = store.move("k1", "running", job_id=JOB)
        assert (running.job_id, running.submitted) == (JOB, 1000.0)
        store.move("k1", "finished", result={"results": []})

    with open_store(path) as store:
        (job,) = store.jobs()
        assert (job.state, job.form, job.result) == ("finished", FORM, {"results": []})
        assert [state for state, _, _ in store.history("k1")] == [
            "planned", "submitting", "running", "finished",
        ]  # fmt: skip


def test_the_same_search_is_planned_once(path):
    with open_store(path) as store:
        plan(store)
        store.move("k1", "submitting")
        store.move("k1", "running", job_id=JOB)

        assert plan(store, query="another name").state == "running"
        assert len(store.jobs()) == 1


@pytest.mark.parametrize(
    ("way", "wrong"),
    [
        ((), "running"),
        ((), "finished"),
        (("submitting",), "finished"),
        (("submitting", "running"), "planned"),
        (("submitting", "running"), "submitting"),
        (("submitting", "running", "finished"), "planned"),
        (("submitting", "unknown"), "submitting"),
    ],
)
def test_no_state_is_skipped_and_none_is_gone_back_to(path, way, wrong):
    with open_store(path) as store:
        plan(store)
        for state in way:
            store.move("k1", state, job_id=JOB if state == "running" else None)
        before = store.job("k1"), store.history("k1")

        with pytest.raises(ValueError, match=f"does not become {wrong}"):
            store.move("k1", wrong)
        assert (store.job("k1"), store.history("k1")) == before


def test_a_search_that_was_being_submitted_has_an_unknown_fate(path):
    with open_store(path) as store:
        plan(store, "k1", "one")
        plan(store, "k2", "two")
        store.move("k1", "submitting")

    with open_store(path) as store:
        assert [job.state for job in store.jobs()] == ["unknown", "planned"]
        assert "--resubmit one" in store.job("k1").note


def test_one_that_is_submitted_once_more_keeps_its_history(path):
    with open_store(path) as store:
        plan(store)
        store.move("k1", "submitting")
        store.move("k1", "running", job_id=JOB)
        store.move("k1", "failed", note="no luck")
        again = store.move("k1", "planned")

        assert (again.job_id, again.submitted, again.note) == (None, None, "")
        assert ("failed", JOB, "no luck") in store.history("k1")


def test_two_processes_do_not_share_a_store(path):
    with open_store(path), pytest.raises(RunError, match="another seqforge is searching with it"):
        open_store(path)
    open_store(path).close()


def test_raw_replies_are_kept_whole_and_found_again(path):
    with open_store(path) as store:
        assert store.raw(JOB, "json") is None
        kept = store.keep_raw(JOB, "json", b"{}")

        assert kept == path.parent / "raw" / f"{JOB}.json"
        assert store.raw(JOB, "json") == b"{}"
        assert [each.name for each in kept.parent.iterdir()] == [kept.name]


def test_a_file_that_is_no_store_is_refused_in_a_sentence(path):
    path.parent.mkdir()
    path.write_bytes(b"this is no database, it is a note to myself " * 40)

    with pytest.raises(RunError, match="cannot be used as a store of searches"):
        open_store(path)
    assert path.read_bytes().startswith(b"this is no database")


@pytest.mark.parametrize("laid", ["link", "database"])
def test_a_database_of_another_program_is_left_as_it_is(path, laid):
    path.parent.mkdir()
    theirs = path.with_name("theirs") if laid == "link" else path
    with sqlite3.connect(theirs) as database:
        database.execute("CREATE TABLE notes (text TEXT)")
    database.close()
    if laid == "link":
        path.symlink_to("theirs")
    before = theirs.read_bytes()

    with pytest.raises(RunError, match=r"jobs\.sqlite: is (a database of another|not a file that)"):
        open_store(path)

    assert theirs.read_bytes() == before
    assert {each.name for each in path.parent.iterdir()} == {path.name, theirs.name}


def test_a_store_of_a_newer_format_is_left_alone(path):
    open_store(path).close()
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA user_version = 99")
    database.close()

    with pytest.raises(RunError, match="newer seqforge"):
        open_store(path)


def test_an_unknown_search_is_a_callers_mistake(path):
    with open_store(path) as store, pytest.raises(KeyError):
        store.job("nobody")


def test_what_was_committed_survives_a_kill(path):
    """A process that is killed right after each commit leaves exactly what it had committed."""
    code = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from seqforge.domains.genome.ebi.job_store import JobStore\n"
        "store = JobStore(Path(sys.argv[1]), lambda: 5.0)\n"
        "store.plan('k', 'service', 'one', {'sequence': 'ACGT'})\n"
        "steps = [('submitting', {}), ('running', {'job_id': 'id-1'})]\n"
        "steps += [('finished', {'result': {}})]\n"
        "for state, more in steps[: int(sys.argv[2])]:\n"
        "    store.move('k', state, **more)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    for steps, state in enumerate(["planned", "unknown", "running", "finished"]):
        here = path.with_name(f"jobs{steps}.sqlite")
        command = [sys.executable, "-c", code, str(here), str(steps)]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        ended = subprocess.run(command, env=environment, check=False)
        assert ended.returncode == -signal.SIGKILL

        with open_store(here) as store:
            (job,) = store.jobs()
            assert (job.state, job.job_id) == (state, "id-1" if steps > 1 else None)


def test_an_id_that_was_kept_beside_the_store_is_adopted_once(path):
    with open_store(path) as store:
        plan(store, "k1", "one")
        plan(store, "k2", "two")
        store.move("k1", "submitting")
        store.move("k2", "submitting")
        assert store.keep_id("k1", JOB)

    with open_store(path, now=2000.0) as store:
        assert [(job.state, job.job_id) for job in store.jobs()] == [
            ("running", JOB), ("unknown", None),
        ]  # fmt: skip
        assert store.job("k1").submitted == 2000.0
        assert list((path.parent / "raw").iterdir()) == []


def test_an_id_of_an_earlier_submission_is_not_taken_for_that_of_a_later(path):
    with open_store(path) as store:
        plan(store)
        store.move("k1", "submitting")
        store.keep_id("k1", JOB)
        store.move("k1", "running", job_id=JOB)  # it could be written after all
    with open_store(path) as store:
        store.move("k1", "failed")
        store.move("k1", "planned")
        store.move("k1", "submitting")

    with open_store(path) as store:
        assert store.job("k1").state == "unknown"


def test_a_store_that_is_locked_full_or_damaged_says_which(path):
    with open_store(path) as store:
        plan(store)
        (wait,) = store._db.execute("PRAGMA busy_timeout").fetchone()
        assert wait == 30_000
        store._db.execute("PRAGMA busy_timeout = 10")
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(RunError, match=r"is locked by another program.*run again to go on"):
            store.move("k1", "submitting")
        other.execute("ROLLBACK")
        other.close()

        (pages,) = store._db.execute("PRAGMA page_count").fetchone()
        store._db.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(RunError, match=r"the disk is full.*run again to go on"):
            store.plan("big", SERVICE, "big", {"sequence": "A" * 1_000_000})
        store._db.execute("PRAGMA max_page_count = 100000")
        assert [job.key for job in store.jobs()] == ["k1"]
        assert store.move("k1", "submitting").state == "submitting"


@pytest.mark.parametrize("number", [*range(20), 27, 446])
def test_a_store_with_damaged_bytes_works_or_says_so(path, number):
    """Whatever a disk makes of it: no traceback, only a sentence."""
    rng = random.Random(number)
    with open_store(path) as store:
        for key in range(60):
            plan(store, f"k{key}")
            store.move(f"k{key}", "submitting")
            store.move(f"k{key}", "running", job_id=JOB)
    body = bytearray(path.read_bytes())
    for _ in range(rng.choice([1, 5, 50])):
        body[rng.randrange(len(body))] = rng.randrange(256)
    path.write_bytes(body)
    with suppress(RunError), open_store(path) as store:
        store.states()
        store.history("k3")
        for job in store.jobs("running")[:5]:
            assert store.move(job.key, "failed").state == "failed"


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("form", "{"), ("form", "[]"), ("form", '{"sequence": 5}'), ("form", b"\xff"),
        ("state", "asleep"), ("job_id", b"x"), ("submitted", "soon"), ("note", b"x"),
        ("form", "[" * 100_000), ("job_id", None), ("query", b"x"),
    ],
)  # fmt: skip
def test_a_damaged_row_is_told_in_a_sentence(path, column, value):
    with open_store(path) as store:
        plan(store)
        store.move("k1", "submitting")
        store.move("k1", "running", job_id=JOB)
        store._db.execute(f"UPDATE jobs SET {column} = ?", (value,))
        with pytest.raises(RunError, match=r"the search k1 is damaged: it.*move it away"):
            store.jobs()


def test_text_that_is_no_utf8_is_told_in_a_sentence(path):
    with open_store(path) as store:
        plan(store)
        store._db.execute("UPDATE jobs SET note = CAST(x'ff' AS TEXT)")
        with pytest.raises(RunError, match=r"it is damaged.*move it away"):
            store.jobs()
