"""The network as a graph that TensorBoard draws.

It is written down from the modules and not found by tracing: a trace sees none of what compiled
code does, and runs the network.
"""

from __future__ import annotations

from collections.abc import Sequence

from tensorboard.compat.proto.attr_value_pb2 import AttrValue  # noqa: TID253
from tensorboard.compat.proto.graph_pb2 import GraphDef  # noqa: TID253
from tensorboard.compat.proto.node_def_pb2 import NodeDef  # noqa: TID253
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto  # noqa: TID253
from torch import nn

from seqforge.core.model import CharRNN
from seqforge.core.parts import GATE_NAMES

_STATE = {"lstm": "h and c"}


def diagram(model: CharRNN, batch_size: int, seq_len: int) -> GraphDef:
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
    gates = f"gates: {', '.join(GATE_NAMES[model.cell])}"
    name = f"{scope}/{model.cell}"
    nodes = [
        *_weights(scope, layer),
        _node(before, "Placeholder", [], [shape[0], shape[2]], about=_STATE.get(model.cell, "h")),
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
