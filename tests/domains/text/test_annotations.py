"""Annotations of texts are what a plain reading gives, and what written examples say."""

import math
import re
import string

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from seqforge.domains.text.annotations import SHORT_LINE, annotate_bytes, annotate_text, kind_of
from seqforge.domains.text.domain import TextDomain
from seqforge.plugin import Annotates

texts = st.text(st.sampled_from("ab A.\n\t 1\n"), max_size=200)


def numbers(text, name):
    return annotate_text(text).get(name, np.full(len(text), np.nan)).tolist()


def truth(text, name):
    return annotate_text(text).get(name, np.zeros(len(text), bool)).tolist()


def same(found, wanted):
    np.testing.assert_array_equal(np.array(found, float), np.array(wanted, float))


@given(texts)
@example("\n" + "a" * SHORT_LINE)
def test_places_in_lines(text):
    wanted = []
    for i in range(len(text)):
        before = text[: i + 1].rpartition("\n")[2]
        line = before + text[i + 1 :].partition("\n")[0]
        wanted.append(len(before) if len(line) >= SHORT_LINE else math.nan)
    same(numbers(text, "place in line"), wanted)
    same(truth(text, "newline comes next"), [text[i + 1 : i + 2] == "\n" for i in range(len(text))])


@given(texts)
@example(" " * 4 + "a\n\tb c\n\n   \n")
def test_indentation_is_known_from_the_first_other_character_on(text):
    lines = [text[: i + 1].rpartition("\n")[2] for i in range(len(text))]
    margins = [re.match(r"[ \t]*", line).group() for line in lines]
    wanted = [
        sum(8 if letter == "\t" else 1 for letter in margin) if margin != line else math.nan
        for line, margin in zip(lines, margins, strict=True)
    ]
    if not any(margins):
        wanted = [math.nan] * len(text)
    same(numbers(text, "indentation"), wanted)


@given(texts)
def test_lines_since_an_empty_one(text):
    breaks, count = [], 0
    for i, letter in enumerate(text):
        empty = letter == "\n" and (i == 0 or text[i - 1] == "\n")
        count = 0 if empty else count + (letter == "\n")
        breaks.append(count)
    if not re.search(r"(?:\A|\n)\n", text):
        breaks = [math.nan] * len(text)
    same(numbers(text, "lines since an empty one"), breaks)


@given(texts)
def test_places_in_words(text):
    runs = [re.search(r"\w*\Z", text[: i + 1]).group() for i in range(len(text))]
    same(numbers(text, "place in word"), [len(run) if run else math.nan for run in runs])
    same(truth(text, "capital letter"), [letter == "A" for letter in text])
    same(truth(text, "digit"), [letter == "1" for letter in text])


@given(texts)
def test_words_of_capitals(text):
    wanted = [False] * len(text)
    for word in re.finditer(r"\w+", text):
        whole = not re.search("[a-z]", word.group()) and word.group().count("A") > 1
        wanted[word.start() : word.end()] = [whole] * len(word.group())
    same(truth(text, "word in capitals"), wanted)


def test_words_of_a_sentence():
    same(numbers("A bc. D\nE f", "words of the sentence so far"),
         [1, 1, 2, 2, 0, 0, 1, 1, 2, 2, 3])  # fmt: skip


# Lines of an example: what is read, and ^ below each character where it is so.
EXAMPLES = {
    ("inside a comment", "C"): r"""
int a; /* b "c" */ d(2); // e
       .^^^^^^^^^.       .^^^
/* f
.^^^
 * g */
^^^^^^.
s = "/* h */";
#include <x.h>
""",
    ("inside quotes", "C"): r"""
f("a \" b", 'c', '"'); /* "d" */
  ^^^^^^^.  ^^.  ^^.
#include "e.h" // it's
         ^^^^.
""",
    ("inside an if-condition", "C"): r"""
if (a(b) && "c)" == d) { e(f); }
   ^^^^^^^^^^^^^^^^^^.
while(g) { if (h) i((j)); }
     ^^.      ^^.
iff(k); /* if (l) */ if m(n);
""",
    ("inside a directive", "C"): r"""
#define A \
^^^^^^^^^^^
  b
^^^
int c(int d);
  #endif
^^^^^^^^
""",
    ("inside a comment", "Python"): r"""
import a  # b
          ^^^
c = "# d"
def e():  # f 'g'
          ^^^^^^^
""",
    ("inside quotes", "Python"): r"""
import a
b = '''c "d"
    ^^^^^^^^^
e''' + "f'g" + 'h\'i'
^^^.   ^^^^.   ^^^^^.
def j():  # "k"
""",
    ("inside an if-condition", "Python"): r"""
if a:
  ^^.
    b = d if c else e
elif (f == {g: h}):
    ^^^^^^^^^^^^^^.
while i:
     ^^.
""",
    ("inside mathematics", "TeX"): r"""
\item $a_{b}$ costs \$3, $c$ and
      ^^^^^^.            ^^.
\[ d \] or $$e$$ and
^^^^^.     ^^^.
\begin{equation} f \end{equation}
^^^^^^^^^^^^^^^^^^^.
""",
    ("inside a comment", "TeX"): r"""
\emph{a} 5\% b % c $d
               ^^^^^^
""",
    ("inside quotes", "TeX"): r"""
\emph{a} ``b's c'' d
         ^^^^^^^^.
""",
    ("inside a tag", "markup"): r"""
<a href="b">c</a> 1 < 2
^^^^^^^^^^^. ^^^.
<d/>
^^^.
""",
    ("inside quotes", "markup"): r"""
<a href="b">"c"</a>
        ^^.
""",
    ("inside a comment", "markup"): r"""
<a>b</a> <!-- <c> -->
         .^^^^^^^^^^.
""",
    ("inside quotes", "prose"): r"""
He said: "It's (only)
         ^^^^^^^^^^^^^
a test." And “so
^^^^^^^.     ^^^
on”, or «what».
^^.     ^^^^^.
""",
    ("inside parentheses", "prose"): r"""
a (b [c] (d) e) f) :) (g
  ^^^^^^^^^^^^.       ^^
h
^

i
""",
    ("speaker's name", "prose"): r"""
First Citizen:
^^^^^^^^^^^^^.
You are: all

ALL:
^^^.
Resolved: so.
Not One:
""",
}  # fmt: skip


def parted(lines):
    """An example in, its text and the mark below each character out; a newline goes with the
    character before it unless a line of marks says that it is one."""
    text, marks = "", ""
    for line in lines.strip("\n").split("\n"):
        if text and line.strip() and not line.strip(" ^."):
            marks += line.ljust(len(text) - len(marks))[: len(text) - len(marks)]
        else:
            marks = marks.ljust(len(text))
            text += line + "\n"
    return text, marks.ljust(len(text))


@pytest.mark.parametrize(("name", "kind"), EXAMPLES)
def test_what_is_inside_in_written_examples(name, kind):
    text, marks = parted(EXAMPLES[name, kind])
    assert kind_of(text) == kind
    found = truth(text, name)
    for i, (mark, inside) in enumerate(zip(marks, found, strict=True)):
        if text[i] != "\n":
            assert inside == (mark == "^"), (text[:i], text[i], mark)


def test_depths_count_what_is_open():
    code = '{ a("(", [0]); }\n'
    same(numbers(code, "bracket depth"), [1, 1, 1, 2, 2, 2, 2, 2, 2, 3, 3, 2, 1, 1, 1, 0, 0])
    markup = "<a><b>c</b><br><d/></a>"
    depth = [0, 0, 1, 1, 1, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0]
    same(numbers(markup, "tag depth"), depth)
    tex = r"\begin{a}\begin{b}\end{b}"
    same(numbers(tex, "environment depth"), [0] * 8 + [1] * 9 + [2] * 7 + [1])


def test_what_was_left_open_ends_with_a_function_or_a_paragraph():
    assert numbers("f() {\n(((\n}\na(b)\n", "bracket depth")[-7:] == [0, 0, 0, 1, 1, 0, 0]
    assert numbers("a ((b\n\nc (d)", "bracket depth")[-6:] == [0, 0, 0, 1, 1, 0]


@given(st.text(st.sampled_from("(a)[] {}"), max_size=60))
def test_the_depth_is_never_below_nothing(text):
    depth, wanted = 0, []
    for letter in text:
        depth = max(0, depth + (letter in "([{") - (letter in ")]}"))
        wanted.append(depth)
    if any(wanted) and kind_of(text) == "prose":
        same(numbers(text, "bracket depth"), wanted)


@given(st.text(st.sampled_from('ab"()\n A:.“”'), max_size=80), texts)
def test_what_follows_a_paragraph_does_not_change_it(first, second):
    first += "\n\n"
    if kind_of(first) == kind_of(first + second) == "prose":
        alone, joined = annotate_text(first), annotate_text(first + second)
        for name in set(alone) & set(joined) - {"newline comes next", "indentation"}:
            same(alone[name][:-1], joined[name][: len(first) - 1])


@given(st.text(st.sampled_from(string.printable + "é“”\udc80"), max_size=120))
@example("if (a) { /* b\n")
@example("<a b='")
@example("\\begin{equation} $")
def test_every_text_has_an_annotation_for_each_character(text):
    for name, values in annotate_text(text).items():
        assert values.shape == (len(text),), name
        assert values.dtype in (bool, np.float32)


@given(st.text(st.sampled_from('aé€𝄞 \n"“”('), max_size=80))
def test_each_byte_of_a_character_has_what_the_character_has(text):
    sizes = [len(letter.encode()) for letter in text]
    found = annotate_bytes(text.encode())
    assert found.keys() == annotate_text(text).keys()
    for name, values in annotate_text(text).items():
        same(found[name], np.repeat(values, sizes))


def test_the_domain_annotates_characters_or_bytes():
    assert isinstance(TextDomain(), Annotates)
    data = b"\xff\xc3\xa9 \xe2\x82x" * 5
    found = TextDomain(bytes=True).annotate(data.decode("latin-1"))
    assert {len(values) for values in found.values()} == {len(data)}
    assert {len(values) for values in TextDomain().annotate("").values()} == {0}


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("{{Infobox\n| name = x\n}}\nA town {{citation}}\n* one\n", "prose"),
        ("He ran;\nshe (too) sat.\n", "prose"),
        ("static int a;\n\nint f(void)\n{\n\treturn a;\n}\n", "C"),
        ("x = 1\n\n\ndef f(y):\n    return {y: x}\n", "Python"),
        ("We say \\emph{that} $x$ is\nsmall, see \\ref{a}.\n", "TeX"),
        ("<page>\n<title>x</title>\n</page>\n", "markup"),
        ("", "prose"),
    ],
)
def test_the_kind_of_a_text_is_told_from_its_lines(text, kind):
    assert kind_of(text) == kind
