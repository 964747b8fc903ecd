"""Vector expressions in, compiled machine code for this processor out: a small language over
LLVM.
"""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import llvmlite
import llvmlite.binding as llvm
from llvmlite import ir

FEATURES = {name for name, there in llvm.get_host_cpu_features().items() if there}
HAS_BF16 = "avx512bf16" in FEATURES
"""Whether the processor multiplies pairs of bfloat16 numbers."""
WIDTH = 16 if "avx512f" in FEATURES else 8 if "avx2" in FEATURES else 4
"""Numbers (float32) in a vector register."""
REGISTERS = 32 if "avx512f" in FEATURES or platform.machine() in ("aarch64", "arm64") else 16
PROCESSOR = (
    f"{llvm.get_host_cpu_name()}, {WIDTH} numbers a vector, "
    f"{'with' if HAS_BF16 else 'without'} bfloat16 products"
)
"""What the kernels are compiled for, in words."""
COMPILER = " ".join([llvmlite.__version__, llvm.get_process_triple(), llvm.get_host_cpu_name(),
                     ",".join(sorted(FEATURES))])  # fmt: skip
"""What machine code hangs on besides the sources."""

I1, I16, I32, I64 = (ir.IntType(bits) for bits in (1, 16, 32, 64))
F32, F64 = ir.FloatType(), ir.DoubleType()
POINTER = ir.IntType(8).as_pointer()
_FLAGS = ("contract", "nsz")  # no reordering: a result must not hang on how it was tiled

# tanh(x) = x P(x^2) / Q(x^2) up to |x| = 9, from where on it is 1 in float32: a rational fit by
# least squares on the relative error, which it keeps below 2.1e-8.
_TANH_P = (0.99999997962808, 0.13380980611712, 3.4955338955137e-3, 2.0608174258284e-5,
           1.3353397585594e-8)  # fmt: skip
_TANH_Q = (1.0, 0.46714296269896, 2.5876777649145e-2, 3.285545276147e-4, 7.776041201461e-7)
_TANH_FROM = 9.0


class _BFloat(ir.Type):  # type: ignore[misc]  # llvmlite has no types
    """bfloat16, which llvmlite has no name for."""

    def _to_string(self) -> str:
        return "bfloat"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _BFloat)

    def __hash__(self) -> int:
        return hash(_BFloat)


BF16 = _BFloat()


def vector_of(kind: Any, width: int = WIDTH) -> Any:
    """The vector type of so many numbers of a kind."""
    return ir.VectorType(kind, width)


class Vector:
    """``WIDTH`` float32 numbers in a register, with arithmetic."""

    def __init__(self, code: Code, value: Any) -> None:
        self.code, self.value = code, value

    def _with(self, other: Vector | float, name: str, swapped: bool = False) -> Vector:
        value = other.value if isinstance(other, Vector) else self.code.constant(other).value
        pair = (value, self.value) if swapped else (self.value, value)
        return Vector(self.code, getattr(self.code.builder, name)(*pair, flags=_FLAGS))

    def __add__(self, other: Vector | float) -> Vector:
        return self._with(other, "fadd")

    def __sub__(self, other: Vector | float) -> Vector:
        return self._with(other, "fsub")

    def __rsub__(self, other: float) -> Vector:
        return self._with(other, "fsub", swapped=True)

    def __mul__(self, other: Vector | float) -> Vector:
        return self._with(other, "fmul")

    def __truediv__(self, other: Vector) -> Vector:
        return self._with(other, "fdiv")

    __radd__, __rmul__ = __add__, __mul__

    def clamped(self, limit: float) -> Vector:
        """Each number brought into [-limit, limit]; NaN stays."""
        b, value = self.code.builder, self.value
        for bound, sign in ((limit, ">"), (-limit, "<")):
            edge = self.code.constant(bound).value
            value = b.select(b.fcmp_ordered(sign, value, edge), edge, value)
        return Vector(self.code, value)

    def tanh(self) -> Vector:
        """Hyperbolic tangent, within 4e-7."""
        x = self.clamped(_TANH_FROM)
        square = x * x
        return x * _polynomial(square, _TANH_P) / _polynomial(square, _TANH_Q)

    def sigmoid(self) -> Vector:
        """Logistic function 1 / (1 + exp(-x)) = (1 + tanh(x / 2)) / 2."""
        return (self * 0.5).tanh() * 0.5 + 0.5

    def relu(self) -> Vector:
        """The number, or 0 where it is below 0; NaN stays."""
        return self._where_positive(self)

    def positive(self) -> Vector:
        """1 where the number is above 0, else 0."""
        return self._where_positive(self.code.constant(1.0))

    def _where_positive(self, chosen: Vector) -> Vector:
        b, zero = self.code.builder, self.code.constant(0.0).value
        above = b.fcmp_unordered(">", self.value, zero)
        return Vector(self.code, b.select(above, chosen.value, zero))


def _polynomial(x: Vector, coefficients: tuple[float, ...]) -> Vector:
    result = x.code.constant(coefficients[-1])
    for coefficient in coefficients[-2::-1]:
        result = result * x + coefficient
    return result


class Code:
    """The body of one function while it is written."""

    def __init__(self, builder: ir.IRBuilder) -> None:
        self.builder = builder

    def constant(self, number: float) -> Vector:
        """The same number in every place."""
        kind = vector_of(F32)
        single = llvm_float(number)
        return Vector(self, ir.Constant(kind, [single] * WIDTH))

    def at(self, pointer: Any, element: Any, index: Any) -> Any:
        """Address of element ``index`` (int or i64 value) of an array."""
        index = ir.Constant(I64, index) if isinstance(index, int) else index
        typed = self.builder.bitcast(pointer, element.as_pointer())
        return self.builder.gep(typed, [index])

    def load(self, pointer: Any, index: Any, element: Any = F32) -> Vector:
        """``WIDTH`` numbers from ``index`` on; bfloat16 ones are widened."""
        b = self.builder
        place = self.at(pointer, I16 if element is BF16 else F32, index)
        if element is F32:
            found = b.load(b.bitcast(place, vector_of(F32).as_pointer()), align=4)
            return Vector(self, found)
        half = b.load(b.bitcast(place, vector_of(I16).as_pointer()), align=2)
        wide = b.shl(b.zext(half, vector_of(I32)), ir.Constant(vector_of(I32), [16] * WIDTH))
        return Vector(self, b.bitcast(wide, vector_of(F32)))

    def store(self, vector: Vector, pointer: Any, index: Any, element: Any = F32) -> None:
        """Put ``WIDTH`` numbers from ``index`` on; bfloat16 ones are rounded to even."""
        b, value = self.builder, vector.value
        if element is BF16:
            value = b.bitcast(b.fptrunc(value, vector_of(BF16)), vector_of(I16))
        place = self.at(pointer, I16 if element is BF16 else F32, index)
        b.store(value, b.bitcast(place, vector_of(I16 if element is BF16 else F32).as_pointer()),
                align=2 if element is BF16 else 4)  # fmt: skip

    @contextmanager
    def loop(self, start: Any, stop: Any, step: int = 1) -> Iterator[Any]:
        """``for index in range(start, stop, step)``; all i64, step above zero."""
        with self.running(start, stop, step, []) as index:
            yield index

    @contextmanager
    def running(self, start: Any, stop: Any, step: int, values: list[Any]) -> Iterator[Any]:
        """A loop that carries values in registers from round to round.

        Inside, ``values`` are those of the round and are to be replaced by the next round's;
        afterwards they are the last ones.
        """
        b = self.builder
        before = b.block
        head, body, done = (b.append_basic_block(name) for name in ("head", "body", "done"))
        b.branch(head)
        b.position_at_end(head)
        index = b.phi(I64)
        index.add_incoming(i64(start), before)
        carried = [b.phi(value.type) for value in values]
        for phi, value in zip(carried, values, strict=True):
            phi.add_incoming(value, before)
        b.cbranch(b.icmp_signed("<", index, i64(stop)), body, done)
        b.position_at_end(body)
        values[:] = carried
        yield index
        index.add_incoming(b.add(index, i64(step)), b.block)
        for phi, value in zip(carried, values, strict=True):
            phi.add_incoming(value, b.block)
        b.branch(head)
        b.position_at_end(done)
        values[:] = carried


def i64(number: Any) -> Any:
    """An i64 value of an int; values stay."""
    return ir.Constant(I64, number) if isinstance(number, int) else number


def llvm_float(number: float) -> Any:
    """A float32 constant."""
    return ir.Constant(F32, number)


Writer = Callable[..., None]
"""Writes the body of a function: called with its code and its arguments."""


def function_text(name: str, pointers: int, numbers: int, write: Writer) -> str:
    """LLVM code of a function of so many addresses and then whole numbers, that returns nothing."""
    module = ir.Module(name)
    kinds = [POINTER] * pointers + [I64] * numbers
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), kinds), name)
    for argument in function.args[:pointers]:
        argument.add_attribute("noalias")
    code = Code(ir.IRBuilder(function.append_basic_block("entry")))
    write(code, *function.args)
    code.builder.ret_void()
    return str(module)


def object_code(text: str, level: int = 2) -> bytes:
    """LLVM code in, machine code for this processor out, as an object file.

    Level 1 makes the same vectors and is a tenth faster; it removes fewer loads.
    """
    target = _target()  # what LLVM parses needs its tables
    module = llvm.parse_assembly(text)
    module.verify()
    options = llvm.create_pipeline_tuning_options(speed_level=level)
    options.loop_interleaving = options.loop_unrolling = False  # cost half the time, gain nothing
    builder = llvm.create_pass_builder(target, options)
    builder.getModulePassManager().run(module, builder)
    found: bytes = target.emit_object(module)
    return found


def load_object(code: bytes) -> Any:
    """An object file in, the engine that holds its functions out; they live as long as it does."""
    target = _target()  # the engine's own from here on
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), target)
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    return engine


def _target() -> Any:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    # LLVM's loader of code just compiled is at home with ELF, on Windows too.
    triple = llvm.get_process_triple() + "-elf" * (sys.platform == "win32")
    return llvm.Target.from_triple(triple).create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=llvm.get_host_cpu_features().flatten(), opt=3,
        jit=True,
    )  # fmt: skip
