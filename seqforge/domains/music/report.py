"""Samples, training and held-out tunes in, melody features, their closeness and copies out."""

from __future__ import annotations

import sys
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from seqforge.core.data.domain import Sample
from seqforge.core.data.presentation import Measured, Wording
from seqforge.domains.music.keys import Key, declared_key, find_key, key_from_signature
from seqforge.domains.music.notes import (
    DRUMS,
    Decoded,
    MusicOptions,
    Note,
    Piece,
    bar_lines,
    skyline,
)
from seqforge.domains.music.tune_variants import Intervals, longest_shared_melody, melody_intervals

if TYPE_CHECKING:
    from seqforge.core.data.corpus import Corpus

_SIXTEENTHS = 4  # a quarter, for the groove and the patterns of bars
_SCALES = np.array(
    [np.roll(scale, tonic) for scale in (
        [1, 0, 1, 0, 1, 1, 0, 1, 0, 1, 0, 1],  # major
        [1, 0, 1, 1, 0, 1, 0, 1, 1, 0, 0, 1],  # harmonic minor
    ) for tonic in range(12)]
)  # fmt: skip


def melody_features(piece: Piece) -> dict[str, float | None]:
    """The features of one piece, from its notes or (steps, repeats, range) of its melody.

    Empty for fewer than two notes, of which nothing can be said; None where one does not apply.
    """
    notes = [note for note in piece.notes if note.program != DRUMS]
    melody = skyline(notes)
    pitches = np.array([note.pitch for note in melody])
    if len(notes) < 2 or len(melody) < 2:
        return {}
    classes = np.bincount([note.pitch % 12 for note in notes], minlength=12) / len(notes)
    steps = np.abs(np.diff(pitches))
    return {
        "notes": float(len(notes)),
        "pitch-class entropy": _entropy(classes),
        "scale consistency": float((_SCALES @ classes).max()),
        "key clarity": find_key(notes)[1],
        "notes per quarter": len(notes) * piece.steps_per_quarter / max(1, piece.end),
        "range": float(np.ptp(pitches)),
        "mean absolute step": float(steps.mean()),
        "repeated notes": float((steps == 0).mean()),
        "groove consistency": groove_consistency(piece),
        "self-similarity": self_similarity(piece, melody),
    }


def _entropy(shares: NDArray[np.float64]) -> float:
    kept = shares[shares > 0]
    return float(-(kept * np.log2(kept)).sum())  # bits, at most 3.58


def groove_consistency(piece: Piece) -> float | None:
    """1 minus the mean Hamming distance of the onset patterns of neighbouring bars.

    Patterns are on the grid of sixteenths; only full bars of one metre are compared. None where
    there are no two such bars.

    References:
        Wu & Yang 2020, "The Jazz Transformer on the Front Line", section 4.2 (MusDr)
    """
    lines = list(bar_lines(piece, piece.end + 1))  # the last of a whole bar is one more
    starts = np.array([step for step, _ in lines])
    onsets = np.array(sorted({note.start for note in piece.notes}))
    if len(starts) < 3:
        return None
    sizes = np.round(np.diff(starts) * _SIXTEENTHS / piece.steps_per_quarter).astype(int)
    patterns = []
    for start, stop, size in zip(starts, starts[1:], sizes, strict=False):
        inside = onsets[np.searchsorted(onsets, start) : np.searchsorted(onsets, stop)] - start
        pattern = np.zeros(max(1, size), bool)
        places = np.round(inside * _SIXTEENTHS / piece.steps_per_quarter).astype(int)
        pattern[np.minimum(places, len(pattern) - 1)] = True
        patterns.append(pattern)
    pairs = [(a, b) for a, b in pairwise(patterns) if len(a) == len(b)]
    if not pairs:
        return None
    return float(1 - np.mean([(a != b).mean() for a, b in pairs]))


def self_similarity(piece: Piece, melody: Sequence[Note]) -> float | None:
    """Similarity of each bar to its most similar earlier bar, mean over all bars but the first.

    A bar is the set of its notes, a note being the sixteenth of the bar at which it begins and the
    semitones from the note before it in the bar (none for the first). Two bars are as similar as
    the notes that both have are many of those that either has: 1 for the same bar, on whatever
    pitch. Bars in which no note begins are left out; None where fewer than two are left.

    References:
        Yu et al. 2022, "Museformer", https://arxiv.org/abs/2210.10349, whose similarity of bars
        this is, but for transposition (there a note is its onset, pitch and duration)
    """
    bars = [bar for bar in _patterns(piece, melody) if bar]
    earlier = dict.fromkeys(bars[:1])  # each pattern once, however often it is played
    best = []
    for bar in bars[1:]:
        same = bar in earlier
        best.append(1.0 if same else max(len(bar & old) / len(bar | old) for old in earlier))
        earlier[bar] = None
    return float(np.mean(best)) if best else None


def _patterns(piece: Piece, melody: Sequence[Note]) -> list[frozenset[tuple[int, int | None]]]:
    """The notes of each bar, as `self_similarity` sees them."""
    starts = [step for step, _ in bar_lines(piece, piece.end)]
    bars: list[set[tuple[int, int | None]]] = [set() for _ in starts]
    before: tuple[int, int] | None = None  # the bar and the pitch of the note before
    for note in melody:
        number = bisect_right(starts, note.start) - 1
        place = round((note.start - starts[number]) * _SIXTEENTHS / piece.steps_per_quarter)
        interval = note.pitch - before[1] if before and before[0] == number else None
        bars[number].add((place, interval))
        before = number, note.pitch
    return [frozenset(bar) for bar in bars]


def random_like(piece: Piece, seed: int) -> Piece:
    """A piece in, as many random notes within its range, in even eighths, out."""
    pitches = [note.pitch for note in piece.notes] or [60]
    draws = np.random.default_rng(seed).integers(min(pitches), max(pitches) + 1, len(pitches))
    eighth = max(1, piece.steps_per_quarter // 2)
    notes = tuple(Note(int(p), 80, i * eighth, eighth) for i, p in enumerate(draws))
    return replace(piece, notes=notes, pickup=0)


FeatureValues = Mapping[str, Sequence[float]]
"""The values of each measure over a group's pieces; a piece may lack any of them."""
Rows = dict[str, dict[str, Any]]

_Numbers = Sequence[float] | NDArray[np.float64]

_DRAWS = 200


def closeness(some: _Numbers, reference: _Numbers) -> float:
    """1 minus the Kolmogorov-Smirnov distance of two non-empty groups of values.

    1 where both are distributed alike, 0 where all values of one lie beyond those of the other. It
    needs no width of a bar or a kernel, as areas of overlap do, and holds for values of any kind.
    """
    points = np.concatenate([some, reference])
    shares = [
        np.searchsorted(np.sort(values), points, side="right") / len(values)
        for values in (some, reference)
    ]
    return float(1 - np.abs(shares[0] - shares[1]).max())


def closeness_of_few(group: _Numbers, size: int, reference: _Numbers) -> NDArray[np.float64]:
    """The closeness of 200 random subsets of ``size`` values each.

    What chance leaves of closeness where there are so few.
    """
    random = np.random.default_rng(0)
    size = min(size, len(group))
    chosen = [random.choice(group, size, replace=False) for _ in range(_DRAWS)]
    return np.array([closeness(values, reference) for values in chosen])


def compared(groups: Mapping[str, FeatureValues]) -> Rows:
    """Two rows per feature: medians with closeness to training, and ranges.

    Args:
        groups: The measured ``samples``, ``held-out``, ``training`` and ``random notes``; any may
            be empty.

    Returns:
        For each measure a row of medians, a group a column, with ``closeness`` (of the samples to
        training), ``closeness, held-out`` and ``closeness, random``: the median over choices of as
        many pieces as there are samples. After these rows, for each measure one with ``10-90 %``
        (a dash) at the end of its name: the ranges of the groups, and of the closeness of held-out
        choices. None for what is not known.
    """
    rows: Rows = {}
    ranges: Rows = {}
    for name in dict.fromkeys(name for measured in groups.values() for name in measured):
        values = {group: measured.get(name, ()) for group, measured in groups.items()}
        samples, training = values["samples"], values["training"]
        near: dict[str, _Numbers] = {}
        if len(samples) and len(training):
            near = {
                group: closeness_of_few(values[group], len(samples), training)
                for group in ("samples", "held-out", "random notes")
                if len(values[group])
            }
        rows[name] = {group: _median(found) for group, found in values.items()} | {
            "closeness": _median(near.get("samples", ())),
            "closeness, held-out": _median(near.get("held-out", ())),
            "closeness, random": _median(near.get("random notes", ())),
        }
        ranges[f"{name}, 10\N{EN DASH}90 %"] = {g: _range(found) for g, found in values.items()} | {
            "closeness, held-out": _range(near.get("held-out", ())),
        }
    return rows | ranges


def gathered(measured: Sequence[Mapping[str, float | None]]) -> dict[str, list[float]]:
    """The values of each measure, from the measures of each piece; what is None is left out."""
    found: dict[str, list[float]] = {}
    for one in measured:
        for name, value in one.items():
            found.setdefault(name, []).extend([] if value is None else [value])
    return found


def share(hits: Sequence[bool]) -> float | None:
    """The share that is true, or None of none."""
    return round(float(np.mean(hits)), 3) if len(hits) else None


def _median(values: _Numbers) -> float | None:
    return round(float(np.median(values)), 3) if len(values) else None


def _range(values: _Numbers) -> str | None:
    if not len(values):
        return None
    low, high = np.quantile(values, (0.1, 0.9))
    digits = 2 if high < 10 else 1 if high < 100 else 0
    return f"{round(low, digits):g}\N{EN DASH}{round(high, digits):g}"


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

    def add(self, domain: MusicOptions, symbols: str) -> Decoded:
        decoded = domain.decode(symbols)
        self.decoded.append(decoded)
        self.keys.append(_declared(domain, symbols, decoded.piece))
        return decoded


def report(domain: MusicOptions, samples: Sequence[Sample], corpus: Corpus) -> dict[str, Any]:
    """Samples and corpus in, the report of melody features, closeness and copies out.

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


def measured_group(domain: MusicOptions, samples: Sequence[Sample]) -> Measured:
    """Samples in, the medians of their features and their share of full bars out."""
    group = _Group()
    for sample in samples:
        group.add(domain, sample.symbols)
    found = gathered([melody_features(piece) for piece in group.pieces])
    keys, signatures = _keys_found(group)
    return {
        **{name: _median(values) for name, values in found.items()},
        "full bars": _full(group),
        "key as declared": share(keys),
        "signature as declared": share(signatures),
    }


WORDINGS = {
    "notes": Wording("notes in a tune (median)"),
    "pitch-class entropy": Wording("variety of pitches (pitch-class entropy, bits)"),
    "scale consistency": Wording("notes that fit one scale (scale consistency)", share=True),
    "key clarity": Wording("how clear the key is (key clarity)"),
    "notes per quarter": Wording("notes in a quarter (note density)"),
    "range": Wording("semitones from the lowest to the highest note (range)"),
    "mean absolute step": Wording("semitones from note to note (mean absolute interval)"),
    "repeated notes": Wording("notes that repeat the one before", share=True),
    "groove consistency": Wording("how alike the rhythms of bars are (groove consistency)"),
    "self-similarity": Wording("how alike each bar is to one before it (self-similarity)"),
    "full bars": Wording("bars as long as the metre says", share=True),
    "key as declared": Wording("tunes whose notes are in the key they declare", share=True),
    "signature as declared": Wording("the same but for its relative key", share=True),
}


def of_grammar(
    domain: MusicOptions, samples: Sequence[Sample], free: Sequence[Sample]
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


def _whole(domain: MusicOptions, texts: list[str]) -> list[str]:
    """ABC tunes with their header; the tail of a tune lacks it, and with it the key and metre."""
    if domain.code == "events":
        return texts
    return [text for text in texts if text.startswith("M:")] or texts


def _read_training(domain: MusicOptions, corpus: Corpus, some: _Group) -> list[Intervals]:
    """The melodies of all training tunes; fills ``some`` with tunes spread evenly over them."""
    size = corpus.part("train").symbols
    every = -(-size // _MEASURED)
    found = []
    for number, symbols in enumerate(_whole(domain, corpus.sequences("train", sys.maxsize))):
        decoded = domain.decode(symbols) if number % every else some.add(domain, symbols)
        found.append(melody_intervals(decoded.piece))
    return found


def _declared(domain: MusicOptions, symbols: str, piece: Piece) -> Key | None:
    """The key that ABC's first K: names, or the first signature of other notes; None for none."""
    if domain.code != "events":
        return declared_key(symbols)
    first = next(iter(piece.key_signatures), None)
    return first and key_from_signature(first.sharps, first.minor)


def _rows(groups: dict[str, _Group], tunes: list[Intervals]) -> Rows:
    measured = {
        name: gathered([melody_features(piece) for piece in group.pieces])
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
    longest = iter(longest_shared_melody([m for some in melodies.values() for m in some], tunes))
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
