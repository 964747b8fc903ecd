"""Tasks beside generation from the command line: run, resume, ask; what they refuse."""

import json
import random
import re
import signal
from pathlib import Path

import pytest

from seqforge.core.model.checkpoint import read_arrays
from tests.cli.conftest import call
from tests.patience import PATIENCE

KILLING = Path(__file__).with_name("killing.py")
SIZE = [
    "--cell", "gru", "--hidden-size", 16, "--embedding-size", 8, "--batch-size", 16,
    "--learning-rate", 1e-2, "--precision", "fp32", "--split", "60/20/20",
    "--set", "training.num_evaluations=4",
]  # fmt: skip


def words(count, letters, seed):
    draw = random.Random(seed)
    return ["".join(draw.choices(letters, k=draw.randint(3, 9))) for _ in range(count)]


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    """Words of two made-up languages; sums of letters labelled; words turned round."""
    folder = tmp_path_factory.mktemp("tasks")
    names = folder / "names"
    names.mkdir()
    (names / "Northern.txt").write_text("\n".join(words(120, "abcdefgh", 1)))
    (names / "Southern.txt").write_text("\n".join(words(90, "efghijkl", 2)))
    labelled = [
        "".join("v" if one in "aeiou" else "c" for one in w) for w in words(150, "aeibcd", 3)
    ]
    rows = zip(words(150, "aeibcd", 3), labelled, strict=True)
    (folder / "vowels.tsv").write_text("".join(f"{a}\t{b}\n" for a, b in rows))
    turned = words(300, "abcd", 4)
    (folder / "turned.tsv").write_text("".join(f"{w}\t{w[::-1]}\n" for w in turned))
    return folder


@pytest.fixture(scope="module")
def classified(material):
    out = material / "classified"
    result = call(
        "run", "text", material / "names", "--task", "classify", "--budget", "60steps", *SIZE,
        "--lanes", 2, "--set", "model.ngrams=3", "--out", out,
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    return out


def test_a_run_says_how_good_it_is_beside_a_linear_model(classified):
    summary = json.loads((classified / "summary.json").read_text())
    assert summary["task"] == "classify"
    assert summary["metrics_part"] == "test"
    assert 0.85 < summary["metrics"]["accuracy"] <= 1
    assert set(summary["baseline_metrics"]) == {"accuracy", "macro_f1"}
    page = (classified / "report.html").read_text()
    assert "Northern taken for Southern" in page
    assert "linear model on 1-4-grams" in page


def test_classes_have_probabilities(classified):
    found = json.loads(call("classify", classified, "abcabc", "--json").stdout)
    assert found[0]["label"] == "Northern"
    assert sum(one["probability"] for one in found) == pytest.approx(1, abs=1e-4)
    several = json.loads(call("classify", classified, "abcabc", "klijkl", "--json").stdout)
    assert [rows[0]["label"] for rows in several] == ["Northern", "Southern"]


def test_a_file_gives_a_line_a_text(classified, tmp_path):
    (tmp_path / "some.txt").write_text("abcabc\n\nklijkl\n")
    lines = call("classify", classified, "--input", tmp_path / "some.txt").stdout.splitlines()
    assert [line.split("\t")[0] for line in lines] == ["abcabc", "klijkl"]
    assert [line.split("\t")[1].split()[0] for line in lines] == ["Northern", "Southern"]


def test_labels_are_learnt_and_told_apart(material, tmp_path):
    result = call(
        "run", "text", material / "vowels.tsv", "--task", "label", "--budget", "60steps", *SIZE,
        "--out", tmp_path / "run",
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["metrics"]["accuracy"] > 0.98


def test_translations_are_learnt_and_shown(material, tmp_path):
    order = [
        "run",
        "text",
        material / "turned.tsv",
        "--task",
        "translate",
        "--out",
        tmp_path / "run",
    ]
    result = call(*order, "--budget", "250steps", *SIZE, "--hidden-size", 32)
    assert result.exit_code == 0, result.stderr
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    beside = summary["baseline_metrics"]
    assert summary["metrics"]["token_accuracy"] > beside["token_accuracy"]
    found = json.loads(call("translate", tmp_path / "run", "abc", "--json").stdout)
    assert set(found) == {"text", "log_probability"}
    assert 'class="cell"' in (tmp_path / "run" / "report.html").read_text(), "its attention"


def test_a_recipe_makes_its_own_examples(tmp_path):
    order = [
        "run", "dates", "--budget", "20steps", *SIZE, "--set", "data.made_examples=300",
        "--out", tmp_path / "run",
    ]  # fmt: skip
    result = call(*order)
    assert result.exit_code == 0, result.stderr
    made = (tmp_path / "run" / "dates.tsv").read_text().splitlines()
    assert len(made) == 300
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert sum(summary["records"].values()) == len(set(made))
    again = call(*order)
    assert again.exit_code == 0, again.stderr

    found = call("translate", tmp_path / "run", "3 May 2021", "é 3 May 2021", "--json")
    assert found.exit_code == 0
    assert "has not learnt '\\xe9'; it reads" in found.stderr
    assert len(json.loads(found.stdout)) == 2
    empty = call("translate", tmp_path / "run", " ")
    assert empty.exit_code == 1
    assert "one of the texts is empty" in empty.stderr


@pytest.mark.parametrize(
    ("killed_at", "task", "more"),
    [
        (2, "classify", []),
        (4, "classify", []),
        (3, "translate", ["--set", "training.scheduled_sampling=0.3"]),
    ],
)
def test_a_killed_training_goes_on_to_the_same_model(
    material, tmp_path, killed_at, task, more, start
):
    """Killed as its state is put in place: what is kept is that of before."""
    given = material / ("names" if task == "classify" else "turned.tsv")
    order = [
        "train", "text", given, "--task", task, "--budget", "40steps", *SIZE, *more,
        "--dropout", 0.2, "--lanes", 1, "--set", "training.ema_share=0.3",
    ]  # fmt: skip
    whole = call(*order, "--out", tmp_path / "whole")
    assert whole.exit_code == 0, whole.stderr

    where = {"KILL_AT": "resume.safetensors", "KILL_TIMES": str(killed_at - 1)}
    killed = start(*order, "--out", tmp_path / "killed", script=KILLING, **where)
    killed.communicate(PATIENCE)
    assert killed.returncode == -signal.SIGKILL
    again = call(*order, "--out", tmp_path / "killed")
    assert again.exit_code == 0, again.stderr
    ours, theirs = (
        read_arrays(tmp_path / name / "model.safetensors")[1] for name in ("whole", "killed")
    )
    assert all((ours[name] == theirs[name]).all() for name in ours)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--task", "classify", "--set", "model.stride=3"], "that classifies has no stride"),
        (["--task", "classify", "--cell", "ngram"], "n-grams"),
        (["--bidirectional"], "reads what comes before a symbol, never what comes after"),
        (["--task", "translate"], "files without tables|parallel"),
    ],
)
def test_what_does_not_go_together_is_refused(material, tmp_path, more, said):
    result = call("run", "text", material / "names", "--out", tmp_path / "run", *more)
    assert result.exit_code == 1
    assert re.search(said, result.stderr), result.stderr


def test_a_class_with_one_example_is_named_with_its_line(tmp_path):
    (tmp_path / "few.tsv").write_text("ab\tx\ncd\tx\nef\tlonely\n")
    result = call(
        "run", "text", tmp_path / "few.tsv", "--task", "classify", "--out", tmp_path / "r"
    )
    assert result.exit_code == 1
    assert "few.tsv: line 3: the class 'lonely' has this one example" in result.stderr


def test_a_model_is_asked_only_for_what_it_does(classified, text_model):
    drawn = call("sample", classified)
    assert drawn.exit_code == 1
    assert "classifies and does not generate; give it to seqforge classify" in drawn.stderr
    other = call("classify", text_model, "word")
    assert other.exit_code == 1
    assert "is a model of the task generate, not classify" in other.stderr
    assert "there is no text" in call("classify", classified).stderr


def test_its_card_says_what_it_is_for(classified):
    shown = call("models", "show", classified).stdout
    assert re.search(r"task +classify \(2: Northern, Southern\)", shown)


def test_a_finished_run_says_its_measures(material, classified):
    again = call("run", "text", material / "names", "--out", classified, "--resume")
    assert re.search(r"accuracy 0\.\d+ \(0\.\d+\), .* linear model", again.stdout), again.stderr


def test_a_domain_without_examples_says_so(tmp_path):
    (tmp_path / "a.abc").write_text("X:1\nK:C\nCDEF|\n")
    result = call("run", "music", tmp_path / "a.abc", "--task", "classify", "--out", tmp_path / "r")
    assert result.exit_code == 1
    assert "the domain music reads no examples" in result.stderr
