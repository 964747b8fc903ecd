"""Files of samples in, similarity hits on disk and their summary out: with controls, and at the
end of a run.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqforge.base.folders import make_folder, write_atomically, write_json
from seqforge.base.messages import Advance, one_line, unheard
from seqforge.domains.genome.ebi.settings import EbiSettings
from seqforge.domains.genome.nucleotides import fasta_record
from seqforge.domains.genome.similarity.backends import (
    LibraryBackend,
    LocalBackend,
    SearchBackend,
    resumable,
)
from seqforge.domains.genome.similarity.blastplus import BlastPlusBackend
from seqforge.domains.genome.similarity.control_comparison import (
    NOTABLE,
    SAMPLES,
    ComparedGroup,
    ControlComparison,
    found_whole,
)
from seqforge.domains.genome.similarity.controls import EACH, ControlGroup, Controls
from seqforge.domains.genome.similarity.hits import (
    Query,
    SearchResult,
    format_alignments,
    format_evalue,
    format_table,
    write_hits,
)
from seqforge.domains.genome.similarity.kinds import kind_of
from seqforge.domains.genome.similarity.library import read_queries, write_training_library
from seqforge.domains.genome.similarity.parameters import (
    Residues,
    SearchLimits,
    SearchOptions,
    parameters_for,
)
from seqforge.errors import ConfigError, InputError

if TYPE_CHECKING:
    from seqforge.core.data.domain import TrainingData

_NAMED = 3  # queries, in a note


@dataclass(frozen=True)
class SearchReport:
    """Results of a search for samples."""

    results: tuple[SearchResult, ...]
    files: tuple[Path, ...]
    """hits.tsv, hits.json, alignments.txt."""
    unanswered: int = 0
    """Samples without an answer from the service."""

    def table(self, width: int | None = None) -> str:
        """A table per sample, in EBI's columns, in lines of this width."""
        return "\n".join(format_table(result, width) for result in self.results)

    def summary(self) -> dict[str, Any]:
        """``library``, ``library_length``, ``sentence`` and the best hit of each sample, as
        JSON."""
        first = self.results[0]
        return {
            "library": first.database,
            "library_length": first.database_length,
            "sentence": self.sentence(),
            "notes": list(self.notes()),
            "table": [_row(result) for result in self.results],
        }

    def notes(self) -> Iterator[str]:
        """Notes for the user: what is missing."""
        yield from left_out(self.results)

    def sentence(self) -> str:
        """The result in one sentence, with the library's length beside the E-value."""
        first = self.results[0]
        best = [r.best_evalue for r in self.results if r.best_evalue is not None]
        found = sum(evalue <= NOTABLE for evalue in best)
        of = f"{found} of {len(self.results)} samples have a hit with E <= {NOTABLE:g}"
        where = f"in {first.database} ({first.database_length:,} {first.unit})"
        least = f"; the smallest E is {format_evalue(min(best))}" if best else ""
        left = f"; {self.unanswered} more have no answer" if self.unanswered else ""
        return f"{of} {where}{least}{left}"


def search_files(
    samples: Sequence[Path],
    backend: SearchBackend,
    folder: Path,
    parameters: SearchLimits | None = None,
    progress: Advance = unheard,
) -> SearchReport:
    """FASTA files in, search results, also on disk, out.

    Raises:
        InputError: If a file cannot be used or holds no sequence.
        ConfigError: For scores without statistics.
    """
    queries = list(read_queries(samples, backend.letters))
    if not any(query.bases for query in queries):
        names = ", ".join(map(str, samples))
        raise InputError(f"{names}: no sequence to search with; give a FASTA file of samples")
    parameters = parameters or parameters_for(backend.letters)
    results = search_queries(queries, backend, parameters, progress)
    for stale in ("tsv", "json", "fa", "svg"):  # of a search with controls before this one
        (folder / f"controls.{stale}").unlink(missing_ok=True)
    files = write_hits(results, make_folder(folder))
    alignments = folder / "alignments.txt"
    write_atomically(alignments, "\n".join(map(format_alignments, results)).encode())
    return SearchReport(tuple(results), (*files, alignments), len(queries) - len(results))


def left_out(results: Sequence[SearchResult]) -> Iterator[str]:
    """A note on hits that the limits left out."""
    for option, what, of in (
        ("--max-hits", "library sequences", [r for r in results if r.more_hits]),
        ("--max-hsps", "alignments with a library sequence", [r for r in results if r.more_hsps]),
    ):
        if of:
            limit = of[0].parameters.get(option.removeprefix("--").replace("-", "_"))
            named = ", ".join(one_line(result.query_id) for result in of[:_NAMED])
            more = f" and {len(of) - _NAMED} more" if len(of) > _NAMED else ""
            yield f"more {what} were left out for {named}{more}: {option} {limit}"


def search_queries(
    queries: Sequence[Query],
    backend: SearchBackend,
    parameters: SearchLimits,
    progress: Advance,
) -> list[SearchResult]:
    """Results of a backend, with each query's low-complexity share if the backend does not give
    it."""
    found = backend.search(queries, parameters, progress)
    kind = kind_of(backend.letters)
    return [
        replace(result, masked=kind.low_share(query.bases)) if result.masked is None else result
        for query, result in answered(queries, found)
    ]


def answered(
    queries: Iterable[Query], results: Iterable[SearchResult]
) -> Iterator[tuple[Query, SearchResult]]:
    """Each result with its query; some queries have none."""
    left = iter(results)
    result = next(left, None)
    for query in queries:
        if result is not None and result.query_id == query.id:
            yield query, result
            result = next(left, None)


def _row(result: SearchResult) -> dict[str, Any]:
    row: dict[str, Any] = {"sample": result.query_id, "length": result.query_length}
    if result.masked is not None:
        row["low-complexity %"] = round(100 * result.masked, 1)
    if not result.hits:
        return {**row, "hit": "none", "score (bits)": None, "identities %": None, "E()": None}
    hit = min(result.hits, key=lambda hit: hit.hsps[0].evalue)
    hsp = hit.hsps[0]
    strand = " (+)" if hsp.query_strand == hsp.hit_strand else " (-)"
    if result.letters == "protein":
        strand = ""
    return {
        **row,
        "hit": f"{hit.id}:{hsp.hit_start:,}-{hsp.hit_end:,}{strand}",
        "score (bits)": round(hsp.bit_score, 1),
        "identities %": round(hsp.identity, 1),
        "E()": format_evalue(hsp.evalue),
    }


@dataclass(frozen=True)
class ControlledSearchReport:
    """Results for samples and controls, compared."""

    report: SearchReport
    comparison: ControlComparison
    files: tuple[Path, ...]
    """The report's, then controls.tsv, controls.json, controls.fa, controls.svg."""

    def table(self, width: int | None = None) -> str:
        """The samples' hits, then samples and controls compared, in lines of this width."""
        return f"{self.report.table(width)}\n{self.comparison.text(width)}"

    def sentence(self) -> str:
        """The result and its verdict."""
        return f"{self.report.sentence()}. {_capital(self.comparison.sentence())}"

    def notes(self) -> Iterator[str]:
        """The report's."""
        return self.report.notes()

    def summary(self) -> dict[str, Any]:
        """The report's, with ``controls`` and ``said``: the verdict."""
        controls = self.comparison.summary()
        return {**self.report.summary(), "said": self.sentence(), "controls": controls}


def search_with_controls(
    samples: Sequence[Path],
    backend: SearchBackend,
    folder: Path,
    controls: Controls,
    parameters: SearchLimits | None = None,
    progress: Advance = unheard,
) -> ControlledSearchReport:
    """Search for samples as `search_files` does, then for controls with the same parameters.

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
    parameters = parameters or parameters_for(backend.letters)
    report = search_files(samples, backend, folder, parameters, progress)
    given = answered(read_queries(samples, backend.letters), report.results)
    compared = [(query, result) for query, result in given if query.bases]
    queries = [query for query, _ in compared]
    rounds = controls.rounds(queries, report.results[0].database_length, backend.name)
    made = controls.make(queries, rounds)
    groups = {SAMPLES: ComparedGroup("the samples", tuple(result for _, result in compared))}
    groups |= _searched(made, backend, parameters, progress)
    notes = [
        *_primed(samples, backend.letters),
        *_few(rounds, controls, len(compared), len(report.results)),
    ]
    if "real" in groups and (why := _find_themselves(groups["real"])):
        notes.append(why)
        if not _comparable(groups["real"]):
            del groups["real"]
    copying, source = _copying(controls, queries, made, groups)
    comparison = ControlComparison(groups, parameters.evalue, copying, source, tuple(notes))
    files = _write(folder, comparison, made)
    return ControlledSearchReport(report, comparison, (*report.files, *files))


def _searched(
    made: Mapping[str, ControlGroup], backend: SearchBackend, parameters: SearchLimits,
    progress: Advance,
) -> dict[str, ComparedGroup]:  # fmt: skip
    """Results of all controls, from one search, without unanswered ones."""
    asked = [query for group in made.values() for query in group.queries]
    named = _named(progress, len(asked), kind_of(backend.letters).strands)
    results = search_queries(asked, backend, parameters, named)
    found = {query.id: result for query, result in answered(asked, results)}
    return {
        kind: ComparedGroup(group.label, tuple(found[q.id] for q in group.queries if q.id in found))
        for kind, group in made.items()
    }


def _named(progress: Advance, count: int, strands: str) -> Advance:
    return lambda done, total, what: progress(done, total, f"{count} controls, {strands}")


def _primed(samples: Sequence[Path], letters: Residues) -> Iterator[str]:
    """Samples with letters that no model drew, by their headers."""
    blocks = (block for path in samples for block in kind_of(letters).blocks(path))
    headers = [block.ends.description for block in blocks if block.ends is not None]
    primed = sum(re.search(r"\b(prime|suffix)=[1-9]", header) is not None for header in headers)
    if primed:
        yield (
            f"{primed} of {len(headers)} samples hold letters that were given to the model (see "
            "prime= and suffix= in their headers): these were searched too"
        )


def _few(rounds: int, controls: Controls, compared: int, given: int) -> Iterator[str]:
    if compared < given:
        unit = f"{kind_of(controls.letters).unit}s"
        yield f"{given - compared} of {given} samples have no {unit} and are not compared"
    if controls.each is None and rounds < EACH:
        number = "1 control" if rounds == 1 else f"{rounds} controls"
        yield f"{number} of each kind a sample, to keep the search short"


def _comparable(real: ComparedGroup) -> bool:
    """Whether held-out sequence is there and most of it is not in the library."""
    return 2 * sum(map(found_whole, real.results)) < len(real.results)


def _find_themselves(real: ComparedGroup) -> str:
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
    kept: Mapping[str, ComparedGroup],
) -> tuple[dict[str, dict[str, float | None]], str]:
    """The share of each group in common with the training data; one control per sample, for
    equal chances."""
    if controls.background is None:
        return {}, ""
    sequences = {SAMPLES: [sample.bases for sample in samples]}
    for kind, group in made.items():
        if kind in kept:
            sequences[kind] = [query.bases for query in group.queries[: len(samples)]]
    copied = kind_of(controls.letters).copied(sequences, controls.background.blocks())
    return copied, controls.background.name


def _write(
    folder: Path, comparison: ControlComparison, made: Mapping[str, ControlGroup]
) -> tuple[Path, ...]:
    table, document = folder / "controls.tsv", folder / "controls.json"
    fasta, picture = folder / "controls.fa", folder / "controls.svg"
    write_atomically(table, comparison.tsv().encode())
    write_json(document, comparison.summary())
    queries = [query for group in made.values() for query in group.queries]
    records = (fasta_record(query.id, query.bases) for query in queries)
    write_atomically(fasta, "".join(records).encode())
    write_atomically(picture, comparison.distributions().svg(alone=True).encode())
    return table, document, fasta, picture


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


INVERTEBRATES = "em_std_inv"
"""The division that the first of these experiments searched; the service says if it has it."""
SWISS_PROT = "uniprotkb_swissprot"
"""Searched where the samples are proteins."""
_DEADLINE = 1800.0  # seconds that a run waits for EMBL-EBI; resumed, it waits again


def run_search(
    samples: Sequence[Path], folder: Path, asked: SearchOptions, learnt: TrainingData, both: bool,
    seed: int, progress: Advance, say: Callable[[str], None], letters: Residues = "dna",
) -> dict[str, Any]:  # fmt: skip
    """See `core.data.domain.Searches`; ``both`` says that both strands were trained on."""
    controls = None if asked.controls == "auto" else asked.controls
    if asked.backend == "ebi" and controls is None:
        controls = 0  # chance is not worth a public service's time unasked
    parameters = parameters_for(letters, max_hits=asked.max_hits, max_hsps=asked.max_hsps)
    with _backend(folder, asked, learnt, say, letters) as backend:
        if controls == 0:
            report = search_files(samples, backend, folder, parameters, progress)
            found, notes = report.summary(), report.notes()
        else:
            wanted = Controls.of_run(learnt.corpus, both, controls, seed, letters)
            controlled = search_with_controls(
                samples, backend, folder, wanted, parameters, progress
            )
            found, notes = controlled.summary(), controlled.notes()
    for note in notes:
        say(note)
    return found


@contextmanager
def _backend(
    folder: Path, asked: SearchOptions, learnt: TrainingData, say: Callable[[str], None],
    letters: Residues,
) -> Iterator[SearchBackend]:  # fmt: skip
    if asked.backend == "ebi":
        from seqforge.domains.genome.ebi.backend import EbiBackend
        from seqforge.domains.genome.ebi.client import BASE_URL, EbiClient
        from seqforge.domains.genome.ebi.job_store import JobStore

        database = asked.database or default_database(letters)
        client = EbiClient(_address(), base_url=EbiSettings.load().base_url or BASE_URL)
        with closing(client), JobStore(folder / "jobs.sqlite") as store:
            backend = EbiBackend(client, store, database, _DEADLINE, say, letters=letters)
            yield backend
            for name, why in backend.unanswered.items():
                say(f"{name}: {why}")
        return
    library = [Path(path) for path in asked.against]
    if not library:
        library = [write_training_library(learnt, folder, letters)]
    here: LibraryBackend = (
        BlastPlusBackend(library, letters=letters)
        if asked.backend == "blast+"
        else LocalBackend(library, letters)
    )
    with resumable(here, folder) as kept:
        yield kept


def default_database(letters: Residues) -> str:
    """What is searched at EMBL-EBI where nothing is named; the settings name one of nucleotides."""
    if letters == "protein":
        return SWISS_PROT
    return EbiSettings.load().database or INVERTEBRATES


def _address() -> str:
    """The address in the settings: a recipe, or a run gone on with, is no yes."""
    address = EbiSettings.load().email
    if address is None:
        raise ConfigError(
            "searching at EMBL-EBI sends the samples there, which takes standing consent: "
            "`seqforge config set email ...`; then the same command goes on"
        )
    return address
