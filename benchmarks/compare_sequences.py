"""FASTA and GenBank files: what seqforge reads of them beside what Biopython reads, and how fast.

    python benchmarks/compare_sequences.py FOLDER --out benchmarks/results/compare_sequences.json

For every file under the folder: the records' names and letters by both readers, which should be
the same. Biopython's letters are made upper case, U is T, X is N, gaps are left out; IUPAC codes
stay. With --as-genbank each FASTA file is also written as GenBank, by Biopython, and read again by
both. Times are the processor's, the least of the rounds.
"""

from __future__ import annotations

import argparse
import io
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

from Bio import BiopythonWarning, SeqIO
from Bio.SeqRecord import SeqRecord

from common import about, say, scratch, table, write_result
from seqforge.base.textio import opened, plain_suffix
from seqforge.domains.genome.domain import GenomeDomain
from seqforge.domains.genome.fasta import GENBANK, read_sequences
from seqforge.errors import SeqforgeError

_CLEAN = str.maketrans({"U": "T", "X": "N", "-": None, ".": None, " ": None})
_LONGEST_NAME = 16  # of a LOCUS line that Biopython writes

Records = list[tuple[str, str]]
Read = TypeVar("Read")


def ours(path: Path) -> Records:
    """Names and letters by seqforge."""
    return [(record.name, record.symbols) for record in read_sequences(path, keep_codes=True)]


def biopythons(path: Path) -> Records:
    """Names and letters by Biopython, as they stand there."""
    return [(str(record.id), str(record.seq)) for record in parsed(path)]


def parsed(path: Path) -> Iterator[SeqRecord]:
    """The records of a file, packed or not."""
    kind = "genbank" if plain_suffix(path) in GENBANK else "fasta"
    with opened(path) as stream:
        yield from SeqIO.parse(io.TextIOWrapper(stream, encoding="utf-8"), kind)


def cleaned(records: Records) -> Records:
    """By the rules that the module's docstring states."""
    return [(name, letters.upper().translate(_CLEAN)) for name, letters in records]


def timed(read: Callable[[Path], Read], path: Path, rounds: int) -> tuple[Read | str, float]:
    """What is read, or why it is not; and the least seconds of the processor."""
    least, found = float("inf"), None
    for _ in range(rounds):
        began = time.process_time()
        try:
            found = read(path)
        except (SeqforgeError, ValueError) as error:
            return f"{type(error).__name__}: {error}", 0.0
        least = min(least, time.process_time() - began)
    assert found is not None
    return found, least


def row(path: Path, name: str, rounds: int) -> dict[str, Any]:
    """What a line of the table says."""
    mine, seconds = timed(ours, path, rounds)
    theirs, their_seconds = timed(biopythons, path, rounds)
    line: dict[str, Any] = {
        "file": name, "records": None, "bases": None, "same names": None, "same letters": None,
        "seqforge s": None, "Biopython s": None, "refused": "",
    }  # fmt: skip
    if isinstance(mine, str) or isinstance(theirs, str):
        who = [
            f"{by} ({found.replace(str(path), name)})"
            for by, found in (("seqforge", mine), ("Biopython", theirs))
            if isinstance(found, str)
        ]
        return {**line, "refused": "; ".join(who)}
    wanted = cleaned(theirs)
    return {
        **line,
        "records": len(mine),
        "bases": sum(len(letters) for _, letters in mine),
        "same names": [name for name, _ in mine] == [name for name, _ in wanted],
        "same letters": [letters for _, letters in mine] == [letters for _, letters in wanted],
        "seqforge s": round(seconds, 4),
        "Biopython s": round(their_seconds, 4),
    }


def as_genbank(path: Path, folder: Path) -> Path:
    """The records of a FASTA file as a GenBank file.

    Raises:
        ValueError: If Biopython cannot write it so.
    """
    target = folder / f"{path.name}.gb"
    records = list(parsed(path))
    for number, record in enumerate(records, 1):
        record.annotations["molecule_type"] = "DNA"
        if len(record.id) > _LONGEST_NAME:
            record.name = f"record{number}"
    SeqIO.write(records, target, "genbank")
    return target


def rows_of(folder: Path, rounds: int, genbank: bool) -> Iterator[dict[str, Any]]:
    """A line for every file under the folder."""
    paths = sorted(p for p in folder.rglob("*") if plain_suffix(p) in GenomeDomain.suffixes)
    with scratch() as made:
        for path in paths:
            name = path.relative_to(folder).as_posix()
            say(name)
            line = row(path, name, rounds)
            yield line
            if genbank and not line["refused"] and plain_suffix(path) not in GENBANK:
                yield row(as_genbank(path, made), f"{name} as GenBank", rounds)


def shown(line: dict[str, Any]) -> dict[str, Any]:
    """A line as the table has it."""
    words = {True: "yes", False: "no"}
    return {
        key: words[value] if isinstance(value, bool) else value
        for key, value in line.items()
        if key != "refused"
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Compare, print a table, write JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="FASTA and GenBank files, packed or not")
    parser.add_argument("--as-genbank", action="store_true", help="FASTA files as GenBank too")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, help="JSON")
    given = parser.parse_args(arguments)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BiopythonWarning)
        rows = list(rows_of(given.folder, given.rounds, given.as_genbank))
    if not rows:
        parser.error(f"{given.folder}: holds no FASTA or GenBank file")
    print(table([shown(line) for line in rows]))
    for line in rows:
        if line["refused"]:
            print(f"{line['file']}: refused by {line['refused']}")
    compared = [line for line in rows if not line["refused"]]
    same = sum(line["same names"] and line["same letters"] for line in compared)
    print(f"{same} of {len(compared)} files read the same; {len(rows) - len(compared)} refused")
    settings = {"rounds": given.rounds, "biopython": version("biopython")}
    write_result(given.out, {**about(0, settings), "files": rows})


if __name__ == "__main__":
    main()
