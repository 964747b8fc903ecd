"""A clock that only moves when somebody sleeps by it, or is told to."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

START = datetime(2026, 11, 21, 9, 0, tzinfo=UTC).timestamp()


class Clock:
    """Seconds since 1970 that stand still until moved; safe between threads.

    Called, it is the time; ``sleep`` moves it on at once and remembers the nap. It serves as the
    monotonic clock too; ``wall`` is the one that hangs in the computer, and may be set wrong.
    """

    def __init__(self, start: float = START) -> None:
        self._now = start
        self._lock = threading.Lock()
        self.naps: list[float] = []
        self.wrong_by = 0.0
        """Seconds that the computer's clock is ahead; whoever sets it changes this."""

    def __call__(self) -> float:
        with self._lock:
            return self._now

    def wall(self) -> float:
        """What the computer takes for the time."""
        return self() + self.wrong_by

    def sleep(self, seconds: float) -> None:
        """What a client is given in place of time.sleep."""
        if seconds < 0:
            raise ValueError(f"nobody sleeps for {seconds} seconds")
        with self._lock:
            self.naps.append(seconds)
            self._now += seconds

    def advance(self, *, seconds: float = 0, days: float = 0) -> None:
        """Let time pass without anybody's sleeping."""
        with self._lock:
            self._now += seconds + days * 86_400
