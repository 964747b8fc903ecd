"""The client against a service that misbehaves: submitting, waiting, and going on later.

In every test the numbers must be right in the end, and nothing may be submitted twice.
"""

from __future__ import annotations

from email.utils import formatdate

import pytest

from seqforge.domains.genome.ebi.errors import Transient
from seqforge.domains.genome.ebi.job_runner import _backoff
from seqforge.errors import ConfigError, RunError, Unfinished
from tests.ebi_double import (
    Answers,
    Resets,
    Says,
    Slow,
    Stops,
    bad_gateway,
    login_page,
    too_many_requests,
)
from tests.ebi_double.asking import MINUTES, asking
from tests.ebi_double.clock import START
from tests.patience import PATIENCE

FOREIGN = "iprscan5-R20190701-140920-0894-43925861-p1m"


def test_nothing_goes_wrong(division, tmp_path):
    with asking(division, tmp_path) as asked:
        results = asked.search("exact", "mutated", "minus")

        asked.assert_all_right(results, "exact", "mutated", "minus")
        agents = {exchange.headers["user-agent"] for exchange in asked.double.exchanges}
        assert len(agents) == 1
        assert agents.pop().startswith("seqforge/")


@pytest.mark.parametrize("word", ["QUEUED", "RUNNING", "PENDING", "FROBNICATING", "ERROR"])
def test_waiting_words_known_or_not_are_waited_out(division, tmp_path, word):
    with asking(division, tmp_path, Says(word, times=3)) as asked:
        results = asked.search("exact", "minus")

        asked.assert_all_right(results, "exact", "minus")
        assert len(asked.double.calls("status")) == 8


def test_error_then_running_is_no_failure(division, tmp_path):
    script = [Says("ERROR", times=3), Says("RUNNING", times=2), Says("ERROR", times=3)]
    with asking(division, tmp_path, *script) as asked:
        asked.assert_all_right(asked.search("exact"), "exact")


FINAL = ["FAILURE", "FAILED", "failed", "ERROR", "ERRORED", "CANCELLED", "KILLED", "ABORTED",
         "TIMEOUT", "TIMED_OUT", "REJECTED", "DELETED", "STOPPED", "FROBNICATED"]  # fmt: skip


@pytest.mark.parametrize("word", FINAL)
def test_a_word_that_does_not_mean_to_wait_is_final_with_what_the_service_says(
    division, tmp_path, word
):
    """Within minutes of a deadline of hours, and the reason is that of the job's error."""
    error = Answers(200, "blastn died\x1b[31m", "text/plain", on="result", kind="error")
    with asking(division, tmp_path, Says(word, times=None), error) as asked:
        with pytest.raises(RunError, match="no search was answered"):
            asked.search("exact", deadline=600 * MINUTES)
        assert asked.clock() - START < 1 * MINUTES
        told = asked.unanswered["exact"]
        assert f"failed at EMBL-EBI with {word.upper()} (blastn died\\x1b[31m)" in told
        assert "--resubmit exact tries it again" in told
        assert asked.states() == {"exact": "failed"}

        asked.double.script.clear()
        asked.assert_right(asked.search("exact", resubmit=("exact",)))


@pytest.mark.parametrize("word", ["QUEUED", "PENDING", "RUNNING", "WAITING", "SUBMITTED"])
def test_words_that_mean_to_wait_are_waited_for_however_long(division, tmp_path, word):
    with asking(division, tmp_path, Says(word, times=40)) as asked:
        asked.assert_all_right(asked.search("exact"), "exact")


@pytest.mark.parametrize("said", ["0", "1", "-5", "nan", "1e999", "soon"])
def test_a_service_that_is_busy_for_ever_is_asked_less_and_less(division, tmp_path, said):
    busy = Answers(503, "busy", "text/plain", {"Retry-After": said}, on="status", times=None)
    with asking(division, tmp_path, busy) as asked:
        with pytest.raises(Unfinished, match="1 running"):
            asked.search("exact", deadline=60 * MINUTES)
        assert 60 <= len(asked.double.calls("status")) <= 75


@pytest.mark.parametrize("failures", [-9, 0, 1, 5, 6, 1023, 1024, 10**9])
def test_the_wait_after_any_number_of_failures_is_a_minute_at_most(failures):
    assert 1 <= _backoff(failures) <= 60


@pytest.mark.parametrize("word", ["FAILURE", "ERROR"])
def test_a_job_that_fails_for_good_leaves_the_others_alone(division, tmp_path, word):
    with asking(division, tmp_path, Says(word, times=None, job=2)) as asked:
        results = asked.search("exact", "mutated", "minus")

        asked.assert_all_right(results, "exact", "minus", submissions=3)
        assert word in asked.unanswered["mutated"]
        assert "--resubmit mutated" in asked.unanswered["mutated"]
        results = asked.search("exact", "mutated", "minus")
        assert len(asked.double.submissions) == 3
        asked.double.script.clear()
        results = asked.search("exact", "mutated", "minus", resubmit=("mutated",))
        asked.assert_all_right(results, "exact", "mutated", "minus", submissions=4)


def test_a_program_that_stops_says_why(division, tmp_path):
    with asking(division, tmp_path, Stops("BLAST engine error: no memory")) as asked:
        results = asked.search("exact", "minus")

        asked.assert_all_right(results, "minus", submissions=2)
        assert "ERROR (BLAST engine error: no memory)" in asked.unanswered["exact"]


def test_not_found_right_after_submission_is_waited_out(division, tmp_path):
    with asking(division, tmp_path, Says("NOT_FOUND", times=5)) as asked:
        asked.assert_all_right(asked.search("exact"), "exact")


def test_not_found_for_good_is_said_and_nothing_is_sent_again(division, tmp_path):
    with asking(division, tmp_path, Says("NOT_FOUND", times=None, job=1)) as asked:
        results = asked.search("exact", "minus")

        asked.assert_all_right(results, "minus", submissions=2)
        assert "does not know the job" in asked.unanswered["exact"]
        asked.search("exact", "minus")
        assert len(asked.double.submissions) == 2


def test_results_are_fetched_within_seven_days_and_expired_after(division, tmp_path):
    with asking(division, tmp_path, run_seconds=3600) as asked:
        with pytest.raises(Unfinished, match="run the same command again"):
            asked.search("exact", deadline=60)
        asked.clock.advance(days=6)
        asked.assert_all_right(asked.search("exact"), "exact")
        with pytest.raises(Unfinished):
            asked.search("minus", deadline=60)
        asked.clock.advance(days=8)
        with pytest.raises(RunError, match="keeps results for 7 days"):
            asked.search("minus")
        assert asked.states() == {"exact": "finished", "minus": "expired"}
        assert len(asked.double.submissions) == 2


@pytest.mark.parametrize("call", ["status", "resulttypes", "result", "parameterdetails"])
@pytest.mark.parametrize(
    "fault",
    [
        lambda on: bad_gateway(on, times=2),
        lambda on: login_page(on, times=2),
        lambda on: Answers(503, "<h1>Service Unavailable</h1>", on=on, times=2),
        lambda on: too_many_requests(on, times=2),
        lambda on: Resets(on=on, times=2),
        lambda on: Resets(on=on, times=2, handled=True),
    ],
    ids=["502", "page", "503", "429", "reset", "reset after"],
)
def test_what_breaks_on_a_question_is_asked_again(division, tmp_path, call, fault):
    scripted = fault(call)
    with asking(division, tmp_path, scripted) as asked:
        asked.assert_all_right(asked.search("exact"), "exact")
        assert scripted.struck >= 1


@pytest.mark.parametrize(
    ("told", "least", "most"),
    [("7", 7, 7), ("3600", 60, 60), (None, 1, 10), ("soon", 1, 10)],
)
@pytest.mark.parametrize("call", ["run", "status", "result"])
def test_retry_after_is_kept_and_capped_at_a_minute(division, tmp_path, call, told, least, most):
    with asking(division, tmp_path, too_many_requests(call, retry_after=told)) as asked:
        asked.assert_all_right(asked.search("exact"), "exact")
        times = [exchange.time for exchange in asked.double.calls(call)]
        assert least <= times[1] - times[0] <= most


def test_retry_after_may_be_a_date(division, tmp_path):
    date = formatdate(START + 20, usegmt=True)
    with asking(division, tmp_path, too_many_requests("run", retry_after=date)) as asked:
        asked.assert_all_right(asked.search("exact"), "exact")
        first, second = (exchange.time for exchange in asked.double.calls("run"))
        assert 19 <= second - first <= 21


@pytest.mark.parametrize("handled", [False, True], ids=["before", "after"])
def test_a_submission_of_unknown_fate_is_said_and_never_repeated(division, tmp_path, handled):
    with asking(division, tmp_path, Resets(on="run", handled=handled)) as asked:
        results = asked.search("exact", "minus")

        asked.assert_all_right(results, "minus", submissions=1 + handled)
        assert asked.states() == {"exact": "unknown", "minus": "finished"}
        assert "--resubmit exact" in asked.words()
        asked.search("exact", "minus")
        assert len(asked.double.submissions) == 1 + handled
        assert "--resubmit exact" in asked.unanswered["exact"]
        results = asked.search("exact", "minus", resubmit=("exact",))
        asked.assert_all_right(results, "exact", "minus", submissions=2 + handled)


@pytest.mark.parametrize("handled", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(
    ("fault", "burnt"),
    [
        (lambda handled: login_page(times=None, handled=handled), 1),
        (lambda handled: bad_gateway("run", times=None, handled=handled), 1),
        (lambda handled: Answers(504, "", on="run", times=None, handled=handled), 1),
        (lambda handled: Answers(200, f"{FOREIGN}\n", on="run", times=None, handled=handled), 1),
        (lambda handled: Resets(on="run", times=None, handled=handled), 2),
    ],
    ids=["page", "502", "504", "foreign id", "reset"],
)
def test_where_submissions_are_swallowed_the_others_stay_planned(
    division, tmp_path, fault, burnt, handled
):
    names = ["exact", "minus", "mutated", "several"]
    swallowing = fault(handled)
    with asking(division, tmp_path, swallowing) as asked:
        with pytest.raises(RunError, match="no search was answered"):
            asked.search(*names)

        assert swallowing.struck == burnt
        states = dict.fromkeys(names[:burnt], "unknown") | dict.fromkeys(names[burnt:], "planned")
        assert asked.states() == states
        assert "nothing more is submitted now; look at the network" in asked.words()
        assert f"({4 - burnt} of them)" in asked.words()
        asked.double.script.clear()
        results = asked.search(*names)
        assert [result.query_id for result in results] == names[burnt:]
        results = asked.search(*names, resubmit=("all",))
        asked.assert_all_right(results, *names, submissions=4 + handled * burnt)


def test_one_broken_connection_now_and_then_stops_nothing(division, tmp_path):
    script = [Resets(on="run", after=turn, together=True) for turn in (0, 1)]
    with asking(division, tmp_path, *script) as asked:
        results = asked.search("exact", "minus", "mutated", "several")

        asked.assert_all_right(results, "minus", "several", submissions=2)


def test_a_second_search_knows_that_submissions_were_swallowed(division, tmp_path):
    """As the controls' search, which comes after that of the samples."""
    with asking(division, tmp_path) as asked, asked.opened() as search:
        search("exact")
        asked.double.script.append(login_page(times=None))
        for name in ("minus", "mutated"):
            with pytest.raises(RunError, match="no search was answered"):
                search(name)
        assert asked.double.script[0].struck == 1


def test_a_submission_whose_answer_takes_too_long_has_an_unknown_fate(division, tmp_path):
    with asking(division, tmp_path, Slow(on="run", pieces=1, pause=0.8)) as asked:
        asked.timeout = (PATIENCE, 0.4)
        with pytest.raises(RunError, match="may run there or not"):
            asked.search("exact")
        assert len(asked.double.accepted) == 1
        assert asked.states() == {"exact": "unknown"}


def test_a_server_that_is_down_is_waited_for_and_nothing_is_unknown(division, tmp_path):
    with asking(division, tmp_path) as asked:
        asked.assert_all_right(asked.search("minus"), "minus")
        asked.double.stop()
        with pytest.raises(Unfinished, match="1 not yet submitted"):
            asked.search("exact", deadline=120)
        assert asked.states()["exact"] == "planned"
        asked.double.start()
        asked.assert_all_right(asked.search("exact"), "exact", submissions=2)


def test_a_server_that_never_answered_offers_nothing(division, tmp_path):
    with asking(division, tmp_path) as asked:
        asked.double.stop()
        with pytest.raises(Transient, match="--against"):
            asked.search("exact")


def test_a_redirected_submission_is_followed_nowhere_and_stops_all(division, tmp_path):
    moved = Answers(307, "", headers={"Location": "https://evil.example/run"}, on="run", times=None)
    with asking(division, tmp_path, moved) as asked:
        with pytest.raises(RunError, match=r"https://evil.example/run.*--base-url if you trust"):
            asked.search("exact", "minus")
        assert moved.struck == 1
        assert asked.states() == {"exact": "planned", "minus": "planned"}


def test_a_name_that_no_query_has_is_not_resubmitted_in_silence(division, tmp_path):
    with asking(division, tmp_path, Resets(on="run")) as asked:
        asked.search("exact", "minus")
        with pytest.raises(ConfigError, match=r"--resubmit exakt: no query.*again: exact$"):
            asked.search("exact", "minus", resubmit=("exakt", "minus"))
        assert asked.states()["exact"] == "unknown"
        asked.search("exact", "minus", resubmit=("all",))
        with pytest.raises(ConfigError, match="again: none"):
            asked.search("exact", resubmit=("nobody",))
        assert len(asked.double.submissions) == 2


def test_the_advice_has_the_name_that_the_query_has_now(division, tmp_path):
    letters = division.queries["exact"]
    with asking(division, tmp_path, Resets(on="run")) as asked:
        with pytest.raises(RunError, match="--resubmit old sends"):
            asked.search(old=letters)
        asked.said.clear()
        with pytest.raises(RunError, match=r"^no search was answered; new: .*--resubmit new sends"):
            asked.search(new=letters)
        assert "--resubmit old" not in asked.words()
        assert asked.states() == {"new": "unknown"}
        with pytest.raises(RunError, match="--resubmit new sends"):
            asked.search(new=letters, twin=letters)
        assert "--resubmit twin sends" in asked.unanswered["twin"]
        with pytest.raises(ConfigError, match="again: new"):
            asked.search(new=letters, resubmit=("old",))
        three = {"new": letters, "twin": letters, "third": letters}
        results = asked.search(**three, resubmit=("twin",))
        assert [result.query_id for result in results] == list(three)


def test_a_control_can_be_resubmitted_though_the_samples_come_first(division, tmp_path):
    with asking(division, tmp_path) as asked:
        for resubmit in ((), ("minus",)):
            with asked.opened(resubmit=resubmit) as search:
                search("exact")
                if not resubmit:
                    asked.double.script.append(Resets(on="run"))
                    with pytest.raises(RunError, match="--resubmit minus"):
                        search("minus")
                else:
                    assert len(search("minus")) == 1
