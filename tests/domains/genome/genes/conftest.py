"""Five megabases of a fly's chromosome and the transcripts that lie on them."""

import pytest

from seqforge.domains.genome.fasta import read_sequences
from seqforge.domains.genome.genes.transcripts import read_transcripts
from seqforge.domains.genome.nucleotides import base_codes
from tests.conftest import SHARED, missing

FASTA = SHARED / "data" / "genome" / "dm3-chr2R.fa.gz"
GFF = SHARED / "data" / "genome" / "dm3-chr2R.2M-7M.cds.gff.gz"
OFFSET = 2_000_000
"""What its coordinates lack."""


@pytest.fixture(scope="session")
def chromosome():
    """Codes of its bases."""
    if not FASTA.exists() or not GFF.exists():
        missing(str(GFF))
    return base_codes(next(iter(read_sequences(FASTA))).symbols)


@pytest.fixture(scope="session")
def annotation(chromosome):
    return read_transcripts(GFF, {"chr2R": chromosome}, OFFSET)
