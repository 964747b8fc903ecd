"""The double of EBI's service: its results are a real search's, written as the service writes."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET

import pytest

from tests.conftest import SHARED
from tests.ebi_double import BlastEngine, EbiDouble, LocalEngine
from tests.ebi_double.raw import finished, get, submit

NS = "{http://www.ebi.ac.uk/schema}"


@pytest.fixture(params=["blastn", "local"])
def engine(request, division):
    """The same claims with BLAST+ behind the double and without."""
    if request.param == "local":
        return LocalEngine(division.path)
    request.getfixturevalue("require_program")("blastn")
    assert isinstance(division.engine, BlastEngine)
    return division.engine


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
