"""A model, its training data and a part in, bits per symbol of the model while it adapts out:
dynamic evaluation.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from seqforge.base.machine import release_pages
from seqforge.base.messages import Advance, unheard
from seqforge.core.data.corpus import Segment, TokenPart, Tokens
from seqforge.core.data.split import CONTEXT
from seqforge.core.model.adapting import (
    DECAY,
    LEARNING_RATE,
    SEGMENT,
    AdaptiveWeights,
    detached,
    summed_loss,
)
from seqforge.core.model.char_rnn import CharRNN
from seqforge.core.model.prepared import RnnState

_WARM_UP = 64  # training symbols read before those that a gradient is gathered of
_MOST_GATHERED = 100
_WINDOW = 256  # symbols read at a time where nothing is learned


@dataclass(frozen=True)
class DynamicScore:
    """Bits per symbol of a model that adapts, and of the same model as it is."""

    bits: float
    frozen_bits: float
    """Of the model as it is, on the same symbols."""
    symbols: int
    """How many were scored: the first ones of the part."""


def dynamic_score(
    model: CharRNN,
    train: TokenPart,
    part: TokenPart,
    most_steps: int,
    *,
    learning_rate: float = LEARNING_RATE,
    decay: float = DECAY,
    segment: int = SEGMENT,
    progress: Advance = unheard,
) -> DynamicScore:
    """Score a part in its order; whatever was scored is learned from before the next is scored.

    A step learns from ``segment`` symbols, or a few more where records end. What steps are measured
    by is gathered before, on windows spread evenly over the training data, as in the paper. The
    state starts at zero and the end symbol with each record, or at the context of a tail.

    Args:
        model: Stays as it is; a copy learns.
        train: What it was trained on.
        part: What to score; must hold a symbol.
        most_steps: The part is cut where so many steps end.
        learning_rate: Of the normalised gradient.
        decay: See `AdaptiveWeights`.
        segment: Symbols a step; gradients see no further back.
        progress: Told how many symbols are scored, of how many.

    References:
        Krause et al. 2018, https://arxiv.org/abs/1709.07432
    """
    chunks = _first(part, most_steps * segment)
    wanted = sum(stop - scored_from for _, scored_from, stop in chunks)
    learner = deepcopy(model)
    weights = AdaptiveWeights(learner, learning_rate, decay)
    _gather(learner, weights, train.tokens, min(_MOST_GATHERED, max(1, most_steps // 4)), segment)
    unlearned: Tensor | float = 0.0
    nats, pending, done = 0.0, 0, 0
    for loss, size in _losses(learner, part.tokens, chunks, segment):
        unlearned, pending, done = unlearned + loss, pending + size, done + size
        nats += loss.item()
        if pending >= segment:
            weights.step(weights.gradient(unlearned / pending))
            unlearned, pending = 0.0, 0
        progress(done, wanted, "dynamic evaluation")
    frozen = _frozen_nats(model, part.tokens, chunks)
    return DynamicScore(nats / math.log(2) / done, frozen / math.log(2) / done, done)


def _first(part: TokenPart, most: int) -> list[Segment]:
    """Segments of a part up to about ``most`` scored symbols."""
    kept: list[Segment] = []
    for start, scored_from, stop in part.segments.tolist():
        if most <= 0:
            break
        kept.append((max(start, scored_from - CONTEXT), scored_from, min(stop, scored_from + most)))
        most -= stop - scored_from
    return kept


def _gather(
    model: CharRNN, weights: AdaptiveWeights, tokens: Tokens, windows: int, segment: int
) -> None:
    """Gather gradients on windows of the training data."""
    last = max(0, len(tokens) - segment - 1)
    for begin in np.linspace(min(_WARM_UP, last), last, windows).astype(int).tolist():
        state = _state_after(model, tokens[max(0, begin - _WARM_UP) : begin])
        loss, _ = summed_loss(model, _ids(model, tokens[begin : begin + segment + 1]), state)
        weights.gather(weights.gradient(loss / segment))
    release_pages(tokens)


def _losses(
    model: CharRNN, tokens: Tokens, chunks: list[Segment], segment: int
) -> Iterator[tuple[Tensor, int]]:
    """The loss of up to ``segment`` symbols after another, and how many they are; the model may
    change in between.
    """
    for start, scored_from, stop in chunks:
        state = _state_after(model, tokens[start : scored_from - 1])
        for begin in range(scored_from, stop, segment):
            end = min(begin + segment, stop)
            loss, state = summed_loss(model, _ids(model, tokens[begin - 1 : end]), state)
            state = detached(state)
            yield loss, end - begin


def _frozen_nats(model: CharRNN, tokens: Tokens, chunks: list[Segment]) -> float:
    with torch.inference_mode():
        return sum(loss.item() for loss, _ in _losses(model, tokens, chunks, _WINDOW))


def _state_after(model: CharRNN, tokens: Tokens) -> RnnState:
    """The state after some context, which is not learned from."""
    state = model.zero_state(1)
    with torch.no_grad():
        for begin in range(0, len(tokens), _WINDOW):
            _, state = model(_ids(model, tokens[begin : begin + _WINDOW])[None], state)
    return state


def _ids(model: CharRNN, tokens: Tokens) -> Tensor:
    return torch.from_numpy(tokens.astype(np.int64)).to(model.output.bias.device)
