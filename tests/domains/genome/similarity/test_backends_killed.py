"""A search at home that was stopped goes on, at any moment, and ends as if nothing had been."""

from __future__ import annotations

import json

import pytest

from seqforge.domains.genome.search import search_with_controls
from seqforge.domains.genome.similarity.backends import SEARCHED, LocalBackend, resumable
from seqforge.domains.genome.similarity.blastplus import BlastPlusBackend
from seqforge.domains.genome.similarity.controls import Controls
from seqforge.domains.genome.similarity.parameters import SearchParameters
from seqforge.errors import RunError


class Stopped(BaseException):
    """As a kill: nothing catches it."""


@pytest.fixture(autouse=True)
def _small_portions(monkeypatch):
    """Every query is a portion of its own."""
    monkeypatch.setattr("seqforge.domains.genome.similarity.backends._LEAST_LETTERS", 1)
    monkeypatch.setattr("seqforge.domains.genome.similarity.backends.PORTION_CELLS", 1)
    monkeypatch.setattr("seqforge.domains.genome.similarity.blastplus._BATCH", 1)


@pytest.fixture
def files(tmp_path, fasta, random_bases, mutated):
    unit = random_bases(120)
    samples = tmp_path / "s.fa"
    samples.write_text(f">a\n{mutated(unit, 0.1)}\n>none\n\n>b\n{unit[20:90]}\n>c\n{unit}N\n")
    return samples, fasta(random_bases(900) + unit, random_bases(500) + unit[::-1], unit)


def search(files, folder, kind, stop_after=None, parameters=None):
    """All of it; or as much as there is until so many portions were asked for."""
    samples, library = files
    backend, asked = kind([library]), []
    plain = backend.search

    def counted(queries, *rest):
        if stop_after is not None and len(asked) == stop_after:
            raise Stopped
        asked.append([query.id for query in queries])
        return plain(queries, *rest)

    backend.search = counted
    controls = Controls(("shuffle",), each=1)
    with resumable(backend, folder) as searcher:
        search_with_controls([samples], searcher, folder, controls, parameters)
    return asked


def left(folder):
    """What a search left, but for the clock."""
    found = {path.name: path.read_bytes() for path in folder.iterdir()}
    document = json.loads(found.pop("hits.json"))
    for result in document["results"]:
        del result["when"]
    return found, document


@pytest.mark.parametrize("kind", [LocalBackend, BlastPlusBackend])
def test_it_goes_on_behind_every_portion_and_ends_the_same(tmp_path, files, kind, require_program):
    require_program("blastn")
    portions = search(files, tmp_path / "whole", kind)
    assert len(portions) == 6
    for stop in (0, 2, 5):
        folder = tmp_path / f"stopped{stop}"
        with pytest.raises(Stopped):
            search(files, folder, kind, stop)
        assert (folder / SEARCHED).is_file()
        assert search(files, folder, kind) == portions[stop:], "what was done is not done again"
        assert left(folder) == left(tmp_path / "whole")


@pytest.fixture
def stopped(tmp_path, files):
    with pytest.raises(Stopped):
        search(files, tmp_path / "out", LocalBackend, 4)
    return tmp_path / "out"


def test_what_a_kill_or_a_disk_spoilt_is_searched_again(tmp_path, files, stopped):
    whole = search(files, tmp_path / "whole", LocalBackend)
    kept = (stopped / SEARCHED).read_bytes()
    lines = kept.splitlines(True)
    damaged = {
        kept[:-1]: 3,
        b"".join([*lines[:3], b'["x", 1]\n', b"\0" * 40 + b"\n", *lines[3:]]): 2,
        b"".join([*lines[:2], lines[2][:50] + b"\n", *lines[3:]]): 1,
        lines[0][:-3]: 0,
        b"\0" * 4096: 0,
    }
    for number, (content, known) in enumerate(damaged.items()):
        (stopped / SEARCHED).write_bytes(content)
        assert search(files, stopped, LocalBackend) == whole[known:], number
        assert left(stopped) == left(tmp_path / "whole")


def test_another_library_or_other_scores_begin_anew(tmp_path, files, stopped, random_bases):
    whole = search(files, tmp_path / "whole", LocalBackend)
    kept = (stopped / SEARCHED).read_bytes()
    other = SearchParameters(max_hsps=2)
    assert search(files, stopped, LocalBackend, parameters=other) == whole
    (stopped / SEARCHED).write_bytes(kept)
    files[1].write_text(files[1].read_text() + f">more\n{random_bases(90)}\n")
    assert search(files, stopped, LocalBackend) == whole


def test_a_link_laid_in_its_place_is_not_written_through(tmp_path, files):
    (tmp_path / "out").mkdir()
    (tmp_path / "mine").write_text("of the person's")
    (tmp_path / "out" / SEARCHED).symlink_to(tmp_path / "mine")
    with pytest.raises(RunError, match="is not a file that seqforge wrote"):
        search(files, tmp_path / "out", LocalBackend)
    assert (tmp_path / "mine").read_text() == "of the person's"
