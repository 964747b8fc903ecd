"""Settings that were called otherwise once: both names are read, the name of now is written."""

import json

import pytest

from seqforge.base.paths import bundled_folder
from seqforge.core.config import RunConfig, with_setting
from seqforge.core.model.checkpoint import load_checkpoint, read_arrays
from seqforge.errors import ConfigError
from seqforge.runs.recipes import read_recipe

OLD = {
    "own_inputs": ("scheduled_sampling", 0.25),
    "own_temperature": ("scheduled_sampling_temperature", 0.5),
    "kept_as": ("weights_dtype", "fp16"),
    "accumulate": ("grad_accumulation", 3),
    "final_rate": ("final_lr_ratio", 0.2),
    "averaging": ("ema_share", 0.1),
    "evaluations": ("num_evaluations", 7),
}


@pytest.mark.parametrize("old", OLD)
def test_a_file_with_an_old_name_is_read_and_the_new_one_is_written(old, tmp_path):
    new, value = OLD[old]
    path = tmp_path / "old.toml"
    path.write_text(f'domain = "text"\n[training]\n{old} = {json.dumps(value)}\n')

    config = read_recipe(path).config()

    assert getattr(config.training, new) == value
    written = config.model_dump(mode="json")["training"]
    assert written[new] == value
    assert old not in written
    assert RunConfig.model_validate_json(config.model_dump_json()) == config


@pytest.mark.parametrize("old", OLD)
@pytest.mark.parametrize("there", [0, 1])
@pytest.mark.parametrize("given", [0, 1])
def test_an_option_under_either_name_overrides_a_recipe_with_either(old, there, given):
    new, value = OLD[old]
    names = (old, new)
    values = {"domain": "text", "training": {names[there]: 1}}

    with_setting(values, f"training.{names[given]}", value)

    assert getattr(RunConfig.of(values, "x.toml").training, new) == value


def test_a_setting_under_both_names_is_refused():
    training = {"kept_as": "fp16", "weights_dtype": "fp32"}
    with pytest.raises(ConfigError, match=r"x.toml: training: kept_as is called weights_dtype now"):
        RunConfig.of({"domain": "text", "training": training}, "x.toml")


def test_a_wrong_value_under_an_old_name_is_named_by_the_new_one():
    with pytest.raises(ConfigError, match=r"training.grad_accumulation: .*\(got 0\)"):
        RunConfig.of({"domain": "text", "training": {"accumulate": 0}}, "x.toml")


@pytest.mark.parametrize("name", ["fly", "folk", "shakespeare"])
def test_models_that_ship_were_written_with_old_names_and_open(name):
    path = bundled_folder() / f"{name}.safetensors"
    header, _ = read_arrays(path)
    kept = header["config"]["training"]
    training = load_checkpoint(path).card.config.training

    assert set(OLD) & set(kept)
    for old, (new, _) in OLD.items():
        if old in kept:
            assert getattr(training, new) == kept[old]
