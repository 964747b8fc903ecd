"""Searching through the backend: what comes back, in which order, and what is asked for it."""

from __future__ import annotations

import signal
import sqlite3
import threading

import pytest

from seqforge.domains.genome.ebi.backend import EbiBackend
from seqforge.domains.genome.ebi.client import EbiClient
from seqforge.domains.genome.ebi.job_store import JobStore
from seqforge.domains.genome.similarity.backends import SearchBackend
from seqforge.domains.genome.similarity.hits import Query
from seqforge.domains.genome.similarity.local_search import search_library
from seqforge.domains.genome.similarity.parameters import ProteinParameters, SearchParameters
from seqforge.errors import ConfigError, InputError, RunError, Unfinished
from tests.ebi_double import Answers, EbiDouble, Resets, Says, too_many_requests
from tests.patience import PATIENCE


@pytest.fixture
def double(division, clock):
    with EbiDouble(division.engine, clock=clock, run_seconds=8) as double:
        yield double


class Person:
    """Somebody at a terminal, with one folder."""

    def __init__(self, double, clock, folder) -> None:
        self.double, self.clock, self.folder = double, clock, folder
        self.said: list[str] = []
        self.states: list[tuple[float, float, str]] = []
        self.email, self.database = "me@ebi.ac.uk", "em_std_inv"
        self.sleep = clock.sleep
        self.unanswered: dict[str, str] = {}
        self.busy: int | None = None

    def search(self, queries, deadline=600.0, resubmit=(), **parameters):
        client = EbiClient(
            self.email,
            base_url=self.double.url,
            sleep=self.sleep,
            clock=self.clock,
            monotonic=self.clock,
            grace=PATIENCE,
        )
        with JobStore(self.folder / "jobs.sqlite", self.clock) as store:
            if self.busy is not None:
                store._db.execute(f"PRAGMA busy_timeout = {self.busy}")
            backend: SearchBackend = EbiBackend(
                client, store, self.database, deadline, self.said.append, resubmit=resubmit
            )
            try:
                return backend.search(
                    queries,
                    SearchParameters(**parameters),
                    lambda done, total, what: self.states.append((done, total, what)),
                )
            finally:
                self.unanswered = backend.unanswered

    def jobs(self):
        with JobStore(self.folder / "jobs.sqlite", self.clock) as store:
            return store.jobs()


@pytest.fixture
def person(double, clock, tmp_path):
    return Person(double, clock, tmp_path)


def queries(division, *names: str) -> list[Query]:
    return [Query(name, division.queries[name]) for name in names]


def test_results_come_in_the_queries_order_whoever_is_first(division, double, person):
    double.script.append(Says("RUNNING", times=9, job=1))
    asked = queries(division, "exact", "several", "minus", "mutated")
    results = person.search(asked)

    assert [result.query_id for result in results] == [query.id for query in asked]
    assert [len(query.bases) for query in asked] == [result.query_length for result in results]
    assert results[0].hits[0].hsps[0].identity == 100.0
    assert [hsp.align_length > 140 for hsp in results[1].hits[0].hsps[:3]] == [True] * 3
    assert results[2].hits[0].hsps[0].hit_strand == -1
    assert (results[0].database, results[0].database_length) == ("em_std_inv", 100_000)
    assert results[0].parameters["settings"]["exp"] == "10"
    assert results[0].parameters["job"] == double.accepted[0].job_id
    assert "sequence" not in results[0].parameters["settings"]


def test_what_is_searched_is_said_with_how_to_change_it(division, person):
    person.search(queries(division, "exact"))

    assert person.said == [
        "EMBL-EBI's ncbiblast searches em_std_inv (ENA Sequence Standard Invertebrate); "
        "--database takes another"
    ]


def test_finished_searches_come_from_the_store_without_any_request(division, double, clock, person):
    """Even without the network, without an address, and after the service has forgotten them."""
    asked = queries(division, "exact", "minus")
    first = person.search(asked)
    double.stop()
    clock.advance(days=30)
    person.email = ""

    assert person.search(asked) == first
    assert person.search(asked[::-1]) == first[::-1]


def test_same_letters_under_two_names_and_two_sequences_under_one(division, double, person):
    exact, minus = division.queries["exact"], division.queries["minus"]
    results = person.search([Query("a", exact), Query("b", exact), Query("a", minus)])

    assert [result.query_id for result in results] == ["a", "b", "a"]
    assert results[0].hits == results[1].hits
    assert results[2].hits != results[0].hits
    assert len(double.accepted) == 2


def test_a_query_without_letters_finds_nothing_and_is_not_sent(division, double, person):
    results = person.search([Query("void", ""), *queries(division, "exact")], evalue=1e-5)

    assert [(result.query_id, len(result.hits)) for result in results] == [
        ("void", 0),
        ("exact", 1),
    ]
    assert len(double.submissions) == 1
    assert any(sentence.startswith("void has no letters") for sentence in person.said)


def test_limits_that_were_widened_for_the_service_hold_here(division, double, person):
    (wide,) = person.search(queries(division, "several"), evalue=10.0)
    weakest = max(hsp.evalue for hit in wide.hits for hsp in hit.hsps)
    (narrow,) = person.search(queries(division, "several"), evalue=weakest / 2)
    (least,) = person.search(queries(division, "several"), max_hits=1, max_hsps=2)

    assert max(hsp.evalue for hit in narrow.hits for hsp in hit.hsps) <= weakest / 2
    assert double.accepted[1]["exp"] in {"10", "1.0"}
    assert narrow.parameters["evalue"] == weakest / 2
    assert [len(hit.hsps) for hit in least.hits] == [2]


def test_masking_that_may_have_hidden_hits_is_said(division, person):
    person.search(queries(division, "none"), dust=True)

    assert "none has no hits, and was masked; without --dust it may have some" in person.said


def test_progress_tells_how_many_wait_run_and_are_done(division, person):
    person.search(queries(division, "exact", "minus"))

    told = [what for _, _, what in person.states]
    assert told[0] == "2 queued, 0 running, 0 done"
    assert "0 queued, 2 running, 0 done" in told
    assert person.states[-1] == (2, 2, "0 queued, 0 running, 2 done")


def test_at_the_deadline_it_is_said_how_to_go_on(division, double, person):
    asked = queries(division, "exact", "minus")
    double.service.run_seconds = 100
    with pytest.raises(Unfinished, match=r"^0 of 2 searches are finished, 2 running at EMBL-EBI"):
        person.search(asked, deadline=20)
    with pytest.raises(Unfinished, match="run the same command again to go on") as caught:
        person.search(asked, deadline=20)
    assert caught.value.exit_code == 3
    assert len(person.search(asked)) == 2
    assert len(double.submissions) == 2


def test_a_wrong_letter_anywhere_sends_nothing_at_all(division, double, person):
    with pytest.raises(InputError, match="letter 4, '7'"):
        person.search([*queries(division, "exact"), Query("bad", "ACG7")])
    assert double.exchanges == []


def test_without_an_address_no_search_is_sent(division, double, person):
    person.email = ""
    with pytest.raises(ConfigError, match="SEQFORGE_EMAIL"):
        person.search(queries(division, "exact"))
    assert double.submissions == []


def test_a_refused_address_stops_all_and_the_right_one_goes_on(division, double, person):
    asked = queries(division, "exact", "minus", "mutated")
    person.email = "me@nowhere.invalid"
    with pytest.raises(RunError, match=r"valid email address; give an address .* --email"):
        person.search(asked)
    assert len(double.submissions) == 1  # the others would have been refused just so

    person.email = "me@ebi.ac.uk"
    assert len(person.search(asked)) == 3
    assert len(double.accepted) == 3


def test_one_refused_sequence_leaves_the_others_alone(division, double, person):
    asked = [Query("huge", "ACGT" * 260_000), *queries(division, "exact")]
    results = person.search(asked)

    assert [result.query_id for result in results] == ["exact"]
    assert list(person.unanswered) == ["huge"]
    assert "limit is 1MB; search with fewer letters" in person.unanswered["huge"]
    assert [job.state for job in person.jobs()] == ["planned", "finished"]


def test_an_unknown_fate_is_said_again_until_it_is_resubmitted(division, double, person):
    double.script.append(Resets(on="run", times=1))
    asked = queries(division, "exact", "minus")
    for _ in range(2):
        (result,) = person.search(asked)
        assert result.query_id == "minus"
        assert "--resubmit exact sends it again" in person.unanswered["exact"]
        assert any("it is not sent again by itself" in sentence for sentence in person.said)
        person.said.clear()
    assert len(double.submissions) == 1

    assert len(person.search(asked, resubmit=["exact"])) == 2
    assert person.unanswered == {}
    assert len(double.submissions) == 2


def test_ctrl_c_in_the_middle_of_a_submission_leaves_its_fate_unknown(division, double, person):
    noticed = threading.Event()

    class Interrupts(Answers):
        def act(self, exchange, proceed):
            reply = proceed()
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
            noticed.wait(PATIENCE)
            return reply

    double.script.append(Interrupts(200, "", on="run"))
    with pytest.raises(KeyboardInterrupt):
        person.search(queries(division, "exact"))
    noticed.set()

    assert [job.state for job in person.jobs()] == ["unknown"]
    with pytest.raises(RunError, match="seqforge was stopped"):
        person.search(queries(division, "exact"))
    assert len(double.submissions) == 1


def test_a_reply_that_was_kept_before_a_kill_is_read_and_not_fetched_again(
    division, double, person
):
    asked = queries(division, "exact")
    (first,) = person.search(asked)
    (job,) = person.jobs()
    with JobStore(person.folder / "jobs.sqlite", person.clock) as store:
        # As a kill between the raw reply and the commit leaves it.
        store._db.execute("UPDATE jobs SET state = 'running', result = NULL")
        assert store.raw(job.job_id, "json") is not None
    double.stop()

    assert person.search(asked) == [first]


@pytest.mark.parametrize("code", [500, 502])
def test_a_kind_of_result_that_never_comes_leaves_its_turn_to_the_next(
    division, double, person, code
):
    double.script.append(
        Answers(code, "<html><h1>broken</h1></html>", on="result", kind="json", times=None)
    )
    (result,) = person.search(queries(division, "exact"))

    assert result.hits[0].hsps[0].identity == 100.0
    assert [path.suffix for path in (person.folder / "raw").iterdir()] == [".xml"]


@pytest.mark.parametrize(("errors", "state"), [(3, "finished"), (4, "failed")])
def test_three_errors_in_a_row_are_the_services_own_trouble(
    division, double, person, errors, state
):
    """ERROR says that the state could not be had; only when it stays is the job given up."""
    double.script.append(Says("ERROR", times=errors))
    if state == "finished":
        assert len(person.search(queries(division, "exact"))) == 1
    else:
        with pytest.raises(RunError, match=r"failed at EMBL-EBI with ERROR.*--resubmit exact"):
            person.search(queries(division, "exact"))

    assert [job.state for job in person.jobs()] == [state]
    assert len(double.calls("status")) == 4


def test_when_the_service_asks_for_quiet_nobody_asks_about_any_job(division, double, clock, person):
    double.script.append(too_many_requests("status", retry_after="40"))
    double.script[0].job = 1
    person.search(queries(division, "exact", "minus", "mutated"))
    times = [each.time for each in double.exchanges]
    struck = next(i for i, each in enumerate(double.exchanges) if each.call == "status")

    assert times[struck + 1] - times[struck] >= 40


def test_several_databases_are_sent_each(division, double, person):
    person.database = ["em_std_inv", "em_std_pln"]
    (result,) = person.search(queries(division, "exact"))

    assert result.database == "em_std_inv em_std_pln"
    assert double.accepted[0].parameters["database"] == ["em_std_inv", "em_std_pln"]


def test_a_result_is_the_same_from_the_wire_and_from_the_store(division, person):
    (fresh,) = person.search(queries(division, "several"))
    (kept,) = person.search(queries(division, "several"))

    assert kept == fresh


@pytest.mark.parametrize(
    "damage", ["{", "[]", '{"results": []}', '{"results": [{"hits": 5}]}', '{"results": [3]}', None]
)
def test_a_damaged_result_is_read_again_from_the_raw_reply(division, double, person, damage):
    asked = queries(division, "exact", "minus")
    first = person.search(asked)
    with JobStore(person.folder / "jobs.sqlite", person.clock) as store:
        store._db.execute("UPDATE jobs SET result = ? WHERE query = 'exact'", (damage,))
    double.stop()

    again = person.search(asked)
    assert [result.hits for result in again] == [result.hits for result in first]
    assert "exact: its result was damaged; read again from json" in person.said
    person.said.clear()
    assert person.search(asked) == again
    assert not any("damaged" in sentence for sentence in person.said)


def test_a_damaged_result_without_a_raw_reply_can_be_submitted_again(division, double, person):
    asked = queries(division, "exact", "minus")
    first = person.search(asked)
    with JobStore(person.folder / "jobs.sqlite", person.clock) as store:
        store._db.execute("UPDATE jobs SET result = '{' WHERE query = 'exact'")
    for path in (person.folder / "raw").iterdir():
        path.unlink()

    assert person.search(asked) == first[1:]
    assert "--resubmit exact searches again" in person.unanswered["exact"]
    again = person.search(asked, resubmit=["exact"])
    assert [result.hits for result in again] == [result.hits for result in first]
    assert len(double.submissions) == 3


@pytest.mark.parametrize("kept", [True, False])
def test_an_id_that_the_store_cannot_take_is_not_lost(division, double, person, kept):
    """Another program locks the database while the submission is under way."""
    asked = queries(division, "exact")
    path = person.folder / "jobs.sqlite"
    person.busy = 10
    other = []

    class Locks(Answers):
        def act(self, exchange, proceed):
            reply = proceed()
            other.append(sqlite3.connect(path, isolation_level=None, check_same_thread=False))
            other[0].execute("BEGIN IMMEDIATE")
            if not kept:
                (person.folder / "raw").write_text("a file, where a folder is needed")
            return reply

    double.script.append(Locks(200, "", on="run"))
    with pytest.raises(RunError, match="is locked by another program") as caught:
        person.search(asked)
    other[0].close()
    assert double.accepted[0].job_id in str(caught.value)
    assert ("kept beside the store" in str(caught.value)) == kept

    if kept:
        assert len(person.search(asked)) == 1
    else:
        (person.folder / "raw").unlink()
        with pytest.raises(RunError, match="it may run there or not"):
            person.search(asked)
    assert len(double.submissions) == 1


def test_proteins_are_searched_with_blastp(swiss_prot, clock, tmp_path):
    """Form and reply of a service that searches proteins, with the scores and E-values of home."""
    asked = [Query(name, swiss_prot.queries[name]) for name in ("exact", "mutated", "none")]
    parameters = ProteinParameters()
    with (
        EbiDouble(swiss_prot.engine, clock=clock) as double,
        JobStore(tmp_path / "jobs.sqlite", clock) as store,
    ):
        client = EbiClient("me@ebi.ac.uk", base_url=double.url, sleep=clock.sleep, clock=clock,
                           monotonic=clock, grace=PATIENCE)  # fmt: skip
        backend = EbiBackend(
            client, store, "uniprotkb_swissprot", 600.0, [].append, letters="protein"
        )
        results = backend.search(asked, parameters, lambda *_: None)
        form = double.accepted[0]

    assert form["program"] == form["task"] == "blastp"
    assert (form["matrix"], form["gapopen"], form["gapext"]) == ("BLOSUM62", "11", "1")
    assert (form["stype"], form["filter"], form["compstats"]) == ("protein", "F", "F")
    assert [result.letters for result in results] == ["protein"] * 3
    at_home = search_library(asked, swiss_prot.path, parameters)
    for there, here in zip(results[:2], at_home[:2], strict=True):
        best, ours = there.hits[0], here.hits[0]
        assert (best.database, f"SP:{best.id}") == ("SP", ours.id)
        assert best.organism == "Drosophila melanogaster"
        assert best.hsps[0].score == ours.hsps[0].score
        assert best.hsps[0].evalue == pytest.approx(ours.hsps[0].evalue, rel=0.06), "two digits"
        assert best.hsps[0].positive_count == ours.hsps[0].positive_count
        assert best.hsps[0].midline == ours.hsps[0].midline
    assert results[2].hits == ()
