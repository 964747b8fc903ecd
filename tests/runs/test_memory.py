"""The memory beside the network: what a run says of each alone and of both."""

import numpy as np
import pytest

from seqforge.reporting.summary import MemoryScores, RunSummary
from seqforge.runs.evaluate import MemoryWanted, evaluate_model
from seqforge.runs.pipeline import run
from seqforge.runs.progress import NullProgress
from seqforge.runs.request import RunRequest
from seqforge.runs.results import MemoryResult
from tests.conftest import ROOT
from tests.forking import Command
from tests.patience import PATIENCE

SMALL = {
    "model.hidden_size": 8, "training.budget": "8steps", "training.batch_size": 4,
    "training.seq_len": 16, "training.precision": "fp32", "training.lanes": 1,
    "training.num_evaluations": 1, "data.split": "80/10/10",
}  # fmt: skip


@pytest.fixture(scope="module")
def fasta(tmp_path_factory):
    """Random bases whose last fifth is a copy of what stands before, a base in ten changed.

    Of its 24-mers few stand before: a tail of copies is not what a run would hold out.
    """
    rng = np.random.default_rng(7)
    bases = rng.choice(list("ACGT"), 20_000)
    tail = bases[2000:6000].copy()
    changed = rng.random(len(tail)) < 0.13
    tail[changed] = rng.choice(list("ACGT"), int(changed.sum()))
    bases[-4000:] = tail
    path = tmp_path_factory.mktemp("data") / "repeats.fa"
    path.write_text(f">one\n{''.join(bases)}\n")
    return path


def trained(fasta, folder, **settings):
    order = RunRequest(
        "genome", (str(fasta),), {**SMALL, **settings}, folder / "run", only_train=True
    )
    return run(order, NullProgress())


@pytest.fixture(scope="module")
def finished(fasta, tmp_path_factory, new_cache):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEQFORGE_CACHE", str(new_cache()))
        yield trained(fasta, tmp_path_factory.mktemp("run"))


def test_the_memory_finds_what_is_repeated_and_the_headline_is_of_both(finished):
    summary = RunSummary.read(finished.summary)
    scores, network = summary.memory, summary.bits_per_symbol.test

    assert network > 1.9  # nothing but repeats can be known of random bases
    assert scores.alone_frozen < 1.6
    assert scores.alone_adaptive < 1.6
    assert scores.mixed_frozen < 1.6
    assert scores.mixed_adaptive < scores.alone_adaptive + 0.02
    assert scores.bytes > 10_000
    assert summary.headline.model_dump() == {
        "bits": min(scores.mixed_adaptive, scores.mixed_dynamic), "part": "test",
        "what": "network+memory", "adaptive": True,
    }  # fmt: skip
    assert abs(scores.mixed_dynamic - scores.mixed_adaptive) < 0.02
    assert summary.baseline_bits["memory-adaptive"] == scores.alone_adaptive
    assert summary.baseline_kinds["memory-frozen"] == "frozen"


def test_without_the_memory_the_headline_is_the_networks(fasta, tmp_path):
    summary = RunSummary.read(trained(fasta, tmp_path, **{"memory.enabled": False}).summary)

    assert summary.memory is None
    assert (summary.headline.what, summary.headline.adaptive) == ("network", False)
    assert summary.headline.bits == pytest.approx(summary.bits_per_symbol.test, abs=1e-4)
    assert not [name for name in summary.baseline_bits if "memory" in name]


def test_where_only_valid_is_held_out_the_mixture_has_no_frozen_score(fasta, tmp_path):
    """There is nothing left on which it could have learnt to trust the network."""
    summary = RunSummary.read(trained(fasta, tmp_path, **{"data.split": "80/20/0"}).summary)

    assert summary.memory.mixed_frozen is None
    assert summary.memory.mixed_adaptive < 1.6
    assert summary.headline.part == "valid"


def test_evaluate_scores_a_memory_that_has_read_the_first_half(finished, fasta):
    """The copy in the second half is of the first."""
    found = evaluate_model(finished.model, [str(fasta)], NullProgress(), memory=MemoryWanted(10**8))

    scores = found.second_half.memory
    assert scores.alone_adaptive < found.second_half.bits_per_symbol - 0.1
    assert scores.mixed_frozen < found.second_half.bits_per_symbol - 0.1
    assert evaluate_model(finished.model, [str(fasta)], NullProgress()).second_half.memory is None


def test_every_kind_of_symbols_has_a_memory(recipe_folder, tmp_path):
    """Of a network that has learnt nothing, the memory needs less."""
    recipe, source = recipe_folder
    order = RunRequest(recipe, (str(source),), SMALL, tmp_path / "run", only_train=True)
    summary = RunSummary.read(run(order, NullProgress()).summary)

    assert summary.memory.alone_adaptive < summary.bits_per_symbol.test - 0.5
    assert summary.headline.what == "network+memory"


@pytest.fixture(params=["text", "music"])
def recipe_folder(request, tmp_path):
    if request.param == "music":
        return "music", ROOT / "data" / "tunes.abc"
    path = tmp_path / "text.txt"
    path.write_text("the cat sat on the mat, and the dog lay by the door.\nso it was.\n" * 60)
    return "text", path


PREPARED = """
import sys, threading
from pathlib import Path
from seqforge.base.folders import cache_root
from seqforge.core.config import DataConfig
from seqforge.core.data.ingest import ingest
from seqforge.core.evaluation.likelihood import score
from seqforge.core.model.char_rnn import CharRNN
from seqforge.registry import load_domain
from seqforge.runs.memory import memory_scores, of_effort, prepare_memory

def kept():
    return sorted(path.name for path in cache_root().rglob("*.kernel"))

recipe, source, folder, effort = sys.argv[1:]
domain = load_domain(recipe)
corpus, _ = ingest(domain, [Path(source)], DataConfig(split="80/10/10"), Path(folder))
network = CharRNN(len(corpus.vocabulary), hidden_size=8)
score(network, corpus.test)
before = kept()
chosen = of_effort(domain, effort)
prepare_memory(chosen, corpus.vocabulary, corpus.train.tokens)
for thread in threading.enumerate():
    if thread is not threading.main_thread():
        thread.join()
ready = kept()
memory_scores(network, corpus, chosen, 1 << 24, 0, lambda *_: None)
print(len(ready) > len(before), kept() == ready)
"""


def check_that_nothing_is_compiled_after_preparation(recipe, source, tmp_path, effort="fast"):
    (tmp_path / "corpus").mkdir()
    (tmp_path / "prepared.py").write_text(PREPARED)
    process = Command(
        recipe, source, tmp_path / "corpus", effort,
        script=tmp_path / "prepared.py", SEQFORGE_CACHE=str(tmp_path / "cache"),
    )  # fmt: skip
    said, complaints = process.communicate(PATIENCE)
    assert process.returncode == 0, complaints
    assert said.split() == ["True", "True"]


@pytest.mark.parametrize("effort", ["fast", "best"])
def test_a_memory_that_was_prepared_waits_for_no_kernel(recipe_folder, tmp_path, effort):
    check_that_nothing_is_compiled_after_preparation(*recipe_folder, tmp_path, effort)


def test_a_genomes_memory_that_was_prepared_waits_for_no_kernel(fasta, tmp_path):
    check_that_nothing_is_compiled_after_preparation("genome", fasta, tmp_path)


@pytest.mark.parametrize(
    ("mixed", "network", "said"),
    [(1.27, 1.21, True), (1.2, 1.21, False), (None, 1.21, False), (1.2, None, False)],
)
def test_where_the_frozen_mixture_is_worse_samples_will_be(mixed, network, said):
    result = MemoryResult(scores=MemoryScores(mixed_frozen=mixed))
    note = result.warning(network)
    assert (note is not None) == said
    if note is not None:
        assert "need 1.2700 bits and the network alone 1.2100" in note
