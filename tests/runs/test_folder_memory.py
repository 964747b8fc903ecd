"""A run keeps its memory beside the model, and samples are drawn with it."""

from __future__ import annotations

import math

import numpy as np
import pytest

import seqforge
from seqforge.core.data.domain import copy_units
from seqforge.core.memory.memory_file import load_memory
from seqforge.core.model.checkpoint import load_checkpoint
from seqforge.errors import CheckpointError, ConfigError
from seqforge.runs.evaluate import MemoryWanted, evaluate_model
from seqforge.runs.pipeline import run
from seqforge.runs.progress import NullProgress
from seqforge.runs.request import RunRequest
from tests.runs.test_memory import SMALL
from tests.small_runs import text, tunes

KEPT = {**SMALL, "memory.save": True, "memory.budget": "1M"}


def repeated(_: int) -> str:
    """A contig that is its own copy three times, a base in 20 changed, the last time inverted."""
    draw = np.random.default_rng(4)
    unit = draw.integers(0, 4, 1500)
    again = [np.where(draw.random(1500) < 0.05, draw.integers(0, 4, 1500), unit) for _ in range(3)]
    bases = np.concatenate([unit, *again[:2], 3 - again[2][::-1]])
    return f">chr1\n{''.join('ACGT'[base] for base in bases)}\n"


SOURCES = {"text": ("words.txt", text, 6000), "music": ("book.abc", tunes, 60),
           "genome": ("chr.fa", repeated, 0)}  # fmt: skip
LIMITS = {"text": 50, "music": 16, "genome": 100}
FEW = {"text": 5, "music": 5, "genome": 12}


def trained(domain, source, out, **settings):
    order = RunRequest(domain, (str(source),), {**KEPT, **settings}, out, only_train=True)
    return run(order, NullProgress())


@pytest.fixture(scope="module", params=SOURCES)
def kept(request, tmp_path_factory, new_cache):
    """A run folder with a memory, its domain and its input."""
    name, make, size = SOURCES[request.param]
    folder = tmp_path_factory.mktemp("kept")
    (folder / name).write_text(make(size))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEQFORGE_CACHE", str(new_cache()))
        yield trained(request.param, folder / name, folder / "run"), request.param, folder / name


def test_samples_with_the_memory_are_more_like_the_training_data(kept):
    """Of a network that has learnt for eight steps."""
    model = seqforge.load(kept[0].path)
    how = {"length": 200, "seed": 1, "temperature": 0.6}
    plain, mixed = (model.sample(4, memory=m, **how) for m in (False, True))
    again = seqforge.load(kept[0].path).sample(4, memory=True, **how)

    assert mixed == again
    assert plain == model.sample(4, **how)
    assert {sample.settings.get("memory") for sample in mixed} == {True}
    assert all("memory" not in sample.settings for sample in plain)
    bits = [
        sum(model.score(s.symbols, memory=True).mean() for s in some) for some in (mixed, plain)
    ]
    assert bits[0] < 0.9 * bits[1]


def test_a_sample_depends_on_its_number_alone(kept):
    """Not on what is drawn beside it, or how it is asked for."""
    model = seqforge.load(kept[0].path)
    how = {"length": 70, "seed": 3, "memory": True, "temperature": 0.8}
    wanted = model.sample(5, **how)

    assert list(model.draw(2, first=3, **how)) == wanted[2:4]
    assert "".join(model.stream(number=5, **how)) == wanted[4].drawn


def test_a_model_that_learned_from_a_prime_keeps_its_memory(kept):
    model = seqforge.load(kept[0].path)
    prime = model.sample(length=80, seed=5)[0].symbols
    adapted, _ = model.adapted(prime)

    (sample,) = adapted.sample(length=40, memory=True, prime=prime)
    assert (sample.settings["memory"], sample.settings["adapt"]) == (True, 1)


def test_scores_with_the_memory_are_those_of_what_was_drawn(kept):
    model = seqforge.load(kept[0].path)
    begin = model.sample(length=3)[0].symbols
    how = {"memory": True, "copy_limit": 0, "constraint": False}
    (sample,) = model.sample(length=120, prime=begin, **how)
    bits = model.score(sample.symbols, memory=True)

    # Of a symbol once in a thousand the exact score is another.
    assert -sample.mean_log_prob / math.log(2) == pytest.approx(bits[3:].mean(), abs=0.03)
    assert bits.mean() < model.score(sample.symbols).mean()


@pytest.mark.parametrize("few", [False, True])
def test_no_sample_copies_more_than_the_limit(kept, few):
    """Longer ones are drawn without it."""
    folder, name, _ = kept
    most = FEW[name] if few else None
    model = seqforge.load(folder.path)
    units = copy_units(model.domain, model.card.vocabulary)
    assert units.limit == LIMITS[name]
    history = [int(i) for i in load_memory(folder.memory, load_checkpoint(folder.model),
                                           model.domain).history]  # fmt: skip
    found = {}
    for limit in (most, 0):
        samples = model.sample(3, length=400, temperature=0.3, memory=True, copy_limit=limit)
        said = units.limit if limit is None else limit
        assert {sample.settings["copy_limit"] for sample in samples} == {said}
        drawn = [model.card.vocabulary.encode(sample.symbols) for sample in samples]
        found[limit] = max(longest_copied(ids, history, units) for ids in drawn)
    assert found[most] <= (most or units.limit)
    assert most is None or found[0] > most


def longest_copied(ids, history, units) -> int:
    """Units of the longest stretch that occurs in the history, looked for plainly."""
    known, drawn, longest = "".join(map(chr, history)), "".join(map(chr, ids.tolist())), 0
    if units.partners is not None:  # ids and codes are the same here
        known += "\0" + "".join(chr(int(units.partners[i])) for i in reversed(history))
    counted = np.concatenate([[0], np.cumsum(units.counted[ids])])
    for start in range(len(drawn)):
        stop = start + 1
        while stop <= len(drawn) and drawn[start:stop] in known:
            longest = max(longest, int(counted[stop] - counted[start]))
            stop += 1
    return longest


def test_a_saved_memory_is_scored_without_learning_again(kept, tmp_path):
    """It knows the training data; a new one knows the first half alone."""
    folder, _, source = kept
    path = tmp_path / source.name
    path.write_text(source.read_text()[:1500])
    (elsewhere := tmp_path / "other.safetensors").write_bytes(folder.model.read_bytes())
    saved, new = (
        evaluate_model(
            model, [str(path)], NullProgress(), memory=MemoryWanted(4_000_000)
        ).second_half
        for model in (folder.model, elsewhere)
    )

    assert (saved.saved_memory, new.saved_memory) == (True, False)
    assert saved.bits_per_symbol == new.bits_per_symbol
    assert saved.memory.alone_frozen < 0.9 * new.memory.alone_frozen


def test_where_no_memory_was_kept_the_remedy_makes_one(kept):
    folder = kept[0]
    wanted = folder.memory.read_bytes()
    folder.memory.unlink()
    with pytest.raises(CheckpointError, match="there is no memory; its training data makes one: "):
        seqforge.load(folder.path).sample(memory=True)

    order = RunRequest(
        str(folder.path / "config.toml"), (), {"memory.save": True}, folder.path, only_train=True
    )  # fmt: skip
    run(order, NullProgress())

    assert folder.memory.read_bytes() == wanted


def test_what_cannot_be_kept_is_refused_before_training(kept, tmp_path):
    _, domain, source = kept
    with pytest.raises(ConfigError, match="give --split 90/5/5"):
        trained(domain, source, tmp_path / "a", **{"data.split": "100/0/0"})
    with pytest.raises(ConfigError, match="no memory to keep with --no-memory"):
        trained(domain, source, tmp_path / "b", **{"memory.enabled": False})


def test_a_bundled_model_without_a_memory_says_so():
    with pytest.raises(CheckpointError, match="there is no memory; train with --save-memory"):
        seqforge.load("fly").sample(memory=True)
