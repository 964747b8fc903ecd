"""Python expressions in, LLVM values out: what the kernels' language calculates.

Constants of Python stay Python's until they meet a value, whose kind they then take.
"""

from __future__ import annotations

import ast
import builtins
import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir

from seqforge.core.kernels.bounds import write_check
from seqforge.core.kernels.llvm import F32, F64, I64
from seqforge.core.kernels.values import (
    BOOL,
    FLOAT,
    FLOAT32,
    INT,
    SCALARS,
    UINT,
    Array,
    ArrayType,
    KernelError,
    Number,
    Scalar,
    Tuple,
    is_constant,
    parts,
    value_type,
)

_Callable = Callable[..., Any]

_BINARY: dict[type[ast.operator], tuple[_Callable, str, str]] = {
    ast.Add: (operator.add, "add", "fadd"),
    ast.Sub: (operator.sub, "sub", "fsub"),
    ast.Mult: (operator.mul, "mul", "fmul"),
    ast.Div: (operator.truediv, "", "fdiv"),
    ast.FloorDiv: (operator.floordiv, "floor", ""),
    ast.Mod: (operator.mod, "rest", ""),
    ast.LShift: (operator.lshift, "shl", ""),
    ast.RShift: (operator.rshift, "ashr", ""),
    ast.BitAnd: (operator.and_, "and_", ""),
    ast.BitOr: (operator.or_, "or_", ""),
    ast.BitXor: (operator.xor, "xor", ""),
}
"""Of Python's operators: on constants, on whole numbers, on floating-point numbers."""
_UNSIGNED = {"floor": "udiv", "rest": "urem", "ashr": "lshr"}
_COMPARED: dict[type[ast.cmpop], tuple[_Callable, str]] = {
    ast.Lt: (operator.lt, "<"), ast.LtE: (operator.le, "<="), ast.Gt: (operator.gt, ">"),
    ast.GtE: (operator.ge, ">="), ast.Eq: (operator.eq, "=="), ast.NotEq: (operator.ne, "!="),
}  # fmt: skip
_MATHS = {np.floor: "llvm.floor", np.sqrt: "llvm.sqrt", math.sqrt: "llvm.sqrt",
          np.log: "llvm.log", math.log: "llvm.log", np.exp: "llvm.exp"}  # fmt: skip


class Variable:
    """A number that changes: in memory, until LLVM finds a register for it."""

    def __init__(self, scalar: Scalar, place: Any) -> None:
        self.scalar, self.place = scalar, place


class Expressions:
    """The expressions of one function while it is compiled."""

    checked = False
    """Whether indices are checked."""

    def __init__(
        self, compiled: _Callable, constants: dict[str, str], function: _Callable,
        builder: ir.IRBuilder,
    ) -> None:  # fmt: skip
        """
        Args:
            compiled: Gives the compiled form of another function, and what it returns.
            constants: Where the numbers of modules that go into the code are written down.
            function: What is compiled.
            builder: Where to write.
        """
        self.b, self.names, self.node = builder, dict[str, Any](), ast.AST()
        self._compiled, self._function, self.constants = compiled, function, constants

    def refused(self, why: str) -> KernelError:
        """The error that names the statement at hand."""
        return KernelError(f"{self._place()}: {why}")

    def _place(self) -> str:
        line = getattr(self.node, "lineno", 0)
        return f"{self._function.__code__.co_filename}:{line}"

    def blocks(self, *names: str) -> list[Any]:
        """New blocks at the end of the function."""
        return [self.b.append_basic_block(name) for name in names]

    def value(self, node: ast.expr) -> Any:
        """The value of an expression: a `Number`, `Array` or `Tuple`, or what Python has there."""
        write = getattr(self, f"_{type(node).__name__.lower()}", None)
        if write is None:
            raise self.refused(f"kernels know no {type(node).__name__}")
        return write(node)

    def number(self, value: Any, wanted: Scalar | None = None) -> Number:
        """A value as a number of a kind, or of its own.

        Constants become what is wanted, and whole numbers become floating-point ones.
        """
        if isinstance(value, Number):
            if wanted in (None, value.scalar):
                return value
            if (value.scalar, wanted) == (INT, FLOAT):
                return Number(FLOAT, self.b.sitofp(value.value, F64))
            raise self.refused(f"{wanted and wanted.name} expected, not {value.scalar.name}")
        if type(value) not in SCALARS:
            raise self.refused(f"a number expected, not {type(value).__name__}")
        kind = wanted or SCALARS[type(value)]
        fits = isinstance(value, bool | np.bool_) == (kind is BOOL)
        if not fits or (kind in (INT, UINT) and int(value) != value):
            raise self.refused(f"{kind.name} expected, not {value!r}")
        plain = float(value) if kind in (FLOAT, FLOAT32) else int(value)
        return Number(kind, ir.Constant(kind.llvm, plain))

    def truth(self, value: Any) -> bool | Number:
        """Whether it counts as true; known at once of a constant."""
        if isinstance(value, Number) and value.scalar in (INT, UINT):
            return Number(BOOL, self.b.icmp_signed("!=", value.value, ir.Constant(I64, 0)))
        if isinstance(value, bool | int):
            return bool(value)
        return self.number(value, BOOL)

    def _constant(self, node: ast.Constant) -> Any:
        return node.value

    def _name(self, node: ast.Name) -> Any:
        found = self.names.get(node.id)
        if isinstance(found, Variable):
            return Number(found.scalar, self.b.load(found.place))
        if found is not None:
            return found
        if node.id in self._function.__globals__:
            return self._known(self._function.__module__, node.id, self._function.__globals__)
        if not hasattr(builtins, node.id):
            raise self.refused(f"{node.id} has no value here")
        return getattr(builtins, node.id)

    def _attribute(self, node: ast.Attribute) -> Any:
        base = self.value(node.value)
        if isinstance(base, Tuple):
            return base.fields[node.attr]
        if isinstance(base, Array) and node.attr == "shape":
            return base.shape
        if isinstance(base, Array | Number):
            raise self.refused(f"kernels know no .{node.attr} here")
        return self._known(base.__name__, node.attr, vars(base))

    def _known(self, module: str, name: str, names: dict[str, Any]) -> Any:
        """What a module has; a number, or the order of a tuple's fields, goes into the code."""
        if name not in names:
            raise self.refused(f"{module} has no {name}")
        if type(names[name]) in SCALARS:
            self.constants[f"{module}:{name}"] = repr(names[name])
        elif hasattr(names[name], "_fields"):
            self.constants[f"{module}:{name}"] = repr(names[name]._fields)
        return names[name]

    def _tuple(self, node: ast.Tuple) -> Any:
        return tuple(self.value(part) for part in node.elts)

    def _subscript(self, node: ast.Subscript) -> Any:
        base = self.value(node.value)
        if isinstance(base, tuple):
            return base[self.value(node.slice)]
        array, place = self.element(node, base)
        if len(array.shape) > 0:
            return Array(array.type, place, array.shape)
        return self.loaded(array, place)

    def element(self, node: ast.Subscript, base: Any = None) -> tuple[Array, Any]:
        """What is left of an array behind the indices, and its address."""
        array = self.value(node.value) if base is None else base
        if not isinstance(array, Array):
            raise self.refused("only arrays have elements")
        indices = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        if len(indices) > len(array.shape):
            raise self.refused(f"{len(indices)} indices for {len(array.shape)} dimensions")
        flat: Any = None
        for size, index in zip(array.shape, indices, strict=False):
            next_one = self.number(self.value(index), INT).value
            if self.checked:
                next_one = write_check(self.b, next_one, size.value, self._place())
            before = None if flat is None else self.b.mul(flat, size.value)
            flat = next_one if before is None else self.b.add(before, next_one)
        rest = array.shape[len(indices) :]
        for size in rest:
            flat = self.b.mul(flat, size.value)
        kind = ArrayType(array.type.dtype, len(rest))
        return Array(kind, array.pointer, rest), self.b.gep(array.pointer, [flat])

    def loaded(self, array: Array, place: Any) -> Number:
        """The element at an address; small integers are widened."""
        kind, value = array.type, self.b.load(place)
        if array.shape:
            raise self.refused("an element expected, not an array")
        if kind.scalar is BOOL:
            value = self.b.trunc(value, BOOL.llvm)
        elif kind.dtype.kind in "iu" and kind.dtype.itemsize < 8:
            widen = self.b.sext if kind.dtype.kind == "i" else self.b.zext
            value = widen(value, I64)
        return Number(kind.scalar, value)

    def store(self, array: Array, place: Any, value: Any) -> None:
        """Put an element: integers are cut to its size, float is rounded to float32."""
        kind = array.type
        if array.shape:
            raise self.refused("an element expected, not an array: write a loop")
        if kind.scalar is FLOAT32 and isinstance(value, Number) and value.scalar is not FLOAT32:
            found = self.b.fptrunc(self.number(value, FLOAT).value, F32)
        else:
            found = self.number(value, kind.scalar).value
        if kind.scalar is BOOL:
            found = self.b.zext(found, kind.stored)
        elif kind.dtype.kind in "iu" and kind.dtype.itemsize < 8:
            found = self.b.trunc(found, kind.stored)
        self.b.store(found, place)

    def _paired(self, left: Any, right: Any) -> tuple[Number, Number]:
        """Both as numbers of one kind: a constant takes the other's, a whole number grows."""
        kinds = [value.scalar for value in (left, right) if isinstance(value, Number)]
        if set(kinds) == {INT, FLOAT}:
            kinds = [FLOAT]
        if kinds == [INT] and any(isinstance(value, float) for value in (left, right)):
            kinds = [FLOAT]
        return self.number(left, kinds[0]), self.number(right, kinds[0])

    def _binop(self, node: ast.BinOp) -> Any:
        return self.operated(type(node.op), self.value(node.left), self.value(node.right))

    def operated(self, kind: type[ast.operator], left: Any, right: Any) -> Any:
        """``left op right``."""
        if kind not in _BINARY:
            raise self.refused(f"kernels know no {kind.__name__}")
        plain, whole, floating = _BINARY[kind]
        if not isinstance(left, Number) and not isinstance(right, Number):
            return plain(left, right)
        a, b = self._paired(left, right)
        if kind is ast.Div and a.scalar is INT:
            a, b = self.number(a, FLOAT), self.number(b, FLOAT)
        name = floating if a.scalar in (FLOAT, FLOAT32) else whole
        if not name or (a.scalar is BOOL and name not in ("and_", "or_", "xor")):
            raise self.refused(f"no {kind.__name__} of {a.scalar.name}")
        if a.scalar is UINT:
            name = _UNSIGNED.get(name, name)
        write = self._floored if name in ("floor", "rest") else getattr(self.b, name)
        return Number(a.scalar, write(a.value, b.value, name))

    def _floored(self, a: Any, b: Any, name: str) -> Any:
        """Quotient or rest of a division towards minus infinity, as Python's."""
        quotient, rest, zero = self.b.sdiv(a, b), self.b.srem(a, b), ir.Constant(I64, 0)
        signs = self.b.icmp_signed("<", self.b.xor(rest, b), zero)
        below = self.b.and_(self.b.icmp_signed("!=", rest, zero), signs)
        if name == "floor":
            return self.b.sub(quotient, self.b.zext(below, I64))
        return self.b.add(rest, self.b.select(below, b, zero))

    def _unaryop(self, node: ast.UnaryOp) -> Any:
        value = self.value(node.operand)
        if isinstance(node.op, ast.Not):
            test = self.truth(value)
            return not test if isinstance(test, bool) else Number(BOOL, self.b.not_(test.value))
        if not isinstance(node.op, ast.USub):
            raise self.refused(f"kernels know no {type(node.op).__name__}")
        if not isinstance(value, Number):
            return -value
        negate = self.b.neg if value.scalar in (INT, UINT) else self.b.fneg
        return Number(value.scalar, negate(value.value))

    def _compare(self, node: ast.Compare) -> Any:
        found, left = None, self.value(node.left)
        for kind, right in zip(node.ops, map(self.value, node.comparators), strict=True):
            if type(kind) not in _COMPARED:
                raise self.refused(f"kernels know no {type(kind).__name__}")
            one = self._compared(*_COMPARED[type(kind)], left, right)
            both = found is not None
            found = self.operated(ast.BitAnd, found, one) if both else one
            left = right
        return found

    def _compared(self, plain: _Callable, sign: str, left: Any, right: Any) -> Any:
        if not isinstance(left, Number) and not isinstance(right, Number):
            return plain(left, right)
        a, b = self._paired(left, right)
        if a.scalar in (FLOAT, FLOAT32):
            compare = self.b.fcmp_unordered if sign == "!=" else self.b.fcmp_ordered
        else:
            compare = self.b.icmp_signed if a.scalar is INT else self.b.icmp_unsigned
        return Number(BOOL, compare(sign, a.value, b.value))

    def _boolop(self, node: ast.BoolOp) -> Any:
        """Later parts are calculated only where they are needed, as in Python."""
        is_and = isinstance(node.op, ast.And)
        (after,), known = self.blocks("known"), list[tuple[Any, Any]]()
        for part in node.values[:-1]:
            test = self.number(self.truth(self.value(part))).value
            known.append((ir.Constant(BOOL.llvm, not is_and), self.b.block))
            (more,) = self.blocks("more")
            self.b.cbranch(test, *((more, after) if is_and else (after, more)))
            self.b.position_at_end(more)
        known.append((self.number(self.truth(self.value(node.values[-1]))).value, self.b.block))
        return self._met(BOOL, after, known)

    def _ifexp(self, node: ast.IfExp) -> Any:
        test = self.truth(self.value(node.test))
        if isinstance(test, bool):
            return self.value(node.body if test else node.orelse)
        then, other, after = self.blocks("then", "else", "either")
        self.b.cbranch(test.value, then, other)
        self.b.position_at_end(then)
        first, then = self.value(node.body), self.b.block
        self.b.position_at_end(other)
        second, other = self.value(node.orelse), self.b.block
        self.b.position_at_end(then)
        kind = next((v.scalar for v in (first, second) if isinstance(v, Number)), None)
        a = self.number(first, kind)
        self.b.position_at_end(other)
        b = self.number(second, a.scalar)
        return self._met(a.scalar, after, [(b.value, other)], [(a.value, then)])

    def _met(self, kind: Scalar, after: Any, *ways: list[tuple[Any, Any]]) -> Number:
        """The value with which a block is reached; the last block of each list still has to go."""
        for known in ways:
            self.b.position_at_end(known[-1][1])
            self.b.branch(after)
        self.b.position_at_end(after)
        met = self.b.phi(kind.llvm)
        for value, block in [pair for known in ways for pair in known]:
            met.add_incoming(value, block)
        return Number(kind, met)

    def _call(self, node: ast.Call) -> Any:
        callee = self.value(node.func)
        given = [self.value(argument) for argument in node.args]
        if node.keywords:
            raise self.refused("kernels call by position")
        if hasattr(callee, "writer") or hasattr(callee, "function"):
            return self._called(getattr(callee, "function", callee), given)
        if hasattr(callee, "_fields"):
            return self._joined(callee._fields, given)
        return self._builtin(callee, given)

    def _called(self, function: _Callable, given: list[Any]) -> Any:
        values = [
            v if isinstance(v, Array | Tuple) or is_constant(v) else self.number(v) for v in given
        ]
        made, result = self._compiled(function, tuple(map(value_type, values)))
        found = self.b.call(made, [part for value in values for part in parts(value)])
        return None if result is None else Number(result, found)

    def _joined(self, names: tuple[str, ...], given: list[Any]) -> Tuple:
        """A named tuple of its fields."""
        if len(names) != len(given):
            raise self.refused(f"a tuple of {len(names)} fields, and {len(given)} are given")
        values = [v if isinstance(v, Array | Tuple) else self.number(v) for v in given]
        return Tuple(dict(zip(names, values, strict=True)))

    def _builtin(self, callee: Any, given: list[Any]) -> Any:
        if callee is len and isinstance(given[0], Array):
            return given[0].shape[0]
        known = not any(isinstance(value, Number) for value in given)
        if known and (callee in SCALARS or callee in (min, max, abs, *_MATHS)):
            return callee(*given)
        if callee in (min, max) and len(given) == 2:
            first, second = self._paired(*given)
            sign = ("<", operator.lt) if callee is min else (">", operator.gt)
            test = self._compared(sign[1], sign[0], second, first)
            return Number(first.scalar, self.b.select(test.value, second.value, first.value))
        if callee is abs:
            return self._absolute(given[0])
        if callee in _MATHS:
            number = self.number(given[0], FLOAT)
            function = self.b.module.declare_intrinsic(_MATHS[callee], [F64])
            return Number(FLOAT, self.b.call(function, [number.value]))
        if callee in SCALARS:
            return self._converted(SCALARS[callee], given[0])
        raise self.refused(f"kernels cannot call {getattr(callee, '__name__', callee)}")

    def _absolute(self, value: Number) -> Number:
        negative, zero = self.operated(ast.Sub, 0, value), self.number(0, value.scalar)
        if value.scalar is FLOAT:
            function = self.b.module.declare_intrinsic("llvm.fabs", [F64])
            return Number(FLOAT, self.b.call(function, [value.value]))
        test = self._compared(operator.lt, "<", value, zero)
        return Number(value.scalar, self.b.select(test.value, negative.value, value.value))

    def _converted(self, kind: Scalar, value: Any) -> Number:
        """``int(x)`` cuts towards zero, ``np.uint64(x)`` keeps the 64 bits of an integer."""
        if not isinstance(value, Number):
            return self.number(float(value) if kind is FLOAT else value, kind)
        one, b = value.value, self.b
        ways: dict[tuple[Scalar, Scalar], _Callable] = {
            (BOOL, INT): lambda: b.zext(one, I64), (BOOL, FLOAT): lambda: b.uitofp(one, F64),
            (UINT, INT): lambda: one, (INT, UINT): lambda: one,
            (INT, FLOAT): lambda: b.sitofp(one, F64), (UINT, FLOAT): lambda: b.uitofp(one, F64),
            (INT, FLOAT32): lambda: b.sitofp(one, F32), (FLOAT, INT): lambda: b.fptosi(one, I64),
            (FLOAT32, INT): lambda: b.fptosi(one, I64), (FLOAT32, FLOAT): lambda: b.fpext(one, F64),
            (FLOAT, FLOAT32): lambda: b.fptrunc(one, F32),
        }  # fmt: skip
        if value.scalar is kind:
            return value
        if (value.scalar, kind) not in ways:
            raise self.refused(f"no {kind.name} of {value.scalar.name}")
        return Number(kind, ways[value.scalar, kind]())
