"""The sampling stage: samples at each temperature, in files, measured against held-out data."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from seqforge.core.checkpoint import Checkpoint, load_checkpoint
from seqforge.core.config import RunConfig
from seqforge.core.corpus import Corpus
from seqforge.core.domain import Domain, Governed, Sample
from seqforge.core.files import make_folder
from seqforge.core.sampling.sampler import Sampler, SamplingOptions, openings_of
from seqforge.runs import RunFolder
from seqforge.watching import Watcher

_SHOWN = 50_000  # characters of samples kept for the page at each temperature


def draw(
    folder: RunFolder, config: RunConfig, domain: Domain, corpus: Corpus, watcher: Watcher
) -> dict[str, Any]:
    """Draw, write and measure what the run's settings ask for.

    Returns:
        ``samples`` (a row a temperature), ``shown`` (the same with text for the page),
        ``sample_symbols_per_second`` and the domain's ``report``.
    """
    checkpoint = load_checkpoint(folder.model)
    openings = openings_of(domain, checkpoint.card)
    sampler = Sampler(checkpoint, domain.constraint(corpus.vocabulary), openings=openings)
    make_folder(folder.samples)
    everything: list[Sample] = []
    rows, shown, seconds = [], [], 0.0
    temperatures = config.sampling.temperatures
    for done, temperature in enumerate(temperatures):
        watcher.advance(done, len(temperatures), f"temperature {temperature}")
        began = time.perf_counter()
        samples = list(sampler.draw(config.sampling.count, _options(config, done)))
        seconds += time.perf_counter() - began
        files = domain.write(samples, _path(folder, domain, temperature))
        rows.append(_row(folder, files, temperature, samples))
        text = "\n".join(domain.show(sample) for sample in samples)
        shown.append({**rows[-1], "text": text[:_SHOWN]})
        everything += samples
    watcher.advance(1, 1, "measuring the samples")
    symbols = sum(len(sample.symbols) for sample in everything)
    return {
        "samples": rows,
        "shown": shown,
        "sample_symbols_per_second": round(symbols / seconds, 1),
        "report": domain.report(everything, corpus)
        | _of_grammar(checkpoint, config, domain, everything),
    }


def _of_grammar(
    checkpoint: Checkpoint, config: RunConfig, domain: Domain, samples: Sequence[Sample]
) -> dict[str, Any]:
    """What the grammar changed, where there is one: the same draws are made without it."""
    if not isinstance(domain, Governed) or all(s.removed_mass is None for s in samples):
        return {}
    ungoverned = Sampler(checkpoint, openings=openings_of(domain, checkpoint.card))
    count = config.sampling.count
    options = [_options(config, place) for place in range(len(config.sampling.temperatures))]
    free = [sample for plain in options for sample in ungoverned.draw(count, plain)]
    return domain.grammar_report(samples, free)


def _options(config: RunConfig, place: int) -> SamplingOptions:
    """How the samples at a temperature are drawn.

    Each temperature has a seed of its own, the run's and those after it: with one seed sample 1 at
    all temperatures would come from the same random numbers, and be largely the same.
    """
    return SamplingOptions(
        temperature=config.sampling.temperatures[place],
        length=config.sampling.length,
        exact_length=config.sampling.exact_length,
        seed=(config.training.seed + place) % (1 << 63),
    )


def _path(folder: RunFolder, domain: Domain, temperature: float) -> Path:
    stem = f"t{temperature}" if domain.file_per_sample else f"samples-t{temperature}"
    return folder.samples / (stem + domain.suffix)


def _row(
    folder: RunFolder, files: Sequence[Path], temperature: float, samples: Sequence[Sample]
) -> dict[str, Any]:
    known = [s.mean_log_prob for s in samples if s.mean_log_prob is not None]
    names = [path.relative_to(folder.path).as_posix() for path in files]
    return {
        "file": names[0] if names else None,
        "files": names,
        "temperature": temperature,
        "seed": samples[0].seed if samples else None,
        "count": len(samples),
        "mean_bits": round(-sum(known) / len(known) / math.log(2), 4) if known else None,
    }
