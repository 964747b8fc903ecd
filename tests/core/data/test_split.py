"""What is held out, and that it is cut before anything else."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from seqforge.core.config import Split
from seqforge.core.data.domain import Record
from seqforge.core.data.split import CONTEXT, cut_records, split_records
from seqforge.core.records import parse_regions
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


def test_few_records_give_their_tails_of_the_symbols_outside_gaps():
    plain = cut_records([(Record(""), 100_000)], SPLIT)
    gapped = cut_records([(Record("", gaps=((500, 600),)), 100_100)], SPLIT)

    assert spans(plain)["valid"] == [(0, 90_000, 95_000)]
    assert spans(plain)["test"] == [(0, 95_000, 100_000)]
    assert spans(gapped)["valid"] == [(0, 90_100, 95_100)]
    assert spans(gapped)["train"] == [(0, 0, 500), (0, 600, 90_100)]


def test_a_sequence_that_ends_in_n_is_split_where_it_has_bases():
    cuts = cut_records([(Record("", gaps=((20_000, 25_000),)), 25_000)], SPLIT)

    assert spans(cuts)["train"] == [(0, 0, 18_000)]
    assert spans(cuts)["valid"] == [(0, 18_000, 19_000)]
    assert spans(cuts)["test"] == [(0, 19_000, 20_000)]


@pytest.mark.parametrize("ends_at", [0.5, 0.05])
def test_another_stretch_than_the_tail_can_be_held_out(ends_at):
    cuts = split_records([(Record(""), 100_000)], SPLIT, ends_at=ends_at).cuts

    last = max(10_000, round(100_000 * ends_at))
    assert spans(cuts)["valid"] == [(0, last - 10_000, last - 5_000)]
    assert spans(cuts)["test"] == [(0, last - 5_000, last)]
    assert sum(stop - start for _, start, stop in spans(cuts)["train"]) == 90_000


def test_a_small_input_holds_out_enough_of_it_and_says_so():
    division = split_records([(Record(""), 1307)], SPLIT)

    sizes = {part: b - a for part, [(_, a, b)] in spans(division.cuts).items()}
    assert sizes["valid"] >= 100
    assert sizes["test"] >= 100
    assert sum(sizes.values()) == 1307
    assert "85/8/8 percent" in division.notes[0]


CHROMOSOMES = [
    (Record("", "chr2"), 50_000),
    (Record("", "chr4", gaps=((10_000, 11_000),)), 40_000),
    (Record("", "chrX"), 30_000),
]


def test_named_regions_are_the_test_part_and_the_rest_is_split():
    cuts = cut_records(CHROMOSOMES, SPLIT, hold_out="chrX, chr4:9001-20000")

    assert spans(cuts)["test"] == [(1, 9_000, 10_000), (1, 11_000, 20_000), (2, 0, 30_000)]
    valid = sum(stop - start for _, start, stop in spans(cuts)["valid"])
    rest = 50_000 + 29_000
    assert valid == pytest.approx(rest * 5 / 95, abs=2)
    assert (1, 0, 9_000) in spans(cuts)["train"]
    assert not {0, 1} - {number for number, _, _ in spans(cuts)["train"]}


@given(
    regions=st.lists(
        st.tuples(st.sampled_from([0, 1, 2]), st.integers(1, 20_000), st.integers(100, 9_000)),
        min_size=1, max_size=4,
    ),
    split=st.sampled_from(["90/5/5", "90/10/0"]),
)  # fmt: skip
def test_with_named_regions_too_every_base_is_in_one_part(regions, split):
    text = ",".join(f"{CHROMOSOMES[n][0].name}:{a}-{a + size}" for n, a, size in regions)
    test = {(n, i) for n, a, size in regions for i in range(a - 1, a + size)}
    test -= {(1, i) for i in range(10_000, 11_000)}
    assume(len(test) >= 100)  # fewer are refused: the rest lies in a gap

    cuts = cut_records(CHROMOSOMES, Split.parse(split), hold_out=text)

    assert {(c.record, i) for c in cuts["test"] for i in range(c.start, c.stop)} == test
    seen = sum(c.stop - c.start for found in cuts.values() for c in found)
    assert seen == 50_000 + 39_000 + 30_000


@pytest.mark.parametrize(
    ("text", "held_out"),
    [
        ("Maman, dis", [(0, 0, 3000)]),
        ("100,Maman,dis:1-200", [(0, 0, 200), (2, 0, 3000)]),
        ("Maman, dis:1-1,500", [(0, 0, 1500)]),
        ("4:900-2,000", [(1, 899, 2000)]),
        ("4:1-200,100", [(1, 0, 200), (2, 0, 3000)]),
        ("4:1,001-2,000, 4:2,500-", [(1, 1000, 2000), (1, 2499, 3000)]),
    ],
)
def test_a_comma_may_stand_in_a_name_and_in_a_number(text, held_out):
    parse_regions(text)
    records = [(Record("A" * 3000, name), 3000) for name in ("Maman, dis", "4", "100", "c")]

    assert spans(cut_records(records, SPLIT, hold_out=text))["test"] == held_out


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("chrY", "there is no record 'chrY'; did you mean chrX"),
        ("plasmid", "there is no record 'plasmid'; there are chr2, chr4, chrX"),
        ("chrX:1-30001", "chrX has 30,000 symbols"),
        ("chrX:1-50", "leaves 50 symbols for test"),
        ("chr2,chr4,chrX", "leaves 0 symbols for train"),
    ],
)
def test_regions_that_cannot_be_held_out_are_named(text, said):
    with pytest.raises(InputError, match=said):
        cut_records(CHROMOSOMES, SPLIT, hold_out=text)


CONTIGS = [
    (Record("", name="NC_1.1", group="in/a.fa#1"), 20_000),
    (Record("", name="NC_2.1", group="in/a.fa#2"), 20_000),
    (Record("", name="chrM", group="in/b.fa#1"), 20_000),
]


@pytest.mark.parametrize("name", ["a.fa", "in/a.fa"])
def test_a_file_name_holds_out_all_contigs_of_the_file(name):
    held = spans(cut_records(CONTIGS, SPLIT, hold_out=name))["test"]
    assert held == [(0, 0, 20_000), (1, 0, 20_000)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("NC_2", "did you mean NC_2.1"),
        ("c.fa", "did you mean [ab].fa"),
        ("plasmid", "there are NC_1.1, NC_2.1, chrM, a.fa, b.fa$"),
    ],
)
def test_what_is_not_there_is_answered_with_what_could_be_meant(text, said):
    with pytest.raises(InputError, match=said):
        cut_records(CONTIGS, SPLIT, hold_out=text)


@pytest.mark.parametrize("text", ["chrX:0-5", "chrX:9-5", "chrX,,chr2", ""])
def test_regions_that_are_none_are_refused_before_anything_is_read(text):
    with pytest.raises(ValueError, match=r"from 1|empty"):
        parse_regions(text)


def test_a_name_that_looks_like_a_range_is_a_name_first():
    records = [(Record("", "chr1:1-5000"), 5_000), (Record("", "chr2"), 20_000)]
    assert spans(cut_records(records, SPLIT, hold_out="chr1:1-5000"))["test"] == [(0, 0, 5_000)]


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
    with pytest.raises(InputError, match=r"15 for valid.* give 404 symbols or more"):
        cut_records([(Record(""), 300)], SPLIT)
