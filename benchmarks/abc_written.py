"""ABC that is written, read by abc2midi: how many files it warns of.

    python benchmarks/abc_written.py --midi FOLDER --out benchmarks/results/abc_written.json

Written are the melodies of MIDI files, random pieces, samples of a model with and without its
grammar, continuations of a melody, and senseless and damaged tunes written anew.
"""

from __future__ import annotations

import argparse
import random
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import seqforge
from abc_decoder import complaints
from common import about, say, scratch, table, write_result
from common.tunes import book_tunes, damaged, random_abc
from seqforge.base.paths import data_folder
from seqforge.core.records import Sample
from seqforge.domains.music.abc.writer import to_abc
from seqforge.domains.music.domain import MusicDomain
from seqforge.domains.music.file_type import read_notes
from seqforge.domains.music.notes import Note, Piece, TimeSignature
from seqforge.domains.music.render.sample_export import SampleExport

_TEMPERATURES = (0.8, 1.0, 1.3)


def random_piece(rng: random.Random) -> Piece:
    """Notes at any step, in metres that change anywhere."""
    notes = tuple(
        Note(rng.randrange(128), 80, rng.randrange(400), rng.randrange(1, 100))
        for _ in range(rng.randrange(1, 40))
    )
    times = tuple(
        TimeSignature(rng.randrange(300), rng.randrange(1, 13), rng.choice((1, 2, 4, 8, 16, 64)))
        for _ in range(rng.randrange(3))
    )
    return Piece(notes, 24, (), times, (), rng.choice((0, 0, 6, 12, 20)))


def files(kind: str, number: int, midi: list[Path], seed: int) -> Iterator[str]:
    """ABC files of one kind.

    Args:
        kind: One of `_KINDS`.
        number: How many; of MIDI files there is one each.
        midi: The files.
        seed: Of all that is drawn.
    """
    rng = random.Random(seed)
    if kind == "MIDI files":
        yield from (_file(to_abc(read_notes(path, 24)[0])) for path in midi)
    elif kind == "random pieces":
        yield from (_file(to_abc(random_piece(rng))) for _ in range(number))
    elif kind == "senseless tunes":
        yield from (_file(random_abc(rng)) for _ in range(number))
    elif kind == "damaged tunes":
        tunes = list(book_tunes(number, seed).values())
        yield from (_file(damaged(tune, rng)) for tune in tunes)
    else:
        yield from _drawn(kind, number, seed)


def _drawn(kind: str, number: int, seed: int) -> Iterator[str]:
    model = seqforge.load("folk")
    how: dict[str, Any] = {"length": 800, "seed": seed}
    if kind == "continuations":
        how["prime"] = data_folder() / "melody.mid"
    elif kind == "samples without grammar":
        how["constraint"] = False
    for temperature in _TEMPERATURES:
        each = -(-number // len(_TEMPERATURES))
        for sample in model.sample(n=each, temperature=temperature, **how):
            assert isinstance(model.domain, MusicDomain)
            yield SampleExport(model.domain, sample).abc


def _file(symbols: str) -> str:
    return SampleExport(MusicDomain(code="abc"), Sample(symbols)).abc


_KINDS = (
    "MIDI files", "random pieces", "samples", "samples without grammar", "continuations",
    "senseless tunes", "damaged tunes",
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--midi", type=Path, help="a folder of MIDI files")
    parser.add_argument("--number", type=int, default=60, help="of files of each kind")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="where the JSON goes")
    chosen = parser.parse_args()
    program = shutil.which("abc2midi")
    if program is None:
        raise SystemExit("abc2midi is not installed (Debian: apt install abcmidi)")
    midi = sorted(chosen.midi.rglob("*.mid")) if chosen.midi else []
    rows, warnings = [], Counter[str]()
    with scratch() as folder:
        for kind in _KINDS:
            said = [
                complaints(program, file, folder)
                for file in files(kind, chosen.number, midi, chosen.seed)
            ]
            rows.append(
                {"files": kind, "number": len(said), "with a warning": sum(map(bool, said))}
            )
            warnings.update(re.sub(r"\d+", "N", line) for lines in said for line in lines)
            say(f"{kind}: {len(said)} files")
    document = about(chosen.seed, {"number": chosen.number})
    document |= {"files": rows, "warnings": dict(warnings.most_common())}
    print(table(rows))
    write_result(chosen.out, document)


if __name__ == "__main__":
    main()
