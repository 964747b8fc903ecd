"""Samples of network and memory: drawn from their mixture, by all ways of drawing."""

import math

import numpy as np
import pytest

from seqforge.core.memory.symbol_streams import StreamedMemory
from seqforge.core.sampling.beam import beam_search
from seqforge.core.sampling.chat import Conversation
from seqforge.core.sampling.engine import KernelEngine, MemoryEngine
from seqforge.core.sampling.params import SamplerParams
from seqforge.core.sampling.sampler import Sampler
from seqforge.core.sampling.torch_engine import TorchEngine

from .test_sampler_identity import kept
from .tiny import STRATEGIES, SYMBOLS, checkpoint, grammar

SIZE = len(SYMBOLS) + 1
PHRASE = "abcdefgfedcbaacegbdf"


@pytest.fixture(scope="module")
def model():
    return checkpoint(seed=6, end=-4.0)


def made(model, exact=False, limit=None, network=None):
    """An engine whose memory has read a phrase again and again, and met the network on it."""
    ids = np.tile(model.card.vocabulary.encode(PHRASE), 60)
    memory = StreamedMemory(ids, SIZE, budget=1 << 16)
    memory.learn(ids[:900])
    network = network or KernelEngine.of(model)
    state, rows = network.begin(1), []
    for symbol in ids[900:].astype(np.int64):
        logits = state.logits[0, :SIZE].astype(np.float64)
        rows.append(logits - np.log(np.exp(logits).sum()))
        network.step(state, np.array([symbol]))
    memory.score(ids[900:], np.array(rows, np.float32))
    return MemoryEngine(network, memory, SIZE, exact, limit)


@pytest.fixture(scope="module")
def engine(model):
    return made(model)


def sampler(model, engine, constraint=None, **how):
    return Sampler(model, constraint, engine=engine, **how)


def test_what_the_memory_has_read_is_what_is_drawn(model, engine):
    options = SamplerParams(length=60, exact_length=True, temperature=0.2, prime=PHRASE[:8])
    (with_memory,) = sampler(model, engine).draw(1, options)
    (without,) = Sampler(model).draw(1, options)

    assert with_memory.drawn[:40] == (PHRASE * 3)[8:48]
    assert without.drawn[:40] != (PHRASE * 3)[8:48]


@pytest.mark.parametrize("name", STRATEGIES)
def test_rows_threads_and_first_change_nothing(model, engine, name):
    options = SamplerParams(length=60, records=2, prime="cab", seed=3, **STRATEGIES[name])
    alone = kept(sampler(model, engine, grammar(), rows=1, threads=1).draw(12, options))

    for rows, threads in ((5, 1), (64, 1), (1, 2), (3, 2)):
        wide = sampler(model, engine, grammar(), rows=rows, threads=threads)
        assert kept(wide.draw(12, options)) == alone
    later = kept(wide.draw(4, options, first=9))
    assert later == [one for one in alone if one[0] > 16]
    stream = wide.stream(options, 2)
    assert "".join(stream) == "".join(text for n, text, *_ in alone if n in (3, 4))[3:]
    assert kept(stream.samples) == [one for one in alone if one[0] in (3, 4)]


def test_a_sample_is_as_likely_as_its_symbols_are_scored(model):
    exact = made(model, exact=True)
    options = SamplerParams(length=50, exact_length=True)
    (sample,) = sampler(model, exact).draw(1, options)

    bits = sampler(model, exact).score(sample.symbols)

    assert len(bits) == 50
    assert -sample.mean_log_prob / math.log(2) == pytest.approx(bits.mean(), abs=1e-5)
    assert bits.mean() != pytest.approx(Sampler(model).score(sample.symbols).mean(), abs=0.01)


def test_a_network_in_torch_is_mixed_too(model):
    """Its sums run in another order."""
    options = SamplerParams(length=60, exact_length=True, temperature=0.2, prime=PHRASE[:8])
    drawn = [
        next(sampler(model, made(model, network=network)).draw(1, options))
        for network in (None, TorchEngine(model, "cpu"))
    ]
    assert drawn[0].symbols == drawn[1].symbols
    assert drawn[0].mean_log_prob == pytest.approx(drawn[1].mean_log_prob, abs=1e-3)


def test_a_beam_finds_what_greedy_drawing_finds_or_better(model, engine):
    options = SamplerParams(length=30, exact_length=True, temperature=0.0, prime="ab")
    (greedy,) = sampler(model, engine).draw(1, options)
    (best,) = beam_search(sampler(model, engine).plan(options), 4, 1)

    assert best.mean_log_prob >= greedy.mean_log_prob - 1e-9


def test_a_conversation_goes_on_as_a_sample_does(model, engine):
    options = SamplerParams(length=40, exact_length=True, prime="abc")
    (wanted,) = sampler(model, engine).draw(1, options)
    chat = Conversation(sampler(model, engine), options)
    drawn = "".join([*chat.go_on(15), *chat.go_on(25)])

    assert drawn == wanted.drawn
    chat.undo()
    assert "".join(chat.go_on(25)) == drawn[15:]


def test_a_suffix_is_filled_up_to(model, engine):
    end = PHRASE[12:]
    options = SamplerParams(
        length=4, exact_length=True, prime=PHRASE[:8], suffix=end, candidates=200
    )  # fmt: skip
    (found,) = sampler(model, engine).draw(1, options)

    assert (found.drawn, found.symbols) == (PHRASE[8:12], PHRASE)
