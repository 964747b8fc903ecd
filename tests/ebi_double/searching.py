"""The real search behind the double: BLAST+ where it is installed, else the package's own."""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from seqforge.domains.genome.similarity.hits import Hsp, Query, SearchResult
from seqforge.domains.genome.similarity.library import measure, read_library
from seqforge.domains.genome.similarity.local_search import search_library
from seqforge.domains.genome.similarity.parameters import (
    ProteinParameters,
    Residues,
    SearchLimits,
    SearchParameters,
)
from seqforge.errors import SeqforgeError
from tests.ebi_double.validation import InputSequence
from tests.patience import PATIENCE
from tests.programs import find_program


class SearchFailedError(Exception):
    """The program ended with an error; its words."""


@dataclass(frozen=True)
class Asked:
    """A job's parameters as numbers."""

    reward: int = 1
    penalty: int = -3
    gap_open: int = 5
    gap_extend: int = 2
    evalue: float = 10.0
    max_hits: int = 50
    max_hsps: int = 100
    dust: bool = True
    word_size: int = 11
    task: str = "blastn"
    matrix: str = ""
    """Of proteins."""


@dataclass(frozen=True)
class Found:
    """What a search found. ``hits`` are as in BLAST's -outfmt 15, "title" taken out."""

    version: str
    query: InputSequence
    sequences: int
    letters: int
    hits: list[dict[str, Any]] = field(default_factory=list)


class Engine(Protocol):
    """Searches one library."""

    library: Path

    def find(self, query: InputSequence, asked: Asked) -> Found: ...

    def pairwise(self, query: InputSequence, asked: Asked) -> str | None:
        """The program's own text report, or None where it has none."""

    def close(self) -> None:
        """Remove what was built for the library."""


def engine_for(library: Path, letters: Residues = "dna") -> Engine:
    """BLAST+ when it is installed, else the local search."""
    if find_program("blastn") and find_program("blastp") and find_program("makeblastdb"):
        return BlastEngine(library, letters)
    return LocalEngine(library, letters)


class BlastEngine:
    """Debian's or anybody's blastn or blastp, with EBI's command line."""

    def __init__(self, library: Path, letters: Residues = "dna") -> None:
        self.library = library
        self._program, kind = ("blastp", "prot") if letters == "protein" else ("blastn", "nucl")
        self._found: dict[tuple[str, Asked], Found] = {}
        self._folder = tempfile.TemporaryDirectory(prefix="ebi-double-")
        self._base = Path(self._folder.name)
        command = ["makeblastdb", "-in", str(library), "-dbtype", kind, "-title", "library"]
        command += ["-out", str(self._base / "library")]
        subprocess.run(command, check=True, capture_output=True, timeout=PATIENCE)

    def close(self) -> None:
        """Remove the database."""
        self._folder.cleanup()

    def find(self, query: InputSequence, asked: Asked) -> Found:
        key = query.letters, asked
        if key not in self._found:
            self._found[key] = self._find(query, asked)
        return replace(self._found[key], query=query)

    def _find(self, query: InputSequence, asked: Asked) -> Found:
        report = json.loads(self._blastn(query, asked, 15))["BlastOutput2"][0]["report"]
        told = report["results"]["search"]  # without hits it has a message in their place
        hits = [{"title": hit["description"][0]["title"], **hit} for hit in told.get("hits", [])]
        statistics = told["stat"]
        letters, sequences = statistics["db_len"], statistics["db_num"]
        return Found(report["version"], query, sequences, letters, hits)

    def pairwise(self, query: InputSequence, asked: Asked) -> str | None:
        return self._blastn(query, asked, 0)

    def _blastn(self, query: InputSequence, asked: Asked, outfmt: int) -> str:
        options = {
            "-task": asked.task,
            "-evalue": asked.evalue,
            "-gapopen": asked.gap_open,
            "-gapextend": asked.gap_extend,
            "-max_hsps": asked.max_hsps,
            "-word_size": asked.word_size,
            "-outfmt": outfmt,
        }
        masks = "yes" if asked.dust else "no"
        if self._program == "blastn":
            options |= {"-reward": asked.reward, "-penalty": asked.penalty, "-dust": masks}
        else:
            options |= {"-matrix": asked.matrix, "-seg": masks, "-comp_based_stats": "F"}
        if outfmt == 15:
            options["-max_target_seqs"] = asked.max_hits
        else:
            options["-num_descriptions"] = options["-num_alignments"] = asked.max_hits
        command = [self._program, "-db", str(self._base / "library")]
        command += [str(part) for pair in options.items() for part in pair]
        done = subprocess.run(
            command,
            input=f">{query.name}\n{query.letters}\n",
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        if done.returncode:
            raise SearchFailedError(done.stderr.replace(str(self._base), "$DATA_CURRENT"))
        return done.stdout


class LocalEngine:
    """The package's own Smith-Waterman; it masks nothing."""

    def __init__(self, library: Path, letters: Residues = "dna") -> None:
        self.library, self._letters = library, letters
        self._size = measure([library], letters)
        self._titles = {
            entry.id: f"{entry.id} {entry.description}".strip()
            for entry in read_library([library], letters)
        }

    def find(self, query: InputSequence, asked: Asked) -> Found:
        try:
            result = self._search(query, asked)
        except SeqforgeError as error:
            raise SearchFailedError(str(error)) from error
        hits = [
            {
                "title": self._titles[hit.id],
                "len": hit.length,
                "hsps": [_as_blast(number, hsp) for number, hsp in enumerate(hit.hsps, 1)],
            }
            for hit in result.hits
        ]
        program = "BLASTP" if self._letters == "protein" else "BLASTN"
        return Found(f"{program} local", query, self._size.sequences, self._size.letters, hits)

    def pairwise(self, query: InputSequence, asked: Asked) -> str | None:
        return None

    def close(self) -> None:
        """Nothing was built."""

    def _search(self, query: InputSequence, asked: Asked) -> SearchResult:
        common: dict[str, Any] = {
            "gap_open": asked.gap_open,
            "gap_extend": asked.gap_extend,
            "evalue": asked.evalue,
            "max_hits": asked.max_hits,
            "max_hsps": asked.max_hsps,
        }
        parameters: SearchLimits = (
            ProteinParameters(**common)
            if self._letters == "protein"
            else SearchParameters(reward=asked.reward, penalty=asked.penalty, **common)
        )
        return search_library([Query("q", query.letters)], self.library, parameters, threads=1)[0]


def _as_blast(number: int, hsp: Hsp) -> dict[str, Any]:
    return {
        "num": number,
        "bit_score": round(hsp.bit_score, 3),
        "score": hsp.score,
        "evalue": hsp.evalue,
        "identity": hsp.identity_count,
        "positive": hsp.positive_count,
        "query_from": hsp.query_start,
        "query_to": hsp.query_end,
        "query_strand": "Plus",
        "hit_from": hsp.hit_start,
        "hit_to": hsp.hit_end,
        "hit_strand": "Plus" if hsp.hit_strand == 1 else "Minus",
        "align_len": hsp.align_length,
        "gaps": hsp.gaps,
        "qseq": hsp.query_aligned,
        "hseq": hsp.hit_aligned,
        "midline": hsp.midline,
    }


_HEADER = re.compile(r"(?:(?P<database>[A-Z_]+):)?(?P<id>\S+)\s*(?P<description>.*)")


def parts_of(title: str, database: str) -> tuple[str, str, str]:
    """The hit's database, id and description from its header ``EM_INV:AE014296 AE014296.5 ...``.

    A header without a prefix gets one from the database: em_std_inv is EM_INV.
    """
    match = _HEADER.fullmatch(title)
    if match is None:
        raise ValueError(f"a header without an id: {title!r}")
    prefix = match["database"] or database.upper().replace("_STD", "").replace("_CDS", "")
    return prefix, match["id"], match["description"]
