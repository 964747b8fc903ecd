"""What the tests of music share."""

from __future__ import annotations

import importlib.util
import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from seqforge.domains.music.notes import KeySignature, Note, Piece, Tempo, TimeSignature

few = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""For ``@given``: others run beside these tests."""


@pytest.fixture(scope="session")
def midi_files(shared_data) -> list[Path]:
    """Real MIDI files: Bach to Joplin."""
    return sorted((shared_data / "music" / "midi").glob("*.mid"))


@pytest.fixture(scope="session")
def corpus_files() -> list[Path]:
    """The ABC files of the installed music21, in an order that is no order."""
    spec = importlib.util.find_spec("music21")
    assert spec is not None
    root = Path(spec.submodule_search_locations[0]) / "corpus"
    files = [
        f for b in ("ryansMammoth", "oneills1850", "airdsAirs") for f in (root / b).glob("*.abc")
    ]
    return random.Random(4).sample(sorted(files), 200)


def pieces(most: int = 20) -> st.SearchStrategy[Piece]:
    """Any piece a file may hold, not in normal form."""
    steps = st.integers(0, 400)
    notes = st.builds(
        Note,
        st.integers(0, 127),
        st.integers(1, 127),
        steps,
        st.integers(1, 300),
        st.integers(0, 128),
    )
    times = st.builds(
        TimeSignature, steps, st.integers(1, 32), st.sampled_from([1, 2, 4, 8, 16, 32, 64])
    )
    return st.builds(
        Piece,
        st.lists(notes, max_size=most).map(tuple),
        st.sampled_from([4, 12, 24, 96]),
        st.lists(st.builds(Tempo, steps, st.integers(150_000, 3_000_000)), max_size=3).map(tuple),
        st.lists(times, max_size=3).map(tuple),
        st.lists(st.builds(KeySignature, steps, st.integers(-7, 7), st.booleans()), max_size=3).map(
            tuple
        ),
        st.integers(0, 100),
    )
