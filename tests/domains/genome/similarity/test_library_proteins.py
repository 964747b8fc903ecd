"""FASTA of proteins, as queries for a service that knows them."""

import pytest

from seqforge.domains.genome.similarity.library import read_queries
from seqforge.errors import InputError

FASTA = ">p one\nMKL\nVT*\n\n>q\nmst\n"


@pytest.mark.parametrize(
    "before", ["", "\n", "  \n\n", "\ufeff", "\ufeff\n", "; a comment\n", "# x\n\n"]
)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_what_stands_before_the_first_record_does_not_matter(tmp_path, before, end):
    path = tmp_path / "p.fa"
    path.write_bytes((before + FASTA).replace("\n", end).encode())
    found = [(query.id, query.bases) for query in read_queries([path], "protein")]
    assert found == [("p", "MKLVT"), ("q", "MST")]


def test_what_is_no_fasta_is_one_sentence(tmp_path):
    path = tmp_path / "p.fa"
    for content in ("MKLV\n", "\n\nMKL\n>x\nA\n"):
        path.write_text(content)
        with pytest.raises(InputError, match="it begins with 'MKL"):
            list(read_queries([path], "protein"))
