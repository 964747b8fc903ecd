"""Bits per symbol in, per character out: the part of ``summary.json`` that has them."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class SpelledScores(BaseModel):
    """What symbols are in characters, on the part of the headline."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)

    characters_per_symbol: float
    """Characters of its text over its symbols."""
    bits_per_character: float | None
    """The headline's bits over these."""
    unknown: float
    """Share of the unknown symbol, which counts as one character."""

    def sentence(self, unit: str) -> str:
        """The same for people."""
        if self.bits_per_character is None:
            return ""
        said = (
            f"That is {self.bits_per_character:.4f} bits per character, at "
            f"{self.characters_per_symbol:.2f} characters a {unit}"
        )
        if self.unknown:
            said += (
                f"; {100 * self.unknown:.1f} % are unknown words, which are not spelled and count "
                "as one character"
            )
        return f"{said}."
