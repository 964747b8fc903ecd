"""Tables that break no word."""

import pytest

from seqforge.base.tables import aligned, wrapped

ROWS = [
    ("name", "what it is", "bits"),
    ("fly", "a genome, read from both strands", "1.9"),
    ("shakespeare", "all plays in one file", "2.06"),
]


def test_without_a_width_every_row_is_a_line():
    assert aligned(ROWS, right=[2]) == [
        "name         what it is                        bits",
        "fly          a genome, read from both strands   1.9",
        "shakespeare  all plays in one file             2.06",
    ]


def test_cells_are_wrapped_between_words_until_the_table_fits():
    assert aligned(ROWS, 35, right=[2], indent=1) == [
        " name         what it is       bits",
        " fly          a genome, read    1.9",
        "              from both",
        "              strands",
        " shakespeare  all plays in     2.06",
        "              one file",
    ]


def test_a_word_that_does_not_fit_has_a_line_of_its_own():
    rows = [("id", "hit", "where"), ("chr2R:2000001-3000000", "short", "/a/path/to/it.fasta")]
    assert aligned(rows, 20) == [
        "id  hit    where",
        "chr2R:2000001-3000000",
        "    short",
        "  /a/path/to/it.fasta",
    ]


@pytest.mark.parametrize("width", range(1, 60))
def test_no_width_breaks_a_word_or_loses_one(width):
    shown = aligned(ROWS, width)
    words = [word for row in ROWS for cell in row for word in cell.split()]
    assert sorted(" ".join(shown).split()) == sorted(words)
    assert width < 30 or max(map(len, shown)) <= width


def test_a_sentence_is_wrapped_where_there_is_a_screen():
    assert wrapped("one two three", None) == "one two three"
    assert wrapped("one two three", 8, indent=2) == "one two\n  three"
    assert aligned([]) == []
