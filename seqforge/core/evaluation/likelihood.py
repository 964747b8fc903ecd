"""A model and a token array in, bits per symbol (mean negative log-likelihood) and perplexity
out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import cross_entropy, log_softmax

from seqforge.base.machine import release_pages
from seqforge.base.messages import Advance, unheard
from seqforge.core.data.corpus import Segment, TokenPart
from seqforge.core.data.split import CONTEXT
from seqforge.core.kernels.ops import block_names
from seqforge.core.model.char_rnn import CharRNN
from seqforge.core.model.prepared import PreparedModel, prepare_model

_CHUNK = 8192
_WINDOW = 256
_ROWS = 64
_NUMBERS = 1 << 20  # of gates and logits at a time in each thread; longer windows leave the cache
_LOGITS = 1 << 23  # at a time on a GPU, whose windows are as long as they may be
_LOG_PROBS = 1 << 25  # held at a time, of all symbols


def bits(nats: float) -> float:
    """Nats in, bits out."""
    return nats / math.log(2)


def score(
    model: CharRNN,
    part: TokenPart,
    *,
    most: int | None = None,
    precision: str = "fp32",
    threads: int = 1,
    progress: Advance = unheard,
) -> float:
    """A model and a part in, bits per symbol (end symbols included) out.

    Args:
        model: Its weights are not changed.
        part: What to score; must hold at least one symbol.
        most: Score about so many symbols, chunks taken evenly over the part; None scores all.
        precision: fp32 or bf16.
        threads: Batches scored at the same time.
        progress: Told how many symbols are scored, of all of the part.
    """
    total, count = 0.0, 0
    for _, losses in symbol_losses(model, part, most, precision, threads):
        total += float(losses.sum(dtype=np.float64))
        count += len(losses)
        progress(count, part.scored, "scoring")
    return bits(total / count)


def symbol_losses(
    model: CharRNN,
    part: TokenPart,
    most: int | None = None,
    precision: str = "fp32",
    threads: int = 1,
) -> Iterator[tuple[Segment, NDArray[np.float32]]]:
    """Chunks of a part, each with the losses of its scored symbols, in nats."""
    chunks = evenly(chunked(part.segments.tolist()), most)
    with torch.inference_mode():
        network = prepare_model(model, precision)

    def run(batch: list[Segment]) -> list[NDArray[np.float32]]:
        with torch.inference_mode():
            return _batch(model, network, part, batch, _losses)

    with ThreadPoolExecutor(threads) as pool:
        for batch, found in zip(_batches(chunks), pool.map(run, _batches(chunks)), strict=True):
            release_pages(part.tokens)
            yield from zip(batch, found, strict=True)


def symbol_log_probs(
    model: CharRNN, part: TokenPart
) -> Iterator[tuple[Segment, NDArray[np.float32]]]:
    """Chunks of a part in its order, each with the log-probabilities (n, V) of all symbols at each
    of its scored places, in nats.
    """
    chunks = chunked(part.segments.tolist())
    longest = max((stop - start for start, _, stop in chunks), default=1)
    symbols = len(model.output.bias)
    rows = max(1, min(_ROWS, _LOG_PROBS // (longest * symbols)))
    with torch.inference_mode():
        network = prepare_model(model, "fp32")
    for first in range(0, len(chunks), rows):
        batch = chunks[first : first + rows]
        with torch.inference_mode():  # left before the yield: it would reach whoever reads
            found = _batch(model, network, part, batch, _all_log_probs, (symbols,))
        release_pages(part.tokens)
        yield from zip(batch, found, strict=True)


def _all_log_probs(logits: Tensor, wanted: Tensor) -> Tensor:
    return log_softmax(logits.float(), 2)


def _losses(logits: Tensor, wanted: Tensor) -> Tensor:
    loss = cross_entropy(logits.flatten(0, 1), wanted.flatten(), reduction="none")
    return loss.view(wanted.shape)


def chunked(segments: Iterable[Segment], chunk: int = _CHUNK) -> list[Segment]:
    """Segments in, chunks of at most ``chunk`` scored symbols, each with its context, out."""
    pieces: list[Segment] = []
    for start, scored_from, stop in segments:
        for begin in range(scored_from, stop, chunk):
            context = start if begin == scored_from else max(start, begin - CONTEXT)
            pieces.append((context, begin, min(stop, begin + chunk)))
    return pieces


def evenly(chunks: list[Segment], most: int | None) -> list[Segment]:
    """Evenly spaced chunks with about ``most`` scored symbols."""
    total = sum(stop - begin for _, begin, stop in chunks)
    if most is None or total <= most:
        return chunks
    keep = max(1, round(len(chunks) * most / total))
    return [chunks[len(chunks) * i // keep] for i in range(keep)]


def _batches(chunks: list[Segment]) -> Iterator[list[Segment]]:
    """Batches of chunks of similar length, to pad little."""
    ordered = sorted(chunks, key=lambda chunk: (chunk[0] - chunk[2], chunk[0]))
    for first in range(0, len(ordered), _ROWS):
        yield ordered[first : first + _ROWS]


def _batch(
    model: CharRNN, network: PreparedModel, part: TokenPart, batch: list[Segment],
    wanted: Callable[[Tensor, Tensor], Tensor], shape: tuple[int, ...] = (),
) -> list[NDArray[np.float32]]:  # fmt: skip
    """What is wanted of the logits (T, B, V) of chunks and the symbols that come (T, B): an array
    of ``shape`` for each scored one.
    """
    longest = max(stop - start for start, _, stop in batch)
    padded = np.zeros((len(batch), longest), part.tokens.dtype)
    for row, (start, _, stop) in zip(padded, batch, strict=True):
        row[: stop - start] = part.tokens[start:stop]
    device, under = model.output.bias.device, _under_labels(model, part, batch)
    # Made whole at once: pieces kept between the windows' buffers would leave holes behind them.
    found = np.empty((longest - 1, len(batch), *shape), np.float32)
    window = _window_length(model, len(batch))
    state = model.zero_state(len(batch))
    for begin in range(0, longest - 1, window):
        end = min(begin + window, longest - 1)
        ids = torch.from_numpy(padded[:, begin : end + 1].T.astype(np.int64, "C")).to(device)
        logits, state = network.run(ids[:-1] + under, state)
        found[begin:end] = wanted(logits, ids[1:]).cpu().numpy()
    return [
        row[scored_from - start - 1 : stop - start - 1]
        for row, (start, scored_from, stop) in zip(found.swapaxes(0, 1), batch, strict=True)
    ]


def _under_labels(model: CharRNN, part: TokenPart, batch: list[Segment]) -> Tensor:
    """What makes ids of the inputs of each chunk: nothing where there are no labels."""
    if model.labels is None:
        return torch.zeros((), dtype=torch.int64)
    labels = part.labels_at(np.array([start for start, _, _ in batch]))
    return torch.from_numpy(len(model.output.bias) * labels).to(model.output.bias.device)


def _window_length(model: CharRNN, rows: int) -> int:
    """Steps that a batch of ``rows`` takes at a time: shorter ones for a larger model."""
    symbols = len(model.output.bias)
    if model.output.bias.device.type == "cpu":
        most = _NUMBERS // (rows * (symbols + len(block_names(model.cell)) * model.hidden_size))
    else:
        most = _LOGITS // (rows * symbols)
    return max(8, min(_WINDOW, most))


def perplexity(bits: float | None) -> float | None:
    """Two to the power of bits per symbol; None if too large to write."""
    return None if bits is None or not bits < 1000 else 2.0**bits
