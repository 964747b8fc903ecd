"""Replies made to take for ever or to fill the memory: each is one sentence, or what is in it.

No test here looks at a clock: what took the square of these sizes would not come to an end.
"""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqforge.domains.genome.ebi.client import read_details, read_types
from seqforge.domains.genome.ebi.errors import Unreadable, is_page, page_text, parse_json, parse_xml
from seqforge.domains.genome.ebi.replies import QueryContext, parse_reply
from tests.steps import growth

ASKED = QueryContext("q", 100, "ncbiblast", "blastn", "em_std_inv", "2026-11-30T00:00:00+00:00")
BLAST = "BLASTN 2.16.0+\n\nSequences producing significant alignments:  (Bits)  Value\n\n"
FASTA = "# fasta36\n version 36.3.8\nThe best scores are:  opt bits E(1)\n"
MANY = 400_000


@pytest.mark.parametrize(
    "unit",
    ["<h1>", "<h1", "<", "<description>", "<description", "</description", "<title>", "&lt;", "&",
     "&#" + "9" * 50, "<h1></h1", "\x1b[31m", " \n", "<![CDATA["],
)  # fmt: skip
@pytest.mark.parametrize("before", [b"", b"<html>", b"<description>", b"<!doctype html><h1 "])
def test_what_an_answer_says_is_found_in_one_pass(before, unit):
    text = page_text(before + unit.encode() * (MANY // len(unit)))
    assert len(text) < 400
    assert "\x1b" not in text


def test_what_is_said_stays_what_it_was():
    assert page_text(
        b"<error>\n<description  a='b'>No\nsuch <b>job</b> &amp; more</description>"
    ) == ("No such job & more")
    assert page_text(b"<html><head><TITLE>t</TITLE><body><H1 class=x>Bad</H1>") == (
        "a web page titled \u201cBad\u201d"
    )
    assert (
        page_text(b"<html><head><title>t</title><h1>never ended")
        == "a web page titled \u201ct\u201d"
    )
    assert page_text(b"<html>") == "a web page without a title"


@given(st.binary(max_size=300))
def test_anything_is_said_and_read_or_refused(body):
    assert len(page_text(body)) <= 330
    is_page(body)
    for read in (parse_xml, parse_json, read_details, read_types):
        with suppress(Unreadable):
            read(body)
    for kind in ("json", "xml", "out"):
        with suppress(Unreadable):
            parse_reply(kind, body, ASKED)


LAUGHS = b"".join(
    [b'<?xml version="1.0"?><!DOCTYPE r [<!ENTITY a0 "ha">',
     *(b'<!ENTITY a%d "%s">' % (n, b"&a%d;" % (n - 1) * 10) for n in range(1, 12)),
     b"]><EBIApplicationResult>&a11;</EBIApplicationResult>"],
)  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("xml", LAUGHS),
        ("xml", b"<a>" * 200_000),
        ("xml", b"<a>" * 200_000 + b"</a>" * 200_000),
        ("xml", b"<r>" + b"<a/>" * 2_100_000 + b"</r>"),
        ("json", b"[" * 200_000),
        ("json", b'{"hits":' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
        ("json", b'{"hits":[' + b"[]," * 2_100_000 + b"[]]}"),
        ("json", b'{"hits": [{"hit_id": "x", "hit_len": ' + b"9" * 5_000 + b"}]}"),
        ("json", b'{"hits": [' + b'{"a":' * 50_000 + b"1" + b"}" * 50_000 + b"]}"),
        ("json", b'{"hits": 7}'),
        ("json", b'"' + b"\\u0041" * 100_000),
        ("out", b"x" * (1 << 24) + b"x"),
        ("out", b"BLASTN " * 100_000),
    ],
    ids=range(13),
)
def test_a_bomb_is_refused(kind, body):
    with pytest.raises(Unreadable) as caught:
        parse_reply(kind, body, ASKED)
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize(
    "body",
    [
        LAUGHS,
        b"<parameter>" + b"<a>" * 100_000 + b"</a>" * 100_000 + b"</parameter>",
        b'{"name":' * 50_000,
        b'{"name": "x", "values": {"values": [' + b'{"value": "1"},' * 20_000 + b"{}]}}",
        b'[{"a": ' * 50_000 + b"1" + b"}]" * 50_000,
    ],
    ids=range(5),
)
def test_bombs_in_what_the_service_says_of_itself_are_refused(body):
    for read in (read_details, read_types):
        with pytest.raises(Unreadable):
            read(body)


@pytest.mark.parametrize(
    "value", ["1e999", "-1e999", "NaN", "Infinity", '"9e9999"', '"x"', "null", "[]", "true", "{}"]
)
@pytest.mark.parametrize("key", ["hsp_score", "hsp_expect", "hsp_query_from", "hsp_hit_to",
                                 "hsp_identity", "hsp_align_len", "hsp_gaps"])  # fmt: skip
def test_a_number_that_is_none_makes_no_traceback(key, value):
    hsp = {"hsp_score": 1, "hsp_expect": 1e-9, "hsp_query_from": 1, "hsp_query_to": 9,
           "hsp_hit_from": 1, "hsp_hit_to": 9, "hsp_identity": 100, "hsp_align_len": 9,
           "hsp_gaps": 0}  # fmt: skip
    text = json.dumps({"hits": [{"hit_id": "x", "hit_hsps": [{**hsp, key: "HERE"}]}]})
    with suppress(Unreadable):
        parse_reply("json", text.replace('"HERE"', value).encode(), ASKED)


@pytest.mark.parametrize(
    "line",
    [
        "1" * MANY, "1," * (MANY // 2), " " * MANY, "a" + " " * MANY + "1 x", "a " + "1 " * 200_000,
        "(" * MANY, "a ( 1 ( " * 50_000, "Score = 1 bits (1), Expect = 1 " * 20_000,
        ">x\n" * 100_000, " Score = 1\n" * 40_000, "score: 1; " * 40_000, "OS=" * 100_000,
        "x.1" * 100_000, "version " * 50_000, "Identities = 1/" * 30_000,
    ],
    ids=range(15),
)  # fmt: skip
@pytest.mark.parametrize("report", [BLAST, FASTA])
def test_a_report_is_read_in_one_pass(report, line):
    row = f"x  {line}  40.1  2e-09\n\n>x\n"
    for text in (report + line, line + "\n" + report, report + row + line):
        with suppress(Unreadable):
            parse_reply("out", text.encode(), ASKED)


def test_rows_of_one_name_do_not_read_its_alignment_again_and_again():
    section = ">x y\nLength=9\n\n" + " Score = 40.1 bits (20),  Expect = 2e-09\n" * 200

    def read(rows: int) -> None:
        table = "x  y  40.1  2e-09\n" * rows
        parse_reply("out", f"{BLAST}{table}\n\n{section}".encode(), ASKED)

    assert growth(read, 100) < 1.1


def test_texts_of_the_service_have_no_escape_sequences():
    hit = {"hit_id": "x\x1b[31m", "hit_desc": "a\u202eb\x9b", "hit_db": "D\x07", "hit_hsps": [
        {"hsp_expect": 1, "hsp_query_from": 1, "hsp_query_to": 2, "hsp_hit_from": 1,
         "hsp_hit_to": 2}]}  # fmt: skip
    body = json.dumps({"program": "blastn\x1b", "version": "\x1b]0;x\x07", "hits": [hit]}).encode()
    told = str(parse_reply("json", body, ASKED))
    assert "x\\\\x1b[31m" in told
    assert told.isprintable()
