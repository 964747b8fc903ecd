"""Pieces of coding sequence with their residues: in frame, true to the code, by gene."""

import pytest
from Bio.Seq import translate

from seqforge.domains.genome.genes.coding import LONGEST, SHORTEST, coding_examples
from seqforge.domains.genome.genes.examples import Asked
from tests.domains.genome.genes.conftest import FASTA, GFF, OFFSET


@pytest.fixture(scope="module")
def pieces(chromosome):
    assert len(chromosome), "the files are there"
    return list(coding_examples([FASTA], Asked(GFF, OFFSET)))


def test_pieces_are_in_frame_and_mean_what_the_code_says(pieces):
    assert len(pieces) > 10_000
    for one in pieces[::50]:
        assert 3 * SHORTEST <= len(one.source) <= 3 * LONGEST
        assert "".join(one.target) == translate(one.source)
    stops = sum("*" in one.target for one in pieces)
    assert stops / len(pieces) < 0.01, "a frame that is wrong has a stop in every other piece"


def test_transcripts_of_a_gene_are_of_one_group(pieces):
    """A piece that two transcripts share is never trained on and held out."""
    groups = {}
    for one in pieces:
        groups.setdefault(one.source, set()).add(one.group)
    shared = [found for found in groups.values() if len(found) > 1]
    assert len({one.group for one in pieces}) > 500
    assert len(shared) < 0.01 * len(groups), "but for genes that were doubled"


def test_pieces_are_a_function_of_the_seed(pieces):
    again = coding_examples([FASTA], Asked(GFF, OFFSET))
    assert [next(again).source for _ in range(20)] == [one.source for one in pieces[:20]]
