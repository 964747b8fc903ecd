"""What chance alone finds: best E-values of random sequence in random sequence.

The least score with E <= x has an E-value of its own, E(S): one score more divides E by four, so it
may be well below x. Both strands are searched and one is counted, as blastn does: 2 E(S) hits are
to be expected, and a best one with a probability of 1 - exp(-2 E(S)).
"""

from __future__ import annotations

import math

import pytest

from seqforge.domains.genome.similarity.backends import LocalBackend
from seqforge.domains.genome.similarity.blastplus import BlastPlusBackend
from seqforge.domains.genome.similarity.evalues import effective_search_space
from seqforge.domains.genome.similarity.hits import Query
from seqforge.domains.genome.similarity.parameters import SearchParameters

LIMITS = (1, 0.1, 0.01)


def shares(backend, parameters, queries, fasta, random_bases, letters):
    """The share of queries whose best E-value is within each limit, and what was expected."""
    library = fasta(random_bases(letters))
    asked = [Query(f"q{i}", random_bases(200)) for i in range(queries)]
    results = backend([library]).search(asked, parameters, lambda done, total, what: None)
    best = [result.best_evalue or math.inf for result in results]
    found = [sum(evalue <= limit for evalue in best) / queries for limit in LIMITS]
    statistics = parameters.statistics
    space = effective_search_space(statistics, 200, letters, 1)
    cutoffs = [statistics.cutoff_score(limit, space) for limit in LIMITS]
    expected = [1 - math.exp(-2 * statistics.evalue(cutoff, space)) for cutoff in cutoffs]
    for limit, share, wanted in zip(LIMITS, found, expected, strict=True):
        print(
            f"{backend.name} {parameters.reward},{parameters.penalty}: P(best E <= {limit:g}) = "
            f"{share:.4f}, expected {wanted:.4f} +- {error(wanted, queries):.4f}"
        )
    return found, expected


def error(share, count):
    """The standard error of a share that was counted."""
    return math.sqrt(share * (1 - share) / count)


def test_chance_finds_as_much_as_its_evalues_say(fasta, random_bases):
    found, expected = shares(
        LocalBackend, SearchParameters(), 150, fasta, random_bases, letters=150_000
    )
    assert found == [pytest.approx(share, abs=3.5 * error(share, 150)) for share in expected]


@pytest.mark.slow
@pytest.mark.parametrize("backend", [LocalBackend, BlastPlusBackend])
@pytest.mark.parametrize("pair", [(1, -3), (2, -3)])
def test_four_hundred_queries_in_a_million_bases(
    fasta, random_bases, require_program, backend, pair
):
    """blastn finds a little less: alignments of chance that have no word of 11 equal letters."""
    if backend is BlastPlusBackend:
        require_program("makeblastdb")
    found, expected = shares(
        backend, SearchParameters(*pair), 400, fasta, random_bases, letters=1_000_000
    )
    for share, wanted in zip(found, expected, strict=True):
        assert share <= wanted + 3.5 * error(wanted, 400)
        if backend is LocalBackend:
            assert share >= wanted - 3.5 * error(wanted, 400)
