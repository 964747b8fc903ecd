"""Steps of the grid in, seconds out, by the tempos of a piece."""

from __future__ import annotations

from bisect import bisect_right

from seqforge.domains.music.notes import DEFAULT_TEMPO, Piece, Tempo


class TempoMap:
    """Steps as seconds, by the tempos of a piece."""

    def __init__(self, piece: Piece) -> None:
        self._grid = piece.steps_per_quarter
        tempos = piece.tempos or (Tempo(0, DEFAULT_TEMPO),)
        self.steps, self._tempos, self._seconds = [0], [DEFAULT_TEMPO], [0.0]
        for step, microseconds in tempos:
            self._seconds.append(self.seconds(step))
            self.steps.append(step)
            self._tempos.append(microseconds)

    def seconds(self, step: int) -> float:
        """When a step is."""
        place = bisect_right(self.steps, step) - 1
        since = (step - self.steps[place]) / self._grid
        return self._seconds[place] + since * self._tempos[place] / 1e6
