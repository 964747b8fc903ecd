"""Records with labels, from files to samples of a label."""

import json
import random

import pytest

from seqforge import load
from seqforge.core.model.checkpoint import load_labelled
from tests.cli.conftest import small
from tests.cli.interrupting import ctrl_c_at
from tests.forking import two_ranks
from tests.patience import PATIENCE

LETTERS = {"soft": "aeiou", "hard": "kptbg", "round": "omnlo"}


def words(letters, count, seed):
    draw = random.Random(seed)
    return ["".join(draw.choices(letters, k=draw.randint(3, 8))) for _ in range(count)]


def fill(folder, count=400):
    """A file a label, whose words are of its own letters."""
    folder.mkdir()
    for seed, (label, letters) in enumerate(LETTERS.items()):
        (folder / f"{label}.txt").write_text("\n".join(words(letters, count, seed)) + "\n")
    return folder


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A run on such words; read it only."""
    from tests.cli.conftest import call

    folder = tmp_path_factory.mktemp("labels")
    order = ["run", "text", fill(folder / "words"), "--labels", *small(folder / "run"),
             "--budget", "150steps", "--learning-rate", "0.02"]  # fmt: skip
    result = call(*order)
    assert result.exit_code == 0, result.stderr
    return folder


def plain(text):
    return " ".join(text.split())


def share_of_its_letters(label, drawn):
    text = "".join(drawn)
    return sum(letter in LETTERS[label] for letter in text) / max(1, len(text))


@pytest.mark.parametrize("label", LETTERS)
def test_samples_are_of_the_label_that_is_asked_for(made, seqforge, label):
    result = seqforge("sample", made / "run", "--label", label, "-n", 40)

    assert result.exit_code == 0, result.stderr
    assert share_of_its_letters(label, result.stdout.split()) > 0.9
    document = json.loads(seqforge("sample", made / "run", "--label", label, "--json").stdout)
    assert f'"{label}"' in json.dumps(document), "the sample says of which label it is"
    likely = json.loads(seqforge("next", made / "run", "--label", label, "-k", 3, "--json").stdout)
    assert {row["symbol"] for row in likely} <= set(LETTERS[label])


def test_the_page_says_what_the_label_brings(made):
    summary = json.loads((made / "run" / "summary.json").read_text())
    labels = summary["labels"]

    assert labels["with_label"] == pytest.approx(summary["bits_per_symbol"]["test"], abs=1e-3)
    assert labels["without_label"] > labels["with_label"] + 0.1
    assert labels["recall"] > 0.8
    assert [row["name"] for row in labels["labels"]] == sorted(LETTERS)
    assert sum(row["share"] for row in labels["labels"]) == pytest.approx(1, abs=1e-3)
    page = (made / "run" / "report.html").read_text()
    assert "What the label brings" in page
    for row in summary["samples"]:
        assert row["count"] == 9
        assert len(row["files"]) == 3
        for file, label in zip(row["files"], sorted(LETTERS), strict=True):
            assert file.endswith(f"-{label}.txt")
            assert (made / "run" / file).is_file()


def test_labelled_files_are_scored_under_their_labels(made, seqforge, tmp_path):
    for label, letters in LETTERS.items():
        (tmp_path / f"{label}.txt").write_text("\n".join(words(letters, 60, 9)))
    (tmp_path / "wrong").mkdir()
    (tmp_path / "wrong" / "hard.txt").write_text((tmp_path / "soft.txt").read_text())

    def scored(*paths):
        result = seqforge("evaluate", made / "run", *paths, "--json")
        assert result.exit_code == 0, result.stderr
        return json.loads(result.stdout)["bits_per_symbol"]

    assert scored(tmp_path / "soft.txt") + 1 < scored(tmp_path / "wrong" / "hard.txt")
    assert scored(tmp_path / "soft.txt", tmp_path / "hard.txt") < 4
    (tmp_path / "other.txt").write_text("\n".join(words("xyz", 60, 9)))
    said = seqforge("evaluate", made / "run", tmp_path / "other.txt")
    assert said.exit_code != 0


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["sample"], "is a model of labels, and none is named; it has hard, round, soft"),
        (["sample", "--label", "sofft"], "no label 'sofft'; it has hard, round, soft; did you"),
        (["inspect", "--label"], "No such option"),
    ],
)
def test_what_is_wrong_with_a_label_is_said(made, seqforge, words, sentence):
    result = seqforge(words[0], made / "run", *words[1:])

    assert result.exit_code != 0
    assert sentence in plain(result.stderr)


def test_a_label_of_a_model_without_labels_is_refused(text_model, seqforge):
    result = seqforge("sample", text_model, "--label", "Italian")

    assert result.exit_code != 0
    assert "was trained without labels; leave out --label" in plain(result.stderr)


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (["--cell", "ngram"], "an n-gram model knows no labels"),
        (["--set", "model.tied=true"], "tied weights know no labels"),
        (["--save-memory"], "a memory knows no labels"),
    ],
)
def test_what_does_not_go_with_labels_is_refused(made, seqforge, tmp_path, more, sentence):
    options = small(tmp_path / "run")
    if "ngram" in more:
        options = ["--out", tmp_path / "run"]
    result = seqforge("train", "text", made / "words", "--labels", *options, *more)

    assert result.exit_code != 0
    assert sentence in plain(result.stderr)


def test_files_that_are_no_labelled_records_are_refused(seqforge, tmp_path):
    (tmp_path / "one.txt").write_text("\n".join(words("abc", 300, 1)))
    (tmp_path / "table.tsv").write_text("anna\tfirst\nberta\n")

    one = seqforge("train", "text", tmp_path / "one.txt", "--labels", *small(tmp_path / "a"))
    table = seqforge("train", "text", tmp_path / "table.tsv", "--labels", *small(tmp_path / "b"))
    folders = seqforge("train", "text", tmp_path / "one.txt", "--label-folders",
                       *small(tmp_path / "c"))  # fmt: skip

    assert "all records have the label 'one'; give records of two" in plain(one.stderr)
    assert "table.tsv: line 2: a line of a table is a text, a TAB" in plain(table.stderr)
    assert "--label-folders says where labels are" in plain(folders.stderr)


def test_tables_and_folders_have_labels_too(seqforge, tmp_path):
    lines = [f"{word}\t{label}" for seed, (label, letters) in enumerate(LETTERS.items())
             for word in words(letters, 300, seed)]  # fmt: skip
    (tmp_path / "table.tsv").write_text("\n".join(lines))
    for label, letters in LETTERS.items():
        (tmp_path / "in" / label).mkdir(parents=True)
        for number, word in enumerate(words(letters, 200, 5)):
            (tmp_path / "in" / label / f"{number}.txt").write_text(f"{word}\n{word[::-1]}{number}")

    orders = {"table": [tmp_path / "table.tsv"], "in": [tmp_path / "in", "--label-folders"]}
    for name, order in orders.items():
        result = seqforge("train", "text", *order, "--labels", *small(tmp_path / f"{name}-run"))
        assert result.exit_code == 0, result.stderr
        card = load_labelled(tmp_path / f"{name}-run" / "model.safetensors").card
        assert card.labels == ("hard", "round", "soft")


def test_genomes_have_the_labels_of_their_files(seqforge, tmp_path):
    draw = random.Random(3)
    for name, weights in (("rich", (1, 4, 4, 1)), ("poor", (4, 1, 1, 4))):
        contigs = ["".join(draw.choices("ACGT", weights, k=200)) for _ in range(60)]
        text = "".join(f">{name}{n}\n{contig}\n" for n, contig in enumerate(contigs))
        (tmp_path / f"{name}.fa").write_text(text)

    result = seqforge("train", "genome", tmp_path / "rich.fa", tmp_path / "poor.fa", "--labels",
                      *small(tmp_path / "run"), "--budget", "60steps")  # fmt: skip

    assert result.exit_code == 0, result.stderr
    drawn = {}
    for label in ("rich", "poor"):
        samples = load(tmp_path / "run", label=label).sample(8, length=200, seed=1)
        text = "".join(one.symbols for one in samples)
        drawn[label] = sum(base in "GC" for base in text) / len(text)
    assert drawn["rich"] > drawn["poor"] + 0.2


def test_stopped_it_goes_on_as_if_it_had_not_been(made, seqforge, tmp_path):
    order = ["train", "text", made / "words", "--labels", "--set", "training.scheduled_sampling=.2",
             "--set", "training.ema_share=0.2", "--lanes", 1]  # fmt: skip
    whole = seqforge(*order, *small(tmp_path / "whole"))
    assert whole.exit_code == 0, whole.stderr

    with ctrl_c_at("metrics.jsonl", 3):
        stopped = seqforge(*order, *small(tmp_path / "run"))
    after = seqforge(*order, *small(tmp_path / "run"))

    assert stopped.exit_code != 0
    assert after.exit_code == 0, after.stderr
    one, other = (load_labelled(tmp_path / name / "model.safetensors").weights
                  for name in ("run", "whole"))  # fmt: skip
    assert {k: v.tobytes() for k, v in one.items()} == {k: v.tobytes() for k, v in other.items()}


def test_two_processes_train_the_model_of_one(made, start, seqforge, tmp_path):
    order = ["train", "text", made / "words", "--labels"]
    ranks = two_ranks(start, *order, *small(tmp_path / "both"), "--lanes", 1)
    said = [one.communicate(timeout=PATIENCE) for one in ranks]
    assert [one.returncode for one in ranks] == [0, 0], said
    one = seqforge(*order, *small(tmp_path / "one"), "--lanes", 2)
    assert one.exit_code == 0, one.stderr

    ours, theirs = (load_labelled(tmp_path / name / "model.safetensors").weights
                    for name in ("both", "one"))  # fmt: skip
    assert max(abs(ours[name] - theirs[name]).max() for name in ours) < 1e-4


def test_it_goes_on_from_a_model_without_labels(made, seqforge, tmp_path):
    order = ["train", "text", made / "words"]
    first = seqforge(*order, "--separator", "\\n", *small(tmp_path / "plain"))
    assert first.exit_code == 0, first.stderr
    result = seqforge(*order, "--labels", "--init", tmp_path / "plain", *small(tmp_path / "run"))

    assert result.exit_code == 0, result.stderr
    assert "held-out before the first step" in result.stderr
    back = seqforge(*order, "--labels", "--init", made / "run", *small(tmp_path / "again"))
    assert "is a model of labels" in plain(back.stderr)
