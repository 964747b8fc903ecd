"""A seed gives the symbols that it gave before: every strategy and bundled model, from a file.

The file was drawn by another implementation of the same definitions (numba). Where a
change of what is drawn is wanted, it says so in the changelog, and this file is drawn anew.
"""

import json
from pathlib import Path

import pytest

import seqforge

GOLDEN = json.loads((Path(__file__).parent / "golden.json").read_text("utf-8"))


@pytest.mark.parametrize("model", GOLDEN)
def test_a_seed_gives_what_it_always_gave(model):
    loaded = seqforge.load(model)
    for strategy, kept in GOLDEN[model].items():
        found = loaded.sample(2, max_length=80, seed=11, **kept["options"])
        assert [sample.symbols for sample in found] == kept["symbols"], strategy
