"""Ctrl-C at a moment that is counted and not timed: when a file is opened for the nth time."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_waiting: list[list[object]] = []  # [name, how many openings are left]
_hooked = False


def _hook(event: str, arguments: tuple[object, ...]) -> None:
    if event != "open" or not _waiting or not isinstance(arguments[0], str | os.PathLike):
        return
    waiting = _waiting[-1]
    if os.path.basename(os.fspath(arguments[0])) == waiting[0]:
        waiting[1] -= 1
        if waiting[1] == 0:
            signal.raise_signal(signal.SIGINT)  # the main thread gets it, whichever opens


@contextmanager
def ctrl_c_at(name: str, times: int) -> Iterator[None]:
    """In this block SIGINT comes when a file of this name is opened so often, by any thread."""
    global _hooked
    if not _hooked:
        sys.addaudithook(_hook)  # for good: there is no way to take one away
        _hooked = True
    _waiting.append([name, times])
    try:
        yield
    finally:
        _waiting.pop()
