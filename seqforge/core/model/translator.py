"""A source sequence in, another sequence out, symbol by symbol: an encoder and a decoder with
additive attention (Bahdanau et al. 2015, https://arxiv.org/abs/1409.0473).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from seqforge.core.model.cells import dropped, recurrent_layer, run_layer, zero_state
from seqforge.core.model.encoder import layer_outputs
from seqforge.core.model.task_networks import Batch, TaskNetwork
from seqforge.core.model_config import ModelConfig

_END = 0
_NOWHERE = -1e9


class Translator(TaskNetwork):
    """Sequence to sequence.

    The decoder's first layer reads the target so far and a summary of the source; its state asks
    the attention; its second layer reads state and context (as in Wu et al. 2016,
    https://arxiv.org/abs/1609.08144). So in training both layers run over all of the target at
    once.

    Shapes: T source, U target, B batch, D encoder, H hidden, V target symbols with the end.
    """

    def __init__(self, symbols: int, targets: int, config: ModelConfig) -> None:
        super().__init__(symbols, config)
        hidden, size = config.hidden_size, self.stack.size
        self.summary = nn.Linear(size, hidden)
        self.target_embedding = nn.Embedding(targets, self.width)
        nn.init.normal_(self.target_embedding.weight, std=0.1)
        cell, bias = config.cell, config.forget_bias
        self.asking = recurrent_layer(cell, self.width + hidden, hidden, bias)
        # Places beside states: where to look is found sooner where it goes along with the target.
        self.query = nn.Linear(hidden + _PLACES, hidden // 2, bias=False)
        self.key = nn.Linear(size + _PLACES, hidden // 2)
        self.energy = nn.Linear(hidden // 2, 1, bias=False)
        self.telling = recurrent_layer(cell, hidden + size, hidden, bias)
        self.output = nn.Linear(hidden + size, targets)
        nn.init.zeros_(self.output.bias)

    def logits_in_training(
        self, batch: Batch, precision: str, noise: torch.Generator | None, sampled: float
    ) -> Tensor:
        """See `TaskNetwork`: scheduled sampling (Bengio et al. 2015), whose draws are made from the
        target's own beginning (Mihaylova and Martins 2019)."""
        given = _given(batch.targets)
        if sampled and noise is not None:
            with torch.no_grad():
                chances = self._decoded(batch, given, precision, None)[:-1].softmax(2)
                drawn = torch.multinomial(chances.flatten(0, 1), 1, generator=noise)
                drawn = drawn.view(chances.shape[:2])
                uniform = torch.rand(drawn.shape, generator=noise, device=drawn.device)
                own = torch.where(uniform < sampled, drawn, given[1:])
                given = torch.cat([given[:1], own])
        return self._decoded(batch, given, precision, noise)

    def logits(self, batch: Batch, precision: str, noise: torch.Generator | None = None) -> Tensor:
        """(U, B, V), with the target's own beginning read (teacher forcing)."""
        return self._decoded(batch, _given(batch.targets), precision, noise)

    def _decoded(
        self, batch: Batch, given: Tensor, precision: str, noise: torch.Generator | None
    ) -> Tensor:
        source = self.read(batch, precision, noise)
        x = self._inputs(given, source.summary)
        asked = layer_outputs(self.cell, self.asking, x, precision)
        context, _ = self._attended(asked, source, 0)
        x = torch.cat([asked, context], 2)
        x = dropped(x, self.config.dropout, noise)
        told = layer_outputs(self.cell, self.telling, x, precision)
        found = dropped(torch.cat([told, context], 2), self.config.dropout, noise)
        logits: Tensor = self.output(found)
        return logits

    def read(
        self, batch: Batch, precision: str, noise: torch.Generator | None = None
    ) -> ReadSource:
        """The source as the decoder sees it."""
        out = self.stack(self.embedded(batch.ids, noise), batch.lengths, precision, noise)
        inside = torch.arange(len(out), device=out.device)[:, None] < batch.lengths
        mean = (out * inside[..., None]).sum(0) / batch.lengths[:, None]
        keys = self.key(_with_places(out, 0))
        return ReadSource(out, keys, inside, self.summary(mean).tanh())

    def _inputs(self, given: Tensor, summary: Tensor) -> Tensor:
        embedded = self.target_embedding(given)
        return torch.cat([embedded, summary.expand(len(given), -1, -1)], 2)

    def _attended(self, asked: Tensor, source: ReadSource, place: int) -> tuple[Tensor, Tensor]:
        """Contexts (U, B, D) and attention (U, B, T) from a place of the target on."""
        together = self.query(_with_places(asked, place))[:, None] + source.keys[None]
        energies = self.energy(together.tanh()).squeeze(3)
        attention = energies.masked_fill(~source.inside, _NOWHERE).softmax(1)
        return torch.einsum("utb,tbd->ubd", attention, source.states), attention.transpose(1, 2)

    def step(self, ids: Tensor, source: ReadSource, state: DecoderState) -> DecodedStep:
        """The last symbols (B,) and the states before in, what comes next out."""
        asked, first = run_layer(self.asking, self._inputs(ids[None], source.summary), state[0])
        context, attention = self._attended(asked, source, state[2])
        told, second = run_layer(self.telling, torch.cat([asked, context], 2), state[1])
        logits = self.output(torch.cat([told, context], 2))
        return DecodedStep(logits[0].log_softmax(1), attention[0], (first, second, state[2] + 1))

    def begin(self, rows: int) -> DecoderState:
        """The states before the first symbol."""
        like, hidden = self.embedding.weight, self.config.hidden_size
        zero = zero_state(self.cell, rows, hidden, like)
        return zero, zero, 0


LayerState = tuple[Tensor, ...]
DecoderState = tuple[LayerState, LayerState, int]
"""States of both layers, and how many symbols they have read."""


@dataclass(frozen=True)
class ReadSource:
    """A batch of sources, read."""

    states: Tensor
    """(T, B, D)."""
    keys: Tensor
    """(T, B, H / 2)."""
    inside: Tensor
    """(T, B), whether a place is within its source."""
    summary: Tensor
    """(B, H)."""

    def rows(self, numbers: Tensor) -> ReadSource:
        """Some of the batch, perhaps several times."""
        return ReadSource(
            self.states[:, numbers], self.keys[:, numbers], self.inside[:, numbers],
            self.summary[numbers],
        )  # fmt: skip


@dataclass(frozen=True)
class DecodedStep:
    """What a step of the decoder says."""

    log_chances: Tensor
    """(B, V)."""
    attention: Tensor
    """(B, T)."""
    state: DecoderState


_WAVES = 11
_PLACES = 2 * _WAVES


def _with_places(x: Tensor, first: int) -> Tensor:
    """States (T, B, H) with their places as waves beside them (Vaswani et al. 2017), (T, B, H + P).

    Wavelengths are 4 and up by factors of the root of three: a wave of one sequence is then also
    one of another that goes along three times as fast, as bases go along with residues.
    """
    place = torch.arange(first, first + len(x), dtype=torch.float32, device=x.device)
    angles = place[:, None] * (2 * math.pi / (4 * 3 ** (torch.arange(_WAVES, device=x.device) / 2)))
    waves = torch.cat([angles.sin(), angles.cos()], 1)[:, None]
    return torch.cat([x, waves.expand(-1, x.shape[1], -1)], 2)


def _given(targets: Tensor) -> Tensor:
    """What the decoder reads: the end symbol, then the target without its last symbol."""
    return pad(targets[:-1].clamp(min=0), (0, 0, 1, 0))


@dataclass(frozen=True)
class Translation:
    """A target that beam search found."""

    ids: list[int]
    log_chance: float
    """Of the whole of it, its end included, in nats."""
    attention: Tensor
    """(U, T)."""

    @property
    def ended(self) -> bool:
        """Whether it came to its end before it was cut."""
        return len(self.attention) > len(self.ids)

    @property
    def by_symbol(self) -> float:
        """The log-probability a symbol, the end counted: what beam search looks for."""
        return self.log_chance / max(1, len(self.attention))


@torch.no_grad()
def translate(model: Translator, batch: Batch, beam: int, longest: int) -> list[Translation]:
    """Sources in, the best target of each by beam search out.

    Args:
        model: The network.
        batch: Its targets are not looked at.
        beam: How many beginnings of a target are kept; 1 is greedy.
        longest: Symbols at which a target is cut.

    Returns:
        For each source the target with the highest log-probability a symbol, its end counted. It
        is never lower than that of the greedy one, which a beam alone may lose. One that was cut
        is given only where none came to its end.
    """
    source = model.read(batch, "fp32")
    found = []
    for row in range(batch.ids.shape[1]):
        alone = source.rows(torch.tensor([row]))
        tried = [_searched(model, alone, width, longest) for width in sorted({1, beam})]
        found.append(max(reversed(tried), key=lambda one: (one.ended, one.by_symbol)))
    return found


@torch.no_grad()
def translate_greedily(model: Translator, batch: Batch, longest: int) -> list[list[int]]:
    """Sources in, for each the symbols that are likeliest one by one, all at the same time, out."""
    source, rows = model.read(batch, "fp32"), batch.ids.shape[1]
    state, ids = model.begin(rows), torch.zeros(rows, dtype=torch.int64)
    going, found = torch.ones(rows, dtype=torch.bool), []
    for _ in range(longest):
        step = model.step(ids, source, state)
        ids, state = step.log_chances.argmax(1) * going, step.state
        going &= ids != _END
        if not going.any():
            break
        found.append(ids)
    columns = torch.stack(found, 1).tolist() if found else [[]] * rows
    return [[symbol for symbol in row if symbol != _END] for row in columns]


def _searched(model: Translator, source: ReadSource, beam: int, longest: int) -> Translation:
    state, ids = model.begin(1), torch.zeros(1, dtype=torch.int64)
    begun = [Translation([], 0.0, torch.zeros(0, len(source.states)))]
    ended: list[Translation] = []
    for _ in range(longest):
        found = model.step(ids, source.rows(torch.zeros(len(begun), dtype=torch.int64)), state)
        so_far = torch.tensor([one.log_chance for one in begun])[:, None] + found.log_chances
        chances, places = so_far.flatten().topk(min(beam, so_far.numel()))
        rows, symbols = places // so_far.shape[1], places % so_far.shape[1]
        grown = [
            Translation(
                [*begun[row].ids, symbol], chance,
                torch.cat([begun[row].attention, found.attention[row][None]]),
            )
            for row, symbol, chance in zip(
                rows.tolist(), symbols.tolist(), chances.tolist(), strict=True
            )
        ]  # fmt: skip
        ended += [one for one in grown if one.ids[-1] == _END]
        going = [number for number, one in enumerate(grown) if one.ids[-1] != _END]
        if not going or len(ended) >= beam:
            begun = [grown[number] for number in going]
            break
        begun = [grown[number] for number in going]
        kept = rows[going]
        ids = symbols[going]
        state = _taken(found.state, kept)
    best = max(ended or begun, key=lambda one: one.by_symbol)
    return Translation([one for one in best.ids if one != _END], best.log_chance, best.attention)


def _taken(state: DecoderState, rows: Tensor) -> DecoderState:
    first, second, place = state
    return tuple(part[rows] for part in first), tuple(part[rows] for part in second), place
