"""A small invertebrate division with known content, and queries whose answers are known."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

from tests.ebi_double.searching import Engine, engine_for

CHROMOSOME = "EM_INV:AE014296 AE014296.5 Drosophila melanogaster chromosome 3L"
CLONE = "EM_INV:AL138972 AL138972.1 Drosophila melanogaster BAC clone BACR25B3"
_COMPLEMENT = str.maketrans("ACGT", "TGCA")


@dataclass(frozen=True)
class SmallDivision:
    """The library's file and engine, and queries by what they are to show."""

    path: Path
    engine: Engine
    queries: dict[str, str]
    """exact, mutated, minus, several (three HSPs in one hit), masked (DUST), none."""


def small_division(folder: Path) -> SmallDivision:
    """Write the library (100 kb, always the same) and build its engine."""
    rng = random.Random(17)
    chromosome, clone = _random(rng, 60_000), _random(rng, 40_000)
    element = _random(rng, 150)
    for place in (5_000, 21_000, 42_000):
        copy = _mutated(rng, element, 0.04 if place > 5_000 else 0.0)
        chromosome = chromosome[:place] + copy + chromosome[place + len(copy) :]
    path = folder / "division.fa"
    with path.open("w", encoding="ascii") as stream:
        for title, bases in ((CHROMOSOME, chromosome), (CLONE, clone)):
            stream.write(f">{title}\n")
            stream.writelines(bases[at : at + 60] + "\n" for at in range(0, len(bases), 60))
    queries = {
        "exact": chromosome[10_000:10_200],
        "mutated": _mutated(rng, clone[7_000:7_300], 0.08),
        "minus": clone[30_000:30_180].translate(_COMPLEMENT)[::-1],
        "several": element,
        "masked": "CA" * 60 + "T" * 40,
        "none": "ACGTAC",  # too short for an E-value of 10
    }
    return SmallDivision(path, engine_for(path), queries)


def small_swiss_prot(folder: Path) -> SmallDivision:
    """Write forty proteins (always the same) and build the engine of their library."""
    rng, residues = random.Random(19), "ACDEFGHIKLMNPQRSTVWY"
    proteins = [_random(rng, rng.randrange(80, 500), residues) for _ in range(40)]
    path = folder / "proteins.fa"
    with path.open("w", encoding="ascii") as stream:
        for number, protein in enumerate(proteins):
            stream.write(f">SP:P{number:02}_DROME Protein {number} OS=Drosophila melanogaster\n")
            stream.write(f"{protein}\n")
    queries = {
        "exact": proteins[3][10:70],
        "mutated": _mutated(rng, proteins[7], 0.4, residues),
        "none": "MKV",  # too short for an E-value of 10
    }
    return SmallDivision(path, engine_for(path, "protein"), queries)


def _random(rng: random.Random, length: int, letters: str = "ACGT") -> str:
    return "".join(rng.choices(letters, k=length))


def _mutated(rng: random.Random, sequence: str, rate: float, letters: str = "ACGT") -> str:
    """Replaced letters only, so that places stay what they were."""
    return "".join(
        rng.choice(letters.replace(letter, "")) if rng.random() < rate else letter
        for letter in sequence
    )
