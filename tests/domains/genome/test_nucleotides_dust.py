"""Low-complexity masking against NCBI's own dustmasker."""

from __future__ import annotations

import gzip
import subprocess

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seqforge.domains.genome.nucleotides import dust_intervals
from seqforge.domains.genome.similarity.kinds import kind_of
from tests.conftest import ROOT
from tests.steps import growth, steps


@pytest.fixture(scope="module")
def dustmasker(require_program):
    """Intervals of several sequences, stops excluded, by the program."""
    program = require_program("dustmasker")

    def mask(sequences):
        told = subprocess.run(
            [program, "-outfmt", "interval"],
            input="".join(f">{i}\n{bases}\n" for i, bases in enumerate(sequences)),
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        found = []
        for line in told.stdout.splitlines():
            if line.startswith(">"):
                found.append([])
            else:
                first, last = map(int, line.split(" - "))
                found[-1].append((first, last + 1))
        return found

    return mask


bases = st.text("ACGT", max_size=40)
repeats = st.builds(lambda unit, times: unit * times, st.text("ACGT", min_size=1, max_size=6),
                    st.integers(1, 40))  # fmt: skip
skewed = st.text("AAAAAAAACCT", max_size=90)
sequences = st.lists(st.one_of(bases, repeats, skewed), min_size=1, max_size=5).map("".join)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(batch=st.lists(sequences.filter(len), min_size=1, max_size=40))
def test_intervals_are_dustmaskers_on_anything(dustmasker, batch):
    assert [dust_intervals(sequence) for sequence in batch] == dustmasker(batch)


def test_intervals_are_dustmaskers_on_random_sequence(dustmasker, rng, random_bases):
    batch = [random_bases(rng.randrange(1, 3000)) for _ in range(100)]
    found = [dust_intervals(sequence) for sequence in batch]

    assert found == dustmasker(batch)
    assert sum(map(len, found)) > 10


def test_intervals_are_dustmaskers_on_the_fly(dustmasker):
    """The slice that ships, whole: longer than the pieces that are looked at together."""
    with gzip.open(ROOT / "data" / "dm3-chr2R-slice.fa.gz", "rt", encoding="ascii") as stream:
        slice_ = "".join(line.strip() for line in stream if not line.startswith(">"))

    found = dust_intervals(slice_)

    assert len(slice_) > 1 << 18
    assert len(found) > 500
    assert found == dustmasker([slice_])[0]


@pytest.mark.parametrize("name", ["ecoli-536", "yeast-chrI", "dm3-chr2R"])
def test_intervals_are_dustmaskers_on_genomes(dustmasker, shared_data, name):
    """A million bases, half masked in lower case."""
    path = shared_data / "genome" / f"{name}.fa.gz"
    if not path.exists():
        pytest.skip(f"{path.name} is not among the large inputs")
    with gzip.open(path, "rt", encoding="ascii") as stream:
        next(stream)
        genome = stream.read(1_000_000).split(">")[0].replace("\n", "")

    assert dust_intervals(genome) == dustmasker([genome])[0]


def test_what_is_low_complexity():
    assert dust_intervals("ACGTTGCG" + "CA" * 30 + "TTGCAGCTGA") == [(8, 68)]
    assert dust_intervals("a" * 20) == dust_intervals("U" * 20) == [(0, 20)]
    assert dust_intervals("ACGATCGTTAGC") == []
    masked_fraction = kind_of("dna").low_share
    assert masked_fraction("A" * 20 + "ACGTCCGATTGACGTAGCCT") == pytest.approx(21 / 40)
    assert [masked_fraction(short) for short in ("", "A", "AAAAA")] == [0, 0, 0]


def test_a_letter_that_is_no_base_ends_what_is_looked_at():
    assert dust_intervals("N" * 100) == []
    assert dust_intervals("CA" * 12 + "NNN" + "CA" * 12) == [(0, 24), (27, 51)]
    assert dust_intervals("CACACACACA" + "N" + "CACACACACA") == []
    assert dust_intervals("CACACACACA" + "CACACACACA") == [(0, 20)]


@pytest.mark.parametrize("unit", ["", "A", "CA", "ACGTTGCA"])
def test_it_is_quick_enough_to_be_always_shown(random_bases, unit):
    """Counted: so many steps a base, whatever the sequence and however long."""
    sequence = random_bases(2000) if not unit else unit * (2000 // len(unit))

    assert growth(lambda length: dust_intervals(sequence[:length]), 500) < 1.3
    assert steps(lambda: dust_intervals(sequence[:1000])) < 200 * 1000
