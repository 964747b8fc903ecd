"""A small transformer to compare with: nanoGPT's published settings for a CPU, in torch's modules.

https://github.com/karpathy/nanoGPT, "I only have a macbook": 4 layers, 4 heads, 128 wide, context
64, batch 12, no dropout, 2,000 steps of AdamW at 1e-3 with a cosine down to 1e-4.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from common.plain import random_windows

CONTEXT = 64
STEPS = 2000
_LAYERS, _HEADS, _WIDTH, _BATCH = 4, 4, 128, 12
_HIGHEST, _LOWEST, _WARMUP = 1e-3, 1e-4, 100
_BETAS, _WEIGHT_DECAY, _CLIP_NORM = (0.9, 0.99), 0.1, 1.0


class Transformer(nn.Module):
    """Predicts the next symbol from at most `CONTEXT` before it."""

    def __init__(self, vocab_size: int) -> None:
        super().__init__()
        self.symbols = nn.Embedding(vocab_size, _WIDTH)
        self.places = nn.Embedding(CONTEXT, _WIDTH)
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(
                _WIDTH, _HEADS, 4 * _WIDTH, dropout=0.0, activation="gelu",
                batch_first=True, norm_first=True, bias=False,
            )
            for _ in range(_LAYERS)
        )  # fmt: skip
        self.norm = nn.LayerNorm(_WIDTH, bias=False)
        self.output = nn.Linear(_WIDTH, vocab_size, bias=False)
        mask = nn.Transformer.generate_square_subsequent_mask(CONTEXT)
        self.register_buffer("mask", mask, persistent=False)
        self._begin()

    def _begin(self) -> None:
        """Normal weights; what adds to the residual stream is smaller (Radford et al. 2019)."""
        for name, parameter in self.named_parameters():
            if parameter.dim() > 1:
                residual = name.endswith(("out_proj.weight", "linear2.weight"))
                nn.init.normal_(parameter, std=0.02 / math.sqrt(2 * _LAYERS if residual else 1))
        self.output.weight = self.symbols.weight  # tied

    def forward(self, ids: Tensor) -> Tensor:
        """Logits (B, T, V) of the symbol after each of ids (B, T), T at most `CONTEXT`."""
        length = ids.shape[1]
        x = self.symbols(ids) + self.places.weight[:length]
        for layer in self.layers:
            x = layer(x, src_mask=self.mask[:length, :length], is_causal=True)
        return self.output(self.norm(x))


def rate(step: int, steps: int) -> float:
    """Learning rate: a linear rise over 100 steps, then a cosine down to a tenth."""
    if step < _WARMUP:
        return _HIGHEST * (step + 1) / (_WARMUP + 1)
    share = (step - _WARMUP) / max(1, steps - _WARMUP)
    return _LOWEST + 0.5 * (1 + math.cos(math.pi * share)) * (_HIGHEST - _LOWEST)


class TransformerTrainer:
    """Trains on random windows of a token array."""

    def __init__(
        self, model: Transformer, tokens: NDArray[np.unsignedinteger], seed: int, steps: int = STEPS
    ) -> None:
        self.model, self._tokens, self._steps = model, tokens, steps
        self._draw = np.random.default_rng(seed)
        matrices = [p for p in model.parameters() if p.dim() > 1]
        others = [p for p in model.parameters() if p.dim() <= 1]
        groups = [
            {"params": matrices, "weight_decay": _WEIGHT_DECAY},
            {"params": others, "weight_decay": 0.0},
        ]
        self._optimizer = torch.optim.AdamW(groups, lr=_HIGHEST, betas=_BETAS, fused=True)
        self.steps_done = 0

    def step(self) -> int:
        """One update; returns how many symbols it learnt from."""
        for group in self._optimizer.param_groups:
            group["lr"] = rate(min(self.steps_done, self._steps), self._steps)
        ids = random_windows(self._tokens, self._draw, _BATCH, CONTEXT).T
        self._optimizer.zero_grad()
        logits = self.model(ids[:, :-1])
        cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten()).backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), _CLIP_NORM)
        self._optimizer.step()
        self.steps_done += 1
        return _BATCH * CONTEXT
