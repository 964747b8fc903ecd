"""Samples and controls searched end to end: copies are called so, and chance is not."""

import gzip
import json
import random
import xml.etree.ElementTree as ET

import pytest

from seqforge.domains.genome.fasta import read_sequences
from seqforge.domains.genome.search import search_with_controls
from seqforge.domains.genome.similarity.backends import LocalBackend
from seqforge.domains.genome.similarity.controls import Background, Controls, HeldOut
from seqforge.domains.genome.similarity.null_models import shuffled
from seqforge.domains.genome.similarity.parameters import SearchParameters

QUICK = ["--precision", "fp32", "--lanes", "1", "--batch-size", "4", "--seq-len", "8"]
"""Options of a training that is over at once: nothing to settle by measurement."""


@pytest.fixture
def compare(tmp_path, fasta):
    """Search for samples in a library, with controls."""

    def search(samples, library, held_out=None, kinds=("shuffle", "markov"), **settings):
        against = fasta(library, name="library.fa")
        real = HeldOut.fasta(fasta(held_out, name="held.fa")) if held_out else None
        controls = Controls(
            (*kinds, "real") if real else kinds, 3, settings.pop("seed", 0),
            Background.library([against]), real,
        )  # fmt: skip
        return search_with_controls(
            [fasta(*samples, name="samples.fa")], LocalBackend([against]), tmp_path / "out",
            controls, SearchParameters(**settings),
        )  # fmt: skip

    return search


def test_copies_are_more_like_the_library_than_chance(compare, random_bases, mutated, tmp_path):
    """Pieces of the library with an eighth of the letters changed."""
    library = random_bases(40_000)
    samples = [mutated(library[i * 4000 : i * 4000 + 300], 0.12) for i in range(8)]

    found = compare(samples, library, held_out=random_bases(12_000))

    summary = found.summary()["controls"]
    assert "the samples are more like the library than chance" in summary["sentence"]
    assert set(summary["tests"]) == {"shuffle", "markov", "real"}
    for test in summary["tests"].values():
        assert test["superiority"] == 1
        assert test["p"] < 1e-4
    assert summary["copied_from"] == "the library"
    longest = summary["copying"]["longest exact match"]
    assert longest["samples"] > max(longest["shuffle"], longest["markov"], longest["real"])
    assert {path.name for path in found.files} == {
        "hits.tsv", "hits.json", "alignments.txt",
        "controls.tsv", "controls.json", "controls.fa", "controls.svg",
    }  # fmt: skip
    out = tmp_path / "out"
    assert json.loads((out / "controls.json").read_text()) == summary
    assert len((out / "controls.tsv").read_text().splitlines()) == 1 + 8 + 3 * 24
    assert len(list(read_sequences(out / "controls.fa"))) == 3 * 24
    ET.fromstring((out / "controls.svg").read_text())
    assert "(library.fa, 40,000 bases)" in found.sentence()


def test_shuffled_samples_are_called_more_like_it_no_oftener_than_the_level_says(
    compare, random_bases
):
    """30 times six samples that are shuffles of the library itself: alarms at p = 0.05."""
    rng = random.Random(5)
    library = random_bases(3_000)
    ps = []
    for seed in range(30):
        samples = [shuffled(library[i * 400 : i * 400 + 80], (seed, i)) for i in range(6)]
        found = compare(samples, library, kinds=("shuffle",), seed=rng.randrange(10**6))
        ps.append(found.comparison.tests()["shuffle"].p)

    assert sum(p <= 0.05 for p in ps) <= 5  # 1.5, and three standard deviations
    assert 0.35 < sum(ps) / len(ps) < 0.7


def test_held_out_sequence_that_the_library_has_is_not_compared_with(compare, random_bases):
    library = random_bases(9_000)

    found = compare([random_bases(200) for _ in range(4)], library, held_out=library[2000:6000])

    assert set(found.comparison.groups) == {"samples", "shuffle", "markov"}
    (note,) = found.comparison.notes
    assert "12 of 12 pieces of held-out sequence (held.fa) stand in the library whole" in note
    assert "real" not in found.summary()["controls"]["copying"]["longest exact match"]


def test_some_held_out_sequence_that_the_library_has_is_told_of(compare, random_bases):
    library = random_bases(9_000)
    held_out = library[1000:1300] + random_bases(3000)

    found = compare([random_bases(200) for _ in range(4)], library, held_out=held_out)

    assert "real" in found.comparison.groups
    (note,) = found.comparison.notes
    assert note.startswith("1 of 12 pieces of held-out sequence (held.fa) stand in the library")


def test_held_out_sequence_that_is_too_short_is_told_of(compare, random_bases):
    found = compare([random_bases(200)] * 2, random_bases(5_000), held_out=random_bases(50))

    assert found.comparison.notes == (
        "held-out sequence (held.fa) has no piece of the samples' lengths: no comparison with it",
    )


def test_samples_without_bases_and_of_one_name_are_told_apart(compare, random_bases, tmp_path):
    library = random_bases(5_000)
    copy = library[100:300]

    found = compare(["", copy, random_bases(200)], library)

    assert found.comparison.notes == ("1 of 3 samples have no bases and are not compared",)
    assert len(found.report.results) == 3
    likeness = found.comparison.groups["samples"].likeness
    assert likeness[0] > 50 > likeness[1]


def test_samples_with_a_prime_are_told_of(tmp_path, random_bases):
    samples, library = tmp_path / "samples.fa", tmp_path / "library.fa"
    library.write_text(f">chr1\n{random_bases(3_000)}\n")
    samples.write_text(
        f">sample_1 model=fly prime=20\n{random_bases(90)}\n"
        f">sample_2 model=fly t=0.8\n{random_bases(90)}\n"
    )

    found = search_with_controls(
        [samples], LocalBackend([library]), tmp_path / "out", Controls(("shuffle",), 1)
    )

    (note,) = found.comparison.notes
    assert note.startswith("1 of 2 samples hold letters that were given to the model")


def test_blast_says_the_same_of_copies(tmp_path, fasta, random_bases, mutated, require_program):
    """With BLAST+ as the backend: copies apart from chance, by the same tests."""
    require_program("blastn")
    from seqforge.domains.genome.similarity.blastplus import BlastPlusBackend

    library = random_bases(30_000)
    samples = fasta(
        *(mutated(library[i * 4000 : i * 4000 + 300], 0.1) for i in range(7)), name="samples.fa"
    )
    against = fasta(library)
    controls = Controls(("shuffle", "markov"), 3, background=Background.library([against]))

    found = search_with_controls([samples], BlastPlusBackend([against]), tmp_path / "out", controls)

    assert "the samples are more like the library than chance" in found.comparison.sentence()
    assert found.report.results[0].program != "seqforge local"
    assert all(test.superiority == 1 for test in found.comparison.tests().values())


def test_the_same_seed_gives_the_same_files(compare, random_bases, tmp_path):
    samples, library = [random_bases(150) for _ in range(3)], random_bases(4_000)

    def files():
        compare(samples, library, seed=3)
        names = ("controls.tsv", "controls.json", "controls.fa", "controls.svg")
        return [(tmp_path / "out" / name).read_bytes() for name in names]

    assert files() == files()


def test_a_run_holds_its_samples_against_what_it_trained_on(tmp_path, random_bases):
    """Held-out sequence is searched in the training part, where it does not find itself."""
    from typer.testing import CliRunner

    from seqforge.cli.main import app

    source = tmp_path / "genome.fa"
    source.write_text(f">chr1\n{random_bases(40_000)}\n")
    begin = [
        "run", "genome", str(source), "--out", str(tmp_path / "run"), "--budget", "3steps",
        "--hidden-size", "8", *QUICK, "--set", "sampling.length=100", "--quiet",
    ]  # fmt: skip

    result = CliRunner().invoke(app, begin)

    assert result.exit_code == 0, result.output
    folder = tmp_path / "run" / "similarity"
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())["similarity"]
    assert summary["library_length"] == 36_000
    with gzip.open(folder / "training.fa.gz", "rt") as stream:
        assert stream.readline() == ">chr1 (1-36000 of 40000 bases: the training part)\n"
    controls = summary["controls"]
    assert controls == json.loads((folder / "controls.json").read_text())
    assert set(controls["tests"]) == {"shuffle", "markov", "real"}
    assert not controls["notes"]
    assert min(controls["best_evalues"]["real"]) > 1e-6
    page = (tmp_path / "run" / "report.html").read_text()
    assert "Beside what chance finds" in page
    assert "of the training data" in page
    assert 'class="fourth"' in page


def test_a_run_without_controls_has_none(tmp_path, random_bases):
    from typer.testing import CliRunner

    from seqforge.cli.main import app

    source = tmp_path / "genome.fa"
    source.write_text(f">chr1\n{random_bases(20_000)}\n")
    begin = [
        "run", "genome", str(source), "--out", str(tmp_path / "run"), "--budget", "3steps",
        "--hidden-size", "8", *QUICK, "--set", "sampling.length=100",
        "--set", "search.controls=0", "--quiet",
    ]  # fmt: skip

    result = CliRunner().invoke(app, begin)

    assert result.exit_code == 0, result.output
    assert (
        "controls" not in json.loads((tmp_path / "run" / "summary.json").read_text())["similarity"]
    )
    assert not (tmp_path / "run" / "similarity" / "controls.tsv").exists()
    assert "Beside what chance finds" not in (tmp_path / "run" / "report.html").read_text()
