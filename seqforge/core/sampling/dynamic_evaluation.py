"""A checkpoint and a prime in, adapted weights out: some gradient steps on the prime before
sampling.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seqforge.core.data.vocabulary import END
from seqforge.core.model.adapting import (
    DECAY,
    LEARNING_RATE,
    SEGMENT,
    AdaptiveWeights,
    detached,
    summed_loss,
)
from seqforge.core.model.char_rnn import CharRNN, model_from_arrays
from seqforge.core.model.checkpoint import Checkpoint
from seqforge.errors import ConfigError, InputError

_WINDOW = 256  # symbols read at a time where nothing is learned


@dataclass(frozen=True)
class Adaptation:
    """A model adapted to a prime, and the scores of the prime."""

    checkpoint: Checkpoint
    """The same card with adapted weights."""
    before: float
    """Bits a symbol of the prime under the original model."""
    during: float
    """Bits a symbol in the first pass, each segment scored before it was learned from."""
    after: float
    """Bits a symbol of the prime scored again with the adapted weights (partly memorized)."""
    steps: int


def adapt_to_prime(
    checkpoint: Checkpoint,
    ids: NDArray[Any],
    *,
    passes: int = 1,
    learning_rate: float = LEARNING_RATE,
    decay: float = DECAY,
    segment: int = SEGMENT,
) -> Adaptation:
    """A checkpoint and a prime in, an adapted checkpoint out; reproducible with any number of
    threads.

    Args:
        checkpoint: Stays as it is.
        ids: The prime (T,), without the start symbol, which is read first.
        passes: How often the prime is learned from; 0 only scores it.
        learning_rate: Of the normalised gradient.
        decay: Share of the way back to the first weights that a weight of mean gradient goes in a
            step, in [0, 1]; one of larger gradients goes further.
        segment: Symbols a step; a gradient sees no further back than its segment.

    Raises:
        InputError: If the prime is shorter than a segment.
        ConfigError: If the weights grow beyond all bounds.
        CheckpointError: If the weights do not fit the card.
        ValueError: If a number is out of range, or an id is not in the vocabulary.
    """
    card = checkpoint.card
    symbols = _with_start(ids, len(card.vocabulary))
    _check(passes, learning_rate, decay, segment, len(ids))
    with _one_thread():
        model = model_from_arrays(
            len(card.vocabulary), card.config.model, checkpoint.weights, card.name
        )
        before = during = after = _read(model, symbols)
        weights = AdaptiveWeights(model, learning_rate, decay)
        for number in range(passes):
            found = _learn(weights, model, symbols, segment)
            during = during if number else found
        if passes:
            after = _read(model, symbols)
    adapted = Checkpoint(card, model.arrays())
    if not math.isfinite(after) or not _is_finite(adapted):
        raise ConfigError(
            f"adapting to the prime at a learning rate of {learning_rate:g} led to weights that "
            f"are no numbers; give a lower one, such as {LEARNING_RATE:g}"
        )
    return Adaptation(adapted, before, during, after, weights.steps)


def _is_finite(checkpoint: Checkpoint) -> bool:
    return all(np.isfinite(array).all() for array in checkpoint.weights.values())


def _learn(weights: AdaptiveWeights, model: CharRNN, symbols: Tensor, segment: int) -> float:
    """One pass over the prime; returns bits a symbol, each scored before it was learned from.

    The paper takes the mean squares of gradients from the training data. A model's file has none,
    so they are those of the segments learned from so far: nothing is known of what is not yet read.
    """
    nats, state = 0.0, model.zero_state(1)
    for begin in range(0, len(symbols) - 1, segment):
        loss, state = summed_loss(model, symbols[begin : begin + segment + 1], state)
        # Divided by a whole segment: a short last one weighs as much less as it is shorter.
        gradient = weights.gradient(loss / segment)
        state = detached(state)
        weights.gather(gradient)
        weights.step(gradient)
        nats += loss.item()
    return nats / math.log(2) / (len(symbols) - 1)


def _read(model: CharRNN, symbols: Tensor) -> float:
    """Bits a symbol of a prime, from its start."""
    nats, state = 0.0, model.zero_state(1)
    with torch.inference_mode():
        for begin in range(0, len(symbols) - 1, _WINDOW):
            loss, state = summed_loss(model, symbols[begin : begin + _WINDOW + 1], state)
            nats += loss.item()
    return nats / math.log(2) / (len(symbols) - 1)


def _with_start(ids: NDArray[Any], vocab_size: int) -> Tensor:
    if ids.ndim != 1 or not np.issubdtype(ids.dtype, np.integer):
        raise ValueError("a prime is one row of ids")
    if len(ids) and not 0 <= int(ids.min()) <= int(ids.max()) < vocab_size:
        raise ValueError(f"an id of the prime is not one of the vocabulary's {vocab_size}")
    return torch.from_numpy(np.concatenate([[END], ids.astype(np.int64)]))


def _check(passes: int, learning_rate: float, decay: float, segment: int, length: int) -> None:
    if passes < 0:
        raise ValueError(f"passes must be 0 or above, not {passes}")
    if not 0 <= learning_rate < math.inf:
        raise ValueError(f"the learning rate must be a number of 0 or above, not {learning_rate}")
    if not 0 <= decay <= 1:
        raise ValueError(f"the decay must lie in [0, 1], not {decay}")
    if segment < 1:
        raise ValueError(f"a segment must have 1 symbol or more, not {segment}")
    if length < segment:
        raise InputError(
            f"the prime has {length} symbols and adapting to one takes at least {segment}; "
            "give a longer prime, or sample without adapting"
        )


@contextmanager
def _one_thread() -> Iterator[None]:
    """Use one thread: another number would change the order of sums, and so the result."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
