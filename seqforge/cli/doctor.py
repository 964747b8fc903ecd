"""``seqforge doctor``: versions, device, cores, optional programs."""

from __future__ import annotations

import json
import platform
import shutil
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from seqforge.cli.app import app
from seqforge.cli.options import Json
from seqforge.cli.stdout import echo
from seqforge.errors import RunError
from seqforge.version import __version__

_PACKAGES = ("torch", "numpy", "safetensors", "biopython", "parasail", "music21", "mido",
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
def doctor(json_: Json = False) -> None:
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
    if json_:
        echo(json.dumps(found, indent=2))
        return
    for key in ("seqforge", "python", "system", "cores", "processor", "device"):
        echo(f"{key:<12} {found[key]}")
    echo("packages     " + ", ".join(f"{k} {v or '-'}" for k, v in found["packages"].items()))
    echo(f"cache        {cache} ({size / 1e6:,.1f} MB; may be removed at any time)")
    echo("optional programs:")
    for name, path in found["programs"].items():
        echo(f"  {name:<12} {path or 'not found'} ({_PROGRAMS[name]})")


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
