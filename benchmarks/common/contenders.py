"""Contenders for speed: each a process of its own, kept alive and told by a pipe when to run.

They take turns, so that whatever else the machine does meets all of them alike, and none shares
threads, caches or settings with another.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import torch

from common import process_context
from common.plain import PlainModel, PlainTrainer
from common.transformer import Transformer, TransformerTrainer
from seqforge.core.config import TrainingConfig
from seqforge.core.data.corpus import Corpus
from seqforge.core.model.char_rnn import CharRNN
from seqforge.core.training.task import NextSymbol
from seqforge.core.training.trainer import Trainer

_SIDE, _PRODUCTS = 1024, 8  # a step of the peak: so many products of matrices so wide


@dataclass(frozen=True)
class Contender:
    """What one process runs."""

    kind: str
    """loop, window, seqforge, transformer or peak."""
    threads: int
    """Threads inside an operation; for seqforge its lanes, for the peak products at a time."""
    precision: str = "fp32"
    cell: str = "lstm"
    layers: int = 1
    hidden: int = 64
    batch: int = 100
    seq_len: int = 200
    corpus: Path = Path()
    """Folder of the corpus; the peak needs none."""
    seed: int = 0


@dataclass(frozen=True)
class Speed:
    """What was measured of a contender."""

    contender: Contender
    precision: str
    """What ``auto`` came to."""
    rounds: tuple[float, ...]
    """Symbols (for the peak: floating-point operations) a second, a round each."""

    @property
    def median(self) -> float:
        """Over the rounds."""
        return statistics.median(self.rounds)


Step = Callable[[], int]
"""Does a little work and says how much: symbols, or floating-point operations."""


def _peak(contender: Contender) -> tuple[Step, str]:
    """Square matrix products, ``threads`` of them at a time in threads of one torch thread each."""
    kind = {"fp32": torch.float32, "bf16": torch.bfloat16}[contender.precision]
    pairs = [torch.randn(2, _SIDE, _SIDE).to(kind) for _ in range(contender.threads)]
    pool = ThreadPoolExecutor(contender.threads, initializer=torch.set_num_threads, initargs=(1,))

    def multiply(pair: torch.Tensor) -> None:
        out = torch.empty_like(pair[0])
        for _ in range(_PRODUCTS):
            torch.mm(pair[0], pair[1], out=out)

    def step() -> int:
        list(pool.map(multiply, pairs))
        return contender.threads * _PRODUCTS * 2 * _SIDE**3

    return step, contender.precision


def _plain(contender: Contender) -> tuple[Step, str]:
    torch.set_num_threads(contender.threads)
    corpus = Corpus(contender.corpus)
    size = len(corpus.vocabulary)
    model = PlainModel(size, contender.cell, contender.layers, contender.hidden)
    batch, seq_len, seed = contender.batch, contender.seq_len, contender.seed
    tokens = np.asarray(corpus.train.tokens)
    return PlainTrainer(contender.kind, model, tokens, batch, seq_len, seed).step, "fp32"


def _seqforge(contender: Contender) -> tuple[Step, str]:
    """The trainer that ``seqforge train`` uses, a step at a time and never scoring."""
    corpus = Corpus(contender.corpus)
    config = TrainingConfig.model_validate({
        "budget": "1000000000steps", "num_evaluations": 1, "warmup": 0.0,
        "batch_size": contender.batch, "seq_len": contender.seq_len, "seed": contender.seed,
        "precision": contender.precision, "lanes": contender.threads, "device": "cpu",
    })  # fmt: skip
    model = CharRNN(
        len(corpus.vocabulary), cell=contender.cell, num_layers=contender.layers,
        hidden_size=contender.hidden,
    )  # fmt: skip
    trainer = Trainer(model, NextSymbol(corpus, config), config)

    def step() -> int:
        before = trainer.clock.symbols
        trainer.run(lambda evaluation: None, should_stop=lambda: True)
        return trainer.clock.symbols - before

    step()  # settles what is auto
    return step, trainer.precision or "fp32"


def _transformer(contender: Contender) -> tuple[Step, str]:
    torch.set_num_threads(contender.threads)
    corpus = Corpus(contender.corpus)
    model = Transformer(len(corpus.vocabulary))
    return TransformerTrainer(model, corpus.train.tokens, contender.seed).step, "fp32"


_BUILDERS = {
    "peak": _peak,
    "loop": _plain,
    "window": _plain,
    "seqforge": _seqforge,
    "transformer": _transformer,
}


def serve(contender: Contender, pipe: Connection) -> None:
    """The life of a contender's process: for each number of seconds received, run and report."""
    torch.set_num_threads(1)
    torch.manual_seed(contender.seed)
    step, precision = _BUILDERS[contender.kind](contender)
    step()  # the first call chooses kernels and takes memory
    pipe.send(precision)
    while seconds := pipe.recv():
        began, work = time.perf_counter(), 0
        while (took := time.perf_counter() - began) < seconds or not work:
            work += step()
        pipe.send(work / took)


class _Child:
    """A contender's process, from here."""

    def __init__(self, contender: Contender) -> None:
        context = process_context()
        self.contender = contender
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(contender, theirs), daemon=True)
        self._process.start()
        theirs.close()  # else its end would never be noticed here
        self.rounds: list[float] = []

    def ready(self) -> None:
        """Wait until it has warmed up."""
        self.precision = self._received()

    def run(self, seconds: float) -> None:
        self._pipe.send(seconds)
        self.rounds.append(float(self._received()))

    def _received(self) -> str:
        try:
            return str(self._pipe.recv())
        except EOFError as error:
            raise RuntimeError(f"{self.contender} ended early; its reason stands above") from error

    def close(self) -> None:
        if self._process.is_alive():
            self._pipe.send(None)
        self._process.join()


def take_turns(contenders: Sequence[Contender], rounds: int, seconds: float) -> list[Speed]:
    """Measure all contenders, one at a time, in ``rounds`` rounds of ``seconds`` each.

    Every one finishes the step it is at, so a round may take longer.
    """
    children: list[_Child] = []
    try:
        for contender in contenders:
            children.append(_Child(contender))
            children[-1].ready()  # one after the other: they measure while they settle
        for _ in range(rounds):
            for child in children:
                child.run(seconds)
    finally:
        for child in children:
            child.close()
    return [Speed(c.contender, c.precision, tuple(c.rounds)) for c in children]
