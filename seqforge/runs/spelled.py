"""A held-out part and its domain in, what its symbols are in characters out, and what compressors
make of these.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from seqforge.core.data.corpus import Corpus, TokenPart, Tokens
from seqforge.core.data.domain import Domain, Spells
from seqforge.core.data.vocabulary import Vocabulary
from seqforge.core.evaluation.compressors import CompressorResult, compressor_bits, ppmd_bits
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
    unknown_id = corpus.vocabulary.unknown_id
    for part in parts:
        for _, start, stop in part.segments.tolist():
            ids = part.tokens[start:stop].tolist()
            characters += len(domain.deciphering()(corpus.vocabulary.decode(ids), True))
            unknown += ids.count(unknown_id)
    if not scored or not characters:
        return None
    each = characters / scored
    return SpelledScores(
        characters_per_symbol=round(each, 4),
        bits_per_character=None if bits is None else round(bits / each, 4),
        unknown=round(unknown / scored, 4),
    )


def spelled_compressors(
    vocabulary: Vocabulary, domain: Spells, train: Tokens, held_out: Tokens
) -> tuple[CompressorResult, float | None]:
    """Symbols in, what compressors of their text need for a held-out symbol out, and what PPMd
    needs.
    """
    context, text = (_spelled_bytes(vocabulary, domain, ids) for ids in (train, held_out))
    found, ppmd = compressor_bits(context, text), ppmd_bits(context, text)
    each = len(text) / max(1, len(held_out))  # bytes of a symbol, of more than compressors may see
    in_symbols = CompressorResult(
        {name: None if bits is None else bits * each for name, bits in found.bits.items()},
        round(found.context_symbols * len(train) / max(1, len(context))),
        round(found.held_out_symbols / each) if each else 0,
    )
    return in_symbols, None if ppmd is None else ppmd * each


def _spelled_bytes(vocabulary: Vocabulary, domain: Spells, tokens: Tokens) -> NDArray[np.uint8]:
    """Symbols in, the UTF-8 of their text out; a record ends with a line."""
    symbols = ("\n", *vocabulary.symbols)
    text = domain.deciphering()("".join([symbols[i] for i in tokens.tolist()]), True)
    return np.frombuffer(text.encode("utf-8", "surrogatepass"), np.uint8)
