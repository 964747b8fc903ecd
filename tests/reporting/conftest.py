"""Writing a page and reading it again."""

import pytest

from seqforge.core.data.ingest import Ingested
from seqforge.core.training.events import EvaluationRecord
from seqforge.reporting.page import RunPage, write_report
from seqforge.reporting.summary import RunSummary, ShownSamples
from tests.reporting.material import INGEST, Checker, evaluations, least_summary


@pytest.fixture
def page(tmp_path):
    """Writes a page and reads it again, parsed.

    What a summary does not say is as little as can be.
    """

    def write(summary, metrics=(), samples=(), ingest=(), more=()):
        path = tmp_path / "report.html"
        found = RunPage(
            RunSummary.model_validate(least_summary() | summary),
            [EvaluationRecord.model_validate(line) for line in metrics],
            [ShownSamples.model_validate({"count": 1} | sample) for sample in samples],
            [Ingested(**{"records": 0, "symbols": 0} | line) for line in ingest],
            more,
        )
        write_report(path, found)
        checker = Checker()
        checker.feed(path.read_text("utf-8"))
        checker.close()
        assert checker.open == [], "tags left open"
        return checker

    return write


def evaluation_records():
    """The evaluations of `material`, as records."""
    return [EvaluationRecord.model_validate(line) for line in evaluations()]


def ingested():
    """Its files."""
    return [Ingested(**{"records": 0, "symbols": 0} | line) for line in INGEST]
