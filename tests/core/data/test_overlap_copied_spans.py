"""Copied spans against slow plain statements over strings."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from seqforge.core.data.overlap import CopyFinder, copied_shares, span_hashes

TEXTS = st.text("ab", max_size=60)


def ids(text):
    return np.frombuffer(text.encode(), np.uint8)


@given(texts=st.lists(TEXTS, max_size=4), training=TEXTS)
def test_the_longest_copied_span(texts, training):
    wanted = max(
        (
            stop - start
            for text in texts
            for start in range(len(text))
            for stop in range(start + 1, len(text) + 1)
            if text[start:stop] in training
        ),
        default=0,
    )
    assert CopyFinder([ids(text) for text in texts], ids(training)).longest() == wanted


@given(texts=st.lists(TEXTS, min_size=1, max_size=4), training=TEXTS, length=st.integers(1, 12))
def test_the_share_of_copied_spans(texts, training, length):
    spans = [t[i : i + length] for t in texts for i in range(len(t) - length + 1)]
    wanted = sum(span in training for span in spans) / len(spans) if spans else None

    assert CopyFinder([ids(text) for text in texts], ids(training)).share(length) == wanted


@given(text=st.text("abc", max_size=80), length=st.integers(1, 40))
def test_spans_have_the_same_hash_where_they_are_the_same(text, length):
    hashes = span_hashes(ids(text), length).tolist()
    spans = [text[i : i + length] for i in range(len(text) - length + 1)]

    assert len(hashes) == len(spans)
    assert len(set(zip(hashes, spans, strict=True))) == len(set(spans)) == len(set(hashes))


def test_a_span_across_the_border_of_two_blocks_is_found():
    rng = np.random.default_rng(0)
    training = rng.integers(0, 250, (1 << 20) + 5000).astype(np.uint8)
    sample = training[(1 << 20) - 40 : (1 << 20) + 40]

    assert CopyFinder([sample], training).longest() == 80


@given(
    groups=st.lists(st.lists(TEXTS, max_size=3), max_size=3),
    training=TEXTS,
    length=st.integers(1, 6),
)
def test_shares_of_several_groups_are_those_of_each(groups, training, length):
    several = copied_shares([list(map(ids, texts)) for texts in groups], ids(training), length)
    each = [CopyFinder(list(map(ids, texts)), ids(training)).share(length) for texts in groups]
    assert several == each
