"""The table of sampling options: what is made from it agrees with it."""

import typing
from pathlib import Path

import pytest

import seqforge
from seqforge.core.config import SamplingConfig
from seqforge.core.data.vocabulary import Unknown
from seqforge.core.sampling.logit_filters import FilterParams
from seqforge.core.sampling.options import NEVER, Values, driven_units
from seqforge.core.sampling.params import (
    NEEDED,
    DecodingParams,
    How,
    SamplerParams,
    conflict,
    rows,
    said,
)

SEARCH = {"beam", "length_penalty", "adapt"}


def test_the_types_of_python_are_those_of_the_table():
    hints = typing.get_type_hints(How)
    assert hints == {name: row.given for name, row in rows().items() if name not in SEARCH}
    assert hints["unknown"] == Unknown
    assert set(DecodingParams.model_fields) == {"unknown", *SEARCH}


def test_what_the_kernel_reads_is_a_field_of_the_table_or_made_of_some():
    made = {"positions", "least", "unknown"}
    assert set(FilterParams._fields) - made <= set(SamplerParams.model_fields)


@pytest.mark.parametrize("name", [n for n, row in rows().items() if row.values.bounds.high])
def test_every_bound_holds_at_both_ends(name):
    row = rows()[name]
    low, high, low_open, high_open = row.values.bounds
    step = 1 if row.values.kind is int else 1e-6
    inside = [low + step * low_open, high - step * high_open]
    outside = [low - step * (not low_open), high + step * (not high_open)]

    assert [row.values.checked(name, value) for value in inside] == inside
    for value in outside:
        with pytest.raises(ValueError, match=f"{name} must lie in"):
            row.values.checked(name, value)


def test_an_option_that_is_off_is_not_said_by_a_sample():
    offs = {row.field: row.option.off for row in rows().values() if row.values.kind is float}
    allowed = {f: off for f, off in offs.items() if off is not NEVER}
    allowed = {f: off for f, off in allowed.items() if rows()[f].values.bounds.hold(off)}
    assert {"repetition_penalty", "top_p", "min_p", "typical_p"} <= set(allowed)
    assert SamplerParams(**allowed, stop="").settings == {}


def test_parameters_are_frozen_compared_by_value_and_changed_with_a_check():
    params = SamplerParams(top_k=3)
    assert params == SamplerParams(top_k=3)
    assert hash(params) == hash(SamplerParams(top_k=3))
    assert params.changed(top_p=0.5).settings == {"top_k": 3, "top_p": 0.5}
    with pytest.raises(ValueError, match="top_p must lie in"):
        params.changed(top_p=2)
    with pytest.raises(ValueError, match="frozen"):
        params.top_k = 4
    with pytest.raises(TypeError, match="no option 'top_q' of drawing"):
        SamplerParams(top_q=1)


@pytest.mark.parametrize(
    ("given", "start", "end"),
    [("0.5", 0.5, None), ("1.2:0.5", 1.2, 0.5), ((2, 1), 2, 1), (0, 0, None), ("inf", 1e999, None),
     (10**400, 1e999, None), (str(10**400), 1e999, None)],
)  # fmt: skip
def test_a_temperature_is_a_number_a_pair_or_text(given, start, end):
    params = SamplerParams(temperature=given)
    assert (params.temperature, params.temperature_end) == (start, end)
    assert params == SamplerParams(temperature=start, temperature_end=end)


def test_an_integer_beyond_all_floats_is_infinite():
    for given in ({"temperature": (1, 10**400)}, {"temperature": 10**400, "temperature_end": 1}):
        with pytest.raises(ValueError, match="a temperature that changes must be finite at both"):
            SamplerParams(**given)
    with pytest.raises(ValueError, match="temperature must be 0 or above, not -inf"):
        SamplerParams(temperature=-(10**400))


def test_a_recipe_has_the_same_values_under_the_same_names():
    mine, table = SamplingConfig.model_fields, SamplerParams.model_fields
    shared = mine.keys() & table.keys()
    assert shared == {"length", "exact_length", "memory"}
    for name in shared:
        assert Values.of(mine[name]) == Values.of(table[name])
        assert mine[name].default == table[name].default


def test_an_option_that_means_nothing_alone_is_refused():
    for one, (other, why) in NEEDED.items():
        assert conflict({one}) == f"{one} needs {other}: {why}"
        assert conflict({one, other}) in (None, conflict({other}))
    with pytest.raises(ValueError, match="repetition_window needs repetition_penalty"):
        seqforge.load("fly").sample(repetition_window=3)
    assert said({"prime": Path("x"), "stop": "", "top_k": None, "seed": 0}) == {"prime"}


@pytest.mark.parametrize(
    ("text", "units"),
    [("", {}), ("1:73=0.9", {(1, 73): 0.9}), (" 0:2=-1e2, 1:0=3 ", {(0, 2): -100.0, (1, 0): 3.0})],
)
def test_units_to_hold_are_read_from_a_text(text, units):
    assert driven_units(text) == units
    assert SamplerParams(drive=text).drive == text


@pytest.mark.parametrize(
    "text",
    ["x", "1:2", "1:2=", "1:2=nan", "1:2=1e999", "-1:2=0", "1:2=0,,", "1:2=1,1:2=1"],
)
def test_anything_else_is_refused_and_named(text):
    with pytest.raises(ValueError, match="drive: "):
        SamplerParams(drive=text)
