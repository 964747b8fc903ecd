"""A held-out part and its domain in, what its symbols are in characters out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from seqforge.core.data.corpus import Corpus, TokenPart
from seqforge.core.data.domain import Domain, Spells
from seqforge.core.data.vocabulary import Vocabulary
from seqforge.reporting.spelled_scores import SpelledScores


def spelled_scores(
    corpus: Corpus, domain: Domain, parts: Sequence[TokenPart], bits: float | None
) -> SpelledScores | None:
    """Bits per symbol in, per character out; None where a symbol is a character.

    An unknown symbol counts as one character.

    Args:
        corpus: Of the parts.
        domain: Says what symbols stand for.
        parts: What was scored.
        bits: Bits per scored symbol, end symbols counted.
    """
    if not isinstance(domain, Spells):
        return None
    scored = sum(part.scored for part in parts)
    characters = unknown = 0
    for part in parts:
        for _, start, stop in part.segments.tolist():
            ids = part.tokens[start:stop].tolist()
            characters += len(domain.deciphering()(corpus.vocabulary.decode(ids), True))
            unknown += ids.count(corpus.vocabulary.unknown_id)
    if not scored or not characters:
        return None
    each = characters / scored
    return SpelledScores(
        characters_per_symbol=round(each, 4),
        bits_per_character=None if bits is None else round(bits / each, 4),
        unknown=round(unknown / scored, 4),
    )


def spelled_bytes(
    vocabulary: Vocabulary, domain: Spells, tokens: NDArray[np.unsignedinteger]
) -> NDArray[np.uint8]:
    """Symbols in, the UTF-8 of their text out: what a compressor should be given of words."""
    end = "\n"
    pieces = "".join(("", *vocabulary.symbols)[i] if i else end for i in tokens.tolist())
    text = domain.deciphering()(pieces, True)
    return np.frombuffer(text.encode("utf-8", "surrogatepass"), np.uint8)
