"""MusicXML in, pages of the score as SVG or PNG out, by verovio in a child process."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seqforge.base.process import OverTime, run_child
from seqforge.errors import RenderError

_LONGEST_COMPLAINT = 200
_BAR = 'class="measure"'
_FONT, _FALLBACK = "STIXGeneral", "DejaVu Serif"  # as wide as Times, which verovio counts on


@dataclass(frozen=True)
class Engraved:
    """A score."""

    pages: tuple[str, ...]
    """As SVG."""
    notes: tuple[tuple[float, tuple[str, ...]], ...]
    """Where notes begin, in quarters from the start, and their ids in the pages."""


def svg_pages(musicxml: str, seconds: float = 20.0) -> list[str]:
    """MusicXML in, the pages of the score as SVG out.

    Args:
        musicxml: Of our own writing: of anything else verovio may crash.
        seconds: How long it may take.

    Raises:
        RenderError: If it cannot be drawn, or not in time.
    """
    return svg_pages_of([musicxml], seconds)[0]


def svg_pages_of(documents: Sequence[str], seconds: float = 20.0) -> list[list[str]]:
    """Several scores in, the pages of each out; see `engraved`."""
    return [list(score.pages) for score in engraved(documents, seconds)]


def engraved(
    documents: Sequence[str], seconds: float = 20.0, one_page: bool = False
) -> list[Engraved]:
    """Several scores in, engraved in one child process, out.

    Args:
        documents: As for `svg_pages`.
        seconds: How long all of them may take together.
        one_page: Whether each becomes one page without margins, however long it is.

    Raises:
        RenderError: If one cannot be drawn, or not in time.
    """
    if not documents:
        return []
    drawn, log = _engraver(documents, seconds, ["--one-page"] if one_page else [])
    for number, score in enumerate(drawn, 1):
        # Of what is no score it makes an empty page.
        if log or not score.pages or _BAR not in score.pages[0]:
            which = f"one of {len(drawn)} scores" if log else f"score {number} of {len(drawn)}"
            raise RenderError(
                f"verovio could not engrave {which if len(drawn) > 1 else 'the score'} "
                f"({log or 'there is no bar in it'}); a notation program may open the MusicXML"
            )
    return drawn


def _engraver(
    documents: Sequence[str], seconds: float, options: Sequence[str]
) -> tuple[list[Engraved], str]:
    """The output of the child process, and its complaints."""
    # As a file: by its name all that this package imports would be imported there as well.
    command = [sys.executable, "-P", str(Path(__file__).with_name("engraver.py")), *options]
    try:
        ended = run_child(command, seconds, given=json.dumps(list(documents)).encode())
    except OverTime as error:
        raise RenderError(
            f"drawing the score had not finished after {seconds:g} s and was ended; "
            "draw fewer bars at a time"
        ) from error
    said = ended.complaint.strip().rsplit("\n", 1)[-1][:_LONGEST_COMPLAINT]
    if ended.code < 0:
        said = f"ended by signal {-ended.code}"
    if ended.code:
        raise RenderError(f"verovio failed on the score ({said})")
    return [_score(found) for found in json.loads(ended.out)], said


def _score(found: Mapping[str, Any]) -> Engraved:
    notes = tuple((float(at), tuple(names)) for at, names in found["notes"])
    return Engraved(tuple(found["pages"]), notes)


def to_png(svg: str, width: int = 1200) -> bytes:
    """An SVG page in, a PNG on white out.

    Args:
        svg: As `svg_pages` gives.
        width: In pixels.

    Raises:
        RenderError: If it is not an SVG document.
    """
    import resvg_py  # 2 MB that only pictures need

    # resvg knows no lists of families, and a system may have no Times: matplotlib brings both.
    text = svg.replace("Times, serif", _FONT).replace("Times,serif", _FONT)
    try:
        return bytes(
            resvg_py.svg_to_bytes(
                svg_string=text,
                width=width,
                background="white",
                skip_system_fonts=True,
                font_files=[str(font) for font in _fonts()],
                font_family=_FALLBACK,
                serif_family=_FALLBACK,
            )
        )
    except ValueError as error:
        raise RenderError(f"resvg cannot render the page ({error})") from error


def _fonts() -> list[Path]:
    """The serif fonts of the installed matplotlib, found without importing it."""
    found = importlib.util.find_spec("matplotlib")
    places = (found and found.submodule_search_locations) or ()
    return [
        font
        for place in places
        for name in (_FONT, _FALLBACK.replace(" ", ""))
        for font in sorted((Path(place) / "mpl-data" / "fonts" / "ttf").glob(f"{name}*.ttf"))
    ]
