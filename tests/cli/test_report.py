"""seqforge report: the page of a run again, and several beside each other."""

import json
import shutil

import pytest

from tests import small_runs


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A small finished run."""
    from tests.cli.conftest import call

    folder = tmp_path_factory.mktemp("runs")
    source = small_runs.material("text", folder)
    result = call("run", "text", source, "--out", folder / "a", *small_runs.short())
    assert result.exit_code == 0, result.stderr
    return folder / "a"


@pytest.fixture
def runs(finished, tmp_path):
    """Two copies of it."""
    for name in "ab":
        shutil.copytree(finished, tmp_path / name)
    return tmp_path


def test_a_run_has_a_verdict_in_its_summary_and_on_its_page(finished):
    verdict = json.loads((finished / "summary.json").read_text())["verdict"]
    assert verdict["word"] in ("good", "look", "not yet")
    assert {chip["name"] for chip in verdict["chips"]} >= {"beats baselines", "refused files"}
    assert verdict["reason"].split(";")[0] in (finished / "report.html").read_text()


def test_the_page_is_written_again_as_it_was(seqforge, runs):
    page = runs / "a" / "report.html"
    before = page.read_bytes()
    page.unlink()

    result = seqforge("report", runs / "a")

    assert (result.exit_code, result.stdout) == (0, f"{page}\n")
    assert page.read_bytes() == before


def test_a_summary_of_an_older_version_is_judged(seqforge, runs):
    summary = runs / "a" / "summary.json"
    found = json.loads(summary.read_text())
    del found["verdict"]
    summary.write_text(json.dumps(found))
    before = (runs / "a" / "report.html").read_bytes()

    assert seqforge("report", runs / "a").exit_code == 0

    assert (runs / "a" / "report.html").read_bytes() == before


def test_a_page_elsewhere_links_into_the_run(seqforge, runs):
    result = seqforge("report", runs / "a", "--out", runs / "x.html")
    assert result.exit_code == 0, result.stderr
    assert 'href="a/samples/samples-t' in (runs / "x.html").read_text()
    assert 'href="a/model.safetensors"' in (runs / "x.html").read_text()


def test_several_runs_are_compared(seqforge, runs):
    result = seqforge("report", runs / "a", runs / "b", "--out", runs / "c.html")
    assert result.exit_code == 0, result.stderr
    page = (runs / "c.html").read_text()
    assert 'href="b/report.html"' in page
    assert "The same seed through each model" in page
    assert page.count("<polyline") == 2
    assert page.count("<circle") == 4
    assert page.count('aria-label="Sample of') == 2


def test_its_answer_as_json_has_the_verdicts(seqforge, runs):
    result = seqforge("report", runs / "a", runs / "b", "--out", runs / "c.html", "--json")
    found = json.loads(result.stdout)
    assert found["page"] == str(runs / "c.html")
    assert [row["run"] for row in found["runs"]] == [str(runs / "a"), str(runs / "b")]
    assert all(row["verdict"]["chips"] and row["headline"]["bits"] for row in found["runs"])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere"], "nowhere: is no finished run"),
        (["a", "a"], "the same run is named twice"),
        (["a", "--out", "a/model.safetensors"], "is an input of this command"),
        (["a", "--out", "a"], "is a folder; name a file"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(seqforge, runs, monkeypatch, arguments, said):
    monkeypatch.chdir(runs)
    result = seqforge("report", *arguments)
    assert result.exit_code == 1
    assert said in result.stderr
