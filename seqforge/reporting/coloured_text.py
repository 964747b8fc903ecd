"""Symbols and a number for each in, text coloured by them out, as HTML that needs no script."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from functools import cache
from html import escape
from itertools import groupby
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from seqforge.base.messages import visible_controls

Scale = Literal["surprise", "unit"]
Colour = tuple[int, int, int]

STEPS = 20
"""Shades of surprise, and of each sign of an activation, beside the paper's."""
MOST_BITS = 25.0
"""What is still more surprising is shown like this."""

_PAPER: dict[str, Colour] = {"light": (255, 255, 255), "dark": (29, 32, 35)}
# Neither so dark nor so light that the text would have to change its colour on them.
_ENDS: dict[str, dict[str, Colour]] = {
    "light": {"low": (232, 92, 80), "high": (62, 154, 203), "surprise": (226, 124, 40)},
    "dark": {"low": (188, 54, 45), "high": (22, 115, 163), "surprise": (160, 84, 18)},
}
_INK = "#000", "#fff"


def faces(symbols: str) -> dict[str, str]:
    """Symbols in, what to show in place of those that do not show as a cell of their own, out.

    A combining character stands on a dotted circle; invisible ones, such as marks of writing
    direction, are one as well; control characters are their pictures.
    """
    found = {}
    for symbol in sorted(set(symbols)):
        face = _face(symbol)
        if face != symbol:
            found[symbol] = face
    return found


def _face(symbol: str) -> str:
    kind = unicodedata.category(symbol)
    if kind in ("Mn", "Mc", "Me"):
        return f"\N{DOTTED CIRCLE}{symbol}"
    if kind in ("Cf", "Zl", "Zp"):
        return "\N{DOTTED CIRCLE}"
    if kind == "Cs":
        return "\N{REPLACEMENT CHARACTER}"
    if "\x7f" <= symbol < "\xa0":
        return "\N{SYMBOL FOR DELETE}"
    return visible_controls(symbol)


def steps(
    values: NDArray[np.floating[Any]], scale: Scale, darkest: float = 1.0
) -> NDArray[np.int64]:
    """Values (N,) in, shades (N,) out: 0 to 20 for surprise, -20 to 20 for activations; 0 for NaN.

    Args:
        values: Bits, or what a unit carries.
        scale: Which of them.
        darkest: The value of the last shade.
    """
    shade = np.nan_to_num(np.asarray(values, np.float64)) / darkest * STEPS
    return np.clip(np.rint(shade), -STEPS if scale == "unit" else 0, STEPS).astype(np.int64)


def darkest_bits(bits: NDArray[np.floating[Any]]) -> float:
    """Surprise (N,) in, that of the darkest shade out: all but the most surprising hundredth."""
    if not len(bits):
        return 1.0
    return float(max(1.0, np.ceil(2 * np.quantile(bits, 0.99)) / 2))


def shade_class(scale: Scale, step: int) -> str:
    """The class of a shade, as `style` has them."""
    return f"s{step}" if scale == "surprise" else f"a{step + STEPS}"


def coloured_text(
    symbols: str, values: NDArray[np.floating[Any]], scale: Scale, label: str,
    darkest: float | None = None,
) -> str:  # fmt: skip
    """A few hundred symbols as markup; the page needs `style` once.

    Args:
        symbols: N of them, each a cell of its own.
        values: (N,): bits, or what a unit carries, in [-1, 1].
        scale: Which of them.
        label: What it is, for those who cannot see it.
        darkest: The value of the last shade; None: 1 for a unit, else as the text has it.
    """
    if darkest is None:
        darkest = 1.0 if scale == "unit" else darkest_bits(values)
    shades = [shade_class(scale, int(step)) for step in steps(values, scale, darkest)]
    shown = faces(symbols)
    cells = "".join(_runs([shown.get(one, one) for one in symbols], shades))
    return (
        f'<div class="coloured" tabindex="0" role="group" aria-label="{escape(label)}">'
        f"{cells}</div>"
    )


def _runs(cells: Sequence[str], shades: Sequence[str]) -> Iterator[str]:
    """Neighbours of one shade share an element."""
    for shade, run in groupby(zip(cells, shades, strict=True), key=lambda pair: pair[1]):
        text = escape("".join(cell for cell, _ in run)).replace("\n", '<b class="nl"></b>\n')
        yield f'<span class="{shade}">{text}</span>'


def scale_legend(scale: Scale, darkest: float = 1.0) -> str:
    """What the shades stand for, as markup."""
    low, high = ("-1", "1") if scale == "unit" else ("0", f"{darkest:g} bits and more")
    first = -STEPS if scale == "unit" else 0
    shades = [shade_class(scale, step) for step in range(first, STEPS + 1, 4)]
    swatches = "".join(f'<i class="{shade}"></i>' for shade in shades)
    low = low.replace("-", "\N{MINUS SIGN}")
    return f'<span class="shades">{low} {swatches} {high}</span>'


@cache
def shades(theme: Literal["light", "dark"]) -> tuple[str, ...]:
    """The 41 colours of activations from -1 to 1."""
    ends, paper = _ENDS[theme], _PAPER[theme]
    return tuple(
        _css(_mixed(paper, ends["low" if step < 0 else "high"], abs(step) / STEPS))
        for step in range(-STEPS, STEPS + 1)
    )


@cache
def surprise_shades(theme: Literal["light", "dark"]) -> tuple[str, ...]:
    """The 21 colours of surprise."""
    paper, end = _PAPER[theme], _ENDS[theme]["surprise"]
    return tuple(_css(_mixed(paper, end, step / STEPS)) for step in range(STEPS + 1))


@cache
def style() -> str:
    """The rules of all shades, for light and dark pages and for print; every letter can be read."""
    dark = "\n".join(_rules("dark"))
    return (
        f"{_FRAME}\n" + "\n".join(_rules("light")) + "\n"
        f"@media screen and (prefers-color-scheme: dark) {{\n{dark}\n}}"
    )


_FRAME = """
.coloured {
  margin: .4rem 0; padding: .6rem .8rem; overflow: auto; max-height: 22rem;
  border: 1px solid var(--rule); border-radius: 4px; tab-size: 4;
  white-space: pre-wrap; overflow-wrap: anywhere; unicode-bidi: plaintext;
  font: .85rem/1.55 ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace;
}
.coloured span, .shades i { forced-color-adjust: none; print-color-adjust: exact; }
.nl::before { content: "\\21b5"; font-weight: normal; opacity: .55; }
.shades { white-space: nowrap; font-size: .8rem; color: var(--faint); }
.shades i { display: inline-block; width: .8rem; height: .8rem; vertical-align: -.1rem; }
@media print { .coloured { max-height: none; } }
""".strip()


def _rules(theme: Literal["light", "dark"]) -> Iterator[str]:
    paper = _css(_PAPER[theme])
    yield f".coloured {{ background: {paper}; color: {_ink(paper)}; }}"
    for scale, colours in (("s", surprise_shades(theme)), ("a", shades(theme))):
        for step, colour in enumerate(colours):
            yield f".{scale}{step} {{ background: {colour}; color: {_ink(colour)}; }}"


def _mixed(one: Colour, other: Colour, share: float) -> Colour:
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue


def _css(colour: Colour) -> str:
    return "#" + "".join(f"{part:02x}" for part in colour)


def _ink(paper: str) -> str:
    """Black or white, whatever contrasts more: at least 4.58 to 1 on any colour (WCAG 2.2)."""
    light = _luminance(paper) + 0.05
    return _INK[0] if light / 0.05 >= 1.05 / light else _INK[1]


def _luminance(colour: str) -> float:
    """Relative, as WCAG 2.2 defines it."""
    whole = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    parts = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in whole]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]
