"""Bases and their labels in, sensors of genes out; bases in, what the sensors say of each out.

The classical sensors: how likely hexamers are in each base of codons against elsewhere (three-
periodic, order 5), matrices of splice sites, start and stop codons (of first order: weight arrays),
and how far the next stop codons lie in each frame.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import reduce
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqforge.core.kernels.compiler import kernel
from seqforge.domains.genome.genes.labels import (
    DONOR,
    EXON,
    INTERGENIC,
    INTRON,
    START,
    STRAND,
    UNLABELLED,
    Labels,
    other_strand,
)
from seqforge.domains.genome.nucleotides import NO_BASE, Codes, complemented

Floats = NDArray[np.float32]

ORDER = 5
WIDTHS = (24, 72, 216)
"""Bases that log-odds are summed over, around each."""
INTRON_WIDTH = 200
OPEN = 600
"""Bases that a stop codon is looked for in, to either side."""
MARGIN = OPEN + 8
"""Bases to either side that what is said of a base may depend on."""
SITES = ("donor", "acceptor", "start", "stop")
"""Their places are the first base of an intron, its last, the first of a start codon and the last
before a stop codon."""
AT_DONOR, AT_ACCEPTOR, AT_START = 0, 1, 2
"""Numbers of the first three."""
BEFORE, SPAN = 24, 32
"""Bases of a matrix: so many before its place, and so many in all."""
WITHIN = ((-4, 7), (-24, 4), (-12, 7), (-6, 8))
"""Bases that each site's matrix says something of, from its place."""
PER_STRAND = 3 + 3 * len(WIDTHS) + 1 + len(SITES) + 6
FEATURES = 2 * PER_STRAND
"""D: what is said of a base, of the forward strand and then of the reverse one."""

_SITES_AT = 4 + 3 * len(WIDTHS)
_FRAMES_AT = _SITES_AT + len(SITES)
_CONTEXTS = 4**ORDER
_HEXAMERS = 4 * _CONTEXTS
_KNOWN = 32.0  # pseudocounts after each word of bases
_KNOWN_SITES = 20.0  # pseudocounts after each base of a site
_MOST = 3.0  # of one base's log-odds
_LOWEST, _HIGHEST = -6.0, 10.0  # of a site's


class SensorCounts(NamedTuple):
    """What sensors are made of; counts of several stretches may be added and subtracted."""

    coding: NDArray[np.float64]
    """(3, 4096) hexamers that end in the first, second and third base of a codon."""
    elsewhere: NDArray[np.float64]
    """(2, 4096) hexamers of introns (on their strand) and between genes (on both)."""
    sites: NDArray[np.float64]
    """(4, 2, SPAN, 4, 4) for each of `SITES`, true ones and look-alikes: bases by place, after
    the base before them."""

    def plus(self, other: SensorCounts, sign: int = 1) -> SensorCounts:
        """The sum, or the difference for a sign of -1."""
        return SensorCounts(*(a + sign * b for a, b in zip(self, other, strict=True)))


class Sensors(NamedTuple):
    """Sensors of genes: plain arrays, to be kept in a file."""

    coding: Floats
    """(3, 4096) log-odds of a base after the five before it, in each place of codons."""
    intron: Floats
    """(4096,) the same for introns against what lies between genes."""
    sites: Floats
    """(4, SPAN, 4, 4) log-odds of a base after the one before it, by place of a site."""

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray[np.generic]]) -> Sensors:
        """Sensors from the arrays that `_asdict` gave."""
        return cls(*(np.ascontiguousarray(arrays[name], np.float32) for name in cls._fields))


def count_sites_and_hexamers(codes: Codes, labels: Labels) -> SensorCounts:
    """Codes and labels (T,) of a stretch in, counts of both strands out; see `sensors_of`."""
    total = SensorCounts(
        np.zeros((3, _HEXAMERS)), np.zeros((2, _HEXAMERS)),
        np.zeros((len(SITES), 2, SPAN, 4, 4)),
    )  # fmt: skip
    for read, said in ((codes, labels), (complemented(codes), other_strand(labels))):
        _count(np.ascontiguousarray(read), np.ascontiguousarray(said), *total)
    return total


def sensors_of(counts: SensorCounts) -> Sensors:
    """Counts in, log-odds out."""
    background = counts.elsewhere.sum(0)
    coding = _log_odds(counts.coding, background)
    intron = _log_odds(counts.elsewhere[0], counts.elsewhere[1])
    true, alike = counts.sites[:, 0], counts.sites[:, 1]
    sites = np.log(_shares(_smoothed_sites(true)) / _shares(_smoothed_sites(alike)))
    for site, (first, last) in zip(sites, WITHIN, strict=True):
        site[: BEFORE + first] = site[BEFORE + last :] = 0
    clipped = (np.clip(each, -_MOST, _MOST).astype(np.float32) for each in (coding, intron, sites))
    return Sensors(*clipped)


def left_out(parts: Sequence[SensorCounts]) -> list[Sensors]:
    """Counts of the parts of some training data in, for each part sensors of all the others out.

    A network that learns from what sensors say of their own training data trusts them too much.
    """
    total = reduce(SensorCounts.plus, parts)
    return [sensors_of(total.plus(part, -1)) for part in parts]


def _shares(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    shares: NDArray[np.float64] = counts / counts.sum(-1, keepdims=True)
    return shares


def _smoothed_sites(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Counts (..., 4, 4) and some more, shared out as if no base knew the one before it."""
    prior = _shares(counts.sum(-2, keepdims=True) + 1)
    return counts + _KNOWN_SITES * prior


def _log_odds(
    these: NDArray[np.float64], those: NDArray[np.float64]
) -> NDArray[np.float64]:  # fmt: skip
    odds: NDArray[np.float64] = np.log(_chances(these, ORDER) / _chances(those, ORDER))
    return odds


def _chances(counts: NDArray[np.float64], order: int) -> NDArray[np.float64]:
    """Counts (..., 4^(order + 1)) of words in, the chance of their last base after the others out;
    mixed with the chance after one base less, the more the rarer the others are."""
    words = counts.reshape(*counts.shape[:-1], -1, 4)
    if order == 0:
        return _shares(words + 1).reshape(counts.shape)
    shorter = _chances(counts.reshape(*counts.shape[:-1], 4, -1).sum(-2), order - 1)
    prior = np.tile(shorter, 4).reshape(words.shape)
    return _shares(words + _KNOWN * prior).reshape(counts.shape)


@kernel
def _count(
    codes: Codes, labels: Labels, coding: NDArray[np.float64], elsewhere: NDArray[np.float64],
    sites: NDArray[np.float64],
) -> None:  # fmt: skip
    """Count one strand."""
    h, known = 0, 0
    for t in range(len(codes)):
        base, label = int(codes[t]), int(labels[t])
        known = known + 1 if base < NO_BASE else 0
        h = (h * 4 + (base & 3)) & (_HEXAMERS - 1)
        if known > ORDER:
            if label == INTERGENIC:
                elsewhere[1, h] += 1
            elif label >= EXON and label < EXON + 3:
                coding[label - EXON, h] += 1
            elif label == INTRON:
                elsewhere[0, h] += 1
        if label != UNLABELLED:
            for site in range(4):
                if is_site(codes, t, site):
                    _count_site(codes, t, site, 0 if label == site_label(site) else 1, sites)


@kernel
def site_label(site: int) -> int:
    """The label of a base where there is such a site of the forward strand."""
    if site < 2:
        return DONOR + site
    return START + site - 2


@kernel
def is_site(codes: Codes, t: int, site: int) -> bool:
    """Whether the bases at a place are those that each site of a kind has."""
    size = len(codes)
    if site == AT_DONOR:
        return t + 1 < size and codes[t] == 2 and (codes[t + 1] == 3 or codes[t + 1] == 1)
    if site == AT_ACCEPTOR:
        return t > 0 and codes[t - 1] == 0 and codes[t] == 2
    if site == AT_START:
        return t + 2 < size and codes[t] == 0 and codes[t + 1] == 3 and codes[t + 2] == 2
    return is_stop(codes, t + 1)


@kernel
def is_stop(codes: Codes, t: int) -> bool:
    """Whether a stop codon begins at a place."""
    if t < 0 or t + 2 >= len(codes) or codes[t] != 3:
        return False
    second, third = int(codes[t + 1]), int(codes[t + 2])
    return (second == 0 and (third == 0 or third == 2)) or (second == 2 and third == 0)


@kernel
def _count_site(
    codes: Codes, t: int, site: int, alike: int, sites: NDArray[np.float64]
) -> None:  # fmt: skip
    for place in range(SPAN):
        i = t - BEFORE + place
        if i > 0 and i < len(codes) and codes[i] < NO_BASE and codes[i - 1] < NO_BASE:
            sites[site, alike, place, int(codes[i - 1]), int(codes[i])] += 1


def features(sensors: Sensors, codes: Codes, start: int = 0, stop: int | None = None) -> Floats:
    """Codes of a contig (T,) in, what the sensors say of bases ``start`` to ``stop`` out (N, D).

    It depends on the bases up to `MARGIN` before and behind. Of the reverse complement it is the
    same, read backwards, with both halves of D exchanged.
    """
    stop = len(codes) if stop is None else stop
    a, b = max(start - MARGIN, 0), min(stop + MARGIN, len(codes))
    piece = np.ascontiguousarray(codes[a:b])
    forward, reverse = (_of_strand(sensors, each) for each in (piece, complemented(piece)))
    return np.concatenate([forward, reverse[::-1]], 1)[start - a : stop - a]


def _of_strand(sensors: Sensors, codes: Codes) -> Floats:
    codes = np.ascontiguousarray(codes)
    out = np.zeros((len(codes), PER_STRAND), np.float32)
    sums = np.zeros((4, len(codes) + 1))
    sum_odds(sensors, codes, sums, out)
    _window_odds(np.array(WIDTHS), sums, out)
    _score_sites(sensors, codes, out)
    _measure_frames(codes, np.zeros(3, np.int64), out)
    return out


def label_odds(
    sensors: Sensors, codes: Codes, start: int = 0, stop: int | None = None
) -> Floats:  # fmt: skip
    """Codes of a contig (T,) in, log-odds of each label of bases ``start`` to ``stop`` against the
    first one out (N, L): what the sensors alone know, for a grammar to find genes by.

    It depends on the bases up to `SPAN` before and behind.
    """
    stop = len(codes) if stop is None else stop
    a, b = max(start - SPAN, 0), min(stop + SPAN, len(codes))
    out = np.zeros((b - a, 1 + 2 * STRAND), np.float32)
    piece = np.ascontiguousarray(codes[a:b])
    for strand, read in enumerate((piece, np.ascontiguousarray(complemented(piece)))):
        odds = np.zeros((b - a, STRAND), np.float32)
        _odds_of_labels(sensors, read, odds)
        out[:, 1 + strand * STRAND :][:, :STRAND] = odds if strand == 0 else odds[::-1]
    return out[start - a : stop - a]


@kernel
def _odds_of_labels(sensors: Sensors, codes: Codes, out: Floats) -> None:
    """Of one strand; the labels but the first are columns."""
    h, known = 0, 0
    for t in range(len(codes)):
        base = int(codes[t])
        known = known + 1 if base < NO_BASE else 0
        h = (h * 4 + (base & 3)) & (_HEXAMERS - 1)
        if known > ORDER:
            out[t, INTRON - 1] = sensors.intron[h]
            for place in range(3):
                out[t, EXON - 1 + place] = sensors.coding[place, h]
        if base == NO_BASE:  # no exon reaches across a gap
            for place in range(3):
                out[t, EXON - 1 + place] = 0.0 - _MOST
        for site in range(4):
            plain = INTRON if site < 2 else EXON + 2 * (site - 2)
            odds = _LOWEST
            if is_site(codes, t, site):
                odds = min(max(site_score(sensors, codes, t, site), _LOWEST), _HIGHEST)
            out[t, site_label(site) - 1] = float(out[t, plain - 1]) + odds


@kernel
def sum_odds(sensors: Sensors, codes: Codes, sums: NDArray[np.float64], out: Floats) -> None:
    """The log-odds of each base as each of a codon, and their running sums by frame."""
    h, known = 0, 0
    for t in range(len(codes)):
        base = int(codes[t])
        known = known + 1 if base < NO_BASE else 0
        h = (h * 4 + (base & 3)) & (_HEXAMERS - 1)
        is_known = known > ORDER
        for place in range(3):
            odds = float(sensors.coding[place, h]) if is_known else 0.0
            out[t, place] = odds
            frame = (place + 2 * t) % 3
            sums[frame, t + 1] = sums[frame, t] + odds
        sums[3, t + 1] = sums[3, t] + (float(sensors.intron[h]) if is_known else 0.0)


@kernel
def _window_odds(widths: NDArray[np.int64], sums: NDArray[np.float64], out: Floats) -> None:
    """Sums over windows, scaled by the root of their width."""
    size = len(out)
    for t in range(size):
        for w in range(len(widths)):
            width = int(widths[w])
            a, b, scale = (
                max(t - width // 2, 0),
                min(t + width // 2 + 1, size),
                0.3 * math.sqrt(float(width)),
            )
            for place in range(3):
                frame = (place + 2 * t) % 3
                out[t, 3 + 3 * w + place] = _bounded((sums[frame, b] - sums[frame, a]) / scale, 5.0)
        a, b = max(t - INTRON_WIDTH // 2, 0), min(t + INTRON_WIDTH // 2 + 1, size)
        out[t, 3 + 3 * len(widths)] = _bounded((sums[3, b] - sums[3, a]) / 6.0, 5.0)


@kernel
def _bounded(value: float, most: float) -> float:
    return min(max(value, 0.0 - most), most)


@kernel
def site_score(sensors: Sensors, codes: Codes, t: int, site: int) -> float:
    """The log-odds of a site at a place, against what looks like it."""
    total = 0.0
    for place in range(SPAN):
        i = t - BEFORE + place
        if i > 0 and i < len(codes) and codes[i] < NO_BASE and codes[i - 1] < NO_BASE:
            total += float(sensors.sites[site, place, int(codes[i - 1]), int(codes[i])])
    return total


@kernel
def _score_sites(sensors: Sensors, codes: Codes, out: Floats) -> None:
    """Log-odds of sites above the lowest; 0 where there is none."""
    for t in range(len(codes)):
        for site in range(4):
            if is_site(codes, t, site):
                odds = min(max(site_score(sensors, codes, t, site), _LOWEST), _HIGHEST)
                out[t, _SITES_AT + site] = 0.25 * (odds - _LOWEST)


@kernel
def _measure_frames(codes: Codes, last: NDArray[np.int64], out: Floats) -> None:
    """How far the stop codons before and behind each base lie, if it is the first, second or third
    of a codon, as logarithms. ``last`` (3,) is for its work."""
    size = len(codes)
    for frame in range(3):
        last[frame] = 0 - OPEN
    for t in range(size):
        if is_stop(codes, t):
            last[t % 3] = t
        for place in range(3):
            _note_distance(t - place - int(last[(t - place) % 3]), t, _FRAMES_AT + place, out)
    for frame in range(3):
        last[frame] = size + OPEN
    for back in range(size):
        t = size - 1 - back
        if is_stop(codes, t):
            last[t % 3] = t
        for place in range(3):
            first = t - place
            begun = place > 0 and is_stop(codes, first)
            away = 0 if begun else int(last[first % 3]) - first
            _note_distance(away, t, _FRAMES_AT + 3 + place, out)


@kernel
def _note_distance(away: int, t: int, column: int, out: Floats) -> None:
    out[t, column] = 0.3 * math.log(1.0 + min(max(away, 0), OPEN) / 3.0)
