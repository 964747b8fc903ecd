"""Samples on their way into files, stopped anywhere."""

import contextlib
import functools
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqforge.core.data.domain import Sample
from seqforge.core.output.writer import is_finished, writer_for
from seqforge.domains.genome.domain import GenomeDomain
from seqforge.domains.music.domain import MusicDomain
from seqforge.domains.music.render.sample_export import QUICK
from seqforge.domains.text.domain import TextDomain
from seqforge.errors import ConfigError, RunError
from tests.conftest import ROOT
from tests.small_runs import DAMAGES

DOMAINS = {"x.fa": GenomeDomain(), "x.txt": TextDomain(), "x.jsonl": MusicDomain(code="abc"),
           "t.mid": MusicDomain(code="abc")}  # fmt: skip
SETTINGS = {"model": "abc", "temperature": 0.8}


def draw(first: int, count: int) -> Iterator[Sample]:
    for number in range(first, count + 1):
        symbols = "ACGT"[number % 4] * (number % 90)
        yield Sample(symbols, number=number, model="m", temperature=0.8, mean_log_prob=-1 / number)


class Killed(Exception):
    """What ends a process, for a test that goes on in the same one."""


def write(name: str, count: int, until: int | None = None, every: float = 0.0, **settings):
    """Write as a command does; ``until`` so many are there, and then no more is done."""
    output = writer_for(DOMAINS[name], Path(name), count, {**SETTINGS, **settings}, every)
    with output:
        begun = output.done
        for sample in draw(begun + 1, count):
            if sample.number - 1 == until:
                raise Killed
            output.add(sample)
        output.finish()
    return begun


def files() -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(Path().iterdir())}


def fresh() -> None:
    for path in Path().iterdir():
        path.unlink()


@pytest.mark.parametrize("name", DOMAINS)
def test_going_on_leaves_the_same_bytes_wherever_it_was_stopped(name):
    write(name, 9)
    whole = files()
    for until in range(9):
        fresh()
        with pytest.raises(Killed):
            write(name, 9, until)
        assert write(name, 9) == until
        assert files() == whole
    assert not [left for left in whole if "partial" in left]


@pytest.mark.parametrize("name", DOMAINS)
@settings(max_examples=50)
@given(stops=st.lists(st.integers(0, 8), max_size=4), every=st.sampled_from([0.0, 1e9]),
       torn=st.binary(max_size=50))  # fmt: skip
def test_what_was_written_after_the_note_is_written_again(name, stops, every, torn):
    """A disk may hold more than was noted, whole samples or half of one, and never less."""
    fresh()
    for command, until in enumerate(stops, 1):
        try:
            begun = write(name, 9, until, every)
        except Killed:
            note = Path(f"{name}.partial.json")
            assert note.exists() == (until > 0)
            noted = json.loads(note.read_text())["done"] if until else 0
            assert every == 0 or noted <= command, "a command notes its first sample, then waits"
        else:
            assert begun > until
        for partial in Path().glob("*.partial"):
            with partial.open("ab") as stream:
                stream.write(torn)
        if Path(name).exists():
            break
    write(name, 9)
    assert files() == whole(name)


@functools.cache
def whole(name):
    """What is there when nothing was stopped."""
    with TemporaryDirectory() as folder, contextlib.chdir(folder):
        write(name, 9)
        return files()


def test_the_file_is_what_the_domain_writes():
    samples = list(draw(1, 5))
    for name, domain in DOMAINS.items():
        if name.endswith("jsonl"):
            continue
        write(name, 5)
        ours = files()
        fresh()
        domain.write(samples, Path(name))
        theirs = files()
        fresh()
        assert {k: v for k, v in ours.items() if not k.endswith(".tsv")} == theirs


def test_what_stood_there_before_stays_until_the_new_file_is_whole():
    Path("x.fa").write_text("old")
    with pytest.raises(Killed):
        write("x.fa", 9, 4)
    assert Path("x.fa").read_text() == "old"
    write("x.fa", 9)
    assert Path("x.fa").read_text().count(">") == 9


@pytest.mark.parametrize("name", DOMAINS)
def test_other_settings_are_refused_and_named_with_the_remedy(name):
    with pytest.raises(Killed):
        write(name, 9, 4)

    with pytest.raises(RunError) as refused:
        write(name, 9, temperature=1.5, top_k=3)

    said = str(refused.value)
    assert "(temperature was 0.8 and is 1.5; top-k was null and is 3)" in said
    kept = f"{name}.partial" if Path(f"{name}.partial").exists() else f"{name}.partial.json"
    assert f"or another --out, or delete {kept}, and all" in said
    Path(kept).unlink()
    assert write(name, 9, temperature=1.5, top_k=3) == 0


@pytest.mark.parametrize("name", DOMAINS)
def test_what_ends_before_its_first_sample_leaves_nothing(name):
    Path(name).write_text("old")
    with pytest.raises(Killed):
        write(name, 9, 0)

    assert files() == {name: b"old"}
    assert write(name, 9, temperature=1.5) == 0


@pytest.mark.parametrize("name", DOMAINS)
def test_a_note_of_no_sample_is_replaced_whatever_its_settings(name):
    """As a kill leaves it before the first sample."""
    first = writer_for(DOMAINS[name], Path(name), 9, {**SETTINGS, "seed": 4})
    with first:
        begun = files()
    for left, content in begun.items():
        Path(left).write_bytes(content)
    assert json.loads(begun[f"{name}.partial.json"])["done"] == 0

    assert write(name, 9) == 0
    assert not [left for left in files() if "partial" in left]


def test_a_deleted_partial_begins_anew():
    with pytest.raises(Killed):
        write("x.fa", 9, 4)
    Path("x.fa.partial").unlink()

    assert write("x.fa", 9, temperature=1.5) == 0


def test_a_partial_that_was_cut_begins_anew():
    with pytest.raises(Killed):
        write("x.fa", 9, 4)
    with Path("x.fa.partial").open("r+b") as stream:
        stream.truncate(3)

    assert write("x.fa", 9) == 0


def test_a_note_that_is_none_is_named():
    Path("x.fa.partial").write_text("")
    Path("x.fa.partial.json").write_text('{"settings": 3')
    remedy = r"x\.fa\.partial\.json: cannot be read.*; delete it and any x\.fa\.partial, and"
    with pytest.raises(RunError, match=remedy):
        write("x.fa", 9)


@pytest.mark.parametrize("laid", ["x.fa.partial", "x.fa.partial.json", "x.fa.partial.lock"])
@pytest.mark.parametrize("kind", ["file", "link", "nowhere", "pipe"])
def test_what_was_laid_in_advance_is_neither_followed_nor_taken_over(laid, kind):
    Path("theirs").write_text("precious")
    if kind == "file":
        Path(laid).write_text("precious")
    elif kind == "pipe":
        os.mkfifo(laid)
    else:
        Path(laid).symlink_to("theirs" if kind == "link" else "nowhere")
    before = {path: path.lstat() for path in Path().iterdir()}

    with pytest.raises(RunError, match=f"^{laid}: "):
        write("x.fa", 9)

    assert {path: path.lstat() for path in Path().iterdir()} == before


def test_another_users_partial_is_not_gone_on_with():
    with pytest.raises(Killed):
        write("x.fa", 9, 4)
    Path("twin").hardlink_to("x.fa.partial")
    kept = Path("twin").read_bytes()

    with pytest.raises(RunError, match=r"x\.fa\.partial: is not a file that seqforge wrote"):
        write("x.fa", 9)

    assert Path("twin").read_bytes() == kept


def test_a_private_file_stays_private_also_while_it_grows():
    Path("x.fa").write_text("old")
    Path("x.fa").chmod(0o600)
    with pytest.raises(Killed):
        write("x.fa", 9, 4)
    assert Path("x.fa.partial").stat().st_mode & 0o777 == 0o600

    write("x.fa", 9)

    assert Path("x.fa").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("name", DOMAINS)
def test_a_link_stays_a_link_and_its_file_is_written(name):
    """A relative, a dangling one: the file and all that is beside it are where the link leads."""
    ending = Path(name).suffix
    Path("far").mkdir()
    Path("link" + ending).symlink_to(f"far/target{ending}")
    domain = DOMAINS[name]
    with writer_for(domain, Path("link" + ending), 1, SETTINGS) as output:
        output.add(next(draw(1, 1)))
        paths = output.finish()

    assert Path("link" + ending).is_symlink()
    assert Path(f"far/target{ending}").stat().st_size
    assert domain.file_per_sample or paths[0] == Path("link" + ending)
    assert [path.name for path in Path().iterdir()].count("far") == 1
    assert len(list(Path().iterdir())) == 2


def to_a_pipe(name: str, domain, count: int) -> bytes:
    os.mkfifo(name)
    with ThreadPoolExecutor(1) as pool:
        read = pool.submit(Path(name).read_bytes)
        with writer_for(domain, Path(name), count, SETTINGS) as output:
            assert (output.resumable, output.done) == (False, 0)
            for sample in draw(1, count):
                assert output.add(sample) == []
            assert output.finish() == []
        assert Path(name).is_fifo()
        assert [path.name for path in Path().iterdir()] == [name]
        return read.result()


@pytest.mark.parametrize("name", ["x.fa", "x.txt", "x.jsonl"])
def test_a_pipe_gets_the_bytes_of_the_file_and_nothing_stands_beside_it(name):
    write(name, 9)
    whole = Path(name).read_bytes()
    fresh()

    assert to_a_pipe(name, DOMAINS[name], 9) == whole


def test_a_pipe_gets_the_file_of_one_tune_or_what_a_terminal_gets():
    domain = DOMAINS["t.mid"]
    assert to_a_pipe("t.mid", domain, 1).startswith(b"MThd")
    fresh()
    assert to_a_pipe("t.abc", domain, 1).startswith(b"X:1\n")
    fresh()
    shown = "".join(map(domain.show, draw(1, 3)))
    assert to_a_pipe("t.mid", domain, 3).decode() == shown


def test_a_pipe_gets_what_a_domain_writes_at_the_end():
    assert to_a_pipe("x", Plain(), 2).startswith(b"2\n")


def test_a_device_that_is_full_is_one_sentence_and_cannot_be_gone_on_with():
    with (
        pytest.raises(RunError, match=r"/dev/full: cannot be written \(No space left"),
        writer_for(GenomeDomain(), Path("/dev/full"), 1, SETTINGS) as output,
    ):
        output.add(next(draw(1, 1)))
    with pytest.raises(ConfigError, match="/dev/full: is no file, and cannot be gone on with"):
        is_finished(GenomeDomain(), Path("/dev/full"), 1)


@pytest.mark.parametrize(
    ("name", "count", "beside"),
    [("x.txt", 3, "x.txt.tsv"), ("t.mid", 3, "t-002.abc"), ("t.mid", 3, "t-003.mid"),
     ("t.mid", 1, "t.abc"), ("t.abc", 1, "t.mid"), ("t", 1, "t.mid")],
)  # fmt: skip
def test_a_file_beside_it_is_written_over_only_if_it_is_ours(name, count, beside):
    domain = DOMAINS["x.txt" if name == "x.txt" else "t.mid"]

    def write_all(first):
        with writer_for(domain, Path(name), count, {**SETTINGS, "first": first}) as output:
            for sample in draw(1, count):
                output.add(sample)
            output.finish()

    write_all(1)
    write_all(2)
    Path(beside).write_text("precious")
    before = files()
    said = f"^{beside}: would be written over, and seqforge did not write it; move it"
    with pytest.raises(RunError, match=said):
        write_all(3)
    assert files() == before
    Path(beside).unlink()
    Path(beside).symlink_to("elsewhere")
    with pytest.raises(RunError, match=said):
        write_all(3)
    assert Path(beside).is_symlink()
    Path(beside).unlink()
    for other in ("t-004.mid", "t-1.mid", "t.mid.txt", "ut-001.mid", "t-001.mid.bak"):
        Path(other).write_text("precious")
    write_all(4)
    assert Path("t-004.mid").read_text() == "precious"


def test_whatever_form_it_has_our_own_is_known_again():
    """Every form that is written at once says what wrote it: the same command may come again."""
    domain = MusicDomain(code="abc", formats=tuple(QUICK))
    tune = Sample("M:4/4\nL:1/8\nK:C\nCDEF GABc|", model="m", temperature=1.0, seed=1)
    for _ in range(2):
        with writer_for(domain, Path("t.mid"), 2, SETTINGS) as output:
            for number in (1, 2):
                output.add(replace(tune, number=number))
            output.finish()
    assert len(files()) == 2 * len(QUICK)


def test_the_file_that_was_named_is_written_over_whatever_it_is():
    for name, count in (("x.fa", 3), ("x.txt", 3), ("t.mid", 1)):
        Path(name).write_text("old")
        write(name, count)
        assert Path(name).read_bytes() != b"old"


def test_what_tells_of_a_private_file_is_private():
    Path("x.txt").write_text("old")
    Path("x.txt").chmod(0o600)
    with pytest.raises(Killed):
        write("x.txt", 9, 4)
    assert {path.stat().st_mode & 0o777 for path in Path().iterdir()} == {0o600}
    write("x.txt", 9)
    assert {path.stat().st_mode & 0o777 for path in Path().iterdir()} == {0o600}


@pytest.mark.parametrize("name", ["x.fa", "x.jsonl", "x.txt"])
def test_an_input_is_not_written_over(name):
    domain = DOMAINS[name]
    Path(name).write_text("input")
    with pytest.raises(ConfigError, match=f"^{name}: is an input of this command"):
        writer_for(domain, Path(name), 9, SETTINGS, inputs=[Path(name).absolute()])


def test_what_a_kill_left_of_a_note_is_taken_away():
    Path(f".seqforge-{'a' * 16}.partial").write_text("half a note")
    write("x.fa", 9)
    assert list(files()) == ["x.fa"]


def test_two_cannot_write_one_file():
    with (
        writer_for(GenomeDomain(), Path("x.fa"), 9, SETTINGS),
        pytest.raises(RunError, match=r"x\.fa: another seqforge is writing it"),
    ):
        write("x.fa", 9)
    assert write("x.fa", 9) == 0


@pytest.mark.parametrize("where", ["folder", "nowhere/x.fa"])
def test_a_place_that_cannot_be_is_refused_before_anything_is_drawn(where):
    Path("folder").mkdir()
    with pytest.raises(ConfigError, match=r"is a folder|there is no folder nowhere"):
        writer_for(GenomeDomain(), Path(where), 9, SETTINGS)
    assert not Path("nowhere").exists()


def test_infinities_are_kept_as_json():
    samples = [Sample("a", temperature=float("inf"), mean_log_prob=float("nan"),
                      settings={"stop": ["x\t", None], "min_p": float("-inf")})]  # fmt: skip
    for name in ("x.jsonl", "x.txt"):
        with writer_for(TextDomain(), Path(name), 1, {"temperature": float("inf")}) as output:
            output.add(samples[0])
            output.finish()

    row = json.loads(Path("x.jsonl").read_text())
    assert (row["temperature"], row["mean_log_prob"]) == ("inf", None)
    names, cells = (line.split("\t") for line in Path("x.txt.tsv").read_text().splitlines())
    table = dict(zip(names, cells, strict=True))
    assert (table["temperature"], table["mean_log_prob"]) == ("inf", "")
    assert json.loads(table["settings"]) == row["settings"] == {"stop": ["x\t", None],
                                                                "min_p": "-inf"}  # fmt: skip


@dataclass(frozen=True)
class Plain:
    """A domain of somebody else's, with no more than a domain must have to be written."""

    name: ClassVar[str] = "plain"
    suffix: ClassVar[str] = ".plain"
    file_per_sample: ClassVar[bool] = False

    def write(self, samples, path):
        path.write_text(f"{len(samples)}\n" + "".join(sample.symbols + "\n" for sample in samples))
        return [path]


def test_a_domain_that_cannot_append_is_written_at_the_end():
    with writer_for(Plain(), Path("x.plain"), 3, SETTINGS) as output:
        assert not output.resumable
        for sample in draw(1, 3):
            assert output.add(sample) == []
        assert files() == {}
        assert output.finish() == [Path("x.plain")]
    assert Path("x.plain").read_text().startswith("3\n")


MANY = """
import resource, sys
from pathlib import Path
from tests.core.output.test_writer import DOMAINS, draw, writer_for as output_for

def write(count):
    with output_for(DOMAINS[sys.argv[1]], Path(sys.argv[1]), count, {}) as output:
        for sample in draw(1, count):
            output.add(sample)
        output.finish()

write(1_000)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
write(40_000)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.parametrize("name", ["x.fa", "x.txt", "x.jsonl"])
def test_memory_does_not_grow_with_the_samples(name):
    """40,000 samples, of which a list takes 16 MB; in a process of its own."""
    result = subprocess.run(
        [sys.executable, "-c", MANY, name], capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert int(result.stdout) < 8_000  # KiB
    assert Path(name).stat().st_size > 40 * 40_000


def test_a_damaged_note_is_one_sentence_and_nothing_goes_on_from_it():
    path, note = Path("x.fa"), Path("x.fa.partial.json")
    with writer_for(GenomeDomain(), path, 9, SETTINGS) as output:
        output.add(Sample("ACGT"))
        output.save()
    good = note.read_bytes()
    assert json.loads(good)["done"] == 1
    others = [b'{"settings": {}, "done": Infinity, "bytes": []}', b'{"done": 1}', b"[1]",
              good.replace(b'"done": 1', b'"done": 7')]  # fmt: skip
    for content in [*(damage(good) for damage in DAMAGES.values()), *others]:
        note.write_bytes(content)
        with (
            pytest.raises(RunError, match=r"x.fa.partial.json: cannot be read.*delete it"),
            writer_for(GenomeDomain(), path, 9, SETTINGS),
        ):
            pass
