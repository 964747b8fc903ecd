"""What training can minimise and average: each against a plain statement of itself."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from seqforge.core.config import TrainingConfig
from seqforge.core.data.batches import BatchWindow
from seqforge.core.data.vocabulary import END
from seqforge.core.model.char_rnn import CharRNN
from seqforge.core.model.prepared import CompiledModel, TorchModel, prepare_model
from seqforge.core.training.ema import WeightAverage
from seqforge.core.training.lanes import Lanes
from seqforge.core.training.scheduled_sampling import Objective, sampled_inputs
from seqforge.core.training.trainer import learning_rate
from seqforge.errors import ConfigError, RunError
from tests.core.training.test_trainer import corpus_of, dna, trainer_for

NOISE = {"dropout": 0.3, "variational": True, "weight_drop": 0.2, "embedding_dropout": 0.1}


def window_of(rows, length, seed=0):
    ids = np.random.default_rng(seed).integers(1, 9, (rows, length + 1))
    return BatchWindow(ids[:, :-1], ids[:, 1:], np.zeros(rows, bool))


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_the_compiled_network_is_torchs_with_the_same_masks(cell):
    """Loss and gradients of all parameters, with everything dropped that can be."""
    torch.manual_seed(0)
    model = CharRNN(9, cell=cell, hidden_size=20, num_layers=2, tied=True, **NOISE)
    ids = torch.randint(0, 9, (12, 5))
    targets = torch.randint(0, 9, (12, 5))
    found = []
    for kind in (CompiledModel, TorchModel):
        weights, values = (torch.Generator().manual_seed(seed) for seed in (1, 2))
        compiled = kind is CompiledModel
        given = (model, False, True, False) if compiled else (model, "fp32")
        network = kind(*given, weights)
        # The kernels' values are padded to the vector width, and so would be their masks.
        model.dropout = 0.0
        logits, _ = network.run(ids, model.zero_state(5), values)
        loss = cross_entropy(logits.flatten(0, 1), targets.flatten())
        gradients = torch.autograd.grad(loss, network.leaves)
        found.append((logits, network.parameter_gradients(gradients)))

    torch.testing.assert_close(found[0][0], found[1][0], atol=1e-5, rtol=0)
    for ours, theirs in zip(found[0][1], found[1][1], strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=1e-4)


def test_many_symbols_in_a_short_window_are_read_without_a_table():
    """Loss and gradients are the same whether the first layer looks rows up or multiplies."""
    torch.manual_seed(0)
    model = CharRNN(300, cell="gru", hidden_size=20, num_layers=2, embedding_size=9)
    ids, targets = torch.randint(0, 300, (2, 12, 5))
    found = []
    for symbols in (None, 60):
        network = prepare_model(model, "fp32", training=True, symbols=symbols)
        logits, _ = network.run(ids, model.zero_state(5))
        loss = cross_entropy(logits.flatten(0, 1), targets.flatten())
        gradients = torch.autograd.grad(loss, network.leaves)
        found.append((logits, network.parameter_gradients(gradients)))
    largest = max(tensor.numel() for tensor in network.leaves)

    assert largest < 300 * 4 * 20, "no table was made"
    torch.testing.assert_close(found[0][0], found[1][0], atol=1e-5, rtol=0)
    for ours, theirs in zip(found[0][1], found[1][1], strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=1e-4)


def test_a_symbol_that_is_not_there_is_refused():
    model = CharRNN(9, hidden_size=16)
    with pytest.raises(IndexError, match="symbol 9 of 9"):
        model(torch.full((2, 3), 9))


def test_a_gradient_that_is_no_number_ends_training_before_it_is_used(tmp_path_factory):
    corpus = corpus_of(tmp_path_factory, dna(20_000))
    config = TrainingConfig(budget="9steps", batch_size=8, seq_len=16, precision="fp32")
    trainer = trainer_for(corpus, config)
    with torch.no_grad():
        trainer.model.output.weight[:] = 1e30
    before = trainer.model.arrays()

    with pytest.raises(RunError, match=r"diverged at step 0.*lower --learning-rate"):
        trainer.run(lambda evaluation: None)
    assert all((before[name] == array).all() for name, array in trainer.model.arrays().items())


def test_a_variational_mask_is_the_same_at_every_step_of_a_window():
    model = CharRNN(5, hidden_size=64, dropout=0.5, variational=True)
    dropped = model.drop(torch.ones(7, 3, 64), torch.Generator().manual_seed(0))

    assert torch.equal(dropped, dropped[:1].expand_as(dropped))
    assert not torch.equal(dropped[:, 0], dropped[:, 1])


def test_embedding_dropout_takes_whole_symbols_and_weight_drop_single_weights():
    model = CharRNN(4000, hidden_size=64, weight_drop=0.25, embedding_dropout=0.25)
    embedding, (recurrent,) = model.dropped_weights(torch.Generator().manual_seed(0))

    gone = (embedding == 0).all(1)
    assert torch.equal(gone, (embedding == 0).any(1))
    assert gone.float().mean().item() == pytest.approx(0.25, abs=0.03)
    kept = recurrent != 0
    assert kept.float().mean().item() == pytest.approx(0.75, abs=0.02)
    weight = model.layers[0].weight_hh_l0
    torch.testing.assert_close(recurrent[kept], weight[kept] / 0.75)


def test_label_smoothing_is_torchs():
    torch.manual_seed(0)
    model = CharRNN(9, hidden_size=16)
    lanes = Lanes(model, 2, 6, "fp32")
    window = window_of(6, 10)
    loss, gradients = lanes.gradients(window, 0, 0, Objective(label_smoothing=0.2))
    lanes.close()

    logits, _ = model(torch.from_numpy(window.inputs))
    targets = torch.from_numpy(window.targets).flatten()
    plain = cross_entropy(logits.flatten(0, 1), targets)
    smoothed = cross_entropy(logits.flatten(0, 1), targets, label_smoothing=0.2)
    wanted = torch.autograd.grad(smoothed, list(model.parameters()))

    assert loss == pytest.approx(plain.item(), abs=1e-5)
    for ours, theirs in zip(gradients, wanted, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=1e-4)


def test_own_inputs_are_the_models_draws_and_record_ends_stay():
    """With chance one every input but the first is drawn; a sharp model draws the likeliest."""
    torch.manual_seed(0)
    model = CharRNN(9, hidden_size=16)
    with torch.no_grad():
        model.output.bias[4] = 50.0  # whatever it reads, it draws symbol 4
    ids = torch.randint(1, 9, (30, 8))
    ids[10] = END
    network, state = prepare_model(model, "fp32"), model.zero_state(8)

    def drawn(chance):
        noise = torch.Generator().manual_seed(0)
        return sampled_inputs(network, ids, state, Objective(scheduled_sampling=chance), noise)

    everything = drawn(1.0)
    assert torch.equal(everything[0], ids[0])
    assert torch.equal(everything[10], ids[10])
    assert (everything[1:10] == 4).all()
    assert (everything[11:] == 4).all()
    half = (drawn(0.5) != ids).float().mean().item()
    assert half == pytest.approx(0.5 * 28 / 30 * 7 / 8, abs=0.08)
    assert torch.equal(drawn(0.0), ids)


def test_accumulated_windows_are_one_step_of_their_mean_gradient(tmp_path_factory):
    corpus = corpus_of(tmp_path_factory, dna(20_000))
    config = TrainingConfig(
        budget="3steps", batch_size=4, seq_len=16, precision="fp32", grad_accumulation=3
    )
    trainer = trainer_for(corpus, config)
    by_hand = trainer_for(corpus, config)

    loss, found, symbols = trainer._gradients(0.0)
    parts = [by_hand.lanes.gradients(by_hand.task.window(n), 0, n) for n in range(3)]

    assert loss == pytest.approx(sum(part[0] for part in parts) / 3)
    assert symbols == 3 * 4 * 16
    for ours, *theirs in zip(found, *(part[1] for part in parts), strict=True):
        torch.testing.assert_close(ours, sum(theirs) / 3)


def test_a_step_is_no_longer_than_an_epoch(tmp_path_factory):
    corpus = corpus_of(tmp_path_factory, dna(20_000))
    config = TrainingConfig(budget="1s", precision="fp32", grad_accumulation=1001)

    with pytest.raises(ConfigError, match=r"1,001 windows are more than an epoch .* 1,000 or less"):
        trainer_for(corpus, config)


def test_the_average_looks_back_over_its_share_of_the_steps():
    """Of the line 1, 2, 3 ... a window over the last tenth lags by about a tenth."""
    parameter = torch.zeros(1)
    average = WeightAverage([parameter], 0.1)
    for step in range(1, 5001):
        parameter.fill_(step)
        average.follow(step)

    assert 5000 - average.values[0].item() == pytest.approx(0.1 / 1.1 * 5000, rel=0.02)


def test_the_average_stands_in_and_goes_away_again():
    parameter = torch.randn(5)
    average = WeightAverage([parameter], 0.5)
    before, mean = parameter.clone(), average.values[0].clone()
    parameter.add_(1)
    with average.swapped_in():
        assert torch.equal(parameter, mean)

    assert torch.equal(parameter, before + 1)
    assert torch.equal(average.values[0], mean)


def test_the_plateau_falls_where_an_evaluation_is_no_better(tmp_path_factory):
    """A rate so high that training gets worse: it is brought down, step by step."""
    corpus = corpus_of(tmp_path_factory, dna(20_000))
    config = TrainingConfig(
        budget="60steps", batch_size=8, seq_len=32, precision="fp32", schedule="plateau",
        learning_rate=0.8, warmup=0.0, num_evaluations=12,
    )  # fmt: skip
    trainer = trainer_for(corpus, config)
    seen = []
    trainer.run(seen.append)

    worse = [not evaluation.best for evaluation in seen]
    assert any(worse)
    assert trainer.rate_fallen == pytest.approx(0.5 ** sum(worse))
    for before, after in pairwise(seen):
        expected = before.learning_rate * (1.0 if before.best else 0.5)
        assert after.learning_rate == pytest.approx(max(expected, 0.8 * config.final_lr_ratio))


@pytest.mark.parametrize("setting", [{"schedule": "plateau"}, {"patience": 3}])
def test_what_looks_at_held_out_data_needs_some(tmp_path_factory, setting):
    corpus = corpus_of(tmp_path_factory, dna(20_000), "95/0/5")
    with pytest.raises(ConfigError, match=r"none are held out; give a --split"):
        trainer_for(corpus, TrainingConfig(**setting))


def test_a_constant_rate_stays_after_the_warm_up():
    config = TrainingConfig(schedule="constant", learning_rate=0.01, warmup=0.1)
    assert learning_rate(config, 0.05) == pytest.approx(0.005)
    assert {learning_rate(config, share / 10) for share in range(1, 11)} == {0.01}


def test_scaled_gradients_train_the_same_and_overflow_costs_one_step(tmp_path_factory):
    """The loss scale of float16 is a power of two: in float32 it cannot be seen."""
    corpus = corpus_of(tmp_path_factory, dna(20_000))
    config = TrainingConfig(budget="6steps", batch_size=8, seq_len=16, precision="fp32", lanes=1)
    plain, scaled = trainer_for(corpus, config), trainer_for(corpus, config)
    scaled.scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    for trainer in (plain, scaled):
        for step in range(6):  # not run(), which sets the scaler that the precision asks for
            trainer._step(step / 6)
    assert scaled.scaler.is_enabled()
    for ours, theirs in zip(scaled.model.parameters(), plain.model.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=1e-5)

    before = scaled.model.arrays()
    scaled.scaler = torch.amp.GradScaler("cpu", init_scale=float("inf"))
    scaled._step(0.5)
    assert all((before[name] == array).all() for name, array in scaled.model.arrays().items())
