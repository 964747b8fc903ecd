"""A domain of somebody else's: installed beside us, it is found, trained and sampled."""

import textwrap
from types import SimpleNamespace

import pytest

from tests.forking import Command

DOMAIN = '''
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from seqforge.core.data.domain import Record
from seqforge.base.folders import write_atomically
from seqforge.core.data.constraint import Constraint


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


@pytest.fixture
def morse(tmp_path):
    """A package as pip leaves it: the module and its metadata with an entry point."""
    site = tmp_path / "site"
    metadata = site / "telegraph-1.0.dist-info"
    metadata.mkdir(parents=True)
    (site / "telegraph.py").write_text(textwrap.dedent(DOMAIN))
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: telegraph\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(
        "[seqforge.domains]\nmorse = telegraph:MorseDomain\n"
    )
    program = site / "with_telegraph.py"  # its folder is the first that modules are looked for in
    program.write_text("import runpy\nrunpy.run_module('seqforge', run_name='__main__')\n")

    def call(*arguments):
        command = Command(*arguments, script=program)
        said, complaints = command.communicate()
        return SimpleNamespace(stdout=said, stderr=complaints, returncode=command.returncode)

    return call


def test_a_domain_from_another_package_is_found_trained_and_sampled(morse, tmp_path):
    listed = morse("domains")
    assert "morse      Telegrams: letters as dots and dashes. [telegraph]" in listed.stdout
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
