"""Words are words, and the first failure is what a plain loop over n finds."""

import numpy as np
import pytest
import torch

from seqforge.core.model.prepared import prepare_model
from seqforge.experiments.counting import (
    CountingSettings,
    conclusion,
    counting_states,
    first_failure,
    median,
    run,
    sections,
    trials,
    words,
)
from seqforge.experiments.small_networks import IGNORED, fresh_network


@pytest.mark.parametrize("letters", [2, 3])
def test_a_word_has_each_letter_n_times_and_is_predicted_from_the_first_b_on(letters):
    batch = words(np.array([1, 4]), letters)
    for row, n in enumerate((1, 4)):
        word = [letter for letter in range(1, letters + 1) for _ in range(n)]
        assert batch.ids[: len(word) + 1, row].tolist() == [0, *word]
        told = batch.targets[:, row].tolist()
        assert [t for t in told if t != IGNORED] == [*word[n + 1 :], 0]
        assert told.index(0) == len(word)


def plain_failure(model, letters, most):
    """Word by word, symbol by symbol."""
    network = prepare_model(model, "fp32")
    for n in range(1, most + 1):
        word = [0, *(letter for letter in range(1, letters + 1) for _ in range(n)), 0]
        with torch.no_grad():
            logits, _ = network.run(torch.tensor(word[:-1])[:, None], model.zero_state(1))
        guesses = logits[:, 0].argmax(-1).tolist()
        if guesses[n + 1 :] != word[n + 2 :]:
            return n
    return None


@pytest.mark.parametrize("seed", range(6))
def test_the_first_failure_is_that_of_single_words(seed):
    model = fresh_network("lstm", 3, 4, seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(3)
    assert first_failure(model, 2, 60) == plain_failure(model, 2, 60)


def test_a_network_made_to_count_never_fails():
    """One ReLU unit goes up with a, down with b; the end comes at zero."""
    model = fresh_network("irnn", 3, 2, 0)
    weights = {name: tensor.zero_() for name, tensor in model.state_dict().items()}
    weights["embedding.weight"].copy_(torch.eye(3))
    weights["layers.0.weight_hh_l0"].copy_(torch.eye(2))
    weights["layers.0.weight_ih_l0"].copy_(torch.tensor([[0.0, 1, -1], [0, 0, 0]]))
    weights["output.weight"].copy_(torch.tensor([[-4.0, 0], [0, 0], [4, 0]]))
    weights["output.bias"].copy_(torch.tensor([2.0, -9, -2]))
    model.load_state_dict(weights)

    assert first_failure(model, 2, 300) is None
    (unit, *_) = counting_states(model, 2, 20)
    assert unit == [0, *range(21), *reversed(range(20))]


def test_a_trial_repeats_and_the_page_has_every_cell():
    settings = CountingSettings(
        cells=("gru", "irnn"), languages=(2,), seeds=2, steps=30, ways=("mean/0.01", "pulled/0.01")
    )
    every = trials(settings)
    rows = [{**trial.fields, **run(trial, settings)} for trial in every]

    assert run(every[0], settings) == {k: rows[0][k] for k in ("fails_from", "loss", "states")}
    markup = "".join(section.markup for section in sections(rows, settings))
    assert "gru" in markup
    assert "irnn, seed 0" in markup
    assert "median of 2 seeds" in conclusion(rows, settings)


@pytest.mark.parametrize("way", ["mean", "mean/x", "mean/2", "best/0.01"])
def test_a_way_is_a_name_and_a_rate(way):
    with pytest.raises(ValueError, match=r"such as mean/0\.01"):
        CountingSettings(ways=(way,))


def rows_of(way, reached, loss):
    return [
        {"cell": "gru", "language": "a^n b^n", "way": way, "seed": seed, "fails_from": n,
         "loss": loss, "states": None}
        for seed, n in enumerate(reached)
    ]  # fmt: skip


def test_a_cell_has_the_way_that_counts_farthest_a_little_beyond_training():
    """What lies beyond the numbers of validation decides nothing; where they agree, the loss."""
    settings = CountingSettings(cells=("gru",), languages=(2,), seeds=3)
    far = rows_of("mean/0.01", [900, 800, 99], 0.1)
    sure = rows_of("hardest/0.03", [110, 120, 130], 0.2)
    assert median(far + sure, "gru", 2, settings) == 120
    assert median(sure + rows_of("pulled/0.01", [101, 102, 103], 0.1), "gru", 2, settings) == 102
