"""Both searches at home against blastn itself, and the statistics against what it prints."""

from __future__ import annotations

import json
import random
import subprocess

import pytest

from seqforge.domains.genome.nucleotides import dust_intervals
from seqforge.domains.genome.similarity.backends import LocalBackend
from seqforge.domains.genome.similarity.blastplus import BlastPlusBackend
from seqforge.domains.genome.similarity.evalues import (
    SCORE_PAIRS,
    effective_search_space,
    karlin_altschul,
    length_adjustment,
)
from seqforge.domains.genome.similarity.hits import Query
from seqforge.domains.genome.similarity.parameters import SearchParameters

LENGTHS = (20, 30, 50, 80, 120, 200, 350, 500, 800, 2000)


LIBRARIES = [
    pytest.param((160_000, 220_000), id="small"),
    pytest.param((1_000_000, 1_400_000), marks=pytest.mark.slow, id="large"),
]
"""Where the first of the two sequences of a library ends, and where the second does."""


@pytest.fixture
def queries(rng, mutated, random_bases):
    """Forty: cut from bases, mutated by 5 to 25 percent, and of chance alone."""

    def made_of(source):
        def cut(length):
            start = rng.randrange(len(source) - length)
            return source[start : start + length]

        other = str.maketrans("ACGT", "TGCA")
        made = [("real", cut(length)) for length in LENGTHS]
        made += [("minus", cut(length).translate(other)[::-1]) for length in LENGTHS[2:7]]
        for rate in (0.05, 0.10, 0.15, 0.20, 0.25):
            made += [(f"mutated{rate}", mutated(cut(length), rate)) for length in (100, 200, 700)]
        made += [("random", random_bases(length)) for length in LENGTHS]
        return [Query(f"{kind}_{i}", bases) for i, (kind, bases) in enumerate(made)]

    return made_of


def database(maker, folder, library):
    order = [maker, "-in", library, "-dbtype", "nucl", "-out", folder / "db"]
    subprocess.run(order, check=True, capture_output=True)


def blastn(program, maker, folder, library, queries, parameters):
    database(maker, folder, library)
    return answers(program, folder, queries, parameters)


def answers(program, folder, queries, parameters):
    """What it says of each query, by the database in a folder."""
    path = folder / "queries.fa"
    path.write_text("".join(f">{query.id}\n{query.bases}\n" for query in queries))
    scores = {
        "-reward": parameters.reward,
        "-penalty": parameters.penalty,
        "-gapopen": parameters.gap_open,
        "-gapextend": parameters.gap_extend,
        "-evalue": parameters.evalue,
    }
    options = ["-task", "blastn", "-dust", "yes" if parameters.dust else "no", "-outfmt", "15"]
    options += [str(part) for pair in scores.items() for part in pair]
    told = subprocess.run(
        [program, "-db", folder / "db", "-query", path, *options],
        check=True,
        capture_output=True,
    )
    reports = json.loads(told.stdout)["BlastOutput2"]
    return [report["report"]["results"]["search"] for report in reports]


@pytest.fixture(scope="session")
def programs(require_program):
    return require_program("blastn"), require_program("makeblastdb")


def silent(done, total, what):
    pass


@pytest.mark.parametrize(("reward", "penalty"), [(1, -3), (2, -3)])
@pytest.mark.parametrize("backend", [LocalBackend, BlastPlusBackend])
@pytest.mark.parametrize("ends", LIBRARIES)
def test_the_best_hit_is_blastns_or_better(
    programs, tmp_path, fasta, chr2r, queries, reward, penalty, backend, ends
):
    """Score, bits and E are blastn's where the HSP is; elsewhere the score is no lower."""
    first, second = ends
    library = fasta(chr2r[:first], chr2r[first:second])
    queries = queries(chr2r[: 3 * second // 2])  # some that it does not have
    parameters = SearchParameters(reward=reward, penalty=penalty)

    theirs = blastn(*programs, tmp_path, library, queries, parameters)
    ours = backend([library]).search(queries, parameters, silent)

    assert len(queries) == 40
    same = 0
    for query, result, expected in zip(queries, ours, theirs, strict=True):
        assert expected["stat"]["eff_space"] == effective_search_space(
            parameters.statistics, len(query.bases), result.database_length, 2
        )
        same += compare(query, result, expected)
        assert len(result.hits) >= len(expected["hits"])
    assert same >= (25 if backend is LocalBackend else 30)


def compare(query, result, expected):
    """One query's hits with blastn's; returns whether the best is the same HSP."""
    hsps = [hsp for hit in expected["hits"] for hsp in hit["hsps"]]
    if not hsps:
        return False
    best = max(hsps, key=lambda hsp: hsp["score"])
    assert result.hits, f"{query.id}: blastn has a hit, score {best['score']}"
    assert result.hits[0].hsps[0].score >= best["score"], query.id
    mine = {place(hsp): hsp for hit in result.hits for hsp in hit.hsps}
    for hsp in hsps:
        found = mine.get(tuple(hsp[key] for key in PLACES))
        if found is None:
            continue
        assert found.score >= hsp["score"]
        if found.score > hsp["score"]:  # blastn's way between the same ends is not the best one
            continue
        assert found.bit_score == pytest.approx(hsp["bit_score"], rel=1e-5)
        assert found.evalue == pytest.approx(hsp["evalue"], rel=1e-5, abs=1e-179)  # then 0.0
        assert found.gaps <= hsp["gaps"] or found.identity_count >= hsp["identity"]
    same = mine.get(tuple(best[key] for key in PLACES))
    return same is not None and same.score == best["score"]


@pytest.mark.parametrize(("reward", "penalty"), [(1, -3), (2, -3)])
@pytest.mark.parametrize(
    ("first", "second"),
    [(80_000, 130_000), pytest.param(300_000, 500_000, marks=pytest.mark.slow)],
)
def test_masked_the_best_hit_is_blastns_too(
    programs, tmp_path, fasta, chr2r, rng, mutated, reward, penalty, first, second
):
    """Queries with low-complexity stretches in them: found by the rest, then gone on through."""
    low = [span for span in dust_intervals(chr2r[:second]) if 14 <= span[1] - span[0] < 200]
    queries = []
    for number in range(15):
        start, stop = rng.choice(low)
        left, right = rng.choice([15, 30, 60, 150]), rng.choice([0, 15, 30, 60, 150])
        bases = chr2r[max(0, start - left) : stop + right]
        queries.append(Query(f"q{number}", mutated(bases, rng.choice([0, 0.05, 0.1]))))
    library = fasta(chr2r[:first], chr2r[first:second])
    parameters = SearchParameters(reward=reward, penalty=penalty, evalue=0.01, dust=True)

    theirs = blastn(*programs, tmp_path, library, queries, parameters)
    ours = LocalBackend([library]).search(queries, parameters, silent)

    assert sum(result.masked > 0.1 for result in ours) >= 10
    assert sum(map(compare, queries, ours, theirs)) >= 12


def test_what_is_masked_whole_finds_nothing_as_in_blastn(programs, tmp_path, fasta, random_bases):
    queries = [Query("ca", "CA" * 60 + "T" * 40), Query("a", "A" * 30)]
    library = fasta(random_bases(3000) + queries[0].bases + random_bases(500) + "A" * 30)

    for dust, hits in ((False, [1, 1]), (True, [0, 0])):
        parameters = SearchParameters(dust=dust)
        theirs = blastn(*programs, tmp_path, library, queries, parameters)
        assert [len(found["hits"]) for found in theirs] == hits
        for backend in (LocalBackend, BlastPlusBackend):
            ours = backend([library]).search(queries, parameters, silent)
            assert [len(result.hits) for result in ours] == hits


CODES = "ACGTRYMKWSBDHVN"
SYSTEMS = [(1, -3, 5, 2), (1, -2, 5, 2), (2, -3, 5, 2), (1, -1, 3, 2), (5, -4, 10, 6),
           (4, -5, 6, 5), (1, -4, 2, 2), (2, -7, 4, 2), (2, -5, 4, 2)]  # fmt: skip


@pytest.mark.parametrize(
    ("system", "asked"),
    [(SYSTEMS[0], CODES), *((other, CODES[n % 3 :: 3]) for n, other in enumerate(SYSTEMS[1:]))],
)
def test_every_pair_of_codes_scores_as_in_blastn(programs, tmp_path, random_bases, system, asked):
    """One code in 121 letters against each other one: score, identities and E-value.

    Each third of the codes is asked for under a third of the other systems of scores.
    """
    left, right = random_bases(60), random_bases(60)
    library = tmp_path / "codes.fa"
    library.write_text(
        "".join(f">{c}\n{random_bases(200)}{left}{c}{right}{random_bases(99)}\n" for c in CODES)
    )
    queries = [Query(code, left + code + right) for code in asked]
    parameters = SearchParameters(*system)

    theirs = blastn(*programs, tmp_path, library, queries, parameters)
    ours = LocalBackend([library]).search(queries, parameters, silent)

    assert len(ours) == len(asked)
    for result, expected in zip(ours, theirs, strict=True):
        found = {hit.id: hit.hsps[0] for hit in result.hits}
        named = {hit["description"][0]["title"]: hit["hsps"][0] for hit in expected["hits"]}
        assert found.keys() == named.keys() == set(CODES)
        for code, hsp in named.items():
            assert found[code].score == hsp["score"]
            assert found[code].identity_count == hsp["identity"]
            assert found[code].evalue == pytest.approx(hsp["evalue"], rel=1e-2)
    (other,) = BlastPlusBackend([library]).search(queries[4:5], parameters, silent)
    assert {h.id: h.hsps[0].score for h in other.hits} == {
        h.id: h.hsps[0].score for h in ours[4].hits
    }


def test_runs_of_n_in_query_and_library_are_blastns(programs, tmp_path, random_bases):
    one, other = random_bases(300), random_bases(300)
    queries = [
        Query("query", one[:60] + "NNNN" + one[64:120]),
        Query("library", other[100:220]),
        Query("both", one[200:230] + "N" + one[231:280]),
        Query("code", other[:50] + "RY" + other[52:90]),
    ]
    library = tmp_path / "n.fa"
    spoiled = one[:215] + "NN" + one[217:], other[:150] + "N" * 6 + other[156:]
    library.write_text("".join(f">s{i}\n{bases}\n" for i, bases in enumerate(spoiled)))

    theirs = blastn(*programs, tmp_path, library, queries, SearchParameters())
    ours = LocalBackend([library]).search(queries, SearchParameters(), silent)

    assert all(map(compare, queries, ours, theirs))


COSTS = [(pair, (40, 40)) for pair in SCORE_PAIRS] + [
    (pair, (5, 2)) for pair in SCORE_PAIRS if pair in {(1, -4), (1, -3), (1, -2), (2, -3), (1, -1)}
]  # fmt: skip


@pytest.fixture(scope="module")
def twenty(programs, tmp_path_factory):
    """A folder with a database of twenty sequences of 3,000 bases."""
    folder, rng = tmp_path_factory.mktemp("twenty"), random.Random(7)
    library = folder / "library.fa"
    bases = ["".join(rng.choices("ACGT", k=3000)) for _ in range(20)]
    library.write_text("".join(f">s{n}\n{one}\n" for n, one in enumerate(bases)))
    database(programs[1], folder, library)
    return folder


@pytest.mark.parametrize(("pair", "gaps"), COSTS)
def test_statistics_are_what_blastn_prints(programs, twenty, random_bases, pair, gaps):
    """Lambda, K, H, length adjustment and search space, for queries of 20 to 1,000 bases."""
    queries = [Query(f"q{m}", random_bases(m)) for m in range(20, 1001, 10)]
    parameters = SearchParameters(*pair, *gaps, evalue=1e-6)
    statistics = karlin_altschul(*pair, *gaps)

    for query, found in zip(
        queries, answers(programs[0], twenty, queries, parameters), strict=True
    ):
        told, size = found["stat"], (len(query.bases), 60_000, 20)
        assert (told["lambda"], told["kappa"], told["entropy"]) == pytest.approx(
            (statistics.lambda_, statistics.k, statistics.h), rel=1e-9
        )
        assert told["hsp_len"] == length_adjustment(statistics, *size)
        assert told["eff_space"] == effective_search_space(statistics, *size)


PLACES = ("query_from", "query_to", "hit_from", "hit_to")


def place(hsp):
    return hsp.query_start, hsp.query_end, hsp.hit_start, hsp.hit_end
