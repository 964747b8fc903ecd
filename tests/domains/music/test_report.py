"""The report of a run: samples beside held-out tunes, training tunes and random notes."""

from __future__ import annotations

import json

import pytest

from seqforge.base.paths import data_folder
from seqforge.core.config import DataConfig
from seqforge.core.data.domain import Sample
from seqforge.core.data.ingest import ingest
from seqforge.domains.music.domain import MusicDomain

ABC, EVENTS = MusicDomain(code="abc"), MusicDomain(code="events")
TUNES = data_folder() / "tunes.abc"
GROUPS = ["samples", "held-out", "training", "random notes"]
KEYS = ("key as declared", "signature as declared")


@pytest.fixture(scope="module")
def corpora(tmp_path_factory):
    """Ten tunes in each code, a part of them held out or none."""

    def read(domain, split):
        folder = tmp_path_factory.mktemp("corpus")
        return ingest(domain, [TUNES], DataConfig(split=split), folder)[0]

    return {
        ("abc", True): read(ABC, "50/0/50"),
        ("abc", False): read(ABC, "100/0/0"),
        ("events", True): read(EVENTS, "50/0/50"),
    }


@pytest.mark.parametrize("domain", [ABC, EVENTS], ids=["abc", "events"])
def test_every_measure_stands_beside_held_out_training_and_random_notes(domain, corpora):
    corpus = corpora[domain.code, True]
    texts = corpus.sequences("test", 10_000)[1:]

    report = domain.report([Sample(text) for text in texts], corpus)

    assert json.loads(json.dumps(report, allow_nan=False)) == report
    rows = {name: row for name, row in report.items() if isinstance(row, dict)}
    for row in rows.values():
        assert list(row)[:4] == GROUPS
        assert not any(isinstance(cell, dict) for cell in row.values())
    assert report["samples measured, of all temperatures"] == len(texts)
    assert f"({len(texts)})" in report["closeness"]
    consistency = rows["scale consistency"]
    assert min(consistency["samples"], consistency["training"]) > 0.95
    assert consistency["random notes"] < 0.85
    assert consistency["closeness"] > consistency["closeness, random"] == 0
    assert rows["groove consistency"]["random notes"] == 1
    assert rows["full bars"]["samples"] > 0.9 > rows["key as declared"]["random notes"]
    assert rows["key as declared"]["samples"] > 0.5


def test_a_training_tune_in_another_key_is_found_out(corpora):
    """Its intervals are all there; tunes that were held out share a few."""
    corpus = corpora["abc", True]
    tunes = [t for t in corpus.sequences("train", 10_000) if not set("^_=") & set(t)]
    tune = next(t for t in tunes if "K:G\n" in t)
    lower = tune.replace("K:G\n", "K:Gb\n")

    report = ABC.report([Sample(lower)], corpus)

    longest = report["longest interval sequence shared"]
    assert longest["samples"] == len(ABC.decode(tune).piece.notes) - 1 > 24
    assert longest["training"] is None
    assert longest["random notes"] <= longest["held-out"] < 24
    assert report["24 intervals or more shared"]["samples"] == 1


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("K:C\nCDEFGABcGEC4", (1, 1)),
        ("K:Am\nCDEFGABcGEC4", (0, 1)),
        ("K:Cmix\nCDEFGABcGEC4", (1, 0)),  # its tonic and its third, but one flat
        ("K:F#\nCDEFGABcGEC4", (0, 0)),
        ("CDEFGABcGEC4", (None, None)),
    ],
)
def test_the_key_found_is_set_beside_the_declared_one(text, found, corpora):
    report = ABC.report([Sample(text)], corpora["abc", True])
    assert tuple(report[name]["samples"] for name in KEYS) == found


def test_what_says_nothing_is_counted(corpora):
    texts = ["K:C\n?", "CCC|", "M:4/4\nL:1/4\nK:C\nCDEF|CDE|"]
    report = ABC.report([Sample(text) for text in texts], corpora["abc", True])
    assert report["samples without a note"] == 1
    assert report["characters skipped"] == pytest.approx(1 / len("".join(texts)), abs=1e-4)
    # A first bar may be short (CCC); the last bar of three quarters may not.
    assert report["full bars"]["samples"] == pytest.approx(2 / 3, abs=1e-3)


def test_without_held_out_music_its_column_is_empty(corpora):
    report = ABC.report([Sample("M:4/4\nL:1/4\nK:C\nCDEF|GABc|")], corpora["abc", False])
    assert report["held-out tunes measured"] == 0
    for row in (report["range"], report["full bars"], report["16 intervals or more shared"]):
        assert row["held-out"] is None
    assert report["range"]["random notes"] > 5
    assert report["range"]["closeness, held-out"] is None


def test_a_report_of_no_samples_is_still_one(corpora):
    report = EVENTS.report([], corpora["events", True])
    assert report["samples without a note"] == report["characters skipped"] == 0
    assert report["range"]["samples"] is report["range"]["closeness"] is None
    assert report["range"]["training"] > 5
