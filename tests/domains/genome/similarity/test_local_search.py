"""The local search: the same whatever is cut, turned or packed."""

from __future__ import annotations

import gzip
from itertools import pairwise

import pytest

from seqforge.domains.genome.similarity.hits import Query
from seqforge.domains.genome.similarity.local_search import search_library
from seqforge.domains.genome.similarity.parameters import SearchParameters
from seqforge.domains.genome.similarity.smith_waterman import Backend, installed_backend
from seqforge.errors import ConfigError, InputError

COMPLEMENT = str.maketrans("ACGT", "TGCA")
ALL = SearchParameters(evalue=1e9, max_hsps=4)


def places(result):
    return [
        (hit.id, h.hit_strand, h.query_start, h.query_end, h.hit_start, h.hit_end, h.score)
        for hit in result.hits
        for h in hit.hsps
    ]


def small(size: int) -> Backend:
    """The installed aligner, with stretches as short as they may be."""
    return Backend("parasail", installed_backend().scanner, size)


def test_hsps_say_where_and_how_well(fasta, random_bases):
    hit = random_bases(1000)
    query = random_bases(50) + hit[300:400] + random_bases(30)
    changed = query[:99] + ("A" if query[99] != "A" else "C") + query[100:]
    turned = hit.translate(COMPLEMENT)[::-1]

    result = search_library([Query("q", changed)], fasta(hit, turned))[0]

    assert [one.id for one in result.hits] == ["s1", "s2"]
    plus, minus = (one.hsps[0] for one in result.hits)
    assert (plus.query_start, plus.query_end) == (minus.query_start, minus.query_end)
    assert plus.query_start in range(45, 52)
    assert plus.hit_start - plus.query_start == 250
    assert (minus.hit_start, minus.hit_end) == (1001 - plus.hit_start, 1001 - plus.hit_end)
    assert (plus.hit_strand, minus.hit_strand) == (1, -1)
    assert plus.score == plus.identity_count - 3
    assert plus.identity == pytest.approx(100 * plus.identity_count / plus.align_length)
    assert plus.mismatches == 1
    assert plus.midline.count("|") == plus.positive_count == plus.identity_count
    assert plus.query_aligned == minus.query_aligned
    assert (result.database_length, result.database_sequences) == (2000, 2)
    assert result.hits[0].length == 1000
    assert result.hits[0].description == "sequence 1"
    assert result.parameters["gap_open"] == 5


def test_a_query_turned_round_finds_the_same_on_the_other_strand(
    fasta, random_bases, mutated, chr2r
):
    library = fasta(chr2r[:100_000], random_bases(5000))
    query = mutated(chr2r[40_000:40_600], 0.1)

    plus, minus = search_library(
        [Query("plus", query), Query("minus", query.translate(COMPLEMENT)[::-1])], library
    )

    last = len(query) + 1
    turned = [
        (name, -strand, last - stop, last - start, hit_stop, hit_start, score)
        for name, strand, start, stop, hit_start, hit_stop, score in places(minus)
        if score > 30
    ]
    assert turned
    assert turned == [place for place in places(plus) if place[-1] > 30]
    scores = [[place[-1] for place in places(result)] for result in (plus, minus)]
    assert scores[0] == scores[1]


@pytest.mark.parametrize("size", [1, 2_000, 7_777])
def test_a_library_in_pieces_gives_the_same_hits_as_whole(chr2r, fasta, mutated, size):
    queries = [
        Query("a", mutated(chr2r[9_900:10_300], 0.08)),
        Query("b", chr2r[29_000:29_200] + chr2r[3_000:3_200]),
        Query("c", "ACGTTGCA" * 10),
    ]
    library = fasta(chr2r[:30_000])

    whole = search_library(queries, library, ALL, backend=small(1 << 20))
    pieces = search_library(queries, library, ALL, backend=small(size), threads=2)

    assert [places(result) for result in pieces] == [places(result) for result in whole]
    assert all(len(result.hits[0].hsps) == 4 for result in whole)


def test_several_hsps_of_a_hit_do_not_overlap(fasta, random_bases, mutated):
    """Four copies in a library sequence are four HSPs, each with its own E-value."""
    unit = random_bases(150)
    copies = [unit, mutated(unit, 0.03), mutated(unit, 0.06), mutated(unit, 0.1)]
    turned = copies[2].translate(COMPLEMENT)[::-1]
    hit = random_bases(300).join([copies[0], copies[1], turned, copies[3], ""])

    found = (
        search_library([Query("q", unit)], fasta(hit), SearchParameters(max_hsps=4))[0].hits[0].hsps
    )

    assert [hsp.score for hsp in found] == sorted((hsp.score for hsp in found), reverse=True)
    assert found[0].score == 150
    assert sum(hsp.hit_strand == -1 for hsp in found) == 1
    assert all(hsp.score > 50 for hsp in found)
    assert len({hsp.evalue for hsp in found}) > 1
    spans = sorted(sorted((hsp.hit_start, hsp.hit_end)) for hsp in found)
    assert all(one[1] < other[0] for one, other in pairwise(spans))


def test_n_matches_nothing(fasta):
    result = search_library([Query("q", "N" * 50)], fasta("N" * 500 + "ACGT"), ALL)[0]

    assert result.hits == ()


def test_case_rna_and_foreign_letters_do_not_matter(fasta, random_bases):
    hit = random_bases(300)
    library = fasta(hit.lower())
    rna = hit[100:160].replace("T", "u") + "é?"

    result = search_library([Query("q", rna)], library)[0]

    assert result.hits[0].hsps[0].score == 60
    assert result.query_length == 62


def test_the_best_hits_are_kept_in_order(fasta, random_bases):
    unit = random_bases(100)
    library = fasta(*(random_bases(50) + unit[: 30 + 5 * i] + random_bases(50) for i in range(12)))

    result = search_library([Query("q", unit)], library, SearchParameters(max_hits=3))[0]

    assert [hit.id for hit in result.hits] == ["s12", "s11", "s10"]


def test_progress_ends_at_the_length_of_the_library(fasta, random_bases):
    told: list[tuple[float, float, str]] = []
    library = fasta(random_bases(30_000), random_bases(10))

    search_library([Query("q", random_bases(100))], library, progress=lambda *at: told.append(at),
           backend=small(3_000))  # fmt: skip

    assert told[-1] == (30_010, 30_010, "both strands")
    assert told == sorted(told)


def test_samples_without_bases_find_nothing(fasta):
    empty, whole = search_library(
        [Query("empty", ""), Query("q", "ACGTACGTACGT")], fasta("ACGTACGTACGT")
    )

    assert empty.hits == ()
    assert whole.hits[0].hsps[0].score == 12


def test_compressed_and_several_files_are_one_library(tmp_path, fasta, random_bases):
    one, other = random_bases(400), random_bases(400)
    packed = tmp_path / "packed.fa.gz"
    packed.write_bytes(gzip.compress(f">x first one\n{one}\n".encode()))

    result = search_library([Query("q", one[50:150])], [packed, fasta(other)])[0]

    hit = result.hits[0]
    assert (hit.database, hit.id, hit.description) == ("packed", "x", "first one")
    assert (result.database_length, result.database_sequences) == (800, 2)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", r"x\.fa: is empty"),
        (">x\n\n", r"x\.fa: holds no bases"),
        ("hello\n", r"x\.fa: is neither FASTA nor GenBank: it begins with 'hello'"),
        (">x\nMKVLAAGIVGLEEPQ\n", r"x\.fa: record x: 'E' is not a nucleotide code|'L' is not"),
    ],
)
def test_an_unusable_library_is_one_sentence(tmp_path, content, message):
    path = tmp_path / "x.fa"
    path.write_text(content)

    with pytest.raises(InputError, match=message) as caught:
        search_library([Query("q", "ACGT")], path)
    assert "\n" not in str(caught.value)


def test_a_missing_or_damaged_library_is_one_sentence(tmp_path):
    damaged = tmp_path / "x.fa.gz"
    damaged.write_bytes(gzip.compress(b">x\nACGT\n" * 100)[:-20])

    with pytest.raises(InputError, match=r"gone\.fa: there is no such file"):
        search_library([Query("q", "ACGT")], tmp_path / "gone.fa")
    with pytest.raises(InputError, match=r"x\.fa\.gz: is not a whole \.gz file"):
        search_library([Query("q", "ACGT")], damaged)
    with pytest.raises(InputError, match="no library"):
        search_library([Query("q", "ACGT")], [])


def test_parameters_that_make_no_sense_are_refused():
    with pytest.raises(ConfigError, match="E-value limit must lie between"):
        SearchParameters(evalue=0)
    with pytest.raises(ConfigError, match="at least one"):
        SearchParameters(max_hsps=0)
    with pytest.raises(ConfigError, match="have no statistics"):
        SearchParameters(reward=3)


def test_what_is_low_complexity_is_always_told_and_masked_on_demand(fasta, random_bases):
    """A (CA)60 T40 query has an E-value that means nothing; masked, it finds nothing."""
    queries = [Query("low", "CA" * 60 + "T" * 40), Query("plain", random_bases(100))]
    library = fasta(random_bases(5000) + "CA" * 50 + random_bases(5000) + queries[1].bases)

    unmasked = search_library(queries, library)
    masked = search_library(queries, library, SearchParameters(dust=True))

    assert unmasked[0].best_evalue < 1e-40
    assert masked[0].hits == ()
    assert [result.masked for result in unmasked] == [result.masked for result in masked]
    assert unmasked[0].masked == 1
    assert unmasked[1].masked < 0.2
    assert places(masked[1])[0] == places(unmasked[1])[0]
    assert [result.parameters["dust"] for result in (unmasked[0], masked[0])] == [False, True]


def test_an_alignment_found_by_other_letters_goes_on_through_masked_ones(
    fasta, random_bases, mutated
):
    """On both strands, through gaps, and once: its two sides are not two HSPs."""
    low = "CACACATA" * 8
    query = random_bases(80) + low + random_bases(80)
    copy = mutated(query[:75], 0.05) + low + mutated(query[149:], 0.05)
    library = fasta(random_bases(3000) + copy + random_bases(3000) + low * 3,
                    random_bases(500) + copy.translate(COMPLEMENT)[::-1])  # fmt: skip

    whole = search_library([Query("q", query)], library, SearchParameters(max_hsps=1))[0]
    masked = search_library([Query("q", query)], library, SearchParameters(max_hsps=1, dust=True))[
        0
    ]
    parts = search_library(
        [Query("q", query[:80] + "N" * 64 + query[144:])], library, SearchParameters(max_hsps=1)
    )[0]

    assert masked.masked == pytest.approx(64 / 224, abs=0.02)
    assert places(masked) == places(whole)
    assert [hit.hsps for hit in masked.hits] == [hit.hsps for hit in whole.hits]
    assert all(hit.hsps[0].gaps for hit in masked.hits)
    assert parts.hits[0].hsps[0].score < masked.hits[0].hsps[0].score - 50

    several = search_library(
        [Query("q", query)], library, SearchParameters(evalue=1e-3, dust=True)
    )[0]
    assert [len(hit.hsps) for hit in several.hits] == [1, 1]


def test_a_strict_limit_counts_the_whole_alignment_not_its_unmasked_part(fasta, random_bases):
    query = random_bases(16) + "CACACATA" * 8 + random_bases(16)
    library = fasta(random_bases(3000) + query + random_bases(3000))

    found = search_library([Query("q", query)], library, SearchParameters(evalue=1e-30, dust=True))[
        0
    ]

    assert [hsp.score for hsp in found.hits[0].hsps] == [len(query)]
    weak = search_library([Query("q", query)], library, SearchParameters(evalue=1e-60, dust=True))[
        0
    ]
    assert weak.hits == ()
