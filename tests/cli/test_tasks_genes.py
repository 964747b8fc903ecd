"""Genes of a slice of a chromosome from the command line: run, resume, label, refusals."""

import gzip
import json
import signal
from pathlib import Path

import pytest

from seqforge.core.model.checkpoint import read_arrays
from seqforge.domains.genome.fasta import read_sequences
from seqforge.domains.genome.genes.transcripts import bases_of, intron_ends, read_transcripts
from seqforge.domains.genome.nucleotides import base_codes
from tests.cli.conftest import call
from tests.conftest import SHARED, missing
from tests.patience import PATIENCE

KILLING = Path(__file__).with_name("killing.py")
ANNOTATION = SHARED / "data" / "genome" / "dm3-chr2R.2M-7M.cds.gff.gz"
SLICE = Path(__file__).parents[2] / "data" / "dm3-chr2R-slice.fa.gz"
FIRST, SIZE, AHEAD = 740_000, 240_000, 5_000
SMALL = [
    "--region", f"chr2R:{AHEAD + 1}-{SIZE + AHEAD}", "--hold-out", "chr2R:185001-245000",
    "--gff-offset", AHEAD - FIRST, "--budget", "6steps", "--precision", "fp32", "--hidden-size", 16,
    "--num-layers", 1, "--batch-size", 8, "--set", "training.num_evaluations=3", "--lanes", 1,
]  # fmt: skip


@pytest.fixture(scope="module")
def fly(tmp_path_factory):
    """A FASTA file whose coordinates are ahead of those of its annotation."""
    if not ANNOTATION.exists():
        missing(str(ANNOTATION))
    folder = tmp_path_factory.mktemp("fly")
    bases = next(iter(read_sequences(SLICE))).symbols[FIRST : FIRST + SIZE]
    (folder / "fly.fa").write_text(f">chr2R\n{'A' * AHEAD}{bases}\n")
    with gzip.open(ANNOTATION, "rt") as lines:
        kept = [line for line in lines if FIRST < int(line.split("\t")[3]) < FIRST + SIZE - 9_000]
    (folder / "fly.gff").write_text("".join(kept))
    return folder


def order(fly, out, verb="run"):
    return [
        verb,
        "exons",
        "--fasta",
        fly / "fly.fa",
        "--gff",
        fly / "fly.gff",
        *SMALL,
        "--out",
        out,
    ]


@pytest.fixture(scope="module")
def learnt(fly):
    result = call(*order(fly, fly / "run"))
    assert result.exit_code == 0, result.stderr
    return fly / "run"


def test_a_run_scores_genes_beside_log_odds(learnt):
    summary = json.loads((learnt / "summary.json").read_text())
    keys = {"coding_f1", "exon_f1", "transcript_f1"}
    assert summary["task"] == "label"
    assert summary["metrics_part"] == "test"
    assert keys <= set(summary["metrics"])
    assert set(summary["baseline_metrics"]) == keys
    assert summary["metrics"]["coding_f1"] > 0.4
    assert summary["symbols"]["test"] == 60_000
    assert sum(summary["symbols"].values()) == SIZE
    page = (learnt / "report.html").read_text()
    assert 'class="tracks"' in page
    assert "sensors and grammar, no network" in page


def test_genes_are_such_as_can_be_read(fly, learnt, tmp_path):
    out = tmp_path / "genes.gff3"
    result = call("label", learnt, fly / "fly.fa", "--out", out)
    assert result.exit_code == 0, result.stderr
    codes = base_codes(next(iter(read_sequences(fly / "fly.fa"))).symbols)
    found = read_transcripts(out, {"chr2R": codes}).on("chr2R")
    assert len(found) > 5
    for one in found:
        bases = "".join("ACGTN"[base] for base in bases_of(codes, one.strand, one.exons).tolist())
        assert bases.startswith("ATG")
        assert len(bases) % 3 == 0
        assert all(intron_ends(codes, one.strand, i) in ("GTAG", "GCAG") for i in one.introns)


def test_a_model_keeps_no_training_data(learnt):
    header, arrays = read_arrays(learnt / "model.safetensors")
    assert "fly.gff" not in str(header)
    assert not [name for name in arrays if "training." in name]
    assert {"sensors.coding", "sensors.lengths", "sensors.weights"} <= set(arrays)


def test_a_killed_training_goes_on_to_the_same_model(fly, tmp_path, start):
    whole = call(*order(fly, tmp_path / "whole", "train"))
    assert whole.exit_code == 0, whole.stderr
    again = order(fly, tmp_path / "killed", "train")
    killed = start(*again, script=KILLING, KILL_AT="resume.safetensors", KILL_TIMES="2")
    killed.communicate(PATIENCE)
    assert killed.returncode == -signal.SIGKILL
    result = call(*again)
    assert result.exit_code == 0, result.stderr
    ours, theirs = (
        read_arrays(tmp_path / name / "model.safetensors")[1] for name in ("whole", "killed")
    )
    assert all((ours[name] == theirs[name]).all() for name in ours)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (["--gff-offset", -FIRST - 60_000], "lies outside 'chr2R'"),
        (["--gff-offset", AHEAD - FIRST - 100], "give --gff-offset"),
        (["--region", "chrX:1-1000"], "--region chrX:1-1000: "),
        (["--hold-out", "chr2R:1-4000"], "lies outside what --region names"),
        (["--gff", "nowhere.gff"], "nowhere.gff"),
        (["--gff="], "give --gff FILE"),
    ],
)
def test_what_does_not_fit_is_refused(fly, tmp_path, change, said):
    result = call(*order(fly, tmp_path / "run"), *change)
    assert result.exit_code == 1
    assert said in result.stderr


def test_a_model_of_genes_wants_files(learnt):
    result = call("label", learnt)
    assert result.exit_code == 1
    assert "--out FILE" in result.stderr
