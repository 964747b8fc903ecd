"""Numbers that are none, or beyond all bounds, are one sentence, wherever they are given."""

import pytest

from seqforge.cli.options import assignments
from seqforge.core.config import RunConfig, with_setting
from seqforge.errors import ConfigError

WRONG = {
    "data.split": ["nan/5/5", "90/nan/5", "inf/5/5", "90/5/1e400", "-90/5/5", "9" * 5000 + "/5/5"],
    "training.budget": ["nans", "infs", "1e400s", "-5s", "9" * 500 + "s"],
    "training.learning_rate": ["NaN", "Infinity", "1e400", "-1", "9" * 5000],
    "training.seq_len": ["0", "-1", "NaN", "1e400", "9" * 20, "9" * 5000],
    "training.batch_size": ["9" * 30, "NaN"],
    "training.lanes": ["NaN", "1e400", "9" * 30],
    "training.warmup": ["NaN", "1e400", "-1"],
    "training.plateau_factor": ["NaN"],
    "training.num_evaluations": ["9" * 30, "NaN"],
    "training.weight_decay": ["NaN", "1e400"],
    "sampling.temperatures": ["[NaN]", "[1e400]", "[-1]", "[]", f"[{10**400}]", f"[[1,{10**400}]]"],
    "sampling.length": ["1e400", "9" * 40],
    "model.dropout": ["NaN", "1e400", "1"],
    "model.embedding_size": ["NaN", "9" * 30],
}


@pytest.mark.parametrize(("key", "text"), [(k, v) for k, vs in WRONG.items() for v in vs])
def test_a_number_out_of_bounds_is_one_sentence(key, text):
    values = {"domain": "text"}
    for path, value in assignments([f"{key}={text}"]).items():
        with_setting(values, path, value)
    with pytest.raises(ConfigError, match=key) as error:
        RunConfig.of(values, "x.toml")
    assert len(str(error.value)) < 600


def test_lists_in_lists_are_one_sentence():
    with pytest.raises(ConfigError, match="--set x: lists are nested too deep"):
        assignments(["x=" + "[" * 100_000])
