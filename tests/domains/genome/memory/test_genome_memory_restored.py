"""What a file says of a genome's memory is not believed where it would lead outside of an array."""

import numpy as np
import pytest

from seqforge.domains.genome.memory.genome_memory import GenomeMemory
from tests.core.memory import laws

from .test_genome_memory import SIZE, SYMBOLS, genome, make


@pytest.fixture(scope="module")
def saved():
    memory, ids = make(), genome()
    memory.learn(ids[:400])
    memory.score(ids[400:], laws.network_of(ids[400:], SIZE))
    return {name: np.array(array) for name, array in memory.to_arrays().items()}


def test_what_was_saved_comes_back(saved):
    again = GenomeMemory.saved(SYMBOLS, saved).to_arrays()
    for name, array in again.items():
        if not name.startswith(("row.", "alphabet.last")):
            np.testing.assert_array_equal(array, saved[name], name)
    assert (again["row.places"] == -1).all()
    assert again["alphabet.last"][0] == 0


def put(value):
    """Puts a value at the first place of an array."""

    def changed(array):
        other = np.array(array)
        other.ravel()[:1] = value
        return other

    return changed


def cut(array):
    return np.ascontiguousarray(array[..., :-1])


BAD = [
    ("bases", put(7)), ("bases", lambda array: array[:9]),
    *((f"counts.{name}", put(99)) for name in ("orders", "begins", "bits", "zone_bits", "masks",
                                               "spans", "seeds", "zone_begins")),
    *((f"counts.{name}", cut) for name in ("direct", "zoned", "slots", "heads", "bits")),
    ("counts.slots", lambda array: array.astype(np.uint64)),
    ("counts.shift", lambda array: array - 1), ("counts.head_shift", lambda array: array * 0),
    ("counts.bits", lambda array: array[0]),
    *((f"learnt.{name}", put(np.nan)) for name in ("ranks", "hits", "fast")),
    *((f"learnt.{name}", cut) for name in ("ranks", "hits", "fast", "rank_counts", "fast_bits")),
    ("learnt.hits", put(1.0)), ("learnt.fast_bits", put(40)), ("learnt.fast_rates", put(9.0)),
    ("mixer.begins", put(10**6)), ("mixer.weights", put(np.inf)), ("mixer.weights", cut),
    ("mixer.visits", cut), ("mixer.final", put(np.nan)),
    ("alphabet.bases", put(3)), ("alphabet.kinds", put(50)), ("alphabet.changes", put(-1.0)),
]  # fmt: skip


@pytest.mark.parametrize("place", range(len(BAD)), ids=[f"{n}-{i}" for i, (n, _) in enumerate(BAD)])
def test_what_does_not_fit_is_refused(saved, place):
    name, change = BAD[place]
    with pytest.raises((ValueError, AttributeError)):
        GenomeMemory.saved(SYMBOLS, saved | {name: change(saved[name])})


def test_another_vocabulary_is_refused(saved):
    with pytest.raises(ValueError, match="are others"):
        GenomeMemory.saved("ACGT", saved)
