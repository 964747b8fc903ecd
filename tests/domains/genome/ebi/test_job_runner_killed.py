"""The client is killed with SIGKILL and started again until it is done.

Whatever the moment: no result is lost, nothing is submitted twice, and a submission whose fate
nobody can know is said to be one.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count, pairwise
from pathlib import Path

import pytest

from seqforge.domains.genome.similarity.hits import from_json
from tests.ebi_double import EbiDouble, Fault, client_process
from tests.ebi_double.asking import Asking
from tests.ebi_double.clock import START, Clock
from tests.ebi_double.wire import Cut, Exchange, Reply
from tests.forking import Command
from tests.patience import PATIENCE

if sys.platform == "win32":
    pytest.skip("there is no SIGKILL here", allow_module_level=True)

SPEED = 60.0  # the client's minute is a second
NAMES = ("exact", "mutated", "minus", "several", "none")


@dataclass
class Runs:
    """The client's processes, one after the other, on one folder and one double."""

    double: EbiDouble
    folder: Path
    queries: dict[str, str]
    zero: float
    process: Command | None = None
    deaths: list[dict[str, str]] = field(default_factory=list)
    """The store's states at each death."""
    moments: list[str] = field(default_factory=list)

    def start(self) -> None:
        """A new process, its imports done."""
        self.end()
        self.process = Command(
            self.double.url, self.folder, SPEED, self.zero,
            script=Path(client_process.__file__), stdin=json.dumps(self.queries),
        )  # fmt: skip
        assert self.process.stdout.readline() == "ready\n"

    def end(self) -> None:
        """No process is left."""
        if self.process is not None:
            self.process.end()

    def kill(self, number: int = signal.SIGKILL) -> None:
        """A signal to the process of the moment, and its death where it is SIGKILL."""
        if self.process is not None:
            with suppress(ProcessLookupError):
                os.kill(self.process.pid, number)
            assert self.process.gone(PATIENCE)

    def finish(self) -> bool:
        """Wait for the end; whether it came by itself, without an error."""
        process = self.process
        assert process is not None
        _, words = process.communicate(PATIENCE)
        code = process.returncode
        assert code in {0, -signal.SIGKILL, client_process.STOPPED}, words
        if code:
            self.deaths.append(self.states())
        return code == 0

    def states(self) -> dict[str, str]:
        """Query -> state, read beside the store, which would judge what it finds."""
        path = self.folder / "jobs.sqlite"
        if not path.exists():
            return {}
        database = sqlite3.connect(path)
        try:
            return dict(database.execute("SELECT query, state FROM jobs"))
        except sqlite3.OperationalError:  # killed before there was a table
            return {}
        finally:
            database.close()


@contextmanager
def running(division, folder):
    """A double whose clock runs as fast as the client's."""
    zero = time.time()
    queries = {name: division.queries[name] for name in NAMES}
    double = EbiDouble(
        division.engine, clock=lambda: START + (time.time() - zero) * SPEED, run_seconds=9
    )
    with double:
        made = Runs(double, folder, queries, zero)
        yield made
        made.end()


@pytest.fixture
def runs(division, tmp_path):
    with running(division, tmp_path) as made:
        yield made


@dataclass(kw_only=True)
class Kills(Fault):
    """The client gets a signal at one of its own calls."""

    runs: Runs
    delay: float | None = None
    """Seconds after the answer was made; None is before the service has the call."""
    handled: bool = False
    """Whether the service had the call, and the client is dead before the answer is sent."""
    signal: int = signal.SIGKILL

    def act(self, exchange: Exchange, proceed: Callable[[], Reply]) -> Reply:
        if self.handled:
            proceed()
        if self.delay is None:
            self.runs.kill(self.signal)
            raise Cut
        reply = proceed()
        threading.Timer(self.delay, self.runs.kill, [self.signal]).start()
        return reply


def assert_nothing_lost_nothing_twice(runs, division):
    outcome = json.loads((runs.folder / "outcome.json").read_text())
    results, states = from_json(outcome), runs.states()
    asking = Asking(runs.double, division, runs.folder, Clock())
    asking.assert_right(results)
    answered = {result.query_id for result in results}
    assert answered | set(outcome["unanswered"]) == set(NAMES)
    sent = Counter(each["sequence"] for each in runs.double.submissions)
    assert set(sent.values()) <= {1}, "something was submitted twice"
    for name in set(NAMES) - answered:
        assert states[name] == "unknown"
        assert f"--resubmit {name}" in outcome["unanswered"][name]
        assert any(f"--resubmit {name}" in sentence for sentence in outcome["said"])
    # A death costs at most the one submission that was under way.
    assert len(NAMES) - len(answered) <= len(runs.deaths)
    for name in answered:
        assert sent[">query\n" + _in_lines(runs.queries[name])] == 1
    for earlier, later in pairwise([*runs.deaths, states]):
        for name, state in earlier.items():
            if state in {"finished", "unknown"}:
                assert later[name] == state
            if state == "running":
                assert later[name] in {"running", "finished"}
    return Counter(states.values())


def _in_lines(bases):
    return "\n".join(bases[at : at + 60] for at in range(0, len(bases), 60))


def test_undisturbed_the_process_finds_everything(runs, division):
    runs.start()

    assert runs.finish()
    assert assert_nothing_lost_nothing_twice(runs, division) == {"finished": len(NAMES)}


@pytest.mark.parametrize(
    ("call", "after", "unknown"),
    [
        ("parameterdetails", 2, 0),
        ("run", 0, 1),  # the service never had it, but who could know
        ("run", 3, 1),
        ("status", 3, 0),
        ("resulttypes", 1, 0),
        ("result", 3, 0),
    ],
)
def test_killed_at_a_call_that_the_service_never_has(runs, division, call, after, unknown):
    runs.double.script.append(Kills(on=call, after=after, together=True, runs=runs))
    runs.start()
    assert not runs.finish()
    runs.start()

    assert runs.finish()
    states = assert_nothing_lost_nothing_twice(runs, division)
    assert states["unknown"] == unknown
    assert len(runs.double.submissions) == len(NAMES) - unknown


def test_killed_with_the_answer_to_a_submission_on_its_way(runs, division):
    runs.double.script.append(Kills(on="run", after=2, together=True, runs=runs, handled=True))
    runs.start()
    assert not runs.finish()
    runs.start()

    assert runs.finish()
    states = assert_nothing_lost_nothing_twice(runs, division)
    assert states == {"finished": 4, "unknown": 1}
    assert len(runs.double.accepted) == len(NAMES)


def test_stopped_by_ctrl_c_while_a_submission_is_under_way(runs, division):
    """The service has the job and the client no id: it must not be sent again."""
    stop = Kills(on="run", together=True, runs=runs, handled=True, signal=signal.SIGINT)
    runs.double.script.append(stop)
    runs.start()
    assert not runs.finish()
    assert runs.deaths[0]["exact"] == "unknown"
    runs.start()

    assert runs.finish()
    assert assert_nothing_lost_nothing_twice(runs, division) == {"finished": 4, "unknown": 1}


def killed_again_and_again(runs, rng, deaths):
    """Kill at random moments: of the clock, and within milliseconds of a random call."""
    while len(runs.deaths) < deaths:
        timer = None
        if rng.random() < 0.5:
            how = rng.uniform(0.0, 0.4)
            runs.start()
            timer = threading.Timer(how, runs.kill)
            timer.start()
            runs.moments.append(f"{1000 * how:.0f} ms after the start")
        else:
            call = rng.choice(["run", "run", "run", "status", "resulttypes", "result"])
            after, how = rng.randrange(5), rng.uniform(0.0, 0.012)
            kill = Kills(on=call, after=after, together=True, runs=runs, delay=how)
            runs.double.script[:] = [kill]
            runs.start()
            runs.moments.append(f"{1000 * how:.1f} ms after {call} {after + 1}")
        done = runs.finish()
        if timer is not None:
            timer.cancel()
        runs.double.script.clear()
        if done:
            runs.moments.pop()
            return
    runs.start()
    assert runs.finish()


@pytest.mark.parametrize("seed", range(3))
def test_killed_at_random_moments(runs, division, seed):
    killed_again_and_again(runs, random.Random(seed), deaths=3)

    assert_nothing_lost_nothing_twice(runs, division)


@pytest.mark.slow
def test_killed_at_fifty_random_moments(division, tmp_path):
    """Says for every death when it was and how the store stood."""
    rng, deaths, ends = random.Random(50), 0, Counter()
    for number in count():
        if deaths == 50:
            break
        folder = tmp_path / f"{number}"
        folder.mkdir()
        with running(division, folder) as runs:
            killed_again_and_again(runs, rng, deaths=min(4, 50 - deaths))
            ends += assert_nothing_lost_nothing_twice(runs, division)
            seen = len(runs.double.submissions)
        for moment, states in zip(runs.moments, runs.deaths, strict=True):
            deaths += 1
            told = ", ".join(f"{n} {state}" for state, n in Counter(states.values()).items())
            print(f"{deaths:3d}  killed {moment}: {told or 'nothing written yet'}")
        print(f"     in the end {dict(ends)} in all; the double saw {seen} submissions here")
