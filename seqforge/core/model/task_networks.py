"""Batches of examples in, losses and probabilities out: the networks that classify and label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, embedding_bag, pad

from seqforge.core.data.examples import IGNORED
from seqforge.core.model.cells import Network, dropped
from seqforge.core.model.encoder import RecurrentStack
from seqforge.core.model_config import ModelConfig

_LEAST = -1e4  # below every output of a cell


@dataclass(frozen=True)
class Batch:
    """Some examples, padded to the longest."""

    ids: Tensor
    """(T, B) int64."""
    lengths: Tensor
    """(B,)."""
    targets: Tensor
    """(B,) classes; (T, B) labels, or (U, B) symbols, -100 where nothing is learnt."""
    sensors: Tensor | None = None
    """(T, B, D) float32."""

    @classmethod
    def of(
        cls, sources: Sequence[NDArray[Any]], targets: Sequence[NDArray[Any]],
        sensors: Sequence[NDArray[np.float32]] = (), device: torch.device | str = "cpu",
    ) -> Batch:  # fmt: skip
        """Ids of each example in, the batch out; targets of one id each become (B,)."""
        lengths = torch.tensor([len(one) for one in sources])
        wanted = _padded(targets, -100)
        wanted[wanted == IGNORED] = -100
        inputs = None
        if sensors:
            inputs = torch.zeros(int(lengths.max()), len(sensors), sensors[0].shape[1])
            for row, one in enumerate(sensors):
                inputs[: len(one), row] = torch.from_numpy(one)
            inputs = inputs.to(device)
        return cls(_padded(sources, 0).to(device), lengths.to(device), wanted.to(device), inputs)


def _padded(rows: Sequence[NDArray[Any]], with_what: int) -> Tensor:
    """(longest, B) int64."""
    found = torch.full((max(map(len, rows)), len(rows)), with_what)
    for number, row in enumerate(rows):
        found[: len(row), number] = torch.from_numpy(np.asarray(row, np.int64))
    return found


class TaskNetwork(Network):
    """What all networks of tasks have; the stack reads embeddings of the source."""

    def __init__(self, symbols: int, config: ModelConfig, inputs: int = 0) -> None:
        """Make fresh weights.

        Args:
            symbols: Of the source, with the end symbol.
            config: Sizes; ``bidirectional`` unless it says otherwise.
            inputs: Width of what the stack reads; 0: that of the embedding.
        """
        super().__init__()
        self.cell, self.config = config.cell, config
        self.width = config.embedding_size or config.hidden_size
        self.embedding = nn.Embedding(symbols, self.width)
        nn.init.normal_(self.embedding.weight, std=0.1)
        self.stack = RecurrentStack(
            config.cell, inputs or self.width, config.hidden_size, config.num_layers,
            bidirectional=config.bidirectional is not False, dropout=config.dropout,
            forget_bias=config.forget_bias,
        )  # fmt: skip

    def embedded(self, ids: Tensor, noise: torch.Generator | None) -> Tensor:
        """Ids (T, B) in, their embeddings (T, B, E) out, whole symbols dropped in training."""
        return dropped(self.embedding(ids), self.config.embedding_dropout, noise, (*ids.shape, 1))

    def logits(self, batch: Batch, precision: str, noise: torch.Generator | None = None) -> Tensor:
        """Logits of the targets: (B, C), (T, B, L) or (U, B, V)."""
        raise NotImplementedError

    def logits_in_training(
        self, batch: Batch, precision: str, noise: torch.Generator | None, sampled: float
    ) -> Tensor:
        """The same with dropout; ``sampled`` is the rate of scheduled sampling, for a network that
        reads its targets."""
        return self.logits(batch, precision, noise)

    def loss(
        self, batch: Batch, precision: str, noise: torch.Generator | None = None,
        smoothing: float = 0.0, weights: Tensor | None = None, sampled: float = 0.0,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        """The sum of cross-entropies (nats), plain and as it is to be minimised.

        Args:
            batch: The examples.
            precision: One of `precisions`.
            noise: Where dropout and draws come from; None: neither.
            smoothing: Label smoothing (Szegedy et al. 2016).
            weights: Of the classes, (C,).
            sampled: Rate of scheduled sampling (Bengio et al. 2015).
        """
        logits = self.logits_in_training(batch, precision, noise, sampled).flatten(0, -2)
        targets = batch.targets.flatten()
        plain = cross_entropy(logits.detach(), targets, reduction="sum")
        wanted = cross_entropy(
            logits, targets, reduction="sum", label_smoothing=smoothing, weight=weights
        )
        return plain, wanted


class NgramPart(nn.Module):
    """The linear part on n-grams of a classifier: "wide and deep" (Cheng et al. 2016)."""

    def __init__(self, grams: NDArray[np.int64], symbols: int, order: int, classes: int) -> None:
        """Weights of zero.

        Args:
            grams: Codes of the n-grams that count, sorted.
            symbols: Of the source.
            order: Longest n-gram.
            classes: How many.
        """
        super().__init__()
        self._grams, self._symbols, self._order = grams, symbols, order
        self.weight = nn.Parameter(torch.zeros(len(grams), classes))

    def forward(self, ids: Tensor, lengths: Tensor) -> Tensor:
        """Ids (T, B) in, logits (B, C) out."""
        rows = ids.t().cpu().numpy()
        found = [
            known_ngrams(ngram_codes(row[:length], self._symbols, self._order), self._grams)
            for row, length in zip(rows, lengths.tolist(), strict=True)
        ]
        flat, starts = in_bags(found, ids.device)
        logits: Tensor = embedding_bag(flat, self.weight, starts, mode="sum")
        return logits


def known_ngrams(codes: NDArray[np.int64], known: NDArray[np.int64]) -> NDArray[np.int64]:
    """Codes of n-grams, and those that count, sorted, in; the places of those among these out."""
    if not len(known):
        return np.zeros(0, np.int64)
    places = np.minimum(np.searchsorted(known, codes), len(known) - 1)
    found: NDArray[np.int64] = places[known[places] == codes]
    return found


def in_bags(
    bags: Sequence[NDArray[np.int64]], device: torch.device | str = "cpu"
) -> tuple[Tensor, Tensor]:
    """Rows of weights that are to be added up, a bag an example, in; all of them, and where each
    bag begins, as `embedding_bag` takes them, out."""
    starts = np.cumsum([0, *map(len, bags[:-1])])
    flat = torch.from_numpy(np.concatenate(bags))
    return flat.to(device), torch.from_numpy(starts).to(device)


def ngram_codes(ids: NDArray[Any], symbols: int, order: int) -> NDArray[np.int64]:
    """Ids (T,) in, the codes of all their n-grams up to an order, the ends among them, out."""
    inner = np.concatenate([[0], ids, [0]]).astype(np.int64)
    codes, found = np.ones(len(inner), np.int64), []
    for length in range(1, order + 1):
        if length > len(inner):
            break
        codes = codes[: len(inner) - length + 1] * symbols + inner[length - 1 :]
        found.append(codes)
    return np.concatenate(found)


def frequent_ngrams(
    sequences: Sequence[NDArray[Any]], symbols: int, order: int, least: int = 2
) -> NDArray[np.int64]:
    """Sequences of ids in, the sorted codes of the n-grams that stand in so many of them out."""
    if not order:
        return np.zeros(0, np.int64)
    each = [np.unique(ngram_codes(ids, symbols, order)) for ids in sequences]
    codes, counts = np.unique(np.concatenate(each), return_counts=True)
    kept: NDArray[np.int64] = codes[counts >= least]
    return kept


class Classifier(TaskNetwork):
    """Many to one: last states, maximum and mean of the top layer, and n-grams, to a class."""

    def __init__(
        self, symbols: int, classes: int, config: ModelConfig, grams: NDArray[np.int64]
    ) -> None:
        super().__init__(symbols, config)
        self.output = nn.Linear(3 * self.stack.size, classes)
        nn.init.zeros_(self.output.bias)
        self.ngrams = NgramPart(grams, symbols, config.ngrams, classes) if len(grams) else None

    def logits(self, batch: Batch, precision: str, noise: torch.Generator | None = None) -> Tensor:
        """(B, C)."""
        out = self.stack(self.embedded(batch.ids, noise), batch.lengths, precision, noise)
        place = torch.arange(len(out), device=out.device)[:, None]
        inside = (place < batch.lengths)[..., None]
        mean = (out * inside).sum(0) / batch.lengths[:, None]
        highest = out.masked_fill(~inside, _LEAST).amax(0)
        found = torch.cat([self._last(out, batch.lengths), highest, mean], 1)
        logits: Tensor = self.output(dropped(found, self.config.dropout, noise))
        return logits if self.ngrams is None else logits + self.ngrams(batch.ids, batch.lengths)

    def _last(self, out: Tensor, lengths: Tensor) -> Tensor:
        """The state of each direction behind the last symbol that it read, (B, D)."""
        hidden = self.stack.hidden_size
        rows = torch.arange(out.shape[1], device=out.device)
        return torch.cat([out[lengths - 1, rows, :hidden], out[0, :, hidden:]], 1)


class Labeller(TaskNetwork):
    """Many to many, aligned: a label a symbol.

    ``stride`` consecutive symbols are one step of the layers, with a dense layer before them; the
    sensors of a domain stand beside the embeddings.
    """

    def __init__(self, symbols: int, labels: int, config: ModelConfig, sensors: int = 0) -> None:
        stride = config.stride
        dense = stride > 1 or sensors > 0
        super().__init__(symbols, config, config.hidden_size if dense else 0)
        self._labels = labels
        read = self.width
        self.dense = None
        if dense:
            read = config.hidden_size
            self.dense = nn.Linear(stride * (self.width + sensors), read)
        self.convolution = None
        if config.convolution > 1:
            around = config.convolution // 2
            self.convolution = nn.Conv1d(read, read, config.convolution, padding=around)
        self.output = nn.Linear(self.stack.size + read, stride * labels)
        nn.init.zeros_(self.output.bias)

    def logits(self, batch: Batch, precision: str, noise: torch.Generator | None = None) -> Tensor:
        """(T, B, L)."""
        steps, rows = batch.ids.shape
        stride = self.config.stride
        filled = -steps % stride  # with the end symbol, as in a batch with longer ones
        x = self.embedded(pad(batch.ids, (0, 0, 0, filled)), noise)
        if batch.sensors is not None:
            x = torch.cat([x, pad(batch.sensors, (0, 0, 0, 0, 0, filled))], 2)
        if self.dense is not None:
            x = x.view(-1, stride, rows, x.shape[2]).transpose(1, 2).flatten(2)
            x = self.dense(x).relu()
        lengths = (batch.lengths + stride - 1) // stride
        if self.convolution is not None:
            inside = torch.arange(len(x), device=x.device)[:, None] < lengths
            x = x * inside[..., None]
            x = x + self.convolution(x.permute(1, 2, 0)).permute(2, 0, 1).relu()
        whole = bool((lengths == len(x)).all())
        out = self.stack(x, None if whole else lengths, precision, noise)
        found = dropped(torch.cat([out, x], 2), self.config.dropout, noise)
        logits: Tensor = self.output(found)
        logits = logits.view(len(x), rows, stride, self._labels).transpose(1, 2)
        return logits.reshape(-1, rows, self._labels)[:steps]
