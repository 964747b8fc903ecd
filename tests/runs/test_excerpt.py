"""The excerpt of a run is the beginning of its held-out part, with what the network made of it."""

import json

import numpy as np
import pytest

import seqforge
from seqforge.core.data.corpus import Corpus
from seqforge.runs.excerpt import SHOWN, held_out_records
from seqforge.runs.results import ExcerptResult
from tests.cli.conftest import call, small


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run on lines of a play, without samples of its own."""
    folder = tmp_path_factory.mktemp("run")
    text = folder / "play.txt"
    lines = [
        f"SPEAKER {n % 7}:\nThis is the line of number {n} in the play.\n\n" for n in range(900)
    ]
    text.write_text("".join(lines))
    result = call("run", "text", "--input", text, *small(folder / "run"), "--split", "80/10/10")
    assert result.exit_code == 0, result.stderr
    stages = json.loads((folder / "run" / "stages.json").read_text())
    return text, folder / "run", ExcerptResult.model_validate(stages["seeing"]).excerpt


def test_it_is_the_beginning_of_the_test_part_with_its_bits(finished):
    text, run, excerpt = finished
    whole = text.read_text()

    assert excerpt.part == "test"
    assert len(excerpt.symbols) == len(excerpt.bits) == SHOWN
    at = whole.index(excerpt.symbols)
    assert at > 0.85 * len(whole)
    np.testing.assert_allclose(excerpt.bits, seqforge.load(run).score(excerpt.symbols), atol=1e-3)
    assert "place in line" in excerpt.looked_for


def test_the_page_shows_it(finished):
    _, run, excerpt = finished
    page = (run / "report.html").read_text()

    assert "What it sees in held-out data" in page
    assert "seqforge inspect" in page
    for unit in excerpt.units:
        assert f"Unit {unit.layer}:{unit.unit} follows" in page


def test_records_of_the_held_out_part_are_those_that_were_held_out(finished, tmp_path):
    from seqforge.core.config import DataConfig
    from seqforge.core.data.ingest import ingest
    from seqforge.domains.text.domain import TextDomain

    files = []
    for number in range(60):
        files.append(tmp_path / f"{number}.txt")
        files[-1].write_text(f"text of number {number} " * 20)
    (tmp_path / "corpus").mkdir()
    ingest(TextDomain(), files, DataConfig(split="80/10/10"), tmp_path / "corpus")

    corpus = Corpus(tmp_path / "corpus")
    texts = [record.symbols for record in held_out_records(corpus, 10**6)]

    assert len(texts) == 60
    assert all(path.read_text().endswith(text) for path, text in zip(files, texts, strict=True))
    short = list(held_out_records(corpus, 100))
    assert sum(len(record.symbols) for record in short) == 100
    assert short[0].symbols == texts[0]
