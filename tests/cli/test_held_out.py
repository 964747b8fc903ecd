"""What is held out, and what is said of it: by run, evaluate and --init."""

import gzip
import json
import random

import pytest

from tests.cli.conftest import small
from tests.conftest import ROOT

OTHER = str.maketrans("ACGT", "TGCA")


def bases(seed, count):
    return "".join(random.Random(seed).choices("ACGT", k=count))


def plain(text):
    return " ".join(text.split())


@pytest.fixture(scope="module")
def genome(tmp_path_factory):
    """Three chromosomes; a fifth of the last stands, on the other strand, in the first too."""
    folder = tmp_path_factory.mktemp("genome")
    shared = bases(9, 1_000)
    contigs = {
        "chr2": shared + bases(1, 20_000),
        "chr4": bases(2, 12_000),
        "chrX": shared[::-1].translate(OTHER) + bases(3, 4_000),
    }
    path = folder / "x.fa"
    path.write_text("".join(f">{name}\n{text}\n" for name, text in contigs.items()))
    return path


@pytest.fixture(scope="module")
def held(genome):
    """A training that holds out chrX and a part of chr4, and what the command said."""
    from typer.testing import CliRunner

    from seqforge.cli.main import app

    out = genome.parent / "run"
    arguments = ["train", "genome", genome, "--hold-out", "chrX,chr4:1-2000", *small(out)]
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return out, result


def test_what_was_named_is_held_out_and_written_as_bed(held):
    out, _ = held
    rows = [line.split("\t") for line in (out / "held-out.bed").read_text().splitlines()]
    assert [row for row in rows if row[3] == "test"] == [
        ["chr4", "0", "2000", "test"],
        ["chrX", "0", "5000", "test"],
    ]
    assert all(row[3] == "valid" for row in rows if row[3] != "test")
    summary = json.loads((out / "summary.json").read_text())
    assert summary["symbols"]["test"] == 7_000
    assert summary["symbols"]["valid"] == pytest.approx(31_000 * 5 / 95, abs=2)


def test_the_headline_says_how_much_of_it_stands_in_the_training_part(held):
    out, result = held
    summary = json.loads((out / "summary.json").read_text())
    windows = 5_000 - 23 + 2_000 - 23
    assert summary["overlap"] == {
        "held_out_in_training": round((1_000 - 23) / windows, 4),
        "window": 24,
        "part": "test",
        "moved": False,
    }
    first, *_ = result.stdout.splitlines()
    assert "(test; 14% of its 24-mers stand in the training part too)" in first


def test_regions_that_are_not_there_are_one_sentence(seqforge, genome, tmp_path):
    for given, said in [
        ("chrY", "did you mean chrX"),
        ("chrX:4000-9000", "chrX has 5,000 symbols"),
        ("chrX:0-9", "positions count from 1"),
    ]:
        result = seqforge("train", "genome", genome, "--hold-out", given, *small(tmp_path / "r"))
        assert result.exit_code == 1
        assert said in plain(result.stderr)


def test_evaluate_says_what_the_model_was_trained_on(seqforge, genome, held, tmp_path):
    out, _ = held
    packed, new = tmp_path / "other-name.fa.gz", tmp_path / "new.fa"
    text = genome.read_text().split(">")[1].split("\n", 1)[1].replace("\n", "")
    with gzip.open(packed, "wt") as stream:  # a stretch of chr2, from the other strand
        stream.write(f">part\n{text[2_000:18_000][::-1].translate(OTHER)}\n")
    new.write_text(f">new\n{bases(77, 9_000)}\n")

    seen, unseen = (
        json.loads(seqforge("evaluate", out, path, "--json").stdout) for path in (packed, new)
    )

    assert seen["trained_on"]["share"] == pytest.approx(1, abs=0.01)
    assert "the model was trained on 100% of the 24-mers" in seen["trained_on"]["sentence"]
    assert unseen["trained_on"]["share"] == 0
    assert unseen["trained_on"]["sentence"] is None
    assert "this is no held-out score" in plain(seqforge("evaluate", out, genome).stdout)


def test_the_bundled_fly_knows_the_slice_that_ships(seqforge, tmp_path):
    with gzip.open(ROOT / "data" / "dm3-chr2R-slice.fa.gz", "rt") as stream:
        head = stream.read(60_000)
    (tmp_path / "slice.fa").write_text(head)

    result = json.loads(seqforge("evaluate", "fly", tmp_path / "slice.fa", "--json").stdout)

    assert result["trained_on"]["share"] > 0.9


def test_the_tunes_that_ship_can_be_learnt(seqforge, tmp_path):
    result = seqforge("train", "music", "--input", ROOT / "data" / "tunes.abc", *small(tmp_path))

    assert result.exit_code == 0, result.stderr
    assert "so that each part has 100 symbols" in plain(result.stderr)


def test_twins_of_any_form_are_not_dealt_to_both_sides(seqforge, tmp_path):
    """Random letters: no model can know the held-out half, and no n-gram that learnt its twin."""
    rng = random.Random(3)
    folder = tmp_path / "texts"
    folder.mkdir()
    for number in range(40):
        lines = ("".join(rng.choices("abcdefghijklmnopqrstuvwxyz  ", k=60)) for _ in range(6))
        text = "\n".join(lines) + "\n"
        (folder / f"{number:02}.txt").write_text(text)
        (folder / f"{number:02}w.txt").write_bytes(text.replace("\n", "\r\n").encode())
        with gzip.open(folder / f"{number:02}.txt.gz", "wt") as stream:
            stream.write(text)

    result = seqforge("train", "text", "--input", folder, "--split", "50/25/25",
                      *small(tmp_path / "run"))  # fmt: skip

    assert result.exit_code == 0, result.stderr
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["baselines"]["order_k"] > 4.6
    rows = (tmp_path / "run" / "ingest.tsv").read_text().splitlines()[1:]
    assert sum("has the same content as" in row for row in rows) == 80
