"""Recipes, options and inputs before anything is trained."""

import pytest

from seqforge.cli.options import assignments, extra_arguments
from seqforge.core.config import RunConfig
from seqforge.errors import ConfigError, DomainError, InputError, RunError
from seqforge.registry import installed, load_domain
from seqforge.runs.load_inputs import find_files, gather, read_corpus
from seqforge.runs.recipes import find_recipe, recipe_names


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_that_ships_is_a_valid_run(name):
    recipe = find_recipe(name)
    config = recipe.config()
    assert recipe.description
    assert load_domain(config.domain, config.domain_options).name == config.domain


def test_the_four_domains_are_found_through_their_entry_points():
    assert {"text", "genome", "music"} <= set(installed())
    with pytest.raises(
        DomainError, match="'klingon' is not an installed domain; installed: genome"
    ):
        load_domain("klingon")
    with pytest.raises(
        ConfigError, match=r"domain genome: strands: .*its options: strands, .*keep_case"
    ):
        load_domain("genome", {"strands": "none"})


def test_settings_are_set_by_dotted_keys():
    recipe = find_recipe("text").with_settings(
        assignments(["model.cell=rnn", "training.seq_len=7"])
    )
    config = recipe.config()

    assert (config.model.cell, config.training.seq_len) == ("rnn", 7)
    assert find_recipe("text").config().model.cell == "gru", "the recipe itself has not changed"
    with pytest.raises(ConfigError, match=r"model is a value|domain is a value"):
        find_recipe("text").with_settings({"domain.name": "x"})


def test_differences_are_told_by_their_keys():
    one = RunConfig(domain="text")
    other = RunConfig.of({"domain": "text", "model": {"hidden_size": 3}}, "here")
    assert one.differences(other) == ["model.hidden_size: 256 and 3"]


def test_options_of_a_domain_and_inputs_are_told_apart():
    types = {"bytes": bool, "separator": str}
    inputs, options = extra_arguments(
        ["a.txt", "--bytes", "-", "--separator", "%%", "b.txt", "--separator=@"], types, []
    )
    assert inputs == ["a.txt", "-", "b.txt"]
    assert options == {"bytes": True, "separator": "@"}


def test_a_folder_gives_its_files_of_the_right_kind_in_order(tmp_path):
    for name in ("b.fa", "a.FA.gz", "c.txt", "sub/d.fasta", ".hidden/e.fa"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()

    found = find_files([str(tmp_path)], load_domain("genome"), tmp_path, resumed=False)

    assert [path.relative_to(tmp_path).as_posix() for path in found.files] == [
        "a.FA.gz", "b.fa", "sub/d.fasta",
    ]  # fmt: skip
    assert found.notes == [f"{tmp_path}: 1 files of other kinds left out (.txt)"]
    with pytest.raises(InputError, match="no such file or folder"):
        gather("genome", {}, [str(tmp_path / "nothing")], tmp_path)


def corpus_from(tmp_path, text, **data):
    (tmp_path / "x.txt").write_text(text)
    inputs = gather("text", {}, [str(tmp_path / "x.txt")], tmp_path)
    config = find_recipe("text").with_settings({f"data.{k}": v for k, v in data.items()}).config()
    reads = []
    corpus, _ = read_corpus(
        inputs, config.data, tmp_path / "ingest.tsv", lambda *_: reads.append(1)
    )
    return corpus, bool(reads)


def test_a_corpus_is_read_once_and_again_when_anything_has_changed(tmp_path):
    text = "abc" * 4000
    assert corpus_from(tmp_path, text)[1]
    assert not corpus_from(tmp_path, text)[1]
    assert (tmp_path / "ingest.tsv").exists(), "the table is written from the cache as well"
    assert corpus_from(tmp_path, text, split="80/10/10")[1]
    assert corpus_from(tmp_path, text + "d" * 9)[1]


def test_rare_symbols_become_one_on_request(tmp_path):
    corpus, _ = corpus_from(tmp_path, "abc" * 4000 + "xyz", min_count=2)
    assert corpus.vocabulary.symbols == ("a", "b", "c", "\N{REPLACEMENT CHARACTER}")


def test_a_training_that_diverges_is_one_sentence(tmp_path):
    import torch

    from seqforge.core.config import TrainingConfig
    from seqforge.core.model.char_rnn import CharRNN
    from seqforge.core.training.task import NextSymbol
    from seqforge.core.training.trainer import Trainer

    corpus, _ = corpus_from(tmp_path, "abc" * 4000)
    model = CharRNN(4, hidden_size=8)
    with torch.no_grad():
        model.output.bias[0] = float("inf")
    config = TrainingConfig(budget="9steps", precision="fp32")
    trainer = Trainer(model, NextSymbol(corpus, config), config)
    with pytest.raises(RunError, match=r"diverged at step 0: .*lower --learning-rate"):
        trainer.run(lambda evaluation: None)
