"""The double of EBI's service: its calls, states, lists and refusals are what is known of them."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
import requests

from tests.ebi_double import EbiDouble
from tests.ebi_double.raw import JSON, described, finished, form, get, refused, submit
from tests.patience import PATIENCE

JOB_ID = re.compile(r"(ncbiblast|fasta)-R\d{8}-\d{6}-\d{4}-\d{7,8}-p1m")


@pytest.mark.parametrize("path", ["run", "run/"])
def test_a_submission_answers_with_a_bare_id(double, division, path):
    reply = requests.post(
        f"{double.url}/ncbiblast/{path}", data=form(division.queries["exact"]), timeout=PATIENCE
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
    reply = requests.post(f"{double.url}/ncbiblast/run", files=parts, timeout=PATIENCE)

    assert JOB_ID.fullmatch(reply.text)
    first, second = double.submissions
    assert first.parameters["database"] == databases
    assert second["sequence"] == ">q1\n" + "ACGT" * 9 + "\n"


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


def test_a_person_can_run_it_and_is_told_what_to_type(division, tmp_path):
    command = [sys.executable, "-m", "tests.ebi_double", "--library", str(division.path)]
    with subprocess.Popen(
        [*command, "--seconds", "0.1"],
        cwd=Path(__file__).parents[3],
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        line = process.stdout.readline()
        address = line.split()[-1]
        data = form(division.queries["exact"])
        job = requests.post(f"{address}/ncbiblast/run", data=data, timeout=PATIENCE).text
        process.send_signal(signal.SIGINT)
        rest = process.stdout.read()

    assert line.startswith("seqforge blast samples.fa --email you@your.org --base-url http://")
    assert JOB_ID.fullmatch(job)
    assert rest.endswith("1 jobs were accepted\n")
    assert process.returncode == 0
