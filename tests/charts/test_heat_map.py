"""Pictures of tables of shares."""

import xml.etree.ElementTree as ElementTree

from seqforge.charts.heat_map import HeatMap


def test_each_cell_is_as_dark_as_its_share_and_says_it():
    drawn = HeatMap("is", "taken for", ["a<b", "c"], ["a<b", "c"], [[0.75, 0.25], [0.0, 1.0]]).svg()
    cells = [one for one in ElementTree.fromstring(drawn).iter() if one.get("class") == "cell"]
    shades = [float(one.get("fill-opacity")) for one in cells]
    assert sorted(shades) == [shades[2], shades[1], shades[0], shades[3]]
    assert [one[0].text for one in cells] == ["0.75", "0.25", "0.00", "1.00"]


def test_nothing_is_drawn_of_nothing():
    assert HeatMap("is", "taken for", [], [], []).svg() == ""
