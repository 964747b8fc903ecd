"""Names with blanks and breaks stay in their cells; the other strand lies at its own bases."""

import io

import numpy as np

from seqforge.core.data.vocabulary import Vocabulary
from seqforge.core.inspection.exports import mirrored, turned_back, write_bedgraph, write_trace
from seqforge.core.inspection.stretches import stretches
from seqforge.core.inspection.trace import trace
from seqforge.core.records import Record
from seqforge.core.sampling.engine import KernelEngine
from tests.core.sampling.tiny import checkpoint

RECORDS = [Record("a\tb\nc", "one\ttwo\nthree"), Record("", "empty"), Record("cba")]
SYMBOLS = tuple("abc\t\n\u202e")


def test_every_symbol_has_a_line_of_as_many_cells():
    model = checkpoint(symbols=SYMBOLS)
    parts = stretches(RECORDS, model.card.vocabulary)
    found = trace(KernelEngine.of(model), [part.ids for part in parts], "lstm")
    stream = io.BytesIO()

    write_trace(stream, found, model.card.vocabulary, RECORDS, parts)

    rows = [line.split("\t") for line in stream.getvalue().decode().removesuffix("\n").split("\n")]
    assert len(rows) == 1 + 5 + 3
    assert {len(row) for row in rows} == {15}
    assert [row[1] for row in rows[1:]] == ["1", "2", "3", "4", "5", "1", "2", "3"]
    assert {row[0] for row in rows[1:]} == {"one\\ttwo\\nthree", "3"}
    assert [row[2] for row in rows[1:]] == ["a", "\\t", "b", "\\n", "c", "c", "b", "a"]


def test_the_other_strand_is_read_from_its_own_end():
    acgt = Vocabulary(tuple("ACGT"))
    parts = stretches([Record("AACNGT"), Record("T")], acgt)
    partners = np.array([0, 4, 3, 2, 1])

    others = mirrored(parts, partners)

    assert [acgt.decode(ids) for ids in others] == ["GTT", "AC", "A"]
    bits = np.arange(6, dtype=np.float32)
    np.testing.assert_array_equal(turned_back(bits, parts), [2, 1, 0, 4, 3, 5])


def test_a_contig_has_no_blanks_in_its_name():
    acgt, stream = Vocabulary(tuple("ACGT")), io.BytesIO()
    records = [Record("NAC", "chr 2 of it"), Record("G")]

    write_bedgraph(stream, np.ones(3, np.float32), "forward", records, stretches(records, acgt))

    assert stream.getvalue().decode().splitlines()[1:] == [
        "chr\t1\t2\t1.000", "chr\t2\t3\t1.000", "sequence\t0\t1\t1.000",
    ]  # fmt: skip
