"""Whatever a file or a model says, the page only shows it."""

import json
import re

import pytest

from tests.reporting.material import INGEST, SAMPLES, evaluations, summary_of_a_run

HOSTILE = "<script>alert('1')</script>\"><img src=x onerror=alert(2)>&amp;{{ 7 * 7 }}"


def test_hostile_text_stays_text(page):
    summary = json.loads(
        json.dumps(summary_of_a_run()).replace("my fly.fa", json.dumps(HOSTILE)[1:-1])
    )
    summary |= {"name": HOSTILE, "unit": HOSTILE, "pipeline": HOSTILE}
    summary["versions"] = {HOSTILE: HOSTILE}
    summary["report"] = {HOSTILE: {HOSTILE: HOSTILE}, "x": HOSTILE, "y": [{HOSTILE: HOSTILE}]}
    summary["baselines"]["notes"] = [HOSTILE]
    summary["baselines"]["compressors"] = {HOSTILE: 2.0}
    summary["advice"] = {"before": HOSTILE, "after": HOSTILE}
    samples = [{"temperature": 0.5, "text": HOSTILE, "file": HOSTILE}]
    ingest = [{"file": HOSTILE, "status": "refused", "reason": HOSTILE}]

    found = page(summary, evaluations(), samples, ingest)

    assert not found.tags & {"script", "img"}
    assert found.text.count(HOSTILE) > 15
    assert not any(name.startswith("on") for _, name, _ in found.attributes)


@pytest.mark.parametrize(
    ("file", "link"),
    [
        ("samples/a b.fa", "samples/a%20b.fa"),
        ("javascript:alert(1)", "javascript%3Aalert%281%29"),
        ("//evil.example/x", None),
        ("/etc/passwd", None),
        ("../../x", None),
    ],
)
def test_a_link_leads_only_into_the_run_folder(page, file, link):
    found = page({}, samples=[{"temperature": 1.0, "text": "ACGT", "file": file}])

    links = [value for tag, name, value in found.attributes if name == "href"]
    assert [one for one in links if not one.startswith("#")] == ([] if link is None else [link])


def test_nothing_is_loaded_from_anywhere(page, tmp_path):
    found = page(summary_of_a_run(), evaluations(), SAMPLES, INGEST)

    assert not found.tags & {"script", "link", "iframe", "img", "object", "embed", "base"}
    assert not {name for _, name, _ in found.attributes} & {"src", "srcset", "xlink:href"}
    hrefs = [value for _, name, value in found.attributes if name == "href"]
    inside = {f"#{value}" for _, name, value in found.attributes if name == "id"}
    outside = [href for href in hrefs if href not in inside]
    assert outside == 2 * [sample["file"] for sample in SAMPLES], "above, and beside the samples"
    assert len(hrefs) > 10
    text = (tmp_path / "report.html").read_text("utf-8")
    assert not re.search(r"https?:|url\(|@import", text)
    assert "default-src 'none'" in text
