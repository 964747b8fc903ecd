"""Examples that a run makes for itself: true, various, and the same for the same seed."""

import datetime
import re

from seqforge.core.data.made_examples import made_table, write_made


def rows(kind, count=2000, seed=1):
    return [line.split("\t") for line in made_table(kind, count, seed).splitlines()]


def test_sums_are_true_with_the_last_digit_first():
    found = rows("addition")
    for source, target in found:
        a, b = map(int, source.split("+"))
        assert int(target[::-1]) == a + b
    lengths = {len(number) for source, _ in found for number in source.split("+")}
    assert lengths == {1, 2, 3, 4, 5}


def test_dates_are_true_in_nine_ways():
    shapes = set()
    for source, target in rows("dates"):
        day = datetime.date.fromisoformat(target)
        assert 1900 <= day.year <= 2099
        assert str(day.year) in source
        assert re.search(rf"\b0?{day.day}(st|nd|rd|th)?\b", source)
        for name in re.findall(r"[A-Z][a-z]+", source):
            forms = {day.strftime(form) for form in ("%A", "%a", "%B", "%b")}
            assert name in forms
        if figures := re.fullmatch(r"(\d+)[/.](\d+)[/.]\d{4}", source):
            assert (int(figures[1]), int(figures[2])) == (day.day, day.month)
        shapes.add(re.sub(r"[A-Z][a-z]{3,}", "N", re.sub(r"\d+", "9", source)))
    assert {"9/9/9", "9.9.9", "9 N 9", "N 9, 9", "the 9th of N 9", "N, 9 N 9"} <= shapes


def test_the_seed_alone_decides(tmp_path):
    assert made_table("dates", 50, 1) == made_table("dates", 50, 1)
    assert made_table("dates", 50, 1) != made_table("dates", 50, 2)
    path = write_made(tmp_path, "addition", 50, 3)
    assert path.read_text() == made_table("addition", 50, 3)
    path.write_text("something else\n")
    assert write_made(tmp_path, "addition", 50, 3).read_text() == made_table("addition", 50, 3)
