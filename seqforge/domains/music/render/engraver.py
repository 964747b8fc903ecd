"""The child process of engraving: MusicXML in, SVG out, both as JSON."""

from __future__ import annotations

import json
import re
import sys
from typing import Any

OPTIONS = {
    "inputFrom": "musicxml",
    "pageWidth": 2100,
    "pageHeight": 2970,
    "adjustPageHeight": True,
    "scale": 40,
    "footer": "none",
    "svgFormatRaw": True,  # line breaks within text would be drawn as spaces
    "smuflTextFont": "none",  # 70 kB a page for the note of the tempo mark
    "svgRemoveXlink": True,  # SVG 2 has href without a prefix
}

ONE_PAGE = {
    "pageWidth": 1500,
    "pageHeight": 60_000,
    "pageMarginTop": 20,
    "pageMarginBottom": 20,
    "pageMarginLeft": 20,
    "pageMarginRight": 20,
    "header": "none",
}
"""Of a score that is shown as one picture, whatever its height."""

_SEED = 1  # of the names of a page's parts: else they are others each time

# The tempo mark's note and dot stand in the private area of a music font; any font has these.
_MARK = re.compile(
    '<tspan font-family="[A-Z][a-z]+" font-size="[0-9]+px">(\ueca5( \uecb7)?)</tspan>'
)


def main() -> None:
    """Draw what stdin holds."""
    import verovio

    documents: list[str] = json.load(sys.stdin)
    verovio.enableLog(verovio.LOG_ERROR)  # it goes to stderr
    toolkit = verovio.toolkit()
    toolkit.setOptions(OPTIONS | (ONE_PAGE if "--one-page" in sys.argv else {}))
    json.dump([_engraved(toolkit, text) for text in documents], sys.stdout)


def _engraved(toolkit: Any, text: str) -> dict[str, Any]:
    """``pages``, and ``notes``: where each begins, in quarters, and the ids of those that do."""
    toolkit.resetXmlIdSeed(_SEED)
    if not toolkit.loadData(text):
        return {"pages": [], "notes": []}
    begun = [(event["qstamp"], event.get("on", [])) for event in toolkit.renderToTimemap({})]
    return {"pages": _pages(toolkit), "notes": [[at, names] for at, names in begun if names]}


def _pages(toolkit: Any) -> list[str]:
    pages = [toolkit.renderToSVG(page + 1) for page in range(toolkit.getPageCount())]
    return [_MARK.sub(_plain_mark, page) for page in pages]


def _plain_mark(mark: re.Match[str]) -> str:
    return f'<tspan font-size="500px">\u2669{"." if mark[2] else ""}</tspan>'


if __name__ == "__main__":
    main()
