"""The top level of the repository holds what it should; nothing of anybody else's lies there."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from tests.conftest import ROOT

EXPECTED = {
    ".ci", ".gitignore", ".pre-commit-config.yaml", "CHANGELOG.md", "CITATION.cff",
    "CONTRIBUTING.md", "LICENSE", "Makefile", "README.md", "benchmarks", "constraints.txt",
    "data", "docs", "pipelines", "pyproject.toml", "seqforge", "tests",
}  # fmt: skip
BUILT = (".whl", ".tar.gz", ".egg", ".pyc", ".so", ".partial", ".lock", ".sqlite", ".log")
"""How files end that are made, and belong into no repository."""


@pytest.fixture(scope="module")
def kept() -> list[str]:
    """All that is under version control."""
    if not (ROOT / ".git").exists() or shutil.which("git") is None:
        pytest.skip("this is no clone, as what was unpacked from an archive is none")
    told = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if told.returncode:
        pytest.skip("git does not say what is kept here")
    return [name for name in told.stdout.split("\0") if name]


def test_the_top_level_holds_what_it_should(kept: list[str]) -> None:
    assert {name.partition("/")[0] for name in kept} == EXPECTED


def test_nothing_that_is_built_is_kept(kept: list[str]) -> None:
    assert [name for name in kept if name.endswith(BUILT)] == []


def test_names_are_such_that_every_system_has_them(kept: list[str]) -> None:
    """Two that differ in capitals alone are one file on some; others forbid some characters."""
    assert len({name.lower() for name in kept}) == len(kept)
    assert not [name for name in kept if set(name) & set('<>:"\\|?*') or not name.isascii()]
