"""From files of samples to hits on disk, and what a page says of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from seqforge.base.printable import one_line
from seqforge.core.files import make_folder, write_atomically
from seqforge.domains.genome.entries import End, Start
from seqforge.domains.genome.fasta import read_parts, read_sequences
from seqforge.domains.genome.similarity.backends import Progress, SearchBackend
from seqforge.domains.genome.similarity.comparison import NOTABLE
from seqforge.domains.genome.similarity.dust import masked_fraction
from seqforge.domains.genome.similarity.hits import SearchResult
from seqforge.domains.genome.similarity.parameters import Letters, Query, SearchParameters
from seqforge.domains.genome.similarity.reports import (
    format_alignments,
    format_evalue,
    format_table,
    write_hits,
)
from seqforge.errors import InputError

_NO_LETTERS = b" \t\n-."
_NAMED = 3  # queries, in a note


@dataclass(frozen=True)
class Report:
    """What a search of some samples found."""

    results: tuple[SearchResult, ...]
    files: tuple[Path, ...]
    """hits.tsv, hits.json, alignments.txt."""
    unanswered: int = 0
    """Samples that a service has no answer for."""

    def table(self) -> str:
        """For each sample a table shaped like EBI's."""
        return "\n".join(format_table(result) for result in self.results)

    def summary(self) -> dict[str, Any]:
        """``library``, ``library_length``, ``sentence`` and the best hit of each sample."""
        first = self.results[0]
        return {
            "library": first.database,
            "library_length": first.database_length,
            "sentence": self.sentence(),
            "notes": list(self.notes()),
            "table": [_row(result) for result in self.results],
        }

    def notes(self) -> Iterator[str]:
        """What a person should know besides: that not all is there."""
        yield from left_out(self.results)

    def sentence(self) -> str:
        """What was found, in one sentence; an E-value stands beside the library's length."""
        first = self.results[0]
        best = [r.best_evalue for r in self.results if r.best_evalue is not None]
        found = sum(evalue <= NOTABLE for evalue in best)
        of = f"{found} of {len(self.results)} samples have a hit with E <= {NOTABLE:g}"
        where = f"in {first.database} ({first.database_length:,} bases)"
        least = f"; the smallest E is {format_evalue(min(best))}" if best else ""
        left = f"; {self.unanswered} more have no answer" if self.unanswered else ""
        return f"{of} {where}{least}{left}"


def search_files(
    samples: Sequence[Path],
    backend: SearchBackend,
    folder: Path,
    parameters: SearchParameters | None = None,
    progress: Progress = lambda done, total, what: None,
) -> Report:
    """Search for every sequence of some FASTA files, and keep what is found.

    Raises:
        InputError: If a file cannot be used or holds no sequence.
        ConfigError: For scores without statistics.
    """
    queries = list(read_queries(samples, backend.letters))
    if not any(query.bases for query in queries):
        names = ", ".join(map(str, samples))
        raise InputError(f"{names}: no sequence to search with; give a FASTA file of samples")
    results = search_queries(queries, backend, parameters or SearchParameters(), progress)
    for stale in ("tsv", "json", "fa", "svg"):  # of a search with controls before this one
        (folder / f"controls.{stale}").unlink(missing_ok=True)
    files = write_hits(results, make_folder(folder))
    alignments = folder / "alignments.txt"
    write_atomically(alignments, "\n".join(map(format_alignments, results)).encode())
    return Report(tuple(results), (*files, alignments), len(queries) - len(results))


def left_out(results: Sequence[SearchResult]) -> Iterator[str]:
    """Says what the limits left out."""
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
    parameters: SearchParameters,
    progress: Progress,
) -> list[SearchResult]:
    """What a backend finds, with how much of each query is low-complexity where it does not say."""
    found = backend.search(queries, parameters, progress)
    return [
        replace(result, masked=masked_fraction(query.bases))
        if result.masked is None and backend.letters == "dna"
        else result
        for query, result in answered(queries, found)
    ]


def answered(
    queries: Iterable[Query], results: Iterable[SearchResult]
) -> Iterator[tuple[Query, SearchResult]]:
    """Each result with its query: they come in the same order, and some queries have none."""
    left = iter(results)
    result = next(left, None)
    for query in queries:
        if result is not None and result.query_id == query.id:
            yield query, result
            result = next(left, None)


def read_queries(files: Sequence[Path], letters: Letters = "dna") -> Iterable[Query]:
    """Sequences by name; those of several files say which they come from.

    A name that was there before gets a number, so that each stands for one sequence.

    Raises:
        InputError: If a file cannot be used.
    """
    seen: Counter[str] = Counter()
    for query in _named_queries(files, letters):
        seen[query.id] += 1
        again = seen[query.id]
        yield query if again == 1 else replace(query, id=f"{query.id}.{again}")


def _named_queries(files: Sequence[Path], letters: Letters) -> Iterator[Query]:
    for path in files:
        prefix = path.stem.removeprefix("samples-") + ":" if len(files) > 1 else ""
        if letters == "dna":
            for record in read_sequences(path, keep_codes=True):
                yield Query(prefix + record.name, record.symbols)
        else:
            for name, symbols in _proteins(path):
                yield Query(prefix + name, symbols)


def _proteins(path: Path) -> Iterator[tuple[str, str]]:
    """Names and letters of a FASTA file of proteins; a stop (*) at the end is none of them."""
    name, letters = "", b""
    for part in read_parts(path):
        if isinstance(part, Start):
            name, letters = part.name, b""
        elif isinstance(part, End):
            yield name, letters.decode("latin-1").upper().rstrip("*")
        else:
            letters += part.translate(None, _NO_LETTERS)


def _row(result: SearchResult) -> dict[str, Any]:
    row: dict[str, Any] = {"sample": result.query_id, "length": result.query_length}
    if result.masked is not None:
        row["low-complexity %"] = round(100 * result.masked, 1)
    if not result.hits:
        return {**row, "hit": "none", "score (bits)": None, "identities %": None, "E()": None}
    hit = min(result.hits, key=lambda hit: hit.hsps[0].evalue)
    hsp = hit.hsps[0]
    strand = "+" if hsp.query_strand == hsp.hit_strand else "-"
    return {
        **row,
        "hit": f"{hit.id}:{hsp.hit_start:,}-{hsp.hit_end:,} ({strand})",
        "score (bits)": round(hsp.bit_score, 1),
        "identities %": round(hsp.identity, 1),
        "E()": format_evalue(hsp.evalue),
    }
