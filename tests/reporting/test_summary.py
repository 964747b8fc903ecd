"""summary.json: one schema, for what is written and for what older versions wrote."""

import json

import pytest

from seqforge.errors import RunError
from seqforge.reporting.summary import BaselineScores, RunSummary
from tests.reporting.material import least_summary, summary_of_a_run


def test_a_summary_is_read_as_it_was_written(tmp_path):
    path = tmp_path / "summary.json"
    summary = RunSummary.model_validate(summary_of_a_run())
    path.write_text(json.dumps(summary.model_dump(mode="json")))

    assert RunSummary.read(path) == summary
    assert json.loads(path.read_text())["baselines"]["orders"]["8"] == 1.9488


def test_a_summary_of_an_older_version_is_read(tmp_path):
    """Keys that came later stand at what they were without being said; others are passed over."""
    path = tmp_path / "summary.json"
    path.write_text(json.dumps(least_summary() | {"of another version": 1}))

    found = RunSummary.read(path)

    assert (found.ranks, found.advice, found.init) == (1, None, None)
    assert not found.overlap.measured.notable


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, r"summary\.json: cannot be read \(No such file"),
        ("[", r"summary\.json: is not a run's summary \(Invalid JSON"),
        ("{}", r"summary\.json: is not a run's summary \(pipeline: Field required"),
    ],
)
def test_what_is_no_summary_is_one_sentence(tmp_path, content, said):
    path = tmp_path / "summary.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(RunError, match=said):
        RunSummary.read(path)


def test_a_score_is_of_a_part():
    scores = RunSummary.model_validate(summary_of_a_run()).bits_per_symbol
    assert [scores.of(part) for part in ("valid", "test", None)] == [1.931, 1.926, None]
    assert BaselineScores(part=None, uniform=2.0, order_k=None, k=None).orders == {}
