"""A kernel's name and sources in, its machine code out: compiled once, then kept in the cache.

A file of the cache holds the object code, the names and digests of all sources it was made from,
and a digest of the whole. Nothing is needed of the folder: where nothing can be kept, or what was
kept is damaged or of other sources, the kernel is compiled.
"""

from __future__ import annotations

import gc
import hashlib
import json
import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from seqforge.base.atomic_files import write_atomically
from seqforge.base.folders import cache_root
from seqforge.core.kernels.llvm import COMPILER, load_object, object_code
from seqforge.errors import RunError

_DIGEST = hashlib.sha256().digest_size
_PACKAGE = __name__.rpartition(".")[0]
_OWN = [f"{_PACKAGE}.{name}" for name in ("compiler", "expressions", "llvm", "lowering", "ops",
                                          "values")]  # fmt: skip
"""Modules whose text may change any kernel."""


@dataclass(frozen=True)
class Written:
    """A kernel before LLVM has compiled it."""

    text: str
    """LLVM code."""
    modules: Collection[str] = ()
    """Those whose functions are in it."""
    constants: Mapping[str, str] = field(default_factory=dict)
    """Numbers, and fields of tuples, that it took from modules: ``module:name`` to how they
    print."""
    level: int = 2
    """How much LLVM makes of it."""


def kept_or_compiled(name: str, key: str, write: Callable[[], Written]) -> Any:
    """The engine that holds a kernel's machine code.

    Args:
        name: What the file is called by.
        key: What tells the kernel from others of its name: its source and types, or its text.
        write: Writes its LLVM code, where it has to be compiled.
    """
    said = "\n".join([COMPILER, key, *map(digest_of, _OWN)])
    path = _folder() / f"{name}-{hashlib.sha256(said.encode()).hexdigest()[:24]}.kernel"
    found = _read(path)
    if found is not None:
        with suppress(RuntimeError):  # LLVM's word for an object file that it cannot load
            return load_object(found)
    with _nothing_collected():
        written = write()
    code = object_code(written.text, written.level)
    _keep(path, code, written)
    return load_object(code)


@contextmanager
def _nothing_collected() -> Iterator[None]:
    """What is written stays until it is done: to look for garbage in it is a third of the time."""
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if before:
            gc.enable()


def _folder() -> Path:
    return cache_root() / "kernels"


@cache
def digest_of(module: str) -> str:
    """SHA-256 of the source of a module that was imported; empty where it has none."""
    try:
        return hashlib.sha256(Path(sys.modules[module].__file__ or "").read_bytes()).hexdigest()
    except (OSError, KeyError):
        return ""


def _read(path: Path) -> bytes | None:
    """The object code, if it is whole and its sources read as they did."""
    with suppress(OSError, ValueError):
        data = path.read_bytes()
        body, digest = data[:-_DIGEST], data[-_DIGEST:]
        if hashlib.sha256(body).digest() == digest:
            head, _, code = body.partition(b"\n")
            modules, constants = json.loads(head)
            same = all(digest_of(name) == was for name, was in modules.items())
            if same and all(_constant(name) == was for name, was in constants.items()):
                return code
    return None


def _constant(name: str) -> str:
    """How a number of a module, or the fields of its named tuple, print now."""
    module, _, attribute = name.partition(":")
    found = getattr(sys.modules.get(module), attribute, None)
    return repr(getattr(found, "_fields", found))


def _keep(path: Path, code: bytes, written: Written) -> None:
    head = [{name: digest_of(name) for name in sorted(written.modules)}, dict(written.constants)]
    body = json.dumps(head).encode() + b"\n" + code
    with suppress(OSError, RunError):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, body + hashlib.sha256(body).digest())
