"""What a search found, as a section and as a page of its own."""

from seqforge.base.html_page import Section
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
