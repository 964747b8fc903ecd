"""Training speed: seqforge, torch's modules on whole windows, and a loop over single characters.

    python benchmarks/train_speed.py                          a grid of sizes, some ten minutes
    python benchmarks/train_speed.py --headline --rounds 5    the sizes that are quoted
    python benchmarks/train_speed.py --to-loss plays.txt      time to the loss that the loop reaches

Every contender is a process of its own and they take turns; figures are medians over the rounds.
Contenders of one width and depth, LSTM and GRU alike, are measured in the same rounds, and the
machine's peak (matrix products of 1024 x 1024, one thread and one on every core) among them.
Leave the machine alone meanwhile.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from common import about, corpus_of, say, scratch, table, thread_counts, write_result
from common.contenders import Contender, Speed, take_turns
from common.to_loss import add_options, to_loss
from seqforge.base.machine import usable_cores

_GATES = {"lstm": 4, "gru": 3}
_FLOPS = (
    "floating-point operations a symbol are 3 times those of the forward pass, which are "
    "2 * gates * hidden * (input + hidden) a layer (LSTM 4 gates, GRU 3) and 2 * hidden * "
    "vocabulary for the output; the embedding is as wide as the hidden layer"
)
_HEADLINE = ((2, 100), (2, 64))  # layers, hidden
_DEFAULT = ((1, 64), (1, 256), (2, 128), (3, 128))


def flops(cell: str, layers: int, hidden: int, vocab_size: int) -> int:
    """Floating-point operations to train on one symbol, counted as the table says."""
    forward = layers * 2 * _GATES[cell] * hidden * 2 * hidden + 2 * hidden * vocab_size
    return 3 * forward


def contenders(
    base: Mapping[str, Any], cells: Sequence[str], wanted: Sequence[str]
) -> list[Contender]:
    """All that take part in the rounds of one size and have one of ``wanted`` in their name."""
    everywhere = sorted({1, usable_cores()})
    found = [
        Contender("peak", threads, precision)
        for precision in ("fp32", "bf16")
        for threads in everywhere
    ]
    for cell in cells:
        found += [
            Contender(kind, threads, cell=cell, **base)
            for kind in ("loop", "window")
            for threads in thread_counts()
        ]
        found += [
            Contender("seqforge", lanes, precision, cell=cell, **base)
            for precision in ("fp32", "bf16", "auto")
            for lanes in everywhere
        ]
    return [one for one in found if any(word in name_of(one) for word in wanted)]


def name_of(one: Contender) -> str:
    """As the table shows it: ``seqforge auto, 2 lanes``."""
    unit = {"seqforge": "lane", "peak": "product"}.get(one.kind, "thread")
    precision = f" {one.precision}" if one.kind in ("seqforge", "peak") else ""
    return f"{one.kind}{precision}, {one.threads} {unit}{'s' if one.threads > 1 else ''}"


def rows_of(speeds: Sequence[Speed], vocab_size: int) -> list[dict[str, Any]]:
    """What was measured, with each contender's share of the peak of its precision and threads."""
    peaks = {(s.precision, s.contender.threads): s.median for s in _of(speeds, "peak")}
    rows = []
    for speed in speeds:
        one = speed.contender
        if one.kind == "peak":
            continue
        work = flops(one.cell, one.layers, one.hidden, vocab_size)
        peak = peaks.get((speed.precision, one.threads))
        rows.append({
            "model": f"{one.cell} {one.layers}x{one.hidden}",
            "contender": name_of(one),
            "precision": speed.precision,
            "symbols/s": speed.median,
            "MFLOP a symbol": work / 1e6,
            "GFLOP/s": speed.median * work / 1e9,
            "% of peak": 100 * speed.median * work / peak if peak else None,
            "rounds": [round(value, 1) for value in speed.rounds],
        })  # fmt: skip
    return rows


def _of(speeds: Sequence[Speed], kind: str, **wanted: object) -> list[Speed]:
    return [
        speed
        for speed in speeds
        if speed.contender.kind == kind
        and all(getattr(speed.contender, key) == value for key, value in wanted.items())
    ]


def ratios_of(
    speeds: Sequence[Speed], cells: Sequence[str], base: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Ratios of medians, a line a cell: ``auto`` on all cores against the best of the others."""

    def best(kind: str, **wanted: object) -> float | None:
        return max((speed.median for speed in _of(speeds, kind, **wanted)), default=None)

    cores = usable_cores()
    rows = []
    for cell in cells:
        ours = best("seqforge", cell=cell, precision="auto", threads=cores)
        row: dict[str, Any] = {"model": f"{cell} {base['layers']}x{base['hidden']}"}
        row["over the loop"] = _over(ours, best("loop", cell=cell))
        row["over whole windows"] = _over(ours, best("window", cell=cell))
        row["over lstm"] = _over(
            ours, best("seqforge", cell="lstm", precision="auto", threads=cores)
        )
        for precision in ("fp32", "bf16", "auto"):
            many, one = (
                best("seqforge", cell=cell, precision=precision, threads=count)
                for count in (cores, 1)
            )
            row[f"{precision}, {cores} cores over 1"] = _over(many, one)
        rows.append(row)
    return rows


def _over(ours: float | None, theirs: float | None) -> float | None:
    return ours / theirs if ours and theirs else None


def peaks_of(speeds: Sequence[Speed]) -> list[dict[str, Any]]:
    """The matrix products beside which shares are given."""
    return [
        {"peak": name_of(speed.contender), "GFLOP/s": speed.median / 1e9}
        for speed in _of(speeds, "peak")
    ]


def made_text(seed: int, size: int = 500_000) -> str:
    """Text of 64 letters, rare and frequent ones, for want of a real one."""
    letters = np.array([chr(ord("0") + number) for number in range(64)])
    shares = 1 / np.arange(1, 65)
    return "".join(np.random.default_rng(seed).choice(letters, size, p=shares / shares.sum()))


def measure(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """All sizes, one after the other; prints tables on the way."""
    text = options.text
    if text is None:
        text = folder / "made.txt"
        text.write_text(made_text(options.seed), encoding="utf-8")
    corpus = corpus_of("text", [text], "90/10/0", folder)
    vocab_size = len(corpus.vocabulary)
    document = about(options.seed, {
        "batch": options.batch, "seq_len": options.seq_len, "rounds": options.rounds,
        "seconds": options.seconds, "vocabulary": vocab_size, "flops": _FLOPS,
        "text": options.text.name if options.text else "made up",
    })  # fmt: skip
    document |= {"speeds": [], "ratios": [], "peaks": []}
    for layers, hidden in sizes(options):
        say(f"{layers} x {hidden} ...")
        base = {
            "layers": layers, "hidden": hidden, "batch": options.batch, "seq_len": options.seq_len,
            "corpus": corpus.folder, "seed": options.seed,
        }  # fmt: skip
        taking_part = contenders(base, options.cells, options.only)
        speeds = take_turns(taking_part, options.rounds, options.seconds)
        found = {
            "speeds": rows_of(speeds, vocab_size),
            "ratios": ratios_of(speeds, options.cells, base),
            "peaks": peaks_of(speeds),
        }
        for key, rows in found.items():
            print(table([{k: v for k, v in row.items() if k != "rounds"} for row in rows]), "\n")
            document[key] += rows
    return document


def sizes(options: argparse.Namespace) -> list[tuple[int, int]]:
    """Layers and widths to measure: those given, all by all, else a list of ours."""
    if options.layers or options.hidden:
        return [(n, h) for n in options.layers or [1, 2, 3] for h in options.hidden or [64, 256]]
    return list(_HEADLINE if options.headline else _DEFAULT)


def main() -> None:
    """Read the options and measure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cells", nargs="+", choices=sorted(_GATES), default=["lstm", "gru"])
    parser.add_argument("--layers", nargs="+", type=int, metavar="N")
    parser.add_argument("--hidden", nargs="+", type=int, metavar="N")
    parser.add_argument("--headline", action="store_true", help="2x100 and 2x64")
    parser.add_argument("--batch", type=int, default=100)
    parser.add_argument("--seq-len", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.0, help="a contender and round")
    parser.add_argument("--text", type=Path, help="learn this; otherwise a made-up text")
    parser.add_argument("--only", nargs="+", default=[""], help="contenders with such a name")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="where the JSON goes")
    add_options(parser)
    options = parser.parse_args()
    with scratch() as folder:
        document = (to_loss if options.to_loss else measure)(options, folder)
    write_result(options.out, document)


if __name__ == "__main__":
    main()
