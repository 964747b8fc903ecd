"""What is written keeps the rules of GFF3, and is read back as it was."""

import re

import numpy as np
from Bio.Seq import Seq
from hypothesis import given, settings
from hypothesis import strategies as st

from seqforge.domains.genome.genes.gff3 import Found, gff3_lines
from seqforge.domains.genome.genes.grammar import Lengths, Weights, find_genes
from seqforge.domains.genome.genes.transcripts import read_transcripts
from tests.domains.genome.genes.test_grammar import chances, letters

SIZE = 2000


def genes_of(seed):
    generator = np.random.default_rng(seed)
    codes = generator.integers(0, 4, SIZE).astype(np.uint8)
    rows = chances(generator, SIZE, 3.0)
    return codes, list(find_genes(codes, [rows], Weights(), Lengths(20, 12)))


def parsed(lines):
    """Rows of nine cells, the last as a mapping; by the rules of the format's specification."""
    found = []
    for line in lines:
        if line.startswith("#"):
            continue
        cells = line.rstrip("\n").split("\t")
        assert len(cells) == 9
        assert re.fullmatch(r"[a-zA-Z0-9.:^*$@!+_?|%-]+", cells[0])
        assert 1 <= int(cells[3]) <= int(cells[4]) <= SIZE
        assert 0 <= float(cells[5]) <= 1
        assert cells[7] in ("0", "1", "2") if cells[2] == "CDS" else cells[7] == "."
        found.append([*cells[:8], dict(pair.split("=") for pair in cells[8].split(";"))])
    return found


@given(st.integers(0, 1000), st.booleans())
@settings(max_examples=25)
def test_genes_are_read_back(tmp_path_factory, seed, stop_coding):
    codes, genes = genes_of(seed)
    lines = list(gff3_lines([Found("chr1", codes, genes)], stop_coding))
    assert lines[:2] == ["##gff-version 3\n", f"##sequence-region chr1 1 {SIZE}\n"]
    if not genes:
        return
    path = tmp_path_factory.mktemp("gff") / "a.gff3"
    path.write_text("".join(lines))
    again = read_transcripts(path, {"chr1": codes})
    assert again.stop_coding == stop_coding
    assert [one._replace(name="") for one in again.on("chr1")] == sorted(
        (gene.transcript for gene in genes), key=lambda one: one.span
    )


def test_the_rules_of_the_format():
    found = [Found(name, *genes_of(seed)) for name, seed in (("chr 1;x", 1), ("b", 5))]
    rows = parsed(gff3_lines(found))
    assert {row[0] for row in rows} == {"chr%201%3Bx", "b"}
    whole = [row for row in rows if row[2] != "CDS"]
    named = {row[8]["ID"]: row for row in whole}
    assert len(named) == len(whole) == 2 * sum(len(each.genes) for each in found) > 4
    for row in rows:
        if row[2] == "gene":
            assert "Parent" not in row[8]
            continue
        parent = named[row[8]["Parent"]]
        assert parent[2] == ("mRNA" if row[2] == "CDS" else "gene")
        assert int(parent[3]) <= int(row[3]) <= int(row[4]) <= int(parent[4])


def test_phases_lead_to_the_protein():
    """Each CDS row, read from its phase on, gives codons of the protein that Biopython reads."""
    codes, genes = genes_of(3)
    rows = parsed(gff3_lines([Found("chr1", codes, genes)]))
    text = letters(codes)
    for gene in {row[8]["Parent"] for row in rows if row[2] == "CDS"}:
        parts, pieces = (
            [row for row in rows if row[8].get("Parent") == gene and row[2] == "CDS"],
            [],
        )
        parts.sort(key=lambda row: int(row[3]), reverse=parts[0][6] == "-")
        for row in parts:
            piece = Seq(text[int(row[3]) - 1 : int(row[4])])
            pieces.append(piece if row[6] == "+" else piece.reverse_complement())
        protein = str(sum(pieces, Seq("")).translate())
        assert protein[0] == "M"
        assert protein.index("*") == len(protein) - 1
        for row, piece in zip(parts, pieces, strict=True):
            codons = piece[int(row[7]) :]
            assert str(codons[: len(codons) // 3 * 3].translate()) in protein


def test_no_genes_are_a_file_with_a_header():
    lines = list(gff3_lines([Found("chr1", np.zeros(5, np.uint8), [])]))
    assert lines == ["##gff-version 3\n", "##sequence-region chr1 1 5\n"]
