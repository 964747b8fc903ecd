"""Going on from weights: what was known is scored as before, what is new has its place."""

import math

import numpy as np
import pytest
import torch

from seqforge.core.model.char_rnn import CharRNN
from seqforge.core.model.warm_start import load_pretrained, symbol_shares


@pytest.mark.parametrize("tied", [False, True])
def test_old_text_costs_what_it_did_but_for_the_share_of_the_new_symbols(tied):
    """Logits of old symbols stay; the loss grows by what the new ones take."""
    torch.manual_seed(0)
    old = CharRNN(6, hidden_size=16, num_layers=2, tied=tied)
    with torch.no_grad():
        old.output.bias.normal_()
    grown = CharRNN(9, hidden_size=16, num_layers=2, tied=tied)
    shares = np.array([0.1, 0.2, 0.2, 0.2, 0.2, 0.097, 0.001, 0.001, 0.001])
    load_pretrained(grown, old.arrays(), shares)
    ids = torch.randint(0, 6, (4, 50))

    with torch.inference_mode():
        before, after = old(ids)[0], grown(ids)[0]

    torch.testing.assert_close(after[..., :6], before)
    added = after.logsumexp(-1) - before.logsumexp(-1)
    assert 0 < added.mean().item() < 3 * -math.log(1 - shares[6:].sum())
    assert grown.num_parameters() > old.num_parameters()


def test_new_symbols_have_rows_of_their_own():
    torch.manual_seed(0)
    grown = CharRNN(8, hidden_size=16)
    load_pretrained(grown, CharRNN(6, hidden_size=16).arrays(), np.full(8, 1 / 8))

    for rows in (grown.embedding.weight[6:], grown.output.weight[6:]):
        assert torch.dist(rows[0], rows[1]) > 0.1


def test_shares_are_counted_over_everything_and_none_is_zero():
    tokens = np.array([0, 1, 1, 1, 3, 0], np.uint8)
    assert (symbol_shares(tokens, 5) * 11).tolist() == pytest.approx([3, 4, 1, 2, 1])
