"""A model and files of its domain in, scores out: bits per symbol, baselines, overlap with
training.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import torch

from seqforge.base.machine import choose_device, usable_cores
from seqforge.core.config import DataConfig
from seqforge.core.data.corpus import Corpus, scored_windows
from seqforge.core.data.domain import Domain
from seqforge.core.data.ingest import Ingested, NothingUsable, ingest, window_codes
from seqforge.core.data.overlap import NOTABLE_OVERLAP, Sketch, windows_name
from seqforge.core.evaluation.adaptive_likelihood import dynamic_score
from seqforge.core.evaluation.likelihood import perplexity, score
from seqforge.core.memory.memory import HasMemory, SavedMemory
from seqforge.core.model.char_rnn import CharRNN, model_from_arrays
from seqforge.core.model.checkpoint import (
    Checkpoint,
    ModelCard,
    load_checkpoint,
    load_labelled,
    save_checkpoint,
)
from seqforge.core.model.labels import label_number
from seqforge.errors import ConfigError, InputError
from seqforge.registry import options_for_files
from seqforge.reporting.summary import DynamicScores, HeldOutScores
from seqforge.runs.baselines import baselines
from seqforge.runs.count import ngram_halves, rounded
from seqforge.runs.folder import RunFolder
from seqforge.runs.load_inputs import Inputs, gather
from seqforge.runs.memory import of_effort, prepare_memory, second_half_scores
from seqforge.runs.model_memory import ModelMemory
from seqforge.runs.progress import ProgressListener
from seqforge.runs.results import EvaluateResult, HalfScores, TrainedOn
from seqforge.runs.spelled import spelled_scores


def final_score(run: RunFolder, corpus: Corpus, watcher: ProgressListener) -> HeldOutScores:
    """Score the best model on all of valid and test, and record it on its card."""
    checkpoint = load_labelled(run.model)
    model = torch_model(checkpoint, str(run.model))
    found: dict[str, float | None] = {}
    for name in ("valid", "test"):
        part = corpus.part(name)
        if not part.symbols:
            found[name] = None
            continue

        def told(done: float, total: float, what: str, name: str = name) -> None:
            watcher.advance(done, total, f"{what} {name}")

        found[name] = score(model, part, threads=scoring_threads(model), progress=told)
    provenance = checkpoint.card.provenance.model_copy(update={"bits_per_symbol": found})
    card = checkpoint.card.model_copy(update={"provenance": provenance})
    save_checkpoint(run.model, card, checkpoint.weights)
    return HeldOutScores(**found)


_SHARE_OF_STEPS = 2
"""Steps of training for one of dynamic evaluation, which costs about a tenth of one."""
_MOST_STEPS = 4_000


def adaptive_score(
    run: RunFolder, corpus: Corpus, trained_steps: int, watcher: ProgressListener
) -> DynamicScores:
    """Dynamic evaluation of the best model on the part of the headline score, or its beginning.

    How far it goes depends on the steps of training and on no clock: a run that is resumed has the
    same figure.
    """
    if corpus.held_out is None or corpus.labels:  # it would learn from records of all labels
        return DynamicScores()
    model = torch_model(load_checkpoint(run.model), str(run.model))
    found = dynamic_score(
        model,
        corpus.train,
        corpus.part(corpus.held_out),
        max(1, min(_MOST_STEPS, trained_steps // _SHARE_OF_STEPS)),
        progress=watcher.advance,
    )
    return DynamicScores(
        dynamic_evaluation=round(found.bits, 4) if math.isfinite(found.bits) else None,
        dynamic_evaluation_symbols=found.symbols,
        dynamic_evaluation_frozen=round(found.frozen_bits, 4),
    )


def torch_model(checkpoint: Checkpoint, where: str) -> CharRNN:
    """A checkpoint in, its network ready to score out, on a GPU if there is one."""
    torch.set_num_threads(1)
    card = checkpoint.card
    model = model_from_arrays(len(card.vocabulary), card.config.model, checkpoint.weights, where)
    return model.to(choose_device("auto")).eval()


def scoring_threads(model: CharRNN) -> int:
    """Batches scored in parallel: one per core, or one on a GPU."""
    return usable_cores() if model.output.bias.device.type == "cpu" else 1


_HALVES = "50/50/0"
_FILES = 3  # named in a sentence


class MemoryWanted(NamedTuple):
    """A memory that is to be scored beside a network."""

    budget: int
    """Bytes of its counts."""
    effort: str = "fast"
    """See `MemoryConfig`."""


def evaluate_model(
    model: Path, inputs: Sequence[str], watcher: ProgressListener, every_file: bool = False,
    memory: MemoryWanted | None = None,
) -> EvaluateResult:  # fmt: skip
    """A model and files in, its bits per symbol, and those of baselines on the second half, out.

    The baselines have no training data of their own here, so they learn from the first half of
    the input and are scored, like the model, on the second.

    Args:
        model: Its file.
        inputs: Files and folders.
        watcher: Told of files that are refused.
        every_file: Whether it is told of the others too.
        memory: To score one beside the network; None: none. One that was saved with the model is
            taken as it is.

    Raises:
        ConfigError: If the domain has no memory, and one is wanted.
        InputError: If the files cannot be used, or hold a symbol that the model does not know.
        CheckpointError: If the model cannot be used.
    """
    checkpoint = load_labelled(model)
    config = checkpoint.card.config
    if config.model.is_ngram and memory is not None:
        raise ConfigError(f"{model}: an n-gram model has no memory beside it; leave out --memory")
    if checkpoint.card.labels and memory is not None:
        raise ConfigError(f"{model}: a model of labels has no memory; leave out --memory")
    with TemporaryDirectory(prefix="seqforge-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        options = options_for_files(config.domain_options)
        found = gather(config.domain, options, list(inputs), folder)
        if not found.files:
            raise NothingUsable(found.unread)
        watcher.stage("reading")
        corpus, lines = ingest(
            found.domain,
            found.files,
            DataConfig(split=_HALVES),
            folder,
            watcher.advance,
            checkpoint.card.vocabulary,
            augmented=False,
        )
        _label_as_model(checkpoint.card, corpus)
        lines += found.unread
        for note in (*found.notes, *_noted(lines, every_file)):
            watcher.note(note)
        trained_on = _trained_on(checkpoint, found, corpus)
        watcher.stage("scoring")
        score, second = _scores(model, checkpoint, corpus, found.domain, watcher, memory)
        return EvaluateResult(
            model=str(model),
            unit=found.domain.unit,
            symbols=corpus.train.symbols + corpus.valid.symbols,
            **score,
            second_half=second,
            trained_on=trained_on,
            refused=tuple(line.reason for line in lines if line.status == "refused"),
        )


def _label_as_model(card: ModelCard, corpus: Corpus) -> None:
    """Number the labels of records as a model does.

    Raises:
        CheckpointError: If the model lacks one; names those there.
        InputError: If the records have none, and the model has.
    """
    if card.labels and not corpus.labels:
        raise InputError(f"{card.name}: is a model of labels, and these records have none")
    for label in corpus.labels:
        label_number(label, card.labels, card.name)
    corpus.label_as(card.labels)


def _scores(
    path: Path, checkpoint: Checkpoint, corpus: Corpus, domain: Domain, watcher: ProgressListener,
    memory: MemoryWanted | None,
) -> tuple[dict[str, Any], HalfScores]:  # fmt: skip
    """What an `EvaluateResult` says of both halves together, and the second beside baselines."""
    if checkpoint.card.config.model.is_ngram:
        counted, second = ngram_halves(checkpoint, corpus, domain, watcher)
        whole = counted.bits
        seen = {"never_seen": counted.never_seen, "bits_of_seen": rounded(counted.bits_of_seen)}
    else:
        network, seen = torch_model(checkpoint, str(path)), {}
        saved = None if memory is None else _saved_memory(path, checkpoint, domain, watcher)
        whole, second = _halves(network, corpus, domain, watcher, memory, saved)
    parts = [corpus.train, corpus.valid]
    found = {"bits_per_symbol": rounded(whole), "perplexity": perplexity(whole), **seen}
    return {**found, "spelled": spelled_scores(corpus, domain, parts, rounded(whole))}, second


def _saved_memory(
    model: Path, checkpoint: Checkpoint, domain: Domain, watcher: ProgressListener
) -> SavedMemory | None:
    """The memory that was saved with the model, if there is one."""
    kept = ModelMemory(model, checkpoint)
    if not kept.path.is_file():
        return None
    watcher.note(
        f"the memory that was saved with the model has read its training data: {kept.path}"
    )
    return kept.opened(domain)


def _halves(
    network: CharRNN, corpus: Corpus, domain: Domain, watcher: ProgressListener,
    memory: MemoryWanted | None, saved: SavedMemory | None,
) -> tuple[float, HalfScores]:  # fmt: skip
    """Bits per symbol of both halves together, and the second beside baselines."""
    if memory is not None:
        with_memory = of_effort(_with_memory(domain), memory.effort)
        prepare_memory(with_memory, corpus.vocabulary, corpus.train.tokens)
    halves = (corpus.train, corpus.valid)
    bits = [score(network, part, threads=scoring_threads(network)) for part in halves]
    scored = [part.scored for part in halves]
    counted, figures = baselines(corpus, domain, watcher)
    remembered = None
    if memory is not None:
        remembered = second_half_scores(
            network, corpus, with_memory, memory.budget, watcher.advance, saved
        )
    half = HalfScores(
        bits_per_symbol=round(bits[1], 4), baselines=counted, memory=remembered,
        saved_memory=saved is not None, **dict(figures),
    )  # fmt: skip
    return sum(b * n for b, n in zip(bits, scored, strict=True)) / sum(scored), half


def _with_memory(domain: Domain) -> HasMemory:
    """The domain, if it has a memory.

    Raises:
        ConfigError: If it has none.
    """
    if not isinstance(domain, HasMemory):
        raise ConfigError(f"{domain.name} has no memory; leave out --memory")
    return domain


def _noted(lines: Sequence[Ingested], every_file: bool) -> Iterator[str]:
    """A sentence for each refused file, and for all others if asked for."""
    for line in lines:
        if line.status == "refused":
            yield f"refused: {line.reason}"
        elif every_file:
            more = f" ({line.reason})" if line.reason else ""
            yield f"{line.file}: {line.records:,} records, {line.symbols:,} symbols{more}"


def _trained_on(checkpoint: Checkpoint, inputs: Inputs, corpus: Corpus) -> TrainedOn:
    """How much of the input the model was trained on."""
    provenance = checkpoint.card.provenance
    known = {digest for one in provenance.ancestors for _, digest in one.inputs}
    known |= {digest for _, digest in provenance.inputs}
    named = zip(inputs.files, inputs.digests, strict=True)
    files = [str(path) for path, digest in named if digest in known]
    codes = window_codes(inputs.domain, corpus.vocabulary)
    windows = windows_name(codes.window, inputs.domain.unit)
    sketch, share = Sketch.parse(provenance.sketch), None
    if sketch.hashes.size:
        halves = (corpus.train, corpus.valid)
        share = sketch.share(chain.from_iterable(scored_windows(half, codes) for half in halves))
    said = None
    if share is not None and share >= NOTABLE_OVERLAP:
        said = f"the model was trained on {share:.0%} of the {windows} of this input"
    elif files:
        said = f"the model was trained on {', '.join(files[:_FILES])}, or on most of it"
    if said:
        said += ": this is no held-out score"
    return TrainedOn(files=tuple(files), share=share, windows=windows, sentence=said)
