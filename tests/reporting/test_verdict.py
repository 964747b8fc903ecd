"""The verdict on a run: each check at its thresholds, and the word they come to."""

import re

import pytest

from seqforge.core.data.ingest import SAME_CONTENT, Ingested
from seqforge.core.training.events import EvaluationRecord
from seqforge.reporting.summary import RunSummary
from seqforge.reporting.verdict import THRESHOLDS, judged, longer_budget
from tests.conftest import ROOT
from tests.reporting.material import evaluations, least_summary, summary_of_a_run

COPIES = "24-mers found in training"


def verdict(changes=None, metrics=None, ingest=(("a", "kept"),), copies=COPIES):
    """The verdict on a run with some of its summary changed."""
    summary = RunSummary.model_validate(summary_of_a_run() | (changes or {}))
    looks = evaluations() if metrics is None else metrics
    lines = [
        Ingested(*line[:2], reason=line[2] if len(line) > 2 else "", records=0, symbols=0)
        for line in ingest
    ]
    return judged(summary, [EvaluationRecord.model_validate(one) for one in looks], lines, copies)


def state(found, name):
    return next((chip.state for chip in found.chips if chip.name == name), None)


def controls(**test):
    row = {"p": 0.01, "delta": 0.5, "superiority": 0.75, "least_p": 0.001}
    real = {"p": 0.9, "delta": -0.9, "superiority": 0.1, "least_p": 0.001}
    return {"similarity": {"controls": {"tests": {"shuffle": row | test, "real": real}}}}


def test_a_run_that_passes_every_check_is_good():
    found = verdict(controls() | {"report": {COPIES: {"samples": 0.01, "held-out": 0.0}}})

    assert (found.word, {chip.state for chip in found.chips}) == ("good", {"pass"})
    assert [chip.name for chip in found.chips] == list(THRESHOLDS)
    assert found.reason.startswith("1.2 % fewer bits than the best baseline (Witten-Bell n-gram")
    assert "))" not in found.reason


def test_one_check_that_fails_is_not_yet_and_one_that_wants_a_look_is_said():
    worse = {"bits_per_symbol": {"valid": None, "test": 1.99}}
    assert verdict(worse).word == "not yet"
    assert verdict(worse).reason == (
        "2.1 % more bits than the best n-gram (Witten-Bell n-gram, order 8 (frozen)); try --budget "
        "5m."
    )
    refused = verdict(ingest=[("a", "kept"), ("b", "kept"), ("c", "refused")])
    assert refused.word == "look"
    assert "1 of 3 files were refused" in refused.reason


@pytest.mark.parametrize(
    ("bits", "headline", "wanted"),
    [
        (1.926, None, "pass"),  # the best n-gram needs 1.9488, lzma 2.0132
        (1.9488, None, "fail"),
        (1.96, 1.90, "look"),  # the memory is better, the network alone is not
        (1.93, 1.90, "pass"),
    ],
)
def test_baselines_are_beaten_by_fewer_bits(bits, headline, wanted):
    scored = {"bits_per_symbol": {"valid": None, "test": bits}}
    if headline is not None:
        scored["headline"] = {
            "bits": headline, "part": "test", "what": "network+memory", "adaptive": True,
        }  # fmt: skip
    assert state(verdict(scored), "beats baselines") == wanted


def test_a_baseline_other_than_ngrams_that_is_better_wants_a_look():
    counted = summary_of_a_run()["baselines"] | {"compressors": {"lzma": 1.9}}
    assert state(verdict({"baselines": counted}), "beats baselines") == "look"


@pytest.mark.parametrize(("seen", "wanted"), [(0.05, "fail"), (0.5, "look"), (1.0, "pass")])
def test_training_is_enough_when_the_data_were_read_once(seen, wanted):
    training = summary_of_a_run()["training"] | {"symbols_seen": int(seen * 19_031_947)}
    assert state(verdict({"training": training}), "enough training") == wanted


def test_what_learnt_nothing_did_not_train_enough_however_often_it_read():
    found = verdict({"advice": {"verdict": "nothing learnt"}})
    assert (found.word, state(found, "enough training")) == ("not yet", "fail")
    assert "nothing was learnt yet (data read 2.6 times)" in found.reason.lower()


def test_a_longer_budget_reads_the_data_once():
    training = {"steps": 1, "best_step": 1, "seconds": 20.0, "symbols_seen": 1_903_195}
    summary = RunSummary.model_validate(summary_of_a_run() | {"training": training})
    assert longer_budget(summary) == "5m"  # a tenth in 20 s: 200 s


@pytest.mark.parametrize(
    ("train", "valid", "verdict_of_curves", "wanted"),
    [
        ([2.0] * 10, [2.05] * 10, "balanced", "pass"),
        ([2.0] * 10, [2.05] * 10, "over-fitting", "look"),
        ([2.0] * 10, [2.0] * 9 + [2.1], "over-fitting", "look"),  # 5 % above its best
        ([2.0] * 10, [2.0] * 9 + [2.3], "over-fitting", "fail"),
        ([1.75] * 10, [2.0] * 10, "over-fitting", "look"),  # 12.5 % apart
        ([1.4] * 10, [2.0] * 10, "over-fitting", "fail"),
        ([9.0] * 10, [9.0] * 10, "diverged", "fail"),
    ],
)
def test_over_fitting_is_a_rise_or_a_gap(train, valid, verdict_of_curves, wanted):
    looks = [
        {"step": n, "train_bits": t, "valid_bits": v}
        for n, (t, v) in enumerate(zip(train, valid, strict=True), 1)
    ]
    assert state(verdict({"advice": {"verdict": verdict_of_curves}}, looks), "over-fitting") == (
        wanted
    )


@pytest.mark.parametrize(("samples", "wanted"), [(0.05, "pass"), (0.2, "look"), (0.5, "fail")])
def test_what_real_data_share_is_not_copied(samples, wanted):
    row = {COPIES: {"samples": samples, "held-out": 0.04}}
    assert state(verdict({"report": row}), "copies") == wanted
    assert state(verdict({"report": row}, copies=""), "copies") is None


@pytest.mark.parametrize(
    ("test", "wanted"),
    [({}, "pass"), ({"delta": -0.5}, "fail"), ({"p": 0.2}, "look"), ({"least_p": 0.1}, "look")],
)
def test_controls_that_chance_made_decide_and_real_ones_do_not(test, wanted):
    assert state(verdict(controls(**test)), "like chance") == wanted


@pytest.mark.parametrize(("nearer", "wanted"), [(4, "pass"), (2, "look"), (1, "fail")])
def test_without_a_search_closeness_beside_random_ones_decides(nearer, wanted):
    rows = {
        f"measure {n}": {"closeness": 0.8 if n < nearer else 0.1, "closeness, random": 0.3}
        for n in range(4)
    }
    assert state(verdict({"report": rows, "similarity": None}), "like chance") == wanted


def test_a_copy_of_another_file_is_not_a_refused_one():
    lines = [("a", "kept"), ("b", "refused", f"{SAME_CONTENT} a")]
    chip = next(chip for chip in verdict(ingest=lines).chips if chip.name == "refused files")
    assert (chip.state, chip.figure) == ("pass", "0 of 1; 1 duplicate left out")
    assert state(verdict(ingest=[("a", "kept"), ("b", "refused")]), "refused files") == "fail"


def test_where_little_is_known_the_verdict_says_so():
    summary = RunSummary.model_validate(least_summary())
    found = judged(summary, [], [])
    assert found.word == "look"
    assert "Nothing was held out to score" in found.reason
    assert "over-fitting was not measured" in found.reason


def test_the_docs_have_the_table_of_thresholds():
    page = (ROOT / "docs" / "report.md").read_text()
    rows = re.findall(r"^\| ([a-z -]+) \| (.+) \| (.+) \| (.+) \|$", page, re.M)
    assert {name: tuple(cells) for name, *cells in rows if name in THRESHOLDS} == THRESHOLDS
