"""An encoder-decoder with attention: one pass against single steps, gradients, search."""

import itertools

import numpy as np
import pytest
import torch

from seqforge.core.model.task_networks import Batch
from seqforge.core.model.translator import Translator, translate, translate_greedily
from seqforge.core.model_config import ModelConfig

SOURCES = [[1, 2, 3, 4, 2], [3, 1], [4, 4, 1]]
TARGETS = [[1, 3, 2, 0], [2, 0], [3, 3, 1, 1, 2, 0]]


def network(cell="gru", seed=1, spread=1.0):
    torch.manual_seed(seed)
    config = ModelConfig(cell=cell, hidden_size=6, embedding_size=4, bidirectional=True)
    model = Translator(5, 4, config).eval()
    with torch.no_grad():  # far from uniform, so that what is likeliest is clear
        model.output.weight.mul_(spread)
    return model


def batch(rows=slice(None)):
    return Batch.of(
        [np.array(one) for one in SOURCES[rows]], [np.array(one) for one in TARGETS[rows]]
    )


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_one_pass_says_what_single_steps_say(cell):
    model, given = network(cell), batch()
    with torch.no_grad():
        whole = model.logits(given, "fp32").log_softmax(2)
        source, state = model.read(given, "fp32"), model.begin(len(SOURCES))
        ids = torch.zeros(len(SOURCES), dtype=torch.int64)
        for place, targets in enumerate(given.targets):
            step = model.step(ids, source, state)
            torch.testing.assert_close(step.log_chances, whole[place], atol=1e-5, rtol=1e-4)
            ids, state = targets.clamp(min=0), step.state


def test_padding_changes_nothing():
    model = network()
    with torch.no_grad():
        together = model.logits(batch(), "fp32")
        for row, target in enumerate(TARGETS):
            alone = model.logits(batch(slice(row, row + 1)), "fp32")[:, 0]
            torch.testing.assert_close(together[: len(target), row], alone, atol=1e-5, rtol=1e-4)
        total = sum(float(model.loss(batch(slice(n, n + 1)), "fp32")[0]) for n in range(3))
        assert float(model.loss(batch(), "fp32")[0]) == pytest.approx(total, rel=1e-5)


def test_attention_sums_to_one_within_the_source():
    model, given = network(), batch()
    with torch.no_grad():
        source = model.read(given, "fp32")
        ids = torch.tensor([1, 2, 3])
        attention = model.step(ids, source, model.begin(3)).attention
    torch.testing.assert_close(attention.sum(1), torch.ones(3))
    for row, one in enumerate(SOURCES):
        assert (attention[row, : len(one)] > 0).all()
        assert (attention[row, len(one) :] == 0).all()


def test_gradients_are_those_of_finite_differences():
    model, given = network(), batch()

    def loss():
        return model.loss(given, "fp32")[1]

    parameters = list(model.parameters())
    gradients = torch.autograd.grad(loss(), parameters)
    for (name, one), gradient in zip(model.named_parameters(), gradients, strict=True):
        place, move = int(gradient.abs().argmax()), 1e-2
        with torch.no_grad():
            flat = one.view(-1)
            flat[place] += move
            above = float(loss())
            flat[place] -= 2 * move
            below = float(loss())
            flat[place] += move
        wanted = (above - below) / (2 * move)
        assert float(gradient.view(-1)[place]) == pytest.approx(wanted, rel=2e-2, abs=2e-3), name


@pytest.mark.parametrize("seed", range(6))
def test_a_beam_of_one_is_greedy_and_a_wide_one_is_no_worse(seed):
    model, given = network(seed=seed, spread=6.0), batch()
    ones = translate(model, given, beam=1, longest=8)
    assert [one.ids for one in ones] == translate_greedily(model, given, longest=8)
    for beam in (2, 4, 16):
        wide = translate(model, given, beam, longest=8)
        for one, other in zip(ones, wide, strict=True):
            assert (other.ended, other.by_symbol) >= (one.ended, one.by_symbol)


def test_a_log_probability_is_that_of_the_whole_target():
    model = network(spread=4.0)
    for row, source in enumerate(SOURCES):
        (found,) = translate(model, batch(slice(row, row + 1)), beam=4, longest=8)
        ids = np.array([*found.ids, 0] if found.ended else found.ids)
        with torch.no_grad():
            nats = model.loss(Batch.of([np.array(source)], [ids]), "fp32")[0]
        assert found.log_chance == pytest.approx(-float(nats), rel=1e-4, abs=1e-5)


def test_a_beam_that_keeps_all_finds_the_likeliest_of_all():
    """Of all targets of one symbol and its end, or the end alone, by trying each."""
    model, given = network(spread=4.0), batch(slice(0, 1))
    every = [[*body, 0] for n in (0, 1) for body in itertools.product((1, 2, 3), repeat=n)]
    source = np.array(SOURCES[0])
    with torch.no_grad():
        measures = {
            tuple(one): -float(model.loss(Batch.of([source], [np.array(one)]), "fp32")[0])
            / len(one)
            for one in every
        }
    (found,) = translate(model, given, beam=100, longest=2)
    assert found.by_symbol == pytest.approx(max(measures.values()), rel=1e-4)


def test_scheduled_sampling_changes_what_is_read_and_not_what_is_wanted(monkeypatch):
    model, given = network(spread=4.0), batch()
    read, kept = [], model._decoded

    def seen(batch, ids, precision, noise):
        read.append((batch.targets.clone(), ids.clone()))
        return kept(batch, ids, precision, noise)

    monkeypatch.setattr(model, "_decoded", seen)
    noise = torch.Generator().manual_seed(1)
    plain, _ = model.loss(given, "fp32", noise)
    model.loss(given, "fp32", noise, sampled=1.0)
    taught, asked, sampled = read
    assert (asked[1] == taught[1]).all(), "what is drawn is drawn from the target's own beginning"
    assert (sampled[0] == given.targets).all()
    assert (sampled[1][0] == 0).all()
    assert (sampled[1] != taught[1]).any()
    assert float(model.loss(given, "fp32", noise, sampled=0.0)[0]) == float(plain)
