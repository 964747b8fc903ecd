"""From code to callable functions, for the processor this runs on."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Sequence
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir

from seqforge.core.kernels.vectors import I64, POINTER, Code

Writer = Callable[..., None]
"""Writes the body of a function: called with its code and its arguments."""


def compile_function(name: str, pointers: int, numbers: int, write: Writer) -> Callable[..., None]:
    """A function of so many addresses and then so many whole numbers, that returns nothing.

    It is called through ctypes, which lets other Python threads run meanwhile.
    """
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    module = ir.Module(name)
    kinds = [POINTER] * pointers + [I64] * numbers
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), kinds), name)
    for argument in function.args[:pointers]:
        argument.add_attribute("noalias")
    code = Code(ir.IRBuilder(function.append_basic_block("entry")))
    write(code, *function.args)
    code.builder.ret_void()
    engine = _machine_code(str(module))
    types: Sequence[Any] = [ctypes.c_void_p] * pointers + [ctypes.c_int64] * numbers
    call = ctypes.CFUNCTYPE(None, *types)(engine.get_function_address(name))
    call.engine = engine  # type: ignore[attr-defined]  # the code lives as long as its engine
    return call


def _machine_code(text: str) -> Any:
    module = llvm.parse_assembly(text)
    module.verify()
    # LLVM's loader of code just compiled is at home with ELF, on Windows too.
    triple = llvm.get_process_triple() + "-elf" * (sys.platform == "win32")
    target = llvm.Target.from_triple(triple).create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=llvm.get_host_cpu_features().flatten(), opt=3
    )
    options = llvm.create_pipeline_tuning_options(speed_level=2)
    builder = llvm.create_pass_builder(target, options)
    builder.getModulePassManager().run(module, builder)
    engine = llvm.create_mcjit_compiler(module, target)
    engine.finalize_object()
    return engine
