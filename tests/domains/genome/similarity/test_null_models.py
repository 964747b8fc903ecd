"""Shuffles that keep k-mers: exactly, and evenly over all that there are."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqforge.domains.genome.similarity.null_models import shuffled
from tests.steps import growth, steps


def kmers(sequence, k):
    return Counter(sequence[i : i + k] for i in range(len(sequence) - k + 1))


@given(
    sequence=st.text("ACGTN", max_size=80) | st.text(max_size=30),
    k=st.integers(1, 5),
    seed=st.integers(0, 9),
)
def test_every_kmer_up_to_k_is_kept_with_the_ends(sequence, k, seed):
    other = shuffled(sequence, seed, k)

    for size in range(1, k + 1):
        assert kmers(other, size) == kmers(sequence, size)
    if k > 1:
        assert other[: k - 1] == sequence[: k - 1]
        assert other[len(other) - k + 1 :] == sequence[len(sequence) - k + 1 :]


@pytest.mark.parametrize(
    ("sequence", "k"),
    [
        ("AACATGTA", 1),
        ("AACATGTAC", 2),  # ends elsewhere than it begins
        ("ACGACTAGA", 2),  # a circuit
        ("AAACAAGAC", 2),  # loops and parallel edges
        ("ACACACATCT", 2),  # parallel edges make some trees likelier than others
        ("ABBABAABABBAAB", 3),
    ],
)
def test_all_sequences_with_the_same_kmers_are_equally_likely(sequence, k):
    """Chi-squared against even chances over all of them, found by trying every permutation."""
    wanted = [kmers(sequence, size) for size in range(1, k + 1)]
    every = {
        candidate
        for candidate in _arrangements(sequence)
        if wanted == [kmers(candidate, size) for size in range(1, k + 1)]
    }
    assert len(every) > 4
    draws = min(150 * len(every), 20_000)

    drawn = Counter(shuffled(sequence, (1, number), k) for number in range(draws))

    assert set(drawn) <= every
    expected = draws / len(every)
    chi_squared = sum((drawn[c] - expected) ** 2 / expected for c in every)
    freedom = len(every) - 1
    # Its mean is the degrees of freedom, its variance twice that: four standard deviations.
    assert chi_squared < freedom + 4 * (2 * freedom) ** 0.5


def _arrangements(sequence):
    """Every order of the letters, once."""
    letters = Counter(sequence)

    def grow(so_far):
        if len(so_far) == len(sequence):
            yield so_far
        for letter in letters:
            if letters[letter]:
                letters[letter] -= 1
                yield from grow(so_far + letter)
                letters[letter] += 1

    yield from grow("")


def test_a_seed_decides_the_sequence():
    sequence = "ACGTTGCAACGGT" * 20

    assert shuffled(sequence, 3) == shuffled(sequence, 3)
    assert shuffled(sequence, (3, 1)) == shuffled(sequence, (3, 1))
    assert len({shuffled(sequence, seed) for seed in range(20)}) == 20


def test_a_shuffle_shares_no_long_stretch_with_what_it_was_made_of(random_bases):
    sequence = random_bases(2000)
    other = shuffled(sequence, 0)

    assert not any(other[i : i + 25] in sequence for i in range(len(other) - 24))


def test_a_base_takes_a_few_steps_however_many_there_are(random_bases):
    sequence = random_bases(20_000)

    assert growth(lambda length: shuffled(sequence[:length], 0), 5_000) < 1.1
    assert steps(lambda: shuffled(sequence[:10_000], 0)) < 20 * 10_000


@pytest.mark.parametrize("k", [0, 13])
def test_a_k_that_makes_no_sense_is_refused(k):
    with pytest.raises(ValueError, match=f"k must be 1 to 12, not {k}"):
        shuffled("ACGT", 0, k)
