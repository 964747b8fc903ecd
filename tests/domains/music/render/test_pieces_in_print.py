"""Pieces on paper: in a real browser, a long score leaves no page empty."""

import subprocess
from dataclasses import replace

from seqforge.base import html_page
from seqforge.core.data.domain import Sample
from seqforge.domains.music.domain import MusicDomain
from seqforge.domains.music.render.pieces import pieces_section, shown
from seqforge.domains.music.render.sample_export import SampleExport, render
from tests.patience import PATIENCE

TUNE = "M:4/4\nL:1/8\nK:G\n" + "GABc dBAG|EDEF GABc|\n" * 30


def test_a_long_score_is_on_the_page_of_its_heading(tmp_path, require_program):
    export = SampleExport(MusicDomain(code="abc"), Sample(TUNE), heading="long")
    (rendered,) = render([(export, None)], [], for_page=1)
    piece = replace(shown(rendered, "A long tune", "piece1"), ogg="", mp3="")
    section = pieces_section([piece, replace(piece, name="piece2")], "heard", "Seen", "learning")
    path = tmp_path / "page.html"
    path.write_text(html_page.page("Pieces", "<h1>Pieces</h1>", [section]), "utf-8")
    quiet = "--headless --no-sandbox --disable-gpu --no-pdf-header-footer --disable-sync"
    printed = tmp_path / "page.pdf"
    subprocess.run(
        [
            *(require_program("chromium"), *quiet.split(), f"--print-to-pdf={printed}"),
            *(f"--user-data-dir={tmp_path / 'profile'}", path.as_uri()),
        ],
        capture_output=True, timeout=PATIENCE, check=True,
    )  # fmt: skip
    assert printed.read_bytes().count(b"/Type /Page\n") == 2
