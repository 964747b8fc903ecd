"""Options in, the text domain that they ask for out: characters or words."""

from __future__ import annotations

from typing import Any

from seqforge.domains.text.domain import TextDomain
from seqforge.domains.text.word_domain import WordDomain


class TextOrWords(TextDomain):
    """Plain text, one file or many."""

    def __new__(cls, *given: Any, **options: Any) -> Any:
        """A domain of one of the two classes, made."""
        kind = WordDomain if options.get("symbols") == "words" else TextDomain
        return kind(*given, **options)
