"""Evaluations of a training in, lines of metrics.jsonl and a TensorBoard event file out."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tensorboard.compat.proto.attr_value_pb2 import AttrValue  # noqa: TID253
from tensorboard.compat.proto.event_pb2 import Event, SessionLog  # noqa: TID253
from tensorboard.compat.proto.graph_pb2 import GraphDef  # noqa: TID253
from tensorboard.compat.proto.node_def_pb2 import NodeDef  # noqa: TID253
from tensorboard.compat.proto.summary_pb2 import Summary  # noqa: TID253
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto  # noqa: TID253
from torch import nn
from torch.utils.tensorboard import RecordWriter, summary  # noqa: TID253

from seqforge.base.atomic_files import open_new, open_to_append, sync, sync_folder
from seqforge.base.folders import disk_errors, make_folder, write_atomically
from seqforge.charts.png import png_bytes
from seqforge.core.cells.catalogue import cell_type
from seqforge.core.cells.weights import gate_arrays, gate_names
from seqforge.core.data.domain import Domain, Sample, Shows
from seqforge.core.evaluation.likelihood import perplexity
from seqforge.core.model.char_rnn import CharRNN
from seqforge.core.model.checkpoint import Arrays
from seqforge.core.training.events import Evaluation, EvaluationRecord
from seqforge.core.training.trainer import Trainer
from seqforge.runs.folder import RunFolder, read_metrics


def model_graph(model: CharRNN, batch_size: int, seq_len: int) -> GraphDef:
    """From the symbols of a window to the loss, a node an operation and a node a weight.

    Nodes carry the shape of what they give (B batch, T time, ...) and the number of their weights.
    """
    window = [batch_size, seq_len]
    vocab_size, embedding_size = model.embedding.weight.shape
    nodes = [_node("symbols", "Placeholder", [], window)]
    nodes += _weights("embedding", model.embedding)
    x = "embedding/look_up"
    inputs = ["symbols", *_names("embedding", model.embedding)]
    nodes.append(_node(x, "Embedding", inputs, [*window, embedding_size], _count(model.embedding)))
    for number, layer in enumerate(model.layers):
        nodes += _layer(model, f"layer_{number}", layer, x, window)
        x = nodes[-1].name
    if model.attention is not None:
        looking = ["attention/states_before", *_names("attention", model.attention)]
        before = [batch_size, len(model.attention.position), model.hidden_size]
        nodes += [
            *_weights("attention", model.attention), _node(looking[0], "Placeholder", [], before),
            _node("attention/out", "Attention", [x, *looking], [*window, model.hidden_size],
                  _count(model.attention)),
        ]  # fmt: skip
        x = nodes[-1].name
    tied = model.output.weight is model.embedding.weight
    nodes += [node for node in _weights("output", model.output)
              if not (tied and node.name == "output/weight")]  # fmt: skip
    inputs = [x, *_names("output", model.output)]
    if tied:
        inputs = [name.replace("output/weight", "embedding/weight") for name in inputs]
    own = _count(model.output) - (model.output.weight.numel() if tied else 0)
    nodes.append(_node("output/logits", "Linear", inputs, [*window, vocab_size], own))
    nodes.append(_node("symbols_after", "Placeholder", [], window))
    nodes.append(_node("loss", "CrossEntropy", ["output/logits", "symbols_after"], []))
    return GraphDef(node=nodes)


def _layer(
    model: CharRNN, scope: str, layer: nn.Module, x: str, window: Sequence[int]
) -> list[NodeDef]:
    """A layer that reads ``x``; the last node is what it gives."""
    shape = [*window, model.hidden_size]
    before = f"{scope}/state_before"
    inputs = [x, before, *_names(scope, layer)]
    states = " and ".join(cell_type(model.cell).states)
    gates = f"gates: {', '.join(gate_names(model.cell))}"
    name = f"{scope}/{model.cell}"
    nodes = [
        *_weights(scope, layer),
        _node(before, "Placeholder", [], [shape[0], shape[2]], about=states),
        _node(name, model.cell.upper(), inputs, shape, _count(layer), gates),
    ]
    if model.dropout:
        dropped = f"share dropped: {model.dropout}"
        nodes.append(_node(f"{scope}/dropout", "Dropout", [name], shape, about=dropped))
    return nodes


def _names(scope: str, module: nn.Module) -> list[str]:
    return [f"{scope}/{name.removesuffix('_l0')}" for name, _ in module.named_parameters()]


def _weights(scope: str, module: nn.Module) -> list[NodeDef]:
    return [
        _node(name, "Parameter", [], parameter.shape, parameter.numel())
        for name, parameter in zip(_names(scope, module), module.parameters(), strict=True)
    ]


def _count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def _node(
    name: str,
    op: str,
    inputs: Sequence[str],
    shape: Sequence[int],
    weights: int = 0,
    about: str = "",
) -> NodeDef:
    dims = [TensorShapeProto.Dim(size=size) for size in shape]
    attributes = {
        "_output_shapes": AttrValue(list=AttrValue.ListValue(shape=[TensorShapeProto(dim=dims)]))
    }
    if weights:
        attributes["weights"] = AttrValue(i=weights)
    if about:
        attributes["about"] = AttrValue(s=about.encode())
    return NodeDef(name=name, op=op, input=inputs, attr=attributes)


_RATE = 11_025
"""Audio values a second: enough for the pitches of tunes, a quarter of the room of a CD's."""
_BINS = 64

_make: Any = summary  # has no types


class TensorboardLog:
    """One event file of a run."""

    def __init__(self, folder: Path, step: int) -> None:
        """Begin a file; what others in the folder hold after ``step`` is not shown any more.

        Raises:
            RunError: If the disk refuses; so do all methods.
        """
        make_folder(folder)
        self._path = folder / f"events.out.tfevents.{time.time_ns()}"
        with disk_errors(self._path):
            self._stream = open_new(self._path)
            self._records = RecordWriter(self._stream)
        try:
            self._add(Event(file_version="brain.Event:2"))
            self._add(Event(session_log=SessionLog(status=SessionLog.START), step=step + 1))
            self.save()
            sync_folder(folder)
        except BaseException:
            self._abandon()
            raise

    def graph(self, model: CharRNN, batch_size: int, seq_len: int) -> None:
        """How the layers hang together, with shapes and numbers of weights."""
        graph = model_graph(model, batch_size, seq_len)
        self._add(Event(graph_def=graph.SerializeToString()))

    def scalars(self, record: EvaluationRecord) -> None:
        """The numbers of an evaluation, under their names in ``metrics.jsonl``."""
        for name, value in record:
            if isinstance(value, float):
                self._add(Event(summary=_make.scalar(name, value), step=record.step))

    def histograms(
        self, group: str, cell: str, arrays: Mapping[str, NDArray[Any]], step: int
    ) -> None:
        """How values are distributed, a histogram for each layer, gate and kind of weight."""
        for name, part in gate_arrays(cell, arrays):
            finite = part[np.isfinite(part)]
            if finite.size:
                tag = f"{group}/{name}"
                self._add(Event(summary=_make.histogram(tag, finite, bins=_BINS), step=step))

    def sample(self, domain: Domain, sample: Sample, text: str, step: int) -> None:
        """A sample as ``text``, and as picture and audio where the domain has them.

        Each has a tag of its own: TensorBoard takes a tag to be of one kind in all a run.
        """
        shown = text.encode("utf-8", "replace").decode()
        # Indented by four, Markdown takes it as it stands.
        block = "\n".join("    " + line for line in shown.splitlines())
        self._add(Event(summary=_make.text("sample", block), step=step))
        if not isinstance(domain, Shows):
            return
        if (picture := domain.picture(sample)) is not None:
            self._add(Event(summary=_image("sample/picture", picture), step=step))
        if (sound := domain.sound(sample, _RATE)) is not None:
            self._add(
                Event(summary=_make.audio("sample/sound", sound, sample_rate=_RATE), step=step)
            )

    def _add(self, event: Event) -> None:
        event.wall_time = time.time()
        with disk_errors(self._path):
            self._records.write(event.SerializeToString())

    def flush(self) -> None:
        """Let readers see what was added."""
        with disk_errors(self._path):
            self._records.flush()

    def save(self) -> None:
        """Have the disk hold what was added."""
        self.flush()
        with disk_errors(self._path):
            os.fsync(self._stream.fileno())

    def close(self) -> None:
        """End the file."""
        try:
            self.save()
        finally:
            self._abandon()

    def _abandon(self) -> None:
        with suppress(OSError):  # what the disk refuses was said when it was to be saved
            self._stream.close()


def _image(tag: str, picture: NDArray[np.uint8]) -> Summary:
    height, width, colours = picture.shape
    image = Summary.Image(
        height=height,
        width=width,
        colorspace=colours,
        encoded_image_string=png_bytes(picture),
    )
    return Summary(value=[Summary.Value(tag=tag, image=image)])


@dataclass(frozen=True)
class WatchedEvaluation:
    """An evaluation, with copies of the weights and of the gradients of the step before it."""

    record: EvaluationRecord
    weights: Arrays
    gradients: Arrays
    """As the optimiser got them: clipped, if they were longer than ``clip_norm``."""


def evaluation_record(evaluation: Evaluation) -> EvaluationRecord:
    """The evaluation as it is kept."""
    return EvaluationRecord(
        **asdict(evaluation),
        train_loss=_nats(evaluation.train_bits),
        train_perplexity=perplexity(evaluation.train_bits),
        valid_loss=_nats(evaluation.valid_bits),
        valid_perplexity=perplexity(evaluation.valid_bits),
    )


def _nats(bits: float | None) -> float | None:
    return None if bits is None else bits * math.log(2)


def gradients(trainer: Trainer) -> Arrays:
    """A copy of the gradients of the last step, by the names of the weights."""
    return {
        name: parameter.grad.detach().float().cpu().numpy().copy()
        for name, parameter in trainer.model.named_parameters()
        if parameter.grad is not None
    }


class MetricsLog:
    """The log of one run, gone on with where the training stands."""

    def __init__(self, run: RunFolder, trainer: Trainer) -> None:
        """Drop what an earlier process wrote after this step, and go on from there.

        Raises:
            RunError: If the disk refuses.
        """
        self._run, self._cell = run, trainer.model.cell
        _cut_metrics(run, trainer.step)
        self.board = TensorboardLog(run.tensorboard, trainer.step)
        if trainer.step == 0 and isinstance(trainer.model, CharRNN):
            config = trainer.config
            try:
                self.board.graph(trainer.model, config.batch_size, config.seq_len)
            except BaseException:
                self.board.close()
                raise

    def write(self, look: WatchedEvaluation) -> None:
        """Keep a look; readers see it at once, and the disk has it when this returns."""
        # One line is one write; a line that a crash cut short is dropped on resuming.
        with disk_errors(self._run.metrics), open_to_append(self._run.metrics) as file:
            file.write(_line(look.record).encode())
            sync(file)
        self.board.scalars(look.record)
        for group, arrays in (("weights", look.weights), ("gradients", look.gradients)):
            self.board.histograms(group, self._cell, arrays, look.record.step)
        self.board.save()

    def close(self) -> None:
        """Nothing more will come."""
        self.board.close()


def _cut_metrics(run: RunFolder, step: int) -> None:
    """Drop the lines of ``metrics.jsonl`` that lie after the point of resuming."""
    if not run.metrics.is_file():
        return
    kept = [record for record in read_metrics(run) if record.step <= step]
    write_atomically(run.metrics, "".join(map(_line, kept)).encode())


def _line(record: EvaluationRecord) -> str:
    """With the keys that are known: a line of an older version stays as it was."""
    return json.dumps(record.model_dump(exclude_unset=True)) + "\n"
