"""The section of a page on hits: what says something first, what says nothing greyed."""

import dataclasses
import re

import pytest

from seqforge.domains.genome.similarity.hits import Query, write_hits
from seqforge.domains.genome.similarity.hits_section import hits_section, read_hits, sentence
from seqforge.domains.genome.similarity.local_search import search_library
from seqforge.domains.genome.similarity.parameters import SearchParameters
from seqforge.errors import RunError
from tests.reporting.material import Checker

HOSTILE = "<script>alert(1)</script>&amp;"


@pytest.fixture
def results(fasta, random_bases):
    """A copy of the library, a run of A that it has too, and a stranger."""
    library = random_bases(2_000)
    copied, low = library[500:700], "A" * 60
    queries = [
        Query("low", random_bases(100) + low + random_bases(100)),
        Query("stranger", random_bases(40)),
        Query(f"copy{HOSTILE}", random_bases(100) + copied + random_bases(50)),
    ]
    found = search_library(queries, fasta(library[:1000] + low + library[1000:]),
                           SearchParameters(evalue=1e-2))  # fmt: skip
    return [dataclasses.replace(result, masked=0.1) for result in found]


def parsed(section):
    checker = Checker()
    checker.feed(section.markup)
    checker.close()
    assert checker.open == []
    return checker


def test_real_hits_come_first_and_low_complexity_is_greyed(results):
    found = parsed(hits_section(results))
    table = found.text[found.text.index("E-value") :]
    rows = [row for row in table.splitlines() if row.startswith(("copy", "low2", "stranger"))]
    assert [row[:3] for row in rows] == ["cop", "low", "str"]
    classes = [value for tag, name, value in found.attributes if (tag, name) == ("tr", "class")]
    assert classes == ["weak", "weak"], "the run of A, and what has no hit"
    boxes = [value for tag, name, value in found.attributes if (tag, name) == ("rect", "class")]
    assert boxes[0] == "hit4", "a copy of 200 bases"
    assert "low" in boxes
    assert "none" in found.text
    assert re.search(r"Identities = (20\d)/\1 \(100%\)", found.text)
    assert HOSTILE in found.text
    assert "script" not in found.tags


def test_a_box_lies_where_the_alignment_does(results):
    found = parsed(hits_section(results))
    boxes = [{n: v for t, n, v in found.attributes[i : i + 6] if t == "rect"}
             for i, one in enumerate(found.attributes) if one[:2] == ("rect", "class")]  # fmt: skip
    first = boxes[0]
    assert float(first["x"]) == pytest.approx(100 / 350 * 640, abs=8)
    assert float(first["width"]) == pytest.approx(200 / 350 * 640, abs=16)


def test_the_sentence_counts_what_says_something(results):
    assert sentence(results) == (
        "1 of 3 samples has a hit with E <= 0.001 outside of low-complexity sequence; 1 more in "
        "such sequence alone, where anything finds something."
    )
    assert sentence(results[1:2]) == (
        "None of 1 sample has a hit with E <= 0.001 outside of low-complexity sequence."
    )
    proteins = [dataclasses.replace(result, masked=None) for result in results]
    assert sentence(proteins).startswith("2 of 3 samples have"), "of proteins it is not known"


def test_hits_are_read_as_they_were_written(results, tmp_path):
    assert read_hits(tmp_path / "hits.json") == []
    write_hits(results, tmp_path)
    assert read_hits(tmp_path / "hits.json") == results
    for damage in ("{", "{}", '{"results": [{}]}', "[]"):
        (tmp_path / "hits.json").write_text(damage)
        with pytest.raises(RunError, match=r"hits\.json: cannot be read as hits"):
            read_hits(tmp_path / "hits.json")


def test_many_samples_and_long_alignments_are_cut(results):
    many = [dataclasses.replace(results[2], query_id=f"q{n}") for n in range(70)]
    found = parsed(hits_section(many))
    assert "10 more samples are not shown." in found.text
    hit = results[2].hits[0]
    hsp = dataclasses.replace(hit.hsps[0], query_aligned="ACGT" * 600, hit_aligned="ACGT" * 600)
    long = dataclasses.replace(results[2], hits=(dataclasses.replace(hit, hsps=(hsp,)),))
    assert "2,400 columns: see alignments.txt" in parsed(hits_section([long])).text
