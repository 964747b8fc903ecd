"""A sample hangs on model, options, seed and number alone."""

import numpy as np
import pytest

from seqforge.core.sampling.params import SamplerParams
from seqforge.core.sampling.request import StreamBuffer
from seqforge.core.sampling.sampler import Sampler

from .tiny import FEW, STRATEGIES, checkpoint, grammar

EXACT = {"length": 125, "exact_length": True, "prime": "cafe", "seed": 1}
NATURAL = {"length": 200, "records": 3, "seed": 2**63 - 1}
WAYS = [(7, 1), (64, 1), (1, 2), (7, 2), (64, 2)]


def kept(samples):
    return [(s.number, s.symbols, s.mean_log_prob, s.removed_mass, s.ended) for s in samples]


@pytest.mark.parametrize(
    ("name", "cell"),
    [*((name, "lstm") for name in STRATEGIES), *((n, c) for n in FEW for c in ("gru", "rnn"))],
)
@pytest.mark.parametrize("how", [EXACT, NATURAL], ids=["exact", "natural"])
def test_rows_threads_and_first_change_nothing(how, name, cell):
    """10,000 symbols each: texts, log-probabilities and removed mass to the last bit."""
    model = checkpoint(seed=6, end=-4.0, cell=cell)
    constraint = grammar() if how is EXACT else None
    options = SamplerParams(**how, **STRATEGIES[name])
    count = 600 if how is NATURAL and name == "uniform" else 80  # an end every eight symbols

    alone = kept(Sampler(model, constraint, rows=1, threads=1).draw(count, options))

    assert sum(len(text) for _, text, *_ in alone) >= 10_000
    for rows, threads in WAYS:
        sampler = Sampler(model, constraint, rows=rows, threads=threads)
        assert kept(sampler.draw(count, options)) == alone
    assert kept(sampler.draw(count - 50, options, first=51)) == [
        one for one in alone if one[0] > 50 * options.records
    ]
    for number in (1, 33):
        stream = sampler.stream(options, number)
        pieces = list(stream)
        mine = [one for one in alone if (one[0] - 1) // options.records == number - 1]
        assert kept(stream.samples) == mine
        assert options.prime + "".join(pieces) == "".join(text for _, text, *_ in mine)
        assert all(pieces)


@pytest.mark.parametrize("name", STRATEGIES)
def test_how_many_symbols_a_call_draws_changes_nothing(name):
    options = SamplerParams(length=90, records=3, prime="bad", **STRATEGIES[name])
    sampler = Sampler(checkpoint(seed=6, end=-3.0), grammar())
    plan = sampler.plan(options)
    wanted = kept(sampler.draw(5, options))
    for call in (1, 2, 17, 1000):
        found = []
        for number in range(1, 6):
            streams, drawing = plan.streams(1, call), StreamBuffer(plan, number)
            state = plan.engine.rows(plan.state, np.zeros(1, np.int64))
            plan.seat(streams, 0, number)
            while drawing.open:
                plan.engine.run(state, streams, plan.filters, plan.grammar)
                drawing.take(streams, 0)
            found += drawing.done
        assert kept(found) == wanted


def test_seeds_and_numbers_each_give_another_sample():
    sampler = Sampler(checkpoint())
    found = {
        sample.symbols
        for seed in (0, 1, 2**32, 2**63 - 1)
        for sample in sampler.draw(50, SamplerParams(length=60, exact_length=True, seed=seed))
    }
    assert len(found) == 200


def test_a_plan_can_be_drawn_from_again():
    """Drawing leaves nothing behind in what the samples share."""
    sampler = Sampler(checkpoint(), grammar(), rows=4)
    options = SamplerParams(length=70, prime="abba", repetition_penalty=2)
    plan = sampler.plan(options)
    first = kept(sampler.draw(9, options))
    state, begun = plan.state.logits.copy(), plan.begun.counts.copy()
    assert kept(sampler.draw(9, options)) == first
    assert (plan.state.logits == state).all()
    assert (plan.begun.counts == begun).all()
