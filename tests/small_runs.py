"""Every recipe that ships, made small: what it learns from, and the options of a short training."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

from seqforge.runs.recipes import find_recipe

WORDS = ("the", "cat", "sat", "on", "a", "mat", "while", "it", "rained", "and", "dogs", "lay")
_NOTES = "CDEFGABcdef"


def text(symbols: int) -> str:
    """Sentences of a few words."""
    draw, found = random.Random(1), ""
    while len(found) < symbols:
        found += " ".join(draw.choices(WORDS, k=7)) + ".\n"
    return found


def genome(bases: int) -> str:
    """FASTA of one contig, with an island of N."""
    draw = random.Random(2)
    drawn = "".join(draw.choices("ACGT", (3, 2, 2, 3), k=bases))
    half = bases // 2
    return f">chr1 made up\n{drawn[:half]}{'N' * 20}\n{drawn[half:]}\n"


def tunes(count: int) -> str:
    """A book of ABC."""
    draw, found = random.Random(3), []
    for number in range(1, count + 1):
        bars = [" ".join(draw.choices(_NOTES, k=4)) for _ in range(4)]
        found.append(f"X:{number}\nT:Tune {number}\nM:4/4\nL:1/4\nK:C\n{' | '.join(bars)} |]\n")
    return "\n".join(found)


def classes(count: int) -> str:
    """A table of words of two classes."""
    draw = random.Random(5)
    rows = [("".join(draw.choices("abcdef"[n % 2 * 2 :], k=6)), "xy"[n % 2]) for n in range(count)]
    return "".join(f"{word}\t{kind}\n" for word, kind in rows)


def proteins(count: int) -> str:
    """FASTA of amino acids."""
    draw = random.Random(7)
    drawn = ("".join(draw.choices("ACDEFGHIKLMNPQRSTVWY", k=120)) for _ in range(count))
    return "".join(f">p{number}\n{protein}\n" for number, protein in enumerate(drawn))


_MADE: dict[str, tuple[str, Callable[[int], str]]] = {
    "text": ("words.txt", lambda size: text(6_000 * size)),
    "genome": ("chr.fa", lambda size: genome(6_000 * size)),
    "protein": ("proteins.fa", lambda size: proteins(60 * size)),
    "music": ("book.abc", lambda size: tunes(60 * size)),
    "classify": ("words.tsv", lambda size: classes(60 * size)),
    "labels": ("words.tsv", lambda size: classes(900 * size)),
}


def kind_of_material(recipe: str) -> str:
    """What a recipe learns from."""
    config = find_recipe(recipe).config()
    if config.task.kind != "generate":
        return config.task.kind
    return "labels" if config.domain_options.get("labels") else config.domain


def material_name(recipe: str) -> str:
    """The name of the file that `material` makes."""
    return _MADE[kind_of_material(recipe)][0]


def material(recipe: str, folder: Path, size: int = 1) -> Path:
    """A file that a recipe can learn from, in a folder."""
    name, content = _MADE[kind_of_material(recipe)]
    path = folder / name
    path.write_text(content(size))
    return path


def short(budget: str = "8steps") -> list[str]:
    """Options under which any recipe comes to its end in a moment, the same on every machine."""
    return [
        "--budget", budget, "--hidden-size", "8", "--embedding-size", "8", "--batch-size", "4",
        "--seq-len", "8", "--precision", "fp32", "--lanes", "1", "--device", "cpu",
        "--set", "training.num_evaluations=4", "--set", "sampling.length=40",
        "--set", "sampling.count=1",
    ]  # fmt: skip


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "truncated": lambda data: data[: len(data) // 2],
    "empty": lambda data: b"",
    "zeros": lambda data: bytes(len(data)),
    "a bit": lambda data: data[:-9] + bytes([data[-9] ^ 4]) + data[-8:],
    "longer": lambda data: data + b"x",
    "text": lambda data: b"[" * 30_000,
}
"""What may become of a file."""
