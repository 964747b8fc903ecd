"""What is generated is right: answers by Python's own arithmetic, tags by a stack."""

import re
from random import Random

import numpy as np
import pytest

from seqforge.experiments.algorithms import (
    ARITHMETIC,
    XML,
    arithmetic_problems,
    ids_of,
    in_closing_tags,
    xml_document,
    xml_text,
)


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize("digits", [1, 3, 8])
def test_answers_are_right_and_numbers_have_all_lengths(digits):
    lengths = set()
    for problem in arithmetic_problems(rng(), 2000, digits):
        given, answer = re.fullmatch(r"([^=]+)=(-?\d+)\.", problem).groups()
        left, sign, right = re.fullmatch(r"(\d+)([+-])(\d+)", re.sub("[a-z]", "", given)).groups()
        assert int(answer) == int(left) + (int(right) if sign == "+" else -int(right))
        assert str(int(left)) == left, "no zeros in front"
        lengths |= {len(left), len(right)}
    assert lengths == set(range(1, digits + 1))


def test_up_to_two_letters_stand_behind_every_symbol_that_is_given():
    gaps = set()
    for problem in arithmetic_problems(rng(), 500, 8):
        assert problem[0].isdigit()
        gaps |= set(map(len, re.findall("[a-z]*(?=[0-9+=-])", problem.partition("=")[0][1:] + "=")))
        assert re.search("[a-z]", problem.partition("=")[2]) is None
    assert gaps == {0, 1, 2}


def test_every_tag_is_closed_by_its_like():
    for number in range(200):
        opened = []
        document = xml_document(Random(number), 10)
        for closing, name in re.findall("<(/?)([a-z]{2,10})>", document):
            if closing:
                assert opened.pop() == name
            else:
                opened.append(name)
        assert opened == []
        assert re.sub("</?[a-z]{2,10}>", "", document) == ""


def test_half_of_all_documents_are_empty_and_none_opens_more_than_fifty():
    documents = [xml_document(Random(number), 4) for number in range(4000)]
    assert np.mean([not document for document in documents]) == pytest.approx(0.5, abs=0.03)
    assert max(len(re.findall("<[a-z]", document)) for document in documents) <= 50


def test_the_letters_of_closing_tags_are_what_is_determined():
    text = "<ab><cde></cde></ab><x></x"
    found = in_closing_tags(text)
    assert "".join(c if known else "." for c, known in zip(text, found, strict=True)) == (
        "...........cde>..ab>.....x"
    )


def test_a_seed_repeats_and_another_does_not():
    assert arithmetic_problems(rng(3), 9, 8) == arithmetic_problems(rng(3), 9, 8)
    assert arithmetic_problems(rng(3), 9, 8) != arithmetic_problems(rng(4), 9, 8)
    assert (
        xml_text(Random(3), 500, 10) == xml_text(Random(3), 500, 10) != xml_text(Random(4), 500, 10)
    )
    assert len(xml_text(Random(3), 500, 10)) == 500


def test_symbols_have_their_places():
    assert (len(ARITHMETIC), len(XML)) == (40, 29)
    for text, symbols in ((arithmetic_problems(rng(), 1, 8)[0], ARITHMETIC),
                          (xml_text(Random(0), 80, 10), XML)):  # fmt: skip
        assert "".join(symbols[place] for place in ids_of(text, symbols)) == text
