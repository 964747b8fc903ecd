"""Python functions in, machine code for this processor out: a small compiler for loops over arrays.

Its language is a part of Python, so that a kernel also runs as the function it is (`interpreted`).
Types come from the arguments of a call; docs/kernels.md has the rules.
"""

from __future__ import annotations

import ctypes
import os
import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial, update_wrapper
from typing import Any, TypeVar

import numpy as np

from seqforge.core.kernels.bounds import raise_what_was_noted
from seqforge.core.kernels.kernel_cache import Written, digest_of, kept_or_compiled
from seqforge.core.kernels.llvm import Writer, function_text, load_object, object_code
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

_CHECKED = os.environ.get("SEQFORGE_CHECK_BOUNDS") == "1"
"""Whether all kernels check their indices."""

_mode = threading.local()


@contextmanager
def interpreted() -> Iterator[None]:
    """Kernels that this thread calls inside run as plain Python: slow."""
    _mode.plain = True
    try:
        yield
    finally:
        _mode.plain = False


@contextmanager
def checked() -> Iterator[None]:
    """Kernels that this thread calls inside check their indices, and raise `IndexError`.

    What intrinsics read is not checked. One thread at a time may do so.
    """
    _mode.checked = True
    try:
        yield
    finally:
        _mode.checked = _CHECKED


def _kind_of_call() -> bool | None:
    """Whether kernels that this thread calls check their indices; None where they run as Python."""
    return None if getattr(_mode, "plain", False) else getattr(_mode, "checked", _CHECKED)


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
        mode = _kind_of_call()
        return self.function(*arguments) if mode is None else self._ready(mode, arguments)()

    def bound(self, arguments: Sequence[Any]) -> Callable[[], Any]:
        """See the function `bound`."""
        ready: dict[bool, Callable[[], Any]] = {}

        def call() -> Any:
            mode = _kind_of_call()
            if mode is None:
                return self.function(*arguments)
            if mode not in ready:
                ready[mode] = self._ready(mode, arguments)
            return ready[mode]()

        return call

    def _ready(self, mode: bool, arguments: Sequence[Any]) -> Callable[[], Any]:
        """The call of what was compiled for the types of these arguments, with bounds checked or
        not."""
        kinds: list[Any] = [mode]
        words: Words = []
        for argument in arguments:
            put_words(argument, kinds, words)
        key = tuple(kinds)
        return partial(self._compiled.get(key) or self._compile(key, arguments), words)

    def _compile(self, key: tuple[Any, ...], arguments: Sequence[Any]) -> Callable[[Words], Any]:
        with self._lock:
            if key not in self._compiled:
                types = tuple(map(type_of, arguments))
                self._compiled[key] = _machine_function(self, types, key[0])
            return self._compiled[key]


def bound(kernel: Callable[..., Any], *arguments: Any) -> Callable[[], Any]:
    """The call of a kernel with these arguments, to be made many times: they are looked at once.

    Arrays stay the same ones, whatever is written into them.
    """
    made: Any = kernel
    call: Callable[[], Any] = made.bound(arguments)
    return call


def _machine_function(
    kernel: Kernel, types: tuple[Type, ...], checked: bool
) -> Callable[[Words], Any]:  # fmt: skip
    """A function of the arguments' words; other Python threads run while it does."""
    engine = _engine(kernel.function, types, checked)
    result = result_of(kernel.function)
    call = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(engine.get_function_address(ENTRY))
    packing = struct.Struct("".join(map(letters, types)) or "q")
    place = ctypes.c_char * packing.size

    def run(words: Words, _: Any = engine) -> Any:  # the code lives as long as its engine
        buffer = bytearray(packing.size)
        packing.pack_into(buffer, 0, *words)
        call(ctypes.addressof(place.from_buffer(buffer)))
        if checked:
            raise_what_was_noted()
        if result is None:
            return None
        (found,) = struct.unpack_from(result.word, buffer)
        return _KINDS[result](found)

    return run


def _engine(function: Callable[..., Any], types: tuple[Type, ...], checked: bool) -> Any:
    """What holds a kernel's machine code; with bounds checked it is not kept in the cache, since
    addresses of this process are in it."""

    def write() -> Written:
        unit = Unit(function.__name__, checked)
        unit.add_entry(function, types)
        return Written(str(unit.module), unit.modules, unit.constants, level=1)

    if checked:
        return load_object(object_code(write().text))
    key = f"{digest_of(function.__module__)} {types}"
    return kept_or_compiled(function.__name__, key, write)


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
