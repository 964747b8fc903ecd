"""Going on from a model: its weights, its symbols, its settings; and what contradicts them."""

import json
import tomllib

import numpy as np
import pytest

from seqforge.base.folders import sha256_of
from seqforge.core.model.checkpoint import load_checkpoint
from tests.cli.conftest import small
from tests.cli.interrupting import ctrl_c_at

TEXT = "the cat sat on the mat, and the dog lay by the door. " * 400


@pytest.fixture(scope="module")
def parent(tmp_path_factory):
    """A model of a text, made once."""
    from typer.testing import CliRunner

    from seqforge.cli.main import app

    folder = tmp_path_factory.mktemp("parent")
    (folder / "text.txt").write_text(TEXT)
    arguments = [
        "train",
        "text",
        folder / "text.txt",
        *small(folder / "run"),
        "--budget",
        "150steps",
    ]
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return folder


def more(out, *options):
    """Options of a short run that goes on."""
    return ["--out", out, "--budget", "20steps", "--batch-size", 8, "--seq-len", 16,
            "--precision", "fp32", "--set", "memory.enabled=false", *options]  # fmt: skip


def plain(text):
    return " ".join(text.split())


def test_it_starts_where_the_model_stands(seqforge, parent, tmp_path):
    """The held-out score before the first step is the model's own; the network is its network."""
    summary = json.loads((parent / "run" / "summary.json").read_text())
    bits = summary["bits_per_symbol"]

    result = seqforge("train", "text", parent / "text.txt", *more(tmp_path / "run"),
                      "--init", parent / "run", "--learning-rate", "0.0001")  # fmt: skip

    assert result.exit_code == 0, result.stderr
    assert f"starting from {parent / 'run'} ({bits['test']:.4f} bits)\n" in result.stderr
    assert f"held-out before the first step: {bits['valid']:.4f} bits" in result.stderr
    after = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert after["parameters"] == summary["parameters"]
    assert after["bits_per_symbol"]["valid"] <= bits["valid"] + 1e-4
    digest = sha256_of(parent / "run" / "model.safetensors")
    assert after["init"]["sha256"] == digest
    made = load_checkpoint(tmp_path / "run" / "model.safetensors").card.provenance
    assert [(one.name, one.sha256, one.steps) for one in made.ancestors] == [("run", digest, 150)]
    shown = seqforge("models", "show", tmp_path / "run").stdout
    assert f"started from run ({digest[:12]})" in plain(shown)


def test_a_new_symbol_is_an_error_that_names_it(seqforge, parent, tmp_path):
    (tmp_path / "new.txt").write_text(TEXT.replace("dog", "Dög"))
    result = seqforge("train", "text", tmp_path / "new.txt", *more(tmp_path / "run"),
                      "--init", parent / "run")  # fmt: skip

    assert result.exit_code == 1
    assert "'D' (U+0044), 'ö' (U+00F6) that the model does not know" in plain(result.stderr)
    assert "--extend-vocabulary" in result.stderr


def test_new_symbols_are_added_behind_the_old_ones_and_named(seqforge, parent, tmp_path):
    (tmp_path / "new.txt").write_text(TEXT.replace("dog", "Dög"))
    result = seqforge("run", "text", tmp_path / "new.txt", *more(tmp_path / "run"),
                      "--init", parent / "run", "--extend-vocabulary",
                      "--set", "sampling.length=60")  # fmt: skip

    assert result.exit_code == 0, result.stderr
    assert "bits); new symbols: 'D', 'ö'\n" in result.stderr
    old, new = (load_checkpoint(f / "run" / "model.safetensors") for f in (parent, tmp_path))
    assert new.card.symbols == (*old.card.symbols, "D", "ö")
    assert new.weights["output.bias"].shape == (len(old.card.symbols) + 3,)


def test_rare_new_symbols_fall_to_the_unknown_one(seqforge, parent, tmp_path):
    (tmp_path / "new.txt").write_text(TEXT.replace("dog", "Dog") + "xyz")
    begin = ["train", "text", tmp_path / "new.txt", "--init", parent / "run", "--min-count", 2]
    first = seqforge(*begin, "--extend-vocabulary", *more(tmp_path / "run"))
    assert first.exit_code == 0, first.stderr
    card = load_checkpoint(tmp_path / "run" / "model.safetensors").card
    assert card.symbols[-2:] == ("D", "\N{REPLACEMENT CHARACTER}")

    (tmp_path / "third.txt").write_text(TEXT.replace("dog", "Dog").replace("cat", "Cat"))
    again = seqforge("train", "text", tmp_path / "third.txt", "--init", tmp_path / "run",
                     "--extend-vocabulary", *more(tmp_path / "third"))  # fmt: skip
    assert again.exit_code == 0, again.stderr
    third = load_checkpoint(tmp_path / "third" / "model.safetensors").card
    assert third.symbols == (*card.symbols, "C"), "ids are kept: the unknown symbol stays in place"
    assert [one.name for one in third.provenance.ancestors] == ["run", "run"]
    drawn = seqforge("sample", tmp_path / "third", "--length", 300, "-t", "inf")
    assert "\N{REPLACEMENT CHARACTER}" not in drawn.stdout


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--hidden-size", 24], "model.hidden_size: 16 and 24"),
        (["--cell", "lstm", "--set", "model.tied=true"], "model.cell: gru and lstm; model.tied"),
        (["--bytes"], "domain_options.bytes: False and True"),
        (["--init", "none.safetensors"], "none.safetensors: there is no such file"),
        (["--init", "nobody"], "'nobody' is not a bundled model"),
    ],
)
def test_what_contradicts_the_model_is_said(seqforge, parent, tmp_path, options, said):
    result = seqforge("train", "text", parent / "text.txt", "--init", parent / "run",
                      *more(tmp_path / "run"), *options)  # fmt: skip

    assert result.exit_code == 1
    assert said in plain(result.stderr)
    assert not (tmp_path / "run").exists()


def test_what_does_not_contradict_it_may_be_given(seqforge, parent, tmp_path):
    result = seqforge("train", "text", parent / "text.txt", "--init", parent / "run",
                      *more(tmp_path / "run"), "--dropout", "0.25", "--hidden-size", 16,
                      "--embedding-size", 16, "--separator", "\\n")  # fmt: skip
    assert "the separator" in plain(result.stderr), "the options of the domain are heard"

    result = seqforge("train", "text", parent / "text.txt", "--init", parent / "run",
                      *more(tmp_path / "run"), "--dropout", 0.25, "--hidden-size", 16)  # fmt: skip
    assert result.exit_code == 0, result.stderr
    assert load_checkpoint(tmp_path / "run" / "model.safetensors").card.config.model.dropout == 0.25


def test_a_model_of_another_domain_and_nothing_to_extend_are_said(seqforge, parent, tmp_path):
    other = seqforge("train", "genome", "--init", parent / "run", *more(tmp_path / "run"))
    nothing = seqforge("train", "text", parent / "text.txt", "--extend-vocabulary")

    assert "is a model of text, and this is a run of genome" in plain(other.stderr)
    assert "give --init MODEL too" in plain(nothing.stderr)
    assert other.exit_code == nothing.exit_code == 1


def test_held_out_data_that_the_model_has_learnt_are_pointed_out(seqforge, parent, tmp_path):
    result = seqforge("train", "text", parent / "text.txt", "--init", parent / "run",
                      *more(tmp_path / "run"), "--split", "80/10/10")  # fmt: skip
    assert "was trained on 100% of the 64-character windows that are held out here" in plain(
        result.stderr
    )


def test_stopped_it_goes_on_without_the_model_and_ends_with_the_same_bytes(
    seqforge, parent, tmp_path
):
    (tmp_path / "new.txt").write_text(TEXT.replace("dog", "Dög"))
    model = tmp_path / "start.safetensors"
    model.write_bytes((parent / "run" / "model.safetensors").read_bytes())
    size = ["train", "text", tmp_path / "new.txt", "--init", model, "--extend-vocabulary",
            "--budget", "200steps", "--batch-size", 8, "--seq-len", 16, "--lanes", 2,
            "--precision", "fp32", "--dropout", "0.1", "--no-memory"]  # fmt: skip
    with ctrl_c_at("metrics.jsonl", times=5):
        stopped = seqforge(*size, "--out", tmp_path / "run")
    assert stopped.exit_code == 130, stopped.stderr
    whole = seqforge(*size, "--out", tmp_path / "whole")
    assert whole.exit_code == 0, whole.stderr

    fly = seqforge("train", "text", "--init", "fly", "--out", tmp_path / "run")
    assert "init.model: " in plain(fly.stderr)
    assert "init.sha256: " in plain(fly.stderr)
    model.unlink()
    again = seqforge(*size, "--out", tmp_path / "run", "--resume")

    assert again.exit_code == 0, again.stderr
    assert "going on from step" in again.stderr
    ours, theirs = (load_checkpoint(tmp_path / f / "model.safetensors") for f in ("run", "whole"))
    for name, array in ours.weights.items():
        assert array.tobytes() == theirs.weights[name].tobytes(), name
    assert ours.card.provenance.ancestors == theirs.card.provenance.ancestors != ()
    moved = seqforge("train", "text", "--init", parent / "run", "--out", tmp_path / "run")
    assert "nothing is left to do" in moved.stderr, "the same model in another place is the same"


def test_the_config_of_such_a_run_repeats_it_as_long_as_the_model_is_the_same(
    seqforge, parent, tmp_path
):
    model = tmp_path / "start.safetensors"
    model.write_bytes((parent / "run" / "model.safetensors").read_bytes())
    first = seqforge("train", "text", parent / "text.txt", "--init", model, *more(tmp_path / "run"))
    assert first.exit_code == 0, first.stderr
    config = tomllib.loads((tmp_path / "run" / "config.toml").read_text())
    assert config["init"] == {
        "model": str(model), "sha256": sha256_of(model), "extend_vocabulary": False,
    }  # fmt: skip

    again = seqforge("train", tmp_path / "run" / "config.toml", "--out", tmp_path / "again")
    assert again.exit_code == 0, again.stderr
    ours, theirs = (load_checkpoint(tmp_path / f / "model.safetensors") for f in ("run", "again"))
    assert all(np.array_equal(ours.weights[k], theirs.weights[k]) for k in ours.weights)

    model.write_bytes((tmp_path / "run" / "model.safetensors").read_bytes())
    changed = seqforge("train", tmp_path / "run" / "config.toml", "--out", tmp_path / "third")
    assert "has changed since it was written down" in plain(changed.stderr)
    assert changed.exit_code == 1
