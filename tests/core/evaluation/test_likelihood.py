"""Scores of held-out parts, whole distributions and losses, in the order of the part."""

import numpy as np
import pytest
import torch

from seqforge.core.data.corpus import TokenPart
from seqforge.core.evaluation.likelihood import bits, score, symbol_log_probs, symbol_losses
from seqforge.core.model.char_rnn import CharRNN


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(3)
    return CharRNN(6, cell="gru", hidden_size=8, num_layers=2).eval()


@pytest.fixture(scope="module")
def part():
    """Pieces of all lengths, one with context before it, one longer than a chunk."""
    rng = np.random.default_rng(5)
    segments, tokens = [], [0]
    for context, size in ((0, 40), (30, 200), (0, 1), (10, 9000), (0, 7)):
        start = len(tokens) - 1
        tokens += [*rng.integers(1, 6, context + size - 1).tolist(), 0]
        segments.append((start, start + 1 + context, len(tokens)))
    table = np.array(segments, np.int64)
    return TokenPart(np.array(tokens, np.uint8), table, len(tokens) - len(segments) - 1, 5)


def test_whole_distributions_are_those_of_the_losses(network, part):
    """Each row sums to one; the symbol that came has its loss; the pieces come in order."""
    losses = dict(symbol_losses(network, part))
    pieces = []
    for piece, found in symbol_log_probs(network, part):
        _, scored_from, stop = piece
        pieces.append((scored_from, stop))
        came = part.tokens[scored_from:stop].astype(int)
        np.testing.assert_allclose(np.exp(found.astype(float)).sum(1), 1, atol=1e-5)
        np.testing.assert_allclose(
            -found[np.arange(len(came)), came], losses[piece], rtol=1e-4, atol=1e-5
        )
    assert pieces == sorted(pieces)
    assert sum(stop - start for start, stop in pieces) == part.scored


def test_the_score_is_the_mean_of_the_losses(network, part):
    losses = np.concatenate([found for _, found in symbol_losses(network, part)])
    assert score(network, part) == pytest.approx(bits(losses.mean(dtype=float)), rel=1e-6)


def test_whoever_reads_them_may_compute_gradients(network, part):
    for _ in symbol_log_probs(network, part):
        assert not torch.is_inference_mode_enabled()
