"""The double of EBI's service: that it answers as the service is known to."""

from __future__ import annotations

import json
import re
import time
import xml.etree.ElementTree as ET

import pytest
import requests

from tests.ebi_double import (
    BlastEngine,
    Clock,
    EbiDouble,
    Lacks,
    LocalEngine,
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

JOB_ID = re.compile(r"(ncbiblast|fasta)-R\d{8}-\d{6}-\d{4}-\d{7,8}-p1m")
JSON = {"Accept": "application/json"}
NS = "{http://www.ebi.ac.uk/schema}"


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture(params=["blastn", "local"])
def engine(request, division):
    """The same claims with BLAST+ behind the double and without."""
    if request.param == "local":
        return LocalEngine(division.path)
    request.getfixturevalue("require_program")("blastn")
    assert isinstance(division.engine, BlastEngine)
    return division.engine


@pytest.fixture
def double(division, clock):
    with EbiDouble(division.engine, clock=clock) as running:
        yield running


def form(sequence, **changes):
    values = {
        "email": "a@ebi.ac.uk",
        "program": "blastn",
        "stype": "dna",
        "database": "em_std_inv",
        "sequence": f">q1\n{sequence}\n",
    }
    return {**values, **changes}


def submit(double, sequence, tool="ncbiblast", **changes):
    reply = requests.post(f"{double.url}/{tool}/run", data=form(sequence, **changes), timeout=10)
    assert reply.status_code == 200, reply.text
    return reply.text


def get(double, path, tool="ncbiblast", **options):
    return requests.get(f"{double.url}/{tool}/{path}", timeout=10, **options)


def finished(double, sequence, tool="ncbiblast", **changes):
    job = submit(double, sequence, tool, **changes)
    assert get(double, f"status/{job}", tool).text == "FINISHED"
    return job


@pytest.mark.parametrize("path", ["run", "run/"])
def test_a_submission_answers_with_a_bare_id(double, division, path):
    reply = requests.post(
        f"{double.url}/ncbiblast/{path}", data=form(division.queries["exact"]), timeout=10
    )

    assert reply.headers["Content-Type"].startswith("text/plain")
    assert JOB_ID.fullmatch(reply.text)
    assert 35 <= len(reply.text) <= 60
    (seen,) = double.submissions
    assert (seen.time, seen.job_id, seen["database"]) == (
        double.service.clock(),
        reply.text,
        "em_std_inv",
    )


def test_repeated_keys_and_multipart_bodies_are_read(double, division):
    databases = ["em_std_inv", "em_std_vrt"]
    submit(double, division.queries["exact"], database=databases)
    parts = {key: (None, value) for key, value in form("ACGT" * 9).items()}
    reply = requests.post(f"{double.url}/ncbiblast/run", files=parts, timeout=10)

    assert JOB_ID.fullmatch(reply.text)
    first, second = double.submissions
    assert first.parameters["database"] == databases
    assert second["sequence"] == ">q1\n" + "ACGT" * 9 + "\n"


def described(reply):
    assert reply.status_code == 400
    assert reply.headers["Content-Type"].startswith("text/xml")
    return ET.fromstring(reply.text).findtext("description")


def refused(double, sequence, **changes):
    reply = requests.post(f"{double.url}/ncbiblast/run", data=form(sequence, **changes), timeout=10)
    return described(reply)


@pytest.mark.parametrize(
    ("email", "text"),
    [
        ("", "Please enter an email address"),
        ("nobody", "Please enter a valid email address"),
        ("a@x.info", "Please enter a valid email address"),
        ("a@host.invalid", "Please enter a valid email address"),
    ],
)
def test_the_email_is_checked_first_and_alone(double, email, text):
    assert refused(double, "", email=email, exp="1e-05", database="em_rel_inv") == text


def test_all_other_parameters_are_refused_together_with_seven_values_each(double):
    text = refused(double, "", exp="1e-05", database="em_rel_inv", scores="37")

    head, *lines = text.split("\n")
    assert head == "Invalid parameters: "
    assert sorted(line.partition(" -> ")[0] for line in lines) == [
        "Database",
        "Expectation value threshold",
        "Scores",
        "Sequence",
    ]
    assert (
        'Expectation value threshold -> Value for "exp" is not valid: Currently "1e-05" but '
        "should be one of the restricted values: 1e-200, 1e-100, 1e-50, 1e-10, 1e-5, 1e-4, "
        "1e-3..."
    ) in lines
    assert "Sequence -> Error in reading input sequence. Please check your input." in lines
    assert double.accepted == []
    assert double.submissions[0].refusal == text


def test_letters_are_not_checked_at_submission_but_size_is(double):
    assert JOB_ID.fullmatch(submit(double, "12@*"))
    assert refused(double, "A" * 1_000_001) == "Input is too big, limit is 1MB"


def test_states_follow_the_clock(division, clock):
    with EbiDouble(division.engine, clock=clock, run_seconds=50) as double:
        job = submit(double, division.queries["exact"])
        states = []
        for _ in range(4):
            states.append(get(double, f"status/{job}").text)
            clock.advance(seconds=20)

        assert states == ["QUEUED", "RUNNING", "RUNNING", "FINISHED"]


def test_nothing_is_an_error_in_status_and_a_400_elsewhere(division, clock):
    with EbiDouble(division.engine, clock=clock, run_seconds=50) as double:
        assert get(double, "status/ncbiblast-R1").text == "NOT_FOUND"
        assert get(double, "status/ncbiblast-R1").status_code == 200
        assert "not found" in described(get(double, "result/ncbiblast-R1/json"))
        job = submit(double, division.queries["exact"])
        assert described(get(double, f"result/{job}/json")) == f"Job '{job}' is still queued"
        clock.advance(seconds=60)
        assert "Requested renderer 'pdf' not available" in described(
            get(double, f"result/{job}/pdf")
        )
        assert get(double, "nonsense").status_code == 404


def test_jobs_are_kept_for_seven_days(double, division, clock):
    job = finished(double, division.queries["exact"])

    clock.advance(days=7)
    assert get(double, f"status/{job}").text == "FINISHED"
    clock.advance(seconds=1)
    assert get(double, f"status/{job}").text == "NOT_FOUND"
    assert "not found" in described(get(double, f"result/{job}/json"))


def test_lists_come_as_xml_and_on_demand_as_json(double, division):
    job = finished(double, division.queries["exact"])

    types = ET.fromstring(get(double, f"resulttypes/{job}").content)
    kinds = [each.findtext("identifier") for each in types.iter("type")]
    assert {"out", "json", "xml", "ids", "sequence", "parameters"} <= set(kinds)
    told = get(double, f"resulttypes/{job}", headers=JSON).json()["types"]
    assert [each["identifier"] for each in told] == kinds
    names = [each.text for each in ET.fromstring(get(double, "parameters").content)]
    assert get(double, "parameters", headers=JSON).json() == {"parameters": names}
    assert {"program", "database", "exp", "match_scores"} <= set(names)


def test_parameter_details_come_as_xml_and_on_demand_as_json(double):
    told = get(double, "parameterdetails/database", headers=JSON).json()
    document = ET.fromstring(get(double, "parameterdetails/database").content)

    rows = told["values"]["values"]
    assert [row["value"] for row in rows] == [
        e.text for e in document.findall("values/value/value")
    ]
    inv = next(row for row in rows if row["value"] == "em_std_inv")
    assert inv["properties"]["properties"] == [{"key": "contexts", "value": "nucleotide"}]
    exp = get(double, "parameterdetails/exp", headers=JSON).json()
    defaults = [row["value"] for row in exp["values"]["values"] if row["defaultValue"]]
    assert defaults == ["10"]
    assert get(double, "parameterdetails/nonsense").status_code == 400


def test_the_database_list_changes_and_what_is_gone_is_refused(double, division):
    double.service.offer.change_databases(remove=["em_std_inv"], add={"em_std_ivt": "Invertebrate"})

    rows = get(double, "parameterdetails/database", headers=JSON).json()["values"]["values"]
    assert "em_std_ivt" in [row["value"] for row in rows]
    assert 'Currently "em_std_inv"' in refused(double, division.queries["exact"])


def test_json_is_ebis_with_percents_and_the_true_place(engine, division, clock):
    with EbiDouble(engine, clock=clock) as double:
        job = finished(double, division.queries["mutated"], filter="F")
        told = get(double, f"result/{job}/json").json()

    assert_follows_the_schema(told)
    hit = told["hits"][0]
    assert (hit["hit_db"], hit["hit_id"], hit["hit_os"]) == ("EM_INV", "AL138972", "NA")
    hsp = hit["hit_hsps"][0]
    same = sum(a == b for a, b in zip(hsp["hsp_qseq"], hsp["hsp_hseq"], strict=True))
    assert hsp["hsp_identity"] == round(100 * same / hsp["hsp_align_len"], 1)
    assert 85 < hsp["hsp_identity"] < 97
    assert hsp["hsp_hit_from"] - hsp["hsp_query_from"] == 7_000
    assert hsp["hsp_expect"] == float(f"{hsp['hsp_expect']:.2g}")
    assert (told["db_num"], told["db_len"], told["query_len"]) == (2, 100_000, 300)


def assert_follows_the_schema(document):
    """EBI's own schema where jsonschema is installed, else its required keys by hand."""
    from tests.conftest import SHARED

    path = SHARED / "ebi" / "samples" / "sss_schema.json"
    if not path.exists():
        pytest.skip("EBI's schema is not beside the project")
    schema = json.loads(path.read_text())
    try:
        import jsonschema
    except ModuleNotFoundError:
        _assert_required(document, schema)
    else:
        jsonschema.validate(document, schema)


def _assert_required(value, schema):
    kinds = {"object": dict, "array": list, "string": str, "number": (int, float)}
    kinds["boolean"] = bool
    assert isinstance(value, kinds[schema["type"]]), (value, schema["type"])
    if isinstance(value, dict):
        assert set(schema.get("required", [])) <= set(value)
        for name, inner in schema.get("properties", {}).items():
            if name in value:
                _assert_required(value[name], inner)
    if isinstance(value, list) and "contains" in schema:
        assert value
        for each in value:
            _assert_required(each, schema["contains"])


def test_the_minus_strand_and_several_hsps(engine, division, clock):
    with EbiDouble(engine, clock=clock) as double:
        minus = finished(double, division.queries["minus"])
        several = finished(double, division.queries["several"])
        hsp = get(double, f"result/{minus}/json").json()["hits"][0]["hit_hsps"][0]
        hsps = get(double, f"result/{several}/json").json()["hits"][0]["hit_hsps"]

    assert (hsp["hsp_strand"], hsp["hsp_hit_frame"]) == ("plus/minus", "-1")
    assert (hsp["hsp_hit_from"], hsp["hsp_hit_to"]) == (30_180, 30_001)
    assert [each["hsp_num"] for each in hsps][:3] == [1, 2, 3]
    assert sorted(each["hsp_hit_from"] // 1000 for each in hsps[:3]) == [5, 21, 42]


def test_dust_hides_what_is_simple_and_zero_hits_are_a_result(division, clock, require_program):
    require_program("blastn")
    with EbiDouble(division.engine, clock=clock) as double:
        job = finished(double, division.queries["masked"])
        assert get(double, f"result/{job}/json").json()["hits"] == []
        assert '<hits total="0">' in get(double, f"result/{job}/xml").text
        assert "No hits found" in get(double, f"result/{job}/out").text
        assert get(double, f"result/{job}/ids").text == ""


def test_xml_tells_what_json_tells(engine, division, clock):
    with EbiDouble(engine, clock=clock) as double:
        job = finished(double, division.queries["several"])
        told = get(double, f"result/{job}/json").json()
        root = ET.fromstring(get(double, f"result/{job}/xml").content)

    hits = root.findall(f".//{NS}hit")
    assert [hit.get("id") for hit in hits] == [hit["hit_id"] for hit in told["hits"]]
    alignments = hits[0].findall(f".//{NS}alignment")
    for alignment, hsp in zip(alignments, told["hits"][0]["hit_hsps"], strict=True):
        assert float(alignment.findtext(f"{NS}expectation")) == hsp["hsp_expect"]
        assert float(alignment.findtext(f"{NS}identity")) == hsp["hsp_identity"]
        assert alignment.findtext(f"{NS}pattern") == hsp["hsp_mseq"]


def test_text_is_blasts(engine, division, clock):
    with EbiDouble(engine, clock=clock) as double:
        job = finished(double, division.queries["minus"])
        text = get(double, f"result/{job}/out").text

    assert "Query= q1" in text
    assert "Strand=Plus/Minus" in text
    assert re.search(r"Sbjct +30180 +[ACGT]+ +30121", text)


def test_fasta_rows_have_flanks_and_an_overlap_of_their_own(engine, division, clock):
    sequence = "ACGT" * 8 + division.queries["mutated"] + "TTGCA" * 8
    with EbiDouble(engine, clock=clock) as double:
        job = finished(double, sequence, "fasta", program="fasta")
        told = get(double, f"result/{job}/json", "fasta").json()

    assert_follows_the_schema(told)
    hsp = told["hits"][0]["hit_hsps"][0]
    assert "hsp_gaps" not in hsp
    assert hsp["hsp_align_len"] != hsp["hsp_overlap"]
    assert len(hsp["hsp_qseq"]) > len(hsp["hsp_mseq"])
    assert hsp["hsp_identity"] == round(100 * hsp["hsp_mseq"].count(":") / hsp["hsp_overlap"], 1)
    assert hsp["hsp_query_display_from"] == hsp["hsp_query_from"] - 30


def test_scores_that_blastn_cannot_do_pass_and_end_in_error(division, clock, require_program):
    require_program("blastn")
    with EbiDouble(division.engine, clock=clock) as double:
        job = submit(double, division.queries["exact"], match_scores="2,-7")

        assert get(double, f"status/{job}").text == "ERROR"
        assert "not supported for substitution scores" in get(double, f"result/{job}/error").text
        assert get(double, f"result/{job}/json").status_code == 400


@pytest.mark.parametrize("status", [429, 400])
def test_the_31st_job_in_flight_is_refused_and_noted(division, clock, status):
    with EbiDouble(division.engine, clock=clock, run_seconds=60, crowded=status) as double:
        jobs = [submit(double, "ACGT" * 20) for _ in range(30)]
        reply = requests.post(f"{double.url}/ncbiblast/run", data=form("ACGT" * 20), timeout=10)
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
