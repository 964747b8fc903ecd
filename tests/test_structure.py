"""The structure of the package: what may import what, how long things are, how they are called."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from statistics import median

import pytest

from tests.conftest import ROOT
from tests.dear import DEAR

PACKAGE = ROOT / "seqforge"
MOST_MODULES, MOST_LINES, LONGEST_FUNCTION = 352, 450, 60


def _name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def sources() -> dict[str, str]:
    """The text of each module."""
    return {_name(path): path.read_text("utf-8") for path in sorted(PACKAGE.rglob("*.py"))}


@cache
def trees() -> dict[str, ast.Module]:
    """What each module says, parsed."""
    return {name: ast.parse(text) for name, text in sources().items()}


def modules() -> list[str]:
    """Modules of more than a few lines: an ``__init__`` that says what its package is for is
    none."""
    return [name for name, text in sources().items() if text.count("\n") > 6]


@cache
def imports(name: str) -> set[str]:
    """Modules that one imports: at its top, inside functions, or for the type checker alone."""
    found: set[str] = set()
    for node in ast.walk(trees()[name]):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name}: imports are absolute here"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
            found.add(str(node.module))
    return {other for other in found if other in sources() and other != name}


def _direct(name: str) -> set[str]:
    """What `imports` gives without packages that are only named on the way to their modules."""
    others = imports(name)
    return {o for o in others if not any(other.startswith(o + ".") for other in others)}


def cycles(graph: dict[str, set[str]]) -> list[list[str]]:
    """What is left of a graph when whatever imports nothing that is left is taken away."""
    left = dict(graph)
    while True:
        ends = [name for name, others in left.items() if not others & left.keys() - {name}]
        if not ends:
            break
        for name in ends:
            del left[name]
    return [sorted(left)] if left else []


def test_cycles_are_found():
    assert cycles({"a": {"b"}, "b": {"c"}, "c": {"a", "d"}, "d": set()}) == [["a", "b", "c"]]
    assert cycles({"a": {"b"}, "b": {"c"}, "c": set()}) == []


def test_no_module_imports_itself_by_way_of_others():
    """Neither when it is run nor for the type checker."""
    assert cycles({name: _direct(name) for name in sources()}) == []


@pytest.mark.parametrize("depth", [2, 3, 4])
def test_no_package_imports_itself_by_way_of_others(depth):
    """The same with all that lies so deep taken as one."""

    def outer(name: str) -> str:
        return ".".join(name.split(".")[:depth])

    graph: dict[str, set[str]] = {}
    for name in sources():
        if name != "seqforge":  # it opens the public names, when they are asked for
            graph.setdefault(outer(name), set()).update(map(outer, _direct(name)))
    assert cycles({name: others - {name, "seqforge"} for name, others in graph.items()}) == []


def test_there_are_not_too_many_modules_and_none_is_too_long():
    assert len(modules()) <= MOST_MODULES
    assert [name for name, text in sources().items() if text.count("\n") > MOST_LINES] == []


def function_lengths(docstrings: bool) -> dict[str, int]:
    """Lines of each function and method from ``def`` to its last, with or without its docstring;
    decorators do not count, and functions inside count for themselves as well."""
    found = {}
    for name, tree in trees().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = node.end_lineno - node.lineno + 1
                first = node.body[0]
                if not docstrings and ast.get_docstring(node) is not None:
                    lines -= first.end_lineno - first.lineno + 1
                found[f"{name}.{node.name}:{node.lineno}"] = lines
    return found


def test_functions_are_short():
    whole = function_lengths(docstrings=True)
    numbers = sorted(function_lengths(docstrings=False).values())

    assert {name: length for name, length in whole.items() if length > LONGEST_FUNCTION} == {}
    assert median(numbers) <= 8
    assert numbers[int(0.9 * len(numbers))] <= 24


def mapped() -> set[str]:
    """The modules that the map in docs/design.md names: an indented block, a line a module."""
    lines = (ROOT / "docs" / "design.md").read_text("utf-8").splitlines()
    found: set[str] = set()
    open_folders: list[tuple[int, str]] = []
    for line in lines[_map_start(lines) :]:
        match = re.match(r"( {4,})([\w/]+)(?: |$)", line)
        if match is None:
            if line.strip() and not line.startswith("    "):
                break  # what is indented goes on with the line before
            continue
        indent, word = len(match[1]), match[2]
        open_folders = [pair for pair in open_folders if pair[0] < indent]
        if word.endswith("/"):
            open_folders.append((indent, word.rstrip("/").replace("/", ".")))
        else:
            found.add(".".join(["seqforge", *(name for _, name in open_folders), word]))
    return found


def _map_start(lines: list[str]) -> int:
    """Where the map begins: ``errors`` is the module that imports nothing."""
    return next(n for n, line in enumerate(lines) if re.match(r" {4}errors ", line))


def test_the_map_in_the_docs_names_every_module():
    named = mapped()
    there = {name for name in modules() if not (PACKAGE.joinpath(*name.split(".")[1:]).is_dir())}
    assert there - named == set(), "in no map"
    assert {name for name in named if name not in sources()} - {"seqforge.__init__"} == set()


APART = {
    "cli/test_bad_input.py": "all commands given what they cannot read",
    "cli/test_commands.py": "what each command is for, in short",
    "cli/test_common_options.py": "options that all commands share",
    "cli/test_escape_sequences.py": "all commands given names that steer a terminal",
    "cli/test_folders.py": "all commands whose --out is a folder",
    "cli/test_help.py": "the help of all commands",
    "cli/test_held_out.py": "run, evaluate and --init tell the same of held-out data",
    "cli/test_leaving.py": "what any command leaves behind when it is stopped",
    "cli/test_pipes.py": "all commands given pipes",
    "cli/test_python.py": "Python and the command line give the same",
    "domains/test_as_drawn.py": "a law that every domain keeps",
    "domains/genome/ebi/test_double.py": "the double of the service, which is in tests/ebi_double",
    "domains/genome/ebi/test_double_faults.py": "the same",
    "domains/genome/ebi/test_double_results.py": "the same",
    "faults/test_faults.py": "the machine fails under all commands",
    "test_benchmarks.py": "the programs in benchmarks/",
    "test_docs.py": "docs/",
    "test_music_benchmarks.py": "the programs of music in benchmarks/",
    "test_mutations.py": "all readers given damaged files",
    "test_package.py": "the package as it is installed",
    "test_structure.py": "this file",
    "test_suite.py": "the tests",
    "test_tree.py": "the repository",
}
"""Test files that are named after no module, and what they test."""


def _tested(path: Path) -> bool:
    """Whether a test file is called after what lies in its place in the package: ``test_X.py`` or
    ``test_X_WHAT_OF_IT.py`` of a module or package X."""
    words = path.stem.removeprefix("test_").split("_")
    here = PACKAGE / path.parent
    names = ["_".join(words[:count]) for count in range(1, len(words) + 1)]
    return any((here / f"{name}.py").is_file() or (here / name).is_dir() for name in names)


def test_every_test_file_is_called_after_what_it_tests():
    tests = ROOT / "tests"
    found = {path.relative_to(tests) for path in tests.rglob("test_*.py")}
    assert sorted(str(path) for path in found if not _tested(path)) == sorted(APART)


def test_what_takes_long_is_there():
    for name, tests in DEAR.items():
        text = (ROOT / "tests" / name).read_text("utf-8")
        assert [test for test in tests if f"def {test}(" not in text] == [], name


NEUTRAL = ("seqforge.base", "seqforge.charts", "seqforge.core")
"""What knows no domain."""
OF_DOMAINS = frozenset(("genome", "music", "blast", "ebi", "midi", "fasta", "abc"))
FORMATS_NAMED = ("seqforge.base.compression", "seqforge.base.zip_archive")
"""What refuses files by their format says what they are and how to convert them."""


def _code_words(text: str, strings: bool) -> Iterator[str]:
    """The words that names of a module, and its strings if asked for, are made of; docstrings and
    comments are left out, and ``collections.abc``."""
    tree = ast.parse(text)
    said = {
        line
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        for line in range(node.lineno, node.end_lineno + 1)
    }
    text = text.replace("from collections.abc import", "from collections import")
    kinds = (tokenize.NAME, tokenize.STRING) if strings else (tokenize.NAME,)
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type in kinds and token.start[0] not in said:
            yield from (word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+", token.string))


def test_words_of_code_are_found():
    text = '"""Says FASTA."""\nclass FastaReader:  # abc\n    MIDI_name = "ebi"\n'
    assert OF_DOMAINS & set(_code_words(text, False)) == {"fasta", "midi"}
    assert OF_DOMAINS & set(_code_words(text, True)) == {"fasta", "midi", "ebi"}


def test_what_all_domains_share_knows_none_of_them():
    found = {
        name: OF_DOMAINS & set(_code_words(text, name not in FORMATS_NAMED))
        for name, text in sources().items()
        if name.startswith(NEUTRAL)
    }
    assert {name: words for name, words in found.items() if words} == {}


def test_whatever_the_type_checker_is_told_to_ignore_has_its_reason():
    """``# type: ignore[code]  # why``"""
    bare = [
        f"{name}: {line.strip()}"
        for name, text in sources().items()
        for line in text.splitlines()
        if re.search(r"#\s*type:\s*ignore", line)
        and not re.search(r"# type: ignore\[[a-z, -]+\]  # \w", line)
    ]
    assert bare == []
