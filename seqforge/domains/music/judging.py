"""What a run's samples are like, beside held-out tunes, the training tunes and random notes."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from seqforge.core.domain import Sample
from seqforge.domains.music.comparing import Rows, compared, gathered, share
from seqforge.domains.music.copying import Intervals, longest_shared, melody_intervals
from seqforge.domains.music.keys import Key, declared_key, find_key, key_from_signature
from seqforge.domains.music.measures import measures, random_like
from seqforge.domains.music.notes import Decoded, Piece

if TYPE_CHECKING:
    from seqforge.core.corpus import Corpus
    from seqforge.domains.music.domain import MusicDomain

_MEASURED = 200_000
"""Symbols of held-out and of training music that are measured; what is copied is looked for in
all of it."""
_LONG = (16, 24)
"""Intervals shared with a training tune: one real tune in three, and in four, has so many in
common with another of these books, which is therefore held out or trained on with it."""
_CLOSENESS = (
    "Closeness is 1 less the Kolmogorov-Smirnov distance to the training tunes: 1 where values are "
    "distributed alike. Held-out tunes and random notes are taken as many at a time as there are "
    "samples ({}). Nine such choices of held-out tunes in ten are closer than the lower end of "
    "their 10\N{EN DASH}90 %; samples that are closer too cannot be told from real tunes by that "
    "measure alone."
)


@dataclass
class _Group:
    """Pieces of one kind, each with the key that it says it is in."""

    decoded: list[Decoded] = field(default_factory=list)
    keys: list[Key | None] = field(default_factory=list)

    @property
    def pieces(self) -> list[Piece]:
        return [one.piece for one in self.decoded]

    def add(self, domain: MusicDomain, symbols: str) -> Decoded:
        decoded = domain.decode(symbols)
        self.decoded.append(decoded)
        self.keys.append(_declared(domain, symbols, decoded.piece))
        return decoded


def report(domain: MusicDomain, samples: Sequence[Sample], corpus: Corpus) -> dict[str, Any]:
    """Measures of the samples, all temperatures together; see docs/music.md.

    Values that one of held-out, training and random notes does not have are None.
    """
    drawn, held_out, training = _Group(), _Group(), _Group()
    for sample in samples:
        drawn.add(domain, sample.symbols)
    if corpus.held_out:
        for symbols in _whole(domain, corpus.sequences(corpus.held_out, _MEASURED)):
            held_out.add(domain, symbols)
    tunes = _read_training(domain, corpus, training)
    real = held_out if held_out.decoded else training
    random = _Group(
        [Decoded(random_like(piece, seed)) for seed, piece in enumerate(real.pieces)], real.keys
    )
    groups = {"samples": drawn, "held-out": held_out, "training": training, "random notes": random}
    size = sum(len(sample.symbols) for sample in samples)
    skipped = sum(one.skipped for one in drawn.decoded)
    return {
        "samples measured, of all temperatures": len(drawn.decoded),
        "held-out tunes measured": len(held_out.decoded),
        "training tunes measured": len(training.decoded),
        "characters skipped": round(skipped / max(1, size), 4),
        "samples without a note": sum(not piece.notes for piece in drawn.pieces),
        "closeness": _CLOSENESS.format(len(samples)),
        **_rows(groups, tunes),
    }


def of_grammar(
    domain: MusicDomain, samples: Sequence[Sample], free: Sequence[Sample]
) -> dict[str, Any]:
    """How many bars the model alone would have filled, and how much the grammar had to forbid.

    Args:
        domain: What the symbols mean.
        samples: Drawn with the grammar.
        free: The same draws without it.
    """
    alone = _Group()
    for sample in free:
        alone.add(domain, sample.symbols)
    removed = [s.removed_mass for s in samples if s.removed_mass is not None]
    return {
        "full bars without the grammar": _full(alone),
        "probability that the grammar forbade": round(sum(removed) / max(1, len(removed)), 5),
    }


def _whole(domain: MusicDomain, texts: list[str]) -> list[str]:
    """ABC tunes with their header; the tail of a tune lacks it, and with it the key and metre."""
    if domain.code == "events":
        return texts
    return [text for text in texts if text.startswith("M:")] or texts


def _read_training(domain: MusicDomain, corpus: Corpus, some: _Group) -> list[Intervals]:
    """The melodies of all training tunes; fills ``some`` with tunes spread evenly over them."""
    size = corpus.part("train").symbols
    every = -(-size // _MEASURED)
    found = []
    for number, symbols in enumerate(_whole(domain, corpus.sequences("train", sys.maxsize))):
        decoded = domain.decode(symbols) if number % every else some.add(domain, symbols)
        found.append(melody_intervals(decoded.piece))
    return found


def _declared(domain: MusicDomain, symbols: str, piece: Piece) -> Key | None:
    """The key that ABC's first K: names, or the first signature of other notes; None for none."""
    if domain.code != "events":
        return declared_key(symbols)
    first = next(iter(piece.key_signatures), None)
    return first and key_from_signature(first.sharps, first.minor)


def _rows(groups: dict[str, _Group], tunes: list[Intervals]) -> Rows:
    measured = {
        name: gathered([measures(piece) for piece in group.pieces])
        for name, group in groups.items()
    }
    # A training tune is among the training tunes: nothing can be said of it.
    copied = _copied({name: g for name, g in groups.items() if name != "training"}, tunes)
    for name, lengths in copied.items():
        measured[name]["longest interval sequence shared"] = lengths
    keys = {name: _keys_found(group) for name, group in groups.items()}
    rows = {
        "full bars": {name: _full(group) for name, group in groups.items()},
        "key as declared": {name: share(found) for name, (found, _) in keys.items()},
        "signature as declared": {name: share(found) for name, (_, found) in keys.items()},
    }
    for least in _LONG:
        long = {name: [n >= least for n in copied.get(name, ())] for name in groups}
        rows[f"{least} intervals or more shared"] = {n: share(hits) for n, hits in long.items()}
    return compared(measured) | rows


def _copied(groups: dict[str, _Group], tunes: list[Intervals]) -> dict[str, list[float]]:
    """For each group that has any, the longest run that each piece shares with a tune."""
    melodies = {
        name: [melody_intervals(piece) for piece in group.pieces if len(piece.notes) > 1]
        for name, group in groups.items()
    }
    longest = iter(longest_shared([m for some in melodies.values() for m in some], tunes))
    return {
        name: [float(next(longest)) for _ in some]
        for name, some in melodies.items()
        if some and tunes
    }


def _full(group: _Group) -> float | None:
    """The share of all bars together that are as long as the metre says."""
    bars = sum(one.bars for one in group.decoded)
    full = sum(one.full_bars for one in group.decoded)
    return round(full / bars, 3) if bars else None


def _keys_found(group: _Group) -> tuple[list[bool], list[bool]]:
    """Whether Temperley's profiles find the declared key, and at least its signature.

    A mode counts as the major or minor key on its tonic, by its third.
    """
    keys, signatures = [], []
    for piece, said in zip(group.pieces, group.keys, strict=True):
        if said is None or not piece.notes:
            continue
        found, _ = find_key(piece.notes)
        keys.append(found.pitch_class == said.pitch_class and found.minor == said.minor)
        signatures.append((found.sharps - said.sharps) % 12 == 0)
    return keys, signatures
