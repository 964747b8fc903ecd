"""``--memory-effort best``: several memories in the place of one, in a run and in an evaluation."""

import pytest

import seqforge
from seqforge.core.model.checkpoint import read_arrays
from seqforge.domains.genome.domain import GenomeDomain
from seqforge.reporting.summary import RunSummary
from seqforge.runs.evaluate import MemoryWanted, evaluate_model
from seqforge.runs.memory import _stretches, of_effort
from seqforge.runs.pipeline import run
from seqforge.runs.progress import NullProgress
from seqforge.runs.request import RunRequest
from tests.runs.test_folder_memory import KEPT
from tests.small_runs import text, tunes

SOURCES = {"text": ("words.txt", text, 6000), "music": ("book.abc", tunes, 60)}


@pytest.fixture(scope="module", params=SOURCES)
def both(request, tmp_path_factory, new_cache):
    """Runs of both efforts, and their input."""
    name, make, size = SOURCES[request.param]
    folder = tmp_path_factory.mktemp("efforts")
    (folder / name).write_text(make(size))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEQFORGE_CACHE", str(new_cache()))
        yield {
            effort: run(
                RunRequest(
                    request.param, (str(folder / name),), {**KEPT, "memory.effort": effort},
                    folder / effort, only_train=True,
                ),
                NullProgress(),
            )
            for effort in ("fast", "best")
        }, folder / name  # fmt: skip


def test_the_best_memory_needs_fewer_bits(both):
    runs, _ = both
    fast, best = (RunSummary.read(runs[effort].summary).memory for effort in ("fast", "best"))

    assert best.alone_adaptive < fast.alone_adaptive
    assert best.mixed_adaptive < fast.mixed_adaptive


def test_it_is_kept_and_drawn_with(both):
    runs, _ = both
    counts = {effort: read_arrays(one.memory)[0]["memories"] for effort, one in runs.items()}
    model = seqforge.load(runs["best"].path)
    drawn = model.sample(3, length=120, memory=True, seed=2)

    assert counts == {"fast": 1, "best": 2}
    assert list(model.draw(1, first=3, length=120, memory=True, seed=2)) == drawn[2:]
    assert drawn != seqforge.load(runs["fast"].path).sample(3, length=120, memory=True, seed=2)
    bits = [model.score(s.symbols, memory=True).mean() for s in drawn]
    assert sum(bits) < sum(model.score(s.symbols).mean() for s in drawn)


def test_evaluate_takes_an_effort(both, tmp_path):
    runs, source = both
    (elsewhere := tmp_path / "other.safetensors").write_bytes(runs["best"].model.read_bytes())
    fast, best = (
        evaluate_model(
            elsewhere, [str(source)], NullProgress(), memory=MemoryWanted(4_000_000, effort)
        ).second_half.memory
        for effort in ("fast", "best")
    )

    assert best.alone_adaptive < fast.alone_adaptive
    assert best.bytes > fast.bytes


@pytest.mark.parametrize(
    ("symbols", "fast", "best"),
    [
        (1_000, (32, 1), (32, 1)),
        (111_000, (32, 1), (32, 1)),
        (500_000, (32, 2), (64, 1)),
        (2_100_000, (32, 9), (128, 1)),
        (28_000_000, (32, 110), (128, 10)),
    ],
)
def test_steps_are_longer_before_there_are_gaps(symbols, fast, best):
    assert _stretches(symbols, 8_000, False) == fast
    assert _stretches(symbols, 8_000, True) == best


def test_a_domain_with_one_memory_has_it_for_both_efforts():
    domain = GenomeDomain()
    assert of_effort(domain, "fast") is of_effort(domain, "best") is domain
