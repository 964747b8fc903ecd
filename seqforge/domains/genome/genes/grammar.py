"""Chances of labels and bases in, the best genes that a ribosome could read out.

Every gene that is found begins with ATG and ends before a stop codon, has whole codons and no stop
codon among them, also none that an intron parts, and its introns are GT..AG or GC..AG.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqforge.core.evaluation.viterbi import (
    NEVER,
    Decoder,
    Edge,
    Path,
    Scores,
    StateMachine,
)
from seqforge.core.kernels.compiler import kernel
from seqforge.domains.genome.genes.labels import (
    ACCEPTOR,
    CODING,
    DONOR,
    END,
    EXON,
    INTERGENIC,
    INTRON,
    NAMES,
    START,
    STRAND,
)
from seqforge.domains.genome.genes.sensors import (
    AT_ACCEPTOR,
    AT_DONOR,
    AT_START,
    Sensors,
    is_site,
    is_stop,
    label_odds,
)
from seqforge.domains.genome.genes.transcripts import Transcript
from seqforge.domains.genome.nucleotides import Codes

LEAST_BETWEEN = 6
"""Bases between two genes: a stop codon and some."""
SITES = 15
"""Columns of `site_scores` for a strand."""
_START, _END, _NO_STOP, _DONOR, _ACCEPTOR, _CODON, _SPLICED_CODON = 0, 1, 2, 3, 9, 13, 14
_RAREST = 1e-6  # of probabilities

# States of a strand, after the one between genes. An exon has a state for each base of codons, and
# one for the middle base of a codon that an intron parts behind its first base; the start codon,
# which no intron parts, has three of its own. An intron has a state for where in a codon it lies,
# and for what bases before it might begin a stop codon.
_PARTED, _CODED, _INTRON = 3, 4, 7
_WAYS = 6
_PER_STRAND = _INTRON + 2 * _WAYS  # short introns, then long ones


class Weights(NamedTuple):
    """How the grammar weighs what it is told; found on a stretch the network was not trained on."""

    gene: float = 0.0
    """Added for each gene, in nats."""
    intron: float = 0.0
    """Added for each intron, besides what its length makes it."""
    coding: float = 0.0
    """Added for each coding base."""
    site: float = 1.0
    """Factor of what is said of starts, ends, donors and acceptors."""
    network: float = 1.0
    """Factor of the network's log-odds."""
    sensors: float = 0.0
    """Factor of those of the sensors."""


class Lengths(NamedTuple):
    """How long introns are, and the shortest gene; in bases."""

    intron: int = 40
    """The shortest intron."""
    gene: int = 60
    """The fewest coding bases."""
    long: int = 120
    """The shortest of the long introns; lengths of the others, and of these, fall off
    geometrically."""
    short_share: float = 0.5
    short_more: float = 20.0
    """Mean bases of short introns beyond the shortest."""
    long_more: float = 2000.0
    """Mean bases of long introns beyond their shortest."""


_FEWEST_INTRONS = 20  # that lengths are learnt from


def lengths_of(transcripts: Iterable[Transcript]) -> Lengths:
    """Transcripts in, lengths out that all but a few of their introns and genes have."""
    each = list(transcripts)
    coding = [sum(b - a for a, b in one.exons) for one in each]
    introns = np.array(sorted({place for one in each for place in one.introns})).reshape(-1, 2)
    sizes = introns[:, 1] - introns[:, 0]
    gene = max(int(np.quantile(coding, 0.002)), 30) if coding else Lengths().gene
    if len(sizes) < _FEWEST_INTRONS:
        return Lengths(gene=gene)
    shortest = max(int(np.quantile(sizes, 0.002)), 20)
    sizes = np.maximum(sizes, shortest)
    cuts = [shortest + 10, *np.quantile(sizes, np.linspace(0.05, 0.95, 37)).astype(int)]
    splits = [_split(sizes, shortest, int(cut), gene) for cut in cuts if cut > shortest]
    return max(splits, key=lambda pair: pair[0])[1]


def _split(
    sizes: NDArray[np.int64], shortest: int, cut: int, gene: int
) -> tuple[float, Lengths]:  # fmt: skip
    """Introns taken for short below a cut and long from it on; how likely that makes them."""
    short, long = sizes[sizes < cut] - shortest, sizes[sizes >= cut] - cut
    share = (len(short) + 1) / (len(sizes) + 2)
    means = [(float(part.sum()) + 10) / (len(part) + 1) for part in (short, long)]
    chance = len(short) * np.log(share) + len(long) * np.log(1 - share)
    for part, mean in zip((short, long), means, strict=True):
        chance += len(part) * np.log(1 / (1 + mean)) + part.sum() * np.log(mean / (1 + mean))
    return float(chance), Lengths(shortest, gene, cut, share, *means)


def gene_machine(weights: Weights, lengths: Lengths) -> StateMachine:
    """The state machine of genes on both strands, over the labels of `NAMES`."""
    labels, least, stay = [INTERGENIC], [LEAST_BETWEEN], [0.0]
    edges: list[Edge] = []
    for strand in range(2):
        labels += [EXON + strand * STRAND + place for place in _places(strand)]
        labels += [INTRON + strand * STRAND] * (2 * _WAYS)
        least += [1] * _INTRON + [lengths.intron] * _WAYS + [lengths.long] * _WAYS
        stay += [NEVER] * _INTRON
        for more in (lengths.short_more, lengths.long_more):
            stay += [float(np.log(more / (1 + more)))] * _WAYS
        edges += _edges(weights, lengths, 1 + strand * _PER_STRAND, strand)
    outside = [0.0] + [NEVER] * (len(labels) - 1)
    return StateMachine.of(labels, edges, least, stay, outside, outside)


def _places(strand: int) -> list[int]:
    """Which base of a codon each exon state is; from left to right they come in this order."""
    return [0, 1, 2, 1, 0, 1, 2] if strand == 0 else [2, 1, 0, 1, 2, 1, 0]


def _edges(weights: Weights, lengths: Lengths, state: int, strand: int) -> Iterator[Edge]:
    """The edges of a strand, from left to right; ``state`` is its first."""
    first, second, third, site = state, state + 1, state + 2, strand * SITES
    coded, introns = state + _CODED, state + _INTRON
    yield Edge(first, second)
    yield Edge(second, third, 0.0, site + _NO_STOP)
    yield Edge(third, first)
    yield Edge(state + _PARTED, third)
    yield Edge(coded, coded + 1)
    yield Edge(coded + 1, coded + 2)
    if strand == 0:
        yield Edge(0, coded, weights.gene / 2, site + _START)
        yield Edge(coded + 2, first)
        yield Edge(third, 0, weights.gene / 2, site + _END)
    else:
        yield Edge(0, first, weights.gene / 2, site + _START)
        yield Edge(third, coded, 0.0, site + _CODON)
        yield Edge(coded + 2, 0, weights.gene / 2, site + _END)
    short, long = lengths.short_share, 1 - lengths.short_share
    for place, share, more in (
        (introns, short, lengths.short_more), (introns + _WAYS, long, lengths.long_more),
    ):  # fmt: skip
        chance = weights.intron + float(np.log(share / (1 + more)))
        yield from _intron_edges(chance, state, place, strand)


def _intron_edges(chance: float, state: int, introns: int, strand: int) -> Iterator[Edge]:
    """The edges to introns of one kind and back."""
    first, second, third, site = state, state + 1, state + 2, strand * SITES
    parted, coded = state + _PARTED, state + _CODED
    # What lies before each intron, what may lie behind it, and the columns of both.
    ways = [(third, first)] + [(first, parted)] * (2 + strand) + [(second, third)] * (3 - strand)
    for number, (source, target) in enumerate(ways):
        yield Edge(source, introns + number, chance, site + _DONOR + number)
        yield Edge(introns + number, target, 0.0, site + _ACCEPTOR + _BEHIND[strand][number])
    if strand == 0:
        yield Edge(coded + 2, introns, chance, site + _DONOR)
    else:
        yield Edge(introns, coded, 0.0, site + _SPLICED_CODON)


_BEHIND = ((0, 1, 0, 2, 3, 0), (0, 1, 2, 0, 3, 0))
"""Column behind each intron, from `_ACCEPTOR` on: none is like the first, which asks for no more
than the site."""


def site_scores(
    codes: Codes, start: int, scores: Scores, before: NDArray[np.float32], weight: float
) -> Scores:
    """Codes of a contig and scores (N, L) of its bases from ``start`` on in, scores of sites out.

    Args:
        codes: (T,)
        start: Where the scores begin.
        scores: Log-probabilities of labels.
        before: (L,) those of the base before.
        weight: See `Weights.site`.
    """
    sites = np.full((len(scores), 2 * SITES), NEVER, np.float32)
    _score(codes, start, np.concatenate([before[None], scores]), weight, sites)
    return sites


@kernel
def _score(codes: Codes, start: int, scores: Scores, weight: float, sites: Scores) -> None:
    for i in range(len(sites)):
        _score_forward(codes, start + i, scores[i], scores[i + 1], weight, sites[i])
        _score_reverse(codes, start + i, scores[i], scores[i + 1], weight, sites[i])


@kernel
def _base(codes: Codes, t: int) -> int:
    return int(codes[t]) if t >= 0 and t < len(codes) else 4


@kernel
def _odds(scores: Scores, label: int, other: int, weight: float) -> float:
    return weight * (float(scores[label]) - float(scores[other]))


@kernel
def _is_pair(codes: Codes, t: int, first: int, second: int) -> bool:
    return _base(codes, t) == first and _base(codes, t + 1) == second


@kernel
def _score_forward(
    codes: Codes, t: int, before: Scores, here: Scores, weight: float, sites: Scores
) -> None:  # fmt: skip
    """Sites at whose right base t is."""
    last, next_one = _base(codes, t - 1), _base(codes, t)
    if is_site(codes, t, AT_START):
        sites[_START] = _odds(here, START, EXON, weight)
    if is_stop(codes, t):
        sites[_END] = _odds(before, END, EXON + 2, weight)
    if not is_stop(codes, t - 2):
        sites[_NO_STOP] = 0.0
    if is_site(codes, t, AT_DONOR):
        odds = _odds(here, DONOR, INTRON, weight)
        sites[_DONOR] = odds
        sites[_DONOR + (1 if last == 3 else 2)] = odds
        way = 5
        if _base(codes, t - 2) == 3 and last == 0:
            way = 3
        if _base(codes, t - 2) == 3 and last == 2:
            way = 4
        sites[_DONOR + way] = odds
    if is_site(codes, t - 1, AT_ACCEPTOR):
        odds = _odds(before, ACCEPTOR, INTRON, weight)
        sites[_ACCEPTOR] = odds
        if not (_is_pair(codes, t, 0, 0) or _is_pair(codes, t, 0, 2) or _is_pair(codes, t, 2, 0)):
            sites[_ACCEPTOR + 1] = odds
        if next_one != 0 and next_one != 2:
            sites[_ACCEPTOR + 2] = odds
        if next_one != 0:
            sites[_ACCEPTOR + 3] = odds


@kernel
def _is_stop_behind(codes: Codes, t: int) -> bool:
    """Whether three bases are the reverse complement of a stop codon: TTA, CTA or TCA."""
    return _begins_stop_behind(codes, t) and _base(codes, t + 2) == 0


@kernel
def _begins_stop_behind(codes: Codes, t: int) -> bool:
    """Whether two bases are the first of such three."""
    return _is_pair(codes, t, 3, 3) or _is_pair(codes, t, 3, 1) or _is_pair(codes, t, 1, 3)


@kernel
def _score_reverse(
    codes: Codes, t: int, before: Scores, here: Scores, weight: float, sites: Scores
) -> None:  # fmt: skip
    """The same of the reverse strand: from left to right a gene begins with its end, and an intron
    with its acceptor."""
    last, next_one = _base(codes, t - 1), _base(codes, t)
    if _is_stop_behind(codes, t - 3):
        sites[SITES + _START] = _odds(here, END + STRAND, EXON + 2 + STRAND, weight)
    if _is_pair(codes, t - 3, 1, 0) and last == 3:
        sites[SITES + _END] = _odds(before, START + STRAND, EXON + STRAND, weight)
    if not _is_stop_behind(codes, t - 2):
        sites[SITES + _NO_STOP] = 0.0
    begins_here = next_one == 1 and _is_pair(codes, t + 1, 0, 3)
    if begins_here:
        sites[SITES + _CODON] = 0.0
    if _is_pair(codes, t, 1, 3):
        odds = _odds(here, ACCEPTOR + STRAND, INTRON + STRAND, weight)
        sites[SITES + _DONOR] = odds
        way = 3
        if last == 3:
            way = 1
        if last == 1:
            way = 2
        sites[SITES + _DONOR + way] = odds
        sites[SITES + _DONOR + (4 if _begins_stop_behind(codes, t - 2) else 5)] = odds
    if _is_pair(codes, t - 2, 0, 1) or _is_pair(codes, t - 2, 2, 1):
        odds = _odds(before, DONOR + STRAND, INTRON + STRAND, weight)
        sites[SITES + _ACCEPTOR] = odds
        if begins_here:
            sites[SITES + _SPLICED_CODON] = odds
        is_ta, is_ca = _is_pair(codes, t, 3, 0), _is_pair(codes, t, 1, 0)
        if not is_ta and not is_ca:
            sites[SITES + _ACCEPTOR + 1] = odds
        if not is_ta:
            sites[SITES + _ACCEPTOR + 2] = odds
        if next_one != 0:
            sites[SITES + _ACCEPTOR + 3] = odds


class Gene(NamedTuple):
    """A gene that was found."""

    transcript: Transcript
    chances: tuple[float, ...]
    """Of each exon, the mean probability of its bases to be coding."""


def find_genes(
    codes: Codes, blocks: Iterable[NDArray[np.floating]], weights: Weights, lengths: Lengths,
    sensors: Sensors | None = None,
) -> Iterator[Gene]:  # fmt: skip
    """Bases of a contig (T,) and probabilities of their labels (T, L) in blocks in, genes out.

    They come in order of their last bases; those with too few coding bases are left out.
    """
    decoder, reader, start = Decoder(gene_machine(weights, lengths)), _PathReader(), 0
    before = np.zeros(len(NAMES), np.float32)
    bias = np.where(CODING, weights.coding, 0.0).astype(np.float32)
    for block in blocks:
        scores = label_scores(codes, start, block, weights, sensors)
        sites = site_scores(codes, start, scores, before, weights.site)
        path = decoder.read(scores + bias, sites)
        reader.note(block[:, CODING].sum(1))
        yield from _long(reader.genes(path), lengths)
        start, before = start + len(block), scores[-1]
    yield from _long(reader.genes(decoder.finish()), lengths)


def label_scores(
    codes: Codes, start: int, block: NDArray[np.floating], weights: Weights,
    sensors: Sensors | None,
) -> Scores:  # fmt: skip
    """Probabilities of labels (N, L) from a base on in, log-odds against intergenic bases out: the
    network's and those of the sensors, weighed."""
    known = np.log(np.maximum(block.astype(np.float32), _RAREST))
    scores: Scores = np.float32(weights.network) * (known - known[:, :1])
    if sensors is not None and weights.sensors:
        odds = label_odds(sensors, codes, start, start + len(block))
        scores += np.float32(weights.sensors) * odds
    return scores


def _long(genes: Iterable[Gene], lengths: Lengths) -> Iterator[Gene]:
    return (one for one in genes if sum(b - a for a, b in one.transcript.exons) >= lengths.gene)


_KINDS = np.array(
    [0] + [1] * _INTRON + [2] * (2 * _WAYS) + [3] * _INTRON + [4] * (2 * _WAYS), np.uint8
)
"""Of each state: nothing, exon and intron of the forward strand, of the reverse one."""


class _PathReader:
    """States in, genes out."""

    def __init__(self) -> None:
        self._kinds = np.zeros(0, np.uint8)
        """Of bases from the end of the last gene on."""
        self._chances = np.zeros(0, np.float32)
        """Of bases from there on to be coding."""
        self._start = 0

    def note(self, chances: NDArray[np.float32]) -> None:
        """Chances of the next bases to be coding."""
        self._chances = np.concatenate([self._chances, chances])

    def genes(self, path: Path) -> Iterator[Gene]:
        """States of the next bases in, the genes that end there out."""
        kinds = np.concatenate([self._kinds, _KINDS[path]])
        is_in = np.concatenate([[False], kinds > 0])
        starts, stops = (
            np.flatnonzero(is_in[1:] & ~is_in[:-1]),
            np.flatnonzero(is_in[:-1] & ~is_in[1:]),
        )
        for a, b in zip(starts.tolist(), stops.tolist(), strict=False):
            yield self._gene(kinds, a, b)
        done = int(starts[-1]) if len(starts) > len(stops) else len(kinds)
        self._kinds, self._chances = kinds[done:], self._chances[done:]
        self._start += done

    def _gene(self, kinds: NDArray[np.uint8], first: int, last: int) -> Gene:
        inside = kinds[first:last]
        edges = np.diff(inside % 2 == 1, prepend=False, append=False)
        exons = [(a, b) for a, b in (np.flatnonzero(edges).reshape(-1, 2) + first).tolist()]
        chances = tuple(float(self._chances[a:b].mean()) for a, b in exons)
        placed = tuple((a + self._start, b + self._start) for a, b in exons)
        return Gene(Transcript("+" if inside[0] == 1 else "-", placed, 0), chances)
