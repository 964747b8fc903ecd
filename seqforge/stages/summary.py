"""The numbers of a run for machines: ``summary.json``. What does not exist is null."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from seqforge.core.config import RunConfig
from seqforge.core.corpus import PARTS, Corpus
from seqforge.core.domain import Domain
from seqforge.core.looks import perplexity
from seqforge.runs import RunFolder, now
from seqforge.version import __version__


def summarise(
    folder: RunFolder,
    config: RunConfig,
    domain: Domain,
    corpus: Corpus,
    stages: Mapping[str, Mapping[str, Any]],
) -> dict[str, Any]:
    """Put what the stages found together; ``stages`` holds their results, {} where not done."""
    trained, scored, sampled = stages["training"], stages["scoring"], stages["sampling"]
    bits = scored["bits_per_symbol"]
    memory = [stage.get("peak_memory_mb") for stage in stages.values()]
    made = folder.made()
    return {
        "pipeline": made.get("pipeline"),
        "domain": domain.name,
        "name": folder.path.resolve().name,
        "command": made.get("command", ""),
        "finished_at": now(),
        "unit": domain.unit,
        "symbols": {part: corpus.part(part).symbols for part in PARTS},
        "records": {part: corpus.part(part).records for part in PARTS},
        "overlap": corpus.partition.overlap.summary(),
        "vocabulary_size": len(corpus.vocabulary),
        "parameters": trained["parameters"],
        "init": config.init.model_dump() if config.init.model else None,
        "model": config.model.model_dump(),
        "bits_per_symbol": bits,
        "perplexity": {part: perplexity(found) for part, found in bits.items()},
        "baselines": scored["baselines"],
        "speed": {
            "train_symbols_per_second": trained["train_symbols_per_second"],
            "sample_symbols_per_second": sampled.get("sample_symbols_per_second"),
        },
        "training": {k: trained[k] for k in ("steps", "best_step", "seconds", "symbols_seen")},
        "advice": trained.get("advice"),
        "peak_memory_mb": max((value for value in memory if value is not None), default=None),
        "seed": config.training.seed,
        "precision": trained["precision"],
        "lanes": trained["lanes"],
        "ranks": trained.get("ranks", 1),
        "device": trained["device"],
        "versions": {
            "seqforge": __version__,
            "python": platform.python_version(),
            **{name: version(name) for name in ("torch", "numpy")},
        },
        "samples": sampled.get("samples", []),
        "report": sampled.get("report", {}),
        "similarity": stages["searching"] or None,
    }
