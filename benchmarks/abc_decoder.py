"""ABC to notes: what is heard beside abc2midi, how fast, and on damaged tunes.

    python benchmarks/abc_decoder.py --out benchmarks/results/abc_decoder.json
    python benchmarks/abc_decoder.py FOLDER        # of your own files

Tunes of the given files, else of the three books in the installed music21, cleaned, with all their
voices; abc2midi is Debian's package abcmidi.
Its chords are asked to begin together (``chordattack 0``), and a note that begins while the same
pitch does is counted once, since neither a player nor an ear has two.
"""

from __future__ import annotations

import argparse
import random
import re
import shutil
import statistics
import subprocess
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import mido

from common import about, say, scratch, table, write_result
from common.tunes import book_tunes, damaged
from seqforge.domains.music.abc import parser, tune_books
from seqforge.domains.music.abc.fields import TOKEN, split_tunes
from seqforge.domains.music.abc.tune_books import clean_tune
from seqforge.domains.music.keys import FIELD_LINE
from seqforge.errors import SeqforgeError

_GRID = 480  # abc2midi's ticks a quarter
_DOUBLE_FIRST = re.compile(r"(?:[A-Z]:(?!\|)|[^:|]|\|(?![|:\]]))*\|[|\]]")


def heard_by_abc2midi(program: str, symbols: str, folder: Path) -> list[int]:
    """Pitches in the order in which abc2midi plays them; none where it gives up."""
    text = f"X:1\nT:x\n%%MIDI chordattack 0\n{symbols}\n"
    (folder / "x.abc").write_text(text, encoding="utf-8")
    (folder / "x.mid").unlink(missing_ok=True)
    subprocess.run([program, "x.abc", "-o", "x.mid"], cwd=folder, capture_output=True, check=False)
    if not (folder / "x.mid").exists():
        return []
    found = set()
    for track in mido.MidiFile(folder / "x.mid").tracks:
        tick = 0
        for message in track:
            tick += message.time
            if message.type == "note_on" and message.velocity:
                found.add((tick, message.note))
    return [pitch for _, pitch in sorted(found)]


def complaints(program: str, file: str, folder: Path) -> list[str]:
    """What abc2midi warns of in a file of ABC, or how it failed."""
    (folder / "x.abc").write_text(file, encoding="utf-8")
    done = subprocess.run(
        [program, "x.abc", "-o", "x.mid"], cwd=folder, capture_output=True, check=False
    )
    lines = (done.stdout + done.stderr).decode("utf-8", "replace").splitlines()
    found = [line for line in lines if "arning" in line or "rror" in line]
    return found or ([f"exit code {done.returncode}"] if done.returncode else [])


def heard(symbols: str) -> list[int]:
    """Pitches in the order in which they are played here."""
    notes = parser.decode(symbols, _GRID).piece.notes
    return [pitch for _, pitch in sorted({(note.start, note.pitch) for note in notes})]


def with_openings(symbols: str) -> str:
    """The tune with ``|:`` written wherever an end of a repeat has none.

    The standard (2.1, section 4.8) goes back to the beginning, the last end of a repeat or the last
    double bar; abc2midi goes back to the beginning, or plays the second of two endings alone.
    """
    out: list[str] = []
    section, is_open, in_ending = 0, False, False
    for line in symbols.split("\n"):
        if FIELD_LINE.match(line):
            out.append(line + "\n")
            section = len(out)
            continue
        for token in TOKEN.finditer(line):
            core = (token["bar"] or "").strip(" 0123456789,.-")
            closes, opens = core.startswith(":"), core.endswith(":") and core != ":"
            if closes and not is_open and not in_ending:
                out.insert(section, " |:")
            out.append(token[0])
            is_double = len(core) > 1 and not token["ending"] and (in_ending or not is_open)
            if closes or opens or is_double:
                section, is_open = len(out), opens
                in_ending = closes and bool(token["ending"])
        out.append("\n")
    return "".join(out)


def agreement(program: str, tunes: dict[str, str], folder: Path) -> dict[str, Any]:
    """On how many tunes both play the same pitches: as they stand, and with repeats written out.

    Where a double bar stands before the first repeat the two are known to differ: those tunes are
    compared as they stand only where their repeats have been written out.
    """
    differ, still, standard = [], [], []
    for number, (name, symbols) in enumerate(tunes.items()):
        ours = heard(symbols)
        if ours != heard_by_abc2midi(program, symbols, folder):
            is_still = ours != heard_by_abc2midi(program, with_openings(symbols), folder)
            still += [name] * is_still
            if _DOUBLE_FIRST.match(symbols) and not is_still:
                standard.append(name)
            else:
                differ.append(name)
        if (number + 1) % 500 == 0:
            say(f"{number + 1} of {len(tunes)} tunes compared, {len(differ)} differ")
    return {
        "tunes": len(tunes),
        "% equal": round(100 - 100 * len(differ) / len(tunes), 2),
        "% equal, each |: written out": round(100 - 100 * len(still) / len(tunes), 2),
        "double bar before the first repeat": len(standard),
        "differ": differ,
        "differ still": still,
    }


def own_tunes(inputs: Sequence[Path]) -> dict[str, str]:
    """The tunes of files, by file and place in it; what cannot be read is said."""
    tunes: dict[str, str] = {}
    for path in inputs:
        for file in sorted(path.rglob("*.abc")) if path.is_dir() else [path]:
            try:
                records = list(tune_books.read(file, all_voices=True))
            except SeqforgeError as error:
                say(str(error))
                continue
            tunes |= {f"{file.name} {place}": tune.symbols for place, tune in enumerate(records)}
    return tunes


def speed(tunes: Sequence[str], rounds: int) -> dict[str, Any]:
    """Tunes a second on one thread, by the clock and by the processor's time, in each round."""
    clock, processor = [], []
    for _ in range(rounds):
        began, used = time.perf_counter(), time.process_time()
        for symbols in tunes:
            parser.decode(symbols, 24)
        clock.append(len(tunes) / (time.perf_counter() - began))
        processor.append(len(tunes) / (time.process_time() - used))
    return {
        "tunes": len(tunes), "characters": sum(map(len, tunes)),
        "tunes/s": round(statistics.median(clock)),
        "tunes/s of processor time": round(statistics.median(processor)),
        "rounds": [round(found) for found in clock],
    }  # fmt: skip


def raised(tunes: Sequence[str], number: int, seed: int) -> dict[str, Any]:
    """How many damaged tunes raise anything, decoded or cleaned, and how long the slowest takes."""
    rng = random.Random(seed)
    failures: list[str] = []
    slowest = 0.0
    for _ in range(number):
        symbols = damaged(rng.choice(tunes), rng)
        began = time.perf_counter()
        try:
            parser.decode(symbols, 24)
            for tune in split_tunes(f"X:1\n{symbols}"):
                clean_tune(tune, Counter())
        except Exception as error:
            failures.append(f"{type(error).__name__}: {error}: {symbols[:200]!r}")
        slowest = max(slowest, time.perf_counter() - began)
    return {
        "tunes": number, "raised": len(failures), "slowest, s": slowest, "failures": failures[:10]
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("inputs", nargs="*", type=Path, help="files of ABC, or folders of them")
    parser.add_argument("--tunes", type=int, help="how many to compare; all of the books")
    parser.add_argument("--damaged", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=7, help="of the timing")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="where the JSON goes")
    chosen = parser.parse_args()
    tunes = own_tunes(chosen.inputs) if chosen.inputs else book_tunes(chosen.tunes, chosen.seed)
    texts = random.Random(chosen.seed).sample(list(tunes.values()), len(tunes))
    settings = {"tunes": len(tunes), "damaged": chosen.damaged, "rounds": chosen.rounds}
    document = about(chosen.seed, settings)
    program = shutil.which("abc2midi")
    if program is None:
        say("abc2midi is not installed (Debian: apt install abcmidi): not compared")
    else:
        with scratch() as folder:
            document["abc2midi"] = agreement(program, tunes, folder)
    document["speed"] = speed(texts[:1000], chosen.rounds)
    document["damaged"] = raised(texts, chosen.damaged, chosen.seed)
    for part in ("abc2midi", "speed", "damaged"):
        if part in document:
            row = {k: v for k, v in document[part].items() if not isinstance(v, list)}
            print(f"{part}\n{table([row])}\n")
    write_result(chosen.out, document)


if __name__ == "__main__":
    main()
