"""Plain text: characters or bytes."""

from seqforge.domains.text.domain import TextDomain

__all__ = ["TextDomain"]
