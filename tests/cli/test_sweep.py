"""seqforge sweep: trials shared, killed and gone on with; ranges refused; the page."""

import json
import re
import shlex
import signal
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from tests import small_runs
from tests.cli.conftest import call
from tests.cli.interrupting import ctrl_c_at
from tests.patience import PATIENCE

KILLING = Path(__file__).with_name("killing.py")
TRIALS = 3


def words(source, *more):
    """A sweep of a few trials of a moment each."""
    return [
        "sweep", "text", source, "--trials", TRIALS, "--budget", "8steps",
        "--set-range", "model.hidden_size=4..24", "--set-range", "model.num_layers=1..2",
        "--embedding-size", 8, "--batch-size", 4, "--seq-len", 8, "--precision", "fp32",
        "--lanes", 1, "--device", "cpu", "--set", "training.num_evaluations=4", *more,
    ]  # fmt: skip


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return small_runs.material("text", tmp_path_factory.mktemp("text"))


@pytest.fixture(scope="module")
def whole(tmp_path_factory, source):
    """A sweep that nothing stopped, and what it said."""
    out = tmp_path_factory.mktemp("sweeps") / "whole"
    result = call(*words(source, "--out", out))
    assert result.exit_code == 0, result.stderr
    return out, result


def summary(out):
    return json.loads((out / "summary.json").read_text())


def came_to(out):
    """What each trial had and came to; the same in every sweep of one seed."""
    keys = ("number", "state", "settings", "bits", "weights")
    return [{key: trial[key] for key in keys} for trial in summary(out)["trials"]]


def test_each_trial_is_a_run_and_the_best_is_named(whole):
    out, result = whole
    found = summary(out)
    assert [trial["number"] for trial in found["trials"]] == list(range(TRIALS))
    assert {trial["state"] for trial in found["trials"]} == {"done"}
    assert len({json.dumps(trial["settings"]) for trial in found["trials"]}) == TRIALS
    for trial in found["trials"]:
        run = summary(out / trial["folder"])
        assert run["bits_per_symbol"]["valid"] == trial["bits"]
        assert (run["parameters"], run["memory"]) == (trial["weights"], None)
        assert run["model"]["hidden_size"] == trial["settings"]["model.hidden_size"]
        assert run["training"]["steps"] == 8
    best = min(found["trials"], key=lambda trial: trial["bits"])
    assert found["best"] == {
        "trial": best["number"], "bits": best["bits"], "settings": best["settings"]
    }  # fmt: skip
    assert f"needs the fewest bits: {best['bits']:.3f} per character" in result.stdout
    assert f"report: {out / 'report.html'}" in result.stdout


def test_the_page_has_the_line_of_the_rule_of_thumb_and_all_trials(whole):
    page = (whole[0] / "report.html").read_text()
    assert '<line class="mark"' in page
    assert "training characters</text>" in page
    assert "as many weights as there are training characters" in page
    assert page.count("<circle") == TRIALS
    assert page.count("<polyline") == TRIALS
    assert page.count('href="trials/00') == TRIALS


def files_of(folder):
    return {
        str(path.relative_to(folder)): sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_killed_in_the_middle_it_goes_on_with_nothing_lost(whole, source, start, tmp_path):
    """While the second trial trains, by a signal that nobody can catch."""
    out = tmp_path / "killed"
    # A trial writes this file at its four evaluations and at its end.
    process = start(*words(source, "--out", out), script=KILLING, KILL_AT="resume.safetensors",
                    KILL_TIMES="8")  # fmt: skip
    process.communicate(PATIENCE)
    assert process.returncode == -signal.SIGKILL
    first, second = out / "trials" / "000", out / "trials" / "001"
    assert [path.name for path in sorted((out / "trials").iterdir())] == ["000", "001"]
    finished, begun = files_of(first), (second / "metrics.jsonl").read_text().splitlines()
    assert len(begun) >= 2

    again = call(*words(source, "--out", out))

    assert again.exit_code == 0, again.stderr
    assert came_to(out) == came_to(whole[0])
    assert files_of(first) == finished
    after = (second / "metrics.jsonl").read_text().splitlines()
    assert after[: len(begun) - 1] == begun[:-1]  # with the times of then
    assert [json.loads(line)["step"] for line in after] == [2, 4, 6, 8]


def test_a_finished_sweep_does_nothing_and_says_it_again(whole, source):
    out, _ = whole
    before = files_of(out / "trials")
    again = call(*words(source, "--out", out, "--json"))
    assert again.exit_code == 0, again.stderr
    assert json.loads(again.stdout) == summary(out)
    assert files_of(out / "trials") == before


def test_two_processes_on_one_storage_share_the_trials(source, start, tmp_path):
    outs = [tmp_path / "a", tmp_path / "b"]
    storage = f"sqlite:///{tmp_path / 'shared.db'}"
    processes = [start(*words(source, "--out", out, "--storage", storage)) for out in outs]
    said = [process.communicate(PATIENCE) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], said

    assert came_to(outs[0]) == came_to(outs[1])
    assert [trial["number"] for trial in came_to(outs[0])] == list(range(TRIALS))
    folders = sorted(path.name for out in outs for path in out.glob("trials/*"))
    assert folders == [f"{number:03}" for number in range(TRIALS)]


def test_ctrl_c_says_how_to_go_on_and_the_same_command_does(whole, source, monkeypatch):
    command = words(source)
    monkeypatch.setattr(sys, "argv", ["seqforge", *map(str, command)])
    with ctrl_c_at("summary.json", 1):  # read when the first trial has ended
        stopped = call(*command)
    assert stopped.exit_code == 130
    (folder,) = Path("runs").iterdir()
    again = f"go on with: {shlex.join(['seqforge', *map(str, command), '--out', str(folder)])}"
    assert again in " ".join(stopped.stderr.split())
    assert (folder / "report.html").is_file()

    assert call(*command).exit_code == 0  # it finds the folder by itself

    assert list(Path("runs").iterdir()) == [folder]
    assert came_to(folder) == came_to(whole[0])


def test_a_recipe_that_is_a_sweep_is_run_as_one(source):
    Path("mine.toml").write_text(
        'domain = "text"\n[sweep]\ntrials = 9\nranges = {"model.hidden_size" = "8..8"}\n'
        '[model]\ncell = "gru"\nembedding_size = 8\n[training]\nbudget = "4steps"\n'
        'batch_size = 4\nseq_len = 8\nprecision = "fp32"\nlanes = 1\n'
    )
    result = call("run", "mine.toml", "--input", source, "--num-layers", 1, "--out", "s", "--json")
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)
    assert (found["ranges"], found["budget"]) == ({"model.hidden_size": "8..8"}, "4steps")
    assert len(found["trials"]) == found["wanted"] == 1  # there is one setting


REFUSED = [
    (["--set-range", "model.hidden_sise=8,16"], "did you mean model.hidden_size?"),
    (["--set-range", "model.hidden_size=512..64"], "model.hidden_size: the range 512..64 is empty"),
    (["--set-range", "model.hidden_size="], "model.hidden_size: the range is empty"),
    (["--set-range", "model.hidden_size=0..64"], "model.hidden_size: Input should be greater"),
    (["--set-range", "model.hidden_size=8..16.5"], "model.hidden_size: whole numbers are wanted"),
    (["--set-range", "model.hidden_size=8..many"], "model.hidden_size: 'many' is no number"),
    (["--set-range", "model.cell=gru,lstmm"], "model.cell: "),
    (["--set-range", "model.cell=1..2"], "model.cell: takes no number; name choices"),
    (["--set-range", "training.dropout"], "write KEY=a,b,c or KEY=lo..hi"),
    (["--set-range", "training.seed=1,2", "--seed", "3"], "training.seed: it was given a value"),
    (["--hidden-size", "8", "--num-layers", "1"], "every range has a value given"),
    (["--split", "90/0/10"], "has no valid part"),
    (["--storage", "postgresql://host/x"], "sqlite:///FILE is wanted"),
    (["--storage", "sqlite:///none/x.db"], "there is no folder none"),
    (["--input", "-"], "name files, and no pipe"),
]


@pytest.mark.parametrize(("more", "said"), REFUSED, ids=[" ".join(more) for more, _ in REFUSED])
def test_what_cannot_be_swept_is_one_sentence_before_any_trial(source, more, said):
    result = call("sweep", "text", source, "--out", "s", *more)
    assert result.exit_code == 1
    assert said in " ".join(result.stderr.split())
    assert not Path("s").exists()


def test_an_experiment_is_no_recipe_to_sweep():
    result = call("sweep", "counting", "--out", "s")
    assert result.exit_code == 1
    assert "counting is an experiment and has trials of its own" in " ".join(result.stderr.split())


def test_a_folder_of_something_else_and_another_sweep_are_refused(whole, source, tmp_path):
    other = call(*words(source, "--out", whole[0], "--seq-len", 16))
    assert other.exit_code == 1
    assert "begun with other settings (training.seq_len: 8 and 16)" in " ".join(
        other.stderr.split()
    )
    (tmp_path / "mine.txt").write_text("precious")
    foreign = call(*words(source, "--out", tmp_path))
    assert foreign.exit_code == 1
    assert "holds other files and no sweep" in foreign.stderr
    Path("not.db").write_text("precious " * 99)
    damaged = call(*words(source, "--out", "s", "--storage", "not.db"))
    assert damaged.exit_code == 1
    assert "cannot be used as the storage" in " ".join(damaged.stderr.split())
    assert Path("not.db").read_text() == "precious " * 99


def test_without_optuna_it_says_how_to_get_it(source, monkeypatch):
    for name in [name for name in sys.modules if re.match(r"seqforge\.runs\.sweep\.(st|pr)", name)]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "optuna", None)
    result = call(*words(source, "--out", "s"))
    assert result.exit_code == 1
    assert "pip install 'seqforge[sweep]'" in " ".join(result.stderr.split())


def test_no_other_command_imports_it():
    asked = "import sys, seqforge.cli.main; print({'optuna', 'sqlalchemy'} & sys.modules.keys())"
    found = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True)
    assert found.stdout == "set()\n", found.stderr
