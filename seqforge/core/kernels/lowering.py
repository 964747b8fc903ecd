"""Python functions and argument types in, a module of LLVM code out: what the kernels' language
means, statement by statement.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from llvmlite import ir

from seqforge.core.kernels.expressions import Expressions, Variable
from seqforge.core.kernels.llvm import F64, I64, POINTER, Code
from seqforge.core.kernels.values import (
    BOOL,
    FLOAT,
    FLOAT32,
    INT,
    UINT,
    Array,
    KernelError,
    Number,
    Scalar,
    Tuple,
    Type,
    is_constant,
    joined,
    registers,
)

ENTRY = "entry"
"""Name of the function that Python calls: it takes the address of the arguments' words, and puts
what it returns in their place."""

_SHORT = 12
"""Blocks of a function that is compiled into its callers; a longer one is compiled once."""
_RESULTS = {"None": None, "int": INT, "float": FLOAT, "bool": BOOL, "uint64": UINT,
            "float32": FLOAT32}  # fmt: skip
_Callable = Callable[..., Any]


class Unit:
    """One module: an entry and all that it calls."""

    def __init__(self, name: str, checked: bool = False) -> None:
        self.module, self.checked = ir.Module(name), checked
        self.modules = set[str]()
        """Those whose functions are in it."""
        self.constants = dict[str, str]()
        """Numbers of modules that are in it, by ``module:name``."""
        self._done: dict[Any, ir.Function] = {}

    def add_entry(self, function: _Callable, types: Sequence[Type]) -> None:
        """Write the entry of a function."""
        inner, result = self.function(function, tuple(types))
        entry = ir.Function(self.module, ir.FunctionType(ir.VoidType(), [POINTER]), ENTRY)
        b = ir.IRBuilder(entry.append_basic_block())
        kinds = [kind for given in types for kind in registers(given)]
        words = [_word(b, entry.args[0], place, kind) for place, kind in enumerate(kinds)]
        found = b.call(inner, words)
        if result is not None:
            value = b.zext(found, I64) if result is BOOL else found
            value = b.fpext(found, F64) if result is FLOAT32 else value
            b.store(value, b.bitcast(entry.args[0], value.type.as_pointer()))
        b.ret_void()

    def function(
        self, function: _Callable, types: tuple[Type, ...]
    ) -> tuple[ir.Function, Scalar | None]:
        """The compiled form of a function for these types, and what it returns.

        Raises:
            KernelError: If something in it is outside the language.
        """
        result = result_of(function)
        self.modules.add(function.__module__)
        if (function, types) not in self._done:
            kinds = [kind for given in types for kind in registers(given)]
            returned = ir.VoidType() if result is None else result.llvm
            name = self.module.get_unique_name(function.__name__)
            made = ir.Function(self.module, ir.FunctionType(returned, kinds), name)
            made.linkage = "internal"
            made.attributes.add("nounwind")
            for argument in made.args:
                if isinstance(argument.type, ir.PointerType):
                    argument.add_attribute("noalias")
            self._done[function, types] = made
            words = iter(made.args)
            arguments = [joined(given, words) for given in types]
            if hasattr(function, "writer"):
                _write(function.writer, made, result, arguments)
            else:
                _Body(self, function, made, result).write(_tree(function), arguments)
            if len(made.blocks) > _SHORT:
                made.attributes.add("noinline")
        return self._done[function, types], result


def _write(writer: _Callable, made: ir.Function, result: Scalar | None, given: list[Any]) -> None:
    b = ir.IRBuilder(made.append_basic_block())
    found = writer(Code(b), *given)
    if result is None:
        b.ret_void()
    else:
        b.ret(found.value)


def _word(b: ir.IRBuilder, words: Any, place: int, kind: Any) -> Any:
    """The argument at a place, as it goes into a register."""
    at = b.gep(words, [ir.Constant(I64, 8 * place)])
    if kind is BOOL.llvm:
        return b.trunc(b.load(b.bitcast(at, I64.as_pointer())), kind)
    if kind is FLOAT32.llvm:
        return b.fptrunc(b.load(b.bitcast(at, F64.as_pointer())), kind)
    return b.load(b.bitcast(at, kind.as_pointer()))


def _tree(function: _Callable) -> ast.FunctionDef:
    code = function.__code__
    return _functions(code.co_filename)[code.co_firstlineno]


@cache
def _functions(path: str) -> dict[int, ast.FunctionDef]:
    """The functions of a file by the line of their first decorator."""
    found, left = dict[int, ast.FunctionDef](), list[Any]([ast.parse(Path(path).read_bytes())])
    while left:  # statements alone: a walk through all expressions takes far longer
        node = left.pop()
        if isinstance(node, ast.FunctionDef):
            found[min([node.lineno, *(d.lineno for d in node.decorator_list)])] = node
        for part in ("body", "orelse", "finalbody", "handlers", "cases"):
            statements = getattr(node, part, None)
            left += statements if isinstance(statements, list) else ()
    return found


def result_of(function: _Callable) -> Scalar | None:
    """What a function returns, by its annotation.

    Raises:
        KernelError: If it is nothing that kernels return.
    """
    named = function.__annotations__.get("return", "")
    named = str(getattr(named, "__name__", named)).removeprefix("np.")
    if named not in _RESULTS:
        known = ", ".join(_RESULTS)
        raise KernelError(f"{function.__name__}: a kernel returns one of {known}, not {named!r}")
    return _RESULTS[named]


class _Body(Expressions):
    """The statements of one function while it is compiled."""

    def __init__(
        self, unit: Unit, function: _Callable, made: ir.Function, result: Scalar | None
    ) -> None:  # fmt: skip
        variables = made.append_basic_block("variables")
        body = ir.IRBuilder(made.append_basic_block("body"))
        super().__init__(unit.function, unit.constants, function, body)
        self._result, self._variables, self.checked = result, variables, unit.checked
        self._loops: list[tuple[Any, Any]] = []
        """Where ``continue`` and ``break`` go, the innermost loop last."""

    def write(self, tree: ast.FunctionDef, arguments: list[Any]) -> None:
        """Write all of it."""
        names = [argument.arg for argument in tree.args.args]
        if len(names) != len(arguments):
            raise KernelError(f"{tree.name} takes {len(names)} arguments, not {len(arguments)}")
        for name, value in zip(names, arguments, strict=True):
            self._bind(name, value)
        first = self.b.block
        self._block(tree.body)
        if not self.b.block.is_terminated:
            if self._result is not None:
                raise self.refused(f"{tree.name} has to end with a return")
            self.b.ret_void()
        ir.IRBuilder(self._variables).branch(first)

    def _block(self, statements: Sequence[ast.stmt]) -> None:
        for statement in statements:
            if self.b.block.is_terminated:
                return
            self.node = statement
            write = getattr(self, f"_{type(statement).__name__.lower()}", None)
            if write is None:
                raise self.refused(f"kernels know no {type(statement).__name__}")
            write(statement)

    def _pass(self, node: ast.Pass) -> None:
        pass

    def _expr(self, node: ast.Expr) -> None:
        if not isinstance(node.value, ast.Constant):  # a docstring
            self.value(node.value)

    def _assign(self, node: ast.Assign) -> None:
        value = self.value(node.value)
        for target in node.targets:
            self._put(target, value)

    def _annassign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self._put(node.target, self.value(node.value))

    def _augassign(self, node: ast.AugAssign) -> None:
        value = self.value(node.value)
        if isinstance(node.target, ast.Subscript):
            array, place = self.element(node.target)
            found = self.operated(type(node.op), self.loaded(array, place), value)
            self.store(array, place, found)
        else:
            self._put(node.target, self.operated(type(node.op), self.value(node.target), value))

    def _put(self, target: ast.expr, value: Any) -> None:
        if isinstance(target, ast.Name):
            self._bind(target.id, value)
        elif isinstance(target, ast.Subscript):
            self.store(*self.element(target), value)
        elif isinstance(target, ast.Tuple) and isinstance(value, tuple):
            for part, single in zip(target.elts, value, strict=True):
                self._put(part, single)
        else:
            raise self.refused("kernels assign to names and to elements of arrays")

    def _bind(self, name: str, value: Any) -> None:
        known = self.names.get(name)
        if isinstance(value, Array | Tuple) or is_constant(value):
            if isinstance(known, Variable):
                raise self.refused(f"{name} was a number before")
            self.names[name] = value
            return
        if known is None:
            number = self.number(value)
            b = ir.IRBuilder(self._variables)
            known = Variable(number.scalar, b.alloca(number.scalar.llvm))
            self.names[name] = known
        self.b.store(self.number(value, known.scalar).value, known.place)

    def _if(self, node: ast.If) -> None:
        test = self.truth(self.value(node.test))
        if isinstance(test, bool):
            self._block(node.body if test else node.orelse)
            return
        then, other, after = self.blocks("then", "else", "after")
        self.b.cbranch(test.value, then, other)
        reached = False
        for block, statements in ((then, node.body), (other, node.orelse)):
            self.b.position_at_end(block)
            self._block(statements)
            reached |= not self.b.block.is_terminated
            self._go(after)
        self.b.position_at_end(after)
        if not reached:
            self.b.unreachable()

    def _while(self, node: ast.While) -> None:
        head, body, after = self.blocks("while", "body", "after")
        self.b.branch(head)
        self.b.position_at_end(head)
        test = self.truth(self.value(node.test))
        self.b.cbranch(self.number(test).value, body, after)
        self._looped(node.body, body, head, after)

    def _for(self, node: ast.For) -> None:
        call = node.iter
        if not (isinstance(call, ast.Call) and self.value(call.func) is range):
            raise self.refused("kernels loop over range(...)")
        bounds = [self.value(argument) for argument in call.args]
        start, stop, step = ((0, *bounds, 1), (*bounds, 1), bounds)[len(bounds) - 1]
        if not isinstance(step, int) or step == 0:
            raise self.refused("the step of a range is a constant")
        count = Variable(INT, ir.IRBuilder(self._variables).alloca(I64))
        self.b.store(self.number(start, INT).value, count.place)
        end = self.number(stop, INT).value
        head, body, more, after = self.blocks("for", "body", "next", "after")
        self.b.branch(head)
        self.b.position_at_end(head)
        now = self.b.load(count.place)
        self.b.cbranch(self.b.icmp_signed("<" if step > 0 else ">", now, end), body, after)
        self.b.position_at_end(body)
        self._put(node.target, Number(INT, now))
        self._looped(node.body, body, more, after)
        self.b.position_at_end(more)
        self.b.store(self.b.add(self.b.load(count.place), ir.Constant(I64, step)), count.place)
        self.b.branch(head)
        self.b.position_at_end(after)

    def _looped(self, body: Sequence[ast.stmt], block: Any, again: Any, after: Any) -> None:
        self._loops.append((again, after))
        self.b.position_at_end(block)
        self._block(body)
        self._go(again)
        self._loops.pop()
        self.b.position_at_end(after)

    def _break(self, node: ast.Break) -> None:
        self.b.branch(self._loops[-1][1])

    def _continue(self, node: ast.Continue) -> None:
        self.b.branch(self._loops[-1][0])

    def _return(self, node: ast.Return) -> None:
        if self._result is None:
            self.b.ret_void()
        else:
            assert node.value is not None
            self.b.ret(self.number(self.value(node.value), self._result).value)

    def _go(self, block: Any) -> None:
        if not self.b.block.is_terminated:
            self.b.branch(block)
