"""The page of ``seqforge music``: seen and heard without a network, whatever a file says."""

import base64
import json
import re
import subprocess
import xml.etree.ElementTree as ET
from hashlib import sha256

import pytest

from seqforge.core.data.domain import Sample
from seqforge.domains.music.domain import MusicDomain
from seqforge.domains.music.notes import Note, Piece, Tempo, normalised
from seqforge.domains.music.render.listening_page import write_page
from seqforge.domains.music.render.piano_roll import piano_roll
from seqforge.domains.music.render.pieces import Shown, _points, own_svg, shown, within
from seqforge.domains.music.render.sample_export import SampleExport, render
from seqforge.domains.music.tempo_map import TempoMap
from tests.patience import PATIENCE
from tests.reporting.material import Checker

HOSTILE = "<script>alert('1')</script>\"><img src=x onerror=alert(2)>&amp;{{ 7 * 7 }}"
PRIME = "M:3/4\nL:1/8\nK:G\nG2A2B2|d6|"
TUNES = (PRIME + "c2B2A2|G6|", PRIME + "B2c2d2|e4d2|", "")


@pytest.fixture(scope="module")
def rendered(tmp_path_factory):
    """A prime and three samples, the last without a note, engraved and played once."""
    folder = tmp_path_factory.mktemp("rendered")
    domain = MusicDomain(code="abc", formats=("mid", "svg"))
    todo = [(SampleExport(domain, Sample(PRIME), heading=HOSTILE), None)]
    for number, text in enumerate(TUNES, 1):
        sample = Sample(text, len(PRIME) if text else 0, number=number, model=HOSTILE, seed=7,
                        temperature=0.9, mean_log_prob=-1.25, removed_mass=0.125,
                        settings={"top_k": 5})  # fmt: skip
        todo.append((SampleExport(domain, sample), folder / f"a b-{number:03}"))
    return list(render(todo, ["svg"], for_page=9))


@pytest.fixture
def page(rendered, tmp_path):
    path = tmp_path / "tunes.html"
    write_page(path, HOSTILE, rendered[0], rendered[1:], 40, [HOSTILE])
    return path


def test_it_says_how_all_was_drawn(page):
    found = Checker()
    found.feed(page.read_text("utf-8"))
    found.close()

    assert found.open == [], "tags left open"
    for said in (
        "temperature", "0.9", "seed", "top k", "8 notes in 4 bars, 2 of them new",
        "mean log-probability -1.250 nats a symbol", "the grammar took 12.50% of the probability",
        "There is nothing to hear in it.", "37 more are not shown", "What was given",
    ):  # fmt: skip
        assert said in found.text, said
    links = [value for tag, name, value in found.attributes if name == "href" and tag == "a"]
    assert links[:2] == ["#prime", "#s1"]
    assert [link for link in links if not link.startswith("#")][:2] == [
        "a%20b-001.mid", "a%20b-001.svg"
    ]  # fmt: skip
    assert "main" in found.tags
    assert found.text.count("Play from the new part") == 2
    assert {"C4", "C5"} <= set(re.findall(r"C\d", found.text))


def test_hostile_text_stays_text_and_nothing_is_loaded_from_anywhere(page):
    text = page.read_text("utf-8")
    found = Checker()
    found.feed(text)
    assert found.text.count(HOSTILE) >= 6
    assert not found.tags & {"link", "iframe", "object", "embed", "base", "foreignobject"}
    assert not any(name.startswith("on") for _, name, _ in found.attributes)
    sources = {value.split(",")[0] for _, name, value in found.attributes if name == "src"}
    audio = {"data:audio/ogg;base64", "data:audio/mpeg;base64"}
    assert sources == {*audio, "data:image/png;base64"}
    addresses = set(re.findall(r"https?://[\w./]+", text))
    assert addresses <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
    assert text.count("<script") == 1, "the page's own"
    assert "default-src 'none'" in text


def test_scores_share_no_names(page):
    ids = re.findall(r'\bid="([^"]+)"', page.read_text("utf-8"))
    assert len(ids) > 100
    assert len(ids) == len(set(ids))
    used = set(re.findall(r'href="#([^"]+)"', page.read_text("utf-8")))
    assert used <= set(ids)
    assert used


def test_an_svg_loses_what_acts_and_keeps_what_is_drawn():
    svg = (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">'
        "<style>#a {fill: red} .b {fill: #fff}</style><script>alert(1)</script>"
        '<foreignObject><p/></foreignObject><g id="a" onclick="x()"><path id="p" d="M0 0"/></g>'
        '<use xlink:href="#p"/><use href="https://evil.example/x#p"/><rect fill="url(#a)"/>'
        "<text>&lt;b&gt;</text></svg>"
    )
    root = ET.fromstring(own_svg(svg, "s1-"))
    assert [element.tag.split("}")[1] for element in root] == ["style", "g", "use", "use", "rect",
                                                              "text"]  # fmt: skip
    style, group, use, far, rect, text = root
    assert style.text == "#s1-a {fill: red} .b {fill: #fff}"
    assert (group.attrib, group[0].attrib) == ({"id": "s1-a"}, {"id": "s1-p", "d": "M0 0"})
    assert list(use.attrib.values()) == ["#s1-p"]
    assert far.attrib == {}
    assert rect.attrib == {"fill": "url(#s1-a)"}
    assert text.text == "<b>"


def test_the_cursor_is_where_the_sound_is():
    """Two quarters of half a second, then two of a second, in a roll of 28 + 129 pixels."""
    notes = tuple(Note(60, 90, 24 * i, 24) for i in range(4))
    piece = Piece(notes, tempos=(Tempo(0, 500_000), Tempo(48, 1_000_000)))
    width = piano_roll(piece).shape[1]
    points = _points(piece, width)
    assert [seconds for seconds, _ in points] == [0, 1, 3]
    assert [round(share * width) for _, share in points] == [28, 28 + 64, 28 + 128]


PROBE = """addEventListener('load', async () => {
  const audios = [...document.querySelectorAll('audio')];
  await Promise.all(audios.map(a => a.readyState || new Promise(r => a.onloadedmetadata = r)));
  audios[0].currentTime = 1.5;
  audios[0].dispatchEvent(new Event('seeked'));
  const share = i => i.hidden ? null : parseFloat(i.style.left) / i.previousElementSibling.width;
  document.title = JSON.stringify({
    seconds: audios.map(a => a.duration),
    notes: document.querySelectorAll('svg g.note').length,
    asked: performance.getEntriesByType('resource').map(e => e.name.slice(0, 5)),
    rolls: [...document.images].map(i => i.naturalWidth),
    cursors: [...document.querySelectorAll('.cursor')].map(share),
    lit: [...document.querySelectorAll('.playing')].map(e => e.id),
    known: document.querySelectorAll('.piece').length,
    ...keyed()});
  function keyed() {
    const roll = document.querySelector('.roll');
    const press = key => roll.dispatchEvent(new KeyboardEvent('keydown', {key}));
    press('ArrowLeft');
    const back = audios[0].currentTime;
    press('Home');
    return {back, home: audios[0].currentTime};
  }
});"""
"""What the page has become, the browser itself writes into the title."""


def test_a_browser_plays_it_and_asks_nobody(page, tmp_path, require_program):
    """The page's script may run by its hash alone, and so may the probe by a hash beside it."""
    allowed = base64.b64encode(sha256(PROBE.encode()).digest()).decode()
    text = page.read_text("utf-8").replace("script-src '", f"script-src 'sha256-{allowed}' '")
    watched = page.with_name("watched.html")
    watched.write_text(text.replace("</body>", f"<script>{PROBE}</script></body>"), "utf-8")
    quiet = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-sync"
    still = "--disable-background-networking --disable-component-update --virtual-time-budget=9000"

    shown = subprocess.run(
        [
            *(require_program("chromium"), *quiet.split(), *still.split()),
            *(f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", watched.as_uri()),
        ],
        capture_output=True,
        timeout=PATIENCE,
        check=True,
    )

    said = re.search(r"<title>(\{.*?\})</title>", shown.stdout.decode())
    assert said, shown.stdout[:500]
    found = json.loads(said[1])
    assert found["seconds"] == pytest.approx([3, 6, 6], abs=0.05)
    assert found["notes"] == 4 + 8 + 9
    width = found["rolls"][0]
    assert len(found["rolls"]) == 3
    assert set(found["asked"]) <= {"data:"}
    cursor, *others = found["cursors"]
    assert cursor == pytest.approx((28 + 96) / width, abs=0.02), "half of three seconds"
    assert others == [None, None]
    (lit,) = found["lit"]
    assert lit.startswith("prime-0-"), "the note that sounds"
    assert (found["back"], found["home"]) == (pytest.approx(0.5, abs=0.1), 0)


def test_the_line_keeps_time_in_a_piece_that_is_longer_than_its_roll():
    notes = tuple(Note(60, 80, 24 * beat, 24) for beat in range(4_000))
    piece = normalised(Piece(notes))
    roll = piano_roll(piece)
    points = _points(piece, roll.shape[1])
    assert points[-1] == [pytest.approx(15_999 / 8 * 0.5, abs=0.1), pytest.approx(1, abs=1e-3)]


def shown_piece(notes, size=0):
    return Shown(
        name="s1", title="t", facts="", pages=("p" * size,), notes=notes, roll="r" * size, width=9,
        octaves=(), points="[]", ogg="o" * size, mp3="m" * size, new_from=0.0, abc="", links=(),
        remarks=(),
    )  # fmt: skip


def test_a_page_that_would_be_too_large_keeps_one_format_of_sound_then_leaves_it_out():
    small, large = shown_piece("[]", 10), shown_piece("[]", 100)
    assert within([small, small], 100) == [small, small]
    first, second = within([small, large], 250)
    assert (first.ogg, first.mp3) == ("", small.mp3)
    assert (second.ogg, second.mp3, second.roll) == ("", "", large.roll)
    assert "its sound is left out" in second.remarks[0]
    (bare,) = within([large], 50)
    assert (bare.pages, bare.roll) == ((), "")


def test_notes_of_the_score_begin_when_they_sound(rendered):
    """Every note of the score has its time; those of the same time are those of the piece."""
    for number, one in enumerate(rendered[:3]):
        found = json.loads(shown(one, "t", f"x{number}").notes)
        piece = one.performance.piece
        clock = TempoMap(piece)
        wanted = sorted({round(clock.seconds(note.start), 3) for note in piece.notes})
        assert [at for at, _ in found] == pytest.approx(wanted, abs=2e-3)
        drawn = " ".join(own_svg(page, f"x{number}-{n}-") for n, page in enumerate(one.pages))
        assert all(f'id="{name}"' in drawn for _, names in found for name in names.split())
