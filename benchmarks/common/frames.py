"""Frames of 88 keys, and recurrent models of them: reading, training, scoring.

A frame says which keys of a piano sound for a sixteenth or so; a model gives 88 probabilities for
the frame after the ones it has seen, keys independent given them.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from scipy.io import loadmat
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, dropout

KEYS = 88
PARTS = ("train", "valid", "test")


@dataclass(frozen=True)
class FrameSet:
    """Pieces of one collection: (T, 88) each, in the parts that its publishers cut."""

    name: str
    train: list[Tensor]
    valid: list[Tensor]
    test: list[Tensor]


def read_frames(path: Path, name: str) -> FrameSet:
    """The pieces of a ``.mat`` file as Bai et al. 2018 publish them."""
    found = loadmat(path)
    parts = [
        [
            torch.from_numpy(np.ascontiguousarray(piece, np.float32))
            for piece in found[f"{p}data"][0]
        ]
        for p in PARTS
    ]
    return FrameSet(name, *parts)


@dataclass(frozen=True)
class Recipe:
    """A model of frames and how it is fitted."""

    hidden: int = 256
    layers: int = 1
    dropout: float = 0.3
    """Of hidden features; one mask for a whole window."""
    input_dropout: float = 0.1
    """Of the keys of a frame, each by itself."""
    transpose: int = 0
    """Semitones that a piece may be moved by, up or down, each time it is seen."""
    batch: int = 16
    window: int = 200
    """Frames of truncated BPTT; the state is carried on."""
    learning_rate: float = 2e-3
    weight_decay: float = 1e-4
    clip: float = 1.0
    """Norm that gradients are cut to."""
    average: float = 0.99
    """Decay of the running mean of the weights, which is what is scored."""
    patience: int = 8
    """Epochs without a better validation loss before the learning rate is halved."""
    halvings: int = 4
    """Of the learning rate, before training ends."""


class FrameModel(nn.Module):
    """Recurrent layers over frames; the frame itself also reaches the output, since notes last."""

    def __init__(self, cell: str, recipe: Recipe) -> None:
        super().__init__()
        module = {"lstm": nn.LSTM, "gru": nn.GRU}[cell]
        self._recipe = recipe
        sizes = [KEYS] + [recipe.hidden] * recipe.layers
        self.layers = nn.ModuleList(map(module, sizes[:-1], sizes[1:]))
        self.output = nn.Linear(recipe.hidden, KEYS)
        self.skip = nn.Linear(KEYS, KEYS, bias=False)
        nn.init.zeros_(self.skip.weight)
        for layer in self.layers:
            if isinstance(layer, nn.LSTM):  # forget little at first: Jozefowicz et al. 2015
                nn.init.ones_(layer.bias_ih_l0.data[recipe.hidden : 2 * recipe.hidden])

    def start_from(self, pieces: Sequence[Tensor]) -> None:
        """Let the output begin at how often each key sounds."""
        shares = (torch.cat(list(pieces)).mean(0)).clamp(1e-4, 1 - 1e-4)
        self.output.bias.data.copy_(shares.logit())

    def forward(self, frames: Tensor, states: list | None = None) -> tuple[Tensor, list]:
        """Logits (T, B, 88) of the frame after each of frames (T, B, 88), and the states."""
        recipe = self._recipe
        seen = dropout(frames, recipe.input_dropout, self.training)
        features, after = seen, []
        for layer, state in zip(self.layers, states or [None] * recipe.layers, strict=True):
            features, state = layer(features, state)
            features = self._dropped(features)
            after.append(state)
        return self.output(features) + self.skip(seen), after

    def _dropped(self, features: Tensor) -> Tensor:
        if not self.training or not self._recipe.dropout:
            return features
        mask = dropout(torch.ones_like(features[0]), self._recipe.dropout)
        return features * mask


def nats(logits: Tensor, frames: Tensor) -> Tensor:
    """Cross-entropy of each frame (...,): binary, summed over the 88 keys."""
    return binary_cross_entropy_with_logits(logits, frames, reduction="none").sum(-1)


def windows(pieces: Sequence[Tensor], length: int) -> Iterator[tuple[Tensor, Tensor, int]]:
    """Windows of a batch of pieces in order of time: frames, mask, pieces still going on.

    Args:
        pieces: (T, 88) each, longest first.

    Returns:
        Frames (length + 1, B, 88), where the last of one window is the first of the next; a mask
        (length, B) of the frames that are there to be predicted; and B.
    """
    lengths = torch.tensor([len(piece) for piece in pieces])
    padded = nn.utils.rnn.pad_sequence(list(pieces))
    for start in range(0, len(padded) - 1, length):
        going = int((lengths > start + 1).sum())
        frames = padded[start : start + length + 1, :going]
        places = torch.arange(start + 1, start + len(frames))
        yield frames, (places[:, None] < lengths[:going]).float(), going


def scored(model: nn.Module, pieces: Sequence[Tensor], batch: int = 64) -> float:
    """Nats a frame of the model: summed over all pieces, over all frames but their first."""
    model.eval()
    total = count = 0.0
    longest = sorted(pieces, key=len, reverse=True)
    with torch.inference_mode():
        for first in range(0, len(longest), batch):
            states = None
            for frames, mask, going in windows(longest[first : first + batch], 500):
                logits, states = model(frames[:-1], _kept(states, going))
                total += float((nats(logits, frames[1:]) * mask).sum(dtype=torch.float64))
                count += float(mask.sum())
    return total / count


def _kept(states: list | None, going: int) -> list | None:
    """The states of the first pieces, which are the ones that go on, cut from the graph."""
    if states is None:
        return None
    return [
        tuple(part[:, :going].detach().contiguous() for part in state)
        if isinstance(state, tuple)
        else state[:, :going].detach().contiguous()
        for state in states
    ]


def _batches(
    pieces: Sequence[Tensor], recipe: Recipe, rng: np.random.Generator
) -> list[list[Tensor]]:
    """Pieces of like lengths together, in a new order and moved by a new interval every time."""
    moved = []
    for piece in pieces:
        by = int(rng.integers(-recipe.transpose, recipe.transpose + 1))
        moved.append(transposed(piece, by))
    lengths = np.array([len(piece) for piece in moved]) * rng.uniform(0.8, 1.25, len(moved))
    order = np.argsort(-lengths)
    groups = [order[i : i + recipe.batch] for i in range(0, len(order), recipe.batch)]
    rng.shuffle(groups)
    return [sorted((moved[i] for i in group), key=len, reverse=True) for group in groups]


def transposed(piece: Tensor, by: int) -> Tensor:
    """The piece so many semitones higher; as it is where a key would fall off the keyboard."""
    used = piece.any(0).nonzero().flatten()
    if by == 0 or not len(used) or used[0] + by < 0 or used[-1] + by >= KEYS:
        return piece
    return torch.roll(piece, by, 1)


@dataclass
class Fitted:
    """What training came to."""

    model: FrameModel
    """With the weights of the best validation loss."""
    valid: float
    epochs: int = 0
    seconds: float = 0.0
    curve: list[float] = field(default_factory=list)
    """Validation loss after each epoch."""


def fit(
    data: FrameSet, cell: str, recipe: Recipe, seed: int, seconds: float,
    said: Callable[[str], None] = lambda line: None,
) -> Fitted:  # fmt: skip
    """Train until the learning rate has been halved often enough, or the time is up."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    model = FrameModel(cell, recipe)
    model.start_from(data.train)
    optimizer = torch.optim.AdamW(
        model.parameters(), recipe.learning_rate, weight_decay=recipe.weight_decay
    )
    mean = copy.deepcopy(model)
    best = Fitted(copy.deepcopy(model), scored(model, data.valid))
    began, waited, halved = time.process_time(), 0, 0
    while halved <= recipe.halvings and time.process_time() - began < seconds:
        _epoch(model, mean, optimizer, _batches(data.train, recipe, rng), recipe)
        loss = scored(mean, data.valid)
        best.curve.append(loss)
        waited += 1
        if loss < best.valid:
            best.valid, waited = loss, 0
            best.epochs = len(best.curve)
            best.model.load_state_dict(mean.state_dict())
        elif waited >= recipe.patience:
            waited, halved = 0, halved + 1
            for group in optimizer.param_groups:
                group["lr"] /= 2
        best.seconds = time.process_time() - began
        said(f"epoch {len(best.curve)}: {loss:.4f}, best {best.valid:.4f}, {best.seconds:.0f} s")
    return best


def _epoch(
    model: FrameModel, mean: FrameModel, optimizer: torch.optim.Optimizer,
    batches: Sequence[Sequence[Tensor]], recipe: Recipe,
) -> None:  # fmt: skip
    model.train()
    for pieces in batches:
        states = None
        for frames, mask, going in windows(pieces, recipe.window):
            logits, states = model(frames[:-1], _kept(states, going))
            loss = (nats(logits, frames[1:]) * mask).sum() / mask.sum()
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), recipe.clip)
            optimizer.step()
            with torch.no_grad():
                for kept, now in zip(mean.parameters(), model.parameters(), strict=True):
                    kept.lerp_(now, 1 - recipe.average)
