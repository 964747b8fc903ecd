"""The page of a run: complete, harmless, and whole however much is missing."""

import json
import math
import re
import subprocess
from html.parser import HTMLParser

import pytest

from seqforge.errors import RunError
from seqforge.reporting import write_report

VOID = {"meta", "br", "hr", "img", "input", "link"}
HOSTILE = "<script>alert('1')</script>\"><img src=x onerror=alert(2)>&amp;{{ 7 * 7 }}"


def summary_of_a_run():
    return {
        "pipeline": "genome",
        "domain": "genome",
        "name": "genome-2026-11-21-110000",
        "command": "seqforge run genome --fasta 'my fly.fa' --budget 2m",
        "finished_at": "2026-11-21T11:02:31+00:00",
        "symbols": {"train": 19_031_947, "valid": 1_057_330, "test": 1_057_331},
        "records": {"train": 11, "valid": 3, "test": 2},
        "vocabulary_size": 5,
        "parameters": 199_813,
        "model": {"cell": "lstm", "hidden_size": 128, "num_layers": 2, "embedding_size": None},
        "bits_per_symbol": {"valid": 1.931, "test": 1.926},
        "perplexity": {"valid": 3.813, "test": 3.799},
        "unit": "base",
        "baselines": {
            "part": "test",
            "uniform": 2.3219,
            "order_k": 1.9488,
            "k": 8,
            "orders": {"0": 1.9942, "2": 1.9738, "4": 1.9658, "8": 1.9488, "9": 1.9508},
            "compressors": {"zlib": 2.2299, "bz2": None, "lzma": 2.0132},
            "notes": ["The compressors saw the last 4,000,000 training symbols."],
        },
        "speed": {"train_symbols_per_second": 234_567.8, "sample_symbols_per_second": 64_000.2},
        "peak_memory_mb": 843.21,
        "wall_seconds": 151.3,
        "seed": 12345,
        "precision": "bf16",
        "lanes": 2,
        "versions": {"seqforge": "0.1.0", "torch": "2.13.0", "python": "3.11.9"},
        "samples": [
            {"file": "samples/samples-t0.5.fa", "temperature": 0.5, "count": 5, "mean_bits": 1.8},
            {"file": "samples/samples-t1.0.fa", "temperature": 1.0, "count": 6, "mean_bits": 1.95},
        ],
        "report": {
            "gc_content": {"samples": 0.4312, "held_out": 0.4275},
            "outside_grammar": 0.0625,
            "stop_codons": {"TAA": {"samples": 0.313}, "TAG": {"samples": 0.207}},
        },
        "similarity": {
            "library": "my fly.fa",
            "library_length": 21_146_708,
            "sentence": "Two of 15 samples are more alike than any shuffle.",
            "table": [
                {"query": "samples", "hits": 2, "best_evalue": 1.2e-9},
                {"query": "shuffle", "hits": 0, "best_evalue": None},
            ],
        },
    }


def evaluations(count=30):
    return [
        {
            "step": 200 * i,
            "elapsed_seconds": 4.0 * i,
            "train_bits": 1.92 + 0.5 * math.exp(-i),
            "valid_bits": 1.93 + 0.4 * math.exp(-i) + 1e-4 * max(0, i - 20),
            "learning_rate": 2e-3,
            "symbols_per_second": 234_567.8,
        }
        for i in range(1, count + 1)
    ]


SAMPLES = [
    {"temperature": 0.5, "text": ">sample_1\nACGT\n", "file": "samples/samples-t0.5.fa"},
    {"temperature": 1.0, "text": "ACGT" * 2_000, "file": "samples/samples-t1.0.fa"},
]
INGEST = [
    {
        "file": "my fly.fa",
        "status": "split",
        "reason": "1 run of N",
        "records": "16",
        "symbols": "21146608",
    },
    {"file": "notes.txt", "status": "refused", "reason": "no '>'", "records": "", "symbols": ""},
]


class Checker(HTMLParser):
    """Keeps the text, the tags still open, and every attribute."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.open, self.attributes, self.tags, self.text = [], [], set(), ""

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes += [(tag, *attribute) for attribute in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"</{tag}> closes nothing"

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.text += data


@pytest.fixture
def page(tmp_path):
    """Writes a page and reads it again, parsed."""

    def write(summary, metrics=(), samples=(), ingest=()):
        path = tmp_path / "report.html"
        write_report(path, summary, metrics, samples, ingest)
        checker = Checker()
        checker.feed(path.read_text("utf-8"))
        checker.close()
        assert checker.open == [], "tags left open"
        return checker

    return write


def test_every_number_is_on_the_page(page):
    text = page(summary_of_a_run(), evaluations(), SAMPLES, INGEST).text

    for wanted in (
        *("1.926", "1.931", "3.813", "3.799", "2.322", "1.949", "1.994", "1.974", "1.966"),
        *("2.230", "2.013", "19,031,947", "1,057,330", "1,057,331", "199,813", "128"),
        *("234,568 bases a second", "64,000 bases a second", "843 MB", "2 min 31 s", "12345"),
        *("bf16", "2.13.0", "3.11.9", "0.4312", "0.4275", "0.0625", "0.313", "0.207"),
        *("1.2e-09", "21,146,708", "21,146,608", "16", "5 samples", "1.800", "1.950"),
        *("the first 2,000 of 8,000 characters", "1 run of N", "no '>'", "2026-11-21 11:02"),
        *("seqforge run genome --fasta 'my fly.fa' --budget 2m", "The compressors saw"),
        *("2 files: 1 read, 1 refused.", "Two of 15 samples", "at step 4,000"),
    ):
        assert wanted in text, wanted
    assert "bz2" not in text


def test_the_headline_compares_in_plain_words(page):
    summary = summary_of_a_run()
    text = page(summary).text
    assert "The best n-gram (order 8) needs 1.949: the model is 1.2 % better." in text
    assert "The best general compressor (lzma) needs 2.013: the model is 4.3 % better." in text
    assert (
        "An LSTM with 2 layers of 128 (199,813 weights), trained on 19,031,947 bases; "
        "the run took 2 min 31 s." in text
    )

    summary["bits_per_symbol"]["test"] = 2.0
    assert "the model is 2.6 % worse." in page(summary).text

    summary["bits_per_symbol"]["test"] = 1.9489
    assert "the model is level with it." in page(summary).text


def test_without_a_test_part_the_valid_part_speaks(page):
    summary = summary_of_a_run()
    summary["bits_per_symbol"]["test"] = None
    summary["baselines"]["part"] = "valid"

    text = page(summary).text

    assert "1.931 bits per base" in text
    assert "the valid part, on which the best model was chosen" in text


def test_hostile_text_stays_text(page):
    summary = json.loads(
        json.dumps(summary_of_a_run()).replace("my fly.fa", json.dumps(HOSTILE)[1:-1])
    )
    summary |= {"name": HOSTILE, "unit": HOSTILE, "pipeline": HOSTILE}
    summary["versions"] = {HOSTILE: HOSTILE}
    summary["report"] = {HOSTILE: {HOSTILE: HOSTILE}, "x": HOSTILE, "y": [{HOSTILE: HOSTILE}]}
    summary["baselines"]["notes"] = [HOSTILE]
    summary["baselines"]["compressors"] = {HOSTILE: 2.0}
    summary["model"]["cell"] = HOSTILE
    samples = [{"temperature": 0.5, "text": HOSTILE, "file": HOSTILE}]
    ingest = [{"file": HOSTILE, "status": "refused", "reason": HOSTILE, HOSTILE: HOSTILE}]

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
    assert links == ([] if link is None else [link])


def test_nothing_is_loaded_from_anywhere(page, tmp_path):
    found = page(summary_of_a_run(), evaluations(), SAMPLES, INGEST)

    assert not found.tags & {"script", "link", "iframe", "img", "object", "embed", "base"}
    assert not {name for _, name, _ in found.attributes} & {"src", "srcset", "xlink:href"}
    hrefs = [value for _, name, value in found.attributes if name == "href"]
    assert hrefs == [sample["file"] for sample in SAMPLES]
    text = (tmp_path / "report.html").read_text("utf-8")
    assert not re.search(r"https?:|url\(|@import", text)
    assert "default-src 'none'" in text


def without(value):
    """The same with every leaf null."""
    return {k: without(v) for k, v in value.items()} if isinstance(value, dict) else None


@pytest.mark.parametrize(
    "summary",
    [
        {},
        dict.fromkeys(summary_of_a_run()),
        without(summary_of_a_run()),
        {**summary_of_a_run(), "bits_per_symbol": None},
        {**summary_of_a_run(), "baselines": {"part": "test", "orders": {}, "compressors": {}}},
        {**summary_of_a_run(), "similarity": {"table": [], "library": None}, "report": {"a": {}}},
    ],
)
def test_anything_may_be_null(page, summary):
    nothing = [dict.fromkeys(evaluations(1)[0])]
    for metrics in ([], nothing, evaluations(1)):
        text = page(summary, metrics, [dict.fromkeys(SAMPLES[0])], [{"file": "x"}]).text
        assert "None" not in text
        assert "nan" not in text

    known = (summary.get("bits_per_symbol") or {}).get("test")
    assert known or "how good the model is cannot be said" in text


def test_a_report_of_any_shape_is_tables(page):
    report = {
        "kind": "folk",
        "keys": ["G", "D"],
        "empty": {},
        "range": {"samples": 12, "held_out": 14},
        "bars": {"samples": 8, "held_out": 9.5},
        "valid": {"rate": True},
        "mixed": {"share": 0.25, "inner": {"a": {"x": 1}}},
        "rows": [{"tune": "first", "notes": 64}, {"tune": "second", "rests": 3}],
    }

    text = page({"report": report}).text

    for cells in (
        *("kindfolk", "keysG, D", "measuresamplesheld out", "range1214", "bars89.5"),
        *("measurerate", "validyes", "share0.25", "innerx", "tunenotesrests", "first64\N{EN DASH}"),
    ):
        assert cells in text.replace("inner\n", "inner").replace("\n", ""), cells


def test_many_files_are_folded_and_cut(page):
    rows = [{"file": f"tune-{i}.abc", "status": "kept", "reason": ""} for i in range(450)]

    found = page({}, ingest=rows)

    assert "details" in found.tags
    assert "450 files: 450 read, 0 refused." in found.text
    assert "250 more rows are not shown." in found.text


def test_control_characters_are_shown_as_pictures(page):
    text = page({}, samples=[{"temperature": 0, "text": "\n\na\0b\x1b\ud800", "file": None}]).text

    assert "\n\na␀b␛?" in text
    assert "Greedy" in text


def test_a_page_that_cannot_be_written_leaves_the_old_one(tmp_path):
    path = tmp_path / "report.html"
    write_report(path, {"name": "old"}, [], [], [])
    (tmp_path / "report.html.partial").mkdir()

    with pytest.raises(RunError, match=r"report\.html: cannot be written"):
        write_report(path, {"name": "new"}, [], [], [])

    assert "old" in path.read_text()


def test_the_same_run_gives_the_same_bytes(tmp_path):
    pages = []
    for name in ("a", "b"):
        path = tmp_path / name
        write_report(path, summary_of_a_run(), evaluations(), SAMPLES, INGEST)
        pages.append(path.read_bytes())

    assert pages[0] == pages[1]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "b"]


def test_a_browser_shows_it(tmp_path, require_program):
    path = tmp_path / "report.html"
    write_report(path, summary_of_a_run(), evaluations(), SAMPLES, INGEST)
    quiet = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-sync"
    still = "--disable-background-networking --disable-component-update"

    shown = subprocess.run(
        [
            *(require_program("chromium"), *quiet.split(), *still.split()),
            *(f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", path.as_uri()),
        ],
        capture_output=True,
        timeout=25,
        check=True,
    )

    assert shown.stdout.decode().count("<polyline") == 2
    assert "the model is 1.2 % better" in shown.stdout.decode()
