"""Colder samples are more like one another, and rows repeat."""

import pytest

from seqforge.experiments.temperature import (
    TemperatureSettings,
    conclusion,
    inside,
    run,
    sections,
    trials,
)
from tests.conftest import ROOT


@pytest.mark.parametrize(
    ("model", "data", "word"),
    [("folk", (str(ROOT / "data" / "tunes.abc"),), "key clarity"), ("fly", (), "GC content")],
    ids=["tunes of one's own", "the example of genomes"],
)
def test_a_cold_model_goes_in_circles_and_a_hot_one_surprises_itself(model, data, word):
    settings = TemperatureSettings(
        model=model, data=data, temperatures=(0.1, 1.8), count=3, length=120
    )
    cold, hot = [{**trial.fields, **run(trial, settings)} for trial in trials(settings)]

    assert cold["bits"] < hot["bits"]
    assert cold["entropy"] < hot["entropy"]
    assert cold["distinct"] < hot["distinct"]
    assert {**trials(settings)[0].fields, **run(trials(settings)[0], settings)} == cold
    markup = "".join(section.markup for section in sections([cold, hot], settings))
    assert word in markup
    assert f"{model}: at " in conclusion([cold, hot], settings)


def test_measures_inside_the_range_of_held_out_data_are_counted():
    measures = {
        "a": {"samples": 1, "low": 0, "high": 2}, "b": {"samples": 3, "low": 0, "high": 2},
        "c": {"samples": None, "low": 0, "high": 2},
    }  # fmt: skip
    assert inside({"measures": measures}) == (1, 2)
