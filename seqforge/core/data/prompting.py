"""What a person gives in, a prompt in a model's symbols out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from seqforge.core.data.domain import Domain, Hints, Prompts, Spells
from seqforge.core.data.vocabulary import Unknown, Vocabulary
from seqforge.core.records import Prompt

PromptKind = TypeVar("PromptKind", bound=Prompt)


def read_prompt(
    domain: Domain, source: str | Path, vocabulary: Vocabulary, name: str = "the prime"
) -> Prompt:
    """What a person gives, as the domain reads it; symbols may be left that the model lacks.

    A domain that has no ``prompt`` is asked for its ``prime``.

    Raises:
        InputError: If the file cannot be used, or nothing is in it.
    """
    name = str(source) if isinstance(source, Path) else name
    if isinstance(domain, Prompts):
        return replace(domain.prompt(source, vocabulary), name=name)
    return Prompt(domain.prime(source), name)


def known_prompt(
    prompt: PromptKind, domain: Domain, vocabulary: Vocabulary, unknown: Unknown,
    remedied: bool = True,
) -> PromptKind:  # fmt: skip
    """A prompt without the symbols that the vocabulary lacks: left out or mapped.

    Raises:
        InputError: If they are to be refused; says how else, where it is ``remedied``.
    """
    hint = domain.hint if isinstance(domain, Hints) else lambda symbol: ""
    spelled = domain.spelled if isinstance(domain, Spells) else str
    symbols, strange = vocabulary.known(
        prompt.symbols, prompt.name, unknown, hint, remedied=remedied, spelled=spelled
    )
    return replace(prompt, symbols=symbols, unknown=strange)
