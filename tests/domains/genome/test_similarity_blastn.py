"""The local search against blastn itself, with the same scores and no masking."""

from __future__ import annotations

import json
import subprocess

import pytest

from seqforge.domains.genome.similarity.local import search
from seqforge.domains.genome.similarity.parameters import Query, SearchParameters
from seqforge.domains.genome.similarity.statistics import effective_search_space

LENGTHS = (20, 30, 50, 80, 120, 200, 350, 500, 800, 2000)


@pytest.fixture
def queries(chr2r, rng, mutated, random_bases):
    """Forty: cut from the library, mutated by 5 to 25 percent, and of chance alone."""

    def cut(length):
        start = rng.randrange(len(chr2r) - length)
        return chr2r[start : start + length]

    other = str.maketrans("ACGT", "TGCA")
    made = [("real", cut(length)) for length in LENGTHS]
    made += [("minus", cut(length).translate(other)[::-1]) for length in LENGTHS[2:7]]
    for rate in (0.05, 0.10, 0.15, 0.20, 0.25):
        made += [(f"mutated{rate}", mutated(cut(length), rate)) for length in (100, 200, 700)]
    made += [("random", random_bases(length)) for length in LENGTHS]
    return [Query(f"{kind}_{i}", bases) for i, (kind, bases) in enumerate(made)]


def blastn(program, maker, folder, library, queries, parameters):
    subprocess.run(
        [maker, "-in", library, "-dbtype", "nucl", "-out", folder / "db"],
        check=True,
        capture_output=True,
    )
    path = folder / "queries.fa"
    path.write_text("".join(f">{query.id}\n{query.bases}\n" for query in queries))
    scores = {
        "-reward": parameters.reward,
        "-penalty": parameters.penalty,
        "-gapopen": parameters.gap_open,
        "-gapextend": parameters.gap_extend,
        "-evalue": parameters.evalue,
    }
    options = ["-task", "blastn", "-dust", "no", "-soft_masking", "false", "-outfmt", "15"]
    options += [str(part) for pair in scores.items() for part in pair]
    told = subprocess.run(
        [program, "-db", folder / "db", "-query", path, *options],
        check=True,
        capture_output=True,
    )
    reports = json.loads(told.stdout)["BlastOutput2"]
    return [report["report"]["results"]["search"] for report in reports]


@pytest.mark.parametrize(("reward", "penalty"), [(1, -3), (2, -3)])
def test_the_best_hit_is_blastns_or_better(
    require_program, tmp_path, fasta, chr2r, queries, reward, penalty
):
    """Score, bits and E are blastn's where the HSP is; elsewhere the score is no lower."""
    programs = require_program("blastn"), require_program("makeblastdb")
    library = fasta(chr2r[:1_000_000], chr2r[1_000_000:1_400_000])
    parameters = SearchParameters(reward=reward, penalty=penalty)

    theirs = blastn(*programs, tmp_path, library, queries, parameters)
    ours = search(queries, library, parameters)

    same = 0
    for query, result, expected in zip(queries, ours, theirs, strict=True):
        statistics = expected["stat"]
        assert statistics["eff_space"] == effective_search_space(
            parameters.statistics, len(query.bases), result.database_length, 2
        )
        hsps = [hsp for hit in expected["hits"] for hsp in hit["hsps"]]
        if not hsps:
            continue
        best = max(hsps, key=lambda hsp: hsp["score"])
        assert result.hits, f"{query.id}: blastn has a hit, score {best['score']}"
        assert result.hits[0].hsps[0].score >= best["score"], query.id
        mine = {place(hsp): hsp for hit in result.hits for hsp in hit.hsps}
        for hsp in hsps:
            found = mine.get(tuple(hsp[key] for key in PLACES))
            if found is None:
                continue
            same += hsp is best
            assert found.score == hsp["score"]
            assert found.bit_score == pytest.approx(hsp["bit_score"], rel=1e-5)
            assert found.evalue == pytest.approx(hsp["evalue"], rel=1e-5)
            assert found.gaps <= hsp["gaps"] or found.identity_count >= hsp["identity"]
    assert same >= 25


PLACES = ("query_from", "query_to", "hit_from", "hit_to")


def place(hsp):
    return hsp.query_start, hsp.query_end, hsp.hit_start, hsp.hit_end
