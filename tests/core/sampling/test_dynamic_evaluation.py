"""A model learns from its prime before anything is drawn."""

import numpy as np
import pytest
import torch

from seqforge.core.config import ModelConfig, RunConfig
from seqforge.core.model.char_rnn import CharRNN
from seqforge.core.model.checkpoint import Checkpoint, ModelCard
from seqforge.core.sampling.dynamic_evaluation import adapt_to_prime
from seqforge.core.sampling.sampler import Sampler
from seqforge.errors import ConfigError, InputError

SYMBOLS = tuple("abcdefgh")
FAST = 2e-2
"""A learning rate for networks as small as these, which have little to lose."""


def checkpoint(seed=0, **model):
    settings = ModelConfig(**{"hidden_size": 24, "num_layers": 2, **model})
    torch.manual_seed(seed)
    network = CharRNN(len(SYMBOLS) + 1, **settings.model_dump())
    config = RunConfig(domain="text", model=settings)
    card = ModelCard(seqforge_version="0", name="toy", config=config, symbols=SYMBOLS)
    return Checkpoint(card, network.arrays())


def encoded(text):
    return checkpoint().card.vocabulary.encode(text)


STRANGE = encoded("hagfbe" * 200)


def same(one, other):
    return one.keys() == other.keys() and all(
        one[name].tobytes() == other[name].tobytes() for name in one
    )


def test_a_prime_that_repeats_is_learned_and_the_first_pass_is_between():
    found = adapt_to_prime(checkpoint(), STRANGE, learning_rate=FAST)

    assert found.steps == -(-len(STRANGE) // 32)
    assert found.before > 2.5
    assert found.after < 0.3
    assert found.after < found.during < found.before


@pytest.mark.parametrize(
    "model",
    [{"cell": "gru"}, {"cell": "rnn", "num_layers": 1}, {"tied": True}, {"embedding_size": 7}],
)
def test_what_follows_a_strange_prime_is_known_better(model):
    """Symbols that nothing was learned from: the next of the pattern."""
    whole = "hagfbe" * 140
    before = checkpoint(**model)
    after = adapt_to_prime(before, encoded(whole[:720]), learning_rate=FAST, passes=2).checkpoint

    unadapted, adapted = (Sampler(model).score(whole)[720:].mean() for model in (before, after))

    assert unadapted > 2
    assert adapted < unadapted - 1


def test_what_is_said_of_the_prime_is_what_the_sampler_says():
    """``before`` and ``after`` against the sampler, which computes without torch."""
    model, text = checkpoint(1), "abcdefgh" * 40 + "aabbccdd" * 17 + "h"
    found = adapt_to_prime(model, encoded(text), learning_rate=FAST)

    assert found.before == pytest.approx(Sampler(model).score(text).mean(), abs=1e-3)
    assert found.after == pytest.approx(Sampler(found.checkpoint).score(text).mean(), abs=1e-3)


def test_what_is_learned_from_was_scored_before():
    """Of a prime that is one segment nothing is known in the first pass."""
    found = adapt_to_prime(checkpoint(2), STRANGE, segment=len(STRANGE), learning_rate=FAST)

    assert found.during == pytest.approx(found.before, abs=1e-5)
    assert found.after < found.before - 0.01


def slow_adapt(network, ids, learning_rate, decay, segment):
    """Score a segment, then the paper's update weight by weight, with torch's own layers."""
    first = {name: p.detach().clone() for name, p in network.named_parameters()}
    squares = {name: torch.zeros_like(p) for name, p in first.items()}
    symbols, state = torch.tensor([0, *ids.tolist()]), [None] * len(network.layers)
    nats = 0.0
    for steps, begin in enumerate(range(0, len(ids), segment), 1):
        x = network.embedding(symbols[None, :-1][:, begin : begin + segment].T)
        for number, layer in enumerate(network.layers):
            x, state[number] = layer(x, state[number])
            state[number] = tuple(part.detach() for part in state[number])
        wanted = symbols[begin + 1 : begin + segment + 1]
        loss = torch.nn.functional.cross_entropy(network.output(x)[:, 0], wanted, reduction="sum")
        nats += loss.item()
        network.zero_grad()
        (loss / segment).backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        for name, p in network.named_parameters():
            squares[name] += p.grad**2
        roots = {name: (total / steps) ** 0.5 for name, total in squares.items()}
        mean = torch.cat([root.flatten() for root in roots.values()]).mean()
        with torch.no_grad():
            for name, p in network.named_parameters():
                back = (decay * roots[name] / mean).clamp(max=1) * (first[name] - p)
                p += back - learning_rate * p.grad / (roots[name] + 0.1 * mean)
    return network.arrays(), nats / np.log(2) / len(ids)


def test_the_first_pass_and_the_update_are_the_papers():
    model, ids = checkpoint(3), encoded("abcabdaeh" * 15)
    network = CharRNN(9, hidden_size=24, num_layers=2)
    network.load_state_dict({name: torch.tensor(w) for name, w in model.weights.items()})

    found = adapt_to_prime(model, ids, learning_rate=2e-3, decay=0.3, segment=40)
    expected, during = slow_adapt(network, ids, 2e-3, 0.3, 40)

    assert found.during == pytest.approx(during, abs=1e-4)
    for name, array in expected.items():
        np.testing.assert_allclose(found.checkpoint.weights[name], array, atol=2e-5, err_msg=name)
        assert np.abs(array - model.weights[name]).max() > 1e-3


def test_no_pass_and_no_rate_leave_every_weight_as_it_is():
    model = checkpoint()
    unread = adapt_to_prime(model, STRANGE, passes=0)
    unlearned = adapt_to_prime(model, STRANGE, learning_rate=0)

    assert same(unread.checkpoint.weights, model.weights)
    assert same(unlearned.checkpoint.weights, model.weights)
    assert unread.before == unread.during == unread.after
    assert unlearned.before == unlearned.after == pytest.approx(unlearned.during, abs=1e-5)
    assert (unread.steps, unlearned.steps) == (0, 38)


def test_decay_holds_the_weights_near_the_first_ones():
    model = checkpoint()

    def moved(decay):
        found = adapt_to_prime(model, STRANGE, learning_rate=FAST, decay=decay).checkpoint.weights
        return sum(float(((found[n] - w) ** 2).sum()) for n, w in model.weights.items())

    assert moved(1.0) < 0.5 * moved(0.1) < 0.5 * moved(0.0)


def test_the_same_bytes_come_out_each_time_whatever_was_drawn_and_however_many_threads():
    model = checkpoint(dropout=0.5, weight_drop=0.5, hidden_size=64)
    results = []
    for threads in (1, 4):
        torch.set_num_threads(threads)
        try:
            torch.manual_seed(threads)
            results.append(adapt_to_prime(model, STRANGE))
            assert torch.get_num_threads() == threads
        finally:
            torch.set_num_threads(1)

    one, other = results
    assert same(one.checkpoint.weights, other.checkpoint.weights)
    assert (one.before, one.during, one.after) == (other.before, other.during, other.after)


def test_the_model_that_was_given_stays_as_it_was():
    model = checkpoint()
    card, weights = model.card.model_copy(), {n: w.copy() for n, w in model.weights.items()}

    found = adapt_to_prime(model, STRANGE, learning_rate=FAST)

    assert same(model.weights, weights)
    assert found.checkpoint.card == model.card == card
    assert found.checkpoint.weights.keys() == weights.keys()
    assert {array.dtype for array in found.checkpoint.weights.values()} == {np.dtype(np.float32)}
    assert not same(found.checkpoint.weights, weights)


def test_a_prime_shorter_than_a_segment_is_refused_and_one_as_long_is_not():
    with pytest.raises(InputError, match=r"the prime has 31 symbols .* takes at least 32; give a"):
        adapt_to_prime(checkpoint(), STRANGE[:31])
    with pytest.raises(InputError, match="has 0 symbols"):
        adapt_to_prime(checkpoint(), STRANGE[:0])
    assert adapt_to_prime(checkpoint(), STRANGE[:32]).steps == 1


def test_weights_are_numbers_or_there_are_none():
    with pytest.raises(ConfigError, match="learning rate of 1e\\+38 led to weights that are no"):
        adapt_to_prime(checkpoint(), STRANGE, learning_rate=1e38)


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ({"passes": -1}, "passes must be 0 or above, not -1"),
        ({"learning_rate": float("nan")}, "the learning rate must be a number .* not nan"),
        ({"learning_rate": float("inf")}, "the learning rate must be a number .* not inf"),
        ({"decay": 1.5}, r"the decay must lie in \[0, 1\], not 1.5"),
        ({"segment": 0}, "a segment must have 1 symbol or more, not 0"),
        ({"ids": np.array([9] * 40)}, "an id of the prime is not one of the vocabulary's 9"),
        ({"ids": np.zeros((2, 40), int)}, "a prime is one row of ids"),
    ],
)
def test_numbers_out_of_range_are_refused(numbers, said):
    with pytest.raises(ValueError, match=said):
        adapt_to_prime(checkpoint(), **{"ids": STRANGE, **numbers})
