"""The double of EBI's service: it misbehaves as it is told to, and not otherwise."""

from __future__ import annotations

import re
import time

import pytest
import requests

from tests.ebi_double import (
    EbiDouble,
    Lacks,
    Resets,
    Says,
    Slow,
    Style,
    Truncated,
    Written,
    bad_gateway,
    login_page,
    too_many_requests,
)
from tests.ebi_double.raw import finished, form, get, submit
from tests.patience import PATIENCE

JOB_ID = re.compile(r"(ncbiblast|fasta)-R\d{8}-\d{6}-\d{4}-\d{7,8}-p1m")


@pytest.mark.parametrize("status", [429, 400])
def test_the_31st_job_in_flight_is_refused_and_noted(division, clock, status):
    with EbiDouble(division.engine, clock=clock, run_seconds=60, crowded=status) as double:
        jobs = [submit(double, "ACGT" * 20) for _ in range(30)]
        reply = requests.post(
            f"{double.url}/ncbiblast/run", data=form("ACGT" * 20), timeout=PATIENCE
        )
        assert reply.status_code == status
        assert double.violations == ["job 31 in flight was submitted"]
        clock.advance(seconds=61)
        get(double, f"status/{jobs[0]}")
        assert submit(double, "ACGT" * 20)


def test_faults_strike_the_calls_they_name_in_their_order(division, clock):
    script = [
        Says("QUEUED", times=2),
        too_many_requests(times=1),
        bad_gateway(),
        Says("ERROR", job=2, times=1),
    ]
    with EbiDouble(division.engine, script, clock=clock) as double:
        first, second = (submit(double, "ACGT" * 20) for _ in range(2))
        replies = [get(double, f"status/{first}") for _ in range(5)]
        assert [reply.status_code for reply in replies] == [200, 200, 429, 502, 200]
        assert [replies[i].text for i in (0, 1, 4)] == ["QUEUED", "QUEUED", "FINISHED"]
        assert replies[2].headers["Retry-After"] == "7"
        assert "<h1>502 Bad Gateway</h1>" in replies[3].text
        others = [get(double, f"status/{second}").text for _ in range(6)]
        assert [others[i] for i in (0, 1, 4, 5)] == ["QUEUED", "QUEUED", "ERROR", "FINISHED"]
        assert [fault.struck for fault in script] == [4, 2, 2, 1]


@pytest.mark.parametrize("handled", [False, True])
def test_a_reset_submission_is_seen_or_not_as_scripted(division, clock, handled):
    with EbiDouble(division.engine, [Resets(on="run", handled=handled)], clock=clock) as double:
        with pytest.raises(requests.ConnectionError, match="reset"):
            submit(double, "ACGT" * 20)
        assert len(double.submissions) == handled
        assert JOB_ID.fullmatch(submit(double, "ACGT" * 20))


def test_a_login_page_comes_in_place_of_an_id(division, clock):
    with EbiDouble(division.engine, [login_page()], clock=clock) as double:
        assert submit(double, "ACGT" * 20).startswith("<!DOCTYPE html>")
        assert double.submissions == []


def test_bodies_can_be_slow_truncated_or_cut_off(division, clock):
    script = [
        Slow(on="result", pieces=5, pause=0.02),
        Truncated(on="result", announced=False, after=1),
        Truncated(on="result", after=2),
    ]
    with EbiDouble(division.engine, script, clock=clock) as double:
        job = finished(double, division.queries["exact"])
        before = time.monotonic()
        whole = get(double, f"result/{job}/json")
        assert time.monotonic() - before >= 0.1
        assert whole.json()["hits"]
        short = get(double, f"result/{job}/json").content
        assert whole.content.startswith(short)
        assert len(short) == len(whole.content) // 2
        with pytest.raises(requests.exceptions.ChunkedEncodingError, match="IncompleteRead"):
            get(double, f"result/{job}/json")


def test_result_types_can_be_missing_and_written_the_old_way(division, clock):
    script = [Lacks(kinds=("json", "xml"), job=1, times=None)]
    script.append(Written(style=Style(old_dates=True, organisms=True, dbfetch=False)))
    with EbiDouble(division.engine, script, clock=clock) as double:
        job = finished(double, division.queries["exact"])
        assert b"json" not in get(double, f"resulttypes/{job}").content
        assert get(double, f"result/{job}/json").status_code == 400
        other = finished(double, division.queries["exact"])
        told = get(double, f"result/{other}/json").json()

    assert told["start"] == "21/11/2026 09:00:00 GMT"
    assert re.fullmatch(r"\d:\d\d:\d\d", told["search"])
    assert told["hits"][0]["hit_os"] == "Drosophila melanogaster"
    assert "hit_dbfetch_url" not in told["hits"][0]


def test_a_stopped_double_refuses_and_comes_back_with_its_jobs(double, division):
    job, address = finished(double, division.queries["exact"]), double.url

    double.stop()
    with pytest.raises(requests.ConnectionError, match="refused"):
        get(double, f"status/{job}")
    double.start()
    assert double.url == address
    assert get(double, f"status/{job}").text == "FINISHED"
