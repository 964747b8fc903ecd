"""Samples of each temperature and held-out data, measured alike."""

from pathlib import Path

import pytest

from seqforge.core.config import DataConfig
from seqforge.core.data.domain import Sample
from seqforge.core.data.ingest import ingest
from seqforge.domains.genome.domain import GenomeDomain
from seqforge.domains.music.domain import MusicDomain
from seqforge.domains.text.domain import TextDomain
from seqforge.plugin import LineDomain
from seqforge.runs.measures import held_out_groups, measured_samples
from tests import small_runs

MADE = {
    "text": (TextDomain(), "a.txt", lambda: small_runs.text(20_000)),
    "genome": (GenomeDomain(), "a.fa", lambda: small_runs.genome(20_000)),
    "music": (MusicDomain(code="abc"), "a.abc", lambda: small_runs.tunes(120)),
}


@pytest.fixture(scope="module")
def corpora(tmp_path_factory):
    """Each domain with a corpus, and two groups of its training data as samples."""

    def made(domain, name, content):
        folder = tmp_path_factory.mktemp("data")
        source = folder / name
        source.write_text(content())
        (folder / "corpus").mkdir()
        split = DataConfig(split="70/0/30")
        corpus, _ = ingest(domain, [source], split, folder / "corpus")
        texts = corpus.sequences("train", 2_400)
        if not domain.file_per_sample:
            texts = [texts[0][start : start + 300] for start in range(0, 2_400, 300)]
        samples = [Sample(text) for text in texts[:4]]
        return domain, corpus, {"0.5": samples[:2], "1.0": samples[2:]}

    return {name: made(*given) for name, given in MADE.items()}


@pytest.mark.parametrize("name", MADE)
def test_each_group_is_measured_as_the_report_measures_it(corpora, name):
    domain, corpus, groups = corpora[name]
    several = domain.measure_groups(list(groups.values()), corpus)
    for group, measured in zip(groups.values(), several, strict=True):
        report = domain.report(group, corpus)
        same = [key for key in measured if "distance" not in key]  # to other held-out pieces
        assert len(same) >= 5
        for key in same:
            assert measured[key] == pytest.approx(report[key]["samples"], abs=1e-3), key


@pytest.mark.parametrize("name", MADE)
def test_held_out_groups_are_as_large_as_those_of_the_samples(corpora, name):
    domain, corpus, groups = corpora[name]
    found = held_out_groups(domain, groups["0.5"], corpus)
    assert len(found) >= 5
    assert {len(group) for group in found} == {2}
    held_out = "\n".join(corpus.sequences("test", 10**6))
    assert all(sample.symbols in held_out for group in found for sample in group)


@pytest.mark.parametrize("name", MADE)
def test_copies_of_training_data_lie_outside_the_range_of_held_out_data(corpora, name):
    domain, corpus, groups = corpora[name]
    rows = {row.name: row for row in measured_samples(domain, groups, corpus)}
    assert all(set(row.samples) == {"0.5", "1.0"} for row in rows.values())
    assert all(row.words != row.name for row in rows.values()), "each has plain words"
    assert all(row.low <= row.high for row in rows.values() if row.low is not None)
    if name == "genome":
        copied = rows["24-mers found in training"]
        assert copied.share
        assert (copied.samples, copied.low, copied.high) == ({"0.5": 1, "1.0": 1}, 0, 0)


def test_a_domain_without_groups_is_measured_by_its_report(tmp_path):
    class Counting(LineDomain):
        def report(self, samples, corpus):
            return {"length": {"samples": len(samples), "held-out": 1}, "kind": "lines"}

    source = tmp_path / "lines.txt"
    source.write_text("\n".join("abcab" for _ in range(900)))
    (tmp_path / "corpus").mkdir()
    domain = Counting()
    corpus, _ = ingest(domain, [Path(source)], DataConfig(), tmp_path / "corpus")
    (row,) = measured_samples(domain, {"1.0": [Sample("ab")] * 3}, corpus)
    assert (row.name, row.words, row.samples, row.low) == ("length", "length", {"1.0": 3}, None)
