"""Measures as rows: text of each cell, and where the strip shows it."""

import pytest

from seqforge.base.messages import MISSING
from seqforge.reporting.measures import MeasureTable, shown
from seqforge.reporting.summary import Measure


def measure(**given):
    return Measure(**{"name": "m", "words": "plain words (m)", "samples": {}} | given)


def test_a_row_has_a_column_a_temperature_and_the_range_of_held_out_data():
    table = MeasureTable.of(
        [
            measure(samples={"0.5": 0.2, "1.0": 0.4}, low=0.38, high=0.5, share=True),
            measure(samples={"0.5": 3.0, "1.0": None}),
        ]
    )
    first, second = table.rows
    assert table.temperatures == ["0.5", "1.0"]
    assert first.cells == ["20 %", "40 %"]
    assert first.held_out == "38\N{EN DASH}50 %"
    assert first.outside == {"0.5"}
    assert (second.cells, second.band, second.held_out) == (["3", MISSING], None, MISSING)


def test_a_strip_keeps_the_order_and_distances_of_values():
    (row,) = MeasureTable.of([measure(samples={"a": 0.0, "b": 10.0}, low=2.5, high=5.0)]).rows
    places = {dot.temperature: dot.at for dot in row.dots}
    left, width = row.band
    size = places["b"] - places["a"]
    assert left == pytest.approx(places["a"] + size / 4, abs=0.02)
    assert width == pytest.approx(size / 4, abs=0.02)
    assert 0 < places["a"] < places["b"] < 100


def test_equal_values_stand_in_the_middle():
    (row,) = MeasureTable.of([measure(samples={"a": 0.0}, low=0.0, high=0.0, share=True)]).rows
    assert (row.dots[0].at, row.band[0], row.held_out) == (50, 50, "0 %")
    assert not row.outside


def test_the_sentence_counts_what_lies_outside_for_each_temperature():
    rows = [
        measure(samples={"0.5": 1, "1.0": 5}, low=4, high=6),
        measure(samples={"0.5": 9, "1.0": 3}, low=4, high=6),
        measure(samples={"0.5": 9, "1.0": 3}),
    ]
    said = MeasureTable.of(rows).sentence
    assert said.startswith("Of 2 measures so many")
    assert said.endswith("2 at temperature 0.5, 1 at temperature 1.0.")
    assert MeasureTable.of(rows[2:]).sentence == ""


@pytest.mark.parametrize(
    ("value", "share", "text"),
    [(0.12345, True, "12.3 %"), (0.12345, False, "0.123"), (1234.5, False, "1,230"),
     (None, True, MISSING), (0.0, True, "0 %")],
)  # fmt: skip
def test_a_value_has_three_digits_and_a_share_is_in_percent(value, share, text):
    assert shown(value, share) == text


def test_the_page_shows_them_and_folds_the_raw_numbers(page):
    rows = [measure(samples={"0.5": 0.2, "1.0": 0.4}, low=0.3, high=0.5, share=True).model_dump()]
    found = page({"measures": rows, "report": {"m": {"samples": 0.321, "held-out": 0.4}}})
    assert "t = 0.5" in found.text
    assert "All numbers, of all temperatures together" in found.text
    said = [value for _, name, value in found.attributes if name == "aria-label"]
    assert "samples 20 %, 40 %; held-out data 30\N{EN DASH}50 %" in said
    assert "0.321" in found.text[found.text.index("All numbers") :]
