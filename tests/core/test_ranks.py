"""What a process does that is alone, and how the batch is dealt out to several."""

import numpy as np
import pytest
import torch

from seqforge.core.lanes import Lanes, choose_lanes
from seqforge.core.model import CharRNN
from seqforge.core.ranks import ALONE, Ranks, joined
from seqforge.core.streams import Window
from seqforge.errors import ConfigError


def test_without_torchrun_a_process_is_alone(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with joined() as ranks:
        assert ranks is ALONE
    assert ranks.agree(lambda: 3) == 3
    assert ranks.gather("x") == ["x"]


@pytest.mark.parametrize(("world", "lanes"), [(1, 1), (1, 4), (2, 2), (4, 1), (3, 1)])
def test_the_parts_of_all_ranks_are_the_gradient_of_the_batch(world, lanes):
    """However the rows are dealt out, losses and gradients add up to those of one process."""
    torch.manual_seed(0)
    model = CharRNN(7, hidden_size=12, num_layers=2)
    rng = np.random.default_rng(0)
    block = rng.integers(0, 7, (13, 21))
    window = Window(block[:, :-1], block[:, 1:], np.zeros(13, bool))
    whole = Lanes(model, 1, 13, "fp32")
    loss, gradients = whole.gradients(window, 0, 0)

    parts = []
    for rank in range(world):
        mine = Lanes(model, lanes, 13, "fp32", Ranks(rank, world, world))
        parts.append(mine.gradients(window, 0, 0))
        mine.close()
    whole.close()

    assert sum(part for part, _ in parts) == pytest.approx(loss, abs=1e-6)
    for number, gradient in enumerate(gradients):
        summed = torch.stack([found[number] for _, found in parts]).sum(0)
        torch.testing.assert_close(summed, gradient, rtol=1e-4, atol=1e-7)


def test_dropout_masks_of_two_ranks_are_those_of_two_lanes():
    torch.manual_seed(0)
    model = CharRNN(7, hidden_size=12, dropout=0.5)
    block = np.random.default_rng(0).integers(0, 7, (8, 21))
    window = Window(block[:, :-1], block[:, 1:], np.zeros(8, bool))
    two = Lanes(model, 2, 8, "fp32")
    ranks = [Lanes(model, 1, 8, "fp32", Ranks(rank, 2, 2)) for rank in (0, 1)]

    loss, _ = two.gradients(window, 5, 9)
    parts = [mine.gradients(window, 5, 9)[0] for mine in ranks]

    assert loss == sum(parts)
    assert parts[0] != parts[1]
    for lanes in (two, *ranks):
        lanes.close()


def test_more_processes_than_streams_are_refused():
    with pytest.raises(ConfigError, match=r"2 streams are too few for 3 processes"):
        choose_lanes("auto", 2, torch.device("cpu"), Ranks(0, 3, 3))
    assert choose_lanes(8, 6, torch.device("cpu"), Ranks(0, 3, 3)) == 2
