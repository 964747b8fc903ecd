"""Whatever the network says, genes that are found can be read out; what it is sure of is found."""

import numpy as np
import pytest
from Bio.Seq import Seq
from hypothesis import given, settings
from hypothesis import strategies as st

from seqforge.core.kernels.compiler import checked, interpreted
from seqforge.domains.genome.genes.grammar import (
    Lengths,
    Weights,
    find_genes,
    lengths_of,
    site_scores,
)
from seqforge.domains.genome.genes.labels import NAMES, labels_of
from seqforge.domains.genome.genes.scores import compare_genes
from seqforge.domains.genome.genes.sensors import count_sites_and_hexamers, sensors_of
from seqforge.domains.genome.genes.transcripts import Transcript, bases_of, clusters
from seqforge.domains.genome.nucleotides import base_codes, complemented

SHORT = Lengths(intron=4, gene=3)
START, STOP = 6_000_000, 6_200_000


def letters(codes):
    return "".join("ACGTN"[code] for code in codes.tolist())


def problem_of(codes, one):
    """What is wrong with a transcript, by Biopython's reading of it; empty if nothing."""
    coding = letters(bases_of(codes, one.strand, one.exons))
    a, b = one.span
    behind = (b, b + 3) if one.strand == "+" else (a - 3, a)
    protein = str(Seq(coding + letters(bases_of(codes, one.strand, [behind]))).translate())
    introns = [letters(bases_of(codes, one.strand, [place])) for place in one.introns]
    faults = {
        "start": coding[:3] != "ATG",
        "length": len(coding) % 3 != 0,
        "stops": protein.count("*") != 1 or protein[-1] != "*",
        "introns": any(i[:2] not in ("GT", "GC") or i[-2:] != "AG" for i in introns),
    }
    return [name for name, wrong in faults.items() if wrong]


def chances(generator, size, peaked):
    """Probabilities of labels that speak of genes everywhere."""
    logits = generator.normal(size=(size, len(NAMES))) * peaked
    logits[:, 0] -= 2 * peaked
    odds = np.exp(logits - logits.max(1, keepdims=True))
    return (odds / odds.sum(1, keepdims=True)).astype(np.float32)


def in_blocks(rows, size):
    return [rows[a : a + size] for a in range(0, len(rows), size)]


@given(st.integers(0, 10**6), st.sampled_from([1.0, 3.0, 6.0]), st.integers(50, 600))
@settings(max_examples=60)
def test_all_genes_can_be_read_out(seed, peaked, block):
    generator = np.random.default_rng(seed)
    codes = generator.choice(5, 600, p=[0.3, 0.18, 0.2, 0.3, 0.02]).astype(np.uint8)
    rows = chances(generator, len(codes), peaked)
    found = list(find_genes(codes, in_blocks(rows, block), Weights(), SHORT))
    for gene in found:
        assert problem_of(codes, gene.transcript) == []
        assert all(b - a >= SHORT.intron for a, b in gene.transcript.introns)
    assert found == list(find_genes(codes, [rows], Weights(), SHORT))


def mirrored(one, size):
    exons = tuple((size - b, size - a) for a, b in one.exons[::-1])
    return Transcript("-" if one.strand == "+" else "+", exons, 0)


def certain(labels):
    """Probabilities of a network that is nearly sure of these labels."""
    rows = np.full((len(labels), len(NAMES)), 0.001, np.float32)
    rows[np.arange(len(labels)), labels] = 1 - 0.001 * (len(NAMES) - 1)
    return rows


def spliced(parts, strand):
    """An exon, an intron, and an exon with a stop codon, between other bases: codes, the gene, and
    what a sure network says of it."""
    codes = base_codes("CCCCCCCCCC" + "".join(parts) + "CCCCCCCCCC")
    first = 10 + len(parts[0])
    last = first + len(parts[1])
    one = Transcript("+", ((10, first), (last, last + len(parts[2]) - 3)), 0)
    if strand == "-":
        codes, one = np.ascontiguousarray(complemented(codes)), mirrored(one, len(codes))
    return codes, one, certain(labels_of([one], len(codes)))


# A stop codon in frame where the intron is, or would be without it: ATG T|GT..AG|AT GTA|.. TGA
SPLICED = [
    ("ATGGCT", "GTAAGTCAG", "GCATAA"),  # between codons
    ("ATGGCTT", "GTAAGTCAG", "CTGCATAA"),  # T|CT
    ("ATGGCTTA", "GTAAGTCAG", "TGCATAA"),  # TA|T, where TAG looks like a stop codon
    ("ATGGCTTG", "GTAAGTCAG", "GGCATAA"),  # TG|G
    ("ATG", "GCAAGTCAG", "GCATAA"),  # the start codon alone; GC..AG
    ("ATGGCTC", "GTAAGTCAG", "TAGCATAA"),  # C|TA: on the other strand TA behind C looks like a stop
]


@pytest.mark.parametrize("parts", SPLICED)
@pytest.mark.parametrize("strand", "+-")
def test_a_sure_network_gets_its_gene(parts, strand):
    codes, one, rows = spliced(parts, strand)
    (found,) = find_genes(codes, [rows], Weights(), SHORT)
    assert found.transcript == one
    assert min(found.chances) > 0.9


@pytest.mark.parametrize(
    "parts", [("ATGGCTT", "GTAAGTCAG", "AATAA"), ("ATGTG", "GTAAGTCAG", "ATAA")]
)
@pytest.mark.parametrize("strand", "+-")
def test_a_stop_codon_that_an_intron_parts_is_one(parts, strand):
    """T|AA and TG|A are read out as stop codons: no such gene, however sure the network is."""
    codes, one, rows = spliced(parts, strand)
    found = list(find_genes(codes, [rows], Weights(), SHORT))
    assert one not in [gene.transcript for gene in found]
    assert [problem_of(codes, gene.transcript) for gene in found] == [[]] * len(found)


def test_weights_make_genes_rarer():
    generator = np.random.default_rng(1)
    codes = generator.integers(0, 4, 3000).astype(np.uint8)
    rows = chances(generator, len(codes), 3.0)

    def coding(weights):
        found = find_genes(codes, [rows], weights, SHORT)
        return sum(b - a for gene in found for a, b in gene.transcript.exons)

    sizes = [coding(Weights(coding=weight)) for weight in (1.0, 0.0, -2.0)]
    assert sizes[0] > sizes[1] > sizes[2]
    assert coding(Weights(gene=-1e6)) == 0


def test_short_genes_are_left_out():
    codes = base_codes("C" * 9 + "ATGGCTTAA" + "C" * 9)
    rows = certain(labels_of([Transcript("+", ((9, 15),), 0)], len(codes)))
    for least, count in ((6, 1), (7, 0)):
        assert len(list(find_genes(codes, [rows], Weights(), Lengths(4, least)))) == count


def test_compiled_and_interpreted_are_the_same():
    generator = np.random.default_rng(2)
    codes = generator.integers(0, 5, 400).astype(np.uint8)
    rows = np.log(chances(generator, len(codes), 1.0))
    found = []
    for mode in (checked, interpreted):
        with mode():
            found.append(site_scores(codes, 0, rows, rows[0], 0.7))
    np.testing.assert_allclose(*found, rtol=1e-6)


def test_a_sure_network_finds_the_genes_of_a_fly(annotation, chromosome):
    """One transcript of each gene, where no other gene lies on it; all that can be read out."""
    genes = [max(cluster, key=lambda one: one.span[1] - one.span[0]) for cluster in
             clusters(annotation.on("chr2R"))]  # fmt: skip
    inside = sorted(
        (one for one in genes if one.span[0] > START and one.span[1] < STOP),
        key=lambda one: one.span,
    )
    kept = []
    for one in inside:
        if problem_of(chromosome, one) == [] and (not kept or kept[-1].span[1] < one.span[0] - 9):
            kept.append(one)
    codes = chromosome[START:STOP]
    rows = certain(labels_of(kept, len(chromosome))[START:STOP])
    lengths = lengths_of(annotation.on("chr2R"))
    assert 40 < lengths.intron < 60
    found = [
        gene.transcript for gene in find_genes(codes, in_blocks(rows, 30_000), Weights(), lengths)
    ]
    moved = [
        one._replace(exons=tuple((a - START, b - START) for a, b in one.exons), name="")
        for one in kept
    ]
    assert len(kept) > 10
    assert len(set(found) & set(moved)) >= len(moved) - 1


def test_lengths_of_introns_of_two_kinds():
    generator = np.random.default_rng(0)
    sizes = [*(50 + generator.geometric(0.1, 700)), *(300 + generator.geometric(0.001, 300))]
    transcripts = [
        Transcript("+", ((start, start + 90), (start + 90 + int(size), start + 300 + int(size))), 0)
        for start, size in enumerate(sizes)
    ]
    found = lengths_of(transcripts)
    assert 50 <= found.intron <= 52
    assert found.gene == 300
    assert 100 < found.long < 500
    assert found.short_share == pytest.approx(0.7, abs=0.05)
    assert found.short_more == pytest.approx(10, abs=3)
    assert found.long_more == pytest.approx(1000, abs=200)
    assert lengths_of(transcripts[:5]) == Lengths(gene=300)
    assert lengths_of([]) == Lengths()


def test_sensors_and_the_grammar_find_genes_of_a_fly_without_a_network(annotation, chromosome):
    labels = labels_of(annotation.on("chr2R"), len(chromosome))
    train = slice(5_000_000, START)
    sensors = sensors_of(count_sites_and_hexamers(chromosome[train], labels[train]))
    uniform = np.full((STOP - START, len(NAMES)), 1 / len(NAMES), np.float32)
    lengths = lengths_of(one for one in annotation.on("chr2R") if one.span[1] < START)
    weights = Weights(gene=-10, intron=-4, network=0, sensors=1)
    codes = chromosome[START:STOP]
    found = list(find_genes(codes, in_blocks(uniform, 50_000), weights, lengths, sensors))
    assert [problem_of(codes, gene.transcript) for gene in found] == [[]] * len(found)
    moved = [
        one._replace(exons=tuple((a - START, b - START) for a, b in one.exons))
        for one in annotation.on("chr2R")
    ]
    scores = compare_genes([gene.transcript for gene in found], moved, (0, STOP - START))
    assert scores.bases.f1 > 0.85
    assert scores.exons.f1 > 0.6
