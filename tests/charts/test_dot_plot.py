"""Dots lie where their numbers say, in the row of their name."""

import xml.etree.ElementTree as ET

import pytest

from seqforge.charts.dot_plot import DotPlot

HOSTILE = '<script>&"'


def test_a_dot_lies_by_its_number_in_its_row():
    rows = {"a": {"here": [1.0, 2.0], "published": [4.0]}, HOSTILE: {"here": [3.0]}}
    chart = DotPlot("nats", rows)
    root = ET.fromstring(chart.svg())
    dots = [(c.get("class"), float(c.get("cx")), c.get("cy")) for c in root.findall(".//circle")]
    (one, two, four, three) = (x for _, x, _ in dots)
    assert two - one == pytest.approx(three - two, abs=0.2)
    assert four - three == pytest.approx(three - two, abs=0.2)
    assert [of for of, _, _ in dots] == ["run0", "run0", "run1", "run0"]
    assert chart.legend() == [("run0", "here"), ("run1", "published")]
    names = {t.text: t.get("y") for t in root.findall(".//text")}
    assert [y for _, _, y in dots] == [names["a"]] * 3 + [names[HOSTILE]]
    assert root.find(".//title").text == "a, here: 1"


def test_without_numbers_nothing_is_drawn():
    assert DotPlot("nats", {"a": {"here": []}}).svg() == ""


def test_a_single_number_stands_on_an_axis():
    root = ET.fromstring(DotPlot("nats", {"a": {"here": [8.0]}}).svg())
    assert {"a", "8"} <= {t.text for t in root.findall(".//text")}
