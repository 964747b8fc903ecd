"""Samples from a model."""

import numpy as np
import pytest
import torch

from seqforge.core.config import ModelConfig, RunConfig
from seqforge.core.data.constraint import Constraint
from seqforge.core.model.char_rnn import CharRNN
from seqforge.core.model.checkpoint import Checkpoint, ModelCard
from seqforge.core.sampling.sampler import Sampler, SamplerParams
from seqforge.errors import CheckpointError, InputError

SYMBOLS = tuple("abcdefg")


def checkpoint(seed=0, scale=1.5, **model):
    settings = ModelConfig(**{"hidden_size": 24, "num_layers": 2, **model})
    torch.manual_seed(seed)
    network = CharRNN(len(SYMBOLS) + 1, **settings.model_dump())
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(scale)
    config = RunConfig(domain="text", model=settings)
    card = ModelCard(seqforge_version="0", name="toy", config=config, symbols=SYMBOLS)
    return Checkpoint(card, network.arrays())


def test_a_sample_is_the_same_however_many_are_drawn_beside_it():
    sampler = Sampler(checkpoint())
    options = SamplerParams(length=300, exact_length=True, seed=5)

    alone = [list(sampler.draw(n, options))[n - 1].symbols for n in (1, 2, 5)]
    together = [sample.symbols for sample in sampler.draw(70, options)]

    assert alone == [together[0], together[1], together[4]]
    assert len(set(together)) == 70


def test_an_exact_length_holds_the_end_back_and_a_longest_length_stops_there():
    sampler = Sampler(checkpoint())
    exact = list(sampler.draw(40, SamplerParams(length=50, exact_length=True)))
    most = list(sampler.draw(40, SamplerParams(length=50)))

    assert {len(sample.symbols) for sample in exact} == {50}
    assert not any(sample.ended for sample in exact)
    assert any(sample.ended for sample in most)
    assert all(sample.ended or len(sample.symbols) == 50 for sample in most)


def test_greedy_is_the_likeliest_symbol_each_time():
    model = checkpoint()
    (sample,) = Sampler(model).draw(1, SamplerParams(temperature=0, length=30, exact_length=True))
    network = CharRNN(8, hidden_size=24, num_layers=2)
    network.load_state_dict({k: torch.from_numpy(v) for k, v in model.weights.items()})

    ids = [0]
    for _ in range(30):
        logits, _ = network(torch.tensor([ids]))
        ids.append(int(logits[0, -1, 1:].argmax()) + 1)

    assert sample.symbols == model.card.vocabulary.decode(ids)


def test_the_prime_is_read_first_and_kept_in_front():
    model = checkpoint(scale=3)
    sampler = Sampler(model)
    options = SamplerParams(length=20, exact_length=True, prime="gfedcba", temperature=0)

    (sample,) = sampler.draw(1, options)

    assert sample.symbols.startswith("gfedcba")
    assert (sample.prime_length, len(sample.symbols)) == (7, 27)
    (other,) = sampler.draw(1, SamplerParams(length=20, exact_length=True, temperature=0))
    assert sample.symbols[7:] != other.symbols
    with pytest.raises(InputError, match=r"'z' .* at position 3 is not a symbol of this model"):
        list(sampler.draw(1, SamplerParams(prime="abz")))


def test_the_mean_log_probability_is_that_of_what_was_drawn():
    sampler = Sampler(checkpoint())
    (sample,) = sampler.draw(1, SamplerParams(length=200, exact_length=True, temperature=0.7))

    bits = sampler.score(sample.symbols)

    assert sample.mean_log_prob == pytest.approx(-bits.mean() * np.log(2), rel=1e-4)


def test_a_constraint_is_kept_and_led_through_the_prime():
    """a and b must take turns; everything else is forbidden; the end may come after b."""
    size = len(SYMBOLS) + 1
    allowed = np.zeros((2, size), bool)
    allowed[0, 1] = allowed[1, 2] = allowed[0, 0] = True
    following = np.zeros((2, size), np.int32)
    following[0, 1] = 1
    sampler = Sampler(checkpoint(), Constraint(allowed, following))

    for sample in sampler.draw(20, SamplerParams(length=41)):
        assert sample.symbols == "ab" * (len(sample.symbols) // 2) + "a" * (len(sample.symbols) % 2)
    (primed,) = sampler.draw(1, SamplerParams(length=6, exact_length=True, prime="aba"))
    assert primed.symbols == "abababababababab"[:9]


def test_weights_that_lack_something_are_refused():
    model = checkpoint()
    del model.weights["output.bias"]
    with pytest.raises(CheckpointError, match="do not fit"):
        Sampler(model)
