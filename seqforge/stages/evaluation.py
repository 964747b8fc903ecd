"""Scoring a model on any files of its domain."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from seqforge.core.checkpoint import Checkpoint, load_checkpoint
from seqforge.core.config import DataConfig
from seqforge.core.corpus import Corpus
from seqforge.core.data.overlap import (
    NOTABLE,
    Sketch,
    WindowCodes,
    scored_windows,
    windows_name,
)
from seqforge.core.ingest import Ingested, NothingUsable, ingest
from seqforge.core.looks import perplexity
from seqforge.core.scoring import score
from seqforge.registry import options_for_files
from seqforge.stages.baselines import baselines
from seqforge.stages.kept import scoring_threads, torch_model
from seqforge.stages.reading import Inputs, gather
from seqforge.watching import Watcher

_HALVES = "50/50/0"
_FILES = 3  # named in a sentence


def evaluate_model(
    model: Path, inputs: Sequence[str], watcher: Watcher, every_file: bool = False
) -> dict[str, Any]:
    """Bits per symbol of a model on files, and of baselines on their second half.

    The baselines have no training data of their own here, so they learn from the first half of
    the input and are scored, like the model, on the second.

    Args:
        model: Its file.
        inputs: Files and folders.
        watcher: Told of files that are refused.
        every_file: Whether it is told of the others too.

    Raises:
        InputError: If the files cannot be used, or hold a symbol that the model does not know.
        CheckpointError: If the model cannot be used.
    """
    checkpoint = load_checkpoint(model)
    network, config = torch_model(checkpoint, str(model)), checkpoint.card.config
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
        lines += found.unread
        for note in (*found.notes, *_noted(lines, every_file)):
            watcher.note(note)
        trained_on = _trained_on(checkpoint, found, corpus)
        watcher.stage("scoring")
        halves = (corpus.train, corpus.valid)
        bits = [score(network, part, threads=scoring_threads(network)) for part in halves]
        scored = [part.scored for part in halves]
        whole = sum(b * n for b, n in zip(bits, scored, strict=True)) / sum(scored)
        return {
            "model": str(model),
            "unit": found.domain.unit,
            "symbols": corpus.train.symbols + corpus.valid.symbols,
            "bits_per_symbol": round(whole, 4),
            "perplexity": perplexity(whole),
            "second_half": {
                "bits_per_symbol": round(bits[1], 4),
                "baselines": baselines(corpus, found.domain, watcher),
            },
            "trained_on": trained_on,
            "refused": [line.reason for line in lines if line.status == "refused"],
        }


def _noted(lines: Sequence[Ingested], every_file: bool) -> Iterator[str]:
    """A sentence for each file that is refused, and for the others where all are asked for."""
    for line in lines:
        if line.status == "refused":
            yield f"refused: {line.reason}"
        elif every_file:
            more = f" ({line.reason})" if line.reason else ""
            yield f"{line.file}: {line.records:,} records, {line.symbols:,} symbols{more}"


def _trained_on(checkpoint: Checkpoint, inputs: Inputs, corpus: Corpus) -> dict[str, Any]:
    """What of the input the model was trained on.

    Returns:
        ``files``, names of those that are byte for byte files of its training; ``share`` of the
        input's windows that it was trained on, null where the model's card does not say;
        ``windows``, what they are called; ``sentence``, null where there is nothing to say.
    """
    provenance = checkpoint.card.provenance
    known = {digest for one in provenance.ancestors for _, digest in one.inputs}
    known |= {digest for _, digest in provenance.inputs}
    named = zip(inputs.files, inputs.digests, strict=True)
    files = [str(path) for path, digest in named if digest in known]
    codes = WindowCodes.of(inputs.domain, corpus.vocabulary)
    windows = windows_name(codes.window, inputs.domain.unit)
    sketch, share = Sketch.parse(provenance.sketch), None
    if sketch.hashes.size:
        halves = (corpus.train, corpus.valid)
        share = sketch.share(chain.from_iterable(scored_windows(half, codes) for half in halves))
    said = None
    if share is not None and share >= NOTABLE:
        said = f"the model was trained on {share:.0%} of the {windows} of this input"
    elif files:
        said = f"the model was trained on {', '.join(files[:_FILES])}, or on most of it"
    if said:
        said += ": this is no held-out score"
    return {"files": files, "share": share, "windows": windows, "sentence": said}
