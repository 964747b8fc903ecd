"""Inputs and the model's own draws in, inputs out: scheduled sampling (Bengio et al. 2015)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from seqforge.core.data.vocabulary import END
from seqforge.core.model.prepared import PreparedModel, RnnState


@dataclass(frozen=True)
class Objective:
    """The training objective: options beside the cross-entropy of the next symbol."""

    label_smoothing: float = 0.0
    """Share of a target's probability spread over all symbols (Szegedy et al. 2016)."""
    scheduled_sampling: float = 0.0
    """Chance that an input is the model's own draw instead of the text's symbol."""
    temperature: float = 1.0
    """Temperature of these draws."""
    scale: float = 1.0
    """Loss scale, which keeps small gradients above zero in float16."""


def sampled_inputs(
    network: PreparedModel,
    ids: Tensor,
    state: RnnState,
    objective: Objective,
    noise: torch.Generator,
) -> Tensor:
    """Replace some inputs (T, B) by the model's own draws, in one pass over the window.

    Scheduled sampling (Bengio et al. 2015) with the draws made from the text's own context, which
    needs no walk symbol by symbol (Mihaylova and Martins 2019, https://arxiv.org/abs/1906.07651).
    Where a record ends stays where it is.
    """
    with torch.no_grad():
        logits, _ = network.run(ids, state)
        chances = torch.softmax(logits[:-1] / objective.temperature, 2).flatten(0, 1)
        chances.nan_to_num_(1.0)  # of a training that has diverged; its loss says so
        drawn = torch.multinomial(chances, 1, generator=noise).view_as(ids[1:])
        uniform = torch.rand(drawn.shape, generator=noise, device=ids.device)
        chosen = uniform < objective.scheduled_sampling
        symbols, size = ids[1:], logits.shape[2]
        chosen &= (drawn != END) & (symbols % size != END)
        drawn += symbols - symbols % size  # under the same label
        return torch.cat([ids[:1], torch.where(chosen, drawn, symbols)])
