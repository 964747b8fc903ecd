"""Models that are conditioned by a label, against the plain model of one label."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch

from seqforge.core.config import ModelConfig, RunConfig
from seqforge.core.data.batches import TbpttBatches
from seqforge.core.data.corpus import TokenPart
from seqforge.core.data.vocabulary import END
from seqforge.core.evaluation.likelihood import score
from seqforge.core.model.char_rnn import CharRNN, model_from_arrays
from seqforge.core.model.checkpoint import (
    Checkpoint,
    ModelCard,
    load_checkpoint,
    load_labelled,
    save_checkpoint,
)
from seqforge.core.model.prepared import TorchModel, prepare_model
from seqforge.core.sampling.ngram_engine import cpu_engine
from seqforge.core.sampling.params import SamplerParams
from seqforge.core.sampling.sampler import Sampler
from seqforge.core.sampling.torch_engine import TorchEngine
from seqforge.core.training.lanes import Lanes
from seqforge.core.training.scheduled_sampling import Objective
from seqforge.errors import CheckpointError

SYMBOLS = tuple("abcdefghij")
V = len(SYMBOLS) + 1
LABELS = ("blue", "green", "red")
KINDS = [{"cell": "lstm"}, {"cell": "gru"}, {"cell": "mingru"}, {"cell": "gru", "attention": 4}]


def labelled(**model):
    """A model of three labels with random weights."""
    settings = ModelConfig(**{"hidden_size": 24, "embedding_size": 8, **model})
    torch.manual_seed(3)
    network = CharRNN(V, **settings.model_dump(), labels=len(LABELS))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.3)
    card = ModelCard(
        seqforge_version="0", name="toy", config=RunConfig(domain="text", model=settings),
        symbols=SYMBOLS, labels=LABELS, label_shares=(0.5, 0.3, 0.2),
    )  # fmt: skip
    return network, Checkpoint(card, network.arrays())


def records_of_labels(count=60, seed=0):
    """A part of short records, a label each."""
    draw = np.random.default_rng(seed)
    records = [draw.integers(1, V, draw.integers(2, 9)) for _ in range(count)]
    tokens = np.concatenate([[END], *([*record, END] for record in records)]).astype(np.uint8)
    ends = np.flatnonzero(tokens == END)
    segments = np.stack([ends[:-1], ends[:-1] + 1, ends[1:] + 1], 1)
    symbols = sum(map(len, records))
    return TokenPart(tokens, segments, symbols, count, draw.integers(0, 3, count))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("label", range(3))
def test_under_a_label_it_is_the_plain_model_of_that_label(kind, label):
    network, checkpoint = labelled(**kind)
    ids = torch.randint(0, V, (4, 30))
    ids[:, 0] = END

    plain = checkpoint.of_label(LABELS[label])
    model = model_from_arrays(V, plain.card.config.model, plain.weights, "toy")

    assert model.labels is None
    assert set(plain.weights) == set(model.arrays())
    ours, _ = network(ids + label * V)
    theirs, _ = model(ids)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-6)
    other, _ = network(ids + (label + 1) % 3 * V)
    assert (ours - other).abs().max() > 0.1, "another label says something else"


@pytest.mark.parametrize("kind", KINDS)
def test_training_reads_virtual_ids_with_and_without_a_table(kind):
    """A table of all virtual ids, embeddings looked up, and torch's own layers: one loss, the same
    gradients, also of the vectors of labels."""
    network, _ = labelled(**kind)
    ids, targets = torch.randint(0, 3 * V, (20, 5)), torch.randint(0, V, (20, 5))
    found = []
    for prepared in (
        prepare_model(network, "fp32", training=True, whole_graph=True),
        prepare_model(network, "fp32", training=True, whole_graph=True, symbols=3 * V - 1),
        TorchModel(network, "fp32", None),
    ):
        logits, _ = prepared.run(ids, network.zero_state(5))
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten())
        found.append(torch.autograd.grad(loss, list(network.parameters())))
    names = [name for name, _ in network.named_parameters()]
    for name, *gradients in zip(names, *found, strict=True):
        assert gradients[2].abs().max() > 0, name
        for gradient in gradients[:2]:
            torch.testing.assert_close(gradient, gradients[2], rtol=1e-3, atol=1e-6, msg=name)


def test_lanes_give_the_gradients_of_the_vectors_of_labels():
    """Against central differences of the loss."""
    network, _ = labelled(cell="gru")
    streams = TbpttBatches(records_of_labels(), 4, 16, symbols=V)
    window = streams.window(0)  # 64 symbols and 33 ids: with a table

    def lanes():
        return Lanes(network, 2, 4, "fp32").gradients(window, 0, 0)

    _, gradients = lanes()
    of = dict(zip((name for name, _ in network.named_parameters()), gradients, strict=True))
    for name in ("labels.fed", "labels.start"):
        weight = dict(network.named_parameters())[name]
        for place in [(0, 0), (1, 3), (2, 7)]:
            weight.data[place] += 1e-2
            above, _ = lanes()
            weight.data[place] -= 2e-2
            below, _ = lanes()
            weight.data[place] += 1e-2
            assert float(of[name][place]) == pytest.approx((above - below) / 2e-2, abs=2e-4)


def test_own_draws_are_read_under_the_label_of_the_text():
    network, _ = labelled(cell="gru")
    window = TbpttBatches(records_of_labels(), 4, 16, symbols=V).window(0)
    objective = Objective(scheduled_sampling=0.9)

    loss, gradients = Lanes(network, 1, 4, "fp32").gradients(window, 0, 0, objective)

    assert np.isfinite(loss)
    assert all(torch.isfinite(gradient).all() for gradient in gradients)


def test_each_input_is_read_under_the_label_of_its_record():
    """An end symbol is read under that of the record that it begins, in both directions."""
    part = records_of_labels()
    mirror = np.arange(V)
    window = TbpttBatches(part, 2, 400, mirror=mirror, symbols=V).window(0)
    labels = {}
    for (start, _, stop), label in zip(part.segments.tolist(), part.labels.tolist(), strict=True):
        labels.setdefault(tuple(part.tokens[start + 1 : stop - 1].tolist()), set()).add(label)

    for row, step in ((0, 1), (1, -1)):
        inputs, targets = window.inputs[row] % V, window.targets[row]
        under = window.inputs[row] // V
        np.testing.assert_array_equal(inputs[1:], targets[:-1])
        starts = np.flatnonzero(inputs == END)
        assert len(starts) > 20
        for start, stop in pairwise(starts):
            record = tuple(inputs[start + 1 : stop][::step].tolist())
            (label,) = set(under[start:stop].tolist())
            assert label in labels[record]


def test_held_out_records_are_scored_under_their_own_labels():
    network, checkpoint = labelled(cell="gru")
    part = records_of_labels()
    nats, count = 0.0, 0
    for label, name in enumerate(LABELS):
        plain = checkpoint.of_label(name)
        model = model_from_arrays(V, plain.card.config.model, plain.weights, "toy")
        own = replace(part, segments=part.segments[part.labels == label], labels=None)
        nats += score(model, own) * own.scored
        count += own.scored

    assert score(network, part) == pytest.approx(nats / count, abs=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_both_engines_draw_the_same_of_a_label(kind):
    _, checkpoint = labelled(**kind)
    plain = checkpoint.of_label("green")
    options = SamplerParams(temperature=0.9, length=30, seed=4)

    engines = (cpu_engine(plain), TorchEngine(plain, "cpu"))
    ours, theirs = ([one.symbols for one in Sampler(plain, engine=engine).draw(6, options)]
                    for engine in engines)  # fmt: skip

    assert ours == theirs
    other = Sampler(checkpoint.of_label("red")).draw(6, options)
    assert ours != [one.symbols for one in other]


def test_a_model_of_labels_is_kept_and_opened_with_one(tmp_path):
    _, checkpoint = labelled(cell="gru")
    path = tmp_path / "toy.safetensors"
    save_checkpoint(path, checkpoint.card, checkpoint.weights)

    whole, one = load_labelled(path), load_checkpoint(path, "red")

    assert whole.card == checkpoint.card
    assert one.card.label == "red"
    assert not one.card.labels
    for name, array in checkpoint.of_label("red").weights.items():
        np.testing.assert_array_equal(one.weights[name], array)
    with pytest.raises(CheckpointError, match=r"none is named; it has blue, green, red \("):
        load_checkpoint(path)
    with pytest.raises(CheckpointError, match=r"no label 'gren'; it has .*; did you mean green"):
        load_checkpoint(path, "gren")
    save_checkpoint(path, one.card, one.weights)
    with pytest.raises(CheckpointError, match="trained without labels; leave out --label"):
        load_checkpoint(path, "red")


def test_a_file_whose_labels_do_not_fit_its_weights_is_refused(tmp_path):
    _, checkpoint = labelled(cell="gru")
    path = tmp_path / "toy.safetensors"
    card = checkpoint.card.model_copy(update={"labels": LABELS[:2]})
    save_checkpoint(path, card, checkpoint.weights)

    with pytest.raises(CheckpointError, match=r"labels\.fed has the shape \(3, 8\)"):
        load_labelled(path)


def test_tied_weights_know_no_labels():
    with pytest.raises(ValueError, match="tied weights know no labels"):
        CharRNN(V, hidden_size=8, tied=True, labels=2)
