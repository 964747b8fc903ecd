"""What a comparison of samples and controls says: verdicts, tables, files, pictures."""

import csv
import io
import json
import xml.etree.ElementTree as ET
from dataclasses import replace
from itertools import pairwise
from math import inf

import pytest

from seqforge.domains.genome.similarity.control_comparison import (
    ComparedGroup,
    ControlComparison,
    evalue_distributions,
    found_whole,
)
from seqforge.domains.genome.similarity.hits import Hit, Hsp, SearchResult

SHUFFLES, MODEL, REAL = "shuffles of the samples", "order-5 Markov model", "held-out sequence"


def result(evalue, name="q", identical=20, length=100, gaps=0, **more):
    hits = ()
    if evalue is not None:
        hsp = Hsp(
            score=20, bit_score=32.2, evalue=evalue, identity=100.0, identity_count=identical,
            positive=100.0, positive_count=identical, gaps=gaps, query_strand=1, hit_strand=1,
            query_start=1, query_end=20, hit_start=5, hit_end=24,
            query_aligned="A" * 20, midline="|" * 20, hit_aligned="A" * 20,
        )  # fmt: skip
        hits = (Hit("db", "chr1", "chr1", "", "", 1000, "db.fa", (hsp,)),)
    return SearchResult(
        name, length, "seqforge local", "1", "db.fa", 123_456, 2, "now", hits=hits, **more
    )


def comparison(samples, **controls):
    names = {"samples": "the samples", "shuffle": SHUFFLES, "markov": MODEL, "real": REAL}
    groups = {
        kind: ComparedGroup(
            names[kind], tuple(result(e, f"{kind}_{i}") for i, e in enumerate(evalues))
        )
        for kind, evalues in {"samples": samples, **controls}.items()
    }
    return ControlComparison(groups, 10.0)


GOOD = [10.0**-power for power in range(20, 29)]
POOR = [0.3 + number / 100 for number in range(27)]
POORER = [None, 9.5, *POOR]


THEY, LIKE = "the samples are", "like the library"


@pytest.mark.parametrize(
    ("samples", "controls", "verdict"),
    [
        (GOOD, {"shuffle": POOR, "markov": POORER}, f"{THEY} more {LIKE} than chance"),
        (POORER, {"shuffle": GOOD, "markov": GOOD}, f"{THEY} less {LIKE} than chance"),
        (POOR, {"shuffle": POOR, "markov": POOR}, f"nothing shows that {THEY} more {LIKE} than ch"),
        (
            GOOD,
            {"shuffle": GOOD, "markov": POOR},
            f"{THEY} more {LIKE} than an {MODEL} but not than {SHUFFLES}",
        ),
        (GOOD[:2], {"shuffle": POOR[:2]}, f"2 samples cannot tell whether they are more {LIKE}"),
        (GOOD[:1], {"shuffle": POOR[:5], "markov": POOR[:5]}, "1 sample cannot tell whether they"),
        (GOOD, {"real": POOR}, f"whether {THEY} more {LIKE} than chance was not asked"),
    ],
)
def test_the_verdict_follows_the_tests(samples, controls, verdict):
    sentence = comparison(samples, **controls).sentence()

    assert sentence.startswith(verdict)
    assert "(db.fa, 123,456 bases)" in sentence, "an E-value stands beside the library's length"


def test_the_sentence_has_every_effect_its_p_and_the_least_that_p_can_be():
    sentence = comparison(GOOD[:3], shuffle=POOR[:3], markov=POOR[:4]).sentence()

    assert "100 % with shuffles of the samples (p = 0.1)" in sentence
    assert "100 % with an order-5 Markov model (p = 0.057)" in sentence
    assert sentence.startswith("3 samples cannot tell")
    assert sentence.endswith("with 3 samples no p can be below 0.057")


def test_sequences_without_a_hit_are_the_least_alike_and_tie():
    found = comparison([None, 5.0], shuffle=[None, 9.0])

    assert found.groups["samples"].likeness[0] == -inf
    # None ties with None (1/2) and is below 9; 5 is above both.
    assert found.tests()["shuffle"].u == 2.5


def test_an_evalue_of_nothing_is_the_most_alike():
    found = comparison([0.0, 1e-300], shuffle=[1e-300, 1e-299])

    assert found.tests()["shuffle"].u == 3.5
    assert found.table()[0]["lowest E()"] == "0.0"


def test_the_table_has_a_row_a_group():
    rows = comparison(GOOD, shuffle=POOR, markov=[None] * 9).table()

    assert [row["sequences"] for row in rows] == ["the samples", SHUFFLES, MODEL]
    assert [row["how many"] for row in rows] == [9, 27, 9]
    assert [row["median best E()"] for row in rows] == ["1.00e-24", "0.43", "> 10"]
    assert [row["lowest E()"] for row in rows] == ["1.00e-28", "0.3", "> 10"]
    assert [row["E() <= 0.001"] for row in rows] == [9, 0, 0]
    assert [row["samples better (% of pairs)"] for row in rows] == [None, 100, 100]
    assert [row["Cliff's delta"] for row in rows] == [None, "+1.00", "+1.00"]


def test_how_much_of_a_group_is_of_low_complexity_is_said_where_it_is_known():
    found = comparison([1.0, 2.0], shuffle=[3.0])
    first, second = found.groups["samples"].results
    samples = replace(first, masked=0.5), replace(second, masked=0.0)
    groups = {**found.groups, "samples": ComparedGroup("the samples", samples)}

    rows = ControlComparison(groups, 10.0).table()

    assert [row["low-complexity %"] for row in rows] == [25.0, None]


def test_the_files_have_every_sequence_and_the_librarys_length():
    found = comparison([1e-5, None], shuffle=[2.0])

    rows = list(csv.DictReader(io.StringIO(found.tsv()), delimiter="\t"))
    assert [(row["group"], row["query"], row["best_evalue"]) for row in rows] == [
        ("samples", "samples_0", "1.00e-05"), ("samples", "samples_1", ""),
        ("shuffle", "shuffle_0", "2"),
    ]  # fmt: skip
    assert {row["library_length"] for row in rows} == {"123456"}
    assert rows[0]["hit"] == "chr1"
    document = json.loads(json.dumps(found.summary(), allow_nan=False))
    assert document["best_evalues"] == {"samples": [1e-5, None], "shuffle": [2.0]}
    assert document["library_length"] == 123_456
    assert document["tests"]["shuffle"]["p"] == found.tests()["shuffle"].p
    assert document["tests"]["shuffle"]["exact"] is True


def test_the_text_for_a_terminal_has_table_and_notes():
    found = comparison(GOOD, shuffle=POOR)
    text = ControlComparison(found.groups, 10.0, notes=("a note",)).text()

    assert text.splitlines()[0].startswith("sequences ")
    assert text.splitlines()[-1] == "a note"
    assert found.sentence() not in text, "the report says it, once"


@pytest.mark.parametrize(
    ("found", "whole"),
    [
        (result(1e-40, identical=100), True),
        (result(1e-40, identical=99), True),
        (result(1e-40, identical=98), False),
        (result(1e-40, identical=100, gaps=1), False),
        (result(None), False),
    ],
)
def test_a_query_that_stands_in_the_library_whole_is_known(found, whole):
    assert found_whole(found) is whole


def test_the_picture_has_better_evalues_further_right():
    groups = {"a": [None, 10.0, 1.0, 0.1, 1e-3, 1e-50, 1e-200, 0.0], "b": [2.0]}

    picture = evalue_distributions(groups, 10.0)

    places = picture.groups["a"]
    assert places == sorted(places)
    assert len(set(places)) == len(places)
    assert places[0] == 0
    assert places[-1] <= 1
    ticks = [place for place, _ in picture.ticks]
    assert [label for _, label in picture.ticks][:3] == ["none", "1", "1e-50"]
    assert all(b - a > 0.1 for a, b in pairwise(ticks)), "labels have room"
    apart = [b - a for a, b in pairwise(ticks[1:])]
    assert max(apart) == pytest.approx(min(apart)), "the axis is logarithmic"
    by_label = {label: place for place, label in picture.ticks}
    assert by_label["1"] == places[2]
    assert by_label["1e-50"] == places[5]
    assert by_label["1e-200"] == places[6]


@pytest.mark.parametrize("limit", [0.001, 1.0, 10.0, 1000.0])
@pytest.mark.parametrize("evalues", [[None], [None, None], [1e-9], [0.0009, None], []])
def test_any_evalues_can_be_drawn(limit, evalues):
    picture = evalue_distributions({"a": evalues, "b": [None]}, limit)

    ET.fromstring(picture.svg(alone=True))
    assert all(0 <= place <= 1 for place in picture.groups["a"])
