"""Text in, text out."""

import bz2
import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqforge.base.compression import packing_of
from seqforge.core.data.domain import Sample
from seqforge.domains.text.domain import TextDomain, copy_measures, word_measures
from seqforge.errors import InputError

# Line ends become one symbol, and a file does not say whether a byte-order mark is part of it.
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r\ufeff"),
                min_size=1)  # fmt: skip


@given(text=TEXTS)
def test_read_undoes_write(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("text") / "x.txt"
    domain = TextDomain()

    domain.write([Sample(text)], path)

    assert [record.symbols for record in domain.read(path)] == [text]


def not_packed(data):
    return packing_of(data[:10]) is None and not data.startswith(b"PK")  # nor a zip archive


@given(data=st.binary(min_size=1).filter(not_packed))
def test_any_bytes_come_back_as_they_were(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("bytes")
    (folder / "x").write_bytes(data)
    domain = TextDomain(bytes=True)

    (record,) = domain.read(folder / "x")
    domain.write([Sample(record.symbols)], folder / "y")

    assert len(record.symbols) == len(data)
    assert (folder / "y").read_bytes() == data


@given(
    pieces=st.lists(st.text("ab\n", min_size=1).filter(lambda t: t.strip("\n") == t), min_size=2)
)
def test_records_lie_between_separators(tmp_path_factory, pieces):
    path = tmp_path_factory.mktemp("text") / "x.txt"
    domain = TextDomain(separator="%")

    domain.write([Sample(piece) for piece in pieces], path)

    assert [record.symbols for record in domain.read(path)] == pieces


def test_a_separator_of_line_breaks_can_be_typed(tmp_path):
    (tmp_path / "x.txt").write_text("one\ntwo\n\nthree\n")
    assert [r.symbols for r in TextDomain(separator=r"\n\n").read(tmp_path / "x.txt")] == [
        "one\ntwo", "three",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "pack"), [("x.txt.gz", gzip.compress), ("x.txt.bz2", bz2.compress)]
)
def test_packed_files_are_unpacked(tmp_path, name, pack):
    (tmp_path / name).write_bytes(pack("né\r\nici\rlà".encode()))
    (record,) = TextDomain().read(tmp_path / name)
    assert record.symbols == "né\nici\nlà"


@pytest.mark.parametrize(
    ("data", "offset", "byte"),
    [(b"abc\xff", 3, "ff"), ("é".encode()[:1], 0, "c3"), (b"x" * 99 + b"\x80y", 99, "80")],
)
def test_what_is_not_utf8_is_named_by_its_offset(tmp_path, data, offset, byte):
    (tmp_path / "x.txt").write_bytes(data)
    with pytest.raises(InputError, match=f"byte 0x{byte} at offset {offset} is not UTF-8"):
        list(TextDomain().read(tmp_path / "x.txt"))


def test_there_is_prose_to_try_on_every_machine():
    (path,) = TextDomain().default_input()
    (record,) = TextDomain().read(path)
    assert len(record.symbols) > 500_000


def test_a_copied_text_is_found_out_and_a_new_one_is_not():
    from seqforge.core.data.vocabulary import Vocabulary

    training = "it was the best of times, it was the worst of times, it was the age of wisdom " * 9
    vocabulary = Vocabulary(tuple(sorted(set(training))))
    ids = vocabulary.encode(training)

    copied = copy_measures([vocabulary.encode(training[100:200])], ids)
    fresh = copy_measures(
        [vocabulary.encode("worst age, the wisdom of best times was it" * 2)], ids
    )

    assert copied["spans of 50 characters copied (share)"] == 1
    assert copied["longest copied span (characters)"] == 100
    assert fresh["spans of 20 characters copied (share)"] == 0
    assert fresh["longest copied span (characters)"] < 20


def test_words_are_counted():
    assert word_measures(["a bb bb zz"], {"a", "bb"}) == {
        "words known from training (share)": 0.75,
        "mean word length (characters)": 1.75,
        "distinct words (share)": 0.75,
    }
    assert set(word_measures([], {"a"}).values()) == {None}
