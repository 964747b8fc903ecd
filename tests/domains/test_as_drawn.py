"""What a domain writes sample by sample, and shows symbol by symbol, is what it writes and shows.

The laws of `Appends` and `ShowsAsDrawn`, for every domain of ours that has them.
"""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqforge.core.data.domain import Appends, DecodesSymbols, Sample, ShowsAsDrawn
from seqforge.domains.genome.domain import GenomeDomain
from seqforge.domains.music import event_codec
from seqforge.domains.music.domain import MusicDomain
from seqforge.domains.text.domain import TextDomain

CHARACTERS = st.characters(exclude_categories=["Cs"])
BYTES = st.characters(max_codepoint=255) | st.just("\ufffd")  # the last: the unknown symbol
SETTINGS = st.dictionaries(
    st.sampled_from(["top_k", "min_p", "temperature_end", "stop"]),
    st.integers() | st.floats() | st.text(CHARACTERS, max_size=5) | st.lists(st.booleans()),
    max_size=3,
)


def samples(alphabet):
    return st.builds(
        Sample, st.text(alphabet, max_size=200), number=st.integers(1, 2000),
        prime_length=st.integers(0, 9), suffix_length=st.integers(0, 3),
        model=st.text(CHARACTERS, max_size=5), temperature=st.none() | st.floats(0),
        seed=st.none() | st.integers(0), settings=SETTINGS,
    )  # fmt: skip


def cut(text, places):
    """The text in pieces; where places fall together a piece is empty."""
    ends = sorted(place % (len(text) + 1) for place in places)
    return [text[a:b] for a, b in zip([0, *ends], [*ends, len(text)], strict=True)]


SHOWN = [
    pytest.param(TextDomain(), st.characters(), id="text"),
    pytest.param(TextDomain(), "a\n", id="text of line breaks"),
    pytest.param(TextDomain(bytes=True), BYTES, id="bytes"),
    pytest.param(TextDomain(bytes=True), "\xe2\x82\xac\xf0\x9f\x98a\n", id="bytes of UTF-8"),
    pytest.param(GenomeDomain(line_width=7), "ACGT", id="genome"),
    pytest.param(GenomeDomain(), "ACGTN", id="genome in long lines"),
    pytest.param(MusicDomain(code="abc"), "ABc2|:\n", id="abc"),
    pytest.param(MusicDomain(code="events"), event_codec.BAR + "abcXYZ!#\n", id="events"),
]


@pytest.mark.parametrize(("domain", "alphabet"), SHOWN)
@given(data=st.data(), places=st.lists(st.integers(0, 200), max_size=30))
def test_what_is_shown_piece_by_piece_is_what_is_shown_whole(domain, alphabet, data, places):
    assert isinstance(domain, ShowsAsDrawn)
    sample = data.draw(samples(alphabet))
    pieces = cut(sample.symbols, places)
    begun = replace(sample, symbols=pieces[0])

    assert "".join(domain.showing(begun, pieces)) == domain.show(sample)


@pytest.mark.parametrize(
    ("domain", "alphabet"), [(TextDomain(), "aé€\n"), (MusicDomain(code="abc"), "ABc2|:")]
)
@given(data=st.data(), places=st.lists(st.integers(0, 200), max_size=30))
def test_symbols_that_are_what_is_read_are_deciphered_as_they_are(domain, alphabet, data, places):
    assert isinstance(domain, DecodesSymbols)
    symbols = data.draw(st.text(alphabet))
    decipher = domain.deciphering()

    for piece in cut(symbols, places):
        assert decipher(piece, False) == piece


@given(text=st.text(CHARACTERS), places=st.lists(st.integers(0, 200), max_size=30))
def test_bytes_are_deciphered_as_characters_wherever_they_are_cut(text, places):
    symbols = TextDomain(bytes=True).prime(text)
    decipher = TextDomain(bytes=True).deciphering()

    found = [decipher(piece, False) for piece in cut(symbols, places)]

    assert "".join(found) + decipher("", True) == text
    assert TextDomain(bytes=True).deciphering()("\xe2\x82", True) == "\ufffd"


def test_a_code_that_nobody_reads_is_not_deciphered_as_it_comes():
    assert MusicDomain(code="events").deciphering() is None
    assert not isinstance(GenomeDomain(), DecodesSymbols), "bases are what they are"


def test_bases_and_notes_are_shown_before_the_sample_is_whole():
    for domain in (TextDomain(), GenomeDomain(), MusicDomain(code="abc")):
        coming = iter(["AC", "GT"])
        shown = domain.showing(Sample("AC"), coming)
        seen = ""
        while "AC" not in seen:
            seen += next(shown)
        assert list(coming) == ["GT"], "nothing was read ahead"


@pytest.mark.parametrize(
    ("domain", "alphabet"),
    [(TextDomain(), st.characters()), (TextDomain(separator="%"), "ab%\n"),
     (TextDomain(bytes=True), BYTES), (GenomeDomain(line_width=9), "ACGTN")],
)  # fmt: skip
@given(data=st.data())
def test_a_file_is_its_pieces_one_after_the_other(domain, alphabet, data, tmp_path_factory):
    assert isinstance(domain, Appends)
    drawn = data.draw(st.lists(samples(alphabet), max_size=4))
    path = tmp_path_factory.mktemp("pieces") / "x"

    domain.write(drawn, path)

    assert path.read_bytes() == b"".join(
        domain.piece(sample, number == 0) for number, sample in enumerate(drawn)
    )


@given(sample=samples("ACGT"))
def test_a_fasta_header_is_one_line_of_words(sample):
    header, *_ = GenomeDomain().show(sample).split("\n")
    words = header.split(" ")

    assert header.isprintable()
    assert words[0] == f">sample_{sample.number}"
    for name in sample.settings:
        wanted = f"{name}=" if name != "temperature_end" or sample.temperature is None else "t="
        assert sum(one.startswith(wanted) for one in words) == 1


def test_a_header_says_how_the_sample_was_drawn():
    sample = Sample(
        "ACGTACGT", 2, 1, 7, "a model", 1.2, 3, -1.25, removed_mass=0.01234,
        settings={"temperature_end": 0.5, "top_k": 5, "min_p": 0.05, "stop": "A B\n", "bias": [1]},
    )  # fmt: skip

    assert GenomeDomain().show(sample).splitlines()[0] == (
        ">sample_7 model=a_model t=1.2:0.5 seed=3 prime=2 suffix=1 mean_log_prob=-1.2500 "
        "removed_mass=0.0123 top_k=5 min_p=0.05 stop=A\\u0020B\\u000a bias=[1]"
    )


def test_a_tune_says_how_it_was_drawn(tmp_path):
    settings = {"temperature_end": 0.5, "top_k": 5}
    sample = Sample("M:4/4\nK:C\nC4|", number=7, model="folk", temperature=1.0, seed=3,
                    removed_mass=0.5, settings=settings)  # fmt: skip
    MusicDomain(code="abc").write([sample], tmp_path / "x.mid")

    said = "temperature 1.0:0.5, seed 3, sample 7, removed mass 0.5000, top_k 5"
    assert f"N:seqforge music: folk, {said}\n" in (tmp_path / "x.abc").read_text()
    assert said.encode() in (tmp_path / "x.mid").read_bytes()
