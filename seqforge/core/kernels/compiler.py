"""Python functions in, machine code for this processor out: a small compiler for loops over arrays.

Its language is a part of Python, so that a kernel also runs as the function it is (`interpreted`).
Types come from the arguments of a call; docs/kernels.md has the rules.
"""

from __future__ import annotations

import ctypes
import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import update_wrapper
from typing import Any, TypeVar

import numpy as np

from seqforge.core.kernels.kernel_cache import Written, digest_of, kept_or_compiled
from seqforge.core.kernels.llvm import Writer, function_text
from seqforge.core.kernels.lowering import ENTRY, Unit, result_of
from seqforge.core.kernels.values import (
    BOOL,
    FLOAT,
    FLOAT32,
    INT,
    UINT,
    Scalar,
    Type,
    letters,
    put_words,
    type_of,
)

Function = TypeVar("Function", bound=Callable[..., Any])
Words = list[Any]
_KINDS: dict[Scalar, Callable[[Any], Any]] = {
    BOOL: bool, INT: int, UINT: np.uint64, FLOAT: float, FLOAT32: np.float32,
}  # fmt: skip

_mode = threading.local()


@contextmanager
def interpreted() -> Iterator[None]:
    """Kernels that this thread calls inside run as plain Python: slow, and with bounds checked."""
    _mode.plain = True
    try:
        yield
    finally:
        _mode.plain = False


def kernel(function: Function) -> Function:
    """Make a function compile itself when it is called, once for each set of argument types."""
    made: Any = Kernel(function)
    return made  # type: ignore[no-any-return]  # it is called like the function


def written_by(writer: Callable[..., Any]) -> Callable[[Function], Function]:
    """Give a function the code that kernels put in its place.

    ``writer`` gets a `Code` and the values of the arguments, and returns a `Number` or None.
    """

    def with_writer(function: Function) -> Function:
        function.writer = writer  # type: ignore[attr-defined]  # read where a kernel calls it
        return function

    return with_writer


class Kernel:
    """A function and what was compiled of it."""

    def __init__(self, function: Callable[..., Any]) -> None:
        update_wrapper(self, function)
        self.function = function
        self._lock = threading.Lock()
        self._compiled: dict[tuple[Any, ...], Callable[[Words], Any]] = {}

    def __call__(self, *arguments: Any) -> Any:
        """What the function does, in machine code."""
        if getattr(_mode, "plain", False):
            return self.function(*arguments)
        key: list[Any] = []
        words: Words = []
        for argument in arguments:
            put_words(argument, key, words)
        return (self._compiled.get(tuple(key)) or self._compile(tuple(key), arguments))(words)

    def _compile(self, key: tuple[Any, ...], arguments: Sequence[Any]) -> Callable[[Words], Any]:
        with self._lock:
            if key not in self._compiled:
                self._compiled[key] = _machine_function(self, tuple(map(type_of, arguments)))
            return self._compiled[key]


def _machine_function(kernel: Kernel, types: tuple[Type, ...]) -> Callable[[Words], Any]:
    """A function of the arguments' words; other Python threads run while it does."""

    def write() -> Written:
        unit = Unit(kernel.function.__name__)
        unit.add_entry(kernel.function, types)
        return Written(str(unit.module), unit.modules, unit.constants)

    function = kernel.function
    key = f"{digest_of(function.__module__)} {types}"
    engine = kept_or_compiled(function.__name__, key, write)
    result = result_of(function)
    call = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(engine.get_function_address(ENTRY))
    packing = struct.Struct("".join(map(letters, types)) or "q")
    place = ctypes.c_char * packing.size

    def run(words: Words, _: Any = engine) -> Any:  # the code lives as long as its engine
        buffer = bytearray(packing.size)
        packing.pack_into(buffer, 0, *words)
        call(ctypes.addressof(place.from_buffer(buffer)))
        if result is None:
            return None
        (found,) = struct.unpack_from(result.word, buffer)
        return _KINDS[result](found)

    return run


def compile_function(
    name: str, pointers: int, numbers: int, write: Writer
) -> Callable[..., None]:  # fmt: skip
    """A function of so many addresses and then so many whole numbers, from the code of a writer.

    It is called through ctypes, which lets other Python threads run meanwhile.
    """
    text = function_text(name, pointers, numbers, write)
    engine = kept_or_compiled(name, text, lambda: Written(text))
    types: Sequence[Any] = [ctypes.c_void_p] * pointers + [ctypes.c_int64] * numbers
    call = ctypes.CFUNCTYPE(None, *types)(engine.get_function_address(name))
    call.engine = engine  # type: ignore[attr-defined]  # so that the code lives as long as its engine
    return call
