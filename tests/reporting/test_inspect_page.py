"""The page of units: what it says, and what a real browser makes of it."""

import json
import re
import subprocess
from dataclasses import replace
from html import unescape

import numpy as np
import pytest

from seqforge.core.inspection.annotations import WrittenScore
from seqforge.core.inspection.directions import Directions
from seqforge.reporting.inspect_page import inspect_page
from seqforge.reporting.inspect_view import InspectView, ShownAnnotation, ShownRecord, ShownUnit
from tests.patience import PATIENCE
from tests.reporting.inspected import LAYERS, LINE, UNITS, genome, made_up, of, tunes


def words(page):
    """What it says, without tags, scripts and style."""
    text = re.sub(r"(?s)<(script|style).*?</\1>", "", page)
    return " ".join(unescape(re.sub(r"(?s)<[^>]*>", " ", text)).split())


def test_the_first_line_says_what_was_found_and_what_was_not():
    text = words(inspect_page(made_up()))
    assert (
        "1 unit found 1:3 follows place in line (r = 0.91; in untrained networks at most 0.42)."
        in text
    )
    assert "Looked for and not found: vowel." in text
    assert "1,480 characters; 2 layers of 6 units; 12,345 weights" in text

    nothing = made_up()
    text = words(inspect_page(replace(nothing, units=nothing.units[1:])))
    assert "Nothing found Looked for and not found: place in line, vowel." in text


def test_a_unit_may_follow_two_annotations():
    view = made_up()
    other = replace(view.units[0], annotation="vowel", measure="auc", value=0.99, values=None)
    page = inspect_page(replace(view, units=[view.units[0], other, view.units[1]]))
    text = words(page)
    assert "2 units found" not in text
    assert "1:3 follows vowel (AUC = 0.990" in text
    assert "not found" not in text
    assert page.count('name="colouring" value="unit') == 2
    assert re.findall(r'data-unit="(.*?)"', page) == ["0", "0", "1"]


def test_units_that_follow_the_same_are_named_together():
    view = made_up()
    second = replace(view.units[0], layer=0, unit=5, value=0.8)
    text = words(inspect_page(replace(view, units=[view.units[0], second, view.units[1]])))
    assert "2 units found 1:3 follows place in line" in text
    assert "at most 0.42), and so does 0:5. Looked for" in text


def test_tables_say_what_silencing_and_holding_do():
    text = words(inspect_page(made_up()))
    assert "+0.200 bits where it is high, \N{MINUS SIGN}0.010 elsewhere; random units +0.03" in text
    assert (
        "place in line 12 when held at \N{MINUS SIGN}0.90, 40 at 0.80, 25 when free; "
        "with random units it moves by \N{MINUS SIGN}2 to 3"
    ) in text
    assert "1:3 found place in line r = 0.91 0.42 0.11" in text
    assert "0:2 vowel AUC = 0.910 0.930 0.550" in text
    assert "vowel AUC 0.750 0.875" in text
    assert "1 3.500 16 2.500 all 2.250" in text


def test_symbols_and_bits_are_enough():
    page = inspect_page(InspectView("plain", "base", "ACGT", np.full(4, 2.0)))
    text = words(page)
    assert "2.000 bits per base" in text
    for absent in ("found", "All units", "nan", "None"):
        assert absent not in text.replace("counts as found", "")
    assert inspect_page(InspectView("empty", "base", "", np.zeros(0)))


def test_labels_of_a_flat_curve_differ():
    page = inspect_page(made_up(memory=[(1, 1.951), (16, 1.949), (None, 1.944)]))
    labels = re.findall(r'text-anchor="end">(1\.9\d+)</text>', page)
    assert len(labels) == 5
    assert len(set(labels)) == 5


def test_hostile_names_stay_text():
    hostile = "</script><img src=x onerror=alert(1)>"
    view = made_up(model=hostile, unit=hostile, text=hostile, records=[ShownRecord(hostile, 38)])
    units = [replace(unit, annotation=hostile) for unit in view.units]
    annotations = [replace(one, name=hostile) for one in view.annotations]
    page = inspect_page(replace(view, units=units, annotations=annotations))
    assert "<img" not in page
    assert page.count("</script>") == 3


def test_a_page_of_100_000_symbols_and_16_units_stays_under_5_mb():
    """Noise cannot be compressed: no page is larger."""
    count, rng = 100_000, np.random.default_rng(1)
    noise = rng.uniform(-1, 1, (count, 16)).astype(np.float16)
    text = "".join(map(chr, rng.integers(33, 126, count)))
    page = inspect_page(InspectView(
        "large", "character", text + "and more", rng.uniform(0, 9, count + 8), None,
        rng.uniform(0, 9, count), sorted(set(text)), rng.integers(0, 93, (count, 5)),
        rng.uniform(0, 1, (count, 5)), units=[ShownUnit(0, n, noise[:, n]) for n in range(16)],
        shape=(2, 640), all_units=rng.uniform(-1, 1, (4_000, 1280)).astype(np.float16),
        directions=Directions(
            rng.standard_normal((count, 24)).astype(np.float32), np.zeros((24, 1280), np.float32)
        ),
    ))  # fmt: skip
    assert len(page.encode()) < 5_000_000
    assert "the first 100,000 characters of 100,008" in words(page)
    assert re.search(r'"heat":[1-9]\d\d', page), "no room for the map of all units"
    directions = re.search(r'"directions":{"count":(\d+)', page)
    assert directions, "no room for the directions of the search"
    assert int(directions[1]) < 24


@pytest.fixture
def browse(tmp_path, require_program):
    """Opens a page in a browser; a script given runs in it, and its result comes back."""
    quiet = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-sync"
    still = "--disable-background-networking --disable-component-update --enable-logging=stderr"

    def opened(page, script="", width=1200):
        path = tmp_path / "page.html"
        if script:
            page = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page)
            page = page.replace("</body>", f"<script>{DRIVER % script}</script></body>")
        path.write_text(page, "utf-8")
        shown = subprocess.run(
            [
                *(require_program("chromium"), *quiet.split(), *still.split()),
                *("--virtual-time-budget=30000", f"--window-size={width},900"),
                *(f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", path.as_uri()),
            ],
            capture_output=True, timeout=PATIENCE, check=True,
        )  # fmt: skip
        assert b"CONSOLE" not in shown.stderr, shown.stderr.decode()
        return shown.stdout.decode()

    def run(page, script, width=1200):
        dom = opened(page, script, width)
        return json.loads(unescape(re.search(r'<pre id="result">(.*?)</pre>', dom, re.S)[1]))

    return opened, run


DRIVER = """
(async () => {
  while (!document.documentElement.dataset.ready) await new Promise((go) => setTimeout(go, 20));
  const frame = () => new Promise((go) => setTimeout(go, 200));
  const $ = (id) => document.getElementById(id);
  const keydown = (key) => new KeyboardEvent("keydown", { key, bubbles: true });
  const press = (key) => $("pane").dispatchEvent(keydown(key));
  const cells = () => [...document.querySelectorAll(".chunk div > span:not(.pos)")];
  const result = document.createElement("pre");
  result.id = "result";
  try { result.textContent = JSON.stringify(await (async () => { %s })()); }
  catch (error) { result.textContent = JSON.stringify(String(error.stack)); }
  document.body.append(result);
})();
"""


def test_a_browser_runs_its_script_under_its_own_policy(browse):
    opened, _ = browse
    page = inspect_page(made_up())
    assert "default-src 'none'" in page
    assert not re.search(r"https?:|url\(|@import", page)
    dom = opened(page)
    assert 'data-ready="yes"' in dom
    assert dom.count('<span class="a') > 1000


def test_each_symbol_is_a_cell_and_the_text_is_whole(browse):
    _, run = browse
    view = made_up()
    found = run(inspect_page(view), "return cells().map((one) => one.textContent);")
    shown = {"\u0301": "\N{DOTTED CIRCLE}\u0301", "\0": "\N{SYMBOL FOR NULL}"}
    assert found == [shown.get(one, one) for one in view.symbols]


def test_a_unit_colours_the_text_by_what_it_carries(browse):
    _, run = browse
    found = run(
        inspect_page(made_up()),
        """document.querySelector("input[value=unit0]").click();
        return [cells().slice(0, 37).map((one) => one.className), $("what").textContent];""",
    )
    shades = [int(re.search(r"\ba(\d+)", one)[1]) for one in found[0]]
    assert shades == sorted(shades)
    assert (shades[0], shades[18], shades[36]) == (0, 20, 39)
    assert found[1] == "unit 1:3: follows place in line"


def test_keys_move_and_change_the_colouring(browse):
    _, run = browse
    found = run(
        inspect_page(made_up()),
        """const seen = [];
        const keys = "ArrowDown ArrowRight ArrowRight ArrowUp Home ] ] ]";
        for (const key of keys.split(" ")) {
          press(key);
          seen.push([$("here").textContent, $("what").textContent]);
        }
        await frame();
        return [seen, $("spoken").textContent, document.querySelectorAll(".at").length];""",
    )
    places = [re.search(r"character ([\d,]+)", text)[1] for text, _ in found[0]]
    assert places == ["38", "39", "40", "3", "1", "1", "1", "1"]
    names = [name.split(":")[0] for _, name in found[0][-3:]]
    assert names == ["unit 0", "surprise", "unit 1"]
    assert found[1] == "unit 1:3: follows place in line"
    assert found[2] == 2  # in the text, and in the map of units


def test_the_odds_under_the_pointer_are_those_of_the_symbol(browse):
    _, run = browse
    found = run(
        inspect_page(made_up()),
        """const cell = cells()[5];
        cell.dispatchEvent(new PointerEvent("pointermove", { bubbles: true }));
        const rows = (id) => [...$(id).querySelectorAll("tr")].map((one) =>
          `${one.cells[0].textContent}|${one.cells[2].textContent}`);
        return [$("here").textContent, rows("chances"), rows("carried")];""",
    )
    assert found[0].startswith("c character 6:")
    assert found[0].endswith("it came after the␣<")
    assert found[1][:2] == ["c|60 %", "end|20 %"]
    assert found[1][4].endswith("|0 %")
    assert found[2][0] == "1:3|\N{MINUS SIGN}0.72"


def test_an_annotation_is_underlined_where_it_holds(browse):
    _, run = browse
    view = made_up()
    found = run(
        inspect_page(view),
        """document.querySelector("input[value=unit1]").click();
        return cells().map((one) => one.classList.contains("u"));""",
    )
    assert found == [one in "aeiou" for one in view.symbols]


def test_units_that_fire_alike_are_found_again(browse):
    """Every 37th place has the very same units."""
    _, run = browse
    view = made_up()
    everything = view.all_units.copy()
    everything[5::37] = everything[5]
    text = list(view.symbols)
    text[3:6] = "XYZ"
    found = run(
        inspect_page(replace(view, directions=of(everything), symbols="".join(text))),
        """$("phrase").value = "XYZ";
        $("search-form").requestSubmit();
        const hits = [...document.querySelectorAll("#hits button")];
        hits[0].click();
        return [$("search-status").textContent, hits.map((one) => one.textContent),
          cells().flatMap((one, i) => one.classList.contains("h") ? [i] : []),
          $("here").textContent];""",
    )
    assert '"XYZ" occurs once.' in found[0]
    assert len(found[1]) == 12
    assert all(hit.startswith("1.00") for hit in found[1])
    assert set(found[2][:3]) == {3, 4, 5}
    assert {i % 37 for i in found[2]} == {3, 4, 5}
    number = int(re.search(r"character ([\d,]+)", found[3])[1].replace(",", ""))
    assert number % 37 == 6


def test_search_and_map_reach_all_that_is_coloured(browse):
    """Beyond the map of all units, which a large text is too long for, stand those of the list."""
    _, run = browse
    view = made_up(LINE * 100)
    everything, late = view.all_units.copy(), len(view.symbols) - 100
    everything[[late, 50, 1000]] = everything[late]
    text = list(view.symbols)
    text[late - 2 : late + 1] = "XYZ"
    found = run(
        inspect_page(replace(
            view, symbols="".join(text), directions=of(everything), all_units=everything[:500],
        )),
        """const rows = () => $("heat-canvas").height;
        const all = rows();
        $("phrase").value = "XYZ";
        $("search-form").requestSubmit();
        const hits = [...document.querySelectorAll("#hits button")].slice(0, 2);
        const places = hits.map((hit) => { hit.click(); return $("here").textContent; });
        await frame();
        const scores = hits.map((one) => one.textContent.slice(0, 4));
        const most = document.querySelector("#hit-units button").textContent;
        return [all, rows(), +$("heat-from").max > 500, scores, places, most];""",
    )  # fmt: skip
    all_rows, rows, reaches, scores, places, most = found
    assert all_rows == LAYERS * UNITS
    assert rows == 2
    assert reaches
    assert scores == ["1.00", "1.00"]
    numbers = [int(re.search(r"character ([\d,]+)", one)[1].replace(",", "")) for one in places]
    assert set(numbers) == {51, 1001}
    deviations = everything[late] - everything.mean(0)
    layer, unit, said = re.match(r"(\d):(\d) \((.*)\)", most).groups()
    deviation = deviations[int(layer) * UNITS + int(unit)]
    assert float(said.replace("\N{MINUS SIGN}", "-")) == pytest.approx(deviation, abs=0.1)
    assert abs(deviation) == pytest.approx(np.abs(deviations).max(), abs=0.1)


def test_a_click_on_the_map_colours_by_that_unit(browse):
    _, run = browse
    found = run(
        inspect_page(made_up()),
        """$("heat-order").value = "given";
        $("heat-order").dispatchEvent(new Event("change"));
        await frame();
        const canvas = $("heat-canvas"), box = canvas.getBoundingClientRect();
        canvas.dispatchEvent(new MouseEvent("click", { bubbles: true,
          clientX: box.left + 2, clientY: box.top + 5 * 7 + 2 }));
        $("any-unit").value = "4";
        const first = $("what").textContent;
        $("any-unit").dispatchEvent(new Event("change"));
        await frame();
        return [first, $("what").textContent];""",
    )
    assert found == ["unit 1:1", "unit 0:4"]


def test_a_genome_stands_in_lines_of_equal_width_with_bars_beneath(browse):
    _, run = browse
    view = genome()
    page, text = inspect_page(view), view.symbols
    script = """return [[...document.querySelectorAll(".line")].map((one) =>
        [one.querySelector(".pos").textContent, one.querySelector(".bases").textContent]),
      [...document.querySelectorAll(".track")].map((one) => one.innerHTML),
      [...document.querySelectorAll(".name")].map((one) => one.textContent)];"""
    for width, size in ((1200, 60), (500, 30)):
        lines, bars, names = run(page, script, width)
        assert lines[0] == ["1", text[:size]]
        assert lines[1] == [str(size + 1), text[size : min(2 * size, 100)]]
        place, first = divmod(70, size)
        assert f"left:{first}ch;width:5ch" in bars[place]
        assert bars[0] == ""
        assert names == ["chrA", "chrB"]
        assert ["5,001", text[100 : 100 + size]] in lines


def test_of_many_annotations_of_a_genome_the_longest_are_shown_first(browse):
    """Exons, not the places in their codons, wherever they stand in the list."""
    _, run = browse
    view = genome()
    held = np.arange(1000)
    tracks = {"base 1": held % 3 == 0, "exon": held < 300, "repeat": held % 100 < 20,
              "base 2": held % 3 == 1, "low": held % 50 < 9, "base 3": held % 3 == 2}  # fmt: skip
    annotations = [
        ShownAnnotation(name, "auc", values.astype(np.float32)) for name, values in tracks.items()
    ]
    annotations.append(ShownAnnotation("GC", "r", (held / 1000).astype(np.float32)))
    ticked = run(
        inspect_page(replace(view, annotations=annotations)),
        """return [...document.querySelectorAll("#bars label")]
          .filter((one) => one.querySelector("input").checked).map((one) => one.textContent);""",
    )
    assert ticked == ["exon", "repeat", "low"]


def test_a_tune_stands_on_a_staff_its_notes_coloured_by_the_unit(browse):
    _, run = browse
    page = inspect_page(tunes())
    found = run(
        page,
        """document.querySelector("input[value=unit0]").click();
        const notes = () => [...document.querySelectorAll("#staff rect")];
        const of = (name) => notes().map((one) => one.getAttribute(name));
        const place = ["x", "y", "width"].map((name) => of(name).map(Number));
        const fills = notes().map((one) => one.style.fill);
        notes()[1].dispatchEvent(new MouseEvent("click", { bubbles: true }));
        const here = [$("here").textContent, of("class")];
        cells()[17].click();
        const bars = document.querySelectorAll(".bar-line").length;
        return [place, fills, here, notes().length, bars];""",
    )
    (lefts, tops, widths), fills, (here, classes), count, bars = found
    assert lefts[1] - lefts[0] == 2 * (lefts[2] - lefts[1])
    assert tops[0] - tops[1] == 8 * (tops[1] - tops[2])
    assert widths[2] + 2 == 2 * (widths[0] + 2)
    assert len(set(fills)) == 3
    assert "character 8:" in here
    assert classes == ["", "at", ""]
    assert (count, bars) == (1, 1)


def test_a_score_stands_in_place_of_the_staff_where_there_is_one(browse):
    _, run = browse
    view = tunes()
    field = '<rect data-note="{}" x="{}" y="0" width="9" height="9"/>'
    drawn = WrittenScore(90, 30, "<path d='M0 0h90'/>" + field.format(1, 0) + field.format(0, 40))
    shown = [view.tunes[0], replace(view.tunes[1], score=replace_note(drawn))]
    found = run(
        inspect_page(replace(view, tunes=[replace(shown[0], score=drawn), shown[1]])),
        """document.querySelector("input[value=unit0]").click();
        const fields = () => [...document.querySelectorAll("#staff rect")];
        const seen = () => [document.querySelector("#staff svg").getAttribute("viewBox"),
          fields().map((one) => one.style.fill), fields().map((one) => one.getAttribute("class"))];
        const shades = (i) => getComputedStyle(cells()[i]).backgroundColor;
        cells()[4].click();
        const first = seen();
        fields()[0].dispatchEvent(new MouseEvent("click", { bubbles: true }));
        const here = $("here").textContent;
        const own = [shades(7), shades(5)];
        cells()[17].click();
        return [first, here, own, seen(), [shades(18)]];""",
    )
    (box, fills, classes), here, shades, (other, (fill,), _), (shade,) = found
    assert box == "0 0 90 30"
    assert fills == shades
    assert classes == ["", "at"]
    assert "character 8:" in here
    assert other == "0 0 90 31"
    assert fill == shade


def test_the_note_under_the_pointer_is_in_view(browse):
    _, run = browse
    view = tunes()
    tall = WrittenScore(90, 900, "".join(
        f'<rect data-note="{n}" y="{400 * n}" width="9" height="9"/>' for n in range(3)
    ))  # fmt: skip
    shown = [replace(view.tunes[0], score=tall), view.tunes[1]]
    tops = run(
        inspect_page(replace(view, tunes=shown)),
        """const top = () => $("staff-box").scrollTop;
        cells()[9].click();
        const last = top();
        cells()[4].click();
        return [last, top()];""",
    )
    assert tops[0] > 500
    assert tops[1] == 0


def replace_note(score):
    """The same score, a little higher, with one note."""
    return score._replace(height=31, markup='<rect data-note="0" width="9" height="9"/>')


def test_only_text_near_the_view_has_elements_and_is_printed(browse):
    _, run = browse
    found = run(
        inspect_page(made_up(LINE * 2_500)),
        """await frame();
        const before = cells().length;
        $("pane").scrollTop = 1e9;
        dispatchEvent(new Event("beforeprint"));
        const printed = [...document.querySelectorAll(".printed")];
        return [before, printed.map((one) => one.querySelectorAll("span").length),
          $("part").textContent, $("pane").textContent.length];""",
    )
    assert found[0] < 20_000
    first, last = (int(n.replace(",", "")) for n in re.findall(r"[\d,]+", found[2])[:2])
    assert sum(found[1]) == last - first + 1
    assert first > len(LINE) * 1_000
    assert found[3] > len(LINE) * 2_500  # all of it is there to be searched and read
