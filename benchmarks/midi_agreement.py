"""What is read of MIDI files, beside what mido and pretty_midi read of the same files.

    python benchmarks/midi_agreement.py FOLDER --corpus 100 \
        --out benchmarks/results/midi_agreement.json

mido gives messages: from them notes are made here, as plainly as can be (a note-off ends the
earliest note of its track, channel and pitch), rounded to the grid, and compared one by one with
ours. pretty_midi gives notes in seconds, whose pitches, velocities, programs and onsets are
compared with ours by the tempos that we read. A row counts notes; five that are left over on either
side are listed. Two notes that begin on one step with one pitch and instrument are one to us, the
longer, and a note ends where its instrument strikes the pitch again; both are done to the others'
notes too.
"""

from __future__ import annotations

import argparse
import tempfile
import warnings
from collections import Counter, defaultdict, deque
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import mido
import pretty_midi

from common import about, say, table, write_result
from common.tunes import chorales
from seqforge.domains.music.midi.midi_file import read_midi
from seqforge.domains.music.notes import DRUMS, Note, Piece, Tempo, normalised
from seqforge.domains.music.tempo_map import TempoMap

_GRID = 24
_CLOSE = 0.011  # seconds that an onset may be off: half a step at 55 quarters a minute


def by_mido(path: Path) -> Piece:
    """The piece that mido's messages make."""
    file = mido.MidiFile(path)
    notes: list[Note] = []
    tempos: list[Tempo] = []
    events = []
    for number, track in enumerate(file.tracks):
        tick = 0
        for place, message in enumerate(track):
            tick += message.time
            events.append((tick, number, place, message))
    programs = [0] * 16
    sounding: dict[tuple[int, int, int], deque[tuple[int, int, int]]] = defaultdict(deque)
    for tick, number, _, message in sorted(events, key=lambda event: event[:3]):
        if message.type == "set_tempo":
            slowest = min(max(message.tempo, 150_000), 3_000_000)
            tempos.append(Tempo(_step(tick, file.ticks_per_beat), slowest))
        elif message.type == "program_change":
            programs[message.channel] = message.program
        elif message.type in ("note_on", "note_off"):
            key = number, message.channel, message.note
            if message.type == "note_on" and message.velocity:
                program = DRUMS if message.channel == 9 else programs[message.channel]
                sounding[key].append((tick, message.velocity, program))
            elif sounding[key]:
                begun, velocity, program = sounding[key].popleft()
                first, last = (_step(t, file.ticks_per_beat) for t in (begun, tick))
                notes.append(Note(message.note, velocity, first, max(1, last - first), program))
    return normalised(Piece(tuple(notes), _GRID, tuple(tempos)))


def _step(tick: int, ticks: int) -> int:
    return (2 * tick * _GRID + ticks) // (2 * ticks)


def by_pretty_midi(path: Path) -> list[tuple[int, int, int, float]]:
    """(pitch, velocity, program, seconds) of each note."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        file = pretty_midi.PrettyMIDI(str(path))
    return sorted(
        (note.pitch, note.velocity, DRUMS if part.is_drum else part.program, note.start)
        for part in file.instruments
        for note in part.notes
    )


def row(name: str, path: Path) -> dict[str, Any]:
    """How many notes of a file agree, in what."""
    piece, said = read_midi(path, _GRID)
    other = by_mido(path)
    ours, theirs = (Counter(found.notes) for found in (piece, other))
    agree: dict[str, int] = {}
    for what, fields in (
        ("onsets", ("pitch", "start")), ("durations", ("pitch", "start", "duration")),
        ("velocities", ("pitch", "start", "velocity")), ("programs", ("pitch", "start", "program")),
    ):  # fmt: skip
        pair = [
            Counter(tuple(getattr(note, field) for field in fields) for note in found.notes)
            for found in (piece, other)
        ]
        agree[what] = sum((pair[0] & pair[1]).values())
    left = [list(note) for note in [*(ours - theirs), *(theirs - ours)]]
    return {
        "file": name, "notes": len(piece.notes), "mido": len(other.notes), **agree,
        "tempos": piece.tempos == other.tempos, "pretty_midi": _heard(piece, by_pretty_midi(path)),
        "said": said, "left over": left[:5],
    }  # fmt: skip


def _heard(piece: Piece, others: Sequence[tuple[int, int, int, float]]) -> int:
    """How many of our notes pretty_midi hears at their time."""
    clock = TempoMap(piece)
    at: dict[tuple[int, int, int], list[float]] = defaultdict(list)
    for *which, seconds in others:
        at[tuple(which)].append(seconds)
    found = 0
    for note in piece.notes:
        seconds = clock.seconds(note.start)
        times = at[note.pitch, note.velocity, note.program]
        half = clock.seconds(note.start + 1) - seconds
        near = min(times, key=lambda time: abs(time - seconds), default=None)
        if near is not None and abs(near - seconds) <= max(_CLOSE, 0.51 * half):
            times.remove(near)
            found += 1
    return found


def by_music21(paths: Sequence[Path], folder: Path) -> Iterator[Path]:
    """Scores as the MIDI files that music21 writes of them."""
    from music21 import converter

    for path in paths:
        written = folder / f"{path.stem}.mid"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            converter.parse(path, forceSource=True).write("midi", written)
        yield written


def total(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """All rows as one."""
    numbers = [key for key in rows[0] if isinstance(rows[0][key], int) and key != "tempos"]
    return {
        "file": f"all {len(rows)}", **{key: sum(one[key] for one in rows) for key in numbers},
        "tempos": sum(one["tempos"] for one in rows),
    }  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> None:
    """Compare, print a table, write JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="MIDI files, in folders too")
    parser.add_argument(
        "--corpus", type=int, default=0, help="chorales that music21 writes as MIDI"
    )
    parser.add_argument("--out", type=Path, help="JSON")
    given = parser.parse_args(arguments)
    paths = [
        path for ending in ("mid", "midi") for path in sorted(given.folder.rglob(f"*.{ending}"))
    ]
    rows, results = [], {}
    for path in paths:
        rows.append(row(path.name, path))
        say(path.name)
    if rows:
        results["files"] = [*rows, total(rows)]
    if given.corpus:
        with tempfile.TemporaryDirectory() as folder:
            written = by_music21(chorales(given.corpus), Path(folder))
            results["chorales"] = [total([row(path.name, path) for path in written])]
    if not results:
        parser.error(f"{given.folder}: holds no MIDI file")
    for kind, found in results.items():
        shown = [{k: v for k, v in one.items() if k not in ("said", "left over")} for one in found]
        print(kind, table(shown), sep="\n")
    names = ("mido", "pretty_midi", "music21")
    settings = {"steps_per_quarter": _GRID, **{name: version(name) for name in names}}
    write_result(given.out, {**about(0, settings), **results})


if __name__ == "__main__":
    main()
