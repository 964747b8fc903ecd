"""Sequences of different lengths in, what recurrent layers say at each of their symbols out; layers
may read in both directions.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from seqforge.core.model.cells import (
    RecurrentLayer,
    dropped,
    recurrent_layer,
    run_layer,
    zero_state,
)
from seqforge.core.model.prepared import laid_out


class RecurrentStack(nn.Module):
    """Layers of any cell, one over the other.

    Shapes: T time, B batch, I input, H hidden; D is H, or 2 H where layers are bidirectional
    (Schuster and Paliwal 1997).
    """

    def __init__(
        self, cell: str, input_size: int, hidden_size: int, num_layers: int, *,
        bidirectional: bool = False, dropout: float = 0.0, forget_bias: float | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.cell, self.hidden_size, self.dropout = cell, hidden_size, dropout
        directions = 2 if bidirectional else 1
        self.size = directions * hidden_size
        widths = [input_size] + [self.size] * (num_layers - 1)
        self.forwards: Any = nn.ModuleList(
            recurrent_layer(cell, width, hidden_size, forget_bias) for width in widths
        )
        self.backwards: Any = nn.ModuleList(
            recurrent_layer(cell, width, hidden_size, forget_bias)
            for width in widths[: len(widths) * (directions - 1)]
        )

    def forward(
        self, x: Tensor, lengths: Tensor | None, precision: str, noise: torch.Generator | None
    ) -> Tensor:
        """Read whole sequences.

        Args:
            x: (T, B, I), float32; what stands behind the end of a sequence is not read by what
                counts.
            lengths: (B,); None where all are T long.
            precision: One of `precisions`.
            noise: Where dropout between layers is drawn from; None: no dropout.

        Returns:
            (T, B, D), float32; of no meaning behind the end of a sequence.
        """
        back = _backwards(len(x), lengths, x)
        for number, layer in enumerate(self.forwards):
            if number:
                x = dropped(x, self.dropout, noise)
            parts = [layer_outputs(self.cell, layer, x, precision)]
            for other in self.backwards[number : number + 1]:
                out = layer_outputs(self.cell, other, _taken(x, back), precision)
                parts.append(_taken(out, back))
            x = torch.cat(parts, 2) if len(parts) > 1 else parts[0]
        return x


def _backwards(steps: int, lengths: Tensor | None, like: Tensor) -> Tensor:
    """The place that each place changes with when sequences are turned round, (T, B) or (T, 1)."""
    place = torch.arange(steps, device=like.device)[:, None]
    if lengths is None:
        return steps - 1 - place
    turned = lengths[None, :] - 1 - place
    return torch.where(turned >= 0, turned, place)


def _taken(x: Tensor, places: Tensor) -> Tensor:
    if places.shape[1] == 1:
        return x.flip(0)
    return x.gather(0, places[..., None].expand(-1, -1, x.shape[2]))


def layer_outputs(cell: str, layer: RecurrentLayer, x: Tensor, precision: str) -> Tensor:
    """A layer's outputs (T, B, H), float32, for x (T, B, I), from a zero state: on a CPU by the
    compiled kernels, elsewhere by torch. Gradients reach the layer's parameters and x."""
    hidden = layer.hidden_size
    state = zero_state(cell, x.shape[1], hidden, x.detach())
    if x.device.type != "cpu":
        half = torch.float16 if precision == "fp16" else torch.bfloat16
        with torch.autocast(x.device.type, half, enabled=precision != "fp32"):
            return run_layer(layer, x, state)[0].float()
    bf16 = precision == "bf16"
    weights = dict(layer.named_parameters())
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        made = laid_out(cell, layer, weights.get("weight_hh_l0"), None)
    packed = made.packed(bf16, torch.is_grad_enabled())
    wide = pad(x, (0, made.w_in.shape[1] - x.shape[2]))
    wide = wide.to(torch.bfloat16 if bf16 else torch.float32).contiguous()
    out, _ = packed.run(wide, made, state)
    outputs: Tensor = out[..., :hidden].float()
    return outputs
