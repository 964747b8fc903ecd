"""What stands above the sections of a page: the verdict and what leads from it."""

import re
from pathlib import Path

import pytest

from seqforge.reporting.first_screen import beginning, link, next_steps, run_folder, title
from seqforge.reporting.summary import RunSummary
from seqforge.reporting.verdict import THRESHOLDS
from tests.reporting.material import INGEST, SAMPLES, evaluations, least_summary, summary_of_a_run

VERDICT = {
    "word": "not yet",
    "reason": "Worse than a 4-gram; try --budget 5m.",
    "chips": [
        {"name": "beats baselines", "state": "fail", "figure": "1.2 % more", "threshold": "t"},
        {"name": "like chance", "state": "look", "figure": "undecided", "threshold": "t"},
        {"name": "refused files", "state": "pass", "figure": "0 of 1", "threshold": "t"},
    ],
}


def summary(**changes):
    return RunSummary.model_validate(summary_of_a_run() | changes)


def test_the_verdict_comes_first_and_its_checks_lead_to_their_sections(page):
    found = page(summary_of_a_run() | {"verdict": VERDICT}, evaluations(), SAMPLES, INGEST)

    text = found.text
    assert text.index("Not yet") < text.index("1.926") < text.index("Beside simpler means")
    inside = {value for _, name, value in found.attributes if name == "id"}
    links = [value for tag, name, value in found.attributes if name == "href"]
    checks = [one for one in links if one.startswith("#")][:3]
    assert checks == ["#baselines", "#similarity", "#files"]
    assert {one[1:] for one in checks} <= inside
    for said in ("1.2 % more", "undecided", "0 of 1", "It draws, at temperature 1"):
        assert said in text, said
    for said in THRESHOLDS["beats baselines"]:
        assert said in text[text.index("What the checks ask") :], said


def test_a_check_whose_section_is_missing_leads_to_one_that_is_there(page):
    found = page({"verdict": VERDICT})
    inside = {value for _, name, value in found.attributes if name == "id"}
    links = [value for _, name, value in found.attributes if name == "href"]
    assert links
    assert {one[1:] for one in links} <= inside


def test_the_title_has_the_bits_and_the_name(page):
    assert title(summary(name="demo")) == "1.926 bits - demo - seqforge"
    least = RunSummary.model_validate(least_summary() | {"name": "demo"})
    assert title(least) == "demo - seqforge"
    assert page(summary_of_a_run()).title == "1.926 bits - genome-2026-11-21-110000 - seqforge"


def test_files_that_are_there_are_linked(page, tmp_path):
    (tmp_path / "model.safetensors").touch()
    (tmp_path / "similarity").mkdir()
    (tmp_path / "similarity" / "hits.tsv").touch()
    links = [value for _, name, value in page(summary_of_a_run()).attributes if name == "href"]
    assert {"model.safetensors", "similarity/hits.tsv", "samples/samples-t0.5.fa"} <= set(links)
    assert "metrics.jsonl" not in links


def test_links_lead_from_the_page_to_the_run(tmp_path):
    run = tmp_path / "runs" / "a"
    assert link("samples/x.fa", run, run) == "samples/x.fa"
    assert link("samples/x.fa", run, tmp_path) == "runs/a/samples/x.fa"
    assert link("samples/x.fa", run, tmp_path / "pages") == "../runs/a/samples/x.fa"
    assert link("../x.fa", run, tmp_path) == ""


@pytest.mark.parametrize(
    ("command", "folder", "longer"),
    [
        ("seqforge run genome --fasta 'my fly.fa' --budget 20s --out x", "x",
         "seqforge run genome --fasta 'my fly.fa' --budget 5m"),
        ("seqforge run text -o 'a b' --resume", "'a b'", "seqforge run text --budget 5m"),
        ("seqforge run text --budget=20s", "runs/n", "seqforge run text --budget 5m"),
        ("seqforge run 'unclosed", "runs/n", "seqforge run ''\"'\"'unclosed' --budget 5m"),
    ],
)  # fmt: skip
def test_commands_to_try_next_can_be_typed(command, folder, longer):
    wanting = {**VERDICT, "chips": VERDICT["chips"][:1]}
    run = summary(command=command, name="n", verdict=wanting)
    steps = [step.command for step in next_steps(run, (("seqforge music --model {run}", "x"),))]
    assert steps[0] == longer
    assert steps[1] == f"seqforge music --model {folder}"
    assert run_folder(run) == folder.strip("'")


def test_a_run_that_passes_is_not_told_to_train_longer():
    assert not [s for s in next_steps(summary()) if "--budget" in s.command]


def test_the_beginning_of_a_sample_is_without_its_header():
    assert beginning(">sample_1 t=1\nACGT\n\nAC\x1b") == "ACGT AC␛"
    assert len(beginning("x" * 5_000)) == 200


def test_whatever_a_style_says_the_page_prints_its_colours():
    rules = Path(__file__).parents[2].joinpath("seqforge/base/page.css").read_text()
    printed = rules[rules.rindex("@media print") :]
    assert re.search(r"print-color-adjust: exact", printed)
    assert re.search(r"figure, tr[^{]*{ break-inside: avoid; }", printed)
