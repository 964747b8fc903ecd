"""No text from elsewhere steers a terminal; text that is read stays as it is."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqforge.base.messages import one_line, printable

DIRECTIONS = {"LRE", "RLE", "PDF", "LRO", "RLO", "LRI", "RLI", "FSI", "PDI"}
anything = st.text(st.characters(codec=None), max_size=60)
NASTY = [
    "\x1b[31mred\x1b[0m", "\x1b]0;title\x07", "\x9b31m", "a\rb", "a\x08b", "\x7f",
    "abc\u202etxt.exe",    "\u2066x\u2069", "\ufeffx", "\udc80", "\u2028", "\U000e0041", "\x00",
]  # fmt: skip


@given(anything)
def test_nothing_that_steers_is_left(text):
    shown = printable(text)
    assert not any(unicodedata.category(c) in {"Cc", "Cs", "Zl", "Zp"} for c in shown.translate(
        {ord("\n"): None, ord("\t"): None}
    ))  # fmt: skip
    assert not any(
        unicodedata.bidirectional(c) in DIRECTIONS for c in shown
    )  # fmt: skip
    assert printable(shown) == shown
    shown.encode()
    assert len(one_line(text).splitlines()) <= 1


@given(st.text(st.characters(categories=["L", "M", "N", "P", "S", "Zs"]), max_size=60))
def test_what_people_write_stays_as_it_is(text):
    assert printable(text) == text


@pytest.mark.parametrize("text", ["a\nb\tc", "naïve café", "“q” — …", "日本　語", "👩‍🔬", "שלום"])
def test_prose_of_many_scripts_stays_as_it_is(text):
    assert printable(text) == text


@pytest.mark.parametrize("text", NASTY)
def test_it_is_shown_as_python_writes_it(text):
    shown = printable(text)
    assert shown != text
    assert shown.encode("ascii").decode("unicode_escape") == text
    assert one_line("a\nb\tc") == "a\\nb\\tc"
