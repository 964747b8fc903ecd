"""A word that nobody knows and those that are known; out comes the one that was probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_LONGEST = 100  # what is longer is no slip


def did_you_mean(word: str, known: Iterable[str], prefix: str = "") -> str:
    """The end of a sentence that refuses a word: ``; did you mean sample?``, or nothing.

    Args:
        word: As it was typed.
        known: What could have been meant; upper and lower case count alike.
        prefix: What stands before the word wherever it is typed: ``--``.
    """
    if len(word) > _LONGEST:
        return ""
    by_fold = {name.casefold(): name for name in known}
    close = difflib.get_close_matches(word.casefold(), list(by_fold), 1)
    return f"; did you mean {prefix}{by_fold[close[0]]}?" if close else ""
