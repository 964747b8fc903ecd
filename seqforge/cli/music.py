"""seqforge music: a melody (or none) in, its continuation (or a new tune) out."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from seqforge.base.paths import folder_named, is_piped
from seqforge.cli.app import app
from seqforge.cli.load_model import open_model, say_unknown
from seqforge.cli.options import (
    Count,
    Encoding,
    Json,
    Quiet,
    Sampling,
    Verbose,
    await_stdin,
    refuse_conflicts,
    sampling_command,
)
from seqforge.errors import CheckpointError, ConfigError

if TYPE_CHECKING:
    from seqforge.api.model import Model
    from seqforge.cli.music_output import OutputLines
    from seqforge.core.data.vocabulary import Unknown
    from seqforge.core.sampling.params import How
    from seqforge.domains.music.domain import MusicDomain
    from seqforge.domains.music.primer import MusicPrompt

_BUNDLED = "folk"
_FORMATS = "mid,abc,musicxml,svg,png,ogg"
_SOME_BARS = 80  # symbols; a bar of a tune has some eight,
_LONGEST_BAR = 1000  # and none so many
_FARTHEST = 36  # semitones that it can be put out higher or lower
_KEY = re.compile(r"[A-G][#b]?m?")


_Prime = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Melody to go on from: .mid, .abc, MusicXML."),
]
_KeepKey = Annotated[
    bool, typer.Option("--keep-key", help="Hold what is drawn to the prime's key.")
]
_Transpose = Annotated[
    str,
    typer.Option(metavar="N|KEY", help="Transpose the output by N semitones, or to a key: D, Em."),
]
_Model = Annotated[
    str | None,
    typer.Option(help=f"Model to draw from (default: {_BUNDLED}, which comes with seqforge)."),
]
_Folder = Annotated[Path, typer.Option("--out", "-o", help="Folder for the files.")]
_Formats = Annotated[
    str, typer.Option(help="Of mid, abc, musicxml, svg, png, wav, ogg; with commas.")
]
_SoundFont = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Instruments to play with: .sf2, .sf3.")
]
_Page = Annotated[
    bool, typer.Option("--page/--no-page", help="Write a page to see and hear it all.")
]
_Play = Annotated[bool, typer.Option("--play", help="Play the first sample aloud.")]


@sampling_command(app, "temperature", "bars", "seed", "memory", "copy_limit", "unknown")
def music(
    how: Sampling,
    prime: _Prime = None,
    count: Count = 1,
    keep_key: _KeepKey = False,
    transpose: _Transpose = "",
    model: _Model = None,
    out: _Folder = Path("music"),
    formats: _Formats = _FORMATS,
    soundfont: _SoundFont = None,
    page: _Page = True,
    play: _Play = False,
    encoding: Encoding = "",
    json_: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Continue a melody or start one; writes MIDI, ABC, scores, audio and a page."""
    from seqforge.cli.music_output import ExportRequest, OutputLines, export_samples
    from seqforge.domains.music.render.audio import player
    from seqforge.domains.music.render.sample_export import parsed_formats
    from seqforge.runs.folder import find_model

    refuse_conflicts(how, {}, {})
    await_stdin(prime, model)
    _check_folder(out)
    named = parsed_formats(f"{formats},wav" if play else formats)
    if play:
        player()  # says that there is none before anything is drawn
    path = find_model(model or _BUNDLED)
    speech = OutputLines(json_, quiet or json_, verbose)
    loaded, domain = _opened(path, speech.quiet)
    begun = _begun(loaded, domain, prime, keep_key, how.values["unknown"], speech)
    domain = replace(
        domain,
        soundfont=_font(soundfont),
        formats=named,
        held_key=str(begun.key) if begun and keep_key else "",
        **_put_out(transpose, begun),
    )
    drawn: dict[str, Any] = {
        **how.only("temperature", "bars", "seed", "memory", "copy_limit"),
        **_lengths(loaded, how.values["bars"], prime),
        "prime": begun or "",
    }
    files = out / f"{_stem(prime, out)}.mid"
    export_samples(
        loaded,
        domain,
        path,
        cast("How", drawn),
        ExportRequest(count, files, page, play, begun, prime),
        speech,
    )


def _lengths(loaded: Model, bars: int | None, prime: Path | None) -> dict[str, int]:
    """No tune ends before the bars that were asked for; after a prime some come in any case.

    A melody may be a whole tune, and whoever asks for its continuation wants one.
    """
    if bars is not None:
        return {"length": bars * _LONGEST_BAR}  # its last bar ends it, and no end symbol
    return {"min_length": min(_SOME_BARS, loaded.card.config.sampling.length) if prime else 0}


def _stem(prime: Path | None, out: Path) -> str:
    """What the files' names begin with; never those of the prime itself."""
    if prime is None:
        return "tune"
    if is_piped(prime):
        return "prime"
    beside = prime.resolve().parent == out.resolve()
    return f"{prime.stem}-continued" if beside else prime.stem


def _check_folder(out: Path) -> None:
    from seqforge.domains.music.domain import MusicDomain

    folder_named(out)
    if out.suffix.lower() in MusicDomain.suffixes and not out.is_dir():
        raise ConfigError(
            f"{out}: is the name of a file, and a folder is wanted here; give one, or name a file "
            "with `seqforge sample MODEL --out`"
        )


def _opened(path: Path, quiet: bool) -> tuple[Model, MusicDomain]:
    from seqforge.domains.music.domain import MusicDomain

    loaded = open_model(str(path))
    domain = loaded.domain
    if not isinstance(domain, MusicDomain):
        raise CheckpointError(
            f"{loaded.card.name}: is a model of {domain.name}, and a melody needs one of music"
        )
    return loaded, domain


def _begun(
    loaded: Model, domain: MusicDomain, prime: Path | None, keep_key: bool, unknown: Unknown,
    speech: OutputLines,
) -> MusicPrompt | None:  # fmt: skip
    """What is gone on from; what was changed about it is said on stderr."""
    from seqforge.core.data.prompting import known_prompt
    from seqforge.domains.music.primer import BARS

    if prime is None:
        if keep_key:
            raise ConfigError("--keep-key needs --prime, whose key it keeps")
        return None
    vocabulary = loaded.card.vocabulary
    begun = replace(domain.prompt(prime, vocabulary, BARS), name=str(prime))
    for note in begun.notes:
        speech.say(f"{prime}: {note}")
    begun = known_prompt(begun, domain, vocabulary, unknown)
    say_unknown(str(prime), begun.unknown, unknown, speech.quiet)
    return begun


def _put_out(transpose: str, begun: MusicPrompt | None) -> dict[str, Any]:
    """How what is drawn becomes what is put out, as options of the domain."""
    from seqforge.domains.music.keys import parse_key

    by, key = 0, ""
    if re.fullmatch(r"[+-]?\d{1,2}", transpose) and abs(int(transpose)) <= _FARTHEST:
        by = int(transpose)
    elif _KEY.fullmatch(transpose) and str(parse_key(transpose)) == transpose:
        key = transpose
    elif transpose:
        raise ConfigError(
            f"--transpose {transpose}: give semitones (3, -5; up to {_FARTHEST}) or a key of at "
            "most seven sharps or flats (D, Bb, F#m, Em)"
        )
    if begun is None:
        return {"transpose": by, "into_key": key}
    return {
        "after": begun.title,
        "transpose": by - begun.moved,
        "into_key": key,
        "tempo": begun.tempo,
        "program": begun.program,
    }


def _font(asked: Path | None) -> str:
    from seqforge.domains.music.render.audio import check_font, found_font

    if asked is None:
        return found_font()
    check_font(str(asked))
    return str(asked)
