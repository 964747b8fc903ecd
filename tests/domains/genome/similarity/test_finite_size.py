"""Searches of proteins against blastp itself: scores, bits and E-values."""

from __future__ import annotations

import gzip
import json
import random
import subprocess
from pathlib import Path

import pytest

from seqforge.domains.genome.similarity.backends import LocalBackend
from seqforge.domains.genome.similarity.blastplus import BlastPlusBackend
from seqforge.domains.genome.similarity.finite_size import FiniteSize
from seqforge.domains.genome.similarity.hits import Query, format_tsv
from seqforge.domains.genome.similarity.local_search import search_library
from seqforge.domains.genome.similarity.parameters import ProteinParameters
from seqforge.domains.genome.similarity.scoring import PROTEIN_ALPHABET, ResidueScoring
from seqforge.errors import ConfigError, InputError

RESIDUES = "ACDEFGHIKLMNPQRSTVWY"
PRINTED = 1e-5
"""blastp prints six digits."""


@pytest.fixture(scope="module")
def programs(require_program):
    return require_program("blastp"), require_program("makeblastdb")


def blastp(programs, folder: Path, library: Path, queries: list[Query], evalue: float = 10.0):
    """Its searches of all queries, unmasked and without adjustment to composition."""
    program, maker = programs
    subprocess.run(
        [maker, "-in", library, "-dbtype", "prot", "-out", folder / "db"],
        check=True,
        capture_output=True,
    )
    path = folder / "queries.fa"
    path.write_text("".join(f">{query.id}\n{query.bases}\n" for query in queries))
    command = [
        program,
        "-db",
        folder / "db",
        "-query",
        path,
        "-comp_based_stats",
        "0",
        "-seg",
        "no",
    ]
    command += ["-outfmt", "15", "-evalue", str(evalue), "-max_target_seqs", "500"]
    told = subprocess.run(command, check=True, capture_output=True)
    reports = json.loads(told.stdout)["BlastOutput2"]
    return [report["report"]["results"]["search"] for report in reports]


@pytest.fixture(scope="module")
def library(shared_data, tmp_path_factory) -> Path:
    """250 proteins of the fly."""
    source = shared_data / "genome" / "dm3-chr2R.2M-7M.proteins.fa.gz"
    if not source.exists():
        pytest.skip(f"{source.name} is not among the large inputs")
    with gzip.open(source, "rt", encoding="ascii") as stream:
        records = stream.read().split(">")[1:251]
    path = tmp_path_factory.mktemp("library") / "fly.fa"
    path.write_text("".join(f">{record}" for record in records), encoding="ascii")
    return path


def mutated(rng: random.Random, protein: str, rate: float) -> str:
    """Eight of ten changes replace; the others drop a residue or double it."""
    changed = []
    for letter in protein:
        if rng.random() >= rate:
            changed.append(letter)
        else:
            changed.append(rng.choice([*rng.choices(RESIDUES, k=8), "", letter + letter]))
    return "".join(changed)


@pytest.fixture(scope="module")
def queries(library) -> list[Query]:
    """Cut from the library, mutated by 20 to 60 percent, with odd letters, and of chance alone."""
    rng = random.Random(11)
    proteins = ["".join(part.splitlines()[1:]) for part in library.read_text().split(">")[1:]]
    found = [rng.choice([p for p in proteins if len(p) > 250]) for _ in range(12)]
    made = [("cut", protein[50 : 50 + length]) for protein, length in zip(
        found, (15, 25, 40, 60, 90, 140, 200), strict=False)]  # fmt: skip
    made += [("mutated", mutated(rng, found[n][:350], rate))
             for n, rate in enumerate((0.2, 0.3, 0.4, 0.5, 0.6), 7)]  # fmt: skip
    made += [("odd", found[0][:40] + "BZJX*U" + found[0][46:120].lower())]
    made += [("chance", "".join(rng.choices(RESIDUES, k=length))) for length in (30, 100, 400)]
    return [Query(f"{kind}_{number}", letters) for number, (kind, letters) in enumerate(made)]


def test_every_pair_of_letters_scores_as_in_blastp(programs, tmp_path):
    """Each letter stands once between flanks that align whatever it is."""
    left, right = "MKWHCYWFDERTGHWCMKYHW", "HWCMFYWKDERTPHWCYKNHW"
    library = tmp_path / "letters.fa"
    library.write_text("".join(f">{n}\n{left}{c}{right}\n" for n, c in enumerate(PROTEIN_ALPHABET)))
    asked = [Query(str(n), f"{left}{c}{right}") for n, c in enumerate(PROTEIN_ALPHABET)]
    scoring = ResidueScoring()
    flanks = sum(scoring.pair(letter, letter) for letter in left + right)

    theirs = blastp(programs, tmp_path, library, asked)

    compared = 0
    for one, search in zip(PROTEIN_ALPHABET, theirs, strict=True):
        for hit in search["hits"]:
            other = PROTEIN_ALPHABET[int(hit["description"][0]["title"])]
            assert hit["hsps"][0]["score"] - flanks == scoring.pair(one, other), one + other
            compared += 1
    assert compared == len(PROTEIN_ALPHABET) ** 2


def test_bits_and_e_values_are_those_that_blastp_prints(programs, tmp_path, library, queries):
    """For every HSP of any rank, by its score and the lengths of query, sequence and library."""
    compared = 0
    for query, search in zip(
        queries, blastp(programs, tmp_path, library, queries, 1e4), strict=True
    ):
        statistics = FiniteSize(len(query.bases), search["stat"]["db_len"])
        for hit in search["hits"]:
            for hsp in hit["hsps"]:
                assert statistics.bit_score(hsp["score"]) == pytest.approx(
                    hsp["bit_score"], rel=PRINTED
                )
                assert statistics.evalue(hsp["score"], hit["len"]) == pytest.approx(
                    hsp["evalue"], rel=PRINTED
                )
                compared += 1
    assert compared > 500


@pytest.mark.parametrize("backend", [LocalBackend, BlastPlusBackend])
def test_the_hits_are_blastps_or_better(programs, tmp_path, library, queries, backend):
    """All that blastp finds is found with its score or a higher one, and then with its E-value."""
    theirs = blastp(programs, tmp_path, library, queries)
    parameters = ProteinParameters(max_hits=100, max_hsps=1)
    ours = backend([library], letters="protein").search(queries, parameters, lambda *_: None)
    same = 0
    for search, result in zip(theirs, ours, strict=True):
        found = {hit.id: hit for hit in result.hits}
        assert (result.letters, result.unit) == ("protein", "residues")
        for hit in search["hits"][:40]:
            expected, mine = hit["hsps"][0], found[hit["description"][0]["title"]].hsps[0]
            assert mine.score >= expected["score"]
            if mine.score > expected["score"]:
                continue
            same += 1
            assert mine.evalue == pytest.approx(expected["evalue"], rel=PRINTED)
            assert mine.bit_score == pytest.approx(expected["bit_score"], rel=PRINTED)
            rows = expected["qseq"], expected["hseq"]
            if (mine.query_aligned, mine.hit_aligned) == rows:
                assert mine.midline == expected["midline"]
                assert mine.identity_count == expected["identity"]
                assert mine.positive_count == expected["positive"]
                assert (mine.hit_start, mine.hit_end) == (expected["hit_from"], expected["hit_to"])
    assert same > 100


@pytest.mark.parametrize("parameters", [ProteinParameters(evalue=1e-3), ProteinParameters()])
def test_no_hit_is_above_the_limit_and_the_best_comes_first(library, queries, parameters):
    for result in search_library(queries[5:8], library, parameters):
        evalues = [hit.hsps[0].evalue for hit in result.hits]
        assert evalues == sorted(evalues)
        assert all(hsp.evalue <= parameters.evalue for hit in result.hits for hsp in hit.hsps)
        assert all(hsp.hit_strand == 1 for hit in result.hits for hsp in hit.hsps)


def test_the_table_names_blastp_and_counts_residues(library, queries):
    text = format_tsv(search_library(queries[5:6], library, ProteinParameters(max_hits=3)))
    assert text.startswith("# BLASTP-like: seqforge local")
    assert " residues in 250 sequences)" in text


def test_a_last_stop_is_no_letter_of_a_protein(tmp_path):
    path = tmp_path / "p.fa"
    path.write_text(">p\nMKWHCYWFDERTGHWCMKYHW*\n")
    (result,) = search_library([Query("q", "MKWHCYWFDERTGHWCMKYHW")], path, ProteinParameters())
    assert (result.database_length, result.hits[0].length) == (21, 21)
    assert result.hits[0].hsps[0].midline == "MKWHCYWFDERTGHWCMKYHW"


def test_what_does_not_fit_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="gap costs 5,2 have no statistics with BLOSUM62"):
        ProteinParameters(gap_open=5, gap_extend=2)
    path = tmp_path / "p.fa"
    path.write_text(">p\nMKWHCYWFDERTGHW\n>bad\nACGT" + "ACGT" * 30 + "\n")
    with pytest.raises(ConfigError, match="masks no proteins"):
        search_library([Query("q", "MK")], path, ProteinParameters(dust=True))
    with pytest.raises(InputError, match=r"p\.fa:3: bad is made of nucleotides"):
        search_library([Query("q", "MK")], path, ProteinParameters())
