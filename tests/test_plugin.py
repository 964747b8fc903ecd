"""A domain of somebody else's: installed beside us, it is found, trained and sampled."""

import re
import subprocess
import sys
import textwrap
from types import ModuleType, SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqforge import plugin
from tests.conftest import ROOT
from tests.forking import Command

TUTORIAL = (ROOT / "docs" / "domains.md").read_text()

DOMAIN = '''
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from seqforge.plugin import Constraint, Record, write_atomically


@dataclass(frozen=True)
class MorseDomain:
    """Telegrams: letters as dots and dashes."""

    name: ClassVar[str] = "morse"
    suffix: ClassVar[str] = ".morse"
    suffixes: ClassVar[tuple[str, ...]] = (".morse",)
    file_per_sample: ClassVar[bool] = False
    unit: ClassVar[str] = "sign"

    pause: str = "/"

    def read(self, path):
        for number, line in enumerate(path.read_text().splitlines()):
            yield Record(line.replace(" ", self.pause), f"{path.name}:{number}", str(path))

    def prime(self, source):
        return str(source).replace(" ", self.pause)

    def constraint(self, vocabulary):
        pause = vocabulary.symbols.index(self.pause) + 1
        allowed = np.ones((2, len(vocabulary)), bool)
        allowed[1, pause] = False
        following = np.zeros((2, len(vocabulary)), np.int32)
        following[:, pause] = 1
        return Constraint(allowed, following)

    def write(self, samples, path):
        write_atomically(path, "".join(map(self.show, samples)).encode())
        return [path]

    def show(self, sample):
        return sample.symbols.replace(self.pause, " ") + "\\n"

    def report(self, samples, corpus):
        return {"dots": sum(sample.symbols.count(".") for sample in samples)}
'''


def with_package(site, name, source, entry_points):
    """What runs seqforge beside a package as pip leaves it: a module and its metadata."""
    metadata = site / f"{name}-1.0.dist-info"
    metadata.mkdir(parents=True)
    (site / f"{name}.py").write_text(textwrap.dedent(source))
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(entry_points)
    program = site / f"with_{name}.py"  # its folder is the first that modules are looked for in
    program.write_text("import runpy\nrunpy.run_module('seqforge', run_name='__main__')\n")

    def call(*arguments):
        command = Command(*arguments, script=program)
        said, complaints = command.communicate()
        return SimpleNamespace(stdout=said, stderr=complaints, returncode=command.returncode)

    return call


@pytest.fixture
def morse(tmp_path):
    """seqforge beside a package with a domain."""
    entry = "[seqforge.domains]\nmorse = telegraph:MorseDomain\n"
    return with_package(tmp_path / "site", "telegraph", DOMAIN, entry)


def test_a_cell_of_another_package_trains_and_draws_and_its_file_names_the_package(tmp_path):
    """The cell is the one that the documents show."""
    (shown,) = re.findall(
        r"```python\n(.*?)```", (ROOT / "docs" / "cells.md").read_text(), re.DOTALL
    )
    entry = "[seqforge.cells]\nleaky = dripping:LEAKY\n"
    beside = with_package(tmp_path / "site", "dripping", shown, entry)
    text, out = tmp_path / "text.txt", tmp_path / "out"
    text.write_text("to be or not to be\n" * 60)

    small = ["--hidden-size", "8", "--seq-len", "16", "--batch-size", "2", "--budget", "4steps"]
    made = beside("train", "text", text, "--cell", "leaky", "--no-memory", *small, "--out", out)
    assert made.returncode == 0, made.stderr
    assert "Error" not in made.stderr, "in a thread"
    drawn = beside("sample", out, "-n", "1", "--length", "20")
    assert (drawn.returncode, drawn.stderr) == (0, "")

    alone = Command("sample", str(out), "-n", "1")
    _, complaint = alone.communicate()
    assert alone.returncode == 1
    assert "its cell 'leaky' is of the package 'dripping 1.0', which is not installed" in complaint


def test_the_names_for_plug_ins_are_sorted_and_documented():
    assert plugin.__all__ == sorted(plugin.__all__, key=_as_ruff_sorts)
    for name in plugin.__all__:
        assert getattr(plugin, name) is not None
        assert re.search(rf"`{name}\b", TUTORIAL), f"docs/domains.md says nothing of {name}"


def _as_ruff_sorts(name):
    """Constants, then classes, then functions."""
    return (not name.isupper(), name[0].islower(), name)


def test_plug_ins_import_no_torch():
    code = "import sys, seqforge.plugin; print('torch' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout == "False\n"


def test_a_domain_of_lines_has_all_that_a_domain_must_have():
    members = {name for name in vars(plugin.Domain) if not name.startswith("_")}
    members |= set(plugin.Domain.__annotations__)
    assert members <= set(dir(plugin.LineDomain))
    assert isinstance(plugin.LineDomain(), plugin.Appends)


def test_a_domain_of_lines_refuses_a_file_without_any(tmp_path):
    (tmp_path / "x.txt").write_text("\n\n")
    with pytest.raises(plugin.InputError, match=r"x\.txt: is empty; give a file with a record a"):
        list(plugin.LineDomain().read(tmp_path / "x.txt"))


@given(text=st.text("ab", max_size=30), most=st.integers(1, 4))
def test_an_automaton_goes_where_its_function_says(text, most):
    """At most so many a's in a row, and a b at the end."""

    def after(run, symbol):
        if symbol == "a":
            return run + 1 if run < most else None
        return 0 if symbol == "b" or run == 0 else None

    grammar = plugin.automaton(plugin.Vocabulary(("a", "b")), 0, after)

    assert grammar.allowed.shape == (most + 1, 3)
    state = run = 0
    for symbol in text:
        assert bool(grammar.allowed[state, plugin.END]) == (run == 0)
        number = "ab".index(symbol) + 1
        assert grammar.allowed[state, number] == (after(run, symbol) is not None)
        stays = after(run, symbol)
        run = run if stays is None else stays
        state = grammar.following[state, number]
        assert grammar.following[state, plugin.END] == 0


def test_an_automaton_with_a_state_that_allows_nothing_is_refused():
    with pytest.raises(ValueError, match="a state of the constraint allows nothing"):
        plugin.automaton(
            plugin.Vocabulary(("a",)), 0, lambda state, symbol: 1 if state == 0 else None
        )


def _steps():
    """The tutorial's package as it stands after each of its steps: module, then its tests."""
    head, body, tail, tests, found = "", "", "", "", []
    for step in re.split(r"^## ", TUTORIAL, flags=re.M)[1:6]:
        for block in re.findall(r"^```python\n(.*?)^```$", step, re.M | re.S):
            if "@dataclass" in block:
                body = block
            elif "import pytest" in block:
                tests = block
            elif "class MorseDomain" in block:
                imports, _, added = block.partition("class MorseDomain(LineDomain):\n")
                head, body = imports or head, body + added
            else:
                tail += "\n\n" + block
        found.append(head + body + tail)
    return found, tests


def test_every_step_of_the_tutorial_works(monkeypatch, tmp_path):
    steps, tests = _steps()
    for source in steps:
        module = ModuleType("telegraph")
        monkeypatch.setitem(sys.modules, "telegraph", module)
        exec(source, vars(module))
        domain = module.MorseDomain()
        samples = [plugin.Sample("... ---"), plugin.Sample("-.-")]
        (path,) = domain.write(samples, tmp_path / "x.morse")
        assert [record.symbols for record in domain.read(path)] == ["... ---", "-.-"]
    names = {}
    exec(tests, names)
    run = [name for name in names if name.startswith("test_")]
    assert len(run) == 3
    for name in run:
        folder = tmp_path / name
        folder.mkdir()
        names[name](*[folder] * names[name].__code__.co_argcount)


def test_the_domain_of_the_tutorial_is_trained_and_sampled(morse, tmp_path):
    (tmp_path / "site" / "telegraph.py").write_text(_steps()[0][-1])
    (tmp_path / "sos.morse").write_text("# sos\n.../---/...\n" * 500)

    run = morse(
        "run", "morse", "--input", tmp_path / "sos.morse", "--out", tmp_path / "run",
        "--budget", "60steps", "--precision", "fp32", "--lanes", 1,
        "--hidden-size", 16, "--batch-size", 8, "--seq-len", 16,
    )  # fmt: skip

    assert run.returncode == 0, run.stderr
    assert "dots (share)" in (tmp_path / "run" / "report.html").read_text()
    wild = morse("sample", tmp_path / "run", "-t", "inf", "-n", 20, "--max-length", 60)
    assert wild.stdout.count("\n") == 20
    assert not re.search(r"^/|//|/$", wild.stdout, re.M)


def test_a_domain_from_another_package_is_found_trained_and_sampled(morse, tmp_path):
    listed = morse("domains")
    assert "morse\n  Telegrams: letters as dots and dashes.\n" in listed.stdout
    assert "morse (telegraph:MorseDomain, telegraph)\n" in morse("domains", "-v").stdout
    assert "--pause" in listed.stdout

    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "sos.morse").write_text("... --- ...\n" * 500)
    run = morse(
        "run", "morse", "--input", tmp_path / "in", "--out", tmp_path / "run",
        "--budget", "400steps", "--precision", "fp32", "--lanes", 1,
        "--hidden-size", 24, "--batch-size", 8, "--seq-len", 16, "--pause", "_",
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert "bits per sign" in run.stdout
    assert (tmp_path / "run" / "samples" / "samples-t0.8.morse").exists()

    sampled = morse("sample", tmp_path / "run", "-t", 0, "--prime", "... ---")
    assert sampled.stdout == "... --- ...\n"
    assert "the grammar forbade 0" in sampled.stderr, "what it learned has no two pauses"

    wild = morse("sample", tmp_path / "run", "-t", "inf", "--length", 5000)
    assert "  " not in wild.stdout, "at random, and yet no two pauses follow each other"
    free = morse("sample", tmp_path / "run", "-t", "inf", "--length", 5000, "--no-constraint")
    assert "  " in free.stdout


def test_a_domain_that_fails_to_load_is_one_sentence(morse, tmp_path):
    (tmp_path / "site" / "telegraph.py").write_text("import nothing_of_that_name\n")

    result = morse("run", "morse", "--input", tmp_path)

    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    assert "'morse' (telegraph:MorseDomain) cannot be loaded: No module named" in result.stderr
    assert "cannot be loaded" in morse("domains").stdout, "the others are still listed"
