"""The proteins of the fly that all of these tests read."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def fly_proteins(shared_data: Path) -> Path:
    """1,117 proteins of D. melanogaster's chromosome 2R, isoforms among them."""
    path = shared_data / "genome" / "dm3-chr2R.2M-7M.proteins.fa.gz"
    if not path.exists():
        pytest.skip(f"{path.name} is not among the large inputs")
    return path


@pytest.fixture(scope="session")
def fly_records(fly_proteins: Path) -> list[tuple[str, str]]:
    """Their names and letters, as the file has them."""
    with gzip.open(fly_proteins, "rt", encoding="ascii") as stream:
        records = stream.read().split(">")[1:]
    return [(head.split()[0], "".join(lines)) for head, *lines in map(str.splitlines, records)]
