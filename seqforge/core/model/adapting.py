"""A model and gradients in, weights that follow them out: the update of dynamic evaluation."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from seqforge.core.model.char_rnn import CharRNN
from seqforge.core.model.prepared import RnnState

LEARNING_RATE = 5e-4
"""Largest change of a weight in the first step; measured by ``benchmarks/adapting.py``."""
DECAY = 1e-3
SEGMENT = 32
"""Symbols a step."""

_CLIP_NORM = 1.0  # longest gradient, as a Euclidean norm over all weights
_FLOOR = 0.1  # least divisor of a gradient, as a share of the mean one


class AdaptiveWeights:
    """The weights of a model as one vector, which steps change in place.

    A step is that of Krause et al. 2018 (https://arxiv.org/abs/1709.07432) with root mean squares
    (RMS): along the gradient over the RMS of gathered gradients, and some way back to the first
    weights.
    """

    def __init__(self, model: CharRNN, learning_rate: float, decay: float) -> None:
        """Take the weights as they are for the first ones.

        Args:
            model: It is changed.
            learning_rate: Of the normalised gradient.
            decay: Share of the way back to the first weights that a weight of mean gradient goes in
                a step, in [0, 1]; one of larger gradients goes further.
        """
        self.steps = 0
        self._learning_rate, self._decay = learning_rate, decay
        self._parameters = list(model.parameters())
        self._first = parameters_to_vector(self._parameters).detach().clone()
        self._weights = self._first.clone()
        self._squares = torch.zeros_like(self._first)
        self._gathered = 0
        self._scales: tuple[Tensor, Tensor] | None = None

    def gradient(self, loss: Tensor) -> Tensor | None:
        """A loss in, its clipped gradient out; None if it is no number."""
        gradient = parameters_to_vector(torch.autograd.grad(loss, self._parameters))
        norm = gradient.norm()
        return gradient * (_CLIP_NORM / norm).clamp(max=1.0) if norm.isfinite() else None

    def gather(self, gradient: Tensor | None) -> None:
        """Let a gradient count among those whose mean square steps are measured by."""
        if gradient is not None:
            self._squares.addcmul_(gradient, gradient)
            self._gathered += 1
            self._scales = None

    def step(self, gradient: Tensor | None) -> None:
        """Change the weights; not at all where there is no gradient, or none was ever gathered."""
        if gradient is None:
            return
        self.steps += 1
        if self._scales is None:
            root = (self._squares / max(1, self._gathered)).sqrt_()
            mean = root.mean()
            if mean == 0:  # all is known by heart
                return
            self._scales = ((root * (self._decay / mean)).clamp_(max=1.0), root + _FLOOR * mean)
        back, divisor = self._scales
        self._weights.lerp_(self._first, back)
        self._weights.addcdiv_(gradient, divisor, value=-self._learning_rate)
        vector_to_parameters(self._weights, self._parameters)


def summed_loss(model: CharRNN, symbols: Tensor, state: RnnState) -> tuple[Tensor, RnnState]:
    """Nats of all but the first of the symbols (T,), and the state before the last."""
    logits, after = model(symbols[None, :-1], state)
    return cross_entropy(logits[0], symbols[1:], reduction="sum"), after


def detached(state: RnnState) -> RnnState:
    """The same state, which gradients do not go through."""
    return [tuple(part.detach() for part in layer) for layer in state]
