"""Several series in one picture."""

import math
import re
import xml.etree.ElementTree as ET
from itertools import pairwise

import pytest

from seqforge.charts.xy import STYLES, XyChart, style

HOSTILE = '<script>&"'


def drawn(chart):
    root = ET.fromstring(chart.svg())
    return {tag: root.findall(f".//{tag}") for tag in ("polyline", "circle", "text", "title")}


def test_curves_share_their_axes():
    """Twice the time is twice as far from the left; fewer bits are further down."""
    chart = XyChart("seconds", "bits", {"a": [(0, 3.0), (10, 2.0)], HOSTILE: [(0, 3.0), (20, 1.0)]})
    found = drawn(chart)
    first, second = ([tuple(map(float, p.split(","))) for p in line.get("points").split()]
                     for line in found["polyline"])  # fmt: skip
    assert first[0] == second[0]
    assert second[1][0] - second[0][0] == pytest.approx(2 * (first[1][0] - first[0][0]), abs=0.2)
    assert second[1][1] > first[1][1] > first[0][1]
    assert [title.text for title in found["title"]] == ["a", HOSTILE]
    assert chart.legend() == [("run0", "a"), ("run1", HOSTILE)]


def test_dots_lie_by_powers_and_have_their_names():
    series = {name: [(10.0**n, float(n))] for n, name in enumerate("abcd", 2)}
    found = drawn(XyChart("weights", "bits", series, dots=True, log_x=True))
    places = [float(dot.get("cx")) for dot in found["circle"]]
    steps = [b - a for a, b in pairwise(places)]
    assert steps == pytest.approx([steps[0]] * 3, abs=0.2)
    words = [text.text for text in found["text"]]
    assert {"a", "b", "c", "d", "1,000", "10,000"} <= set(words)


def test_a_mark_stands_upright_at_its_value_and_the_axis_reaches_it():
    chart = XyChart(
        "weights", "bits", {"a": [(1e4, 2.0)], "b": [(1e5, 1.0)]}, dots=True, log_x=True,
        marks={HOSTILE: 1e6, "none": 0.0},
    )  # fmt: skip
    root = ET.fromstring(chart.svg())
    (mark,) = [line for line in root.findall(".//line") if line.get("class") == "mark"]
    first, second = (float(dot.get("cx")) for dot in root.findall(".//circle"))
    assert mark.get("x1") == mark.get("x2")
    assert float(mark.get("x1")) - second == pytest.approx(second - first, abs=0.2)
    assert float(mark.get("x1")) <= 700
    assert HOSTILE in [text.text for text in root.findall(".//text")]


@pytest.mark.parametrize(
    "places",
    [
        (33_474, 1_003_855, 2_833_986),
        (265_477, 920_876, 937_794),
        (20.2, 20.3, 20.4),
        (1, 1e9),
        (900, 1000),
    ],
)
def test_an_axis_has_labels_that_can_be_read(places):
    """Two at least, within the picture, none on another."""
    series = {str(n): [(place, 1.0)] for n, place in enumerate(places)}
    found = drawn(XyChart("weights", "bits", series, dots=True, log_x=True))
    labels = [(float(one.get("x")), one.text) for one in found["text"] if one.get("y") == "308"]
    assert len(labels) >= 2
    ends = [(x - 4.5 * len(text), x + 4.5 * len(text)) for x, text in labels]
    assert all(first[1] < second[0] for first, second in pairwise(ends))
    assert ends[0][0] >= 0
    assert ends[-1][1] <= 720


def test_what_lies_above_stays_within_the_picture():
    chart = XyChart("s", "bits", {"a": [(0, 100.0), (1, 2.0), (2, 1.0)]}, most_y=2.0)
    (line,) = drawn(chart)["polyline"]
    heights = [float(point.split(",")[1]) for point in line.get("points").split()]
    assert heights[0] == 14, "the upper edge"
    assert heights[0] < heights[1] < heights[2]


@pytest.mark.parametrize("points", [[], [(math.nan, 1.0)], [(0.0, 1.0)], [(1.0, math.inf)]])
def test_nothing_to_draw_is_no_picture(points):
    assert XyChart("x", "y", {"a": points}, log_x=True).svg() == ""


@pytest.mark.parametrize("points", [[(1.0, 1.0)], [(1.0, 0.0), (1.0, 0.0)], [(1e9, -3.0)]])
def test_any_points_can_be_drawn(points):
    for chart in (XyChart("x", "y", {"a": points}), XyChart("x", "y", {"a": points}, True, True)):
        assert not re.search("nan|inf", chart.svg())
        ET.fromstring(chart.svg())


def test_series_beyond_the_colours_are_dashed():
    assert style(0) != style(STYLES)
    assert style(STYLES) == "run0 dashed"
