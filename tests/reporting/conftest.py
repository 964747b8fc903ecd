"""Writing a page and reading it again."""

import pytest

from seqforge.reporting.page import write_report
from tests.reporting.material import Checker


@pytest.fixture
def page(tmp_path):
    """Writes a page and reads it again, parsed."""

    def write(summary, metrics=(), samples=(), ingest=()):
        path = tmp_path / "report.html"
        write_report(path, summary, metrics, samples, ingest)
        checker = Checker()
        checker.feed(path.read_text("utf-8"))
        checker.close()
        assert checker.open == [], "tags left open"
        return checker

    return write
