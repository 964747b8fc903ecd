"""The data that quality is measured on: where they lie and what of them is held out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from common import corpus_of, say
from seqforge.base.textio import read_text
from seqforge.core.data.corpus import PARTS, Corpus


@dataclass(frozen=True)
class Dataset:
    """One kind of data."""

    name: str
    recipe: str
    """seqforge's recipe for it."""
    files: tuple[str, ...]
    """Under the folder of all data; several are train, valid and test."""
    split: str
    about: str


DATASETS = (
    Dataset(
        "shakespeare", "text", ("text/tinyshakespeare.txt.gz",), "90/10/0",
        "tinyshakespeare; the last 10 %% are held out",
    ),
    Dataset(
        "chr2R", "genome", ("genome/dm3-chr2R.fa.gz",), "95/5/0",
        "Drosophila chromosome arm 2R; the last 5 %% are held out",
    ),
    Dataset(
        "nottingham", "music", ("music/nottingham-abc",), "90/10/0",
        "folder of ABC tunes; a tenth of the tunes is held out",
    ),
    Dataset(
        "ptb", "text",
        ("text/ptb.train.txt.gz", "text/ptb.valid.txt.gz", "text/ptb.test.txt.gz"), "",
        "Penn Treebank's train, valid and test, as characters; test is scored",
    ),
    Dataset(
        "linux", "text", ("text/linux-kernel-6mb.c.gz",), "90/10/0",
        "C source; the last 10 %% are held out",
    ),
)  # fmt: skip


def found_inputs(data: Dataset, given: list[Path] | None, folder: Path | None) -> list[Path] | None:
    """The input of a data set: what was given for it, else its files in the folder, else None."""
    if given is None and folder is None:
        return None
    paths = given or [Path(folder or "") / name for name in data.files]
    missing = [str(path) for path in paths if not path.exists()]
    if missing:
        say(f"{data.name}: skipped, there is no {', '.join(missing)}")
        return None
    return paths


def read_data(data: Dataset, inputs: list[Path], folder: Path) -> tuple[list[Path], str, Corpus]:
    """Inputs and split as ``seqforge train`` takes them, and the corpus it will learn from.

    Three files become one, cut where they meet; spaces become ``_`` and those around a line go, as
    in the preparation of Penn Treebank's characters by Mikolov et al. 2012.

    Raises:
        ValueError: If the cut is not exactly where the files meet.
    """
    if len(inputs) == 1:
        return inputs, data.split, corpus_of(data.recipe, inputs, data.split, folder)
    texts = [_treebank(read_text(path)) for path in inputs]
    joined = folder / f"{data.name}.txt"
    joined.write_text("".join(texts), encoding="utf-8")
    total = sum(map(len, texts))
    split = "/".join(f"{100 * len(text) / total:.12f}" for text in texts)
    corpus = corpus_of(data.recipe, [joined], split, folder)
    if [corpus.part(name).symbols for name in PARTS] != [len(text) for text in texts]:
        raise ValueError(f"{joined}: was not cut where its three files meet")
    return [joined], split, corpus


def _treebank(text: str) -> str:
    return "".join(line.strip().replace(" ", "_") + "\n" for line in text.splitlines())
