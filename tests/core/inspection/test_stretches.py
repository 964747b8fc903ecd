"""What a network can read of records, and the places of annotations in it."""

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from seqforge.core.data.vocabulary import Vocabulary
from seqforge.core.inspection.stretches import annotations_at, annotations_of, limited, stretches
from seqforge.core.records import Record

ACGT = Vocabulary(tuple("ACGT"))


@given(texts=st.lists(st.text("ACGTNx", max_size=40), max_size=4))
def test_all_that_is_known_is_read_and_nothing_else(texts):
    records = [Record(text) for text in texts]

    found = stretches(records, ACGT)

    for part in found:
        assert ACGT.decode(part.ids) == texts[part.record][part.start : part.stop]
    places = {(p.record, i) for p in found for i in range(p.start, p.stop)}
    wanted = {(r, i) for r, text in enumerate(texts) for i, s in enumerate(text) if s in "ACGT"}
    assert places == wanted
    assert all(a.record < b.record or a.stop < b.start for a, b in pairwise(found))


def test_gaps_part_a_record_and_the_unknown_symbol_stands_for_others():
    record = Record("AC--GxT", gaps=((2, 4),))

    assert [(p.start, p.stop) for p in stretches([record], ACGT)] == [(0, 2), (4, 5), (6, 7)]
    some = Vocabulary((*"ACGT", "�"), unknown=True)
    assert [(p.start, p.stop) for p in stretches([record], some)] == [(0, 2), (4, 7)]


def test_the_first_symbols_are_taken_without_augmented_copies():
    records = [Record("AAAA", gaps=((1, 2),)), Record("CC", augmented=True), Record(""),
               Record("GGGG", gaps=((1, 3), (3, 4))), Record("T")]  # fmt: skip

    found = list(limited(records, 6))

    assert [record.symbols for record in found] == ["AAAA", "GG"]
    assert [record.gaps for record in found] == [((1, 2),), ((1, 2),)]
    assert list(limited(records, 0)) == []


class Says:
    """A domain that says which symbols are A, and where symbols are in longer records."""

    def annotate(self, symbols):
        found = {
            "is A": np.array([s == "A" for s in symbols], bool),
            "same": np.zeros(len(symbols)),
        }
        if len(symbols) > 2:
            found["place"] = np.arange(len(symbols), dtype=float)
        return found


def test_annotations_stand_where_their_symbols_do():
    records = [Record("ANNCA"), Record("GA")]
    parts = stretches(records, ACGT)

    found = {one.name: one for one in annotations_at(annotations_of(Says(), records), parts)}

    assert set(found) == {"is A", "place"}
    assert found["is A"].measure == "auc"
    np.testing.assert_array_equal(found["is A"].values, [1, 0, 1, 0, 1])
    assert found["place"].measure == "r"
    np.testing.assert_array_equal(found["place"].values, [0, 3, 4, np.nan, np.nan])
    assert annotations_of(object(), records) == {}


def test_what_holds_or_does_not_is_truth_though_some_is_unknown():
    records = [Record("ACG"), Record("TT")]
    tracks = {
        "half": [np.array([1, np.nan, 0], np.float32), np.array([True, False])],
        "count": [np.array([1, np.nan, 0], np.float32), np.array([0, 2], np.float32)],
    }

    found = annotations_at(tracks, stretches(records, ACGT))

    assert [(one.name, one.measure) for one in found] == [("half", "auc"), ("count", "r")]
    np.testing.assert_array_equal(found[0].values, [1, np.nan, 0, 1, 0])
