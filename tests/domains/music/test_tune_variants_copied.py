"""What a melody shares with training tunes, against looking at every place of every tune."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from seqforge.domains.music.domain import MusicDomain
from seqforge.domains.music.notes import Note, Piece
from seqforge.domains.music.tune_variants import longest_shared_melody, melody_intervals
from tests.steps import steps

ABC = MusicDomain(code="abc")
MELODIES = st.lists(
    st.lists(st.integers(-1, 1), max_size=12).map(lambda steps: np.array(steps, np.int16)),
    max_size=6,
)


def slowly(piece: np.ndarray, tunes: list[np.ndarray]) -> int:
    """The longest run of a piece that is somewhere in a tune."""
    places = [(i, j) for j in range(20) for i in range(j)]
    runs = {tuple(tune[i:j]) for tune in tunes for i, j in places}
    shared = {tuple(piece[i:j]) for i, j in places} & runs
    return max(map(len, shared), default=0)


@given(MELODIES, MELODIES, st.integers(1, 40))
def test_the_longest_run_is_that_of_looking_everywhere(pieces, tunes, block):
    expected = [slowly(piece, tunes) for piece in pieces]
    assert longest_shared_melody(pieces, tunes, block=block) == expected


def intervals(music: str) -> np.ndarray:
    return melody_intervals(ABC.decode(f"M:4/4\nL:1/4\nK:C\n{music}|").piece)


def test_a_copy_in_another_key_and_rhythm_is_a_copy():
    tunes = [intervals("CDEF GABc"), intervals("c2c2")]
    assert longest_shared_melody([intervals("D2E ^FGAB ^c/d/")], tunes) == [7]
    assert longest_shared_melody([intervals("cBAG")], tunes) == [0]


def test_a_run_does_not_go_on_from_one_tune_to_the_next():
    """C D E and then E F G: the run C D E F G is in neither."""
    assert longest_shared_melody([intervals("CDEFG")], [intervals("CDE"), intervals("EFG")]) == [2]


def test_only_the_melody_of_a_piece_counts():
    melody = [Note(60 + step, 80, 24 * i, 24) for i, step in enumerate((0, 2, 4))]
    chords = [Note(note.pitch - 9 - i, 80, note.start, 24) for i, note in enumerate(melody)]
    assert melody_intervals(Piece((*melody, *chords))).tolist() == [2, 2]
    assert melody_intervals(Piece()).tolist() == []


def test_a_million_intervals_and_the_worst_of_tunes_take_few_steps():
    """4,000 random tunes, and one note struck thousands of times, which doubling likes least."""
    random = np.random.default_rng(1)
    tunes = list(random.integers(-4, 5, (4000, 200)).astype(np.int16))
    tunes += [np.zeros(20_000, np.int16)]
    copied = np.concatenate([[9], tunes[1234][50:150], [9]]).astype(np.int16)

    found = []
    taken = steps(
        lambda: found.extend(longest_shared_melody([copied, np.zeros(5000, np.int16)], tunes))
    )

    assert found == [100, 5000]
    assert taken < 100 * len(tunes), "numpy does the rest, a few times over all of them"
