"""What all tests share: where real data lie, and programs that a machine may lack."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from hypothesis import settings

from tests.programs import find_program, find_programs

# The machine may be busy with anything: a slow example is no failure.
settings.register_profile("seqforge", deadline=None)
settings.load_profile("seqforge")

# A shell's background job is deaf to Ctrl-C, and so would be the programs that tests stop with it.
signal.signal(signal.SIGINT, signal.default_int_handler)

find_programs()  # before anything can change, for all that this process starts

ROOT = Path(__file__).parent.parent
SHARED = ROOT.parent / "shared"


def missing(what: str) -> None:
    """Skip the test for want of something, or fail where everything was promised to be there."""
    if os.environ.get("SEQFORGE_REQUIRE") == "all":
        pytest.fail(f"{what} is missing, and SEQFORGE_REQUIRE=all says that nothing is")
    pytest.skip(f"{what} is missing on this machine")


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


@pytest.fixture(scope="session")
def new_cache(tmp_path_factory, pytestconfig):
    """Makes empty caches, but for the kernel: that is compiled once for all tests and workers."""
    kept = getattr(pytestconfig, "cache", None)  # pytest can be run without one
    kernel = kept.mkdir("kernel") if kept else tmp_path_factory.mktemp("kernel")

    def make() -> Path:
        cache = tmp_path_factory.mktemp("cache")
        (cache / "kernel").symlink_to(kernel)
        return cache

    return make


@pytest.fixture(autouse=True)
def _own_surroundings(tmp_path_factory, new_cache, monkeypatch):
    """Every test has its own cache and working folder, and one thread an operation."""
    home = tmp_path_factory.mktemp("surroundings")
    monkeypatch.setenv("SEQFORGE_CACHE", str(new_cache()))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")  # servers of the tests' own
    monkeypatch.chdir(home)
