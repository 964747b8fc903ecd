"""A text written in turns."""

import numpy as np
import pytest

from seqforge.core.data.constraint import Constraint
from seqforge.core.sampling.chat import Conversation
from seqforge.core.sampling.sampler import Sampler, SamplerParams
from seqforge.core.sampling.torch_engine import TorchEngine
from seqforge.errors import InputError
from tests.core.sampling.talking import drawn, options
from tests.core.sampling.tiny import SYMBOLS, checkpoint

STRATEGIES = {
    "plain": {},
    "all at once": {
        "temperature": 0.9, "top_k": 6, "top_p": 0.95, "min_p": 0.01, "typical_p": 0.97,
        "repetition_penalty": 1.3, "repetition_window": 5, "seed": 7,
    },
    "a temperature that changes": {"temperature": 2.0, "temperature_end": 0.3},
    "exact": {"exact_length": True},
}  # fmt: skip


def turns():
    """a, b and c come in turn, each any number of times; the rest never."""
    size = len(SYMBOLS) + 1
    allowed, following = np.zeros((3, size), bool), np.zeros((3, size), np.int32)
    for place in range(3):
        for symbol in (place, (place + 1) % 3):
            allowed[place, symbol + 1] = True
        following[:, place + 1] = place
    return Constraint(allowed, following)


@pytest.fixture(scope="module")
def sampler():
    return Sampler(checkpoint())


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("grammar", [None, turns()])
def test_a_prime_said_and_gone_on_from_is_the_first_sample(strategy, grammar):
    """Its symbols, its score, and what the grammar took away."""
    sampler = Sampler(checkpoint(), grammar)
    settings = STRATEGIES[strategy]
    (sample,) = sampler.draw(1, options(prime="abca", **settings))

    conversation = Conversation(sampler, options(**settings))
    conversation.say("abca")
    pieces = list(conversation.go_on())

    (said,) = conversation.samples()
    assert "abca" + "".join(pieces) == conversation.text == sample.symbols == said.symbols
    assert conversation.ended == sample.ended == said.ended
    assert (said.prime_length, said.temperature, said.seed) == (4, sample.temperature, sample.seed)
    assert said.mean_log_prob == pytest.approx(sample.mean_log_prob)
    assert said.removed_mass == (sample.removed_mass and pytest.approx(sample.removed_mass))
    assert said.settings == {**sample.settings, "turns": 1}


def test_what_is_drawn_in_parts_is_what_is_drawn_at_once(sampler):
    whole = Conversation(sampler, options(prime="ab", exact_length=True, repetition_penalty=1.2))
    parts = Conversation(sampler, options(exact_length=True, repetition_penalty=1.2))
    parts.say("a")
    parts.say("b")
    for length in (1, 2, 8, 9, 80):
        drawn(parts, length)

    drawn(whole)

    assert parts.text == whole.text
    assert len(parts.text) == 102


def test_it_comes_in_pieces_and_what_came_is_kept_when_the_rest_is_not_wanted(sampler):
    conversation = Conversation(sampler, options(length=1000, exact_length=True))
    pieces = []
    for piece in conversation.go_on():
        pieces.append(piece)
        if len(pieces) == 3:
            break

    assert conversation.text == "".join(pieces)
    assert 3 <= len(conversation.text) < 300
    (sample,) = sampler.draw(1, options(length=1000, exact_length=True))
    rest = drawn(conversation, 1000 - len(conversation.text))
    assert "".join(pieces) + rest == sample.symbols


def test_a_turn_taken_back_leaves_no_trace():
    settings = {"repetition_penalty": 1.3, "exact_length": True, "length": 30}
    conversation = Conversation(Sampler(checkpoint(), turns()), options(**settings))
    conversation.say("ab")
    first = drawn(conversation)
    before = conversation.samples()
    conversation.say("ccc")
    second = drawn(conversation)
    "".join(conversation.again())
    third = drawn(conversation)

    conversation.undo()
    conversation.undo()

    assert conversation.samples() == before
    assert conversation.text == "ab" + first
    conversation.say("ccc")
    assert (drawn(conversation), drawn(conversation)) == (second, drawn_after(settings, first))
    assert third != second
    for _ in range(3):
        conversation.undo()
    assert (conversation.text, conversation.samples(), conversation.turns) == ("", [], 0)
    with pytest.raises(ValueError, match="no turn to undo"):
        conversation.undo()


def drawn_after(settings, first):
    """The third continuation where nothing was ever taken back or drawn anew."""
    conversation = Conversation(Sampler(checkpoint(), turns()), options(**settings))
    conversation.say("ab")
    assert drawn(conversation) == first
    conversation.say("ccc")
    drawn(conversation)
    return drawn(conversation)


def test_drawn_anew_with_the_numbers_of_the_next_sample(sampler):
    samples = list(sampler.draw(4, options(prime="ab")))
    conversation = Conversation(sampler, options(prime="ab"))
    with pytest.raises(ValueError, match="nothing was drawn"):
        conversation.again()
    drawn(conversation)

    for number in (2, 3, 4):
        "".join(conversation.again())
        assert conversation.number == number
        assert conversation.text == samples[number - 1].symbols

    conversation.undo()
    assert (conversation.text, conversation.number) == ("", 1)


def test_a_spent_iterator_draws_nothing_more(sampler):
    conversation = Conversation(sampler, options(length=500, exact_length=True))
    old = conversation.go_on()
    next(old)
    new = conversation.again()
    text = next(new)

    assert list(old) == []
    assert conversation.text == text


def test_options_change_between_turns(sampler):
    conversation = Conversation(sampler, options(length=40, exact_length=True))
    drawn(conversation)
    conversation.change(temperature=0.0)
    drawn(conversation)

    (sample,) = conversation.samples()
    assert (sample.temperature, sample.seed, sample.settings) == (None, 0, {"turns": 2})
    prime = sample.symbols[:40]
    greedy = options(temperature=0, prime=prime, length=40, exact_length=True)
    (alone,) = sampler.draw(1, greedy)
    assert sample.symbols == alone.symbols
    with pytest.raises(ValueError, match="top_k must lie in"):
        conversation.change(top_k=0)
    assert conversation.options.top_k is None
    with pytest.raises(ValueError, match="prime cannot change"):
        conversation.change(prime="a")


@pytest.mark.parametrize("stop", ["a", "bc", "ccc"])
def test_a_continuation_stops_where_it_is_told_to_and_goes_on_from_there(sampler, stop):
    settings = {"length": 300, "exact_length": True}
    (stopped,) = sampler.draw(1, SamplerParams(**settings, stop=stop, prime="ab"))
    (whole,) = sampler.draw(1, SamplerParams(**settings, prime="ab"))
    conversation = Conversation(sampler, SamplerParams(**settings, stop=stop, prime="ab"))
    drawn(conversation)

    assert conversation.text == stopped.symbols
    assert stopped.symbols.endswith(stop)
    conversation.change(stop=None)
    drawn(conversation, 302 - len(conversation.text))
    assert conversation.text == whole.symbols


def test_a_symbol_that_is_not_known_changes_nothing(sampler):
    conversation = Conversation(sampler, options(prime="ab"))
    drawn(conversation)
    before = conversation.samples()

    with pytest.raises(InputError, match=r"what was typed: 'z' .* at position 2 is not a symbol"):
        conversation.say("azb")

    assert (conversation.samples(), conversation.turns) == (before, 1)


def test_begun_anew_it_is_as_it_was_at_first_and_that_too_can_be_taken_back(sampler):
    conversation = Conversation(sampler, options(prime="ab"))
    first = drawn(conversation)
    "".join(conversation.again())
    before = conversation.samples()

    conversation.begin_anew()
    assert (conversation.text, conversation.samples(), conversation.number) == ("", [], 1)
    conversation.say("ab")
    assert drawn(conversation) == first
    conversation.undo()
    drawn(conversation)
    conversation.undo()
    assert (conversation.text, conversation.turns) == ("", 2)
    conversation.undo()

    assert (conversation.samples(), conversation.number) == (before, 2)


def test_the_torch_engine_holds_the_same_conversation():
    model = checkpoint()
    settings = {"length": 60, "exact_length": True, "stop": "d"}
    texts = []
    for engine in (None, TorchEngine(model, "cpu")):
        conversation = Conversation(Sampler(model, engine=engine), SamplerParams(**settings))
        conversation.say("abc")
        drawn(conversation)
        conversation.say("e")
        "".join(conversation.again() if conversation.has_drawn else conversation.go_on())
        drawn(conversation)
        conversation.undo()
        drawn(conversation)
        texts.append(conversation.text)

    assert texts[0] == texts[1]


def test_what_cannot_be_a_turn_is_refused(sampler):
    for more in ({"suffix": "a", "exact_length": True}, {"records": 2}):
        with pytest.raises(ValueError, match="one by one"):
            Conversation(sampler, options(**more))
    with pytest.raises(ValueError, match="length must lie in"):
        Conversation(sampler, options()).go_on(0)
