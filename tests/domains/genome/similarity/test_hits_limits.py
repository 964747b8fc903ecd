"""What limits leave out is said wherever hits are; names are what every reader takes them for."""

from __future__ import annotations

import csv
import io
import json

import pytest
from Bio import SearchIO

from seqforge.domains.genome.search import search_files
from seqforge.domains.genome.similarity.backends import LocalBackend
from seqforge.domains.genome.similarity.blastplus import BlastPlusBackend
from seqforge.domains.genome.similarity.hits import (
    Query,
    format_table,
    format_tsv,
)
from seqforge.domains.genome.similarity.parameters import SearchParameters

STRICT = SearchParameters(evalue=1e-6)


def silent(done, total, what):
    pass


@pytest.fixture
def unit(random_bases):
    return random_bases(60)


@pytest.fixture
def files(tmp_path, fasta, random_bases, unit):
    """Samples, and a library of twelve copies in one sequence and twelve in a sequence each."""
    copies = "".join(unit + random_bases(100) for _ in range(12))
    samples = tmp_path / "s.fa"
    samples.write_text(f">u\n{unit}\n>v\n{random_bases(40)}\n")
    return samples, fasta(copies, *[random_bases(30) + unit[:-4] for _ in range(12)])


@pytest.mark.parametrize("backend", [LocalBackend, BlastPlusBackend])
def test_what_is_left_out_is_said_everywhere(tmp_path, files, backend, require_program):
    require_program("blastn")
    samples, library = files
    parameters = SearchParameters(evalue=1e-6, max_hits=6, max_hsps=4)

    report = search_files([samples], backend([library]), tmp_path / "out", parameters)

    first, other = report.results
    assert (len(first.hits), first.more_hits) == (6, True)
    by_name = {hit.id: hit for hit in first.hits}
    assert (len(by_name["s1"].hsps), by_name["s1"].more_hsps) == (4, True)
    assert [name for name, hit in by_name.items() if hit.more_hsps] == ["s1"]
    assert (other.more_hits, other.more_hsps) == (False, False)
    assert list(report.notes()) == [
        "more library sequences were left out for u: --max-hits 6",
        "more alignments with a library sequence were left out for u: --max-hsps 4",
    ]
    assert report.summary()["notes"] == list(report.notes())
    document = json.loads((tmp_path / "out" / "hits.json").read_text())
    assert [result["more_hits"] for result in document["results"]] == [True, False]
    text = (tmp_path / "out" / "alignments.txt").read_text()
    assert text.count("more alignments: --max-hsps 4") == 1
    assert text.count("more library sequences: --max-hits 6") == 1
    assert "left out: more library sequences (--max-hits 6)" in format_table(first)
    check_readers(report.results)


@pytest.mark.parametrize("backend", [LocalBackend, BlastPlusBackend])
def test_where_all_is_kept_nothing_is_said(tmp_path, files, backend, require_program):
    require_program("blastn")
    samples, library = files
    parameters = SearchParameters(evalue=1e-6, max_hits=13, max_hsps=12)

    report = search_files([samples], backend([library]), tmp_path / "out", parameters)

    assert [len(result.hits) for result in report.results] == [13, 0]
    assert max(len(hit.hsps) for hit in report.results[0].hits) == 12
    assert list(report.notes()) == []


def check_readers(results):
    """Biopython, the csv module and one that knows comments all read as many rows."""
    rows = sum(len(hit.hsps) for result in results for hit in result.hits)
    text = format_tsv(results)
    read = list(SearchIO.parse(io.StringIO(text), "blast-tab", comments=True))
    assert sum(len(hit.hsps) for result in read for hit in result.hits) == rows
    bare = [line.split("#")[0] for line in text.splitlines()]  # as pandas' comment="#" has it
    cells = list(csv.reader(io.StringIO("\n".join(filter(None, bare))), delimiter="\t"))
    assert len(cells) == rows
    assert {len(row) for row in cells} <= {12}
    return cells


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("#x", "%23x"),
        ('"x', "%22x"),
        ("5'UTR", "5%27UTR"),
        ("a\tb", "a_b"),
        ("a\nb", "a_b"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("100%23", "100%2523"),
        ("100%", "100%"),
        ("processed hits found", "processed_hits_found"),
        ("BLAST", "BLAST"),
        ("Fields", "Fields"),
        ("", "unnamed"),
    ],
)
def test_a_name_of_any_kind_is_one_cell(fasta, unit, name, shown):
    library = fasta(unit)
    (result,) = LocalBackend([library]).search([Query(name, unit)], STRICT, silent)

    ((query, *_),) = check_readers([result])

    assert query == shown
    assert all(line.isprintable() for line in format_table(result).splitlines())


def test_names_of_queries_and_library_come_through_a_whole_search_printable(tmp_path, unit):
    samples, library = tmp_path / "s.fa", tmp_path / "l.fa"
    samples.write_bytes(f">#x a\n{unit}\n>\x1b]0;t\x07y 'b'\n{unit}\n".encode())
    library.write_bytes(f'>"lib#1 \x1b[2Jgone\n{unit}\n'.encode())

    report = search_files([samples], LocalBackend([library]), tmp_path / "out", STRICT)

    assert [row[0] for row in check_readers(report.results)] == ["%23x", "\\x1b]0;t\\x07y"]
    for name in ("hits.tsv", "alignments.txt"):
        text = (tmp_path / "out" / name).read_text()
        assert text.replace("\n", "").replace("\t", "").isprintable()
    assert report.table().replace("\n", "").isprintable()
