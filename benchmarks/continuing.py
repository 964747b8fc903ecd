"""Going on from a melody: whether samples begin with it, and keep its metre and its key.

    python benchmarks/continuing.py data/melody.mid --out benchmarks/results/continuing.json

The key is the one that Temperley's profiles find (see `keys.find_key`): of the melody, of the notes
that the model added, and of the whole. "Full bars" are those as long as the metre says, with and
without the grammar.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

from common import about, say, table, write_result
from seqforge import load
from seqforge.api.model import Model
from seqforge.core.records import Prompt
from seqforge.domains.music.domain import MusicDomain
from seqforge.domains.music.keys import find_key
from seqforge.domains.music.notes import Piece
from seqforge.domains.music.primer import BARS, read_prime
from seqforge.domains.music.render.sample_export import SampleExport

_LEAST = 80  # symbols before a tune may end, as `seqforge music` asks for


def added(whole: Piece, melody: Piece) -> Piece:
    """The notes after those of the melody."""
    return Piece(whole.notes[len(melody.notes) :], whole.steps_per_quarter)


def judged(
    model: Model, domain: MusicDomain, symbols: str, count: int, heat: float, seed: int,
    constraint: bool,
) -> dict[str, Any]:  # fmt: skip
    """Shares of so many samples that go on from the symbols."""
    melody = domain.decode(symbols).piece
    wanted = find_key(melody.notes)[0]
    begins = metre = key = whole_key = bars = full = 0
    samples = model.sample(
        count, prime=Prompt(symbols), temperature=heat, seed=seed, min_length=_LEAST,
        constraint=constraint,
    )  # fmt: skip
    for sample in samples:
        decoded, piece = domain.decode(sample.symbols), SampleExport(domain, sample).piece
        begins += piece.notes[: len(melody.notes)] == melody.notes
        metre += piece.time_signatures[0][1:] == melody.time_signatures[0][1:]
        key += find_key(added(piece, melody).notes)[0] == wanted
        whole_key += find_key(piece.notes)[0] == wanted
        bars += decoded.bars
        full += decoded.full_bars
    return {
        "temperature": heat, "grammar": constraint, "key": str(wanted),
        "begin with it": begins / count, "its metre": metre / count, "its key, added": key / count,
        "its key, whole": whole_key / count, "full bars": full / bars,
    }  # fmt: skip


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("melody", type=Path)
    parser.add_argument("--model", default="folk")
    parser.add_argument("--count", type=int, default=50)
    parser.add_argument("--temperatures", default="0.5,0.8,1.0,1.2")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    chosen = parser.parse_args()
    model = load(chosen.model)
    domain = model.domain
    if not isinstance(domain, MusicDomain):
        parser.error(f"{chosen.model} is no model of music")
    symbols = read_prime(domain, chosen.melody, BARS).symbols
    rows = []
    for heat in map(float, chosen.temperatures.split(",")):
        for constraint in (True, False):
            began = time.perf_counter()
            row = judged(model, domain, symbols, chosen.count, heat, chosen.seed, constraint)
            rows.append({**row, "seconds": round(time.perf_counter() - began, 2)})
            say(f"temperature {heat}")
    print(table(rows))
    if chosen.out:
        settings = {"melody": chosen.melody.name, "model": chosen.model, "count": chosen.count}
        write_result(chosen.out, {**about(chosen.seed, settings), "rows": rows})


if __name__ == "__main__":
    main()
