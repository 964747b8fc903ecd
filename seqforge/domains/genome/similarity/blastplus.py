"""Search at home with NCBI BLAST+: blastn's own heuristic, far quicker on a large library.

It is run as ``blastn -task blastn -outfmt 15``, and its JSON is read here: Biopython 1.88 reads
of the XML that goes with it (-outfmt 16) one query of several, and fails on a query without hits.

References:
    Camacho et al. 2009, https://doi.org/10.1186/1471-2105-10-421
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from seqforge.core.machine import usable_cores
from seqforge.domains.genome.similarity.backends import (
    Progress,
    library_identity,
)
from seqforge.domains.genome.similarity.blast_database import (
    NAME,
    BlastDatabase,
    EntryName,
    blast_database,
)
from seqforge.domains.genome.similarity.dust import masked_fraction
from seqforge.domains.genome.similarity.hits import Hit, Hsp, SearchResult
from seqforge.domains.genome.similarity.kmers import searched_letters
from seqforge.domains.genome.similarity.library import in_portions, stem_of
from seqforge.domains.genome.similarity.parameters import Letters, Query, SearchParameters
from seqforge.domains.genome.similarity.programs import (
    find_program,
    program_version,
    run_program,
)
from seqforge.errors import ProgramError
from seqforge.version import __version__

_DAY = 24 * 3600.0
_BATCH = 100_000  # letters of queries given to one blastn
_STRANDS = {"Plus": 1, "Minus": -1}
_FEWEST_TARGETS = 5  # asked for fewer, blastn may overlook the best


class BlastPlusBackend:
    """blastn against FASTA or GenBank files; their database is made once and kept."""

    name = "blast+"
    letters: Letters = "dna"

    def __init__(self, against: Sequence[Path], timeout_seconds: float = _DAY) -> None:
        """Find the programs.

        Args:
            against: The library.
            timeout_seconds: What one run of a program may take.

        Raises:
            ProgramError: If blastn or makeblastdb is not on PATH.
        """
        self.against = tuple(against)
        self.timeout_seconds = timeout_seconds
        self._blastn, self._makeblastdb = find_program("blastn"), find_program("makeblastdb")

    def about(self) -> dict[str, Any]:
        """See `searched.HomeBackend`."""
        program = [self.name, __version__, program_version(self._blastn)]
        return {"program": program, **library_identity(self.against)}

    def portions(self, queries: Sequence[Query]) -> Iterator[Sequence[Query]]:
        """See `searched.HomeBackend`."""
        return in_portions(queries, _BATCH)

    def search(
        self, queries: Sequence[Query], parameters: SearchParameters, progress: Progress
    ) -> list[SearchResult]:
        """See `SearchBackend`; progress counts the queries' letters.

        Raises:
            InputError: If the library cannot be used.
            ProgramError: If a program fails or takes too long.
        """
        database = blast_database(self.against, self._makeblastdb, self.timeout_seconds, progress)
        found: dict[int, list[Mapping[str, Any]]] = {}
        done, total = 0, max(1, sum(len(query.bases) for query in queries))
        for batch in _batches(queries):
            found.update(self._hits(database, batch, parameters))
            done += sum(len(bases) for bases in batch.values())
            progress(done, total, "both strands, blastn")
        names = database.names({_number(hit) for hits in found.values() for hit in hits})
        return [
            self._result(query, database, parameters, [
                self._hit(hit, names[_number(hit)], parameters.max_hsps)
                for hit in found.get(number, ())
            ])
            for number, query in enumerate(queries)
        ]  # fmt: skip

    def _hits(
        self, database: BlastDatabase, batch: Mapping[int, bytes], parameters: SearchParameters
    ) -> dict[int, list[Mapping[str, Any]]]:
        """What blastn finds for each query of a batch, as its JSON has it."""
        with TemporaryDirectory(prefix="seqforge-") as name:
            folder = Path(name).resolve()
            asked, told = folder / "queries.fa", folder / "hits.json"
            asked.write_bytes(b"".join(b">%d\n%s\n" % item for item in batch.items()))
            command = [self._blastn, "-db", NAME, "-query", str(asked), "-out", str(told)]
            command += _options(parameters)
            run_program(command, database.folder, self.timeout_seconds)
            try:
                reports = json.loads(told.read_bytes())["BlastOutput2"]
                searches = [report["report"]["results"]["search"] for report in reports]
                return {int(found["query_title"]): found["hits"] for found in searches}
            except (OSError, ValueError, KeyError, TypeError) as error:
                raise ProgramError(
                    f"blastn {program_version(self._blastn)} wrote JSON that cannot be read "
                    f"({error!r}); versions from 2.7.1 on write what is wanted"
                ) from error

    def _hit(self, hit: Mapping[str, Any], entry: EntryName, max_hsps: int) -> Hit:
        path = self.against[entry.file]
        return Hit(
            database=stem_of(path),
            id=entry.id,
            accession=entry.id,
            description=entry.description,
            organism="",
            length=hit["len"],
            source=str(path),
            hsps=tuple(map(_hsp, hit["hsps"][:max_hsps])),
            more_hsps=len(hit["hsps"]) > max_hsps,
        )

    def _result(
        self,
        query: Query,
        database: BlastDatabase,
        parameters: SearchParameters,
        hits: Sequence[Hit],
    ) -> SearchResult:
        return SearchResult(
            query_id=query.id,
            query_length=len(query.bases),
            program="blastn",
            version=program_version(self._blastn),
            database=" ".join(path.name for path in self.against),
            database_length=database.size.letters,
            database_sequences=database.size.sequences,
            when=datetime.now(UTC).isoformat(timespec="seconds"),
            parameters={
                **asdict(parameters),
                "task": "blastn",
                "against": [str(path) for path in self.against],
            },
            hits=tuple(hits[: parameters.max_hits]),
            more_hits=len(hits) > parameters.max_hits,
            masked=masked_fraction(query.bases),
        )


def _batches(queries: Sequence[Query]) -> Iterator[dict[int, bytes]]:
    """Queries by number, so many that one run is worth its start; those without bases left out."""
    batch: dict[int, bytes] = {}
    letters = 0
    for number, query in enumerate(queries):
        bases = searched_letters(query.bases)
        if not bases.strip(b"N"):
            continue
        batch[number] = bases
        letters += len(bases)
        if letters >= _BATCH:
            yield batch
            batch, letters = {}, 0
    if batch:
        yield batch


def _options(parameters: SearchParameters) -> list[str]:
    given = {
        "task": "blastn",
        "outfmt": 15,
        "reward": parameters.reward,
        "penalty": parameters.penalty,
        "gapopen": parameters.gap_open,
        "gapextend": parameters.gap_extend,
        "evalue": parameters.evalue,
        "dust": "yes" if parameters.dust else "no",
        "max_target_seqs": max(_FEWEST_TARGETS, parameters.max_hits + 1),
        "max_hsps": parameters.max_hsps + 1,  # one more each: whether there are more is told
        "num_threads": usable_cores(),
    }
    return [part for key, value in given.items() for part in (f"-{key}", str(value))]


def _number(hit: Mapping[str, Any]) -> int:
    """Of the library's sequence: its whole header in the database."""
    return int(hit["description"][0]["title"])


def _hsp(found: Mapping[str, Any]) -> Hsp:
    """An HSP of blastn's JSON, which has counts where others have percents."""
    percent = 100 * found["identity"] / found["align_len"]
    return Hsp(
        score=round(found["score"]),
        bit_score=float(found["bit_score"]),
        evalue=float(found["evalue"]),
        identity=percent,
        identity_count=found["identity"],
        positive=percent,
        positive_count=found["identity"],
        gaps=found["gaps"],
        query_strand=_STRANDS[found["query_strand"]],
        hit_strand=_STRANDS[found["hit_strand"]],
        query_start=found["query_from"],
        query_end=found["query_to"],
        hit_start=found["hit_from"],
        hit_end=found["hit_to"],
        query_aligned=found["qseq"].upper(),
        midline=found["midline"],
        hit_aligned=found["hseq"].upper(),
    )
