import re
from html.parser import HTMLParser

import numpy as np
import pytest

from seqforge.reporting.coloured_text import (
    STEPS,
    coloured_text,
    darkest_bits,
    faces,
    scale_legend,
    steps,
    style,
)


class Cells(HTMLParser):
    """The classes of the spans and the text in them."""

    def __init__(self, markup):
        super().__init__()
        self.found, self.tags = [], []
        self.feed(markup)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag == "span":
            self.found.append([dict(attrs)["class"], ""])

    def handle_data(self, data):
        if self.found:
            self.found[-1][1] += data


def cells(symbols, values, scale, **more):
    return Cells(coloured_text(symbols, np.array(values), scale, "A text", **more))


def test_each_symbol_has_the_shade_of_its_value():
    found = cells("abcd", [-1, 0, 0, 1], "unit").found
    assert found == [["a0", "a"], [f"a{STEPS}", "bc"], [f"a{2 * STEPS}", "d"]]

    found = cells("abc", [0, 4, 9], "surprise", darkest=8.0).found
    assert found == [["s0", "a"], [f"s{STEPS // 2}", "b"], [f"s{STEPS}", "c"]]


def test_hostile_text_stays_text():
    hostile = "<script>alert(1)</script>&amp;\"'>"
    found = cells(hostile, [0.5] * len(hostile), "unit")
    assert "".join(text for _, text in found.found) == hostile
    assert set(found.tags) == {"div", "span"}
    label = coloured_text("a", np.array([0.0]), "unit", '"><img src=x>')
    assert "<img" not in label


def test_a_symbol_is_a_cell_whatever_it_is():
    shown = faces("a\0\x1b\x7f\u0301\u202e\ud800\n\tन\u093f\U0001f600")
    assert shown == {
        "\0": "\N{SYMBOL FOR NULL}",
        "\x1b": "\N{SYMBOL FOR ESCAPE}",
        "\x7f": "\N{SYMBOL FOR DELETE}",
        "\u0301": "\N{DOTTED CIRCLE}\u0301",
        "\u093f": "\N{DOTTED CIRCLE}\u093f",
        "\u202e": "\N{DOTTED CIRCLE}",
        "\ud800": "\N{REPLACEMENT CHARACTER}",
    }


def test_a_line_break_can_be_seen_and_is_one():
    found = cells("a\nb", [0, 0, 0], "surprise")
    assert found.found == [["s0", "a\nb"]]
    assert "b" in found.tags


def test_what_is_not_known_has_no_shade():
    assert steps(np.array([np.nan, 0.5, 7.0, -7.0]), "unit").tolist() == [0, 10, 20, -20]
    assert steps(np.array([np.nan, -1.0]), "surprise").tolist() == [0, 0]


def test_the_darkest_shade_is_of_the_most_surprising_hundredth():
    assert darkest_bits(np.array([])) == 1
    assert darkest_bits(np.zeros(50)) == 1
    assert darkest_bits(np.r_[np.ones(1000), np.full(100, 6.3)]) == 6.5
    assert "6.5 bits" in scale_legend("surprise", 6.5)


def luminance(colour):
    parts = [int(colour[i : i + 2], 16) / 255 for i in range(1, len(colour), 2)]
    parts = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return np.dot(parts, [0.2126, 0.7152, 0.0722])


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_can_be_read_on_every_shade(theme):
    """A contrast of 4.5 to 1, as WCAG 2.2 asks for."""
    rules = re.findall(r"\.([as]\d+) \{ background: (#\w+); color: (#\w+); \}", style())
    names = [name for name, _, _ in rules]
    light, dark = rules[: len(rules) // 2], rules[len(rules) // 2 :]
    assert len(rules) == 2 * (3 * STEPS + 2)
    assert names[: len(light)] == names[len(light) :]
    for _, paper, ink in light if theme == "light" else dark:
        ink = {"#000": "#000000", "#fff": "#ffffff"}[ink]
        high, low = sorted((luminance(paper), luminance(ink)), reverse=True)
        assert (high + 0.05) / (low + 0.05) >= 4.5
