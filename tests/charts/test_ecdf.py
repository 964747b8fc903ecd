"""The picture of distributions: what it draws, and that it is harmless."""

import xml.etree.ElementTree as ET

import pytest

from seqforge.charts.ecdf import EcdfChart

SVG = "{http://www.w3.org/2000/svg}"


def drawn(groups, ticks=((0.0, "none"), (0.5, "1e-5"))):
    picture = EcdfChart("best E()", ticks, groups)
    return ET.fromstring(picture.svg(alone=True))


def curve(root, style):
    (line,) = [
        line
        for line in root.iter(f"{SVG}polyline")
        if line.get("class") == style and line.get("points", "").count(" ") != 1
    ]
    pairs = [point.split(",") for point in line.get("points").split()]
    return [(float(x), float(y)) for x, y in pairs]


def test_a_line_falls_from_everything_to_nothing_at_its_values():
    """Four values: at each the share that lies there or further right falls by a quarter."""
    root = drawn({"a": [0.5, 0.25, 0.75, 0.75]})
    left, right, top, bottom = 84, 692, 16, 264

    shares = [
        ((x - left) / (right - left), (bottom - y) / (bottom - top))
        for x, y in curve(root, "first")
    ]

    wanted = [
        (0, 1), (0.25, 1), (0.25, 0.75), (0.5, 0.75), (0.5, 0.5),
        (0.75, 0.5), (0.75, 0.25), (0.75, 0.25), (0.75, 0),
    ]  # fmt: skip
    assert shares == [pytest.approx(pair, abs=1e-3) for pair in wanted]


def test_each_group_has_a_line_and_a_name_and_the_first_lies_on_top():
    root = drawn({"samples": [0.1], "shuffles": [0.2], "model": [0.3], "real": []})

    styles = [line.get("class") for line in root.iter(f"{SVG}polyline")]
    texts = [text.text for text in root.iter(f"{SVG}text")]
    assert styles[:4] == ["fourth", "third", "second", "first"]
    assert texts[-4:] == ["samples", "shuffles", "model", "real"]
    assert {"none", "1e-5", "best E()", "0 %", "100 %"} <= set(texts)


def test_all_of_the_picture_lies_within_it():
    root = drawn({"a": [-3.0, 0.0, 1.0, 7.0], "b": [0.5]})
    _, _, width, height = map(float, root.get("viewBox").split())

    for style in ("first", "second"):
        assert all(0 <= x <= width and 0 <= y <= height for x, y in curve(root, style))
    assert all(float(text.get("y")) < height for text in root.iter(f"{SVG}text"))


def test_names_of_files_are_escaped():
    name = '<script>"&'
    picture = EcdfChart(name, [(0.5, name)], {name: [0.5]})

    for alone in (True, False):
        assert "<script>" not in picture.svg(alone)
    texts = [text.text for text in ET.fromstring(picture.svg(alone=True)).iter(f"{SVG}text")]
    assert texts.count(name) == 3
