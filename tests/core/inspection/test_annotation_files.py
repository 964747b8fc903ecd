"""A table of annotations says what was written into it, or why it cannot be used."""

import gzip
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqforge.core.inspection.annotation_files import read_annotations, read_table
from seqforge.core.records import Record
from seqforge.domains.genome.domain import GenomeDomain
from seqforge.domains.text.domain import TextDomain
from seqforge.errors import InputError

RECORDS = [Record("abc", "one"), Record("", "none"), Record("de", "two")]


def read(folder, text, records=RECORDS):
    path = folder / "x.tsv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_table(path, records)


@pytest.mark.parametrize("packed", [False, True])
def test_columns_are_truth_values_or_numbers_by_record(tmp_path, packed):
    text = (
        "symbol\tverb\tdepth\tsure\tword\n"
        "a\t1\t0.5\ttrue\tx\n"
        "1\t0\t\tFalse\t\n"
        "c\t1\t-2e1\ttrue\t1\n"
        "d\t0\t3\t\ty\n"
        "e\t0\t1\t1\tz\n"
    )
    found = read(tmp_path, gzip.compress(text.encode()) if packed else text)
    assert list(found) == ["verb", "depth", "sure"]
    assert [part.tolist() for part in found["verb"]] == [[1, 0, 1], [], [0, 0]]
    assert {part.dtype for part in found["verb"]} == {np.dtype(bool)}
    assert [str(part.tolist()) for part in found["depth"]] == [
        "[0.5, nan, -20.0]",
        "[]",
        "[3.0, 1.0]",
    ]
    assert [str(part.tolist()) for part in found["sure"]] == [
        "[True, False, True]",
        "[]",
        "[nan, 1.0]",
    ]


@given(st.lists(st.one_of(st.none(), st.floats(-1e6, 1e6, width=32)), min_size=1, max_size=40))
def test_numbers_come_back_as_they_were_written(tmp_path_factory, values):
    written = [0.5, *values]
    text = "\n".join(["a", *("" if value is None else repr(value) for value in written)]) + "\n"
    (found,) = read(tmp_path_factory.mktemp("table"), text, [Record("x" * len(written))])["a"]
    wanted = [np.nan if value is None else value for value in written]
    np.testing.assert_array_equal(found, np.array(wanted, np.float32))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a\n1\n0\n", "x.tsv: has 2 rows below its names, and the input has 5 symbols"),
        ("a\n1\n0\n0\n1\n0\n1\n", "x.tsv: has 6 rows"),
        ("1\t2\n" * 6, "x.tsv: begins with numbers; give a first row of names"),
        ("a\ta\n" + "1\t2\n" * 5, "x.tsv: has two columns 'a'"),
        ("a\tb\n1\t2\n1\n", "x.tsv:3: has 1 cells, and the first row 2 names"),
        ("a\n1\n2\nno\n3\n4\n", "x.tsv:4: 'no' in column 'a' is no number"),
        ("a\n" + "no\n" * 5, "x.tsv: has no column of numbers"),
        ("a\n" + "\n" * 5, "x.tsv: has no column of numbers"),
    ],
)
def test_what_is_no_such_table_is_refused_with_the_reason(tmp_path, text, said):
    with pytest.raises(InputError, match=re.escape(said)):
        read(tmp_path, text)


def test_the_columns_of_a_trace_are_left_out(tmp_path):
    head = "record\tposition\tsymbol\tlikeliest_1\tprobability_1\tmine\n"
    found = read(tmp_path, head + "x\t1\t1\t0\t0.5\t2\n" * 4 + "x\t1\ta\tb\t0.5\t2\n")
    assert list(found) == ["mine"]


def test_the_ending_of_a_file_decides_who_reads_it(tmp_path):
    bed, table, other = tmp_path / "x.bed.gz", tmp_path / "x.TSV", tmp_path / "x.doc"
    bed.write_bytes(gzip.compress(b"one\t1\t3\n"))
    table.write_text("a\n" + "1\n" * 5)
    found = read_annotations(GenomeDomain(), bed, RECORDS)
    assert [part.tolist() for part in found["x"]] == [[0, 1, 1], [], [0, 0]]
    for domain in (GenomeDomain(), TextDomain()):
        assert list(read_annotations(domain, table, RECORDS)) == ["a"]
        with pytest.raises(InputError, match=r"x.doc: is not known .* one of .tsv, .tab"):
            read_annotations(domain, other, RECORDS)
    with pytest.raises(InputError, match=r"x.bed.gz: is not known"):
        read_annotations(TextDomain(), bed, RECORDS)
