"""What a search leaves behind can be read back, by us and by Biopython."""

from __future__ import annotations

import io
import json
from itertools import pairwise

import pytest
from Bio import SearchIO

from seqforge.domains.genome.similarity.hits import (
    Query,
    format_alignments,
    format_evalue,
    format_table,
    format_tsv,
    from_json,
    to_json,
    write_hits,
)
from seqforge.domains.genome.similarity.local_search import search_library
from seqforge.domains.genome.similarity.parameters import SearchParameters

COMPLEMENT = str.maketrans("ACGT", "TGCA")


@pytest.fixture
def results(fasta, random_bases, mutated):
    """Three queries: several HSPs on both strands and with gaps, nothing, and one hit."""
    unit, other = random_bases(200), random_bases(90)
    gapped = unit[:80] + unit[84:150] + "ACGTTT" + unit[150:]
    turned = gapped.translate(COMPLEMENT)[::-1]
    library = fasta(random_bases(300) + unit + random_bases(200) + turned, random_bases(50) + other)
    queries = [Query("BLAST one", unit), Query("none", "ACGTACGT"), Query("three", other)]
    return search_library(queries, library, SearchParameters(evalue=1e-6))


def check(parsed, results):
    by_id = {result.id: result for result in parsed}
    for result in results:
        name = result.query_id.replace(" ", "_")
        if not result.hits:
            assert name not in by_id or not by_id[name].hits
            continue
        assert [hit.id for hit in by_id[name].hits] == [hit.id for hit in result.hits]
        for read, hit in zip(by_id[name].hits, result.hits, strict=True):
            for one, hsp in zip(read.hsps, hit.hsps, strict=True):
                assert one.aln_span == hsp.align_length
                assert one.ident_pct == pytest.approx(hsp.identity, abs=1e-3)
                assert one.evalue == pytest.approx(hsp.evalue, rel=0.05)
                assert one.bitscore == pytest.approx(hsp.bit_score, abs=0.06)
                assert (one.query_start + 1, one.query_end) == (hsp.query_start, hsp.query_end)
                hit_places = sorted((hsp.hit_start, hsp.hit_end))
                assert [one.hit_start + 1, one.hit_end] == hit_places
                assert one.hit_strand == hsp.hit_strand
                assert one.gapopen_num == hsp.gap_opens
                assert one.mismatch_num == hsp.mismatches


def test_biopython_reads_the_table(results):
    text = format_tsv(results)

    check(list(SearchIO.parse(io.StringIO(text), "blast-tab", comments=True)), results)
    rows = "".join(line for line in text.splitlines(True) if not line.startswith("#"))
    check(list(SearchIO.parse(io.StringIO(rows), "blast-tab")), results)


def test_the_table_names_its_twelve_columns_and_the_size_of_the_library(results):
    lines = format_tsv(results).splitlines()

    rows = [line.split("\t") for line in lines if not line.startswith("#")]
    fields = [line for line in lines if line.startswith("# Fields: ")]
    assert {len(row) for row in rows} == {12} == {len(field.split(", ")) for field in fields}
    assert any(line == "# Database: library.fa (1,042 bases in 2 sequences)" for line in lines)
    assert "# 0 hits found" in lines


def test_json_gives_the_same_results_back(tmp_path, results):
    table, document = write_hits(results, tmp_path)

    assert from_json(document.read_text()) == results
    assert from_json(json.loads(json.dumps(to_json(results)))) == results
    assert table.read_text() == format_tsv(results)


def test_the_terminal_table_has_the_columns_of_ebi(results):
    first, head, *rows = format_table(results[0]).splitlines()

    assert first == (
        "BLAST one (200 bases, 0 % low-complexity) against library.fa, 1,042 bases in 2 sequences"
    )
    assert head.split("  ")[0] == "DB:ID"
    for column in ("Source", "Length", "Score (Bits)", "Identities %", "Positives %", "E()"):
        assert column in head
    assert rows[0].split() == [
        "library:s1", "sequence", "1", "902", "397.0", "100.0", "100.0",
        format_evalue(results[0].hits[0].hsps[0].evalue),
    ]  # fmt: skip
    assert "no hits with E() of 1e-06 or less" in format_table(results[1])


def test_the_table_says_how_much_is_low_complexity_and_whether_it_was_masked(fasta, random_bases):
    """Also where nothing is found: this may be why."""
    queries, library = [Query("q", "CA" * 15 + "GCGTTGCTAG")], fasta(random_bases(90) + "CA" * 40)
    unmasked, masked = (
        format_table(search_library(queries, library, SearchParameters(dust=dust, evalue=1e-3))[0])
        for dust in (False, True)
    )

    assert unmasked.startswith("q (40 bases, 75 % low-complexity) against")
    assert len(unmasked.splitlines()) == 3
    assert masked.startswith("q (40 bases, 75 % low-complexity, masked) against")
    assert "no hits" in masked


def test_alignments_are_numbered_as_blast_does(results):
    """On the minus strand the numbers of the hit count down; gaps do not count."""
    text = format_alignments(results[0])
    minus = results[0].hits[0].hsps[1]
    part = text[text.index("Strand=Plus/Minus") :]
    numbered = [line.split() for line in part.splitlines() if line.startswith("Sbjct")]

    assert int(numbered[0][1]) == minus.hit_start > minus.hit_end == int(numbered[-1][3])
    assert "".join(line[2] for line in numbered) == minus.hit_aligned
    for (_, _, _, last), (_, first, _, _) in pairwise(numbered):
        assert int(first) == int(last) - 1
    assert f"Identities = {minus.identity_count}/{minus.align_length} " in text


@pytest.mark.parametrize(
    ("evalue", "text"), [(0.0, "0.0"), (7.3e-6, "7.30e-06"), (0.15, "0.15"), (9.2, "9.2")]
)
def test_evalues_are_short(evalue, text):
    assert format_evalue(evalue) == text
