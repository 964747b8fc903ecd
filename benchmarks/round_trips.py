"""Round trips through every form that music takes here: how many come back exactly.

    python benchmarks/round_trips.py --midi FOLDER --out benchmarks/results/round_trips.json

Laws: a piece on the grid is the same after text (the events code), notes, MIDI bytes, notes, and
its text is the same again; the notes of a tune are those of its file; a cleaned tune is the same
after its .abc file; what a random text of either code says survives text and MIDI.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from common import about, say, table, write_result
from common.tunes import book_tunes, chorales, random_abc
from seqforge.domains.music import event_codec
from seqforge.domains.music.abc import parser, tune_books
from seqforge.domains.music.midi.midi_file import midi_bytes, parse_midi, read_midi
from seqforge.domains.music.musicxml.reader import read_musicxml
from seqforge.domains.music.notes import Piece
from seqforge.errors import InputError

GRID = 24
_TOKENS = "".join(event_codec.TOKENS) + event_codec.BAR + event_codec.PICKUP + event_codec.LONGER


def lost(piece: Piece, name: str) -> str:
    """Where a piece does not come back exactly; empty where it does.

    Velocities (by fours) and tempos (by 4.4 %) are those the events code has; all else is what the
    piece says.
    """
    text = event_codec.encode(piece)
    decoded = event_codec.decode(text, GRID).piece
    if decoded != event_codec.quantised(piece):
        return "notes, text, notes"
    if [_place(note) for note in decoded.notes] != [_place(note) for note in piece.notes]:
        return "the places of notes"
    if not decoded.notes:
        return ""  # a MIDI file without a note is refused, and said to be
    back, said = parse_midi(midi_bytes(decoded), GRID, name)
    if back != decoded or said:
        return "notes, MIDI, notes"
    return "" if event_codec.encode(back) == text else "notes, text"


def _place(note: Any) -> tuple[int, int, int, int]:
    return note.pitch, note.start, note.duration, note.program


def lost_tune(symbols: str, name: str, folder: Path) -> str:
    """As `lost`, of a cleaned tune, and of its text through a file."""
    path = folder / "tune.abc"
    path.write_text(tune_books.with_header(symbols, 1, name, "a round trip"), encoding="utf-8")
    if [record.symbols for record in tune_books.read(path)] != [symbols]:
        return "text, file, text"
    in_file = path.read_text(encoding="utf-8")
    piece = parser.decode(symbols, GRID).piece
    if parser.decode(in_file, GRID).piece != piece:
        return "text, file, notes"
    return lost(piece, name)


def lost_abc(symbols: str, folder: Path) -> str:
    """As `lost`, of any text taken for ABC; and as `lost_tune` of what cleaning leaves of it."""
    if where := lost(parser.decode(symbols, GRID).piece, "random.abc"):
        return where
    path = folder / "random.abc"
    path.write_text(f"X:1\nT:random\n{symbols}", encoding="utf-8")
    for record in _records(path):
        if where := lost_tune(record, "random", folder):
            return where
    return ""


def _records(path: Path) -> Iterator[str]:
    try:
        yield from (record.symbols for record in tune_books.read(path))
    except InputError:
        return  # nothing in it sounds


def counted(kind: str, trips: Iterable[tuple[str, Callable[[], str]]]) -> dict[str, Any]:
    """How many of the trips were exact, and which were not."""
    began = time.perf_counter()
    number, inexact = 0, {}
    for name, trip in trips:
        number += 1
        if where := trip():
            inexact[name] = where
        if number % 1000 == 0:
            say(f"{kind}: {number}, {len(inexact)} inexact")
    seconds = time.perf_counter() - began
    return {
        "what": kind, "number": number, "exact": number - len(inexact),
        "seconds": round(seconds, 1), "inexact": inexact,
    }  # fmt: skip


def random_events(number: int, seed: int) -> Iterator[str]:
    """Strings of tokens of the events code, each as likely as another."""
    rng = random.Random(seed)
    for _ in range(number):
        yield "".join(rng.choices(_TOKENS, k=rng.randrange(1, 300)))


def measured(chosen: argparse.Namespace, folder: Path) -> Iterator[dict[str, Any]]:
    """A row a kind of music."""
    for kind, read, paths in (
        ("MIDI files", read_midi, sorted(chosen.midi.glob("*.mid")) if chosen.midi else []),
        ("chorales", read_musicxml, chorales(chosen.chorales)),
    ):
        if paths:
            yield counted(kind, ((path.name, partial(_lost_file, read, path)) for path in paths))
    tunes = book_tunes(chosen.tunes, chosen.seed)
    yield counted("tunes", ((n, partial(lost_tune, tunes[n], n, folder)) for n in tunes))
    texts = random_events(chosen.random, chosen.seed)
    yield counted("random texts, events", ((text, partial(_lost_events, text)) for text in texts))
    rng = random.Random(chosen.seed)
    texts = (random_abc(rng) for _ in range(chosen.random))
    yield counted("random texts, abc", ((text, partial(lost_abc, text, folder)) for text in texts))


def _lost_file(read: Callable[[Path, int], tuple[Piece, str]], path: Path) -> str:
    return lost(read(path, GRID)[0], path.name)


def _lost_events(text: str) -> str:
    return lost(event_codec.decode(text, GRID).piece, "random")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--midi", type=Path, help="a folder of MIDI files")
    parser.add_argument("--chorales", type=int, default=400, help="of Bach, from music21's corpus")
    parser.add_argument("--tunes", type=int, default=1000, help="of the three books in it")
    parser.add_argument("--random", type=int, default=10_000, help="texts of each code")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="where the JSON goes")
    chosen = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for row in measured(chosen, Path(folder)):
            rows.append(row)
            shown = {**row, "inexact": ", ".join(list(row["inexact"])[:3])[:80]}
            print(table([shown]), flush=True)
    settings = {"grid": GRID, "chorales": chosen.chorales, "tunes": chosen.tunes}
    write_result(chosen.out, {**about(chosen.seed, settings), "rows": rows})


if __name__ == "__main__":
    main()
