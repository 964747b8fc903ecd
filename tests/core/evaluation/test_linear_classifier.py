"""The linear model on n-grams, which stands beside every classifier."""

from itertools import pairwise

import numpy as np

from seqforge.core.evaluation.linear_classifier import LinearClassifier


def sequences(count, seed):
    """Of two classes, told apart by a pair of symbols that stands somewhere in one of them."""
    draw = np.random.default_rng(seed)
    found, classes = [], []
    for _ in range(count):
        ids = draw.integers(1, 5, 12)
        pairs = {(a, b) for a, b in pairwise(ids)}
        found.append(ids)
        classes.append(int((2, 3) in pairs))
    return found, np.array(classes)


def test_it_learns_what_ngrams_tell():
    train, test = sequences(600, 0), sequences(300, 1)
    model = LinearClassifier.fitted(*train, symbols=5, classes=2)
    right = np.mean(model.classes(test[0]) == test[1])
    assert right > 0.95 > max(np.mean(test[1]), 1 - np.mean(test[1]))


def test_symbols_and_ngrams_that_are_not_known_are_left_out():
    train = sequences(60, 0)
    model = LinearClassifier.fitted(*train, symbols=9, classes=2)
    assert model.classes([np.array([8, 8, 8]), np.array([1])]).shape == (2,)
