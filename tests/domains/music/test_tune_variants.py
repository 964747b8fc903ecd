"""Which tunes are one tune."""

from __future__ import annotations

import random
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqforge.core.config import Split
from seqforge.core.data.domain import Clusters
from seqforge.core.data.split import cut_records
from seqforge.domains.music.domain import MusicDomain
from seqforge.domains.music.keys import transposed
from seqforge.domains.music.notes import DRUMS, Note
from seqforge.domains.music.tune_variants import RUN, tune_clusters

from .conftest import few

ABC = MusicDomain(code="abc")
EVENTS = MusicDomain(code="events")


def tune(pitches: list[int], length: int = 12) -> list[Note]:
    return [Note(pitch, 80, length * i, length) for i, pitch in enumerate(pitches)]


def wander(seed: int, length: int) -> list[int]:
    rng = random.Random(seed)
    return [rng.randrange(40, 90) for _ in range(length)]


def together(*tunes: list[Note]) -> list[tuple[int, int]]:
    """The pairs that came into one cluster."""
    found = tune_clusters(tunes)
    return [(a, b) for a, b in combinations(range(len(tunes)), 2) if found[a] == found[b]]


def test_key_and_rhythm_do_not_count_and_length_hardly():
    melody = wander(1, 60)
    higher = [pitch + 5 for pitch in melody]
    assert together(tune(melody), tune(wander(2, 60)), tune(higher, 18), tune(melody[:12])) == [
        (0, 2), (0, 3), (2, 3)
    ]  # fmt: skip


def test_what_links_is_a_long_run_or_many_short_ones():
    """In tunes so long that one run is no fifth of them."""
    ours = wander(1, 400)
    for shared, linked in ((RUN, False), (RUN + 1, True)):
        theirs = wander(2, 200) + ours[100 : 100 + shared] + wander(3, 200)
        assert together(tune(ours), tune(theirs)) == [(0, 1)] * linked
    varied = list(ours)
    for place in range(7, 400, 14):  # no run of 16 is left, and many of 8
        varied[place] += 1
    assert together(tune(ours), tune(varied)) == [(0, 1)]


def test_a_cluster_goes_through_others():
    a, b, c = (wander(seed, 60) for seed in (1, 2, 3))
    assert together(tune(a + b), tune(c), tune(b + c), tune(a))[-1] == (2, 3)


def test_a_figure_said_over_and_over_links_nothing():
    ours, theirs = wander(1, 400), wander(2, 400)
    figure = [60, 64, 67, 64] * 8
    assert together(tune(ours + figure), tune(theirs + figure)) == []


def test_without_a_melody_only_what_is_the_same_is_one():
    drums = [Note(40, 80, 0, 12, DRUMS)]
    assert together([], [], drums, tune([60]), tune([62]), drums) == [(0, 1), (2, 5)]


def test_what_is_equal_is_one_however_often():
    assert len(set(tune_clusters([tune([60, 62])] * 150 + [tune([60, 61])]).tolist())) == 2
    assert len(set(tune_clusters([tune(wander(1, 50))] * 150).tolist())) == 1
    assert tune_clusters([]).tolist() == []


@few
@given(st.lists(st.lists(st.integers(0, 127), max_size=40), max_size=8))
def test_any_melodies_have_clusters_and_the_order_does_not_matter(melodies):
    forwards = together(*[tune(melody) for melody in melodies])
    backwards = together(*[tune(melody) for melody in reversed(melodies)])
    last = len(melodies) - 1
    assert sorted((last - b, last - a) for a, b in backwards) == forwards


def intervals(pitches: list[int]) -> bytes:
    return np.diff(pitches).astype(np.int8).tobytes()


@pytest.mark.parametrize(
    ("book", "last"), [("oneills1850", 800), pytest.param("", None, marks=pytest.mark.slow)]
)
def test_no_held_out_tune_of_the_books_shares_a_long_run_with_one_trained_on(book, last):
    """Counted another way: as substrings. Split by tune, a third of those held out do."""
    paths = [path for path in ABC.default_input() if book in path.parent.name]
    records = [record for path in paths for record in ABC.read(path)][-(last or 0) :]
    assert len(records) == last or last is None
    notes = [ABC.decode(record.symbols).piece.notes for record in records]
    melodies = [intervals([note.pitch for note in heard]) for heard in notes]
    found = tune_clusters(notes)

    shares = {}
    for name, cluster in (("tune", None), ("cluster", found)):
        sized = [(record, len(record.symbols)) for record in records]
        cuts = cut_records(sized, Split.parse("90/5/5"), cluster)
        trained = {
            melodies[cut.record][i : i + RUN]
            for cut in cuts["train"]
            for i in range(len(melodies[cut.record]) - RUN + 1)
        }
        held = [melodies[cut.record] for cut in cuts["valid"] + cuts["test"]]
        leaky = [m for m in held if any(m[i : i + RUN] in trained for i in range(len(m) - RUN + 1))]
        shares[name] = len(leaky) / len(held)
    assert shares["tune"] > 0.3
    assert shares["cluster"] < 0.01
    assert max(np.unique(found, return_counts=True)[1]) < 30


def test_a_tune_in_two_keys_is_one_tune_in_both_codes(corpus_files):
    assert isinstance(ABC, Clusters)
    tunes = [record.symbols for path in corpus_files[:10] for record in ABC.read(path)]
    for domain in (ABC, EVENTS):
        read = tunes if domain is ABC else [domain._events_of(abc) for abc in tunes]
        moved = [transposed(abc, 3) for abc in tunes]
        moved = moved if domain is ABC else [domain._events_of(abc) for abc in moved]
        found = domain.clusters(read + moved)
        assert found[: len(tunes)].tolist() == found[len(tunes) :].tolist()
