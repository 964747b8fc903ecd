"""What reading a file met on the way, for whoever lists files: sentences, collected in a block.

A reader deep below says `remark("...")`; who called it and wants to know says `with collected()`.
Where nobody collects, nothing is kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_HERE: ContextVar[dict[str, None] | None] = ContextVar("remarks", default=None)


def remark(sentence: str) -> None:
    """Say what a person should know of the file that is being read; said twice it is kept once."""
    found = _HERE.get()
    if found is not None:
        found[sentence] = None


@contextmanager
def collected() -> Iterator[dict[str, None]]:
    """Collect what is said in this block: sentences in the order in which they came."""
    found: dict[str, None] = {}
    token = _HERE.set(found)
    try:
        yield found
    finally:
        _HERE.reset(token)
