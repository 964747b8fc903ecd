"""A file of annotations (a table with a row for each symbol, or a format of a domain's field) in,
annotations of the symbols of records out.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqforge.base.messages import shown
from seqforge.base.textio import plain_suffix, read_text
from seqforge.core.inspection.annotations import ReadsAnnotations
from seqforge.core.records import Record
from seqforge.errors import InputError

SUFFIXES = (".tsv", ".tab")
"""Of tables."""

_BESIDE = re.compile(r"record|position|symbol|(?:likeliest|probability)_\d+")
"""Columns of a written trace that say nothing else of a symbol; they are not read."""
_TRUTH = {"0": 0.0, "1": 1.0, "false": 0.0, "true": 1.0}


def read_annotations(
    domain: object, path: Path, records: Sequence[Record]
) -> Mapping[str, Sequence[NDArray[Any]]]:
    """A file in, for each name an array (T,) for each record out; see `Annotates`.

    Raises:
        InputError: If it cannot be used, or fits no record.
    """
    suffix = plain_suffix(path)
    if isinstance(domain, ReadsAnnotations) and suffix in domain.annotation_suffixes:
        return domain.read_annotations(path, records)
    if suffix not in SUFFIXES:
        known = domain.annotation_suffixes if isinstance(domain, ReadsAnnotations) else ()
        raise InputError(
            f"{path}: is not known as a file of annotations by its ending; give a table (TSV) or "
            f"one of {', '.join((*SUFFIXES, *known))}"
        )
    return read_table(path, records)


def read_table(path: Path, records: Sequence[Record]) -> dict[str, list[NDArray[Any]]]:
    """A table separated by tabs in, for each column an array (T,) for each record out.

    The first row has names; the others are one for each symbol, those of the second record after
    those of the first. An empty cell is unknown. A column that holds nothing but 0 and 1 (or true
    and false) is of truth values: bool, or 0, 1 and NaN in records where some are unknown. Columns
    of words are left out, and those of a written trace.

    Raises:
        InputError: If it is no such table, or has more or fewer rows than there are symbols.
    """
    names, *rows = read_text(path).removesuffix("\n").split("\n")
    sizes = [len(record.symbols) for record in records]
    columns = _columns(path, names.split("\t"), rows)
    if len(rows) != sum(sizes):
        raise InputError(
            f"{path}: has {len(rows):,} rows below its names, and the input has {sum(sizes):,} "
            "symbols; give a row for each symbol"
        )
    edges = np.cumsum([0, *sizes])
    found = {}
    for name, cells in columns.items():
        values = _values(path, name, cells)
        if values is not None:
            parts = np.split(values, edges[1:-1])
            found[name] = [_truth(part) if _is_truth(cells) else part for part in parts]
    if not found:
        raise InputError(f"{path}: has no column of numbers; give one below a name")
    return found


def _columns(path: Path, names: Sequence[str], rows: Sequence[str]) -> dict[str, list[str]]:
    """The cells of each column."""
    names = [name.strip() for name in names]
    if all(_number(name) is not None for name in names):
        raise InputError(f"{path}: begins with numbers; give a first row of names")
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError(f"{path}: has two columns {shown(twice, 60)}; give each its own name")
    cells = [row.split("\t") for row in rows]
    for number, row in enumerate(cells, 2):
        if len(row) != len(names):
            raise InputError(
                f"{path}:{number}: has {len(row)} cells, and the first row {len(names)} names"
            )
    return {name: [row[place].strip() for row in cells] for place, name in enumerate(names)}


def _is_truth(cells: Sequence[str]) -> bool:
    return {cell.lower() for cell in set(cells)} <= {"", *_TRUTH}


def _values(path: Path, name: str, cells: Sequence[str]) -> NDArray[np.float32] | None:
    """The numbers of a column; None for one of words."""
    known = {cell: _number(cell) for cell in set(cells)}
    first = next((cell for cell in cells if cell), "")
    if _BESIDE.fullmatch(name) or not first or known[first] is None:
        return None
    for number, cell in enumerate(cells, 2):
        if known[cell] is None:
            raise InputError(
                f"{path}:{number}: {shown(cell, 60)} in column {shown(name, 60)} is no number"
            )
    return np.array([known[cell] for cell in cells], np.float32)


def _number(cell: str) -> float | None:
    """A cell's number, NaN where it is unknown; None for a word."""
    if not cell:
        return math.nan
    try:
        return _TRUTH[cell.lower()] if cell.lower() in _TRUTH else float(cell)
    except ValueError:
        return None


def _truth(values: NDArray[np.float32]) -> NDArray[Any]:
    return values if np.isnan(values).any() else values.astype(bool)
