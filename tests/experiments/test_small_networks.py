"""How small networks are trained: what counts in a loss, and what a pull does."""

import math

import pytest
import torch

from seqforge.experiments.small_networks import IGNORED, Batch, Practice, fresh_network, losses
from seqforge.experiments.small_networks import practise as trained


def batch():
    torch.manual_seed(0)
    ids = torch.randint(0, 4, (6, 3))
    targets = torch.randint(0, 4, (6, 3))
    targets[3:, 0] = IGNORED
    return Batch(ids, targets)


def nats(model, given, sharpness):
    """Of each symbol, by the forward pass; 0 where nothing is told."""
    logits, _ = model(given.ids.t())
    log_probs = (sharpness * logits).log_softmax(-1).transpose(0, 1)
    told = given.targets != IGNORED
    return -log_probs.gather(-1, given.targets.clamp(min=0)[..., None])[..., 0] * told, told


@pytest.mark.parametrize("sharpness", [1.0, 30.0])
@pytest.mark.parametrize("loss", ["sequences", "symbols", "hardest"])
def test_a_loss_is_of_all_symbols_of_sequences_or_of_the_hardest_of_each(loss, sharpness):
    model, given = fresh_network("gru", 4, 5, 1), batch()
    each, told = nats(model, given, sharpness)
    means = {"sequences": (each.sum(0) / told.sum(0)).mean(), "symbols": each.sum() / told.sum()}
    mean, trained_on = losses(model, given, Practice(1, 0.1, loss=loss, sharpness=sharpness))

    assert mean.item() == pytest.approx(means.get(loss, means["symbols"]).item(), rel=1e-5)
    hardest = each.max(0).values.mean()
    wanted = hardest if loss == "hardest" else mean
    assert trained_on.item() == pytest.approx(wanted.item(), rel=1e-5)


def test_pulled_recurrent_weights_stay_where_they_began_and_others_do_not():
    moved = {}
    for pull in (0.0, 100.0):
        model = fresh_network("irnn", 4, 5, 1)
        before = {name: weight.clone() for name, weight in model.state_dict().items()}
        loss = trained(model, Practice(60, 0.02, pull=pull, last_share=1e-3), batch)
        assert math.isfinite(loss)
        moved[pull] = {
            name: float((weight - before[name]).abs().max())
            for name, weight in model.state_dict().items()
        }
    recurrent = "layers.0.weight_hh_l0"
    assert moved[100.0][recurrent] < 0.02 < moved[0.0][recurrent]
    assert moved[100.0]["output.weight"] > 0.02
