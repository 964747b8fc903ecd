"""Proteins on the command line: the recipe, samples of it, and searches of them."""

from __future__ import annotations

import json
import random

import pytest

from seqforge.domains.genome.ebi.settings import EbiSettings
from tests.ebi_double import EbiDouble
from tests.ebi_double.library import small_swiss_prot

RESIDUES = "ACDEFGHIKLMNPQRSTVWY"


@pytest.fixture(autouse=True)
def own_folders(tmp_path, monkeypatch):
    """Nobody's settings, cache or address plays a part."""
    monkeypatch.setenv("SEQFORGE_CONFIG", str(tmp_path / "config"))
    monkeypatch.delenv("SEQFORGE_EMAIL", raising=False)


@pytest.fixture(scope="module")
def swiss_prot(tmp_path_factory):
    made = small_swiss_prot(tmp_path_factory.mktemp("proteins"))
    yield made
    made.engine.close()


@pytest.fixture(scope="module")
def fasta(tmp_path_factory):
    """200 proteins, each a few words of one vocabulary, in a file with odd letters."""
    rng = random.Random(5)
    words = ["".join(rng.choices(RESIDUES, k=6)) for _ in range(30)]
    path = tmp_path_factory.mktemp("input") / "proteins.fa"
    with path.open("w") as stream:
        for number in range(200):
            protein = "M" + "".join(rng.choices(words, k=20)).lower()
            stream.write(f">p{number}\n{protein[:50]}\n{protein[50:]}*\n")
    return path


def run_of(fasta, folder, *options):
    return ["run", "protein", "--fasta", fasta, "--budget", "30steps", "--hidden-size", 16,
            "--batch-size", 4, "--seq-len", 32, "--set", "sampling.length=120", "--set",
            "sampling.temperatures=[0.8]", "--out", folder, *options]  # fmt: skip


@pytest.fixture(scope="module")
def run(fasta, tmp_path_factory):
    """A short run, and what it said."""
    from tests.cli.conftest import call

    folder = tmp_path_factory.mktemp("run") / "run"
    result = call(*run_of(fasta, folder))
    assert result.exit_code == 0, result.stderr
    return folder


def test_a_run_ends_in_a_page_with_the_baselines_and_what_is_similar(run):
    summary = json.loads((run / "summary.json").read_text())
    assert (summary["domain"], summary["unit"]) == ("protein", "residue")
    assert summary["records"] == {"train": 180, "valid": 10, "test": 10}
    assert {"ppmd", "witten-bell", "kneser-ney", "lzma"} <= set(summary["baseline_bits"])
    assert "3" in summary["baselines"]["orders"]
    assert summary["headline"]["what"] == "network+memory"
    assert summary["report"]["begin with M (share)"]["held-out"] == 1.0
    assert summary["report"]["residues in a protein (mean)"]["held-out"] == 121
    similar = summary["similarity"]
    assert similar["library"] == "training.fa.gz"
    assert set(similar["controls"]["best_evalues"]) == {"samples", "shuffle", "markov", "real"}
    page = (run / "report.html").read_text()
    for text in (
        "bits per residue",
        "PPMd",
        "n-gram, order 3",
        "The hits",
        "(low complexity, SEG)",
    ):
        assert text in page
    assert " bases" not in page
    hits = page[page.index('id="hits"') :]
    assert "(+)" not in hits, "proteins have one strand"


def test_samples_are_fasta_that_the_domain_reads(run, seqforge, tmp_path):
    out = tmp_path / "s.fa"
    result = seqforge("sample", run, "-n", 3, "--length", 130, "--prime", "mkb", "--out", out)
    assert result.exit_code == 0, result.stderr
    records = out.read_text().split(">")[1:]
    assert [record.split()[0] for record in records] == ["sample_1", "sample_2", "sample_3"]
    letters = ["".join(record.split("\n")[1:]) for record in records]
    assert {len(protein) for protein in letters} == {133}
    assert {protein[:3] for protein in letters} == {"MKD"}
    refused = seqforge("sample", run, "--prime", "MKX")
    assert refused.exit_code == 1
    assert "X is no amino acid: give a stretch without" in refused.stderr


def test_samples_are_searched_in_what_their_run_learnt(run, seqforge, tmp_path):
    samples = run / "samples" / "samples-t0.8.fa"
    result = seqforge("blast", "--protein", samples, "--backend", "local", "--out", tmp_path / "o",
                      "--controls", "shuffle,markov,real")  # fmt: skip
    assert result.exit_code == 0, result.stderr
    assert "BLOSUM62 and gaps 11,1" in result.stdout
    document = json.loads((tmp_path / "o" / "hits.json").read_text())
    assert {found["database"] for found in document["results"]} == {"training.fa.gz"}
    assert {found["letters"] for found in document["results"]} == {"protein"}
    assert (tmp_path / "o" / "controls.fa").read_text().count(">") == 3 * 3 * 5
    page = (tmp_path / "o" / "report.html").read_text()
    assert "residues" in page
    assert " bases" not in page


@pytest.mark.parametrize("backend", ["local", "blast+"])
def test_a_library_is_searched_at_home(seqforge, swiss_prot, tmp_path, require_program, backend):
    if backend == "blast+":
        require_program("blastp")
    query = tmp_path / "q.fa"
    query.write_text("".join(f">{n}\n{p}\n" for n, p in swiss_prot.queries.items()))
    out = tmp_path / "out"
    result = seqforge("blast", "--protein", query, "--against", swiss_prot.path, "--backend",
                      backend, "--out", out, "--json")  # fmt: skip
    assert result.exit_code == 0, result.stderr
    exact, mutated, none = json.loads(result.stdout)["results"]
    assert exact["hits"][0]["id"] == "SP:P03_DROME"
    assert exact["hits"][0]["hsps"][0]["identity"] == 100
    assert mutated["hits"][0]["id"] == "SP:P07_DROME"
    assert none["hits"] == []
    assert "Positives = 60/60 (100%)" in (out / "alignments.txt").read_text()


def test_ebi_is_asked_for_swiss_prot(seqforge, swiss_prot, tmp_path):
    query = tmp_path / "q.fa"
    query.write_text(f">exact\n{swiss_prot.queries['exact']}\n")
    with EbiDouble(swiss_prot.engine) as service:
        EbiSettings(email="a@ebi.ac.uk", database="em_std_pln", base_url=service.url).save()
        result = seqforge("blast", "--protein", query, "--out", tmp_path / "out")
        assert result.exit_code == 0, result.stderr
        (sent,) = service.accepted
    assert (sent["database"], sent["program"]) == ("uniprotkb_swissprot", "blastp")
    (found,) = json.loads((tmp_path / "out" / "hits.json").read_text())["results"]
    assert found["hits"][0]["id"] == "P03_DROME"
    assert found["letters"] == "protein"


def test_a_run_may_search_at_ebi(seqforge, swiss_prot, fasta, tmp_path):
    with EbiDouble(swiss_prot.engine) as service:
        EbiSettings(email="a@ebi.ac.uk", base_url=service.url).save()
        result = seqforge(*run_of(fasta, tmp_path / "run", "--blast", "ebi"))
        assert result.exit_code == 0, result.stderr
        assert len(service.accepted) == 3
    found = json.loads((tmp_path / "run" / "summary.json").read_text())["similarity"]
    assert found["library"] == "uniprotkb_swissprot"


@pytest.mark.parametrize(
    ("letters", "options", "said"),
    [
        ("ACGT" * 30, ["--protein"], "q.fa:1: q is made of nucleotides, and no protein is"),
        ("MKLVWE" * 10, [], "this looks like protein; give DNA or RNA (seqforge run protein"),
        ("MKLVWE" * 10, ["--protein", "--match-scores", "2,-3"], "are of nucleotides"),
        ("MKLVWE" * 10, ["--protein", "--gaps", "5,2"], "no statistics with BLOSUM62; take 11,1"),
        ("MKLVWE" * 10, ["--protein", "--backend", "local"], "no proteins ship with seqforge"),
        ("MKLVWE" * 10, ["--protein", "--dust", "--against", "q.fa"], "masks no proteins"),
    ],
)
def test_what_does_not_fit_is_one_sentence(seqforge, tmp_path, monkeypatch, letters, options, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "q.fa").write_text(f">q\n{letters}\n")
    result = seqforge("blast", "q.fa", *options)
    assert result.exit_code == 1
    assert said in result.stderr
    assert result.stderr.splitlines()[-1].startswith("error: ")


def test_a_genome_given_as_proteins_is_refused_before_training(seqforge, tmp_path):
    path = tmp_path / "x.fa"
    path.write_text(">chr1\n" + "ACGTTGCAN" * 500 + "\n")
    result = seqforge("run", "protein", "--fasta", path, "--out", tmp_path / "run")
    assert result.exit_code == 1
    assert "x.fa:1: chr1 is made of nucleotides, and no protein is; seqforge run genome" in (
        result.stderr
    )
