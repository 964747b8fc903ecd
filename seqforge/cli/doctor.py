"""``seqforge doctor``: versions, device, cores, optional programs."""

from __future__ import annotations

import platform
import shutil
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import typer

from seqforge.cli.answering import asked
from seqforge.cli.app import app
from seqforge.cli.options import Json, Out, Quiet, Verbose
from seqforge.errors import RunError
from seqforge.version import __version__

_PACKAGES = ("torch", "numpy", "safetensors", "parasail", "music21", "mido",
             "pretty_midi", "soundfile", "verovio", "resvg-py", "tensorboard",
             "tinysoundfont", "pyfluidsynth")  # fmt: skip
_PROGRAMS = {
    "blastn": "similarity search with NCBI BLAST+, far quicker in large libraries",
    "makeblastdb": "libraries for BLAST+; it comes with blastn",
    "abc2midi": "comparing our reading of ABC tunes with another program's",
    "fluidsynth": "playing tunes with the instruments of a SoundFont",
    "afplay": "hearing a tune with `seqforge music --play`; one of these five is enough",
    "ffplay": "the same",
    "paplay": "the same",
    "aplay": "the same",
    "play": "the same; SoX's",
    "chromium": "testing that the report page opens",
    "nvidia-smi": "seeing an NVIDIA GPU",
}


@app.command()
def doctor(
    ctx: typer.Context, json_: Json = False, out: Out = None, quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:  # fmt: skip
    """Show versions, device, cores and the optional programs found, and what each is for."""
    from seqforge.core.kernels.vectors import PROCESSOR
    from seqforge.core.machine import choose_device, usable_cores
    from seqforge.stages.reading import corpus_cache

    cache, size = "", 0
    try:
        folder = corpus_cache()
        size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
        cache = str(folder)
    except (RunError, OSError) as error:
        cache = f"not usable: {error}"
    found: dict[str, Any] = {
        "seqforge": __version__,
        "python": platform.python_version(),
        "system": platform.platform(),
        "cores": usable_cores(),
        "processor": PROCESSOR,
        "device": str(choose_device("auto")),
        "packages": {name: _version(name) for name in _PACKAGES},
        "programs": {name: shutil.which(name) for name in _PROGRAMS},
        "corpus_cache": {"folder": cache, "megabytes": round(size / 1e6, 1)},
    }
    asked(ctx, json_, out, quiet, verbose).answer(found, _lines(found, verbose))


def _lines(found: dict[str, Any], verbose: bool) -> Iterator[str]:
    for key in ("seqforge", "python", "system", "cores", "processor", "device"):
        yield f"{key:<12} {found[key]}"
    packages, cache = found["packages"], found["corpus_cache"]
    yield "packages     " + ", ".join(f"{name} {known or '-'}" for name, known in packages.items())
    yield (
        f"cache        {cache['folder']} ({cache['megabytes']:,.1f} MB; may be removed at any time)"
    )
    if verbose:
        yield f"installed in {Path(__file__).parents[1]}"
        yield f"run by       {sys.executable}"
    yield "optional programs:"
    for name, path in found["programs"].items():
        yield f"  {name:<12} {path or 'not found'} ({_PROGRAMS[name]})"


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
