"""Controls: what they are made of, how many there are, what is refused."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqforge.core.config import DataConfig
from seqforge.core.data.ingest import ingest
from seqforge.domains.genome.domain import GenomeDomain
from seqforge.domains.genome.similarity.controls import EACH, Background, Controls, HeldOut
from seqforge.domains.genome.similarity.hits import Query
from seqforge.errors import ConfigError, InputError


def stretches(*texts):
    lengths = tuple(map(len, texts))
    return HeldOut("test", lengths, lambda number, start, stop: texts[number][start:stop])


@given(
    rooms=st.lists(st.integers(0, 60), max_size=6),
    wanted=st.lists(st.integers(0, 25), max_size=12),
)
def test_pieces_of_real_sequence_do_not_overlap_and_are_as_long_as_asked(rooms, wanted):
    """Every letter is different, so that a piece says where it comes from."""
    letters = iter(range(0x4E00, 0x9FFF))
    texts = ["".join(chr(next(letters)) for _ in range(room)) for room in rooms]

    pieces = stretches(*texts).pieces(wanted)

    together = "".join(pieces)
    assert len(set(together)) == len(together)
    assert all(any(piece in text for text in texts) for piece in pieces)
    real = [length for length in wanted if length]
    for piece, length in zip(pieces, real, strict=False):
        assert length / 2 < len(piece) <= length
        if len(piece) < length:  # the stretch ended
            assert any(text.endswith(piece) for text in texts)


def test_pieces_come_from_all_over_the_sequence():
    text = "".join(map(chr, range(0x4E00, 0x4E00 + 1000)))
    starts = [text.index(piece) for piece in stretches(text).pieces([10] * 20)]

    assert starts == list(range(0, 1000, 50))


def test_real_sequence_of_a_run_is_what_it_held_out(tmp_path, fasta, random_bases):
    """The test part of two contigs: their last twentieth."""
    contigs = [random_bases(8_000), random_bases(12_000)]
    corpus, _ = ingest(GenomeDomain(), [fasta(*contigs)], DataConfig(), tmp_path)

    held_out = HeldOut.corpus(corpus)

    assert held_out.name == "the test part"
    assert held_out.lengths == (400, 600)
    pieces = held_out.pieces([100] * 10)
    tails = [contigs[0][-400:], contigs[1][-600:]]
    assert len(pieces) == 10
    assert all(any(piece in tail for tail in tails) for piece in pieces)
    assert any(tails[1].endswith(p) for p in held_out.pieces([200] * 5)), "no end symbol in it"


def test_nothing_is_real_where_nothing_was_held_out(tmp_path, fasta, random_bases):
    corpus, _ = ingest(
        GenomeDomain(), [fasta(random_bases(3_000))], DataConfig(split="100/0/0"), tmp_path
    )

    assert Controls.of_run(corpus).kinds == ("shuffle", "markov")


def test_each_kind_is_made_of_what_it_says(fasta, random_bases):
    samples = [Query("a", random_bases(300)), Query("b", "AC" * 40)]
    library = fasta("G" * 5_000 + "T" * 5_000)
    held = HeldOut.fasta(fasta(random_bases(5_000) + "NNNN" + random_bases(100), name="held.fa"))
    controls = Controls(background=Background.library([library]), held_out=held, seed=4)

    made = controls.make(samples, 3)

    assert {kind: group.label for kind, group in made.items()} == {
        "shuffle": "shuffles of the samples",
        "markov": "order-2 Markov model of the library",
        "real": "held-out sequence (held.fa)",
    }
    for group in made.values():
        assert len(group.queries) == len({query.id for query in group.queries}) == 6
        assert [len(query.bases) for query in group.queries[:2]] in ([300, 80], [300, 300])
    shuffles = [query.bases for query in made["shuffle"].queries]
    assert sorted(shuffles[4]) == sorted(samples[0].bases)
    assert len(set(shuffles[::2])) == 3
    assert not any(shuffle == samples[0].bases for shuffle in shuffles)
    for query in made["markov"].queries:  # both strands of the library: G and T, C and A
        assert set(query.bases) <= set("ACGT")
        assert re.search("G{20}|C{20}|A{20}|T{20}", query.bases)
    assert made == controls.make(samples, 3)
    other = Controls(background=controls.background, held_out=held, seed=5).make(samples, 3)
    assert made["shuffle"] != other["shuffle"]
    assert made["markov"] != other["markov"]


def test_how_many_there_are_goes_by_what_they_cost():
    samples = [Query(str(i), "A" * 500) for i in range(9)]
    controls = Controls(("shuffle",))

    assert controls.rounds(samples, 10**6, "local") == EACH
    assert 1 <= controls.rounds(samples, 10**7, "local") < EACH
    assert controls.rounds(samples, 10**9, "local") == 1
    assert controls.rounds(samples, 10**9, "blast+") == EACH
    assert controls.rounds(samples, 10**6, "ebi") == 1
    assert Controls(("shuffle",), each=20).rounds(samples, 10**9, "ebi") == 20


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kinds": ("shuffle", "noise")}, "controls are some of shuffle, markov, real, not noise"),
        ({"kinds": ()}, "not nothing"),
        ({"kinds": ("shuffle",), "each": 0}, "at least one control a sample is needed, not 0"),
        ({"kinds": ("markov",)}, "made of the library or the training data, and neither"),
        ({"kinds": ("real",)}, "none of the library's own.*--held-out FASTA"),
    ],
)
def test_what_cannot_be_made_is_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        Controls(**settings)


def test_sequence_without_bases_is_refused(fasta):
    empty = fasta("N" * 50)

    with pytest.raises(InputError, match=r"library\.fa: holds no bases to compare with"):
        HeldOut.fasta(empty)
    controls = Controls(("markov",), background=Background("the library", lambda: ["ACGTANNN"]))
    with pytest.raises(InputError, match="the library has no six bases in a row"):
        controls.make([Query("a", "ACGT")], 1)
