"""Files in, examples of text out: a file or folder a class, tables (TSV), parallel files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from seqforge.base.textio import plain_suffix, read_text
from seqforge.core.data.examples import Example, TaskName
from seqforge.core.records import Record
from seqforge.errors import InputError

_TABLES = (".tsv", ".tab")


def text_examples(task: TaskName, paths: Sequence[Path], encoding: str = "") -> Iterator[Example]:
    """The examples of some files, in order.

    Args:
        task: classify: of a table the lines ``text TAB class``; of other files each line, the
            file's name being its class; where the files lie in several folders each whole file, its
            folder's name being its class. label: lines ``text TAB labels``, the labels parted
            by blanks or a character each. translate: lines ``source TAB target``. Two files that
            are no tables are parallel: a line of the one belongs to the same line of the other.
        paths: Files.
        encoding: Of files that are not UTF-8.

    Raises:
        InputError: Naming file and line.
    """
    tables = [path for path in paths if plain_suffix(path) in _TABLES]
    others = [path for path in paths if plain_suffix(path) not in _TABLES]
    for path in tables:
        for where, line in _lines(path, encoding):
            source, tab, target = line.partition("\t")
            if not tab or not source or not target:
                raise InputError(f"{where}: a line of a table is a text, a TAB and {_WANTED[task]}")
            yield _example(task, source, target, where)
    if task == "classify":
        yield from _classes(others, encoding)
    elif others:
        yield from _parallel(task, others, encoding)


_WANTED = {"classify": "its class", "label": "its labels", "translate": "what it becomes"}


def _lines(path: Path, encoding: str) -> Iterator[tuple[str, str]]:
    """The lines of a file that are not empty, each with its place."""
    for number, line in enumerate(read_text(path, encoding).split("\n"), 1):
        if line.strip():
            yield f"{path}: line {number}", line.strip("\r")


def _example(task: TaskName, source: str, target: str, where: str) -> Example:
    if task == "classify":
        return Example(source.strip(), (target.strip(),), source.strip(), where)
    if task == "translate":
        return Example(source, tuple(target), source, where)
    words = target.split()
    labels = tuple(words) if len(words) > 1 else tuple(target.strip())
    if len(labels) != len(source):
        raise InputError(
            f"{where}: {len(source)} symbols and {len(labels)} labels; give a label for each symbol"
        )
    return Example(source, labels, source, where)


def _classes(paths: Sequence[Path], encoding: str) -> Iterator[Example]:
    folders = {path.parent for path in paths}
    for path in paths:
        if len(folders) > 1:
            yield from _whole(path, encoding)
            continue
        name = path.name.removesuffix("".join(path.suffixes)) or path.name
        for where, line in _lines(path, encoding):
            yield Example(line.strip(), (name,), line.strip(), where)


def _whole(path: Path, encoding: str) -> Iterator[Example]:
    """A file as one example, its folder's name being its class; nothing of an empty one."""
    text = read_text(path, encoding).strip("\n")
    if text:
        yield Example(text, (path.absolute().parent.name,), text, str(path))


def labelled_records(
    path: Path, folders: bool, encoding: str, symbols: Callable[[str], str]
) -> Iterator[Record]:
    """The records of a file, each with its label, by the rules of classes in `text_examples`.

    Args:
        path: A table, or a file whose name is the label of its lines.
        folders: Whether the file is one record instead, with the name of its folder for a label.
        encoding: Of a file that is not UTF-8.
        symbols: Text to symbols.

    Raises:
        InputError: Naming file and line.
    """
    found = _whole(path, encoding) if folders else text_examples("classify", [path], encoding)
    for number, one in enumerate(found, 1):
        name = f"{path.name}:{number}"
        yield Record(symbols(one.source), name, str(path), label=one.target[0])


def _parallel(task: TaskName, paths: Sequence[Path], encoding: str) -> Iterator[Example]:
    if len(paths) != 2:
        raise InputError(
            f"{paths[0]}: {len(paths)} files without tables; give a table (.tsv: a text, a TAB and "
            f"{_WANTED[task]}), or two parallel files"
        )
    first, second = (read_text(path, encoding).rstrip("\n").split("\n") for path in paths)
    if len(first) != len(second):
        shorter = min(len(first), len(second))
        raise InputError(
            f"{paths[0]} has {len(first):,} lines and {paths[1]} {len(second):,}; parallel files "
            f"have the same number: see line {shorter + 1}"
        )
    for number, (source, target) in enumerate(zip(first, second, strict=True), 1):
        if source or target:
            yield _example(task, source, target, f"{paths[1]}: line {number}")
