"""Queries and a library in, hits of NCBI blastn or blastp out; the BLAST databases are cached."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from typing import Any, NamedTuple

from filelock import FileLock

from seqforge.base.atomic_files import sync_all, sync_folder
from seqforge.base.folders import (
    cache_root,
    checksums_of,
    damage,
    disk_errors,
    make_folder,
    sealed,
    sha256_of,
    write_json,
)
from seqforge.base.machine import usable_cores
from seqforge.base.messages import Advance
from seqforge.base.process import OverTime, find_program, run_child
from seqforge.base.textio import opened
from seqforge.domains.genome.similarity.backends import library_identity
from seqforge.domains.genome.similarity.hits import Hit, Hsp, Query, SearchResult
from seqforge.domains.genome.similarity.kinds import SequenceKind, kind_of
from seqforge.domains.genome.similarity.library import in_portions, read_library, stem_of
from seqforge.domains.genome.similarity.parameters import (
    LibrarySize,
    ProteinParameters,
    Residues,
    SearchLimits,
    SearchParameters,
)
from seqforge.errors import InputError, ProgramError
from seqforge.version import __version__

NAME = "library"
"""Of a database in its folder. BLAST+ takes a blank in a path for the end of it, so its programs
are run in the folder and given this."""

_INSTALL = (
    ", and a search with blast+ needs it; install NCBI BLAST+ (apt install ncbi-blast+, brew "
    "install blast, conda install -c bioconda blast), or search without it: the local search "
    "needs nothing more"
)
_QUIET = {"BLAST_USAGE_REPORT": "false"}
"""BLAST+ would else tell NCBI over the network that it was used."""
_FORMAT = 3
_DAY_SECONDS = 24 * 3600.0
_KEPT_DAYS, _KEPT_BYTES = 30, 20 * 10**9
_IN_USE_DAYS = 2  # a running search may last that long
_LINE = 10_000
_OWN_FOLDER = re.compile(r"[0-9a-f]{32}|building-\w+")
_UNFINISHED = "building-"  # prefix of unfinished databases, which a kill leaves behind
_NAMES, _ABOUT, _LETTERS = "names.jsonl", "about.json", "letters.fa"


class EntryName(NamedTuple):
    """The library sequence behind a number in the BLAST database."""

    file: int
    """Index of the library file, from 0."""
    id: str
    description: str


@dataclass(frozen=True)
class BlastDatabase:
    """A BLAST database and the size of its library."""

    folder: Path
    size: LibrarySize

    def names(self, numbers: Collection[int]) -> dict[int, EntryName]:
        """Sequence numbers in, their names out."""
        wanted = set(numbers)
        with (self.folder / _NAMES).open(encoding="utf-8") as lines:
            return {
                number: EntryName(*json.loads(line))
                for number, line in enumerate(lines)
                if number in wanted
            }


def blast_database(
    files: Sequence[Path],
    makeblastdb: str,
    timeout_seconds: float,
    progress: Advance,
    letters: Residues = "dna",
) -> BlastDatabase:
    """Library files in, their BLAST database out, made if it is not in the cache.

    Safe with several processes: one builds, the others wait. An interrupted build is discarded.

    Args:
        files: FASTA or GenBank, .gz too.
        makeblastdb: Path of the program.
        timeout_seconds: Time limit of the program.
        progress: Receives a message while the database is built.
        letters: What it is made of.

    Raises:
        InputError: If the library cannot be used.
        ProgramError: If the program fails.
        RunError: If the cache cannot be written.
    """
    if not files:
        raise InputError("there is no library to search; name a FASTA file")
    cache = make_folder(cache_root() / "blastdb")
    folder = cache / _key(files, makeblastdb, letters)
    with disk_errors(cache), FileLock(f"{folder}.lock"):
        if folder.is_dir() and damage(folder, _ABOUT):
            shutil.rmtree(folder)
        if not folder.is_dir():
            progress(0, 1, "making a BLAST+ database")
            building = Path(mkdtemp(prefix=_UNFINISHED, dir=cache))
            try:
                _make(building, files, makeblastdb, timeout_seconds, letters)
                sync_all(building)  # no power failure leaves a partial database
                building.rename(folder)
                sync_folder(cache)
            finally:
                shutil.rmtree(building, ignore_errors=True)
        os.utime(folder)
    _prune(cache, folder)
    about = json.loads((folder / _ABOUT).read_text(encoding="utf-8"))
    return BlastDatabase(folder, LibrarySize(about["letters"], about["sequences"]))


def _key(files: Sequence[Path], makeblastdb: str, letters: Residues) -> str:
    said: list[object] = [_FORMAT, program_version(makeblastdb), letters]
    for path in files:
        with opened(path):  # raises a clear error for an unreadable file
            said.append(sha256_of(path))
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()[:32]


def _make(
    building: Path, files: Sequence[Path], makeblastdb: str, timeout_seconds: float,
    letters: Residues,
) -> None:  # fmt: skip
    total = number = 0
    with (
        (building / _LETTERS).open("wb") as fasta,
        (building / _NAMES).open("w", encoding="utf-8") as names,
    ):
        for which, path in enumerate(files):
            for entry in read_library([path], letters):
                fasta.write(b">%d\n" % number)
                for start in range(0, len(entry.bases), _LINE):
                    fasta.write(entry.bases[start : start + _LINE] + b"\n")
                names.write(json.dumps([which, entry.id, entry.description]) + "\n")
                total, number = total + len(entry.bases), number + 1
    command = [makeblastdb, "-in", _LETTERS, "-dbtype", kind_of(letters).database_type]
    run_program([*command, "-title", NAME, "-out", NAME], building, timeout_seconds)
    (building / _LETTERS).unlink()
    about = {
        "letters": total,
        "sequences": number,
        "files": checksums_of(building, besides=_ABOUT),
    }
    write_json(building / _ABOUT, sealed(about))


@cache
def program_version(program: str) -> str:
    """A BLAST+ program in, its version out: ``2.12.0+``.

    Raises:
        ProgramError: If it cannot be run.
    """
    told = run_program([program, "-version"], Path.cwd(), timeout_seconds=60)
    return told.split("\n", 1)[0].split()[-1] if told.strip() else "unknown"


def run_program(command: Sequence[str], folder: Path, timeout_seconds: float) -> str:
    """A BLAST+ command and its working folder in, its stdout out.

    Raises:
        ProgramError: If it cannot be started, fails, or exceeds the time limit.
    """
    try:
        ended = run_child(command, timeout_seconds, folder=folder, environment=_QUIET)
    except OverTime as error:
        raise ProgramError(
            f"{error}; search for fewer sequences at a time, or in a smaller library"
        ) from error
    if ended.code:
        raise ProgramError(f"{ended.name} failed ({ended.reason})")
    return ended.out.decode("utf-8", "replace")


def _prune(cache: Path, mine: Path) -> None:
    """Remove databases unused for a month, and the least recently used beyond the size limit."""
    now, room = time.time(), float(_KEPT_BYTES)
    for used, folder in sorted(_last_uses(cache), reverse=True):
        days = (now - used) / _DAY_SECONDS
        room -= sum(file.stat().st_size for file in folder.glob("*") if file.is_file())
        unused = days > _KEPT_DAYS or room < 0 or folder.name.startswith(_UNFINISHED)
        if folder != mine and days > _IN_USE_DAYS and unused:
            shutil.rmtree(folder, ignore_errors=True)
            Path(f"{folder}.lock").unlink(missing_ok=True)


def _last_uses(cache: Path) -> list[tuple[float, Path]]:
    found = []
    for folder in cache.iterdir():
        if not _OWN_FOLDER.fullmatch(folder.name):
            continue
        try:
            if folder.is_dir():
                found.append((folder.stat().st_mtime, folder))
        except OSError:  # removed by another process meanwhile
            continue
    return found


_DAY = 24 * 3600.0
_BATCH = 100_000  # query residues per run of the program
_STRANDS = {"Plus": 1, "Minus": -1}
_FEWEST_TARGETS = 5  # with a smaller limit blastn may miss the best hits


class BlastPlusBackend:
    """Search backend: blastn against FASTA or GenBank files, blastp against FASTA files of
    proteins; their BLAST database is cached."""

    name = "blast+"

    def __init__(
        self, against: Sequence[Path], timeout_seconds: float = _DAY, letters: Residues = "dna"
    ) -> None:
        """Locate the programs.

        Args:
            against: Library files.
            timeout_seconds: Time limit of each program run.
            letters: What library and queries are made of.

        Raises:
            ProgramError: If blastn (or blastp) or makeblastdb is not on PATH.
        """
        self.against = tuple(against)
        self.timeout_seconds = timeout_seconds
        self.letters: Residues = letters
        self._kind = kind_of(letters)
        self._program, self._makeblastdb = (
            find_program(name, _INSTALL) for name in (self._kind.program, "makeblastdb")
        )

    def about(self) -> dict[str, Any]:
        """See `backends.LibraryBackend`."""
        program = [self.name, __version__, program_version(self._program)]
        return {"program": program, **library_identity(self.against)}

    def portions(self, queries: Sequence[Query]) -> Iterator[Sequence[Query]]:
        """See `backends.LibraryBackend`."""
        return in_portions(queries, _BATCH)

    def search(
        self, queries: Sequence[Query], parameters: SearchLimits, progress: Advance
    ) -> list[SearchResult]:
        """See `SearchBackend`; progress counts query residues.

        Raises:
            InputError: If the library cannot be used.
            ProgramError: If a program fails or exceeds the time limit.
        """
        database = blast_database(
            self.against, self._makeblastdb, self.timeout_seconds, progress, self.letters
        )
        found: dict[int, list[Mapping[str, Any]]] = {}
        done, total = 0, max(1, sum(len(query.bases) for query in queries))
        for batch in _batches(queries, self._kind):
            found.update(self._hits(database, batch, parameters))
            done += sum(len(bases) for bases in batch.values())
            progress(done, total, f"{self._kind.strands}, {self._kind.program}")
        names = database.names({_number(hit) for hits in found.values() for hit in hits})
        return [
            self._result(query, database, parameters, [
                self._hit(hit, names[_number(hit)], parameters.max_hsps)
                for hit in found.get(number, ())
            ])
            for number, query in enumerate(queries)
        ]  # fmt: skip

    def _hits(
        self, database: BlastDatabase, batch: Mapping[int, bytes], parameters: SearchLimits
    ) -> dict[int, list[Mapping[str, Any]]]:
        """A batch of queries in, blastn's JSON hits for each out."""
        with TemporaryDirectory(prefix="seqforge-") as name:
            folder = Path(name).resolve()
            asked, told = folder / "queries.fa", folder / "hits.json"
            asked.write_bytes(b"".join(b">%d\n%s\n" % item for item in batch.items()))
            command = [self._program, "-db", NAME, "-query", str(asked), "-out", str(told)]
            command += _options(parameters)
            run_program(command, database.folder, self.timeout_seconds)
            try:
                reports = json.loads(told.read_bytes())["BlastOutput2"]
                searches = [report["report"]["results"]["search"] for report in reports]
                return {int(found["query_title"]): found["hits"] for found in searches}
            except (OSError, ValueError, KeyError, TypeError) as error:
                raise ProgramError(
                    f"{self._kind.program} {program_version(self._program)} wrote JSON that "
                    f"cannot be read ({error!r}); versions from 2.7.1 on write what is wanted"
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
            hsps=tuple(_hsp(found, self.letters) for found in hit["hsps"][:max_hsps]),
            more_hsps=len(hit["hsps"]) > max_hsps,
        )

    def _result(
        self,
        query: Query,
        database: BlastDatabase,
        parameters: SearchLimits,
        hits: Sequence[Hit],
    ) -> SearchResult:
        return SearchResult(
            query_id=query.id,
            query_length=len(query.bases),
            program=self._kind.program,
            version=program_version(self._program),
            database=" ".join(path.name for path in self.against),
            database_length=database.size.letters,
            database_sequences=database.size.sequences,
            when=datetime.now(UTC).isoformat(timespec="seconds"),
            parameters={
                **asdict(parameters),
                "task": self._kind.program,
                "against": [str(path) for path in self.against],
            },
            hits=tuple(hits[: parameters.max_hits]),
            more_hits=len(hits) > parameters.max_hits,
            masked=self._kind.low_share(query.bases),
            letters=self.letters,
        )


def _batches(queries: Sequence[Query], kind: SequenceKind) -> Iterator[dict[int, bytes]]:
    """Queries in, batches by query number out, one per run of blastn; empty queries are skipped."""
    batch: dict[int, bytes] = {}
    letters = 0
    for number, query in enumerate(queries):
        bases = kind.searched(query.bases)
        if not bases.strip(kind.any_letter.encode()):
            continue
        batch[number] = bases
        letters += len(bases)
        if letters >= _BATCH:
            yield batch
            batch, letters = {}, 0
    if batch:
        yield batch


def _options(parameters: SearchLimits) -> list[str]:
    scoring, masks = parameters.scoring, "yes" if parameters.dust else "no"
    own: dict[str, Any] = {}
    if isinstance(parameters, SearchParameters):
        own = {"reward": parameters.reward, "penalty": parameters.penalty, "dust": masks}
    elif isinstance(parameters, ProteinParameters):
        own = {"matrix": parameters.matrix, "comp_based_stats": 0, "seg": masks}
    given = {
        "task": kind_of(parameters.letters).program,
        "outfmt": 15,
        **own,
        "gapopen": scoring.gap_open,
        "gapextend": scoring.gap_extend,
        "evalue": parameters.evalue,
        "max_target_seqs": max(_FEWEST_TARGETS, parameters.max_hits + 1),
        "max_hsps": parameters.max_hsps + 1,  # one more of each, to report whether the limits cut
        "num_threads": usable_cores(),
    }
    return [part for key, value in given.items() for part in (f"-{key}", str(value))]


def _number(hit: Mapping[str, Any]) -> int:
    """A hit in, its library sequence's number out: the whole header in the database."""
    return int(hit["description"][0]["title"])


def _hsp(found: Mapping[str, Any], letters: Residues) -> Hsp:
    """An HSP of blastn's or blastp's JSON in, an Hsp out; they give counts, no percentages."""
    columns, strands = found["align_len"], (1, 1)
    positive = found["identity"] if letters == "dna" else found["positive"]
    if letters == "dna":
        strands = _STRANDS[found["query_strand"]], _STRANDS[found["hit_strand"]]
    return Hsp(
        score=round(found["score"]),
        bit_score=float(found["bit_score"]),
        evalue=float(found["evalue"]),
        identity=100 * found["identity"] / columns,
        identity_count=found["identity"],
        positive=100 * positive / columns,
        positive_count=positive,
        gaps=found["gaps"],
        query_strand=strands[0],
        hit_strand=strands[1],
        query_start=found["query_from"],
        query_end=found["query_to"],
        hit_start=found["hit_from"],
        hit_end=found["hit_to"],
        query_aligned=found["qseq"].upper(),
        midline=found["midline"],
        hit_aligned=found["hseq"].upper(),
    )
