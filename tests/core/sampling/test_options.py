"""What is refused, and what a sample says of how it was drawn."""

import json
import math

import numpy as np
import pytest

from seqforge.core.sampling.params import SamplerParams
from seqforge.core.sampling.sampler import Sampler
from seqforge.core.sampling.torch_engine import TorchEngine
from seqforge.errors import CheckpointError

from .tiny import checkpoint


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"repetition_penalty": 0.99}, "repetition_penalty must"),
        ({"repetition_penalty": math.inf}, "repetition_penalty must"),
        ({"repetition_penalty": math.nan}, "repetition_penalty must"),
        ({"repetition_window": 0}, r"repetition_window must lie in \[1, 65536\], not 0"),
        ({"temperature": -0.1}, r"temperature must be 0 or above, not -0\.1"),
        ({"temperature": math.nan}, "temperature must be 0 or above, not nan"),
        ({"temperature_end": -1.0}, r"temperature_end must be 0 or above, not -1\.0"),
        ({"temperature_end": math.nan}, "temperature_end must be 0 or above, not nan"),
        ({"temperature_end": math.inf}, "must be finite at both ends"),
        ({"temperature": math.inf, "temperature_end": 1.0}, "must be finite at both ends"),
        ({"top_k": 0}, r"top_k must lie in \[1, 2\^31\), not 0"),
        ({"top_k": -3}, r"top_k must lie in \[1, 2\^31\), not -3"),
        ({"top_p": 0.0}, r"top_p must lie in \(0, 1\], not 0\.0"),
        ({"top_p": 1.01}, r"top_p must lie in \(0, 1\]"),
        ({"top_p": math.nan}, r"top_p must lie in \(0, 1\]"),
        ({"min_p": -0.01}, r"min_p must lie in \[0, 1\]"),
        ({"min_p": 1.5}, r"min_p must lie in \[0, 1\]"),
        ({"typical_p": 0.0}, r"typical_p must lie in \(0, 1\]"),
        ({"typical_p": 2.0}, r"typical_p must lie in \(0, 1\]"),
        ({"length": 0}, r"length must lie in \[1, 10\^12\], not 0"),
        ({"records": 0}, r"records must lie in \[1, 10\^12\], not 0"),
        ({"candidates": 0}, r"candidates must lie in \[1, 10000\], not 0"),
        ({"length": 10.0}, r"length must be a whole number, not 10\.0"),
        ({"length": 10**13}, "length must lie in"),
        ({"candidates": 10**9}, "candidates must lie in"),
        ({"seed": -1}, r"seed must lie in \[0, 2\^63\), not -1"),
        ({"seed": 2**63}, r"seed must lie in \[0, 2\^63\)"),
        ({"suffix": "a"}, "a suffix needs an exact length"),
        ({"suffix": "a", "exact_length": True, "stop": "b"}, "a suffix or where to stop"),
        ({"records": 2, "exact_length": True}, "no second record comes"),
    ],
)  # fmt: skip
def test_what_is_out_of_range_is_refused_by_name(wrong, message):
    with pytest.raises(ValueError, match=message):
        SamplerParams(**wrong)


@pytest.mark.parametrize(
    ("given", "settings"),
    [
        ({}, {}),
        ({"temperature": 0.5, "length": 7, "seed": 3, "prime": "ab", "exact_length": True}, {}),
        ({"temperature_end": 0.5}, {"temperature_end": 0.5}),
        ({"top_k": 3, "top_p": 0.9, "min_p": 0.1, "typical_p": 0.5},
         {"top_k": 3, "top_p": 0.9, "min_p": 0.1, "typical_p": 0.5}),
        ({"repetition_window": 9}, {}),
        ({"repetition_penalty": 1.5}, {"repetition_penalty": 1.5}),
        ({"repetition_penalty": 1.5, "repetition_window": 9},
         {"repetition_penalty": 1.5, "repetition_window": 9}),
        ({"records": 4, "stop": "x"}, {"records": 4, "stop": "x"}),
        ({"candidates": 9}, {}),
        ({"suffix": "a", "exact_length": True}, {"candidates": 64}),
        ({"suffix": "a", "exact_length": True, "candidates": 9}, {"candidates": 9}),
        ({"top_p": 1.0, "typical_p": 1.0, "min_p": 0.0, "stop": ""}, {}),
        ({"temperature": 0.5, "temperature_end": 0.5}, {}),
    ],
)  # fmt: skip
def test_settings_are_what_differs_from_plain_drawing(given, settings):
    assert SamplerParams(**given).settings == settings


def test_a_sample_can_be_written_as_json_whatever_way_it_was_drawn():
    """No value of numpy's is among them, which json refuses."""
    sampler = Sampler(checkpoint(end=1.0))
    for given in ({}, {"records": 3}, {"stop": "a"}, {"length": 4, "exact_length": True}):
        for sample in sampler.draw(4, SamplerParams(**given)):
            assert json.loads(json.dumps(vars(sample))) == vars(sample)


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
@pytest.mark.parametrize("engine", ["kernel", "torch"])
def test_weights_that_are_missing_or_of_another_shape_are_refused(cell, engine):
    def draw(model):
        return Sampler(model, engine=TorchEngine(model, "cpu") if engine == "torch" else None)

    names = list(checkpoint(cell=cell).weights)
    assert len(names) == 11
    for name in names:
        model = checkpoint(cell=cell)
        whole = model.weights.pop(name)
        with pytest.raises(CheckpointError, match="toy: its weights do not fit its settings"):
            draw(model)
        for wrong in (whole[:-1], np.concatenate([whole, whole]), whole[..., None]):
            model.weights[name] = wrong
            with pytest.raises(CheckpointError, match="toy: its weights do not fit its settings"):
                draw(model)
    draw(checkpoint(cell=cell))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("engine", ["kernel", "torch"])
def test_weights_that_are_no_numbers_are_refused(value, engine):
    for name in checkpoint().weights:
        model = checkpoint()
        model.weights[name].flat[-1] = value
        with pytest.raises(CheckpointError, match="toy: some of its weights are infinite or NaN"):
            Sampler(model, engine=TorchEngine(model, "cpu") if engine == "torch" else None)
