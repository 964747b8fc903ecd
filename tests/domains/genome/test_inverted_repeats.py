"""Order-k models with inverted repeats, against dictionaries of strings, on real DNA."""

import gzip
import math
from collections import Counter, defaultdict

import numpy as np
import pytest

from seqforge.core.config import DataConfig
from seqforge.core.data.ingest import ingest
from seqforge.core.kernels.compiler import interpreted
from seqforge.domains.genome.domain import GenomeDomain
from seqforge.domains.genome.nucleotides import reverse_complement


@pytest.fixture(scope="session")
def slice_of_fly():
    """The bases of the slice that ships."""
    (path,) = GenomeDomain().default_input()
    lines = gzip.decompress(path.read_bytes()).decode().splitlines()
    return "".join(line for line in lines if not line.startswith(">")).upper()


def corpus_of(folder, contigs, split="80/10/10"):
    folder.mkdir(exist_ok=True)
    text = "".join(f">c{n}\n{bases}\n" for n, bases in enumerate(contigs))
    (folder / "x.fa").write_text(text)
    corpus, _ = ingest(GenomeDomain(), [folder / "x.fa"], DataConfig(split=split), folder)
    return corpus


def baselines(corpus, **options):
    return GenomeDomain(**options).baselines(corpus, lambda *told: None)


class PlainOrderModel:
    """The same model: a dictionary from contexts, as strings, to counts of what follows."""

    def __init__(self, order, alpha, both):
        self.order, self.alpha, self.both = order, alpha, both
        self.counts = defaultdict(Counter)

    def learn(self, text, at):
        """Count the symbol at a place, on both strands."""
        window = text[at - self.order : at + 1]
        self.counts[window[:-1]][window[-1]] += 1
        if self.both:
            other = window.translate(str.maketrans("ACGT", "TGCA"))[::-1]
            self.counts[other[:-1]][other[-1]] += 1

    def bits(self, text, at):
        followers = self.counts[text[at - self.order : at]]
        total = followers.total() + self.alpha * len("ACGT$")
        return -math.log2((followers[text[at]] + self.alpha) / total)


def text_of(corpus, part, first=0):
    """Tokens of a part from one on, after as many ends as any context has."""
    return "$" * 16 + "".join("$ACGT"[token] for token in corpus.part(part).tokens[first:])


def plain_bits(corpus, part, order, alpha, adaptive, both=True):
    model = PlainOrderModel(order, alpha, both)
    train = text_of(corpus, "train", 1)
    for at in range(16, len(train)):
        model.learn(train, at)
    text, bits = text_of(corpus, part), []
    for start, scored_from, stop in corpus.part(part).segments.tolist():
        here = "$" * 16 + text[16 + start : 16 + stop]
        for at in range(16 + scored_from - start, len(here)):
            bits.append(model.bits(here, at))
            if adaptive:
                model.learn(here, at)
    return sum(bits) / len(bits)


@pytest.mark.parametrize("strands", ["both", "forward"])
def test_it_is_the_formula_and_its_order_is_the_best_on_the_valid_part(
    tmp_path, slice_of_fly, strands
):
    """Contigs of real DNA; both strands are counted whichever the network reads."""
    contigs = [slice_of_fly[at : at + 2_000] for at in (0, 90_000, 700_000)]
    corpus = corpus_of(tmp_path / "x", contigs)

    found = baselines(corpus, strands=strands)

    for name, adaptive in (("inverted-repeats", False), ("inverted-repeats-adaptive", True)):
        tried = {
            (order, alpha): plain_bits(corpus, "valid", order, alpha, adaptive)
            for order in range(1, 17)
            for alpha in (1, 1 / 16)
        }
        order, alpha = min(tried, key=tried.get)
        assert (found[name].adaptive, found[name].order) == (adaptive, order)
        wanted = plain_bits(corpus, "test", order, alpha, adaptive)
        assert found[name].bits == pytest.approx(wanted)


def test_the_compiled_kernels_do_what_python_does(tmp_path, slice_of_fly):
    corpus = corpus_of(tmp_path / "x", [slice_of_fly[:3_000], slice_of_fly[5_000:6_000]])
    with interpreted(), np.errstate(over="ignore"):
        by_python = baselines(corpus)
    assert baselines(corpus) == by_python


def test_a_reverse_complement_is_known_and_soft_masked_bases_have_partners(tmp_path, slice_of_fly):
    """Whatever is held out stands in training on the other strand: a long context knows it."""
    pieces = [slice_of_fly[at : at + 5_000] for at in range(0, 20_000, 5_000)]
    text = "".join(pieces + [reverse_complement(pieces[place]) for place in (1, 3, 0, 2)])
    corpus = corpus_of(tmp_path / "x", [text], "90/5/5")

    found = baselines(corpus)

    assert found["inverted-repeats"].bits < 0.5
    assert found["inverted-repeats"].order >= 10
    (tmp_path / "x" / "x.fa").write_text(f">c\n{text.lower()[:10_000]}{text[10_000:]}\n")
    kept = GenomeDomain(keep_case=True)
    masked, _ = ingest(kept, [tmp_path / "x" / "x.fa"], DataConfig(split="90/5/5"), tmp_path)
    assert masked.vocabulary.symbols == tuple("ACGTacgt")
    assert kept.baselines(masked, lambda *told: None)["inverted-repeats"].bits < 1.5


@pytest.mark.slow
def test_a_chromosome_costs_what_was_measured_before(tmp_path, shared_data):
    """dm3 chr2R, the first million bases of its last 5 %."""
    path = shared_data / "genome" / "dm3-chr2R.fa.gz"
    corpus, _ = ingest(GenomeDomain(), [path], DataConfig(), tmp_path)

    found = baselines(corpus)

    assert {one.order for one in found.values()} == {8}
    assert found["inverted-repeats"].bits == pytest.approx(1.9511, abs=0.0005)
    assert found["inverted-repeats-adaptive"].bits == pytest.approx(1.9507, abs=0.0005)
