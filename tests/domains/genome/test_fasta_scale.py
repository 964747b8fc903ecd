"""Genomes far larger than memory should have to be: what is read, and what that takes."""

import gzip
import json
import os
import subprocess
import sys

import numpy as np
import pytest

from seqforge.core.config import DataConfig
from seqforge.core.data.ingest import ingest
from seqforge.domains.genome.domain import GenomeDomain

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="anonymous memory stands in /proc")

WATCHED = """
import runpy, sys, threading
from pathlib import Path

most = 0

def look():
    global most
    lines = Path("/proc/self/status").read_text().splitlines()
    anonymous = next(int(line.split()[1]) for line in lines if line.startswith("RssAnon"))
    most = max(most, anonymous)

def watch():
    while not done.wait(0.003):
        look()

done = threading.Event()
threading.Thread(target=watch, daemon=True).start()
try:
    exec(sys.argv.pop(1))
finally:
    done.set()
    look()
    print(most, file=sys.stderr)
"""

READ = """
import tempfile
from seqforge.core.config import DataConfig
from seqforge.core.data.ingest import ingest
from seqforge.domains.genome.domain import GenomeDomain
with tempfile.TemporaryDirectory() as folder:
    ingest(GenomeDomain(), [Path(sys.argv[1])], DataConfig(), Path(folder))
"""

RUN = """
sys.argv[0] = "seqforge"
try:
    runpy.run_module("seqforge", run_name="__main__")
except SystemExit as ended:
    assert not ended.code, ended.code
"""


def anonymous_kilobytes(work, *arguments):
    """The most anonymous memory that a process of its own had."""
    path = os.pathsep.join(sys.path)
    result = subprocess.run(
        [sys.executable, "-c", WATCHED, work, *map(str, arguments)], check=False,
        capture_output=True, text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": path},
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    return int(result.stderr.splitlines()[-1])


def write_contig(path, bases, gap=0):
    """One contig of random bases, 80 to the line, a run of N in its middle."""
    rng = np.random.default_rng(bases)
    letters = rng.choice(np.frombuffer(b"ACGTacgt", np.uint8), (bases // 80, 80))
    letters.reshape(-1)[bases // 2 : bases // 2 + gap] = ord("N")
    path.write_bytes(b">chr1\n" + np.pad(letters, ((0, 0), (0, 1)), constant_values=10).tobytes())
    return path


@LINUX
def test_reading_takes_no_more_memory_for_a_larger_contig(tmp_path):
    small, large = (
        anonymous_kilobytes(READ, write_contig(tmp_path / f"{millions}.fa", millions * 10**6, 9999))
        for millions in (2, 24)
    )
    assert large < 1.2 * small


@LINUX
@pytest.mark.slow
def test_a_whole_run_takes_no_more_memory_for_a_larger_genome(tmp_path):
    """Reading, training, scoring, baselines, samples and their report; one lane, as on any core.

    Without the memory beside the network: its tables are as large as `--memory-budget` allows for
    so many bases, and it keeps the bases themselves, a byte each.
    """
    small, large = (
        anonymous_kilobytes(
            RUN, "run", "genome", "--fasta", write_contig(tmp_path / f"{size}.fa", size * 10**6),
            "--blast", "off", "--budget", "30steps", "--set", "training.num_evaluations=1",
            "--precision", "fp32", "--hidden-size", "64", "--lanes", "1", "--device", "cpu",
            "--out", tmp_path / f"run{size}", "--quiet", "--no-memory",
        )
        for size in (1, 24)
    )  # fmt: skip
    assert large < 1.2 * small


def test_the_slice_that_ships_becomes_the_tokens_that_its_letters_say(tmp_path):
    """Against the file read whole: 90 % to train, then 5 % each behind 1,024 of context."""
    (path,) = GenomeDomain().default_input()
    lines = gzip.decompress(path.read_bytes()).splitlines()
    letters = b"".join(line for line in lines if line[:1] != b">").upper()
    ids = np.array([b"ACGT".index(letter) + 1 for letter in letters], np.uint8)
    first = [0]

    corpus, (line,) = ingest(GenomeDomain(), [path], DataConfig(), tmp_path)

    assert corpus.vocabulary.symbols == ("A", "C", "G", "T")
    assert (line.status, line.symbols) == ("kept", len(ids))
    for part, start, stop, end in (
        (corpus.train, 0, 900_000, []),
        (corpus.valid, 900_000 - 1024, 950_000, []),
        (corpus.test, 950_000 - 1024, 1_000_000, [0]),
    ):
        assert part.tokens.tolist() == [*first, *ids[start:stop].tolist(), *end]
        assert json.loads((tmp_path / "corpus.json").read_text())["format"] == 3


def test_gaps_of_a_long_contig_are_split_at_wherever_blocks_end(tmp_path):
    path = write_contig(tmp_path / "x.fa", 4_000_000, gap=1_500_000)

    corpus, (line,) = ingest(GenomeDomain(), [path], DataConfig(split="100/0/0"), tmp_path)

    assert (line.status, line.records, line.symbols) == ("split", 1, 2_500_000)
    assert line.reason == "split at 1 runs of N (1500000 in all)"
    ends = np.flatnonzero(corpus.train.tokens == 0).tolist()
    assert ends == [0, 2_000_001, 2_500_002]
