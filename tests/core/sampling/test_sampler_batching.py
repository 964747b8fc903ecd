"""Many samples: order, memory, records, stop strings, limits."""

import sys

import numpy as np
import pytest

from seqforge.core.data.constraint import Constraint
from seqforge.core.sampling.params import SamplerParams
from seqforge.core.sampling.sampler import Sampler
from seqforge.errors import InputError

from .plain import drawn_by_hand
from .tiny import checkpoint, grammar, log_probs


def nats(sampler, text):
    return -sampler.score(text) * np.log(2)


def test_samples_come_in_order_whatever_their_lengths():
    """Lengths differ by three orders of magnitude, so rows are done in any order."""
    model = checkpoint(end=-5.0)
    samples = list(Sampler(model, rows=5, threads=2).draw(200, SamplerParams(length=2000)))
    assert [sample.number for sample in samples] == list(range(1, 201))
    assert max(len(s.symbols) for s in samples) > 100 * min(len(s.symbols) + 1 for s in samples)
    later = Sampler(model, rows=5, threads=2).draw(7, SamplerParams(length=2000), first=60)
    assert list(later) == samples[59:66]


def test_memory_does_not_grow_with_the_number_of_samples():
    """50,000 of them: blocks of memory that Python holds, two and more for each sample kept."""
    samples = Sampler(checkpoint(), rows=128, threads=1).draw(50_000, SamplerParams(length=2))
    held = {
        sample.number: sys.getallocatedblocks() for sample in samples if sample.number % 10_000 == 0
    }
    assert len(held) == 5
    assert max(held.values()) - held[10_000] < 10_000


def test_what_waits_for_a_long_sample_is_bounded():
    """While the first one is drawn no more than four times the rows are begun beside it.

    The grammar ends a sample after one symbol, but for the rarest symbol, which never ends.
    """
    model, rare = checkpoint(), 7
    model.weights["output.bias"][rare] = -4
    allowed, following = np.ones((3, 8), bool), np.ones((3, 8), np.int32)
    following[0, rare] = following[2] = 2
    allowed[1, 1:] = allowed[2, 0] = allowed[0, 0] = False
    sampler = Sampler(model, Constraint(allowed, following), rows=4, threads=1)
    options, done = SamplerParams(length=20_000), []
    first = next(s.number for s in sampler.draw(9999, options) if len(s.symbols) > 1)

    def ending(drawn, given, over):
        done.append(over)

    samples = sampler.draw(100_000, options, first=first, ending=ending)
    assert len(next(samples).symbols) == 20_000
    assert 10 < sum(done) <= 4 * 4


def test_an_empty_text_has_no_scores():
    assert Sampler(checkpoint()).score("").shape == (0,)


def test_a_generator_left_half_way_ends_its_threads():
    samples = Sampler(checkpoint(), rows=4, threads=2).draw(1000, SamplerParams(length=50))
    next(samples)
    samples.close()
    assert list(samples) == []


@pytest.mark.parametrize("records", [1, 2, 7])
def test_records_are_the_pieces_of_one_long_draw(records):
    """Each stream goes on through the end symbol; its symbols are those drawn one by one."""
    model = checkpoint(end=-1.0)
    options = SamplerParams(length=300, records=records, prime="cab", seed=5)
    samples = list(Sampler(model, rows=3, threads=2).draw(6, options))
    for number in range(1, 7):
        ids = drawn_by_hand(model, options, number, 300 * records)
        mine = [s for s in samples if (s.number - 1) // records == number - 1]
        rest = ids
        for record, sample in enumerate(mine):
            end = rest.index(0) if 0 in rest else len(rest)
            assert sample.drawn == model.card.vocabulary.decode(rest[:end])
            assert sample.ended == (end < len(rest))
            assert sample.symbols == ("" if record else "cab") + sample.drawn
            assert sample.number == (number - 1) * records + record + 1
            rest = rest[end + 1 :]
        assert len(mine) == records or not rest
    assert [s.number for s in samples] == sorted({s.number for s in samples})


def test_no_record_is_longer_than_the_length_and_one_that_is_cut_is_the_last():
    """Whether a record was cut or ended, each is what it would be with room for more."""
    model = checkpoint(end=-3.0)
    sampler = Sampler(model)
    samples = list(sampler.draw(30, SamplerParams(length=12, records=4)))
    roomy = {s.number: s for s in sampler.draw(30, SamplerParams(length=400, records=4))}

    assert {len(s.symbols) for s in samples if not s.ended} == {12}
    assert all(len(s.symbols) <= 12 for s in samples)
    assert all(roomy[s.number].symbols[:12] == s.symbols for s in samples)
    streams = [[s for s in samples if (s.number - 1) // 4 == n] for n in range(30)]
    assert all(s.ended for stream in streams for s in stream[:-1])
    assert all(len(stream) == 4 or not stream[-1].ended for stream in streams)
    assert 30 < len(samples) < 120


def test_a_changing_temperature_begins_anew_with_each_record():
    """At the end of the schedule, temperature 0: symbol 6 of every record is the likeliest."""
    model = checkpoint(end=-3.0)
    sampler = Sampler(model)
    how = SamplerParams(length=6, records=5, temperature=1.0, temperature_end=0.0)
    cut = [s for s in sampler.draw(60, how) if not s.ended and (s.number - 1) % 5]
    assert cut
    for sample in cut:
        stream = list(sampler.draw(1, how, first=(sample.number - 1) // 5 + 1))
        before = [model.card.vocabulary.encode(s.symbols).tolist() for s in stream]
        ids = [i for part in before[:-1] for i in (*part, 0)] + before[-1]
        logits = log_probs(model, ids)[len(ids) - 1].copy()
        assert ids[-1] == int(logits.argmax())


def test_the_log_probability_of_each_record_is_its_own():
    """Against one long reading: each end symbol counts to the record that it ends."""
    model = checkpoint(end=-1.0)
    sampler = Sampler(model)
    options = SamplerParams(length=30, records=5, prime="cab")
    for number in range(1, 6):
        samples = list(sampler.draw(1, options, first=number))
        ids = model.card.vocabulary.encode("cab").tolist()
        for sample in samples:
            ids += [
                *model.card.vocabulary.encode(sample.drawn).tolist(),
                *([0] if sample.ended else []),
            ]
        engine = sampler.plan(options).engine
        logs = engine.read(engine.begin(1), np.array(ids))[0]
        begins = 3
        for sample in samples:
            count = len(sample.drawn) + sample.ended
            assert sample.mean_log_prob == pytest.approx(logs[begins : begins + count].mean())
            begins += count


def test_an_end_at_once_is_an_empty_sample():
    sampler = Sampler(checkpoint(end=50.0))
    for sample in sampler.draw(3, SamplerParams(length=10)):
        assert (sample.symbols, sample.ended) == ("", True)
        assert sample.mean_log_prob == pytest.approx(0, abs=1e-6)
    primed = list(sampler.draw(2, SamplerParams(length=10, prime="ab", records=3)))
    assert [sample.symbols for sample in primed] == ["ab", "", ""] * 2
    assert [sample.number for sample in primed] == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("length", [1, 2, 63, 64, 65, 1023, 1024, 1025, 2500])
def test_limits_are_exact_on_both_sides_of_a_call(length):
    sampler = Sampler(checkpoint(), rows=1, threads=1)
    options = SamplerParams(length=length, exact_length=True)
    (sample,) = sampler.draw(1, options)
    assert len(sample.symbols) == length
    stream = sampler.stream(options)
    assert "".join(stream) == sample.symbols
    (most,) = Sampler(checkpoint(end=-40.0)).draw(1, SamplerParams(length=length))
    assert (len(most.symbols), most.ended) == (length, False)


@pytest.mark.parametrize("stop", ["a", "ba", "cab", "ggg"])
@pytest.mark.parametrize("rules", [None, grammar()], ids=["free", "grammar"])
def test_a_stop_string_ends_a_sample_where_it_stands_first(stop, rules):
    """Call boundaries lie at 64 symbols and, for a stream, at 8: both are crossed."""
    model = checkpoint(seed=3, end=-4.0)
    sampler = Sampler(model, rules, rows=64, threads=1)
    options = SamplerParams(length=300, stop=stop, prime="cab")
    if rules is not None and stop == "cab":
        with pytest.raises(InputError, match="'cab' can never come: the grammar allows it nowhere"):
            sampler.stream(options)
        return
    whole = sampler.draw(200, SamplerParams(length=300, prime="cab"))
    places = set()
    for sample, long in zip(sampler.draw(200, options), whole, strict=True):
        place = long.drawn.find(stop)
        assert sample.drawn == (long.drawn[: place + len(stop)] if place >= 0 else long.drawn)
        assert sample.ended == (long.ended and place < 0)
        if not sample.ended:
            assert sample.mean_log_prob == pytest.approx(nats(sampler, sample.symbols)[3:].mean())
        if place >= 0 and sample.number <= 30:
            places |= set(range(place, place + len(stop)))
            stream = sampler.stream(options, sample.number)
            assert "".join(stream) == sample.drawn
            assert stream.samples == [sample]
    if stop == "ba" and rules is None:
        assert any(n % 8 == 7 for n in places)


def test_a_stop_string_may_lie_across_a_call():
    """Symbols 60 to 67 of a sample are the stop string; at 64 the next call begins."""
    model = checkpoint(seed=3, end=-40.0)
    sampler = Sampler(model, rows=64, threads=1)
    crossing = 0
    for long in sampler.draw(300, SamplerParams(length=80)):
        stop = long.drawn[60:68]
        if stop in long.drawn[:67]:
            continue
        (sample,) = sampler.draw(1, SamplerParams(length=80, stop=stop), first=long.number)
        beside = list(sampler.draw(64, SamplerParams(length=80, stop=stop), first=long.number))
        assert sample.symbols == long.drawn[:68] == beside[0].symbols
        crossing += 1
        if crossing == 5:
            return
    pytest.fail("no sample to try")


@pytest.mark.parametrize("back", [0, 1, 3, 8])
@pytest.mark.parametrize("call", [8, 64])
def test_an_ending_may_lie_before_what_shows_it(back, call):
    """An ending is told by what follows it: the cut may lie in what an earlier call drew."""
    model = checkpoint(seed=3, end=-40.0)
    sampler = Sampler(model, rows=64, threads=1)
    shown = call + 1  # that many symbols must be there

    def ending(drawn, given, over):
        return shown - back if len(drawn) >= shown else None

    options = SamplerParams(length=200)
    whole = list(sampler.draw(80, options))
    for sample, long in zip(sampler.draw(80, options, ending=ending), whole, strict=True):
        assert sample.symbols == long.drawn[: shown - back]
        assert sample.mean_log_prob == pytest.approx(nats(sampler, sample.symbols).mean())
    stream = sampler.stream(options, 1, ending)
    pieces = list(stream)
    assert stream.samples[0].symbols == whole[0].drawn[: shown - back]
    assert stream.samples[0].symbols == "".join(pieces)[: shown - back]
    assert stream.samples[0].mean_log_prob == pytest.approx(
        nats(sampler, stream.samples[0].symbols).mean()
    )


def test_the_first_of_a_stop_string_and_another_ending_counts():
    sampler = Sampler(checkpoint(seed=3, end=-40.0))
    options = SamplerParams(length=300, stop="ab")
    for long in sampler.draw(20, SamplerParams(length=300)):
        (one,) = sampler.draw(1, options, first=long.number, ending=lambda symbols, given, over: 9)
        (other,) = sampler.draw(
            1, options, first=long.number, ending=lambda symbols, given, over: None
        )
        stop = long.drawn.find("ab")
        stop = 300 if stop < 0 else stop + 2
        assert one.symbols == long.drawn[: min(9, stop)]
        assert other.symbols == long.drawn[:stop]


def test_a_stop_string_ends_the_stream_and_not_one_record_alone():
    model = checkpoint(seed=3, end=-1.0)
    sampler = Sampler(model)
    plain = SamplerParams(length=40, records=6)
    for number in range(1, 40):
        records = list(sampler.draw(1, plain, first=number))
        options = SamplerParams(length=40, records=6, stop="ca")
        found = [sample.symbols for sample in sampler.draw(1, options, first=number)]
        wanted = []
        for record in records:
            place = record.symbols.find("ca")
            wanted.append(record.symbols[: place + 2] if place >= 0 else record.symbols)
            if place >= 0:
                break
        assert found == wanted


def test_no_samples_are_no_samples():
    assert list(Sampler(checkpoint()).draw(0, SamplerParams(length=3))) == []


def test_a_stream_shows_nothing_past_an_end_that_is_known_late():
    """An ending tells place 40 only when 60 symbols, or all, are there: as bars in ABC do."""

    def ending(drawn, given, over):
        return 40 if (over or len(drawn) >= 60) and len(drawn) >= 40 else None

    sampler, options = Sampler(checkpoint(end=-40.0)), SamplerParams(length=200)
    stream = sampler.stream(options, 3, ending)

    shown = "".join(stream)

    (sample,) = sampler.draw(1, options, first=3, ending=ending)
    assert shown == sample.symbols == stream.samples[0].symbols
    assert len(shown) == 40
