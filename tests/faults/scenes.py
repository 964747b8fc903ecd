"""What is killed: commands with their inputs, and what has to come out the same in the end."""

from __future__ import annotations

import hashlib
import json
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seqforge.core.model.checkpoint import read_arrays
from seqforge.runs.recipes import find_recipe, recipe_names
from tests.small_runs import genome, material, material_name, short

_CLOCK = {
    "at", "finished_at", "wall_seconds", "seconds", "seconds_in", "elapsed_seconds", "date",
    "trained_seconds", "train_symbols_per_second", "sample_symbols_per_second", "speed",
    "symbols_per_second", "peak_memory_mb", "stepping", "looking", "probing", "total", "clock",
    "asked", "when",
}  # fmt: skip
_WHATEVER = {"tensorboard"}
"""Folders in which every process leaves a file of its own."""


@dataclass(frozen=True)
class Scene:
    """A command; ``in/`` has its inputs, ``out/`` gets what it makes."""

    name: str
    words: tuple[str, ...]

    def lay(self, root: Path, models: Path) -> None:
        """Put its inputs in their place."""
        for name in ("in", "out", "cache"):
            (root / name).mkdir(parents=True)
        kind, _, what = self.name.partition(" ")
        if kind in ("run", "train"):
            material(what, root / "in")
        for path in sorted(models.glob("*.safetensors")) if kind in ("sample", "music") else ():
            (root / "in" / path.name).write_bytes(path.read_bytes())
        if kind == "blast":
            (root / "in" / "library.fa").write_text(genome(9_000))
            lines = genome(9_000).splitlines()
            pieces = [lines[1][place : place + 90] for place in (100, 2_000, 4_000)]
            samples = "".join(f">sample_{i}\n{piece}\n" for i, piece in enumerate(pieces))
            (root / "in" / "samples.fa").write_text(samples)


def scenes() -> list[Scene]:
    """All of them: each recipe as a run and as a training, and the commands that use models.

    Recipes that are sweeps are many such runs, and killed in tests of their own, as is one that
    reads an annotation.
    """
    found = []
    for kind in ("run", "train"):
        recipes = {one: find_recipe(one) for one in recipe_names()}
        for recipe in (n for n, one in recipes.items() if one.sweep is None and not one.beside):
            name = material_name(recipe)
            words = (kind, recipe, "--input", f"in/{name}", "--out", "out/run", *short())
            found.append(Scene(f"{kind} {recipe}", words))
    for domain, name in {"text": "x.txt", "genome": "x.fa", "music": "x.mid"}.items():
        many = ("-n", "9", "--length", "200", "--seed", "3", "--out", f"out/{name}")
        found.append(Scene(f"sample {domain}", ("sample", f"in/{domain}.safetensors", *many)))
    lines = ("-n", "9", "--length", "60", "--out", "out/x.jsonl")
    found.append(Scene("sample lines", ("sample", "in/text.safetensors", *lines)))
    found.append(Scene("blast", (
        "blast", "in/samples.fa", "--against", "in/library.fa", "--out", "out/hits",
        "--controls", "shuffle,markov",
    )))  # fmt: skip
    found.append(Scene("music", (
        "music", "--model", "in/music.safetensors", "-n", "2", "--out", "out/music",
        "--formats", "mid,abc,musicxml,svg", "--bars", "2",
    )))  # fmt: skip
    return found


def fingerprint(out: Path) -> dict[str, str]:
    """What lies in a folder, each file by all of it that no clock has a part in."""
    found = {}
    for path in sorted(out.rglob("*")):
        place = path.relative_to(out)
        if path.is_file() and not _WHATEVER & set(place.parts):
            found[str(place)] = hashlib.sha256(_essence(path, out.parent)).hexdigest()[:16]
    return found


def _essence(path: Path, root: Path) -> bytes:
    """What counts of a file; it may say in which folder all this is."""
    if path.suffix == ".safetensors":
        header, arrays = read_arrays(path)
        numbers = {name: hashlib.sha256(a.tobytes()).hexdigest() for name, a in arrays.items()}
        return _canonical([_timeless(header), numbers])
    data = path.read_bytes().replace(str(root).encode(), b"ROOT")
    if path.suffix == ".jsonl":
        return _canonical([_timeless(json.loads(line)) for line in data.splitlines()])
    if path.suffix == ".json":
        return _canonical(_timeless(json.loads(data)))
    if path.suffix == ".toml":
        return _canonical(_timeless(tomllib.loads(data.decode())))
    if path.suffix == ".html":
        return data.rstrip()[-7:]  # it shows the clock's figures
    return data


def _timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _timeless(v) for k, v in value.items() if k not in _CLOCK | {"sum"}}
    return [_timeless(one) for one in value] if isinstance(value, list) else value


def _canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True).encode()
