"""The strategies and the draw, said slowly with lists: what the compiled code must equal."""

from __future__ import annotations

import math
from itertools import accumulate, pairwise

import numpy as np

from seqforge.core.sampling.engine import KernelEngine

EDGE = 1e-9
"""Nearer to a threshold than this, rounding decides which side a symbol is on."""


class OnTheEdge(Exception):
    """The thresholds of a strategy lie so near to a probability that rounding decides."""


def numbers(seed, stream, count):
    """The first uniform numbers of a stream, by numpy."""
    key = np.array([seed, stream], np.uint64)
    return np.random.Generator(np.random.Philox(key=key)).random(count)


def temperature_of(options, position):
    """The temperature of a position, counted from 0."""
    if options.temperature_end is None or options.length == 1:
        return options.temperature
    share = min(position / (options.length - 1), 1)
    return (1 - share) * options.temperature + share * options.temperature_end


def log_softmax(logits):
    """Log-probabilities: what adds up to one when exponentiated."""
    highest = max(logits)
    total = highest + math.log(math.fsum(math.exp(x - highest) for x in logits))
    return [x - total for x in logits]


def chances(logits, options, position=0, seen=(), forbidden=(), edge=EDGE):
    """What a symbol is drawn from: a list of probabilities by id.

    Args:
        logits: One for each id; minus infinity is no symbol at all.
        options: SamplerParams.
        position: Symbols drawn before.
        seen: Ids within the window of the repetition penalty.
        forbidden: Ids that may not be drawn.
        edge: How near to a threshold is too near to tell.

    Raises:
        OnTheEdge: If rounding decides.
    """
    scores = log_softmax(logits)
    scores = [x * options.repetition_penalty if i in seen else x for i, x in enumerate(scores)]
    scores = [-math.inf if i in forbidden else x for i, x in enumerate(scores)]
    ranked = sorted(range(len(scores)), key=lambda i: (-scores[i], i))
    temperature = temperature_of(options, position)
    for place in {1 if temperature == 0 else 0, options.top_k or 0} - {0}:
        if 0 < _gap(scores, ranked, place) < edge:
            raise OnTheEdge
    found = _tempered(scores, temperature, ranked[0])
    if options.top_k:
        found = _only(found, ranked[: options.top_k])
    if options.top_p:
        found = _only(found, _fewest(found, ranked, options.top_p, edge))
    if options.min_p:
        least = options.min_p * max(found)
        if options.min_p < 1 and any(abs(p - least) < edge * max(found) for p in found):
            raise OnTheEdge
        found = _only(found, [i for i, p in enumerate(found) if p >= least])
    if options.typical_p:
        entropy = -math.fsum(p * math.log(p) for p in found if p)
        far = [abs(-math.log(p) - entropy) if p else math.inf for p in found]
        nearest = sorted(range(len(far)), key=lambda i: (far[i], i))
        for one, other in pairwise(nearest):
            if scores[one] != scores[other] and far[other] - far[one] < edge:
                raise OnTheEdge
        found = _only(found, _fewest(found, nearest, options.typical_p, edge))
    return found


def _tempered(scores, temperature, best):
    if temperature == 0:
        return [float(i == best) for i in range(len(scores))]
    if temperature == math.inf:
        weights = [float(x > -math.inf) for x in scores]
    else:
        weights = [math.exp((x - scores[best]) / temperature) for x in scores]
    return _only(weights, range(len(weights)))


def _gap(scores, ranked, place):
    """How much higher the last one kept is than the first one left out."""
    if place >= len(ranked) or scores[ranked[place]] == -math.inf:
        return math.inf
    return scores[ranked[place - 1]] - scores[ranked[place]]


def _only(weights, kept):
    """What is left when others than the kept go, adding up to one."""
    total = math.fsum(weights[i] for i in kept)
    return [x / total if i in set(kept) else 0.0 for i, x in enumerate(weights)]


def _fewest(found, order, mass, edge):
    """The first in this order that together reach a mass."""
    if mass == 1:
        return order
    reached = list(accumulate(found[i] for i in order))
    if any(abs(x - mass) < edge for x in reached):
        raise OnTheEdge
    return order[: 1 + sum(x < mass for x in reached)]


def pick(found, number):
    """Inverse CDF: the first id whose cumulative probability lies above the number."""
    reached = 0.0
    for i, p in enumerate(found):
        reached += p
        if p and reached > number:
            return i
    return max(i for i, p in enumerate(found) if p)


def drawn_by_hand(model, options, number, count, constraint=None):
    """Ids (the end symbol's too) of the first ``count`` draws of a stream, one step at a time."""
    engine, vocabulary = KernelEngine.of(model), model.card.vocabulary
    state, ids, place = engine.begin(1), vocabulary.encode(options.prime).tolist(), 0
    never = {vocabulary.unknown_id, *([0] if options.exact_length else [])}
    for symbol in ids:
        engine.step(state, np.array([symbol]))
        place = int(constraint.following[place, symbol]) if constraint else 0
    for position, uniform in enumerate(numbers(options.seed, number, count)):
        forbidden = set(never)
        if constraint:
            forbidden |= set(np.flatnonzero(~constraint.allowed[place]).tolist())
        logits = state.logits[0, : len(vocabulary)].astype(float).tolist()
        seen = set(ids[-options.repetition_window :])
        symbol = pick(chances(logits, options, position, seen, forbidden), uniform)
        engine.step(state, np.array([symbol]))
        ids.append(symbol)
        place = int(constraint.following[place, symbol]) if constraint else 0
    return ids[len(options.prime) :]
