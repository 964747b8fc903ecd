"""A model, its training data and a part in; the model's log-probabilities while it adapts, or its
bits per symbol, out: dynamic evaluation.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import log_softmax

from seqforge.base.machine import release_pages
from seqforge.base.messages import Advance, unheard
from seqforge.core.data.corpus import Segment, TokenPart, Tokens
from seqforge.core.data.split import CONTEXT
from seqforge.core.evaluation.likelihood import chunked, score
from seqforge.core.model.adapting import (
    DECAY,
    LEARNING_RATE,
    SEGMENT,
    AdaptiveWeights,
    detached,
    summed_loss,
)
from seqforge.core.model.char_rnn import CharRNN
from seqforge.core.model.prepared import PreparedModel, RnnState, prepare_model

_WARM_UP = 64  # training symbols read before those that a gradient is gathered of
_MOST_GATHERED = 100
_WINDOW = 256  # symbols read at a time where nothing is learned


class DynamicNetwork:
    """A copy of a network that learns from what it has scored before it scores the next.

    A step learns from ``segment`` symbols, or a few more where records end. What steps are measured
    by is gathered before, on windows spread evenly over the training data, as in the paper.

    References:
        Krause et al. 2018, https://arxiv.org/abs/1709.07432
    """

    def __init__(
        self, model: CharRNN, train: TokenPart, gathered: int, *,
        learning_rate: float = LEARNING_RATE, decay: float = DECAY, segment: int = SEGMENT,
        every: int = 1,
    ) -> None:  # fmt: skip
        """
        Args:
            model: Stays as it is; a copy learns.
            train: What it was trained on.
            gathered: Windows of it that gradients are gathered of, at most.
            learning_rate: Of the normalised gradient.
            decay: See `AdaptiveWeights`.
            segment: Symbols a step; gradients see no further back.
            every: Learn from one of so many stretches of ``segment`` symbols.
        """
        self._model = deepcopy(model)
        self._weights = AdaptiveWeights(self._model, learning_rate, decay)
        self._segment, self._every, self._stretches = segment, every, 0
        self._unlearned: list[Tensor] = []
        self._pending = 0
        self._prepared: PreparedModel | None = None
        _gather(self._model, self._weights, train.tokens, min(_MOST_GATHERED, gathered), segment)

    def log_probs(self, part: TokenPart) -> Iterator[tuple[Segment, NDArray[np.float32]]]:
        """Chunks of a part in its order, each with the log-probabilities (n, V) of all symbols at
        each of its scored places, in nats; the chunks are those of `symbol_log_probs`.

        The state starts at zero and the end symbol with each record, or at the context of a tail.
        Parts may follow each other.
        """
        segments = part.segments.tolist()
        begins = {scored_from: start for start, scored_from, _ in segments}
        state = self._model.zero_state(1)
        for chunk in chunked(segments):
            _, scored_from, stop = chunk
            if (start := begins.get(scored_from)) is not None:
                start = max(start, scored_from - CONTEXT)
                state = _state_after(self._model, part.tokens[start : scored_from - 1])
            found = []
            for begin in range(scored_from, stop, self._segment):
                end = min(begin + self._segment, stop)
                log_probs, state = self._read(part.tokens[begin - 1 : end], state)
                found.append(log_probs)
            release_pages(part.tokens)
            yield chunk, _sound(np.concatenate(found))

    def _read(self, tokens: Tokens, state: RnnState) -> tuple[NDArray[np.float32], RnnState]:
        """The log-probabilities of all but the first symbol; then they are learned from."""
        ids, learns = _ids(self._model, tokens), self._stretches % self._every == 0
        if learns:
            logits, state = self._model(ids[None, :-1], state)
            found = log_softmax(logits[0], 1)
            self._unlearned.append(-found.gather(1, ids[1:, None]).sum())
            found, state = found.detach(), detached(state)
        else:
            found, state = self._only_read(ids, state)
        result = found.cpu().numpy()
        self._pending += len(result)
        if self._pending >= self._segment:
            self._learn()
        return result, state

    def _only_read(self, ids: Tensor, state: RnnState) -> tuple[Tensor, RnnState]:
        with torch.no_grad():
            if self._prepared is None:
                self._prepared = prepare_model(self._model, "fp32")
            logits, state = self._prepared.run(ids[:-1, None], state)
            return log_softmax(logits[:, 0].float(), 1), state

    def _learn(self) -> None:
        """Let the stretch that was read last change the weights, if it is one of those that do."""
        if self._unlearned:
            loss = torch.stack(self._unlearned).sum() / self._pending
            self._weights.step(self._weights.gradient(loss))
            self._prepared = None
        self._unlearned, self._pending = [], 0
        self._stretches += 1


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

    Args:
        model: Stays as it is; a copy learns.
        train: What it was trained on.
        part: What to score; must hold a symbol.
        most_steps: The part is cut where so many steps end.
        learning_rate: Of the normalised gradient.
        decay: See `AdaptiveWeights`.
        segment: Symbols a step; gradients see no further back.
        progress: Told how many symbols are scored, of how many.
    """
    first = replace(part, segments=np.array(_first(part, most_steps * segment), np.int64))
    learner = DynamicNetwork(
        model,
        train,
        max(1, most_steps // 4),
        learning_rate=learning_rate,
        decay=decay,
        segment=segment,
    )
    nats, done = 0.0, 0
    for (_, scored_from, stop), found in learner.log_probs(first):
        symbols = part.tokens[scored_from:stop].astype(np.int64)
        nats -= float(found[np.arange(len(found)), symbols].sum(dtype=np.float64))
        done += len(found)
        progress(done, first.scored, "dynamic evaluation")
    return DynamicScore(nats / math.log(2) / done, score(model, first), done)


def _sound(log_probs: NDArray[np.float32]) -> NDArray[np.float32]:
    """The same, even chances where a model has lost its way and its numbers are none."""
    lost = ~np.isfinite(log_probs).all(axis=1)
    log_probs[lost] = -math.log(log_probs.shape[1])
    return log_probs


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


def _state_after(model: CharRNN, tokens: Tokens) -> RnnState:
    """The state after some context, which is not learned from."""
    state = model.zero_state(1)
    with torch.no_grad():
        for begin in range(0, len(tokens), _WINDOW):
            _, state = model(_ids(model, tokens[begin : begin + _WINDOW])[None], state)
    return state


def _ids(model: CharRNN, tokens: Tokens) -> Tensor:
    return torch.from_numpy(tokens.astype(np.int64)).to(model.output.bias.device)
