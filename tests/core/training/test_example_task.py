"""Batches, gradients and scores of examples."""

import numpy as np
import pytest
import torch

from seqforge.core.config import RunConfig, TrainingConfig
from seqforge.core.data.examples import Examples, ExampleSet
from seqforge.core.model.task_model import Fixed, make_network
from seqforge.core.training.distributed import Ranks
from seqforge.core.training.example_task import ExampleTask
from seqforge.core.training.trainer import Trainer
from seqforge.errors import InputError

NO_GRAMS = Fixed(np.zeros(0, np.int64), {})


def examples(task, count=40, seed=0):
    """Sequences of three symbols; each is of the class, and has the labels, of its commonest."""
    draw = np.random.default_rng(seed)

    def pair():
        ids = draw.integers(1, 4, draw.integers(3, 12)).astype(np.uint16)
        commonest = np.bincount(ids, minlength=4).argmax()
        targets = {"classify": [commonest - 1], "label": ids - 1, "translate": ids[::-1]}
        return ids, np.array(targets[task], np.uint16)

    parts = {"train": count, "valid": count // 2, "test": 0}
    made = {part: Examples.of([pair() for _ in range(n)]) for part, n in parts.items()}
    return ExampleSet(task, made, ("a", "b", "c"), ("a", "b", "c"), {})


def network_for(task, **model):
    torch.manual_seed(2)
    settings = {"cell": "gru", "hidden_size": 16, **model}
    config = RunConfig.of({"domain": "text", "task": {"kind": task}, "model": settings}, "a test")
    return make_network(config, 3, 3, NO_GRAMS)


def training(**more):
    settings = {"budget": "40steps", "batch_size": 8, "precision": "fp32", "lanes": 1, **more}
    return TrainingConfig.model_validate(settings)


@pytest.mark.parametrize("task", ["classify", "label", "translate"])
def test_every_epoch_reads_every_example_once(task):
    learnt = ExampleTask(examples(task), training())
    for epoch in range(3):
        steps = range(learnt.windows_per_epoch)
        windows = [learnt.window(epoch * learnt.windows_per_epoch + step) for step in steps]
        read = [piece.example for window in windows for piece in window.pieces]
        assert sorted(read) == list(range(40))


def test_batches_are_a_function_of_step_and_seed():
    one, other = (ExampleTask(examples("classify"), training()) for _ in range(2))
    assert [one.window(n) for n in (9, 2, 14)] == [other.window(n) for n in (9, 2, 14)]
    seeded = ExampleTask(examples("classify"), training(seed=1))
    assert [one.window(n) for n in range(5)] != [seeded.window(n) for n in range(5)]


def test_long_labelled_sources_are_read_in_stretches_without_gaps():
    learnt = ExampleTask(examples("label"), training(seq_len=4))
    windows = [learnt.window(n) for n in range(learnt.windows_per_epoch)]
    pieces = [piece for window in windows for piece in window.pieces]
    lengths = np.zeros(40, int)
    for piece in pieces:
        assert piece.stop - piece.start <= 4
        lengths[piece.example] += piece.stop - piece.start
    assert lengths.tolist() == learnt.data.parts["train"].source_lengths.tolist()


@pytest.mark.parametrize("task", ["classify", "label", "translate"])
def test_lanes_and_processes_add_up_to_one(task):
    """The gradients of a window do not depend on who reads which of its rows."""
    network, learnt = network_for(task), ExampleTask(examples(task), training())
    window = learnt.window(3)
    loss, whole = learnt.lanes(network, 1, "fp32").gradients(window, 0, 3)
    lanes = learnt.lanes(network, 3, "fp32").gradients(window, 0, 3)
    ranks = [
        learnt.lanes(network, 1, "fp32", Ranks(rank, 2, 2)).gradients(window, 0, 3)
        for rank in (0, 1)
    ]
    both = (
        sum(one for one, _ in ranks),
        [a + b for a, b in zip(ranks[0][1], ranks[1][1], strict=True)],
    )
    for other, gradients in (lanes, both):
        assert other == pytest.approx(loss, rel=1e-5)
        for ours, theirs in zip(whole, gradients, strict=True):
            torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-3)


@pytest.mark.parametrize("task", ["classify", "label"])
def test_a_small_network_learns_a_task_that_can_be_learnt(task):
    learnt = ExampleTask(examples(task, 200), training(budget="150steps", learning_rate=1e-2))
    trainer = Trainer(network_for(task), learnt, learnt._config)
    before = learnt.score(trainer.model, 10**6, "fp32", 1)
    trainer.run(lambda look: None)
    trainer.close()
    assert learnt.score(trainer.model, 10**6, "fp32", 2) < before / 3


def test_nothing_to_learn_is_said():
    data = examples("classify", 0)
    with pytest.raises(InputError, match="no example is left to train on"):
        ExampleTask(data, training())


def test_class_weights_have_mean_one_over_the_training_part():
    data = examples("classify")
    weights = ExampleTask(data, training(), class_weights=1.0).class_weights
    counts = np.bincount(data.parts["train"].targets, minlength=3)
    assert (weights.numpy() * counts).tolist() == pytest.approx([40 / 3] * 3, rel=1e-5)
    assert ExampleTask(data, training()).class_weights is None
