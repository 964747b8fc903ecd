"""The overlap of held-out and training windows, against a count with Python's own sets."""

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqforge.core.config import DataConfig
from seqforge.core.data.overlap import Sketch, WindowCodes, measure, scored_windows
from seqforge.core.domain import Record
from seqforge.core.ingest import ingest
from seqforge.core.vocabulary import Vocabulary
from seqforge.domains.genome import GenomeDomain
from seqforge.domains.text import TextDomain

OTHER = str.maketrans("ACGT", "TGCA")


def canonical(window):
    return min(window, window[::-1].translate(OTHER))


def plain_share(train, held, k, canon=lambda window: window):
    """Of all windows of ``held``, each as often as it stands there."""
    known = {canon(text[i : i + k]) for text in train for i in range(len(text) - k + 1)}
    asked = [canon(text[i : i + k]) for text in held for i in range(len(text) - k + 1)]
    return sum(window in known for window in asked) / len(asked) if asked else None


@given(st.text("ACGTacgt", min_size=24, max_size=60), st.integers(0, 30))
def test_a_window_and_its_reverse_complement_have_one_hash(bases, place):
    domain, vocabulary = GenomeDomain(keep_case=True), Vocabulary(tuple("ACGTacgt"))
    codes = WindowCodes.of(domain, vocabulary)
    window = bases[place : place + 24] if place + 24 <= len(bases) else bases[:24]
    other = window.upper()[::-1].translate(OTHER)

    here, there = (codes.hashes(vocabulary.encode(text)) for text in (window, other))

    assert len(here) == 1
    assert (here == there).all()
