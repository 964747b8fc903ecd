"""Words as symbols on the command line: a run, its page, samples, scores, what comes next."""

from __future__ import annotations

import json
import random

import pytest

from tests.cli.conftest import call

WORDS = ["the", "cat", "dog", "sat", "ran", "on", "under", "mat", "bed", "and", "then", "it's"]


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    """Sentences of a few words, some rare ones among them."""
    rng = random.Random(3)
    path = tmp_path_factory.mktemp("input") / "x.txt"
    lines = []
    for number in range(1_200):
        said = rng.choices(WORDS, k=6)
        if number % 20 == 0:
            said[2] = f"rare{number}"
        lines.append(" ".join(said).capitalize() + rng.choice([".", "!", ", yes."]))
    path.write_text("\n".join(lines) + "\n")
    return path


def run_of(text, folder):
    return ["run", "text", "--input", text, "--symbols", "words", "--min-count", 2,
            "--embedding-size", 16, "--hidden-size", 24, "--budget", "40steps", "--batch-size", 4,
            "--seq-len", 32, "--set", "sampling.length=40", "--set", "sampling.temperatures=[0.8]",
            "--save-memory", "--out", folder]  # fmt: skip


@pytest.fixture(scope="module")
def run(text, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run") / "run"
    result = call(*run_of(text, folder))
    assert result.exit_code == 0, result.stderr
    assert "bits per character, at" in result.stdout
    return folder


def test_the_page_gives_bits_per_symbol_and_per_character(run, text):
    summary = json.loads((run / "summary.json").read_text())
    spelled, bits = summary["spelled"], summary["headline"]["bits"]
    assert summary["unit"] == "symbol"
    assert spelled["bits_per_character"] == pytest.approx(
        bits / spelled["characters_per_symbol"], rel=1e-3
    )
    assert 3 < spelled["characters_per_symbol"] < 4
    assert 0.002 < spelled["unknown"] < 0.02, "each twentieth line has a word that is there once"
    assert summary["vocabulary_size"] < 40
    assert set(summary["report"]) >= {"characters in a symbol (mean)", "unknown words (share)"}
    assert summary["report"]["unknown words (share)"]["samples"] == 0
    page = (run / "report.html").read_text()
    assert "bits per symbol on held-out data" in page
    assert f"That is {spelled['bits_per_character']:.4f} bits per character" in page
    assert "are unknown words, which are not spelled and count as one character" in page


def test_compressors_are_given_the_text(run, text):
    """PPMd on words of two bytes each would find nothing in their letters."""
    bits = json.loads((run / "summary.json").read_text())["baseline_bits"]
    assert 0.5 * bits["witten-bell"] < bits["ppmd"] < 2 * bits["witten-bell"]
    assert bits["zlib"] > bits["ppmd"]


def test_samples_are_text_without_private_characters(run):
    written = (run / "samples" / "samples-t0.8.txt").read_text()
    assert not [letter for letter in written if ord(letter) >= 0xE000]
    words = set(written.replace(".", " ").replace("!", " ").replace(",", " ").split())
    assert len({word.lower() for word in words} & set(WORDS)) > 5


def test_a_prime_goes_before_a_sample_and_an_unknown_word_is_named(run, seqforge):
    drawn = seqforge("sample", run, "--prime", "The cat", "--length", 5, "--seed", 2)
    assert drawn.exit_code == 0, drawn.stderr
    assert drawn.stdout.startswith("The cat")
    again = seqforge("sample", run, "--prime", "The cat", "--length", 5, "--seed", 2)
    assert again.stdout == drawn.stdout
    with_memory = seqforge("sample", run, "--prime", "The cat", "--length", 5, "--memory")
    assert with_memory.exit_code == 0, with_memory.stderr
    assert with_memory.stdout.startswith("The cat")
    refused = seqforge("sample", run, "--prime", "The zebra", "--length", 5)
    assert refused.exit_code == 1
    assert "the prime: 'zebra' at position 2 is not a symbol of this model" in refused.stderr
    mapped = seqforge("sample", run, "--prime", "The zebra", "--length", 5, "--unknown", "map")
    assert mapped.exit_code == 0, mapped.stderr
    assert "taken for the unknown symbol: 'zebra' once" in mapped.stderr


def test_next_says_words(run, seqforge):
    result = seqforge("next", run, "The cat", "-k", 40, "--json")
    assert result.exit_code == 0, result.stderr
    rows = json.loads(result.stdout)
    assert sum(row["probability"] for row in rows) == pytest.approx(1)
    assert {"cat", "it's", "Then", ".", "\n"} <= {row["symbol"] for row in rows}


def test_evaluate_gives_both(run, text, seqforge):
    result = seqforge("evaluate", run, text, "--json")
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)
    assert found["spelled"]["bits_per_character"] == pytest.approx(
        found["bits_per_symbol"] / found["spelled"]["characters_per_symbol"], rel=1e-3
    )
    shown = seqforge("evaluate", run, text)
    assert "bits per character, at" in shown.stdout
    refused = seqforge("inspect", run, text)
    assert refused.exit_code == 1
    assert "inspect looks at what is so at each character" in refused.stderr


def test_the_same_command_again_and_more_training_keep_the_words(run, text, seqforge, tmp_path):
    again = seqforge(*run_of(text, run))
    assert again.exit_code == 0, again.stderr
    assert "finished" in again.stderr + again.stdout
    more = tmp_path / "more.txt"
    more.write_text(text.read_text().replace("dog", "yak"))
    result = seqforge("train", "text", more, "--init", run, "--budget", "5steps", "--batch-size", 4,
                      "--seq-len", 32, "--out", tmp_path / "more")  # fmt: skip
    assert result.exit_code == 0, result.stderr
    one, two = ((folder / "config.toml").read_text() for folder in (run, tmp_path / "more"))
    table = next(line for line in one.splitlines() if line.startswith("word_table"))
    assert table in two.splitlines()
