"""The tests themselves: none compares a clock with a bound, none gives up early."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.patience import PATIENCE
from tests.programs import PROGRAMS, find_program, find_programs

TESTS = sorted(path for path in (ROOT / "tests").rglob("*.py") if path.name not in {"patience.py"})
CLOCKS = {"time", "monotonic", "perf_counter", "process_time", "thread_time", "clock_gettime"}
CLOCKS |= {f"{name}_ns" for name in CLOCKS} | {"timeit", "default_timer"}
TIMES = re.compile(r"\b(milli)?seconds\b|\belapsed|\bwall_|\b(took|duration_s)\b|\bs$|\bs/|/s$")
"""How a measured time or speed is called: in a key, a name, an attribute."""
WAITS = {"wait", "communicate", "run", "join", "acquire", "get", "call", "check_output"}


def read_by(tree: ast.AST) -> set[str]:
    """Names that are given what a clock says, or what was reckoned from it."""
    known: set[str] = set()
    while True:
        found = {
            target.id
            for node in ast.walk(tree)
            if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign | ast.NamedExpr)
            and node.value is not None
            and is_time(node.value, known)
            for place in (node.targets if isinstance(node, ast.Assign) else [node.target])
            for target in ast.walk(place)
            if isinstance(target, ast.Name)
        }
        found |= {
            call.func.value.id
            for call in ast.walk(tree)
            if isinstance(call, ast.Call)
            and isinstance(call.func, ast.Attribute)
            and call.func.attr == "append"
            and isinstance(call.func.value, ast.Name)
            and any(is_time(each, known) for each in call.args)
        }
        if found <= known:
            return known
        known |= found


def is_time(expression: ast.AST, known: set[str]) -> bool:
    """Whether an expression holds what a clock of the machine said."""
    for node in ast.walk(expression):
        if isinstance(node, ast.Name) and (node.id in known or node.id in CLOCKS - {"time"}):
            return True
        if (
            isinstance(node, ast.Attribute)
            and node.attr in CLOCKS
            and isinstance(node.value, ast.Name)
            and node.value.id in {"time", "timeit"}
        ):
            return True
        if (
            isinstance(node, ast.Subscript)
            and isinstance(node.slice, ast.Constant)
            and isinstance(node.slice.value, str)
            and TIMES.search(node.slice.value)
        ):
            return True
    return False


def upper_bounds(tree: ast.AST) -> Iterator[int]:
    """Lines on which a time that was measured has to be below something."""
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef | ast.Module):
            continue
        known = read_by(function) if isinstance(function, ast.FunctionDef) else set()
        for node in ast.walk(function):
            if isinstance(node, ast.Compare):
                sides = [node.left, *node.comparators]
                for one, how, other in zip(sides, node.ops, sides[1:], strict=False):
                    less, more = (
                        (one, other) if isinstance(how, ast.Lt | ast.LtE)
                        else (other, one) if isinstance(how, ast.Gt | ast.GtE) else (None, None)
                    )  # fmt: skip
                    if less is not None and is_time(less, known) and not is_time(more, set()):
                        yield node.lineno


def short_waits(tree: ast.AST) -> Iterator[int]:
    """Lines that give up on another process or thread after a number of seconds of their own."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        given = [each.value for each in node.keywords if each.arg == "timeout"]
        if node.func.attr in {"wait", "join"} and not isinstance(node.func.value, ast.Constant):
            given += node.args[:1]
        for value in given:
            if isinstance(value, ast.Constant) and isinstance(value.value, int | float):
                yield node.lineno


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_test_hangs_on_how_busy_the_machine_is(path: Path) -> None:
    """Speed is counted (tests/steps.py) or measured in benchmarks/; see tests/patience.py."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    lines = sorted({*upper_bounds(tree), *short_waits(tree)})
    assert not lines, f"{path}: line {', '.join(map(str, lines))}"


@pytest.mark.parametrize(
    "claim",
    [
        "began = time.monotonic()\n work()\n assert time.monotonic() - began < 5",
        "began = perf_counter()\n took = perf_counter() - began\n assert 3 > took",
        "times = []\n times.append(time.process_time() - began)\n assert min(times) <= 0.05",
        "assert 3 <= summary['training']['seconds'] < 30",
        "assert 0 < row['median s'] < 60",
        "process.wait(60)",
        "process.communicate(timeout=60)",
        "subprocess.run(command, timeout=25)",
    ],
)
def test_such_claims_are_found(claim: str) -> None:
    tree = ast.parse(f"def test():\n {claim}")
    assert [*upper_bounds(tree), *short_waits(tree)]


@pytest.mark.parametrize(
    "claim",
    [
        "assert summary['training']['seconds'] >= 4",
        "clock = Clock()\n assert clock() < 5",
        "process.wait(PATIENCE)",
        "assert ', '.join(words) == 'a'",
        "assert run['seconds to loss'] <= run['training seconds']",
    ],
)
def test_other_claims_are_not(claim: str) -> None:
    tree = ast.parse(f"def test():\n {claim}")
    assert not [*upper_bounds(tree), *short_waits(tree)]


def test_programs_are_looked_up_once(monkeypatch: pytest.MonkeyPatch) -> None:
    before = find_programs()
    assert set(before) == set(PROGRAMS)
    monkeypatch.setenv("PATH", "")
    assert find_programs() == before
    assert [find_program(name) for name in PROGRAMS] == [before[name] for name in PROGRAMS]
    with pytest.raises(KeyError):
        find_program("another")


def test_every_program_that_a_test_asks_for_is_looked_for() -> None:
    asked = re.compile(r'require_program\("([^"]+)"')
    named = {name for path in TESTS for name in asked.findall(path.read_text(encoding="utf-8"))}
    assert named >= {"blastn", "strace"}
    assert named <= set(PROGRAMS)


def test_patience_outlasts_a_busy_machine() -> None:
    assert PATIENCE >= 600
