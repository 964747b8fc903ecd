"""Networks that classify and label: padding, strides, n-grams."""

from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from seqforge.core.data.examples import IGNORED
from seqforge.core.model.task_networks import (
    Batch,
    Classifier,
    Labeller,
    frequent_ngrams,
    ngram_codes,
)
from seqforge.core.model_config import ModelConfig

SOURCES = [np.array(row) for row in ([1, 2, 3, 1, 2], [4, 1], [2, 2, 3, 4, 1, 2, 3])]
ids_of = st.lists(st.integers(1, 4), min_size=1, max_size=12).map(np.array)


def config(**more):
    return ModelConfig(cell="gru", hidden_size=8, embedding_size=6, **more)


def classifier():
    torch.manual_seed(1)
    network = Classifier(5, 3, config(ngrams=3), frequent_ngrams(SOURCES, 5, 3, least=1))
    torch.nn.init.normal_(network.ngrams.weight)
    return network


def labeller(**more):
    torch.manual_seed(1)
    return Labeller(5, 4, config(**more))


@given(ids_of, st.integers(1, 4))
def test_codes_of_ngrams_tell_them_apart(ids, order):
    """As many of each as a plain count finds in the text between its ends."""
    padded = [0, *ids.tolist(), 0]
    plain = Counter(
        tuple(padded[at : at + n]) for n in range(1, order + 1) for at in range(len(padded) - n + 1)
    )
    codes = Counter(ngram_codes(ids, 5, order).tolist())
    assert sorted(codes.values()) == sorted(plain.values())


def test_only_ngrams_of_several_sequences_count():
    codes = frequent_ngrams([np.array([1, 2]), np.array([1, 2]), np.array([3, 3, 3])], 5, 1)
    assert codes.tolist() == sorted({5 + 0, 5 + 1, 5 + 2})


@pytest.mark.parametrize(
    "network",
    [classifier(), labeller(), labeller(stride=3), labeller(convolution=3)],
    ids=["classes", "labels", "stride", "convolution"],
)
def test_what_is_said_of_an_example_does_not_depend_on_the_others(network):
    targets = [np.zeros(len(one)) for one in SOURCES]
    with torch.no_grad():
        together = network.logits(Batch.of(SOURCES, targets), "fp32")
        for row, one in enumerate(SOURCES):
            alone = network.logits(Batch.of([one], [np.zeros(len(one))]), "fp32")
            if isinstance(network, Classifier):
                torch.testing.assert_close(together[row], alone[0], atol=1e-5, rtol=1e-5)
            else:
                here = together[: len(one), row]
                torch.testing.assert_close(here, alone[:, 0], atol=1e-5, rtol=1e-5)


def test_labels_that_are_ignored_change_nothing():
    network = labeller()
    known = [np.array([0, 1, 2, 3, 0]), np.array([1, 1]), np.array([2, 0, 3, 1, 1, 0, 2])]
    ignored = [known[0], np.full(2, IGNORED), known[2]]
    with torch.no_grad():
        every = network.loss(Batch.of(SOURCES, known), "fp32")[0]
        some = network.loss(Batch.of(SOURCES, ignored), "fp32")[0]
        rest = network.loss(Batch.of(SOURCES[1:2], known[1:2]), "fp32")[0]
    assert float(every) == pytest.approx(float(some) + float(rest), rel=1e-5)


def test_class_weights_weight_classes():
    network, ones = classifier(), [np.array([n]) for n in (0, 1, 2)]
    made = Batch.of(SOURCES, ones)
    batch = Batch(made.ids, made.lengths, made.targets[0])
    with torch.no_grad():
        each = torch.nn.functional.cross_entropy(
            network.logits(batch, "fp32"), batch.targets, reduction="none"
        )
        plain, wanted = network.loss(batch, "fp32", weights=torch.tensor([1.0, 2.0, 0.0]))
    assert float(plain) == pytest.approx(float(each.sum()), rel=1e-5)
    assert float(wanted) == pytest.approx(float(each[0] + 2 * each[1]), rel=1e-5)
