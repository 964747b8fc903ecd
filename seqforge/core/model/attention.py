"""States of the top layer in, the same with what is found in the states before them out: attention
over a window of the past, in torch.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, pad

_BLOCK = 64  # steps that look back together; more would compute more scores outside the window


class PastAttention(nn.Module):
    """One head over the w states before the present one, h[t - w] to h[t - 1].

    score[t, s] = (W_query h[t]) . h[s] / sqrt(H) + position[t - s];  a[t] = softmax of the scores;
    out[t] = h[t] + W_mix (sum of a[t, s] h[s]).

    States are keys and values themselves (Luong et al. 2015, https://arxiv.org/abs/1508.04025):
    with one head as wide as the layer, matrices of keys and values would be factors of W_query and
    W_mix. Before the beginning stand states of zeros, like the zeros that a layer begins with:
    they take their share of the softmax, and add nothing. W_mix begins at zero, so that training
    begins with the bare cell.
    """

    def __init__(self, hidden_size: int, window: int) -> None:
        super().__init__()
        self.query = nn.Parameter(torch.empty(hidden_size, hidden_size))
        self.mix = nn.Parameter(torch.zeros(hidden_size, hidden_size))
        self.position = nn.Parameter(torch.zeros(window))
        nn.init.orthogonal_(self.query)

    def zero_state(self, batch: int) -> tuple[Tensor]:
        """The states (B, w, H) before anything was read."""
        return (self.query.new_zeros(batch, len(self.position), len(self.query)),)

    def run(self, top: Tensor, past: Tensor) -> tuple[Tensor, Tensor]:
        """States (T, B, H or wider) and those before them (B, w, H), the oldest first, in; what the
        output layer reads, in the first's shape, and the last w states, float32, out.
        """
        hidden, window = len(self.query), len(self.position)
        own = top[..., :hidden].contiguous()  # torch takes whole matrices far more quickly
        known = torch.cat([past.to(own.dtype), own.transpose(0, 1)], 1)
        queries = linear(own, self.query.to(own.dtype) * hidden**-0.5).transpose(0, 1)
        found = [
            self._found(
                some.contiguous(), known[:, first : first + window + some.shape[1]].contiguous()
            )
            for first, some in zip(
                range(0, len(top), _BLOCK), torch.split(queries, _BLOCK, 1), strict=True
            )
        ]
        out = own + linear(torch.cat(found, 1), self.mix.to(own.dtype)).transpose(0, 1)
        return pad(out, (0, top.shape[2] - hidden)), known[:, -window:].float()

    def _found(self, queries: Tensor, known: Tensor) -> Tensor:
        """Queries (B, n, H), and the states (B, w + n, H) up to the last of them, in; weighted sums
        out.
        """
        scores = torch.bmm(queries, known.transpose(1, 2)).float() + self._bias(queries.shape[1])
        return torch.bmm(scores.softmax(2).to(known.dtype), known)

    def _bias(self, steps: int) -> Tensor:
        """(n, w + n): row t has the biases at t to t + w - 1, and minus infinity elsewhere."""
        window = len(self.position)
        row = pad(self.position.float(), (0, steps + 1), value=-torch.inf)
        # Rows that are one shorter than what is repeated begin one place later each.
        return row.repeat(steps)[: steps * (window + steps)].view(steps, window + steps)
