"""Plain text: characters, bytes or words."""

from seqforge.domains.text.entry import TextOrWords as TextDomain

__all__ = ["TextDomain"]
