"""The model that training kept: scored on all that was held out, ready to score more."""

from __future__ import annotations

import torch

from seqforge.core.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from seqforge.core.corpus import Corpus
from seqforge.core.machine import choose_device, usable_cores
from seqforge.core.model import CharRNN, model_from_arrays
from seqforge.core.scoring import score
from seqforge.runs import RunFolder
from seqforge.watching import Watcher


def final_bits(run: RunFolder, corpus: Corpus, watcher: Watcher) -> dict[str, float | None]:
    """Score the best model on all of valid and test, and note it on its card."""
    checkpoint = load_checkpoint(run.model)
    model = torch_model(checkpoint, str(run.model))
    found: dict[str, float | None] = {}
    for name in ("valid", "test"):
        part = corpus.part(name)
        if not part.symbols:
            found[name] = None
            continue
        done = 0

        def count(symbols: int, what: str = name, total: int = part.scored) -> None:
            nonlocal done
            done += symbols
            watcher.advance(done, total, f"scoring {what}")

        found[name] = score(model, part, threads=scoring_threads(model), progress=count)
    provenance = checkpoint.card.provenance.model_copy(update={"bits_per_symbol": found})
    card = checkpoint.card.model_copy(update={"provenance": provenance})
    save_checkpoint(run.model, card, checkpoint.weights)
    return found


def torch_model(checkpoint: Checkpoint, where: str) -> CharRNN:
    """The network of a checkpoint, ready to score, on a GPU where there is one."""
    torch.set_num_threads(1)
    card = checkpoint.card
    model = model_from_arrays(len(card.vocabulary), card.config.model, checkpoint.weights, where)
    return model.to(choose_device("auto")).eval()


def scoring_threads(model: CharRNN) -> int:
    """Batches to score side by side: a core each, and one where a GPU takes a batch at once."""
    return usable_cores() if model.output.bias.device.type == "cpu" else 1
