"""A page is opened in the browser that a person has."""

import os
import subprocess
import sys

from tests.patience import PATIENCE

OPEN = "import sys; from pathlib import Path; from seqforge.cli.console import open_page; "
OPEN += "open_page(Path(sys.argv[1]))"


def opened(folder, **environment):
    return subprocess.run(
        [sys.executable, "-c", OPEN, "a b.html"],
        cwd=folder,
        env={"PATH": "", "HOME": str(folder), **environment},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )


def test_the_browser_is_given_the_address_of_the_page(tmp_path):
    browser, seen = tmp_path / "browser", tmp_path / "seen"
    browser.write_text(f'#!/bin/sh\nprintf "%s" "$1" > {seen}\n')
    browser.chmod(0o700)

    opened(tmp_path, BROWSER=str(browser))

    assert seen.read_text() == (tmp_path / "a b.html").as_uri()


def test_without_a_browser_it_says_where_the_page_is(tmp_path):
    found = opened(tmp_path)
    assert found.stderr == "no browser was found here; open a b.html in one\n"
    assert os.listdir(tmp_path) == []
