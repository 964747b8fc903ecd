"""A conversation through the ends of records, and what is remembered of what was heard."""

import numpy as np
import pytest

from seqforge.core.sampling.chat import Conversation
from seqforge.core.sampling.sampler import Sampler, SamplerParams
from tests.core.sampling.talking import drawn, ended, options
from tests.core.sampling.tiny import checkpoint


@pytest.fixture(scope="module")
def sampler():
    return Sampler(checkpoint())


def test_a_penalty_of_another_window_looks_back_at_what_was_heard(sampler):
    """As if the text so far had been a prime, greedy so that no position plays a part."""
    settings = {"repetition_penalty": 3.0, "temperature": 0.0, "length": 40, "exact_length": True}
    for window in (2, 30, 200):
        conversation = Conversation(sampler, options(length=60, exact_length=True))
        drawn(conversation)
        conversation.undo()
        drawn(conversation)
        prime = conversation.text
        conversation.change(**settings, repetition_window=window)
        (alone,) = sampler.draw(1, SamplerParams(**settings, prime=prime, repetition_window=window))
        drawn(conversation)
        assert conversation.text == alone.symbols


@pytest.mark.parametrize("window", [2, 3, 500])
@pytest.mark.parametrize("through", [True, False])
def test_a_window_that_changes_knows_what_the_ring_would_have_known(sampler, window, through):
    """Also through the end of a record, and not beyond the beginning of another."""
    seeds = [seed for seed in range(300) if _ends_at_once(sampler, seed)][:10]
    assert len(seeds) == 10
    for seed in seeds:
        found = []
        for begun in (window, 20):
            conversation = Conversation(sampler, options(seed=seed, repetition_window=begun))
            conversation.say("ab")
            drawn(conversation, 1)
            if not through:
                conversation.say("e")
            drawn(conversation, 1)
            conversation.change(repetition_window=window, repetition_penalty=4.0)
            drawn(conversation, 5)
            found.append([sample.symbols for sample in conversation.samples()])
        assert found[0] == found[1]


def _ends_at_once(sampler, seed):
    conversation = Conversation(sampler, options(prime="ab", seed=seed))
    drawn(conversation, 1)
    return conversation.ended


def test_positions_go_on_whatever_record_they_are_drawn_in(sampler):
    """At infinite temperature a symbol says which number was drawn, and nothing else."""
    conversation = Conversation(sampler, options(seed=2))
    ended(conversation)
    conversation.say("gg")
    drawn(conversation, 3)
    before = sum(len(sample.drawn) + sample.ended for sample in conversation.samples())
    conversation.change(temperature=np.inf, exact_length=True)
    found = drawn(conversation, 30)

    hot = Conversation(sampler, options(seed=2, temperature=np.inf, exact_length=True))
    assert found == drawn(hot, before + 30)[before:]


def test_the_end_symbol_ends_the_record_and_what_is_said_begins_another(sampler):
    conversation = Conversation(sampler, options(seed=2))
    first = ended(conversation)
    begun = conversation.turns
    conversation.say("gg")

    assert conversation.text == "gg"
    assert not conversation.ended
    conversation.change(temperature=0.0, exact_length=True)
    drawn(conversation, 30)
    greedy = options(temperature=0, prime="gg", length=30, exact_length=True)
    (alone,) = sampler.draw(1, greedy)
    assert [sample.symbols for sample in conversation.samples()] == [first, alone.symbols]
    assert [sample.number for sample in conversation.samples()] == [1, 2]
    conversation.undo()
    assert (conversation.turns, conversation.text, conversation.ended) == (begun, first, True)


def test_going_on_through_the_end_is_a_stream_of_several_records(sampler):
    plan = options(length=400, records=3, repetition_penalty=1.1)
    wanted = list(sampler.draw(1, plan))
    assert len(wanted) == 3

    conversation = Conversation(sampler, options(length=400, repetition_penalty=1.1))
    for _ in wanted:
        drawn(conversation)

    found = conversation.samples()
    assert [sample.symbols for sample in found] == [sample.symbols for sample in wanted]
    assert all(sample.ended for sample in found)
    for mine, theirs in zip(found, wanted, strict=True):
        assert mine.mean_log_prob == pytest.approx(theirs.mean_log_prob)
