"""The page that compares runs."""

import pytest

from seqforge.core.training.events import EvaluationRecord
from seqforge.reporting.comparison import ComparedRun, conclusion, note, write_comparison
from seqforge.reporting.summary import RunSummary
from tests.reporting.material import Checker, evaluations, least_summary, summary_of_a_run

HOSTILE = "<script>alert(1)</script>&amp;"


def run(name, bits, **changes):
    summary = summary_of_a_run() | {"bits_per_symbol": {"valid": None, "test": bits}} | changes
    looks = [EvaluationRecord.model_validate(line) for line in evaluations()]
    return ComparedRun(name, RunSummary.model_validate(summary), looks, f"ACGT of {name}", "p.html")


@pytest.fixture
def written(tmp_path):
    def write(*runs):
        path = tmp_path / "c.html"
        write_comparison(path, runs, "Seed 0.")
        checker = Checker()
        checker.feed(path.read_text())
        checker.close()
        assert checker.open == []
        return checker

    return write


def test_the_best_run_comes_first_and_keeps_its_colour(written):
    found = written(run("one", 1.95), run(HOSTILE, 1.90), run("three", 1.93))
    text = found.text
    rows = text[text.index("memory") : text.index("Fewest bits first")]
    assert rows.index(HOSTILE) < rows.index("three") < rows.index("one")
    assert f"{HOSTILE} needs the fewest bits: 1.900 per base" in text
    keys = [value for tag, name, value in found.attributes if (tag, name) == ("i", "class")]
    assert keys[:3] == ["key run1", "key run2", "key run0"]
    assert "script" not in found.tags
    assert found.title == "1.900 bits at best - 3 runs - seqforge"
    for said in ("ACGT of one", "Seed 0.", "199,813", "lstm 2 x 128", "2 min 0 s", "843 MB"):
        assert said in text, said


def test_runs_scored_on_other_data_are_not_compared(written):
    counted = summary_of_a_run()["baselines"] | {"order_k": 1.5}
    other = run("other", 1.2, baselines=counted)
    assert note([run("a", 1.9), run("b", 1.91)]) == ""
    assert "a, b; other" in note([run("a", 1.9), run("b", 1.91), other])
    assert "no other run was scored on the same data" in conclusion([other, run("a", 1.9)])
    assert "against b (1.910), on the same data" in conclusion(
        [run("a", 1.9), other, run("b", 1.91)]
    )
    level = conclusion([run("a", 1.9), run("b", 1.9)])
    assert level == "a needs the fewest bits: 1.900 per base, and so does b, on the same data."
    assert "can be compared by their bits" in written(other, run("a", 1.9)).text


def test_runs_of_which_nothing_was_scored_are_shown(written):
    least = ComparedRun("least", RunSummary.model_validate(least_summary()), ())
    found = written(least, least)
    assert "nothing" not in found.text.lower() or "anything held out" in found.text
    assert "In none of these runs was anything held out and scored." in found.text
    assert "polyline" not in found.tags


def test_nothing_is_loaded_from_anywhere(written, tmp_path):
    found = written(run("one", 1.95), run("two", 1.90))
    assert not {name for _, name, _ in found.attributes} & {"src", "srcset"}
    assert "default-src 'none'" in (tmp_path / "c.html").read_text()
