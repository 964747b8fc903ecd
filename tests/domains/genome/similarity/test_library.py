"""The library of a run is what it trained on: the corpus says the same, base by base."""

import random

import pytest

from seqforge.core.config import DataConfig
from seqforge.core.data.ingest import ingest
from seqforge.core.data.split import Cut
from seqforge.domains.genome.domain import GenomeDomain
from seqforge.domains.genome.fasta import read_sequences
from seqforge.domains.genome.similarity.library import write_training_part
from seqforge.errors import RunError


def runs_of_bases(text):
    return [run for run in text.replace("N", "\n").split("\n") if run]


def genome(rng, count, length, gaps):
    records = []
    for number in range(count):
        bases = rng.choices("ACGT", k=length + rng.randint(0, 40))
        for _ in range(gaps):
            place = rng.randrange(len(bases) - 10)
            bases[place : place + 10] = "N" * 10
        records.append(f">contig{number} from nowhere\n{''.join(bases)}\n")
    return "".join(records)


@pytest.mark.parametrize(
    ("split", "count", "length", "gaps"),
    [
        ("90/5/5", 1, 6_000, 0),  # the tail of a chromosome is held out
        ("80/10/10", 3, 3_000, 8),  # tails that begin in gaps, some of them
        ("60/20/20", 150, 60, 1),  # whole records are held out
        ("90/10/0", 2, 4_000, 3),
    ],
)
def test_it_is_what_the_corpus_calls_training(tmp_path, split, count, length, gaps):
    rng = random.Random(length)
    first, second = tmp_path / "a.fa", tmp_path / "b.fa"
    first.write_text(genome(rng, count, length, gaps) + ">nothing\nNNNNNNNN\n")
    second.write_text("> \nNNN" + "".join(rng.choices("acgtu", k=2_000)) + "NNNN\n")
    target = tmp_path / "training.fa.gz"

    (tmp_path / "corpus").mkdir()
    corpus, _ = ingest(
        GenomeDomain(), [first, second], DataConfig(split=split), tmp_path / "corpus"
    )
    write_training_part([first, second], corpus.partition.cuts["train"], target)

    written = list(read_sequences(target))
    assert runs_of_bases("\n".join(record.symbols for record in written)) == runs_of_bases(
        "".join(corpus.blocks("train"))
    )
    whole = {r.name: r.symbols for path in (first, second) for r in read_sequences(path)}
    for record in written:  # coordinates are those of the file
        same = zip(record.symbols, whole[record.name], strict=False)
        assert all(here in (there, "N") for here, there in same)
        if len(record.symbols) < len(whole[record.name]):
            assert record.description.endswith(
                f"(1-{len(record.symbols)} of {len(whole[record.name])} bases: the training part)"
            )


def test_the_same_input_gives_the_same_bytes(tmp_path, fasta, random_bases):
    source = fasta(random_bases(5_000))
    for name in ("one.fa.gz", "two.fa.gz"):
        write_training_part([source], [Cut(0, 100, 4_000, 100, False)], tmp_path / name)

    assert (tmp_path / "one.fa.gz").read_bytes() == (tmp_path / "two.fa.gz").read_bytes()


def test_a_folder_that_is_not_there_is_named(tmp_path, fasta, random_bases):
    with pytest.raises(RunError, match=r"nowhere.*cannot be written"):
        write_training_part(
            [fasta(random_bases(5_000))], [Cut(0, 0, 9, 0, False)], tmp_path / "nowhere" / "x.gz"
        )
