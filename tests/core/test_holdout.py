"""What is held out, and that it is cut before anything else."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from seqforge.core.budget import Split
from seqforge.core.domain import Record
from seqforge.core.holdout import CONTEXT, cut_records
from seqforge.errors import InputError

SPLIT = Split.parse("90/5/5")


def spans(cuts):
    return {part: [(c.record, c.start, c.stop) for c in found] for part, found in cuts.items()}


@given(
    lengths=st.lists(st.integers(3000, 9000), min_size=1, max_size=30),
    gaps=st.lists(st.tuples(st.integers(0, 2900), st.integers(1, 90)), max_size=3),
    split=st.sampled_from(["90/5/5", "95/5/0", "80/10/10", "100/0/0"]),
)
def test_every_symbol_outside_a_gap_belongs_to_exactly_one_part(lengths, gaps, split):
    clean = []
    for start, size in sorted(gaps):
        if not clean or start > clean[-1][1]:
            clean.append((start, start + size))
    records = [(Record("", group=str(i), gaps=tuple(clean)), n) for i, n in enumerate(lengths)]

    cuts = cut_records(records, Split.parse(split))

    seen = [
        (c.record, position)
        for found in cuts.values()
        for c in found
        for position in range(c.start, c.stop)
    ]
    wanted = [
        (number, position)
        for number, length in enumerate(lengths)
        for position in range(length)
        if not any(a <= position < b for a, b in clean)
    ]
    assert sorted(seen) == wanted


def test_few_records_give_their_tails_and_a_gap_does_not_move_the_cut():
    plain = cut_records([(Record(""), 100_000)], SPLIT)
    gapped = cut_records([(Record("", gaps=((500, 600),)), 100_000)], SPLIT)

    assert spans(plain)["valid"] == spans(gapped)["valid"] == [(0, 90_000, 95_000)]
    assert spans(plain)["test"] == spans(gapped)["test"] == [(0, 95_000, 100_000)]
    assert spans(gapped)["train"] == [(0, 0, 500), (0, 600, 90_000)]


def test_a_tail_is_cut_from_each_group_and_warmed_on_what_precedes_it():
    records = [(Record("", group=g), 40_000) for g in ("book 1", "book 1", "book 2")]

    cuts = cut_records(records, SPLIT)

    assert spans(cuts)["test"] == [(1, 36_000, 40_000), (2, 38_000, 40_000)]
    assert [c.start - c.context_from for c in cuts["test"]] == [CONTEXT, CONTEXT]
    assert [c.ends for c in cuts["valid"]] == [False, False]


def test_many_records_are_held_out_whole_and_always_the_same():
    records = [(Record("", group="tunes"), 200)] * 400

    cuts = cut_records(records, SPLIT)

    assert [len(cuts[part]) for part in ("train", "valid", "test")] == [360, 20, 20]
    assert all(c.stop - c.start == 200 for found in cuts.values() for c in found)
    assert spans(cuts) == spans(cut_records(records, SPLIT))
    held = {c.record for c in cuts["valid"]}
    assert held != set(range(360, 380)), "whole records are dealt out, not taken from the end"


@given(
    cluster=st.lists(st.integers(0, 200), min_size=300, max_size=400),
    split=st.sampled_from(["50/25/25", "80/20/0", "100/0/0"]),
)
def test_a_cluster_is_never_parted_and_each_part_gets_its_share(cluster, split):
    records = [(Record("", group="tunes"), 200)] * len(cluster)
    wanted = Split.parse(split)

    cuts = cut_records(records, wanted, cluster)

    smallest = min(share for share in (wanted.train, wanted.valid, wanted.test) if share)
    assume(len(set(cluster)) * smallest >= 20)  # else tails, see below
    where = {(cluster[c.record], part) for part, found in cuts.items() for c in found}
    assert len(where) == len({number for number, _ in where})
    sizes = [sum(c.stop - c.start for c in cuts[part]) for part in ("train", "valid", "test")]
    shares = [size / 200 / len(cluster) for size in sizes]
    assert shares == pytest.approx([wanted.train, wanted.valid, wanted.test], abs=0.02)


def test_clusters_of_one_are_dealt_like_records_whatever_their_numbers():
    records = [(Record("", group="tunes"), 200)] * 400
    assert cut_records(records, SPLIT, [7 * n for n in range(400)]) == cut_records(records, SPLIT)


def test_a_cluster_that_a_held_out_part_has_no_room_for_is_trained_on():
    records = [(Record("", group="tunes"), 200)] * 1000
    cluster = [0] * 60 + list(range(1, 941))

    cuts = cut_records(records, SPLIT, cluster)

    assert [len(cuts[part]) for part in ("train", "valid", "test")] == [900, 50, 50]
    assert {c.record for c in cuts["train"]} >= set(range(60))


def test_few_clusters_are_put_together_before_tails_are_cut():
    """Ten variants of each of ten tunes: a cut divides one tune, not all."""
    records = [(Record("", group="tunes"), 200)] * 100
    cluster = [n % 10 for n in range(100)]

    cuts = cut_records(records, SPLIT, cluster)

    assert {cluster[c.record] for c in cuts["valid"] + cuts["test"]} == {9}
    assert {cluster[c.record] for c in cuts["train"]} == set(range(9))


def with_copies(originals, copies):
    """Each record followed by copies of it, which are longer."""
    return [
        (Record("", group="tunes", augmented=bool(copy)), 200 + copy)
        for _ in range(originals)
        for copy in range(copies + 1)
    ]


@pytest.mark.parametrize("copies", [1, 3])
def test_copies_follow_their_original_and_are_never_held_out(copies):
    alone, with_them = (
        cut_records(with_copies(400, 0), SPLIT),
        cut_records(with_copies(400, copies), SPLIT),
    )

    each = copies + 1
    for part in ("valid", "test"):
        assert [c.record for c in with_them[part]] == [each * c.record for c in alone[part]]
    assert [c.record for c in with_them["train"]] == [
        each * c.record + copy for copy in range(each) for c in alone["train"]
    ]  # a copy does not follow its original, whose state is carried over


def test_where_tails_are_cut_only_what_is_trained_on_whole_has_copies():
    cuts = cut_records(with_copies(10, 1), Split.parse("75/25/0"))

    assert [c.record for c in cuts["train"]] == [*range(0, 16, 2), *range(1, 14, 2)]
    assert cuts["train"][7].stop == 100
    assert [c.record for c in cuts["valid"]] == [14, 16, 18]


def test_an_input_too_small_says_how_much_is_needed():
    with pytest.raises(InputError, match=r"50 for valid.* give 2,000 symbols or more"):
        cut_records([(Record(""), 1000)], SPLIT)
