"""The coloured excerpt of a page: what stands in it is the text, however it is written."""

from seqforge.reporting.excerpt import Excerpt, ExcerptUnit, excerpt_section

from .material import evaluations, summary_of_a_run


def excerpt(**more):
    return Excerpt(part="test", symbols="ab<i>c", bits=(0.1, 9.0, 0.2, 0.3, 1.0, 2.0), **more)


def test_held_out_symbols_are_coloured_by_what_they_cost(page):
    section = excerpt_section(excerpt(), "seqforge inspect 'a b' INPUT")
    found = page(summary_of_a_run(), evaluations(), more=[section])

    assert "What it sees in held-out data" in found.text
    assert "ab<i>c" in found.text
    assert "seqforge inspect 'a b' INPUT" in found.text
    shades = [value for tag, name, value in found.attributes if (tag, name) == ("span", "class")]
    assert len(set(shades)) > 3


def test_a_found_unit_is_named_with_its_control(page):
    unit = ExcerptUnit(
        layer=1, unit=73, annotation="place <in> line", measure="r", value=-0.91, untrained=0.4,
        values=(-1, -0.5, 0, 0.2, 0.9, 1),
    )  # fmt: skip
    section = excerpt_section(excerpt(units=(unit,), ranked=30_000), "x")
    found = page(summary_of_a_run(), evaluations(), more=[section])

    assert "Unit 1:73 follows place <in> line: r = -0.91 on 15,000 other symbols" in found.text
    assert "untrained networks reach 0.40" in found.text
    assert found.text.count("ab<i>c") == 2


def test_where_nothing_is_found_that_is_said(page):
    section = excerpt_section(excerpt(looked_for=("quotes", "brackets"), ranked=500), "x")
    found = page(summary_of_a_run(), evaluations(), more=[section])

    assert "No single unit follows quotes or brackets better than untrained" in found.text
