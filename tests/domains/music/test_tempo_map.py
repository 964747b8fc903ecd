"""Seconds of steps: as adding up each step at its tempo gives them, and as mido counts them."""

import mido
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqforge.domains.music.notes import Piece, Tempo
from seqforge.domains.music.tempo_map import TempoMap
from tests.domains.music.conftest import few

TEMPOS = st.lists(
    st.builds(Tempo, st.integers(0, 300), st.integers(150_000, 3_000_000)),
    max_size=5,
    unique_by=lambda tempo: tempo.step,
).map(lambda found: tuple(sorted(found)))


@few
@given(tempos=TEMPOS, quarter=st.sampled_from([4, 12, 24, 96]), step=st.integers(0, 400))
def test_a_step_lasts_what_the_tempo_before_it_says(tempos, quarter, step):
    piece = Piece((), quarter, tempos)
    changes = {tempo.step: tempo.microseconds for tempo in tempos}
    tempo, seconds = 500_000, 0.0
    for place in range(step):
        tempo = changes.get(place, tempo)
        seconds += mido.tick2second(1, quarter, tempo)

    assert TempoMap(piece).seconds(step) == pytest.approx(seconds, rel=1e-9, abs=1e-12)
