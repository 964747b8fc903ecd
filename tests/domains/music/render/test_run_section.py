"""Samples of a run on its page: one of each temperature, read back from its files."""

import dataclasses
from pathlib import Path

import pytest

from seqforge.core.data.domain import Sample
from seqforge.domains.music import event_codec
from seqforge.domains.music.domain import MusicDomain
from seqforge.domains.music.notes import Note, Piece
from seqforge.domains.music.render.run_section import run_section
from tests.reporting.material import Checker

TUNE = "M:3/4\nL:1/8\nK:G\nG2A2B2|d6|c2B2A2|G6|"
EVENTS = event_codec.encode(Piece((Note(60, 80, 0, 24), Note(64, 80, 24, 24))))


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "samples").mkdir()
    return tmp_path


def written(domain, folder, symbols):
    """The files of three samples of two temperatures each, seen from the run folder."""
    files: list[Path] = []
    for temperature in ("0.5", "1.0"):
        samples = [Sample(symbols, number=n) for n in (1, 2, 3)]
        files += domain.write(samples, folder / "samples" / f"t{temperature}.mid")
    return [file.relative_to(folder).as_posix() for file in files]


@pytest.mark.parametrize(("code", "symbols"), [("abc", TUNE), ("events", EVENTS)])
def test_the_first_sample_of_each_temperature_is_seen_and_heard(folder, code, symbols):
    domain = MusicDomain(code=code)
    (section,) = run_section(domain, folder, written(domain, folder, symbols))
    found = Checker()
    found.feed(section.markup)
    found.close()

    assert (found.open, section.after) == ([], "learning")
    headings = [value for tag, name, value in found.attributes if (tag, name) == ("h3", "id")]
    assert headings == ["piece1", "piece2"]
    assert "t0.5-001" in found.text
    assert "t1.0-001" in found.text
    assert "-002" not in found.text
    links = [value for tag, name, value in found.attributes if (tag, name) == ("a", "href")]
    assert links[0] == "samples/t0.5-001.mid"
    assert {"svg", "audio", "img"} <= found.tags


def test_a_run_without_such_samples_has_no_section(folder):
    domain = MusicDomain(code="abc")
    assert run_section(domain, folder, []) == []
    (folder / "samples" / "t1.0-001.abc").write_text("")
    assert run_section(domain, folder, ["samples/t1.0-001.abc"]) == []
    only_midi = dataclasses.replace(domain, formats=("mid",))
    assert run_section(only_midi, folder, written(only_midi, folder, TUNE)) == []
