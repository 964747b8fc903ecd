"""Trials in the storage: who owns which, and what a killed process may leave."""

from statistics import median

import optuna
import pytest

from seqforge.runs.sweep.ranges import Choices, Interval
from seqforge.runs.sweep.study import SweepSpace, SweepStudy

RANGES = [
    Interval("model.hidden_size", 64, 512, whole=True, log=True, multiple=16),
    Interval("training.learning_rate", 1e-3, 1e-1, whole=False, log=True),
    Choices("model.cell", ("gru", "lstm")),
]


@pytest.fixture
def opened(tmp_path):
    """Opens the same storage, as another process would."""

    def opened(ranges=RANGES, first=None, seed=0, allowed=lambda settings: True):
        space = SweepSpace(ranges, first or {}, seed, allowed)
        return SweepStudy(tmp_path / "s.db", {"recipe": "text"}, space)

    return opened


def drawn(study, count, folder):
    """Settings of so many trials, each of a value that follows from them."""
    found = []
    for _ in range(count):
        claimed = study.claim(count, folder)
        found.append(claimed.settings)
        study.tell(claimed, claimed.settings["training.learning_rate"], {})
    return found


def underneath(study):
    """Optuna's own study, for what a killed process leaves half done."""
    return study._study


def test_the_same_seed_draws_the_same_and_another_others(opened, tmp_path):
    first = drawn(opened(), 8, tmp_path)
    (tmp_path / "s.db").unlink()
    assert drawn(opened(), 8, tmp_path) == first
    (tmp_path / "s.db").unlink()
    assert drawn(opened(seed=1), 1, tmp_path) != first[:1]
    assert len({str(one) for one in first}) == 8
    for one in first:
        assert 64 <= one["model.hidden_size"] <= 512
        assert one["model.hidden_size"] % 16 == 0
        assert 1e-3 <= one["training.learning_rate"] <= 1e-1
        assert one["model.cell"] in ("gru", "lstm")


def test_what_the_first_trials_came_to_moves_the_later_ones(opened, tmp_path):
    """Lower is better here, and the middle of what is drawn at random is 0.01."""
    found = [one["training.learning_rate"] for one in drawn(opened(), 14, tmp_path)]
    assert median(found[6:]) < 0.005


def test_the_recipes_own_settings_come_first_if_they_lie_in_the_ranges(opened, tmp_path):
    own = {"model.hidden_size": 384, "training.learning_rate": 4e-3, "model.cell": "gru"}
    assert opened(first=own).claim(3, tmp_path).settings == own
    (tmp_path / "s.db").unlink()
    assert opened(first=own | {"model.hidden_size": 600}).claim(3, tmp_path).settings != own


def test_settings_come_once_until_none_is_left(opened, tmp_path):
    small = [Choices("a", (1, 2, 3)), Interval("b", 1, 2, whole=True, log=False)]
    study = opened(ranges=small, allowed=lambda settings: settings != {"a": 2, "b": 2})
    seen = []
    while (claimed := study.claim(99, tmp_path)) is not None:
        seen.append((claimed.settings["a"], claimed.settings["b"]))
        study.tell(claimed, 1.0, {})
    assert sorted(seen) == [(1, 1), (1, 2), (2, 1), (3, 1), (3, 2)]


def test_two_processes_claim_different_trials_and_no_more_than_wanted(opened, tmp_path):
    mine, theirs = opened(), opened()
    claims = [study.claim(3, tmp_path) for study in (mine, theirs, mine, theirs)]
    assert [one and one.number for one in claims] == [0, 1, 2, None]
    assert theirs.open()
    mine.tell(claims[0], None, {"reason": "no"})
    assert [study.finished() for study in (mine, theirs)] == [1, 1]
    assert theirs.claim(3, tmp_path) is None


def test_a_trial_that_was_let_go_is_gone_on_with_by_whoever_comes_next(opened, tmp_path):
    mine, theirs = opened(), opened()
    left = mine.claim(3, tmp_path / "mine")
    left.folder.mkdir(parents=True)
    assert theirs.claim(1, tmp_path / "theirs") is None
    mine.let_go(left)
    again = theirs.claim(1, tmp_path / "theirs")
    assert (again.number, again.settings) == (left.number, left.settings)
    assert again.folder.samefile(left.folder)


@pytest.mark.parametrize("moment", ["enqueued", "asked", "half suggested"])
def test_a_claim_that_was_killed_half_way_is_completed(opened, tmp_path, moment):
    whole = opened().claim(5, tmp_path).settings
    (tmp_path / "s.db").unlink()
    study = opened()
    study._enqueued([])
    if moment != "enqueued":
        trial = underneath(study).ask()
        if moment == "half suggested":
            trial.suggest_int("model.hidden_size", 64, 512, log=True)

    claimed = opened().claim(1, tmp_path)

    assert (claimed.number, claimed.settings) == (0, whole)
    assert len(opened().trials()) == 1


def test_a_trial_that_ended_elsewhere_is_told_once(opened, tmp_path):
    study = opened()
    claimed = study.claim(1, tmp_path)
    underneath(study).tell(claimed.trial, 2.0)
    study.tell(claimed, 3.0, {})
    assert [trial.value for trial in study.trials()] == [2.0]
    assert study.claim(1, tmp_path) is None


def test_the_storage_is_optunas_own(opened, tmp_path):
    drawn(opened(), 2, tmp_path)
    study = optuna.load_study(study_name=None, storage=f"sqlite:///{tmp_path / 's.db'}")
    assert [trial.state.name for trial in study.trials] == ["COMPLETE"] * 2
