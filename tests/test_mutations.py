"""Whatever stands in a file, it is read or refused in a sentence: nothing else, and in good time.

``pytest -m slow tests/test_mutations.py -s`` reads 10^5 changed files of each kind and says how
many were refused, what took longest, and how memory grew.
"""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from seqforge.core.model.checkpoint import load_checkpoint, read_arrays, write_arrays
from seqforge.core.sampling.engine import KernelEngine
from seqforge.domains.genome.domain import GenomeDomain
from seqforge.domains.music.domain import MusicDomain
from seqforge.errors import SeqforgeError
from seqforge.registry import load_domain
from seqforge.runs.recipes import read_recipe
from tests.conftest import ROOT
from tests.core.sampling.tiny import checkpoint
from tests.mutating import mutated

MOST_SECONDS = 30.0
"""Of the processor's time, not of the clock: some hundred times what the slowest takes."""
MOST_GROWN = 100e6
"""Bytes that the process may have grown by since its first thousand files."""


FASTA = [
    b">chr1 first\nACGTACGTNNNNacgtRYKM\nGGGTTT\n>chr2\nACGT\nACGU\n\n;old\n>x|y desc\nTTTT\n" * 3,
    b"\xef\xbb\xbf>a\r\nACGT\r\nACGT\r\n>b\r\nGGGG\r\n",
]

GENBANK = b"""LOCUS       AB000001                  60 bp    DNA     linear   PLN 01-JAN-2020
DEFINITION  a made record.
ACCESSION   AB000001
VERSION     AB000001.1
FEATURES             Location/Qualifiers
     source          1..60
                     /organism="none"
     CDS             join(1..12,20..31)
                     /gene="x"
ORIGIN
        1 acgtacgtac gtacgtacgt acgtacgtac gtacgtacgt acgtacgtac gtacgtacgt
//
LOCUS       AB000002                  20 bp    DNA     linear   PLN 01-JAN-2020
ACCESSION   AB000002
ORIGIN
        1 acgtnnnnac gtacgtacgt
//
"""

ABC = [
    b"""X:1
T:A tune
M:6/8
L:1/8
Q:1/4=120
K:Dmix
P:A
|:A2B c<de|"Am"(3abc [CEG]2 z|1 d2>e f3:|2 d6||
V:2 clef=bass octave=-1
{g}a2 ^f =f _e|~A3 Tb3 & c6|[K:G] x2 Z2|]
w:words to sing
""",
    b"X:2\nM:4/4\nL:1/8\nK:C\nCDEF \\\nM:3/4\nGABc|[M:2/4]c2-c2|!trill!G4:|\n"
    b"%%MIDI program 40\n+:more\n",
    b"X:3\nM:C|\nK:Am\n[V:1] A4 z4|\n[V:2] C,8|\n\nX:4\nT:another\nK:F#m\nab/c//d3/2 (5abcde ||\n",
]

MUSICXML = b"""<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE score-partwise PUBLIC "-//Recordare//DTD MusicXML 4.0 Partwise//EN" "http://www.musicxml.org/dtds/partwise.dtd">
<score-partwise version="4.0"><part-list><score-part id="P1"><part-name>A</part-name></score-part>
</part-list><part id="P1"><measure number="1"><attributes><divisions>2</divisions>
<key><fifths>1</fifths></key><time><beats>3</beats><beat-type>4</beat-type></time>
<clef><sign>G</sign><line>2</line></clef><transpose><chromatic>-2</chromatic></transpose></attributes>
<direction><sound tempo="90"/></direction>
<note><pitch><step>C</step><alter>1</alter><octave>4</octave></pitch><duration>2</duration>
<tie type="start"/><voice>1</voice><type>quarter</type></note>
<note><chord/><pitch><step>E</step><octave>4</octave></pitch><duration>2</duration></note>
<note><rest/><duration>2</duration></note><backup><duration>4</duration></backup>
<forward><duration>2</duration></forward>
<note><grace/><pitch><step>D</step><octave>5</octave></pitch></note>
<note><unpitched/><duration>2</duration><time-modification><actual-notes>3</actual-notes>
<normal-notes>2</normal-notes></time-modification></note>
<barline location="right"><repeat direction="backward" times="2"/></barline></measure>
</part></score-partwise>
"""

RECIPE = b"""description = "A made recipe"
inputs = ["x.txt"]
domain = "text"
note = "none"
[domain_options]
separator = "%"
bytes = false
[data]
split = "90/5/5"
min_count = 2
[model]
cell = "gru"
hidden_size = 64
num_layers = 2
dropout = 0.1
[training]
budget = "10m"
learning_rate = 4e-3
seed = 1
lanes = 2
[sampling]
temperatures = [0.5, 0.8]
length = 500
[search]
controls = 3
"""


def midi() -> list[bytes]:
    made = bytes.fromhex(
        "4d546864 00000006 0001 0002 0060"
        "4d54726b 0000001a 00 ff510307a120 00 ff580403021808 00 ff59020100 00 ff2f00"
        "4d54726b 0000001e 00 c01a 00 b04040 00 903c40 60 3e40 30 803c40 00 3e40 00 e00040"
        "00 ff2f00"
    )
    return [(ROOT / "data" / "melody.mid").read_bytes(), made]


def model(folder: Path) -> list[bytes]:
    path = folder / "seed.safetensors"
    made = checkpoint()
    write_arrays(path, made.card.model_dump(mode="json"), made.weights)
    return [path.read_bytes()]


def read_genome(path: Path) -> None:
    domain = GenomeDomain()
    for block in domain.read_blocks(path):
        assert block.points.ndim == 1
    domain.prime(path)


def read_music(code: str) -> Callable[[Path], None]:
    domain = MusicDomain(code=code)

    def read(path: Path) -> None:
        for record in domain.read(path):
            domain.decode(record.symbols)
        domain.prime(path)

    return read


def read_model(path: Path) -> None:
    KernelEngine.of(load_checkpoint(path))


def read_recipe_file(path: Path) -> None:
    config = read_recipe(path).config()
    load_domain(config.domain, config.domain_options)


def signed(seeds: list[bytes], number: int, folder: Path) -> bytes:
    """A model with other settings or arrays and a digest that fits: it is a plain hash."""
    rng, path = random.Random(f"signed {number}"), folder / "signed.safetensors"
    path.write_bytes(rng.choice(seeds))
    header, arrays = read_arrays(path)
    text = json.dumps(header).encode()
    try:
        changed = json.loads(mutated([text], number, "header"))
    except (ValueError, RecursionError):
        changed = header
    if not isinstance(changed, dict):
        changed = {"x": changed}
    name = rng.choice(list(arrays))
    match rng.randrange(5):
        case 0:
            arrays.pop(name)
        case 1:
            arrays[name] = arrays[name].astype(rng.choice(["f8", "i8", "u1", "?", "f2"]))
        case 2:
            arrays[name] = arrays[name].reshape(-1)
        case 3:
            arrays[name].flat[0] = rng.choice([float("nan"), float("inf"), 1e30])
    changed.pop("digest", None)
    try:
        write_arrays(path, changed, arrays)
    except (ValueError, UnicodeEncodeError):
        return mutated(seeds, number, "model")
    return path.read_bytes()


READERS: dict[str, tuple[str, Callable[[Path], None]]] = {
    "FASTA": (".fa", read_genome),
    "GenBank": (".gb", read_genome),
    "ABC": (".abc", read_music("abc")),
    "ABC as events": (".abc", read_music("events")),
    "MIDI": (".mid", read_music("events")),
    "MusicXML": (".musicxml", read_music("events")),
    "model": (".safetensors", read_model),
    "signed model": (".safetensors", read_model),
    "recipe": (".toml", read_recipe_file),
}


class Slow(BaseException):
    """A file that takes too long."""


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Raise `Slow` after so much of the processor's time."""

    def stop(*_: object) -> None:
        raise Slow

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def resident() -> int:
    """Bytes of memory that the process holds; 0 where nobody says."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        return 0


def seeds_of(kind: str, folder: Path) -> list[bytes]:
    if "model" in kind:
        return model(folder)
    return {
        "FASTA": FASTA, "GenBank": [GENBANK], "ABC": ABC, "ABC as events": ABC, "MIDI": midi(),
        "MusicXML": [MUSICXML], "recipe": [RECIPE],
    }[kind]  # fmt: skip


def test_what_is_changed_is_read_as_it_stands(tmp_path):
    """Else all that is changed would be refused for the same thing."""
    for kind, (suffix, read) in READERS.items():
        for number, seed in enumerate(seeds_of(kind, tmp_path)):
            path = tmp_path / f"{number}{suffix}"
            path.write_bytes(seed)
            read(path)


def test_a_note_of_a_chord_longer_than_any_piece_is_refused(tmp_path):
    path = tmp_path / "x.musicxml"
    path.write_bytes(mutated([MUSICXML], 1009, "MusicXML"))
    assert b"<duration>999999999</duration>" in path.read_bytes()
    with pytest.raises(SeqforgeError, match="lasts more than 20,000 quarters"):
        read_music("events")(path)


def tried(kind: str, count: int, folder: Path, first: int = 0) -> str:
    """Read so many changed files; returns what came of it, in a line.

    Raises:
        AssertionError: If one gave anything but a result or a sentence; names its number.
    """
    suffix, read = READERS[kind]
    seeds, path = seeds_of(kind, folder), folder / f"x{suffix}"
    refused, slowest, slowest_number, settled = 0, 0.0, 0, 0
    for number in range(first, first + count):
        data = (
            signed(seeds, number, folder)
            if kind == "signed model"
            else mutated(seeds, number, kind)
        )
        path.write_bytes(data)
        began = time.process_time()
        try:
            with limited(MOST_SECONDS):
                read(path)
        except SeqforgeError as error:
            said, refused = str(error), refused + 1
            assert 0 < len(said) < 2000, (kind, number, said[:300])
            assert len(said.splitlines()) == 1, (kind, number, said[:300])
        except BaseException as error:
            raise AssertionError(f"{kind} {number}: {type(error).__name__}: {error}") from error
        seconds = time.process_time() - began
        slowest, slowest_number = max((slowest, slowest_number), (seconds, number))
        if number - first == 999:
            settled = resident()
    grown = resident() - settled if settled else 0
    assert grown < MOST_GROWN, (kind, grown)
    return (
        f"{kind}: {count:,} files, {refused:,} refused, the slowest took {slowest:.2f} s of the "
        f"processor (number {slowest_number}), memory grew by {grown / 1e6:.1f} MB"
    )


@pytest.mark.skipif(not hasattr(signal, "SIGPROF"), reason="no such timer on this system")
@pytest.mark.parametrize("kind", READERS)
def test_a_few_changed_files_of_each_kind_are_read_or_refused(kind, tmp_path):
    tried(kind, 100, tmp_path)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGPROF"), reason="no such timer on this system")
@pytest.mark.parametrize("kind", READERS)
def test_a_hundred_thousand_changed_files_of_each_kind_are_read_or_refused(kind, tmp_path):
    print(tried(kind, 100_000, tmp_path))
