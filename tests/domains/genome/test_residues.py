"""Low complexity beside segmasker's, clusters of isoforms, and measures of proteins."""

from __future__ import annotations

import subprocess

import numpy as np
import pytest

from seqforge.domains.genome.protein_clusters import cluster_numbers
from seqforge.domains.genome.protein_composition import (
    Proteins,
    composition_report,
    copied_proteins,
    word_frequencies,
)
from seqforge.domains.genome.residues import RESIDUES, low_complexity, window_entropies


def test_low_complexity_holds_all_that_segmasker_masks(require_program, fly_records, tmp_path):
    """Its last step trims a stretch, so ours are a little longer: 11 % and 8 % of residues here."""
    program, path = require_program("segmasker"), tmp_path / "p.fa"
    some = fly_records[:200]
    path.write_text("".join(f">{n}\n{letters}\n" for n, (_, letters) in enumerate(some)))
    told = subprocess.run(
        [program, "-in", path, "-outfmt", "fasta"], check=True, capture_output=True, text=True
    )
    theirs, ours, outside = 0, 0, 0
    for record, (_, letters) in zip(told.stdout.split(">")[1:], some, strict=True):
        shown = "".join(record.splitlines()[1:])
        masked = np.array([letter.islower() for letter in shown])
        mask = low_complexity(letters)
        theirs, ours = theirs + int(masked.sum()), ours + int(mask.sum())
        outside += int((masked & ~mask).sum())
    assert theirs > 5_000
    assert outside == 0
    assert ours < 1.6 * theirs


def test_the_entropy_of_a_window_is_that_of_its_letters():
    codes = np.array([0] * 6 + [1] * 3 + [2] * 3 + [3], np.uint8)
    expected = [1.5, -(5 / 12 * np.log2(5 / 12) + 0.5 * np.log2(0.25) + np.log2(1 / 12) / 12)]
    assert window_entropies(codes).tolist() == pytest.approx(expected)
    assert len(window_entropies(codes[:11])) == 0


def test_isoforms_of_a_gene_are_one_cluster(fly_records):
    """Names have the gene before the hyphen: CG1765-RE."""
    numbers = cluster_numbers(letters for _, letters in fly_records)
    genes: dict[str, set[int]] = {}
    for (name, _), number in zip(fly_records, numbers.tolist(), strict=True):
        genes.setdefault(name.rpartition("-")[0], set()).add(number)
    assert sum(len(found) == 1 for found in genes.values()) > 0.97 * len(genes)
    assert 0.8 * len(genes) < len(set(numbers.tolist())) <= len(genes) + 30


def test_clusters_are_joined_through_a_third_and_repeats_join_nothing():
    rng = np.random.default_rng(3)

    def random(length):
        return "".join(rng.choice(list(RESIDUES), length))

    a, b, c, glutamines = random(200), random(200), random(200), "Q" * 300
    found = cluster_numbers([a, b, a + b, c, random(100) + glutamines, random(100) + glutamines])
    assert found.tolist() == [0, 0, 0, 3, 4, 5]
    assert cluster_numbers([]).tolist() == []
    assert cluster_numbers(["MK", "MK"]).tolist() == [0, 1], "too short to tell"


def test_measures_of_proteins():
    samples = Proteins(["MKAAAA", "KK"], ["KAAAA", "KK"])
    held_out = Proteins(["MAC"], ["MAC"])
    rows = composition_report(samples, held_out)
    assert rows["residues in a protein (mean)"] == {"samples": 4.0, "held-out": 3.0}
    assert rows["begin with M (share)"] == {"samples": 0.5, "held-out": 1.0}
    assert rows["A (share)"]["samples"] == pytest.approx(4 / 7, abs=1e-4)
    assert rows["C (share)"]["held-out"] == pytest.approx(1 / 3, abs=1e-4)
    assert rows["3-mer distance to held-out (bits)"]["samples"] is None


def test_word_frequencies_leave_out_other_letters():
    frequencies = word_frequencies(["AXCA", "CA"], 2)
    places = np.flatnonzero(frequencies).tolist()
    assert places == [RESIDUES.index("C") * 20 + RESIDUES.index("A")]
    assert frequencies[places[0]] == 1


def test_copies_are_found_across_blocks_and_not_across_records():
    training = ["MKLVWYAS", "TGHKDE\nRRRR", "PPPPPP"]
    rows = copied_proteins({"samples": ["WYASTGHKDE"], "other": ["DERRRR"], "none": []}, training)
    assert rows["6-mers found in training"] == {"samples": 1.0, "other": 0.0, "none": None}
    assert rows["longest exact match"] == {"samples": 10, "other": 4, "none": None}
