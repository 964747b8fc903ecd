"""N-gram models beside the networks: train, run, sample, evaluate, show; what they lack."""

import json
import math
from collections import Counter, defaultdict

import numpy as np
import pytest

from seqforge import load, train
from seqforge.core.model.checkpoint import load_checkpoint, read_arrays, write_arrays
from seqforge.errors import CheckpointError
from tests.cli.conftest import call
from tests.small_runs import text

LETTERS = text(9_000)
SMALL = ("--set", "sampling.length=60", "--set", "sampling.count=1")


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ngrams")
    (folder / "words.txt").write_text(LETTERS)
    (folder / "other.txt").write_text("the cat lay on it while dogs sat.\na mad cat sat" * 10)
    return folder


@pytest.fixture(scope="module")
def counted(material):
    """A run of order 3 without smoothing."""
    out = material / "counted"
    result = call(
        "run", "text", material / "words.txt", "--cell", "ngram", "--order", 3, "--out", out, *SMALL
    )
    assert result.exit_code == 0, result.stderr
    return out


def plain(training, held_out, order):
    """Bits of each held-out symbol by counts in dictionaries; the last one is the end."""
    counts = defaultdict(Counter)
    for record, found in ((training, None), (held_out, [])):
        padded = "$" * order + record + "$"
        for place in range(order, len(padded)):
            context, symbol = padded[place - order : place], padded[place]
            if found is None:
                counts[context][symbol] += 1
                continue
            seen = counts[context][symbol] / max(1, counts[context].total())
            found.append(-math.log2(seen) if seen else math.inf)
    return np.array(found)


def test_scores_are_those_of_dictionaries(counted, material):
    """The training part is the beginning of the file."""
    summary = json.loads((counted / "summary.json").read_text())
    training = LETTERS[: summary["symbols"]["train"]]
    other = (material / "other.txt").read_text()
    bits = plain(training, other, 3)[:-1]
    known = set(training)
    assert set(other) <= known
    model = load(counted)
    assert model.score(other) == pytest.approx(bits)

    found = json.loads(call("evaluate", counted, material / "other.txt", "--json").stdout)
    assert found["bits_per_symbol"] is None
    assert found["perplexity"] is None
    every = plain(training, other, 3)
    seen = every[np.isfinite(every)]
    assert found["never_seen"] == len(every) - len(seen) > 0
    assert found["bits_of_seen"] == pytest.approx(seen.mean(), abs=1e-4)
    shown = call("evaluate", counted, material / "other.txt").stdout
    assert f"{found['never_seen']} were never seen after their contexts" in shown


def test_a_run_leaves_what_runs_leave(counted):
    summary = json.loads((counted / "summary.json").read_text())
    assert summary["model"] == {"cell": "ngram", "order": 3, "smoothing": "none"}
    never, bits = summary["ngram"]["never_seen"], summary["bits_per_symbol"]
    for part in ("valid", "test"):
        assert (bits[part] is None) == (never[part] > 0)
    assert summary["parameters"] == len(load_checkpoint(counted / "model.safetensors").weights[
        "grams"
    ])  # fmt: skip
    assert {path.name for path in counted.iterdir()} >= {"report.html", "metrics.jsonl", "samples"}
    assert {chip["name"] for chip in summary["verdict"]["chips"]}.isdisjoint(
        {"enough training", "over-fitting"}
    )
    assert "N-grams of order 3, unsmoothed" in (counted / "report.html").read_text()


def test_the_same_command_again_does_nothing_and_another_order_is_another_run(counted, material):
    again = ("run", "text", material / "words.txt", "--cell", "ngram", *SMALL, "--out", counted)
    before = (counted / "model.safetensors").read_bytes()
    assert call(*again, "--order", 3).exit_code == 0
    assert (counted / "model.safetensors").read_bytes() == before
    result = call(*again, "--order", 4)
    assert result.exit_code == 1
    assert "model.order: 3 and 4" in result.stderr


def test_from_python(material):
    out = material / "python"
    run = train("text", material / "words.txt", cell="ngram", order=5, smoothing="kneser-ney",
                out=out)  # fmt: skip
    model = run.model
    assert run.summary["ngram"]["never_seen"] == {"valid": 0, "test": 0}
    assert run.summary["headline"]["what"] == "ngram"
    assert run.summary["bits_per_symbol"]["test"] < run.summary["baselines"]["uniform"]
    (likeliest, *_), others = model.next("the ca"), model.next("the ca", k=99)
    assert likeliest.symbol == "t"
    assert sum(row.probability for row in others) == pytest.approx(1)
    assert 2.0 ** -model.score("the cat")[-1] == pytest.approx(likeliest.probability, rel=1e-5)
    (sample,) = model.sample(length=200, seed=4)
    assert set(sample.symbols) <= set(LETTERS)
    assert model.sample(length=200, seed=4) == [sample]


def test_a_prime_that_was_never_seen_is_told_of(counted):
    result = call("sample", counted, "--prime", "ttttt", "--max-length", 20)
    assert result.exit_code == 0
    assert "training never had its last 3 symbols" in result.stderr
    assert "training never had" in call("next", counted, "ttttt").stderr
    assert not call("next", counted, "sat on a ca").stderr


def test_what_networks_have_is_refused_in_a_sentence(counted, material):
    words = material / "words.txt"
    for command, said in (
        (("train", "text", words, "--cell", "ngram", "--hidden-size", 9, "--budget", "1m"),
         "no budget or hidden_size; it has order and smoothing"),
        (("train", "text", words, "--cell", "ngram", "--dropout", 0.5), "no dropout"),
        (("train", "text", words, "--cell", "ngram", "--memory"), "no memory"),
        (("train", "text", words, "--cell", "ngram", "--init", "shakespeare"), "leave out --init"),
        (("train", "text", words, "--init", counted), "holds counts and no weights"),
        (("train", "text", words, "--order", 4), "a network has no order"),
        (("train", "text", words, "--cell", "ngram", "--attention", 3), "and has no attention"),
        (("sample", counted, "--prime", "the", "--adapt", 1), "no weights to adapt"),
        (("sample", counted, "--drive", "0:1=1"), "no units to hold"),
        (("sample", counted, "--memory"), "no memory beside it"),
        (("sample", counted, "--device", "cuda"), "read on the CPU alone"),
        (("inspect", counted, words), "no units to inspect"),
        (("evaluate", counted, words, "--memory"), "leave out --memory"),
    ):  # fmt: skip
        result = call(*command)
        assert result.exit_code == 1, command
        assert said in " ".join(result.stderr.split())


def test_its_card_says_what_it_is(counted):
    shown = call("models", "show", counted).stdout
    assert "n-grams of order 3, unsmoothed" in shown
    assert "counted" in shown


def test_counts_that_no_text_has_are_refused(counted, tmp_path):
    path = tmp_path / "model.safetensors"
    header, arrays = read_arrays(counted / "model.safetensors")
    write_arrays(path, header, arrays)
    assert load_checkpoint(path).card.name == "counted"
    for changed, said in (
        ({"counts": arrays["counts"] * 0}, "of no symbol, or counted 0 times"),
        ({"counts": arrays["counts"][1:]}, "counts has the shape"),
        ({"levels": arrays["levels"].astype(np.float32)}, "levels is of type F32, not I64"),
        ({"grams": arrays["grams"][::-1].copy()}, "is out of order, of no symbol"),
    ):
        write_arrays(path, header, {**arrays, **changed})
        with pytest.raises(CheckpointError, match=said):
            load_checkpoint(path)
