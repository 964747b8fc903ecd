"""Sequences and libraries that the genome tests share."""

from __future__ import annotations

import gzip
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.ebi_double import Clock, EbiDouble
from tests.ebi_double.library import SmallDivision, small_division, small_swiss_prot


@pytest.fixture(scope="session")
def chr2r(shared_data: Path) -> str:
    """The first two million bases of D. melanogaster chr2R; there is no N in them."""
    path = shared_data / "genome" / "dm3-chr2R.fa.gz"
    if not path.exists():
        pytest.skip(f"{path.name} is not among the large inputs")
    with gzip.open(path, "rt", encoding="ascii") as stream:
        next(stream)
        return stream.read(2_100_000).replace("\n", "")[:2_000_000].upper()


@pytest.fixture
def fasta(tmp_path: Path) -> Callable[..., Path]:
    """Writes sequences, named s1, s2, ..., into a FASTA file."""

    def write(*sequences: str, name: str = "library.fa") -> Path:
        path = tmp_path / name
        records = (f">s{i} sequence {i}\n{bases}\n" for i, bases in enumerate(sequences, 1))
        path.write_text("".join(records), encoding="ascii")
        return path

    return write


@pytest.fixture
def rng() -> random.Random:
    return random.Random(7)


@pytest.fixture
def random_bases(rng: random.Random) -> Callable[[int], str]:
    return lambda length: "".join(rng.choices("ACGT", k=length))


@pytest.fixture
def mutated(rng: random.Random) -> Callable[[str, float], str]:
    """Replaces, drops or doubles bases at a rate; eight of ten changes replace."""

    def mutate(bases: str, rate: float) -> str:
        changed = []
        for base in bases:
            if rng.random() >= rate:
                changed.append(base)
            else:
                others = [other for other in "ACGT" if other != base]
                changed.append(rng.choice([*rng.choices(others, k=8), "", base + base]))
        return "".join(changed)

    return mutate


@pytest.fixture(scope="session")
def division(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallDivision]:
    """A small library behind the double of EBI's service, and queries with known answers."""
    made = small_division(tmp_path_factory.mktemp("division"))
    yield made
    made.engine.close()


@pytest.fixture(scope="session")
def swiss_prot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallDivision]:
    """The same of proteins."""
    made = small_swiss_prot(tmp_path_factory.mktemp("swiss-prot"))
    yield made
    made.engine.close()


@pytest.fixture
def clock() -> Clock:
    """Time that passes only when somebody sleeps."""
    return Clock()


@pytest.fixture
def double(division: SmallDivision, clock: Clock) -> Iterator[EbiDouble]:
    """The service, whose jobs are done at the first question."""
    with EbiDouble(division.engine, clock=clock) as running:
        yield running


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
