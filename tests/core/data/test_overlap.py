"""The overlap of held-out and training windows, against a count with Python's own sets."""

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqforge.core.config import DataConfig
from seqforge.core.data.ingest import ingest, window_codes
from seqforge.core.data.overlap import Sketch
from seqforge.core.data.vocabulary import Vocabulary
from seqforge.domains.genome.domain import GenomeDomain
from seqforge.domains.text.domain import TextDomain

OTHER = str.maketrans("ACGT", "TGCA")


def canonical(window):
    return min(window, window[::-1].translate(OTHER))


def plain_share(train, held, k, canon=lambda window: window):
    """Of all windows of ``held``, each as often as it stands there."""
    known = {canon(text[i : i + k]) for text in train for i in range(len(text) - k + 1)}
    asked = [canon(text[i : i + k]) for text in held for i in range(len(text) - k + 1)]
    return sum(window in known for window in asked) / len(asked) if asked else None


@given(st.text("ACGTacgt", min_size=24, max_size=60), st.integers(0, 30))
def test_a_window_and_its_reverse_complement_have_one_hash(bases, place):
    domain, vocabulary = GenomeDomain(keep_case=True), Vocabulary(tuple("ACGTacgt"))
    codes = window_codes(domain, vocabulary)
    window = bases[place : place + 24] if place + 24 <= len(bases) else bases[:24]
    other = window.upper()[::-1].translate(OTHER)

    here, there = (codes.hashes(vocabulary.encode(text)) for text in (window, other))

    assert len(here) == 1
    assert (here == there).all()


@settings(max_examples=12)
@given(seed=st.integers(0, 99), strands=st.booleans())
def test_the_share_is_that_of_a_plain_count(tmp_path_factory, seed, strands):
    """Windows neither cross records nor lie in the context, and both strands count as one."""
    rng = random.Random(seed)
    records = ["".join(rng.choices("ACGT", k=rng.randint(60, 400))) for _ in range(6)]
    records.append(records[0][30:200])  # some of it stands elsewhere
    records.append(records[1][::-1].translate(OTHER)[10:150])
    folder = tmp_path_factory.mktemp("corpus")
    fasta = folder / "x.fa"
    fasta.write_text("".join(f">{i}\n{bases}\n" for i, bases in enumerate(records)))
    domain = GenomeDomain() if strands else TextDomain(separator=">")

    corpus, _ = ingest(domain, [fasta], DataConfig(split="60/20/20"), folder)

    def pieces(part):
        return corpus.sequences(part, 10**6)

    k = 24 if strands else 64
    wanted = plain_share(pieces("train"), pieces("test"), k, canonical if strands else str)
    assert corpus.partition.overlap.window == k
    assert corpus.partition.overlap.share == wanted


def sketch_of(texts, codes, vocabulary):
    sketch = Sketch()
    for text in texts:
        sketch.add(codes.hashes(vocabulary.encode(text)))
    return sketch


def test_a_sketch_knows_what_it_was_made_of_and_estimates_a_part_of_it():
    rng = random.Random(0)
    vocabulary = Vocabulary(tuple("ACGT"))
    codes = window_codes(GenomeDomain(), vocabulary)
    seen = "".join(rng.choices("ACGT", k=400_000))
    new = "".join(rng.choices("ACGT", k=200_000))
    sketch = Sketch.parse(sketch_of([seen], codes, vocabulary).dump())

    def share(text):
        return sketch.share([codes.hashes(vocabulary.encode(text))])

    assert len(sketch.hashes) == 4096
    assert share(seen[:150_000]) == 1
    assert share(seen[::-1].translate(OTHER)[:150_000]) == 1
    assert share(new) == 0
    assert share(seen[:100_000] + new[:100_000]) == pytest.approx(0.5, abs=0.05)
    assert share("ACGT") is None


def test_the_sketch_of_two_texts_is_the_two_sketches_merged():
    rng = random.Random(1)
    vocabulary = Vocabulary(tuple("ACGT"))
    codes = window_codes(GenomeDomain(), vocabulary)
    first, second = ("".join(rng.choices("ACGT", k=n)) for n in (30_000, 90_000))

    merged = sketch_of([first], codes, vocabulary).merged(sketch_of([second], codes, vocabulary))

    both = sketch_of([first, second], codes, vocabulary)
    assert np.array_equal(merged.hashes, both.hashes)


@pytest.mark.parametrize("text", ["!!", "QUJD", "A" * 100_000])
def test_what_is_no_sketch_is_refused(text):
    with pytest.raises(ValueError, match="sketch of windows"):
        Sketch.parse(text)
