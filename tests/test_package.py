"""The package itself: a wheel works outside the clone, names are typed, nothing heavy is early."""

import os
import re
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

import seqforge
import seqforge.errors
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A wheel built from the clone, in an environment that has our dependencies but not us."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", folder]
    subprocess.run(list(map(str, build)), check=True, capture_output=True, cwd=ROOT)
    (wheel,) = folder.glob("*.whl")
    environment = folder / "environment"
    venv.create(environment, with_pip=False, symlinks=True)
    (site,) = environment.glob("lib/python*/site-packages")
    with zipfile.ZipFile(wheel) as packed:  # of Python alone: what pip would do, in a moment
        packed.extractall(site)
    theirs = next(path for path in sys.path if path.endswith("site-packages"))
    (site / "dependencies.pth").write_text(theirs + "\n")

    def call(*arguments):
        return subprocess.run(
            [str(environment / "bin" / "python"), "-m", "seqforge", *map(str, arguments)],
            check=False, capture_output=True, text=True, cwd=folder,
            env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"},
        )  # fmt: skip

    call.site = site
    return call


def test_a_wheel_finds_its_data_recipes_and_models(installed, tmp_path):
    where = installed("run", "nonsense").stderr
    assert {"fly,", "folk,", "greff,", "text,"} <= set(where.split())

    models = installed("models", "list")
    assert "fly" in models.stdout, models.stderr

    sampled = installed("sample", "fly", "--length", 30)
    assert sampled.returncode == 0, sampled.stderr
    assert sampled.stdout.startswith(">sample_1 model=fly")

    out = tmp_path / "run"
    short = ["--budget", "3steps", "--hidden-size", 8, "--lanes", 1, "--no-memory"]
    run = installed("train", "genome", "--out", out, *short, "--batch-size", 4, "--seq-len", 8)
    assert run.returncode == 0, run.stderr
    assert str(installed.site) in (out / "ingest.tsv").read_text(), "not the clone's data"


def test_the_wheel_says_that_it_is_typed(installed):
    assert (installed.site / "seqforge" / "py.typed").exists()
    assert (installed.site / "seqforge" / "_pipelines" / "fly.toml").exists()


def test_help_comes_at_once():
    """No torch, no numpy: a program that lists its commands has no use for them."""
    code = (
        "import sys; from seqforge.cli.main import app\n"
        "try: app(['--help'])\n"
        "except SystemExit: pass\n"
        "print(sorted({'torch', 'numpy', 'pydantic', 'Bio', 'music21', 'rich.progress'}"
        " & set(sys.modules)), file=sys.stderr)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert "sample" in result.stdout
    assert result.stderr.strip() == "[]"


@pytest.mark.parametrize(
    "arguments",
    [["sample", "fly", "--length", "9"], ["sample", "folk", "--prime", "M:4/4", "--length", "9"],
     ["music", "--bars", "1", "--no-page", "--formats", "mid"]],
    ids=lambda arguments: " ".join(arguments[:2]),
)  # fmt: skip
def test_drawing_imports_nothing_that_only_training_or_searches_need(arguments, tmp_path):
    code = (
        "import sys; from seqforge.cli.main import app\n"
        "try: app(sys.argv[1:])\n"
        "except SystemExit as ended: assert not ended.code\n"
        "print(sorted({'torch', 'scipy', 'Bio', 'music21', 'pretty_midi', 'requests',"
        " 'matplotlib', 'tensorboard'} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, *arguments],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[-1] == "[]"


def test_sampling_from_python_does_not_import_torch():
    code = (
        "import sys, seqforge; s = seqforge.load('fly').sample(n=2, temperature=0.8, length=50)\n"
        "print(len(s), len(s[0].symbols), 'torch' in sys.modules)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.split() == ["2", "50", "False"]


def test_the_names_of_the_package_are_there_sorted_and_documented():
    assert seqforge.__all__ == sorted(seqforge.__all__)
    assert set(seqforge.__all__) <= set(dir(seqforge))
    documented = set(re.findall(r"`(\w+)`", (ROOT / "docs" / "python.md").read_text()))
    assert set(seqforge.__all__) <= documented
    for name in seqforge.__all__:
        assert getattr(seqforge, name).__doc__ or name == "__version__", name
    errors = {name for name, kind in vars(seqforge.errors).items() if isinstance(kind, type)}
    assert errors - {"SaidElsewhere"} <= set(seqforge.__all__)
    with pytest.raises(AttributeError, match="no attribute 'lode'"):
        seqforge.lode  # noqa: B018


def test_the_package_is_imported_without_anything_slow():
    """Names are listed, and the errors and records of a plug-in are there, before numpy is."""
    code = (
        "import sys, seqforge; dir(seqforge); seqforge.InputError\n"
        "print(sorted({'torch', 'numpy', 'pydantic', 'rich', 'typer'} & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"


def test_every_file_that_ships_as_data_has_its_checksum_on_record():
    import hashlib

    readme = (ROOT / "data" / "README.md").read_text()
    files = [path for path in (ROOT / "data").iterdir() if path.name != "README.md"]
    assert len(files) >= 3
    for path in files:
        assert path.name in readme
        assert hashlib.sha256(path.read_bytes()).hexdigest() in readme, path.name


def test_whatever_is_imported_is_declared():
    """Or comes with Python; what is found and used where it is installed is no dependency."""
    import ast
    import tomllib

    names = {"Bio": "biopython", "resvg_py": "resvg-py", "tomli_w": "tomli-w",
             "backports": "backports.zstd", "urllib3": "requests",
             "typing_extensions": "pydantic", "sqlalchemy": "optuna"}  # fmt: skip
    perhaps = {"tinysoundfont", "fluidsynth"}
    imported = set()
    for path in Path(ROOT, "seqforge").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                imported |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                imported.add(node.module)
            elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("find_spec"):
                imported |= {arg.value for arg in node.args if isinstance(arg, ast.Constant)}
    found = {name.split(".")[0] for name in imported if name} - {"seqforge"} - perhaps
    found -= set(sys.stdlib_module_names)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *extras["sweep"], *extras["experiments"]]
    declared = {re.split(r"[<>=;\[ ]", line)[0] for line in wanted}
    assert {names.get(name, name) for name in found} <= declared
