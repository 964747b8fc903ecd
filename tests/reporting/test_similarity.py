"""What a search found, as a section and as a page of its own."""

from seqforge.base.html_page import Section
from seqforge.core.data.presentation import Wording
from seqforge.reporting.similarity import similarity, write_search_page
from tests.reporting.material import Checker, summary_of_a_run

FOUND = summary_of_a_run()["similarity"]


def read(text):
    checker = Checker()
    checker.feed(text)
    checker.close()
    assert checker.open == []
    return checker


def test_the_conclusion_stands_before_the_hits():
    text = read(similarity(FOUND, "base")).text
    assert text.index("Nothing shows that my fly.fa is near.") < text.index("Two of 15 samples")
    assert "21,146,708 bases" in text


def test_where_the_hits_follow_their_table_is_not_shown_twice():
    text = read(similarity(FOUND, "base", hits_follow=True)).text
    assert "Two of 15" not in text
    assert "1.2e-09" not in text
    assert similarity({}, "base") == ""


def test_a_search_has_a_page_of_its_own(tmp_path):
    path = tmp_path / "report.html"
    hits = Section("hits", "The hits", "<p>here</p>", after="similarity")
    files = [tmp_path / "hits.tsv", tmp_path / "a:b.txt"]
    write_search_page(path, "my <fly>, searched", FOUND, hits, files)
    found = read(path.read_text())
    assert found.title == "my <fly>, searched - seqforge"
    assert found.text.index("Nothing shows") < found.text.index("here")
    links = [value for tag, name, value in found.attributes if (tag, name) == ("a", "href")]
    assert links == ["hits.tsv", "a%3Ab.txt", "#hits", "#similarity"]


def test_a_search_without_controls_speaks_of_no_chance(tmp_path):
    path, hits = tmp_path / "report.html", Section("hits", "The hits", "<p>here</p>")
    plain = {**FOUND, "controls": None, "notes": ["more were left out: --max-hsps 5"]}
    write_search_page(path, "a.fa, searched", plain, hits, [])
    text = read(path.read_text()).text
    assert "What was searched" in text
    assert "chance" not in text
    assert "More were left out: --max-hsps 5." in text


def test_copies_are_told_in_words_and_percent():
    said = Wording("runs of 24 bases that the training data have (24-mers)", share=True)
    text = read(similarity(FOUND, "base", wordings={"24-mers found in training": said})).text
    assert said.words in text
    assert "6.25 %" in text
    assert "0.0625" not in text
