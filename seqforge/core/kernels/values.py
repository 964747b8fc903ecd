"""A kernel's arguments in, their types and the words that carry them out: numbers, arrays, named
tuples and constants as compiled code takes them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from llvmlite import ir

from seqforge.core.kernels.llvm import F32, F64, I1, I64


class KernelError(TypeError):
    """A function outside the kernels' language, or arguments that no kernel takes."""


@dataclass(frozen=True)
class Scalar:
    """A kind of number in a register."""

    name: str
    llvm: Any
    word: str
    """Its letter in `struct`: as an argument it takes eight bytes."""


INT, UINT = Scalar("int", I64, "q"), Scalar("np.uint64", I64, "Q")
FLOAT, FLOAT32 = Scalar("float", F64, "d"), Scalar("np.float32", F32, "d")
BOOL = Scalar("bool", I1, "q")

SCALARS: dict[Any, Scalar] = {
    bool: BOOL, int: INT, float: FLOAT, np.bool_: BOOL, np.int64: INT, np.uint64: UINT,
    np.float64: FLOAT, np.float32: FLOAT32,
}  # fmt: skip


@dataclass(frozen=True)
class ArrayType:
    """A C-contiguous array."""

    dtype: np.dtype[Any]
    ndim: int

    @property
    def scalar(self) -> Scalar:
        """What an element is in a register: small integers are widened."""
        if self.dtype in (np.uint64, np.float32):
            return SCALARS[self.dtype.type]
        return {"b": BOOL, "i": INT, "u": INT, "f": FLOAT}[self.dtype.kind]

    @property
    def stored(self) -> Any:
        """What an element is in memory."""
        is_float = self.dtype.kind == "f"
        return self.scalar.llvm if is_float else ir.IntType(8 * self.dtype.itemsize)


@dataclass(frozen=True)
class TupleType:
    """A named tuple."""

    names: tuple[str, ...]
    fields: tuple[Type, ...]


@dataclass(frozen=True)
class Constant:
    """A string or another kernel: every one has code of its own."""

    value: Any

    def __repr__(self) -> str:
        """What the cache tells constants by."""
        if isinstance(self.value, str):
            return repr(self.value)
        return f"{self.value.__module__}.{self.value.__qualname__}"


Type = Scalar | ArrayType | TupleType | Constant


def is_constant(value: Any) -> bool:
    """Whether an argument is a string or a kernel."""
    return isinstance(value, str) or hasattr(value, "function")


@dataclass(frozen=True)
class Number:
    """A number in a register."""

    scalar: Scalar
    value: Any


@dataclass(frozen=True)
class Array:
    """An array, or the rest of one behind its first indices."""

    type: ArrayType
    pointer: Any
    shape: tuple[Number, ...]


@dataclass(frozen=True)
class Tuple:
    """A named tuple's fields by name."""

    fields: dict[str, Any]


def type_of(value: Any) -> Type:
    """The type of an argument.

    Raises:
        KernelError: If kernels take no such thing.
    """
    if isinstance(value, np.ndarray):
        if value.dtype.kind not in "biuf" or not value.dtype.isnative:
            raise KernelError(f"a kernel takes no array of {value.dtype}")
        return ArrayType(value.dtype, value.ndim)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return TupleType(value._fields, tuple(type_of(field) for field in value))
    if is_constant(value):
        return Constant(value)
    if type(value) in SCALARS:
        return SCALARS[type(value)]
    raise KernelError(f"a kernel takes no {type(value).__name__}")


def put_words(value: Any, key: list[Any], words: list[Any]) -> None:
    """Add an argument's words, and what tells its type from others.

    Raises:
        KernelError: If an array is not contiguous.
    """
    if isinstance(value, np.ndarray):
        if not value.flags.c_contiguous:
            raise KernelError("a kernel takes C-contiguous arrays only")
        key += (value.dtype, value.ndim)
        words += (value.__array_interface__["data"][0], *value.shape)
    elif isinstance(value, tuple):
        key.append(type(value))
        for field in value:
            put_words(field, key, words)
    elif is_constant(value):
        key.append(value)
    else:
        key.append(type(value))
        words.append(value)


def letters(kind: Type) -> str:
    """What `struct` calls the words of a type."""
    if isinstance(kind, TupleType):
        return "".join(letters(field) for field in kind.fields)
    if isinstance(kind, Constant):
        return ""
    return kind.word if isinstance(kind, Scalar) else "Q" + "q" * kind.ndim


def registers(kind: Type) -> Iterator[Any]:
    """LLVM's types of the words, as one compiled function gives them to another."""
    if isinstance(kind, TupleType):
        for field in kind.fields:
            yield from registers(field)
    elif isinstance(kind, Scalar):
        yield kind.llvm
    elif isinstance(kind, ArrayType):
        yield kind.stored.as_pointer()
        yield from [I64] * kind.ndim


def joined(kind: Type, words: Iterator[Any]) -> Any:
    """The value of a type whose words come next."""
    if isinstance(kind, TupleType):
        fields = (joined(field, words) for field in kind.fields)
        return Tuple(dict(zip(kind.names, fields, strict=True)))
    if isinstance(kind, Scalar):
        return Number(kind, next(words))
    if isinstance(kind, Constant):
        return kind.value
    pointer = next(words)
    return Array(kind, pointer, tuple(Number(INT, next(words)) for _ in range(kind.ndim)))


def parts(value: Any) -> Iterator[Any]:
    """The words of a value: what `joined` took."""
    if isinstance(value, Tuple):
        for field in value.fields.values():
            yield from parts(field)
    elif isinstance(value, Array):
        yield value.pointer
        yield from (size.value for size in value.shape)
    elif isinstance(value, Number):
        yield value.value


def value_type(value: Any) -> Type:
    """The type of a value."""
    if is_constant(value):
        return Constant(value)
    if isinstance(value, Tuple):
        return TupleType(tuple(value.fields), tuple(map(value_type, value.fields.values())))
    found: Type = value.type if isinstance(value, Array) else value.scalar
    return found
