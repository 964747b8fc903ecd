"""``seqforge music``: continue a melody, or make one up."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seqforge.cli.app import app
from seqforge.cli.opening import UnknownSymbols, opened, say_unknown
from seqforge.cli.strategies import PLAIN_HEAT, Count, Seed, Temperature
from seqforge.errors import CheckpointError, ConfigError

if TYPE_CHECKING:
    from seqforge.api import How, Model
    from seqforge.cli.saving import Drawing
    from seqforge.core.vocabulary import Unknown
    from seqforge.domains.music import MusicDomain

_BUNDLED = "folk"


@app.command()
def music(
    prime: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Melody to go on from: .mid, .abc, MusicXML."),
    ] = None,
    temperature: Temperature = PLAIN_HEAT,
    count: Count = 1,
    bars: Annotated[
        int | None, typer.Option(min=1, help="Stop after so many bars (default: the tune's end).")
    ] = None,
    seed: Seed = 0,
    model: Annotated[
        str | None, typer.Option(help="Model to draw from (default: your newest of tunes).")
    ] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the files.")] = Path("music"),
    unknown: UnknownSymbols = "refuse",
) -> None:
    """Continue a melody (or start one): a .mid that plays and an .abc that prints."""
    from seqforge.cli.saving import save
    from seqforge.core.files import make_folder
    from seqforge.domains.music import MusicDomain
    from seqforge.models import find_model

    if out.suffix.lower() in MusicDomain.suffixes and not out.is_dir():
        raise ConfigError(
            f"{out}: is the name of a file, and a folder is wanted here; give one, or name a file "
            "with `seqforge sample MODEL --out`"
        )
    path = find_model(model or _default_model())
    loaded = opened(str(path))
    domain = loaded.domain
    if not isinstance(domain, MusicDomain):
        raise CheckpointError(
            f"{loaded.card.name}: is a model of {domain.name}, and a melody needs one of music"
        )
    how: How = {
        "temperature": temperature.value, "bars": bars, "seed": seed,
        "prime": _prime_of(domain, loaded, prime, unknown) if prime is not None else "",
    }  # fmt: skip
    drawing = _drawing(path, loaded, count, how)
    save(drawing, make_folder(out) / f"{prime.stem if prime else 'tune'}.mid", False, False)


def _drawing(path: Path, loaded: Model, count: int, how: How) -> Drawing:
    from seqforge.cli.saving import Drawing, settings_of

    return Drawing(
        domain=loaded.domain,
        count=count,
        draw=lambda first, drawn: loaded.draw(count - first + 1, first=first, drawn=drawn, **how),
        stream=None,
        settings=settings_of(path, count, loaded.options(how), {"constraint": True, **how}, {}),
    )


def _prime_of(domain: MusicDomain, loaded: Model, prime: Path, unknown: Unknown) -> str:
    from seqforge.api import Symbols

    whole = domain.prime(prime)
    symbols = domain.fitted(whole, loaded.card.vocabulary)
    if len(symbols) < len(whole):
        typer.echo(f"{prime}: {len(whole) - len(symbols)} symbols that the model does not know "
                   "were left out", err=True)  # fmt: skip
    kept, strange = loaded.card.vocabulary.known(symbols, str(prime), unknown)
    say_unknown(str(prime), strange, unknown, quiet=False)
    return Symbols(kept)


def _default_model() -> str:
    from seqforge.core.checkpoint import load_checkpoint
    from seqforge.models import bundled_models, local_models

    if _BUNDLED in bundled_models():
        return _BUNDLED
    for path in reversed(local_models().values()):
        try:
            if load_checkpoint(path).card.config.domain == "music":
                return str(path)
        except CheckpointError:
            continue
    raise CheckpointError(
        "there is no model of tunes yet; train one with `seqforge run music` (it reads the tunes "
        "that come with music21), or name one with --model"
    )
