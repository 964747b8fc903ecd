"""Composition and copying against slow versions with plain sets and dictionaries."""

from __future__ import annotations

import json
import math
from collections import Counter
from itertools import pairwise
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqforge.domains.genome import composition
from seqforge.domains.genome.composition import (
    composition_report,
    copy_report,
    entropy,
    gc_content,
    jensen_shannon,
    kmer_frequencies,
    longest_orf,
)
from seqforge.domains.genome.nucleotides import base_codes, packed_kmers

COMPLEMENT = str.maketrans("ACGT", "TGCA")
sequences = st.lists(st.text("ACGTN", max_size=40), max_size=4)


def plain_kmers(texts, k):
    found = (text[i : i + k] for text in texts for i in range(len(text) - k + 1))
    return Counter(kmer for kmer in found if not set(kmer) - set("ACGT"))


def plain_longest(texts, training):
    """The longest piece of a text that is in the training data on one strand or the other."""
    best = 0
    for text in texts:
        for i in range(len(text)):
            for j in range(i + best + 1, len(text) + 1):
                piece = text[i:j]
                turned = piece.translate(COMPLEMENT)[::-1]
                if set(piece) - set("ACGT") or not (piece in training or turned in training):
                    break
                best = j - i
    return best


@given(texts=sequences, k=st.integers(1, 6))
def test_kmer_frequencies_are_plain_counts(texts, k):
    counts = plain_kmers(texts, k)
    found = kmer_frequencies(texts, k)

    assert found.shape == (4**k,)
    for kmer, count in counts.items():
        number = int("".join(str("ACGT".index(base)) for base in kmer), 4)
        assert found[number] == pytest.approx(count / counts.total())
    assert np.count_nonzero(found) == len(counts)


@given(text=st.text("ACGTN", max_size=60), k=st.integers(1, 32))
def test_packed_kmers_are_numbers_to_base_four(text, k):
    kmers, whole = packed_kmers(base_codes(text), k)

    assert len(kmers) == len(whole) == max(0, len(text) - k + 1)
    for place, (kmer, good) in enumerate(zip(kmers.tolist(), whole.tolist(), strict=True)):
        piece = text[place : place + k]
        assert good == ("N" not in piece)
        if good:
            assert kmer == int("".join(str("ACGT".index(base)) for base in piece), 4)


@given(p=st.lists(st.integers(0, 9), min_size=4, max_size=4).filter(any),
       q=st.lists(st.integers(0, 9), min_size=4, max_size=4).filter(any))  # fmt: skip
def test_jensen_shannon_is_the_mean_divergence_from_the_middle(p, q):
    one, other = np.array(p) / sum(p), np.array(q) / sum(q)
    expected = sum(
        a * math.log2(2 * a / (a + b)) / 2
        for x, y in ((one, other), (other, one))
        for a, b in zip(x, y, strict=True)
        if a > 0
    )

    assert jensen_shannon(one, other) == pytest.approx(expected, abs=1e-12)
    assert jensen_shannon(one, other) == jensen_shannon(other, one)


def test_jensen_shannon_goes_from_nothing_to_one_bit():
    same, other = np.array([0.5, 0.5, 0, 0]), np.array([0, 0, 0.25, 0.75])

    assert jensen_shannon(same, same) == 0
    assert jensen_shannon(same, other) == 1
    assert entropy(np.full(4, 0.25)) == 2


def test_gc_content_counts_bases_alone():
    assert gc_content(["GGCN", "aatt"]) == pytest.approx(3 / 7)
    assert gc_content(["NN"]) is None


@pytest.mark.parametrize(
    ("bases", "expected"),
    [
        ("ATGAAATAG", 9),
        ("CCATGAAATAGATG", 9),
        ("CTATTTCAT", 9),  # the same on the other strand
        ("ATGATGTGA", 9),  # from the first start
        ("ATGAAACC", 6),  # runs off the end
        ("AUGAAAUAG", 9),
        ("CCC", 0),
        ("", 0),
    ],
)
def test_longest_open_reading_frame(bases, expected):
    assert longest_orf(bases) == expected


@given(
    samples=sequences,
    held_out=sequences,
    training=st.text("ACGTN\n", max_size=120),
    cuts=st.lists(st.integers(0, 120), max_size=5),
    shared=st.integers(0, 100),
    block=st.sampled_from([1, 1 << 20]),
)
def test_copying_equals_plain_sets(samples, held_out, training, cuts, shared, block):
    """However the training data are cut into blocks, and with copies on both strands."""
    training += "".join(samples)[:shared] + "\n"
    training += "".join(held_out)[:shared].translate(COMPLEMENT)[::-1]
    places = [0, *sorted(min(cut, len(training)) for cut in cuts), len(training)]
    blocks = [training[a:b] for a, b in pairwise(places)]

    with patch.object(composition, "_BLOCK", block):
        report = copy_report(samples, held_out, blocks)

    turned = training.translate(COMPLEMENT)[::-1]
    for k in (12, 16, 20, 24):
        known = plain_kmers([training, turned], k)
        for name, texts in (("samples", samples), ("held-out", held_out)):
            counts = plain_kmers(texts, k)
            share = sum(n for kmer, n in counts.items() if kmer in known)
            expected = pytest.approx(share / counts.total()) if counts else None
            assert report[f"{k}-mers found in training"][name] == expected
    for name, texts in (("samples", samples), ("held-out", held_out)):
        expected = (
            plain_longest(texts, training) if any(set("ACGT") & set(t) for t in texts) else None
        )
        assert report["longest exact match"][name] == expected


def test_long_copies_are_found_across_many_blocks(random_bases):
    training, new = random_bases(200_000), random_bases(1_000)
    turned = training[100_000:103_000].translate(COMPLEMENT)[::-1]
    blocks = [training[i : i + 7_001] for i in range(0, len(training), 7_001)]

    report = copy_report([new, random_bases(2_000) + turned], [new], blocks)

    assert 3_000 <= report["longest exact match"]["samples"] < 3_010
    assert report["longest exact match"]["held-out"] == plain_longest([new], training)
    assert report["24-mers found in training"]["held-out"] == 0
    assert report["24-mers found in training"]["samples"] == (3_000 - 23) / (1_000 + 5_000 - 46)


def test_a_low_complexity_sample_is_searched_quickly():
    """Every place of the training data then looks like the beginning of a match."""
    report = copy_report(["A" * 5_000 + "CA" * 2_000], [], ["A" * 100_000 + "G", "AC" * 50_000])

    assert report["longest exact match"] == {"samples": 5_000, "held-out": None}


def test_the_report_has_a_row_a_measure_and_survives_json(random_bases):
    samples, held_out = ([random_bases(500) for _ in range(6)] for _ in range(2))

    report = composition_report(samples, held_out)

    assert all(set(row) == {"samples", "held-out"} for row in report.values())
    assert json.loads(json.dumps(report)) == report
    assert report["GC content"]["samples"] == gc_content(samples)
    for k in range(1, 7):
        row = report[f"{k}-mer distance to held-out (bits)"]
        assert row["samples"] == pytest.approx(row["held-out"], abs=0.05)


def test_other_sequences_are_further_away_than_chance(random_bases):
    held_out = [random_bases(500) for _ in range(6)]
    report = composition_report(["AACAGA" * 80 for _ in range(6)], held_out)

    row = report["3-mer distance to held-out (bits)"]
    assert row["samples"] > 10 * row["held-out"]


@pytest.mark.parametrize("nothing", [[], [""], ["NN"]])
def test_nothing_gives_none_and_not_an_error(nothing):
    for report in (composition_report(nothing, nothing), copy_report(nothing, nothing, ["ACGT"])):
        assert all(value in (None, 0) for row in report.values() for value in row.values())
