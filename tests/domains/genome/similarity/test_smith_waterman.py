"""Scores and alignments: equal to a plain Smith-Waterman, with either aligner."""

from __future__ import annotations

from importlib.util import find_spec

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqforge.domains.genome.similarity.scoring import Scoring
from seqforge.domains.genome.similarity.smith_waterman import (
    OpalScanner,
    ParasailScanner,
    align_back,
    align_through,
    installed_backend,
)
from seqforge.domains.genome.similarity.top_alignments import Chunk, chunks
from tests.conftest import missing

NEVER = -(10**9)

bases = st.text("ACGT", min_size=1, max_size=60)
scorings = st.sampled_from([Scoring(1, -3, 5, 2), Scoring(2, -3, 5, 2), Scoring(1, -1, 0, 2)])


def plain_smith_waterman(query: str, hit: str, scoring: Scoring) -> int:
    """Gotoh's recurrence, cell by cell."""
    best = 0
    above = [0] * (len(hit) + 1)
    gap_hit = [NEVER] * (len(hit) + 1)
    for letter in query:
        row, gap_query = [0], NEVER
        for j, other in enumerate(hit, 1):
            opening = scoring.gap_open + scoring.gap_extend
            gap_hit[j] = max(above[j] - opening, gap_hit[j] - scoring.gap_extend)
            gap_query = max(row[j - 1] - opening, gap_query - scoring.gap_extend)
            pair = scoring.pair(letter, other)
            row.append(max(0, above[j - 1] + pair, gap_hit[j], gap_query))
        above, best = row, max(best, *row)
    return best


def score_of(query_aligned: str, hit_aligned: str, scoring: Scoring) -> int:
    """What an alignment is worth, column by column."""
    total, inside = 0, ""
    for a, b in zip(query_aligned, hit_aligned, strict=True):
        gap = "query" if a == "-" else "hit" if b == "-" else ""
        if gap:
            total -= scoring.gap_extend + (scoring.gap_open if gap != inside else 0)
        else:
            total += scoring.pair(a, b)
        inside = gap
    return total


@given(
    query=st.text("ACGTNRYB", min_size=1, max_size=60),
    hit=st.text("ACGTNRX", max_size=60),
    s=scorings,
)
def test_scores_are_those_of_plain_smith_waterman(query, hit, s):
    scanner = installed_backend().scanner(query.encode(), s)

    found = [end.score for end in scanner.best_ends([hit.encode()] if hit else [])]

    assert found == ([plain_smith_waterman(query, hit, s)] if hit else [])


@given(query=bases, hit=bases, s=scorings)
def test_the_traced_alignment_has_the_score_and_the_letters(query, hit, s):
    end = installed_backend().scanner(query.encode(), s).best_ends([hit.encode()])[0]
    if end.score == 0:
        return
    upto = query[: end.query + 1], hit[: end.hit + 1]

    found = align_back(upto[0].encode(), upto[1].encode(), end.score, s)

    assert score_of(found.query_aligned, found.hit_aligned, s) == end.score
    assert found.query_aligned.replace("-", "") == query[found.query_start : found.query_stop]
    assert found.hit_aligned.replace("-", "") == hit[found.hit_start : found.hit_stop]
    assert (found.query_stop, found.hit_stop) == (end.query + 1, end.hit + 1)


def test_a_score_that_no_alignment_has_is_an_error():
    with pytest.raises(ValueError, match="no alignment of score 9 ends there"):
        align_back(b"ACGT", b"ACGT", 9, Scoring(1, -3, 5, 2))


def test_gaps_of_every_length_are_found_again(random_bases):
    """Gap of length k costs 5 + 2k, in the query and in the hit."""
    left, right = random_bases(60), random_bases(60)
    scoring = Scoring(1, -3, 5, 2)
    for k in (1, 2, 7, 20):
        inserted = random_bases(k)
        for query, hit in ((left + right, left + inserted + right),
                           (left + inserted + right, left + right)):  # fmt: skip
            found = align_back(query.encode(), hit.encode(), 120 - 5 - 2 * k, scoring)

            assert (found.query_start, found.hit_start) == (0, 0)
            assert found.query_aligned.count("-") + found.hit_aligned.count("-") == k


@given(length=st.integers(1, 500), size=st.integers(2, 200), overlap=st.integers(0, 100))
def test_any_overlap_letters_in_a_row_are_in_one_stretch(length, size, overlap):
    if size <= overlap:
        with pytest.raises(ValueError, match="cannot overlap"):
            list(chunks(length, size, overlap))
        return
    found = list(chunks(length, size, overlap))
    reach = min(length, max(1, overlap))

    assert max(part.stop for part in found) == length
    for start in range(length - reach + 1):
        assert any(part.start <= start and start + reach <= part.stop for part in found)


@settings(max_examples=30)
@given(queries=st.lists(bases, max_size=3), hits=st.lists(bases, min_size=1, max_size=4))
def test_both_aligners_give_the_same_scores(queries, hits):
    for aligner in ("parasail", "pyopal"):
        if find_spec(aligner) is None:
            missing(aligner)
    parts = [hit.encode() for hit in hits]
    for query in queries:
        scoring = Scoring(1, -3, 5, 2)
        scanners = ParasailScanner(query.encode(), scoring), OpalScanner(query.encode(), scoring)
        one, other = ([end.score for end in scanner.best_ends(parts)] for scanner in scanners)
        assert one == other


def test_stretches_are_plain_tuples():
    assert list(chunks(10, 6, 2)) == [Chunk(0, 6), Chunk(4, 10)]


@given(query=bases, hit=bases, core=st.text("ACGT", min_size=5, max_size=20), s=scorings,
       at=st.tuples(st.integers(0, 60), st.integers(0, 60)))  # fmt: skip
def test_the_best_alignment_through_a_pair_is_the_best_of_all_that_have_it(query, hit, core, s, at):
    """Never above Smith-Waterman's, and equal to it where Smith-Waterman's has the pair."""
    query, hit = query[: at[0]] + core + query[at[0] :], hit[: at[1]] + core + hit[at[1] :]
    pair = min(at[0], len(query) - len(core)) + 2, min(at[1], len(hit) - len(core)) + 2

    found = align_through(query.encode(), hit.encode(), pair, 1000, s)

    assert score_of(found.query_aligned, found.hit_aligned, s) == found.score
    assert found.query_aligned.replace("-", "") == query[found.query_start : found.query_stop]
    assert found.hit_aligned.replace("-", "") == hit[found.hit_start : found.hit_stop]
    assert pair in pairs_of(found)
    best = plain_smith_waterman(query, hit, s)
    assert len(core) * s.reward <= found.score <= best
    end = installed_backend().scanner(query.encode(), s).best_ends([hit.encode()])[0]
    traced = align_back(query[: end.query + 1].encode(), hit[: end.hit + 1].encode(), best, s)
    beside = {(pair[0] + step, pair[1] + step) for step in (-1, 0, 1)}
    if beside <= pairs_of(traced):
        assert found.score == best


def pairs_of(alignment):
    """Places that face each other."""
    found, i, j = set(), alignment.query_start, alignment.hit_start
    for a, b in zip(alignment.query_aligned, alignment.hit_aligned, strict=True):
        if a != "-" != b:
            found.add((i, j))
        i, j = i + (a != "-"), j + (b != "-")
    return found
