"""The client against results that come slowly, broken, in other forms, or not at all."""

from __future__ import annotations

import json

import pytest

from seqforge.domains.genome.ebi.errors import Unreadable
from seqforge.domains.genome.ebi.replies import QueryContext, parse_reply
from seqforge.domains.genome.similarity.hits import to_json
from seqforge.errors import RunError, Unfinished
from tests.ebi_double import (
    Answers,
    EbiDouble,
    Lacks,
    Resets,
    Says,
    Slow,
    Style,
    Truncated,
    Written,
    bad_gateway,
)
from tests.ebi_double.asking import asking
from tests.ebi_double.raw import finished, get
from tests.ebi_double.searching import Asked as SearchAsked
from tests.ebi_double.validation import InputSequence
from tests.patience import PATIENCE

NAMES = ("exact", "mutated", "minus", "several", "none")


def only(results):
    (result,) = results
    return result


def test_several_hsps_minus_strands_and_zero_hits_are_the_searchs_own(division, tmp_path):
    with asking(division, tmp_path) as asked:
        results = asked.search(*NAMES)

    asked.assert_right(results)
    by_name = {result.query_id: result for result in results}
    assert by_name["minus"].hits[0].hsps[0].hit_strand == -1
    assert by_name["minus"].hits[0].hsps[0].hit_start == 30_180
    assert len(by_name["several"].hits[0].hsps) >= 3
    assert by_name["none"].hits == ()
    assert {(r.database_length, r.database_sequences) for r in results} == {(100_000, 2)}


def test_masking_leaves_no_hits_and_without_it_there_are_some(division, tmp_path, require_program):
    require_program("blastn")
    with asking(division, tmp_path) as asked:
        assert only(asked.search("masked", dust=True)).hits == ()
        plain = only(asked.search("masked"))

        asked.assert_right([plain])
        assert len(asked.double.submissions) == 2


@pytest.mark.parametrize("call", ["run", "status", "resulttypes", "result", "parameterdetails"])
def test_a_body_that_drips_is_waited_for(division, tmp_path, call):
    slow = Slow(on=call, pieces=8, pause=0.02)
    with asking(division, tmp_path, slow) as asked:
        asked.assert_right(asked.search("several"))
        assert slow.struck >= 1
        assert len(asked.double.submissions) == 1


@pytest.mark.parametrize("call", ["status", "resulttypes", "result"])
def test_a_body_that_stands_still_is_asked_for_again(division, tmp_path, call):
    slow = Slow(on=call, pieces=2, pause=0.8)
    with asking(division, tmp_path, slow, run_seconds=60) as asked:
        with pytest.raises(Unfinished):
            asked.search("several", deadline=2)  # it is submitted, with all patience
        asked.timeout = (PATIENCE, 0.4)
        asked.assert_right(asked.search("several"))
        assert slow.struck >= 1
        assert len(asked.double.calls(call)) > 1
        assert len(asked.double.submissions) == 1


@pytest.mark.parametrize("keep", [0.0, 0.3, 0.999])
@pytest.mark.parametrize("announced", [True, False])
def test_truncated_json_is_fetched_again(division, tmp_path, keep, announced):
    cut = Truncated(on="result", kind="json", keep=keep, announced=announced, times=2)
    with asking(division, tmp_path, cut) as asked:
        result = only(asked.search("several"))

        asked.assert_right([result])
        kinds = [exchange.kind for exchange in asked.double.calls("result")]
        assert kinds.count("json") == 3
        assert "xml" not in kinds


@pytest.mark.parametrize("announced", [True, False])
def test_json_that_is_always_truncated_gives_way_to_xml(division, tmp_path, announced):
    cut = Truncated(on="result", kind="json", announced=announced, times=None)
    with asking(division, tmp_path, cut) as asked:
        asked.assert_right(asked.search("several"))
        kinds = [exchange.kind for exchange in asked.double.calls("result")]
        assert kinds[-1] == "xml"
        assert kinds.count("json") <= 5


def test_results_that_never_come_end_at_the_deadline_and_then_go_on(division, tmp_path):
    with asking(division, tmp_path, Resets(on="result", times=None)) as asked:
        with pytest.raises(Unfinished, match="run the same command again"):
            asked.search("several", deadline=300)
        asked.double.script.clear()
        asked.assert_right(asked.search("several"))
        assert len(asked.double.submissions) == 1


@pytest.mark.parametrize("names", [("several",), ("minus",), ("none",), ("mutated",)])
@pytest.mark.parametrize(
    ("kinds", "used"), [(("json",), "xml"), (("json", "xml"), "out")], ids=["xml", "text"]
)
def test_without_json_comes_xml_and_then_text(division, tmp_path, kinds, used, names):
    with asking(division, tmp_path, Lacks(kinds=kinds, times=None)) as asked:
        result = only(asked.search(*names))

        # BLAST's text has one digit of a small E-value.
        asked.assert_right([result], rounding=0.5 if used == "out" else 0.0)
        assert result.database_length == 100_000
        assert [exchange.kind for exchange in asked.double.calls("result")] == [used]


def test_a_job_without_any_result_that_can_be_read_is_said_to_be_so(division, tmp_path):
    with asking(division, tmp_path, Lacks(kinds=("json", "xml", "out"), times=None)) as asked:
        with pytest.raises(RunError, match="--resubmit exact"):
            asked.search("exact")
        assert asked.states() == {"exact": "failed"}
        assert len(asked.double.submissions) == 1


def test_types_that_are_not_told_are_tried(division, tmp_path):
    fault = Answers(400, "<error/>", "text/xml", on="resulttypes", times=None)
    with asking(division, tmp_path, fault) as asked:
        asked.assert_right(asked.search("several"))


@pytest.mark.parametrize("call", ["result", "resulttypes", "parameterdetails"])
def test_json_nested_without_end_is_not_followed(division, tmp_path, call):
    """Python's reader gives up on it with an error that is no ValueError."""
    deep = Answers(200, "[" * 200_000, "application/json", on=call, times=2)
    with asking(division, tmp_path, deep) as asked:
        asked.assert_all_right(asked.search("several"), "several")
        assert deep.struck >= 1


def test_xml_that_declares_entities_is_not_read(division, tmp_path):
    bomb = """<?xml version="1.0"?>
<!DOCTYPE EBIApplicationResult [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]>
<EBIApplicationResult><Header><program name="&b;"/></Header>
<SequenceSimilaritySearchResult><hits total="0"/></SequenceSimilaritySearchResult>
</EBIApplicationResult>"""
    script = [Lacks(times=None)]
    script += [Answers(200, bomb, "application/xml", on="result", kind="xml", times=None)]
    with asking(division, tmp_path, *script) as asked:
        asked.assert_right(asked.search("several"), rounding=0.5)
        assert asked.double.calls("result")[-1].kind == "out"


def test_organisms_come_from_descriptions_where_the_service_says_na(division, tmp_path):
    with asking(division, tmp_path) as asked:
        result = only(asked.search("exact"))
        raw = json.loads(next((tmp_path / "raw").glob("*.json")).read_text())

    assert raw["hits"][0]["hit_os"] == "NA"
    assert result.hits[0].organism == "Drosophila melanogaster"


def test_replies_of_other_years_are_read(division, tmp_path):
    old = Written(style=Style(old_dates=True, organisms=True, dbfetch=False), times=None)
    with asking(division, tmp_path, old) as asked:
        result = only(asked.search("several"))

    asked.assert_right([result])
    assert result.when == "2026-11-21T09:00:00+00:00"
    assert result.hits[0].organism == "Drosophila melanogaster"


def test_raw_replies_are_kept_and_results_come_from_the_store(division, tmp_path):
    with asking(division, tmp_path) as asked:
        first = asked.search(*NAMES)
        count = len(asked.double.exchanges)
        asked.double.stop()
        assert asked.search(*NAMES) == first
        asked.double.start()
        assert len(asked.double.exchanges) == count
        jobs = sorted(each.job_id for each in asked.double.accepted)
    assert sorted(path.stem for path in (tmp_path / "raw").glob("*.json")) == jobs


@pytest.mark.parametrize("lacking", [(), ("json",), ("json", "xml")], ids=["json", "xml", "text"])
def test_the_fasta_tools_overlaps_are_the_searchs_own(division, tmp_path, lacking):
    """Its rows have flanks: percents, counts and rows must be of the overlap alone."""
    flanked = "TTGCA" * 8 + division.queries["mutated"] + "ACGT" * 8
    with asking(division, tmp_path, Lacks(kinds=lacking, times=None)) as asked:
        result = only(asked.search(tool="fasta", q=flanked))
        minus = only(asked.search("minus", tool="fasta"))
        submission = asked.double.submissions[0]
        found = division.engine.find(InputSequence("q", flanked), SearchAsked(dust=False))

    assert (submission["match_scores"], submission["gapopen"]) == ("+1/-3", "-7")
    hsp, expected = result.hits[0].hsps[0], found.hits[0]["hsps"][0]
    assert hsp.align_length == expected["align_len"]
    assert hsp.identity_count == expected["identity"]
    assert hsp.gaps == expected["gaps"]
    assert hsp.identity == round(100 * hsp.identity_count / hsp.align_length, 1)
    assert hsp.hit_start - hsp.query_start == 7_000 - 40
    if lacking != ("json", "xml"):  # the text's rows are not read
        assert (hsp.query_aligned, hsp.hit_aligned) == (expected["qseq"], expected["hseq"])
    turned = minus.hits[0].hsps[0]
    assert turned.query_strand != turned.hit_strand
    assert {turned.hit_start, turned.hit_end} == {30_001, 30_180}
    assert {turned.query_start, turned.query_end} == {1, 180}


def test_what_breaks_while_results_come_is_mended_one_by_one(division, tmp_path):
    """All at once, on every job."""
    script = [
        bad_gateway("result"),
        Truncated(on="result", kind="json", announced=False),
        Resets(on="resulttypes", handled=True),
        Truncated(on="result", kind="json", after=1),
        Slow(on="result|resulttypes|status", pieces=3, pause=0.002, times=None),
    ]
    with asking(division, tmp_path, *script) as asked:
        results = asked.search(*NAMES)

        asked.assert_right(results)
        assert len(results) == len(asked.double.submissions) == len(NAMES)
        assert all(fault.struck >= len(NAMES) for fault in script)


@pytest.mark.parametrize("kind", ["json", "xml", "out"])
@pytest.mark.parametrize("tool", ["ncbiblast", "fasta"])
def test_damaged_replies_are_read_or_refused_and_nothing_else(division, rng, tool, kind):
    program = {"ncbiblast": "blastn", "fasta": "fasta"}[tool]
    with EbiDouble(division.engine) as double:
        job = finished(double, division.queries["several"], tool, program=program)
        whole = get(double, f"result/{job}/{kind}", tool).content
    asked = QueryContext("q", 150, tool, program, "em_std_inv", "2026-11-21T09:00:00+00:00")
    assert parse_reply(kind, whole, asked).hits
    refused = 0
    for _ in range(150):
        body = bytearray(whole)
        for _ in range(rng.choice([1, 3, 9])):
            at = rng.randrange(len(body))
            new = rng.choice([b"", b"-", b"9" * 30, b"<", b'"', b"\x00", b"\xff", b"NA", b"null"])
            body[at : at + rng.choice([0, 1, 40])] = new
        try:
            result = parse_reply(kind, bytes(body), asked)
        except Unreadable:
            refused += 1
        else:
            json.dumps(to_json([result]), allow_nan=False)
    assert 0 < refused < 150


def test_two_searches_of_one_command_tell_of_all_that_has_no_answer(division, tmp_path):
    """As samples and their controls, one after the other."""
    script = [Says("FAILURE", times=None, job=1), Says("FAILURE", times=None, job=3)]
    with asking(division, tmp_path, *script) as asked:
        with asked.opened() as search:
            assert [result.query_id for result in search("exact", "minus")] == ["minus"]
            assert [result.query_id for result in search("mutated", "several")] == ["several"]
        assert list(asked.unanswered) == ["exact", "mutated"]


def test_two_searches_of_one_command_share_a_deadline(division, tmp_path):
    with asking(division, tmp_path, run_seconds=200) as asked:
        began = asked.clock()
        with asked.opened(deadline=300) as search:
            assert len(search("exact")) == 1
            with pytest.raises(Unfinished, match="1 running"):
                search("minus")
            assert len(search("exact")) == 1  # what is there needs no time
        assert 200 < asked.clock() - began <= 300


def test_an_empty_query_was_searched_for_in_the_same_database(division, tmp_path):
    with asking(division, tmp_path) as asked:
        void, exact = sorted(asked.search("exact", void=""), key=lambda each: each.query_length)
    assert void.hits == ()
    for name in ("program", "version", "database", "database_length", "database_sequences"):
        assert getattr(void, name) == getattr(exact, name)
    assert void.database_length == 100_000
