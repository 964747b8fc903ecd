"""Copied spans are forbidden where they become too long: all of those, and no others."""

from __future__ import annotations

import numpy as np
import pytest

from seqforge.core.data.domain import CopyUnits
from seqforge.core.data.overlap import CopyFinder
from seqforge.core.kernels.compiler import checked, interpreted
from seqforge.core.sampling.beam import beam_search
from seqforge.core.sampling.copy_limit import LONGEST, CopyLimit
from seqforge.core.sampling.params import SamplerParams
from seqforge.core.sampling.sampler import Sampler
from seqforge.core.sampling.sampling_kernel import NO_GRAMMAR, Grammar

from .test_engine_memory import PHRASE, SIZE, made
from .tiny import checkpoint

IDS = np.random.default_rng(5).choice(7, 3000, p=[0.01, 0.3, 0.3, 0.2, 0.1, 0.05, 0.04])
IDS[2000:2060] = IDS[700:760]
SYMBOLS = np.arange(7)
CODES = np.array([0, 1, 2, 3, 4, 0, 2])  # one more breaks a span, one is compared as another
KINDS = {
    "symbols": CopyUnits(0, SYMBOLS > 0, SYMBOLS),
    "two strands": CopyUnits(0, SYMBOLS > 0, CODES, np.array([0, 4, 3, 2, 1, 0, 3])),
    "notes": CopyUnits(0, SYMBOLS > 2, SYMBOLS),
}


class Rows:
    """A stand-in for a memory's streams: the arrays alone."""

    def __init__(self, rows: int) -> None:
        self.ids, self.log_probs = np.full(rows, -1), np.zeros((rows, 7), np.float32)


def spans(ids, units: CopyUnits, count: int) -> set:
    """Spans of so many units, on both strands where there are two, by their codes."""
    found, partners = set(), units.partners
    for start in range(len(ids)):
        codes, others, counted = [], [], 0
        if not units.counted[ids[start]]:
            continue
        for symbol in ids[start : start + LONGEST]:
            if units.codes[symbol] == 0:
                break
            codes.append(int(units.codes[symbol]))
            others.append(int((units.codes if partners is None else partners)[symbol]))
            counted += units.counted[symbol]
            if counted == count:
                found.add(tuple(codes))
                if partners is not None:
                    found.add(tuple(reversed(others)))
                break
    return found


def offered(limit: CopyLimit, ids, grammar=NO_GRAMMAR, place=0):
    """Which symbols may follow ids, by a guard that reads them in its second row."""
    streams = Rows(2)
    guard = limit.guard(streams)
    for symbol in ids:
        streams.ids[:] = (int(symbol) + 1) % 7, symbol
        guard.read()
    guard.offering(grammar, np.full(2, place, np.int32))()
    return np.isfinite(guard.offered[1])


@pytest.mark.parametrize("count", [1, 3, 5])
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_forbidden_is_what_would_be_copied_too_far(kind, count):
    units = KINDS[kind]
    limit = CopyLimit(IDS[:2000].astype(np.uint16), units, count)
    known = spans(IDS[:2000], units, count + 1)
    forbidden = 0
    for end in range(2000, 2120):
        may, expected = offered(limit, IDS[end - 40 : end]), np.ones(7, bool)
        for symbol in range(7):
            if not units.counted[symbol] or units.codes[symbol] == 0:
                continue
            text = [*IDS[end - 40 : end], symbol]
            expected[symbol] = not spans(text, units, count + 1) & known & _ending(text, units)
        if not expected[1:].any():
            expected[:] = True
        np.testing.assert_array_equal(may, expected)
        forbidden += (~expected).sum()
    assert forbidden > 5


def _ending(text, units) -> set:
    """All spans that end with the last symbol."""
    found: set = set()
    for start in range(len(text)):
        codes = tuple(int(c) for c in units.codes[text[start:]])
        if 0 in codes:
            continue
        found.add(codes)
        if units.partners is not None:
            found.add(tuple(int(c) for c in units.partners[text[start:]])[::-1])
    return found


def test_where_the_grammar_leaves_nothing_else_the_limit_gives_way():
    ids = np.tile([1, 2, 3], 20).astype(np.uint16)
    limit = CopyLimit(ids, KINDS["symbols"], 4)
    allowed = np.zeros((2, 7), bool)
    allowed[0, [0, 1]], allowed[1, [1, 4]] = True, True
    grammar = Grammar(allowed, np.zeros((2, 7), np.int32))

    assert not offered(limit, ids)[1]
    assert offered(limit, ids, grammar, 0)[1]
    assert not offered(limit, ids, grammar, 1)[1]


def test_a_span_without_units_is_never_too_long():
    limit = CopyLimit(np.tile(np.array([3, 1, 2], np.uint16), 3000), KINDS["notes"], 2)
    assert not offered(limit, [3, 1, 2, 3, 1, 2])[3]
    assert offered(limit, [1, 2] * LONGEST)[3]


def test_interpreted_and_checked_it_forbids_the_same():
    def forbidden():
        limit = CopyLimit(IDS[:150].astype(np.uint16), KINDS["two strands"], 2)
        return [offered(limit, IDS[n : n + 9]).tolist() for n in range(20)]

    compiled = forbidden()
    with checked():
        assert forbidden() == compiled
    with np.errstate(over="ignore"), interpreted():
        assert forbidden() == compiled


@pytest.fixture(scope="module")
def model():
    return checkpoint(seed=6, end=-4.0)


@pytest.mark.parametrize("most", [3, 10, 25])
@pytest.mark.parametrize("temperature", [0.0, 0.5, 1.0])
def test_no_sample_has_a_longer_copy_than_the_limit(model, most, temperature):
    """A law; without the limit all of it is copied."""
    units = CopyUnits(0, np.arange(SIZE) > 0, np.arange(SIZE))
    options = SamplerParams(length=150, exact_length=True, temperature=temperature, seed=2)
    history = np.tile(model.card.vocabulary.encode(PHRASE), 60)
    found = {}
    for limit in (None, CopyLimit(history.astype(np.uint16), units, most)):
        drawn = Sampler(model, engine=made(model, limit=limit)).draw(6, options)
        ids = [model.card.vocabulary.encode(sample.symbols) for sample in drawn]
        found[limit is None] = CopyFinder(ids, history).longest()
    assert found[False] <= most
    assert found[True] > most or temperature == 1.0


def test_a_beam_keeps_to_the_limit(model):
    units = CopyUnits(0, np.arange(SIZE) > 0, np.arange(SIZE))
    history = np.tile(model.card.vocabulary.encode(PHRASE), 60)
    options = SamplerParams(length=40, exact_length=True, prime="ab")
    longest = []
    for limit in (None, CopyLimit(history.astype(np.uint16), units, 9)):
        sampler = Sampler(model, engine=made(model, limit=limit))
        (best,) = beam_search(sampler.plan(options), 3, 1)
        longest.append(CopyFinder([model.card.vocabulary.encode(best.symbols)], history).longest())
    assert longest[1] <= 9 < longest[0]


def test_copied_spans_of_the_prime_are_not_gone_on_with(model):
    units = CopyUnits(0, np.arange(SIZE) > 0, np.arange(SIZE))
    history = np.tile(model.card.vocabulary.encode(PHRASE), 60).astype(np.uint16)
    engine = made(model, limit=CopyLimit(history, units, 12))
    options = SamplerParams(length=30, exact_length=True, temperature=0.2, prime=PHRASE)
    sampler = Sampler(model, engine=engine, rows=2)
    first, *_ = alone = list(sampler.draw(3, options))

    assert first.drawn[0] != PHRASE[0]
    assert alone == list(Sampler(model, engine=engine, rows=1, threads=1).draw(3, options))
    stream = sampler.stream(options)
    assert "".join(stream) == first.drawn
