"""What was found of a model's units in, the files of ``inspect --out`` out."""

from __future__ import annotations

from pathlib import Path

from seqforge.base.atomic_files import disk_errors, replacing
from seqforge.base.folders import write_atomically, write_json
from seqforge.core.data.domain import Mirrored
from seqforge.core.inspection.causes import symbol_bits
from seqforge.core.inspection.exports import mirrored, turned_back, write_bedgraph, write_trace
from seqforge.core.sampling.engine import KernelEngine
from seqforge.reporting.inspect_page import inspect_page
from seqforge.runs.inspect import Inspected
from seqforge.runs.inspect_view import view_of
from seqforge.runs.progress import ProgressListener


def write_files(found: Inspected, folder: Path, watcher: ProgressListener) -> None:
    """Write ``units.json``, ``trace.tsv``, ``inspect.html`` and, of genomes, bedGraphs.

    Raises:
        RunError: If the disk refuses.
    """
    watcher.stage("writing")
    write_json(folder / "units.json", found.result.model_dump(mode="json"))
    vocabulary, path = found.checkpoint.card.vocabulary, folder / "trace.tsv"
    with disk_errors(path), replacing(path) as stream:
        write_trace(stream, found.trace, vocabulary, found.records, found.stretches)
    page = inspect_page(view_of(found))
    write_atomically(folder / "inspect.html", page.encode("utf-8", "backslashreplace"))
    if isinstance(found.domain, Mirrored):
        _write_strands(found, folder, found.domain, watcher)


def _write_strands(
    found: Inspected, folder: Path, domain: Mirrored, watcher: ProgressListener
) -> None:
    """The surprise of each base, read from the left and, on the other strand, from the right."""
    partners = domain.mirror(found.checkpoint.card.vocabulary)
    if partners is None:
        return
    engine = KernelEngine.of(found.checkpoint)
    others = symbol_bits(engine, mirrored(found.stretches, partners), watcher.advance)
    strands = {
        "surprise": ("forward", found.trace.bits),
        "surprise-reverse": ("reverse", turned_back(others, found.stretches)),
    }
    for name, (strand, bits) in strands.items():
        path = folder / f"{name}.bedgraph"
        with disk_errors(path), replacing(path) as stream:
            write_bedgraph(stream, bits, strand, found.records, found.stretches)
