"""Contigs are dealt out to the parts of a training, whether genes lie on them or not."""

import numpy as np

from seqforge.base.messages import unheard
from seqforge.core.config import DataConfig
from seqforge.domains.genome.genes.examples import Asked, labelled_examples
from seqforge.domains.genome.genes.labels import CODING, INTERGENIC

GENE = "ATG" + "GCTAAAGAC" * 20
SIZE = 2000


def contigs(folder):
    """A file of two contigs, and one of genes that lie on the first alone."""
    bare = "".join(np.random.default_rng(0).choice(list("ACT"), SIZE))
    with_gene = bare[:300] + GENE + "TAA" + bare[300 + len(GENE) + 3 :]
    (folder / "a.fa").write_text(f">one\n{with_gene}\n>two\n{bare}\n")
    row = ["one", "x", "CDS", "301", str(300 + len(GENE)), ".", "+", "0", "ID=a"]
    (folder / "a.gff").write_text("\t".join(row) + "\n")
    return [folder / "a.fa"], Asked(folder / "a.gff")


def test_a_contig_without_genes_may_be_held_out(tmp_path):
    data = DataConfig(split="90/10/0", hold_out="two")
    found = labelled_examples(*contigs(tmp_path), data, unheard)
    assert {name: part.symbols for name, part in found.parts.items()} == {
        "train": 1800, "valid": 200, "test": SIZE,
    }  # fmt: skip
    assert (found.parts["test"].target(0) == INTERGENIC).all()
    assert CODING[found.parts["train"].target(0)].sum() == len(GENE)
    assert len(found.sensors["training.test.transcripts"]) == 0
