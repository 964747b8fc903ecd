"""What the documents say is what the program does."""

import re
import runpy

import pytest

from tests.conftest import ROOT


def test_the_reference_of_commands_is_not_stale():
    written = runpy.run_path(str(ROOT / "docs" / "reference.py"))["reference"]()
    assert (ROOT / "docs" / "cli.md").read_text() == written, "run: python docs/reference.py"


def test_the_table_of_the_summary_is_the_schema():
    written = runpy.run_path(str(ROOT / "docs" / "reference.py"))["files_page"]()
    assert (ROOT / "docs" / "files.md").read_text() == written, "run: python docs/reference.py"
    assert "| `baselines.order_k` | number, null | Bits of the best n-gram. |" in written


@pytest.mark.parametrize(
    "page",
    ["CONTRIBUTING.md", "README.md", *(f"docs/{p.name}" for p in (ROOT / "docs").glob("*.md"))],
)
def test_every_link_between_documents_leads_somewhere(page):
    text = (ROOT / page).read_text()
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        if "://" not in target:
            assert ((ROOT / page).parent / target).exists(), target


def test_the_map_names_every_module():
    drawn = re.findall(r"\w+", (ROOT / "docs" / "design.md").read_text().split("Around it:")[0])
    modules = {path.stem for path in (ROOT / "seqforge").rglob("*.py")} - {"__init__"}
    assert modules <= set(drawn), sorted(modules - set(drawn))


def test_every_dependency_has_its_reason():
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    reasons = (ROOT / "docs" / "dependencies.md").read_text()
    extras = project["optional-dependencies"]
    for requirement in [*project["dependencies"], *extras["test"], *extras["lint"]]:
        name = re.split(r"[<>=;\[ ]", requirement)[0]
        assert name.removeprefix("types-") in reasons, name


def test_commands_in_the_readme_exist():
    from typer.main import get_command

    from seqforge.cli.main import app

    known = set(get_command(app).commands)
    said = re.findall(r"^\s*(?:\.venv/bin/)?seqforge (\w+)", (ROOT / "README.md").read_text(), re.M)
    assert len(said) >= 5
    assert set(said) <= known


def test_the_glossary_is_sorted_and_names_modules_that_exist():
    page = (ROOT / "docs" / "glossary.md").read_text()
    rows = re.findall(r"^\| ([^|]+) \| .+ \| `([^`]+)` \|$", page, re.M)
    assert len(rows) == len([line for line in page.splitlines() if line.startswith("|")]) - 2
    assert [term for term, _ in rows] == sorted((term for term, _ in rows), key=str.lower)
    assert [path for _, path in rows if not (ROOT / "seqforge" / path).is_file()] == []


def test_the_version_is_the_same_wherever_it_stands():
    from seqforge.version import __version__

    cited = re.findall(r"^version: (.+)$", (ROOT / "CITATION.cff").read_text(), re.M)
    released = re.findall(r"^## \[(\d.*)\]", (ROOT / "CHANGELOG.md").read_text(), re.M)
    assert cited == released[:1] == [__version__]


def test_the_hooks_run_what_make_lint_runs():
    hooks = re.findall(r"entry: \.venv/bin/(\S+)", (ROOT / ".pre-commit-config.yaml").read_text())
    lint = re.findall(r"^\t\$\(BIN\)/(\S+)", (ROOT / "Makefile").read_text(), re.M)
    assert hooks
    assert set(hooks) <= set(lint)


def test_files_named_for_contributors_exist():
    page = (ROOT / "CONTRIBUTING.md").read_text()
    to_be_made = {"seqforge/domains/names.py", "tests/domains/test_names.py", "docs/names.md",
                  "pipelines/python.toml"}  # fmt: skip
    named = set(re.findall(r"`((?:seqforge|tests|docs|pipelines)/[\w/.]+\.\w+)`", page))
    assert len(named) > 20
    assert {path for path in named if not (ROOT / path).exists()} == to_be_made
