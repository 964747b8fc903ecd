"""What all tests share: where real data lie, and programs that a machine may lack."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Callable, Iterator
from functools import cache
from itertools import count
from pathlib import Path

import pytest
import typer
import typer.testing
from filelock import FileLock
from hypothesis import settings

from tests.dear import is_dear
from tests.programs import find_program, find_programs

# The machine may be busy with anything: a slow example is no failure.
settings.register_profile("seqforge", deadline=None)
settings.register_profile("quick", deadline=None, max_examples=20)
settings.load_profile("seqforge")

# A shell's background job is deaf to Ctrl-C, and so would be the programs that tests stop with it.
signal.signal(signal.SIGINT, signal.default_int_handler)


@cache
def _made(app: typer.Typer, *functions: object, make=typer.testing._get_command):
    """Commands of functions, made once: typer makes them anew at each call of the program."""
    return make(app)


typer.testing._get_command = lambda app: _made(app, *(c.callback for c in app.registered_commands))

find_programs()  # before anything can change, for all that this process starts

# What is compiled of the tests is kept, whatever the surroundings say: each worker and each
# program that a test starts would else compile it anew, which takes six seconds of a worker's time.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

ROOT = Path(__file__).parent.parent
SHARED = ROOT.parent / "shared"


def missing(what: str) -> None:
    """Skip the test for want of something, or fail where everything was promised to be there."""
    if os.environ.get("SEQFORGE_REQUIRE") == "all":
        pytest.fail(f"{what} is missing, and SEQFORGE_REQUIRE=all says that nothing is")
    pytest.skip(f"{what} is missing on this machine")


def pytest_addoption(parser):
    parser.addoption(
        "--quick", action="store_true",
        help="each test with its first parameters and few examples, without those that take long",
    )  # fmt: skip


def pytest_collection_finish():
    """What was collected stays: it need not be looked through for garbage again and again."""
    gc.collect()
    gc.freeze()


def pytest_ignore_collect(collection_path, config):
    """What imports a file that is left out whole costs is left out too."""
    if config.getoption("quick") and is_dear(_in_tests(collection_path)):
        return True
    return None


def pytest_collection_modifyitems(config, items):
    if not config.getoption("quick"):
        return
    settings.load_profile("quick")
    kept: dict[str, pytest.Item] = {}
    left: list[pytest.Item] = []
    for item in items:
        name = item.nodeid.partition("[")[0]
        dear = is_dear(_in_tests(item.path), name.rpartition("::")[2])
        if dear or name in kept or item.get_closest_marker("slow") is not None:
            left.append(item)
        else:
            kept[name] = item
    config.hook.pytest_deselected(items=left)
    items[:] = kept.values()


def _in_tests(path: Path) -> str:
    return path.relative_to(ROOT / "tests").as_posix()


@pytest.fixture(scope="session")
def require_program():
    """The path of an optional program, or a skip that says which one is missing."""

    def require(name: str) -> str:
        path = find_program(name)
        if path is None:
            missing(name)
        return str(path)

    return require


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of large inputs beside the project; it is no part of the project."""
    if not SHARED.is_dir():
        pytest.skip("the folder of large inputs is not beside the project")
    return SHARED / "data"


def numbered(folder: Path) -> Iterator[Path]:
    """New folders in one. To look for a free number, as mktemp does, takes longer with each."""
    for number in count():
        (folder / str(number)).mkdir()
        yield folder / str(number)


@pytest.fixture(scope="session")
def _homes(tmp_path_factory):
    return numbered(tmp_path_factory.mktemp("surroundings"))


@pytest.fixture(scope="session")
def new_cache(tmp_path_factory, pytestconfig):
    """Makes empty caches, but for the kernels: they are compiled once for all tests and workers."""
    kept = getattr(pytestconfig, "cache", None)  # pytest can be run without one
    kernels = kept.mkdir("kernels") if kept else tmp_path_factory.mktemp("kernels")
    caches = numbered(tmp_path_factory.mktemp("caches"))

    def make() -> Path:
        cache = next(caches)
        (cache / "kernels").symlink_to(kernels)
        return cache

    return make


@pytest.fixture(scope="session")
def made_once(tmp_path_factory):
    """Name of a folder and what fills it in, the folder out: filled by the first worker to ask.

    What is in it belongs to all: read it only.
    """
    base = tmp_path_factory.getbasetemp()
    shared = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "made-once"
    shared.mkdir(exist_ok=True)

    def once(name: str, fill: Callable[[Path], object]) -> Path:
        folder, done = shared / name, shared / f"{name}.done"
        with FileLock(shared / f"{name}.lock"):
            if not done.exists():
                fill(folder)
                done.touch()
        return folder

    return once


@pytest.fixture(autouse=True)
def _own_surroundings(_homes, new_cache, monkeypatch):
    """Every test has its own cache and working folder, and one thread an operation."""
    monkeypatch.setenv("SEQFORGE_CACHE", str(new_cache()))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")  # servers of the tests' own
    monkeypatch.chdir(next(_homes))
