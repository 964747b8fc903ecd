"""Exported samples in, one HTML page out on which they are seen and heard."""

from __future__ import annotations

import base64
import json
import os
import re
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from importlib import resources
from pathlib import Path
from urllib.parse import quote

from jinja2 import Environment, StrictUndefined

from seqforge.base.folders import write_atomically
from seqforge.charts.png import png_bytes
from seqforge.core.data.domain import Sample
from seqforge.core.output.metadata import settings_of, temperature_of
from seqforge.domains.music.notes import Piece, bar_lines
from seqforge.domains.music.render.piano_roll import KEYS, piano_roll, quarter_pixels
from seqforge.domains.music.render.sample_export import QUICK, Rendered, SampleExport
from seqforge.domains.music.tempo_map import TempoMap

SHOWN = 12
"""Samples on the page; for others there are files only."""
_SVG, _XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
_KEPT = {"svg", "g", "defs", "symbol", "use", "path", "rect", "polygon", "polyline", "line", "text",
         "tspan", "ellipse", "circle", "title", "desc", "style"}  # fmt: skip
_REFERENCE = re.compile(r"#([\w.-]+)")


@dataclass(frozen=True)
class Shown:
    """A sample, or the prime, on the page."""

    title: str
    facts: str
    pages: tuple[str, ...]
    """Its score, as SVG that can be embedded."""
    roll: str
    """Its piano roll, a PNG as base64; empty for silence."""
    width: int
    """Of the roll, in pixels."""
    points: str
    """JSON: times in seconds, and their positions in the roll, as shares of its width."""
    sound: str
    """OGG as base64; empty for silence."""
    abc: str
    links: tuple[tuple[str, str], ...]
    """(address, name) of the files beside the page."""
    remarks: tuple[str, ...]


def write_page(
    path: Path,
    title: str,
    prime: Rendered | None,
    samples: Sequence[Rendered],
    count: int,
    remarks: Sequence[str] = (),
) -> None:
    """Write the page, atomically.

    Args:
        path: Where it goes, beside the files of the samples.
        title: Its heading.
        prime: What was given, where something was.
        samples: At least one; the first `SHOWN` are shown.
        count: How many there are in all.
        remarks: Sentences on how the prime was taken.

    Raises:
        RunError: If it cannot be written.
    """
    shown = [
        _shown(one, f"Sample {one.performance.sample.number}", f"s{number}")
        for number, one in enumerate(samples[:SHOWN], 1)
    ]
    folder = resources.files(__package__)
    script = folder.joinpath("page.js").read_text("utf-8")
    # Markup is in the template alone, and in scores that were taken apart and put together anew.
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    source = folder.joinpath("page.html.jinja").read_text("utf-8")
    page = environment.from_string(source).render(
        title=title,
        how=_how(samples[0].performance.sample),
        prime=_shown(prime, "What was given", "prime") if prime else None,
        remarks=remarks,
        samples=shown,
        left_out=count - len(shown),
        script=script,
        script_hash=base64.b64encode(sha256(script.encode()).digest()).decode(),
    )
    write_atomically(path, page.encode("utf-8", "replace"))


def _shown(rendered: Rendered, title: str, prefix: str) -> Shown:
    performance = rendered.performance
    piece = performance.piece
    end = piece.end if prefix == "prime" else performance.prime_end
    roll = piano_roll(piece, 0 if prefix == "prime" else end)
    return Shown(
        title=title,
        facts=_facts(performance, end),
        pages=tuple(own_svg(page, f"{prefix}-{n}-") for n, page in enumerate(rendered.pages)),
        roll="" if roll is None else base64.b64encode(png_bytes(roll)).decode(),
        width=0 if roll is None else roll.shape[1],
        points="[]" if roll is None else json.dumps(_points(piece, roll.shape[1])),
        sound=base64.b64encode(rendered.ogg).decode(),
        abc=performance.abc,
        links=tuple(
            (quote(os.fsencode(file.name)), file.suffix.lstrip(".")) for file in _files(rendered)
        ),
        remarks=rendered.remarks,
    )


def _files(rendered: Rendered) -> list[Path]:
    stem = rendered.stem
    if stem is None:
        return []
    formats = [name for name in rendered.performance.domain.formats if name in QUICK]
    return [stem.with_name(f"{stem.name}.{name}") for name in formats] + list(rendered.files)


def _points(piece: Piece, width: int) -> list[list[float]]:
    """Where the sound is in the roll; between two points it goes evenly."""
    clock, pixels = TempoMap(piece), quarter_pixels(piece) / piece.steps_per_quarter
    shown = min(piece.end, int((width - KEYS) / pixels))  # what is longer goes on unseen
    steps = sorted({step for step in clock.steps if step < shown} | {shown})
    return [
        [round(clock.seconds(step), 3), round((KEYS + step * pixels) / width, 5)] for step in steps
    ]


def _how(sample: Sample) -> list[tuple[str, str]]:
    """How all samples were drawn, as rows of a table."""
    temperature = temperature_of(sample)
    rows = [
        ("model", sample.model),
        ("temperature", "" if temperature is None else temperature.removesuffix(".0")),
        ("seed", "" if sample.seed is None else str(sample.seed)),
        *((name.replace("_", " "), value) for name, value in settings_of(sample).items()),
    ]
    return [(name, value) for name, value in rows if value]


def _facts(performance: SampleExport, prime_end: int) -> str:
    """What is known of one sample, in half-sentences."""
    sample, piece, new = performance.sample, performance.piece, performance.new_bars
    notes, bars = len(piece.notes), sum(1 for _ in bar_lines(piece, max(1, performance.end)))
    said = [f"{notes:,} note{'s'[: notes != 1]} in {bars:,} bar{'s'[: bars != 1]}"]
    if prime_end and new and prime_end < piece.end:
        said[0] += f", {new:,} of them new"
    if sample.mean_log_prob is not None:
        said.append(f"mean log-probability {sample.mean_log_prob:.3f} nats a symbol")
    if sample.removed_mass is not None:
        said.append(f"the grammar took {sample.removed_mass:.2%} of the probability")
    return "; ".join(said)


def own_svg(svg: str, prefix: str) -> str:
    """An SVG in, the same with its own names and nothing active out.

    Args:
        svg: A well-formed one.
        prefix: What every id in it begins with afterwards.
    """
    for name, uri in (("", _SVG), ("xlink", _XLINK)):
        ET.register_namespace(name, uri)
    root = ET.fromstring(svg)
    for parent in [root, *root.iter()]:
        for child in list(parent):
            if child.tag.removeprefix(f"{{{_SVG}}}") not in _KEPT:
                parent.remove(child)
    ids = {element.get("id") for element in root.iter()} - {None}

    def owned(match: re.Match[str]) -> str:
        return f"#{prefix}{match[1]}" if match[1] in ids else match[0]

    for element in root.iter():
        for name, value in list(element.attrib.items()):
            if name == "id":
                element.set(name, prefix + value)
            elif name.startswith("on") or (name.endswith("href") and not value.startswith("#")):
                del element.attrib[name]
            elif "#" in value:
                element.set(name, _REFERENCE.sub(owned, value))
        if element.tag == f"{{{_SVG}}}style" and element.text:
            element.text = _REFERENCE.sub(owned, element.text)
    return ET.tostring(root, "unicode")
