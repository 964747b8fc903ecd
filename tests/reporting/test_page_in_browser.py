"""Pages in a real browser: nothing is asked of anybody, nothing goes wrong, everybody can read it.

Accessibility is judged by axe-core, in light and dark, on a phone, and as printed.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from seqforge.core.data.domain import Sample
from seqforge.domains.genome.similarity.hits import Hit, Hsp, SearchResult
from seqforge.domains.genome.similarity.hits_section import hits_section
from seqforge.domains.music.domain import MusicDomain
from seqforge.domains.music.render.listening_page import write_page
from seqforge.domains.music.render.sample_export import SampleExport, render
from seqforge.reporting.comparison import ComparedRun, write_comparison
from seqforge.reporting.excerpt import Excerpt, ExcerptUnit, excerpt_section
from seqforge.reporting.inspect_page import inspect_page
from seqforge.reporting.page import RunPage, write_report
from seqforge.reporting.similarity import write_search_page
from seqforge.reporting.summary import RunSummary, ShownSamples
from seqforge.reporting.sweep_page import BestTrial, SweepSummary, SweptTrial, write_sweep_page
from seqforge.reporting.verdict import judged
from tests.conftest import missing
from tests.reporting import inspected, material
from tests.reporting.conftest import evaluation_records, ingested

MODES = {
    "light": {"viewport": {"width": 1280, "height": 800}},
    "phone": {"viewport": {"width": 390, "height": 844}, "is_mobile": True},
}
LOOKS = {
    "light": [("screen", "light", MODES["light"]["viewport"]),
              ("screen", "dark", MODES["light"]["viewport"]),
              ("print", "light", {"width": 800, "height": 1100})],
    "phone": [("screen", "light", MODES["phone"]["viewport"])],
}  # fmt: skip
"""What one opened page is looked at on: a medium, its colours, its size."""


@pytest.fixture(scope="module")
def browser(require_program):
    """Debian's chromium, driven by Playwright."""
    if find_spec("playwright") is None or find_spec("axe_playwright_python") is None:
        missing("playwright with axe-playwright-python")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as started:
        quiet = ["--no-sandbox", "--disable-gpu"]
        program = require_program("chromium")
        found = started.chromium.launch(executable_path=program, args=quiet)
        yield found
        found.close()


@pytest.fixture(scope="module")
def axe():
    """The script of axe-core."""
    import axe_playwright_python

    folder = Path(axe_playwright_python.__file__).parent
    return next(folder.rglob("axe.min.js")).read_text("utf-8")


def summary():
    measures = [
        {"name": "GC", "words": "bases that are G or C (GC content)", "share": True,
         "samples": {"0.5": 0.2, "1.0": 0.4}, "low": 0.38, "high": 0.5},
    ]  # fmt: skip
    report = {"24-mers found in training": {"samples": 0.01, "held-out": 0.0}}
    found = material.summary_of_a_run() | {"measures": measures, "report": report}
    plain = RunSummary.model_validate(found)
    verdict = judged(plain, evaluation_records(), ingested(), "24-mers found in training")
    return plain.model_copy(update={"verdict": verdict})


def hits():
    aligned = "ACGTTGCATG" * 5
    hsp = Hsp(50, 99.0, 1e-20, 100.0, 50, 100.0, 50, 0, 1, 1, 11, 60, 101, 150, aligned, "|" * 50,
              aligned)  # fmt: skip
    hit = Hit("db", "chr1", "chr1", "a contig", "", 1000, "x.fa", (hsp,))
    facts = ("seqforge local", "1", "my fly.fa", 1000, 1, "2026-11-30T00:00:00+00:00")
    return hits_section([
        SearchResult("sample_1", 100, *facts, hits=(hit,), masked=0.1),
        SearchResult("sample_2", 100, *facts, masked=0.9),
    ])  # fmt: skip


def run_page(path):
    samples = [ShownSamples.model_validate(one) for one in material.SAMPLES]
    unit = ExcerptUnit(
        layer=0, unit=3, annotation="CDS", measure="auc", value=0.9, untrained=0.6,
        values=tuple(n / 100 - 1 for n in range(200)),
    )  # fmt: skip
    bits = tuple(n / 50 for n in range(200))
    seen = Excerpt(part="test", symbols="ACGT" * 50, bits=bits, units=(unit,), ranked=200)
    more = [hits(), excerpt_section(seen, "seqforge inspect run INPUT")]
    page = RunPage(summary(), evaluation_records(), samples, ingested(), more)
    write_report(path, page)


def comparison_page(path):
    found = summary()
    runs = [ComparedRun(n, found, evaluation_records(), "ACGT" * 40, "p.html") for n in "abc"]
    write_comparison(path, runs, "Seed 0.")


def search_page(path):
    found = material.summary_of_a_run()["similarity"]
    write_search_page(path, "s.fa, searched", found, hits(), [path.with_name("hits.tsv")])


def music_page(path):
    domain = MusicDomain(code="abc")
    tune = "M:3/4\nL:1/8\nK:G\nG2A2B2|d6|c2B2A2|G6|"
    prime = SampleExport(domain, Sample(tune[:30]), heading="given")
    sample = SampleExport(domain, Sample(tune, 30, number=1, model="folk"))
    first, second = render([(prime, None), (sample, path.with_name("x"))], [], for_page=2)
    write_page(path, "New tunes", first, [second], 3, ["moved"])


def sweep_page(path):
    trials = [
        SweptTrial(number=n, state="done", bits=2 + (n - 3) ** 2 / 50, weights=50_000 * 2**n,
                   settings={"model.hidden_size": 64 * n + 64, "model.num_layers": 1 + n % 3},
                   seconds=20.0, folder=f"trials/00{n}")
        for n in range(8)
    ]  # fmt: skip
    left = SweptTrial(number=8, state="failed", reason="<no> memory", settings={"a.b": 1})
    best = BestTrial(trial=3, bits=2.0, settings=trials[3].settings)
    found = SweepSummary(
        best=best, trials=(*trials, left), wanted=12, recipe="text", budget="20s",
        ranges={"model.hidden_size": "64..512", "model.num_layers": "1..3"}, unit="character",
        own=trials[5].settings, train_symbols=1_003_854,
        importances={"model.hidden_size": 0.9, "model.num_layers": 0.1},
    )  # fmt: skip
    curves = {n: [(x, 4.0 / x + n / 10) for x in (1.0, 5.0, 20.0)] for n in range(8)}
    write_sweep_page(path, found, curves)


def page_of_units(view):
    def write(path):
        path.write_text(inspect_page(view), "utf-8")

    return write


PAGES = {"run": run_page, "comparison": comparison_page, "search": search_page,
         "music": music_page, "sweep": sweep_page,
         "units": page_of_units(inspected.made_up(inspected.LINE * 12)),
         "genome units": page_of_units(inspected.genome()),
         "tune units": page_of_units(inspected.tunes())}  # fmt: skip


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    for name, write in PAGES.items():
        write(folder / f"{name}.html")
    return folder


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_sound_whoever_reads_it_and_however(browser, axe, pages, name, mode):
    path = pages / f"{name}.html"
    context = browser.new_context(**MODES[mode])
    page, said, asked = context.new_page(), [], []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url.partition(":")[0]))
    page.goto(path.as_uri())
    if "units" in name:
        page.wait_for_selector("html[data-ready]")
    page.evaluate(axe)

    for medium, colours, viewport in LOOKS[mode]:
        page.emulate_media(media=medium, color_scheme=colours)
        page.set_viewport_size(viewport)
        found = page.evaluate("axe.run({resultTypes: ['violations']})")["violations"]
        sizes = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        assert [(one["id"], one["nodes"][0]["html"]) for one in found] == [], (medium, colours)
        assert sizes[0] <= sizes[1], "it scrolls down alone"
    context.close()

    assert said == []
    assert set(asked) <= {"file", "data"}
    assert path.stat().st_size < 5_000_000


ANSWERS = {
    "is it any good?": ".verdict b",
    "how good?": ".headline b",
    "better than guessing?": "text=are saved",
    "better than counting?": "text=beats baselines",
    "enough data and training?": "text=enough training",
    "learnt by heart?": "text=over-fitting >> nth=0",
    "copied?": "text=copies >> nth=0",
    "was everything read?": "text=refused files >> nth=0",
    "what, on what, how long?": "text=the run took",
    "what does it write?": ".drawn",
    "where are the samples?": "text=samples-t0.5.fa >> nth=0",
    "what now?": "text=Try next",
}


def test_the_first_screen_answers_what_people_ask_first(browser, pages):
    page = browser.new_page(viewport=MODES["light"]["viewport"])
    page.goto((pages / "run.html").as_uri())
    for question, place in ANSWERS.items():
        box = page.locator(place).first.bounding_box()
        assert box is not None, question
        assert box["y"] + box["height"] <= 800, question
    page.close()


def test_a_check_leads_to_its_section(browser, pages):
    page = browser.new_page(viewport=MODES["phone"]["viewport"])
    page.goto((pages / "run.html").as_uri())
    page.click("text=copies >> nth=0")
    place = page.locator("#measures").bounding_box()
    page.close()
    assert -5 <= place["y"] < 400


def test_hits_unfold_to_their_alignments(browser, pages):
    page = browser.new_page()
    page.goto((pages / "run.html").as_uri())
    alignment = page.locator("text=Identities = 50/50")
    assert not alignment.is_visible()
    page.click("text=1 alignment")
    assert alignment.is_visible()
    page.close()


def test_the_page_of_units_follows_pointer_and_keyboard(browser, pages):
    page = browser.new_page(viewport=MODES["light"]["viewport"])
    page.goto((pages / "units.html").as_uri())
    page.wait_for_selector("html[data-ready]")
    page.locator("#pane .chunk span").nth(4).hover()
    assert page.text_content("#here").startswith("< character 5:")
    page.focus("#pane")
    page.keyboard.press("ArrowRight")
    assert page.text_content("#here").startswith("c character 6:")
    page.check("input[value=surprise]")
    assert page.text_content("#what") == "surprise"
    page.keyboard.press("ArrowDown")
    assert page.text_content("#what") == "unit 1:3: follows place in line"
    page.locator("#heat-row[style*='top: 0px']").wait_for()
    size = page.evaluate("document.getElementById('heat-canvas').height")
    assert size == inspected.LAYERS * inspected.UNITS
    page.select_option("#heat-order", "given")
    page.locator("#heat-row[style*='top: 45px']").wait_for()
    page.close()


def test_text_is_filled_in_where_it_is_scrolled_to(browser, tmp_path):
    path = tmp_path / "long.html"
    path.write_text(inspect_page(inspected.made_up(inspected.LINE * 2_000)), "utf-8")
    page = browser.new_page(viewport=MODES["phone"]["viewport"])
    page.goto(path.as_uri())
    page.wait_for_selector("html[data-ready]")
    assert page.locator(".chunk").last.locator("span").count() == 0
    page.evaluate("document.getElementById('pane').scrollTop = 1e9")
    page.locator(".chunk").last.locator("span").last.wait_for(state="attached")
    assert page.locator(".chunk span").count() < 20_000
    page.close()


@pytest.mark.parametrize("mode", ["light", "phone"])
def test_lines_of_bases_have_the_room_that_they_need(browser, pages, mode):
    page = browser.new_page(viewport=MODES[mode]["viewport"])
    page.goto((pages / "genome units.html").as_uri())
    page.wait_for_selector("html[data-ready]")
    sizes = page.evaluate(
        """[...document.querySelectorAll(".chunk")].filter((one) => one.full).map((one) =>
          [one.clientHeight, one.scrollHeight, one.children.length])"""
    )
    assert len(sizes) > 2
    for given, needed, _ in sizes:
        assert abs(given - needed) <= 1
    page.close()


def test_bars_beneath_bases_come_and_go_and_the_place_stays(browser, pages):
    page = browser.new_page(viewport=MODES["phone"]["viewport"])
    page.goto((pages / "genome units.html").as_uri())
    page.wait_for_selector("html[data-ready]")
    page.evaluate("document.getElementById('pane').scrollTop = 300")
    before = first_in_view(page)
    assert page.locator(".track i").count() > 0
    page.uncheck("#bars input")
    assert page.locator(".track").count() == 0
    assert first_in_view(page) == before > 0
    page.close()


def first_in_view(page):
    return page.evaluate(
        """[...document.querySelectorAll(".chunk")].find((one) =>
          one.getBoundingClientRect().bottom >
            document.getElementById("pane").getBoundingClientRect().top + 1).start"""
    )
