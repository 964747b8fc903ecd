"""Samples in a run folder know what their model was trained on, long after."""

import random

import pytest

from seqforge.base.folders import sha256_of
from seqforge.domains.genome.fasta import read_sequences
from seqforge.domains.genome.similarity.controls import Controls
from seqforge.domains.genome.similarity.library import library_of
from seqforge.errors import RunError
from seqforge.runs.sample import training_data_of_samples
from tests.cli.conftest import seqforge  # noqa: F401  (a fixture)


@pytest.fixture
def run(tmp_path, seqforge):  # noqa: F811
    """A finished run on two files, one of them refused."""
    bases = "".join(random.Random(3).choices("ACGT", k=20_000))
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.fa").write_text(f">chr1\n{bases}\n")
    (tmp_path / "in" / "b.fa").write_text(">bad\n12345\n")
    result = seqforge(
        "run", "genome", tmp_path / "in", "--out", tmp_path / "run", "--budget", "2steps",
        "--hidden-size", 8, "--set", "sampling.length=60", "--blast", "off", "--quiet",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    return tmp_path / "run"


def test_samples_of_a_run_lead_to_what_it_held_out(run, tmp_path):
    samples = run / "samples" / "samples-t0.8.fa"
    ingest = (run / "ingest.tsv").read_bytes()

    learnt = training_data_of_samples(samples)

    assert [path.name for path in learnt.files] == ["a.fa"]
    assert (run / "ingest.tsv").read_bytes() == ingest
    controls = Controls.of_files(("shuffle", "markov", "real"), [], learnt=learnt)
    assert controls.background.name == "the training data"
    assert controls.held_out.lengths == (1_000,)

    again = tmp_path / "copy.fa"  # the same bytes under another name
    again.write_bytes((tmp_path / "in" / "a.fa").read_bytes())
    assert sha256_of(again) == sha256_of(learnt.files[0])
    (library,) = library_of([again], learnt, tmp_path / "out")
    (record,) = read_sequences(library)
    assert len(record.symbols) == 18_000
    other = tmp_path / "other.fa"
    other.write_text(">x\nACGT\n")
    assert library_of([other], learnt, tmp_path / "out") == [other]
    assert library_of([again], None, tmp_path / "out") == [again]


def test_samples_that_lie_elsewhere_have_no_run(run, tmp_path):
    elsewhere = tmp_path / "samples" / "mine.fa"
    elsewhere.parent.mkdir()
    elsewhere.write_bytes((run / "samples" / "samples-t0.8.fa").read_bytes())

    assert training_data_of_samples(elsewhere) is None


def test_a_run_whose_input_has_changed_says_what_to_do(run, tmp_path):
    (tmp_path / "in" / "a.fa").write_text(">chr1\n" + "ACGT" * 5_000)

    with pytest.raises(
        RunError, match=r"can no longer be determined.*a\.fa has changed.*--against LIB\.fa"
    ):
        training_data_of_samples(run / "samples" / "samples-t0.8.fa")
