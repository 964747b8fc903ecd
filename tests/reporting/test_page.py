"""The page of a run: complete, and whole however much is missing."""

import subprocess

import pytest

from seqforge.base.html_page import Section
from seqforge.core.data.ingest import SAME_CONTENT
from seqforge.errors import RunError
from seqforge.reporting.page import RunPage, write_report
from seqforge.reporting.sections import memory_bars
from seqforge.reporting.summary import RunSummary
from tests.base.disks import room_for
from tests.patience import PATIENCE
from tests.reporting.material import (
    INGEST,
    SAMPLES,
    evaluations,
    least_summary,
    summary_of_a_run,
)


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
        *("the model is small.", "Under-fitting: training 1.920 and held-out 1.931 bits are"),
        *("2 files: 1 read, 1 refused.", "Two of 15 samples", "at step 4,000"),
        *("Nothing shows that my fly.fa is near.", "5 pieces of my fly.fa", "0.0417"),
        *("best E() in my fly.fa", "1e-5", "What they share with my fly.fa"),
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


def test_every_baseline_says_whether_it_adapts(page):
    """By name, with its order; the best of a kind is compared with the model in words."""
    summary = summary_of_a_run() | {
        "baseline_bits": {
            "uniform": 2.0, "witten-bell": 1.9488, "kneser-ney": 1.9401, "ppmd": 1.9765,
            "lzma": 2.0132, "inverted-repeats": 1.9312, "inverted-repeats-adaptive": 1.9222,
        },
        "baseline_kinds": {
            "uniform": "frozen", "witten-bell": "frozen", "kneser-ney": "frozen",
            "ppmd": "adaptive", "lzma": "adaptive", "inverted-repeats": "frozen",
            "inverted-repeats-adaptive": "adaptive",
        },
        "baseline_orders": {
            "witten-bell": 8, "kneser-ney": 9, "ppmd": 8, "inverted-repeats": 11,
            "inverted-repeats-adaptive": 12,
        },
    }  # fmt: skip

    text = page(summary).text

    for row in (
        *("guessing evenly (frozen)", "Witten-Bell n-gram, order 8 (frozen)"),
        *("Kneser-Ney n-gram, order 9 (frozen)", "PPMd, order 8 (adaptive)", "lzma (adaptive)"),
        *("inverted repeats, order 11 (frozen)", "inverted repeats, order 12 (adaptive)"),
        *("Witten-Bell n-gram, order 0 (frozen)", "this model (frozen)"),
    ):
        assert row in text, row
    assert "The best n-gram (order 9) needs 1.940: the model is 0.7 % better." in text
    assert "The best general compressor (PPMd) needs 1.976: the model is 2.6 % better." in text
    assert (
        "The inverted repeats, order 12 (adaptive) needs 1.922: the model is 0.2 % worse." in text
    )


def test_dynamic_evaluation_is_a_row_and_says_how_much_it_scored(page):
    scored = {"dynamic_evaluation": 1.9132, "dynamic_evaluation_frozen": 1.9243}
    part, whole = (
        page(summary_of_a_run() | scored | {"dynamic_evaluation_symbols": symbols}).text
        for symbols in (14_400, 1_057_333)
    )

    for text in (part, whole):
        assert "network, dynamic evaluation (adaptive)0.4091.913" in text, "saved, needed"
    assert "scored the first 14,400 of 1,057,331 symbols of the part" in part
    assert "as it is the model needs 1.924 for these." in part
    assert "Dynamic evaluation scored" not in whole
    assert "dynamic evaluation" not in page(summary_of_a_run()).text


def test_what_the_network_needs_alone_is_said_to_be_that(page):
    """The first number is of network and memory; one row is marked, also where two are level."""
    memory = {"alone_frozen": 2.0, "alone_adaptive": 1.75, "mixed_frozen": 1.9,
              "mixed_adaptive": 1.75, "mixed_dynamic": 1.8}  # fmt: skip
    headline = {"bits": 1.75, "what": "network+memory", "part": "test", "adaptive": True}
    found = page(summary_of_a_run() | {"memory": memory, "headline": headline})
    assert "bits per symbol, network alone" in found.text
    summary = RunSummary.model_validate(
        summary_of_a_run() | {"memory": memory, "headline": headline}
    )
    assert [bar.label for bar in memory_bars(summary) if bar.is_model] == [
        "network and memory (adaptive)"
    ]


def test_without_a_test_part_the_valid_part_speaks(page):
    summary = summary_of_a_run()
    summary["bits_per_symbol"]["test"] = None
    summary["baselines"]["part"] = "valid"

    text = page(summary).text

    assert "1.931 bits per base" in text
    assert "the valid part, on which the best model was chosen" in text


@pytest.mark.parametrize(
    "summary",
    [
        {},
        {"bits_per_symbol": {"valid": 2.0, "test": None}},
        {**summary_of_a_run(), "bits_per_symbol": {"valid": None, "test": None}},
        {**summary_of_a_run(), "advice": None, "peak_memory_mb": None, "report": {}},
        {**summary_of_a_run(), "similarity": {"table": [], "library": None}, "report": {"a": {}}},
    ],
)
def test_whatever_may_be_null_is_left_out(page, summary):
    nothing = [{"step": 200}]
    sample = {"text": "", "file": None, "temperature": 0.5, "mean_bits": None}
    file = {"file": "x", "status": "kept", "reason": ""}
    for metrics in ([], nothing, evaluations(1)):
        text = page(summary, metrics, [sample], [file]).text
        assert "None" not in text
        assert "nan" not in text

    held_out = summary.get("baselines", {}).get("part")
    known = held_out and summary["bits_per_symbol"]["test"]
    assert known or "how good the model is cannot be said" in text


def test_controls_of_which_little_is_known_are_shown_as_far_as_they_go(page):
    assert "Only this." in page({"similarity": {"controls": {"sentence": "only this"}}}).text
    for controls in (
        {"table": [{"a": None}]},
        {"picture": {"groups": {"a": [0.5, None]}, "ticks": None}},
        {"picture": {"groups": {"a": []}, "ticks": []}, "copying": {"x": None}},
    ):
        text = page({"similarity": {"controls": controls}}).text
        seen = "Beside what chance finds" in text
        assert seen is ("copying" not in controls), "no heading stands over nothing"
        assert "None" not in text


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
        *(
            "measurerate",
            "validyes",
            "share0.25",
            "innermeasurex",
            "tunenotesrests",
            "first64\N{EN DASH}",
        ),
    ):
        assert cells in text.replace("\n", ""), cells


def test_sentences_of_a_report_stand_before_its_tables(page):
    report = {"tunes": 9, "closeness": "Nearer is <b>more</b>.", "kind": "folk", "bars": {"a": 2}}
    text = page({"report": report}).text.replace("\n", "")
    assert "What the samples are likeNearer is <b>more</b>.tunes9kindfolk" in text
    assert text.count("Nearer is") == 1


def test_a_section_of_another_part_of_the_program_stands_where_it_asks_to(page):
    more = [
        Section("hits", "The hits", "<p>1 hit</p>", style=".hit {}", after="similarity"),
        Section("last", "At the end", "<p>x</p>"),
        Section("empty", "An empty one", " "),
    ]
    found = page(summary_of_a_run(), evaluations(), SAMPLES, INGEST, more)
    names = [value for tag, name, value in found.attributes if (tag, name) == ("section", "id")]
    assert names[names.index("similarity") + 1] == "hits"
    assert names[-1] == "last"
    listed = [value for tag, name, value in found.attributes if (tag, name) == ("a", "href")]
    assert [link for link in listed if link == "#hits"]
    assert "An empty one" not in found.text


def test_duplicates_are_folded_and_damaged_files_stand_out_with_short_paths(page):
    rows = [
        {"file": "/data/tunes/a.abc", "status": "kept", "reason": ""},
        {"file": "/data/tunes/b.abc", "status": "refused",
         "reason": f"{SAME_CONTENT} /data/tunes/a.abc"},
        {"file": "/data/tunes/more/c.abc", "status": "refused",
         "reason": "/data/tunes/more/c.abc: no tune"},
    ]  # fmt: skip
    found = page({}, ingest=rows)
    assert "3 files: 1 read, 1 duplicate left out, 1 refused." in found.text
    assert found.text.count("more/c.abc") == 1, "its reason does not name it again"
    assert "/data" not in found.text
    damaged = found.text.index("more/c.abc")
    assert damaged < found.text.rindex("1 duplicate left out")


def test_every_file_of_samples_is_linked(page):
    files = [f"samples/t1.0-00{n}.{ending}" for n in (1, 2) for ending in ("mid", "abc")]
    drawn = [{"temperature": 1.0, "text": "x", "file": files[0], "files": files}]
    found = page({}, samples=drawn)
    links = {value for tag, name, value in found.attributes if (tag, name) == ("a", "href")}
    assert set(files) <= links


def test_many_files_are_folded_and_cut(page):
    rows = [{"file": f"tune-{i}.abc", "status": "kept", "reason": ""} for i in range(450)]

    found = page({}, ingest=rows)

    assert "details" in found.tags
    assert "450 files: 450 read, 0 refused." in found.text
    assert "250 more rows are not shown." in found.text


def test_control_characters_are_shown_as_pictures(page):
    odd = [{"file": "half a pair: \ud800", "status": "kept", "reason": ""}]
    drawn = [{"temperature": 0, "text": "\n\na\0b\x1b", "file": None}]
    text = page({}, samples=drawn, ingest=odd).text

    assert "\n\na␀b␛" in text
    assert "half a pair: ?" in text
    assert "Greedy" in text


def test_a_page_that_cannot_be_written_leaves_the_old_one(tmp_path):
    path = tmp_path / "report.html"
    old, new = (RunSummary.model_validate(least_summary() | {"name": n}) for n in ("old", "new"))
    write_report(path, RunPage(old, [], [], []))

    with room_for(100), pytest.raises(RunError, match=r"report\.html: cannot be written"):
        write_report(path, RunPage(new, [], [], []))

    assert "old" in path.read_text()


def test_the_same_run_gives_the_same_bytes(page, tmp_path):
    pages = []
    for _ in range(2):
        page(summary_of_a_run(), evaluations(), SAMPLES, INGEST)
        pages.append((tmp_path / "report.html").read_bytes())

    assert pages[0] == pages[1]
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]


def test_a_browser_shows_it(page, tmp_path, require_program):
    path = tmp_path / "report.html"
    page(summary_of_a_run(), evaluations(), SAMPLES, INGEST)
    quiet = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-sync"
    still = "--disable-background-networking --disable-component-update"

    shown = subprocess.run(
        [
            *(require_program("chromium"), *quiet.split(), *still.split()),
            *(f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", path.as_uri()),
        ],
        capture_output=True,
        timeout=PATIENCE,
        check=True,
    )

    assert shown.stdout.decode().count("<polyline") == 4
    assert "the model is 1.2 % better" in shown.stdout.decode()
