"""The client against a service with limits and moods: room, politeness, what it takes and offers.

In every test the numbers must be right in the end, and nothing may be submitted twice.
"""

from __future__ import annotations

from itertools import pairwise

import pytest

from seqforge.errors import ConfigError, RunError, Unfinished
from tests.ebi_double import Says, bad_gateway
from tests.ebi_double.asking import asking
from tests.ebi_double.clock import START
from tests.ebi_double.faults import Fault


def test_polls_become_rarer_with_a_jobs_age(division, tmp_path):
    with asking(division, tmp_path, run_seconds=600) as asked:
        asked.assert_all_right(asked.search("exact"), "exact")
        times = [exchange.time - START for exchange in asked.double.calls("status")]
        waits = [(a, b - a) for a, b in pairwise(times)]
        assert all(wait == 3 for age, wait in waits if age < 30)
        assert all(wait == 5 for age, wait in waits if 30 <= age < 120)
        assert all(10 <= wait <= 30 for age, wait in waits if age >= 120)


def many(count):
    """Queries that differ, each cut from the library's letters."""
    letters = "ACGGTCATTGCAAGCTTACGATCG" * 4
    return {f"q{i}": letters[i % 24 :] + "ACGT"[i // 24] * 12 for i in range(count)}


def test_forty_queries_never_are_more_than_thirty_jobs(division, tmp_path):
    with asking(division, tmp_path, run_seconds=45, crowded=400) as asked:
        results = asked.search(**many(36))

        assert len(results) == 36
        assert asked.double.violations == []
        assert len(asked.double.submissions) == 36


def test_two_commands_in_one_folder_never_are_more_than_thirty_jobs(division, tmp_path):
    queries = many(36)
    first = dict(list(queries.items())[:25])
    with asking(division, tmp_path, run_seconds=150) as asked:
        with pytest.raises(Unfinished, match="25 running"):
            asked.search(deadline=60, **first)
        rest = {name: bases for name, bases in queries.items() if name not in first}
        asked.search(**rest, deadline=3600)
        asked.search(**queries, deadline=3600)
        assert asked.double.violations == []
        assert len(asked.double.submissions) == 36


def test_a_service_with_less_room_is_not_stormed(division, tmp_path):
    """Somebody else runs 20 jobs: the 11th of ours gets a 429 until there is room."""
    with asking(division, tmp_path, run_seconds=100, limit=10) as asked:
        results = asked.search(**many(30), deadline=3600)

        assert len(results) == 30
        assert len(asked.double.accepted) == 30
        refused = len(asked.double.submissions) - 30
        print("REFUSED", refused)
        assert refused <= 30


def test_a_400_for_the_31st_job_ends_submitting_and_loses_nothing(division, tmp_path):
    with asking(division, tmp_path, run_seconds=100, limit=10, crowded=400) as asked:
        results = asked.search(**many(12))
        assert len(results) == 10
        assert "At most 10 jobs" in asked.words()
        assert len(asked.search(**many(12))) == 12
        assert len(asked.double.accepted) == 12


def test_the_same_letters_are_one_job(division, tmp_path):
    with asking(division, tmp_path) as asked:
        results = asked.search("exact", again=division.queries["exact"].lower())

        assert [result.query_id for result in results] == ["exact", "again"]
        assert results[0].hits == results[1].hits
        assert len(asked.double.submissions) == 1


def test_the_database_list_changes_between_two_commands(division, tmp_path):
    with asking(division, tmp_path) as asked:
        asked.search("exact")
        asked.double.service.offer.change_databases(remove=["em_std_inv"])
        with pytest.raises(RunError, match=r'Currently "em_std_inv"'):
            asked.search("minus")
        assert asked.double.accepted == asked.double.submissions[:1]
        asked.clock.advance(days=1.1)
        with pytest.raises(ConfigError, match="no database em_std_inv; the nearest"):
            asked.search("minus")
        assert len(asked.double.submissions) == 2


def test_what_the_service_offers_is_asked_once_a_day(division, tmp_path):
    with asking(division, tmp_path) as asked:
        asked.search("exact")
        count = len(asked.double.calls("parameterdetails"))
        asked.search("minus")
        assert len(asked.double.calls("parameterdetails")) == count
        asked.clock.advance(days=1.1)
        asked.double.script.append(bad_gateway("parameterdetails", times=None))
        asked.assert_all_right(asked.search("mutated"), "mutated", submissions=3)
        assert "are those of 2026-11-21" in asked.words()


def test_an_address_the_service_refuses_stops_all_and_loses_nothing(division, tmp_path):
    with asking(division, tmp_path) as asked:
        asked.email = "a@x.info"
        with pytest.raises(RunError, match="Please enter a valid email address"):
            asked.search("exact", "minus")
        assert len(asked.double.submissions) == 1
        asked.email = "a@ebi.ac.uk"
        results = asked.search("exact", "minus")

        asked.assert_all_right(results, "exact", "minus", submissions=3)


def test_a_query_the_service_refuses_leaves_the_others_alone(division, tmp_path):
    with asking(division, tmp_path) as asked:
        queries = {"big": "ACGT" * 250_000, "exact": division.queries["exact"]}
        results = asked.search(**queries)

        asked.assert_all_right(results, "exact", submissions=2)
        assert "Input is too big, limit is 1MB" in asked.unanswered["big"]
        assert len(asked.double.accepted) == 1


DAY = 86_400.0


class SetsTheClock(Fault):
    """Somebody sets the computer's clock while the service answers."""

    def __init__(self, clock, days, **where):
        super().__init__(**where)
        self.clock, self.days = clock, days

    def act(self, exchange, proceed):
        self.clock.wrong_by += self.days * DAY
        return proceed()


@pytest.mark.parametrize("days", [-400, 400])
@pytest.mark.parametrize(("call", "after"), [("run", 0), ("status", 0), ("status", 4)])
def test_a_clock_that_is_set_meanwhile_ends_no_wait(division, tmp_path, call, after, days):
    with asking(division, tmp_path, run_seconds=60) as asked:
        asked.double.script.append(SetsTheClock(asked.clock, days, on=call, after=after))
        asked.assert_all_right(asked.search("exact", deadline=300), "exact")
        assert asked.clock() - START < 120


@pytest.mark.parametrize("days", [-400, 400])
def test_the_deadline_comes_whatever_the_clock_is_set_to(division, tmp_path, days):
    with asking(division, tmp_path, run_seconds=6000) as asked:
        asked.double.script.append(SetsTheClock(asked.clock, days, on="status", after=1))
        with pytest.raises(Unfinished, match="1 running"):
            asked.search("exact", deadline=300)
        assert 240 < asked.clock() - START <= 300


def test_a_job_that_only_the_clock_calls_old_is_asked_for(division, tmp_path):
    with asking(division, tmp_path, run_seconds=100) as asked:
        with pytest.raises(Unfinished):
            asked.search("exact", deadline=30)
        asked.clock.wrong_by = 30 * DAY
        asked.assert_all_right(asked.search("exact"), "exact")


def test_a_job_that_is_lost_is_given_up_though_the_clock_was_set_back(division, tmp_path):
    with asking(division, tmp_path, run_seconds=100) as asked:
        with pytest.raises(Unfinished):
            asked.search("exact", deadline=30)
        asked.clock.wrong_by = -30 * DAY
        asked.double.script.append(Says("NOT_FOUND", times=None))
        with pytest.raises(RunError, match="does not know the job"):
            asked.search("exact")


def test_jobs_of_two_tools_never_are_more_than_thirty(division, tmp_path):
    """What one tool runs is fetched by the other's command, which must wait for its room."""
    queries = many(40)
    first = dict(list(queries.items())[:30])
    rest = {name: bases for name, bases in queries.items() if name not in first}
    with asking(division, tmp_path, run_seconds=150, crowded=400) as asked:
        with pytest.raises(Unfinished, match="30 running"):
            asked.search(deadline=100, **first)
        results = asked.search(tool="fasta", deadline=3600, **rest)
        assert [result.query_id for result in results] == list(rest)
        assert asked.double.violations == []
        count = len(asked.double.exchanges)
        again = asked.search(deadline=3600, **first)
        assert all(result.parameters["service"].endswith("/ncbiblast") for result in again)
        assert len(again) == 30
        assert len(asked.double.submissions) == 40
        submitted_later = [each for each in asked.double.exchanges[count:] if each.call == "run"]
        assert submitted_later == []
