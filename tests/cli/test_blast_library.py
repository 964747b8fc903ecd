"""``seqforge blast samples.fa`` always gives a result: in which library, where nobody named one."""

from __future__ import annotations

import json
import shutil
import socket

import pytest
from typer.testing import CliRunner

from seqforge.cli.main import app
from seqforge.domains.genome.ebi.settings import EbiSettings
from seqforge.domains.genome.fasta import read_sequences
from seqforge.domains.genome.similarity.backends import LocalBackend
from tests.ebi_double import EbiDouble, Says
from tests.small_runs import genome, short

SLICE = "the slice of Drosophila melanogaster's chromosome 2R that ships with seqforge"


@pytest.fixture(autouse=True)
def own_folders(tmp_path, monkeypatch):
    monkeypatch.setenv("SEQFORGE_CONFIG", str(tmp_path / "config"))
    monkeypatch.delenv("SEQFORGE_EMAIL", raising=False)


@pytest.fixture(scope="module")
def trained(tmp_path_factory, new_cache):
    """A run of genomes, with samples, and a name in no alphabet of the West; and its folder."""
    folder = tmp_path_factory.mktemp("trained")
    fasta = folder / "chr.fa"
    fasta.write_text(genome(12_000).replace(">chr1", ">染色体1"), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("SEQFORGE_CACHE", str(new_cache()))
        made = CliRunner().invoke(app, [
            "run", "genome", "--fasta", str(fasta), *short(), "--out", "mine", "--set",
            "search.controls=0", "--set", "sampling.temperatures=[1.0]",
        ])  # fmt: skip
    assert made.exit_code == 0, made.output
    return folder


@pytest.fixture
def run(trained, tmp_path):
    """A copy of it, with its input where it was."""
    shutil.copytree(trained / "mine", tmp_path / "mine")
    return tmp_path / "mine"


@pytest.fixture
def samples(tmp_path):
    def write(title="one", bases="ACGTTGCAAC" * 6):
        path = tmp_path / "s.fa"
        path.write_text(f">{title}\n{bases}\n")
        return path

    return write


def library_of(folder):
    (first, *_) = json.loads((folder / "hits.json").read_text())["results"]
    return first["database"], first["database_length"]


def test_with_nothing_at_hand_it_is_the_slice_that_ships(seqforge, samples):
    path = samples()
    found = seqforge("blast", path)

    assert found.exit_code == 0, found.stderr
    said = " ".join(found.stderr.split())
    assert f"searching here, in {SLICE} (what these samples' model learnt from is not" in said
    assert "nothing was sent: Sending 1 sequences (60 letters) to EMBL-EBI takes an addr" in said
    assert "--email" in said
    assert library_of(path.with_name("s-similarity")) == ("dm3-chr2R-slice.fa.gz", 1_000_000)
    quiet = seqforge("blast", path, "--quiet", "--json", "--out", path.with_name("other"))
    assert quiet.exit_code == 0
    assert quiet.stderr == ""
    assert json.loads(quiet.stdout)["results"][0]["query_id"] == "one"


def test_a_bundled_models_source_is_named(seqforge, samples):
    found = seqforge("blast", samples("one model=fly t=0.8"))
    assert f"{SLICE}, a part of what fly was trained on" in " ".join(found.stderr.split())


@pytest.mark.parametrize("place", ["in the run", "named in the header", "asked for"])
def test_what_a_run_was_trained_on_is_its_library(
    seqforge, samples, run, tmp_path, monkeypatch, place
):
    path, options = run / "samples" / "samples-t1.0.fa", ["--controls", "shuffle,markov"]
    if place == "named in the header":
        path, options = samples("sample_1 model=mine t=1.0"), []
        monkeypatch.chdir(tmp_path)
    elif place == "asked for":
        path, options = samples(), ["--against", run]
    found = seqforge("blast", path, *options, "--out", tmp_path / "out")

    assert found.exit_code == 0, found.stderr
    name, letters = library_of(tmp_path / "out")
    assert (name, 10_000 < letters < 12_000) == ("training.fa.gz", True)
    said = "searching here, in what" in found.stderr
    assert said == (place != "asked for")
    if place == "in the run":
        assert "more like the library than" in found.stdout
        assert not (tmp_path / "out" / "training.fa.gz").exists()


@pytest.mark.parametrize("damage", ["missing", "cut"])
def test_a_training_part_that_is_gone_is_made_of_the_runs_input(
    seqforge, samples, run, tmp_path, damage
):
    kept = run / "similarity" / "training.fa.gz"
    wanted = kept.read_bytes()
    kept.unlink()
    if damage == "cut":
        kept.write_bytes(wanted[: len(wanted) // 2])

    found = seqforge("blast", samples(), "--against", run, "--out", tmp_path / "out")

    assert found.exit_code == 0, found.stderr
    assert (tmp_path / "out" / "training.fa.gz").read_bytes() == wanted
    (record,) = read_sequences(tmp_path / "out" / "training.fa.gz")
    assert record.name == "染色体1"


def test_where_the_input_is_gone_too_the_slice_serves_and_a_named_run_is_refused(
    seqforge, run, samples, tmp_path
):
    (run / "similarity" / "training.fa.gz").unlink()
    config = run / "config.toml"
    config.write_text(config.read_text().replace("chr.fa", "gone.fa"))

    found = seqforge("blast", run / "samples" / "samples-t1.0.fa", "--out", tmp_path / "out")
    assert found.exit_code == 0, found.stderr
    assert library_of(tmp_path / "out")[0] == "dm3-chr2R-slice.fa.gz"
    named = seqforge("blast", samples(), "--against", run, "--out", tmp_path / "other")
    assert named.exit_code == 1
    assert "gone.fa" in named.stderr


@pytest.fixture
def nobody():
    """An address where nothing listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


def test_without_an_answer_from_the_service_it_is_done_here(seqforge, samples, nobody):
    EbiSettings(email="a@ebi.ac.uk", base_url=nobody).save()

    found = seqforge("blast", samples())

    assert found.exit_code == 0, found.stderr
    assert f"searching here, in {SLICE}" in found.stderr
    assert "nothing was sent: " in found.stderr
    assert nobody in found.stderr


def test_what_the_service_took_is_not_searched_here_too(seqforge, samples, run, tmp_path):
    library = tmp_path / "l.fa"
    library.write_text(genome(3_000))
    with EbiDouble(library, [Says("FAILURE")]) as double:
        EbiSettings(email="a@ebi.ac.uk", base_url=double.url).save()
        found = seqforge("blast", samples())
        assert len(double.accepted) == 1
    assert found.exit_code == 1
    assert "searching here" not in found.stderr


def test_two_at_once_do_not_meet_in_one_folder(seqforge, samples, tmp_path):
    from seqforge.base.file_locks import held_folder

    (tmp_path / "out").mkdir()
    with held_folder(tmp_path / "out"):
        found = seqforge("blast", samples(), "--out", tmp_path / "out")
    assert found.exit_code == 1
    assert "another seqforge is working in it" in found.stderr


def test_what_was_stopped_goes_on_with_the_same_command(seqforge, tmp_path, monkeypatch):
    """Ctrl-C in the third of four portions; then only two are left to do."""
    samples, library = tmp_path / "s.fa", tmp_path / "l.fa"
    library.write_text(genome(3_000))
    bases = "".join(library.read_text().split("\n")[1:])
    samples.write_text("".join(f">q{n}\n{bases[90 * n : 90 * n + 60]}\n" for n in range(4)))
    monkeypatch.setattr("seqforge.domains.genome.similarity.backends._LEAST_LETTERS", 1)
    monkeypatch.setattr("seqforge.domains.genome.similarity.backends.PORTION_CELLS", 1)
    command = ["blast", samples, "--against", library]
    assert seqforge(*command, "--out", tmp_path / "whole").exit_code == 0
    asked, plain = [], LocalBackend.search

    def stopped(self, queries, *rest):
        asked.append(queries[0].id)
        if len(asked) == 3:
            raise KeyboardInterrupt
        return plain(self, queries, *rest)

    monkeypatch.setattr(LocalBackend, "search", stopped)
    early = seqforge(*command, "--out", tmp_path / "out")
    assert early.exit_code == 130
    assert "what was found is kept; the same command goes on" in early.stderr
    assert seqforge(*command, "--out", tmp_path / "out", "--resume").exit_code == 0

    assert asked == ["q0", "q1", "q2", "q2", "q3"]
    for name in ("hits.tsv", "alignments.txt"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    left = {path.name for path in (tmp_path / "out").iterdir()}
    assert left == {"hits.tsv", "hits.json", "alignments.txt", "report.html"}
