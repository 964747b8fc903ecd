"""A search with its controls: the same search for sequence that chance made, and the verdict."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seqforge.core.files import write_atomically, write_json
from seqforge.domains.genome.fasta import read_sequences
from seqforge.domains.genome.similarity.backends import Progress, SearchBackend
from seqforge.domains.genome.similarity.comparison import (
    SAMPLES,
    Comparison,
    Group,
    found_whole,
)
from seqforge.domains.genome.similarity.controls import EACH, ControlGroup, Controls
from seqforge.domains.genome.similarity.copying import copied_from
from seqforge.domains.genome.similarity.parameters import Query, SearchParameters
from seqforge.domains.genome.similarity.stage import (
    Report,
    answered,
    read_queries,
    search_files,
    search_queries,
)

_LINE = 60


@dataclass(frozen=True)
class ControlledReport:
    """What samples found, and whether chance finds as much."""

    report: Report
    comparison: Comparison
    files: tuple[Path, ...]
    """The report's, then controls.tsv, controls.json, controls.fa, controls.svg."""

    def table(self) -> str:
        """The samples' hits, then samples and controls compared."""
        return f"{self.report.table()}\n{self.comparison.text()}"

    def sentence(self) -> str:
        """What was found, and what it means."""
        return f"{self.report.sentence()}. {_capital(self.comparison.sentence())}"

    def notes(self) -> Iterator[str]:
        """The report's."""
        return self.report.notes()

    def summary(self) -> dict[str, Any]:
        """The report's, with ``controls`` (see `Comparison.summary`) and ``said``: the verdict."""
        controls = self.comparison.summary()
        return {**self.report.summary(), "said": self.sentence(), "controls": controls}


def search_with_controls(
    samples: Sequence[Path],
    backend: SearchBackend,
    folder: Path,
    controls: Controls,
    parameters: SearchParameters | None = None,
    progress: Progress = lambda done, total, what: None,
) -> ControlledReport:
    """Search for the samples as `search_files` does, then for controls with the same parameters.

    Args:
        samples: FASTA files.
        backend: What searches, with its library.
        folder: Where everything goes.
        controls: Which, and what they are made of.
        parameters: Scores and limits.
        progress: Told of both searches in turn.

    Raises:
        InputError: If a file cannot be used or holds no sequence.
        SeqforgeError: What the backend raises.
    """
    parameters = parameters or SearchParameters()
    report = search_files(samples, backend, folder, parameters, progress)
    given = answered(read_queries(samples, backend.letters), report.results)
    compared = [(query, result) for query, result in given if query.bases]
    queries = [query for query, _ in compared]
    rounds = controls.rounds(queries, report.results[0].database_length, backend.name)
    made = controls.make(queries, rounds)
    groups = {SAMPLES: Group("the samples", tuple(result for _, result in compared))}
    groups |= _searched(made, backend, parameters, progress)
    notes = [*_primed(samples), *_few(rounds, controls, len(compared), len(report.results))]
    if "real" in groups and (why := _find_themselves(groups["real"])):
        notes.append(why)
        if not _comparable(groups["real"]):
            del groups["real"]
    copying, source = _copying(controls, queries, made, groups)
    comparison = Comparison(groups, parameters.evalue, copying, source, tuple(notes))
    files = _write(folder, comparison, made)
    return ControlledReport(report, comparison, (*report.files, *files))


def _searched(
    made: Mapping[str, ControlGroup], backend: SearchBackend, parameters: SearchParameters,
    progress: Progress,
) -> dict[str, Group]:  # fmt: skip
    """What the controls find, all of them in one search; those without an answer are left out."""
    asked = [query for group in made.values() for query in group.queries]
    named = _named(progress, len(asked))
    results = search_queries(asked, backend, parameters, named)
    found = {query.id: result for query, result in answered(asked, results)}
    return {
        kind: Group(group.label, tuple(found[q.id] for q in group.queries if q.id in found))
        for kind, group in made.items()
    }


def _named(progress: Progress, count: int) -> Progress:
    return lambda done, total, what: progress(done, total, f"{count} controls, both strands")


def _primed(samples: Sequence[Path]) -> Iterator[str]:
    """Samples that hold letters which no model drew; their headers say so."""
    headers = [record.description for path in samples for record in read_sequences(path)]
    primed = sum(re.search(r"\b(prime|suffix)=[1-9]", header) is not None for header in headers)
    if primed:
        yield (
            f"{primed} of {len(headers)} samples hold letters that were given to the model (see "
            "prime= and suffix= in their headers): these were searched too"
        )


def _few(rounds: int, controls: Controls, compared: int, given: int) -> Iterator[str]:
    if compared < given:
        yield f"{given - compared} of {given} samples have no bases and are not compared"
    if controls.each is None and rounds < EACH:
        number = "1 control" if rounds == 1 else f"{rounds} controls"
        yield f"{number} of each kind a sample, to keep the search short"


def _comparable(real: Group) -> bool:
    """Whether held-out sequence is there, and most of it is not simply in the library."""
    return 2 * sum(map(found_whole, real.results)) < len(real.results)


def _find_themselves(real: Group) -> str:
    """What is wrong with real sequence as a control, or nothing."""
    if not real.results:
        return f"{real.label} has no piece of the samples' lengths: no comparison with it"
    whole = sum(map(found_whole, real.results))
    said = f"{whole} of {len(real.results)} pieces of {real.label} stand in the library whole"
    if not _comparable(real):
        return f"{said}: it is no sequence that the library does not have, and nothing is compared"
    return f"{said}: they are repeats, or the library holds some of it" if whole else ""


def _copying(
    controls: Controls,
    samples: Sequence[Query],
    made: Mapping[str, ControlGroup],
    kept: Mapping[str, Group],
) -> tuple[dict[str, dict[str, float | None]], str]:
    """What each group shares with the training data; one control a sample, for equal chances."""
    if controls.background is None:
        return {}, ""
    sequences = {SAMPLES: [sample.bases for sample in samples]}
    for kind, group in made.items():
        if kind in kept:
            sequences[kind] = [query.bases for query in group.queries[: len(samples)]]
    return copied_from(sequences, controls.background.blocks()), controls.background.name


def _write(
    folder: Path, comparison: Comparison, made: Mapping[str, ControlGroup]
) -> tuple[Path, ...]:
    table, document = folder / "controls.tsv", folder / "controls.json"
    fasta, picture = folder / "controls.fa", folder / "controls.svg"
    write_atomically(table, comparison.tsv().encode())
    write_json(document, comparison.summary())
    queries = [query for group in made.values() for query in group.queries]
    write_atomically(fasta, "".join(map(_entry, queries)).encode())
    write_atomically(picture, comparison.distributions().svg(alone=True).encode())
    return table, document, fasta, picture


def _entry(query: Query) -> str:
    lines = [query.bases[i : i + _LINE] for i in range(0, len(query.bases), _LINE)]
    return "\n".join([f">{query.id}", *lines, ""])


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
