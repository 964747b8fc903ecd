"""FASTA of amino acids: what each letter becomes, and what is no protein."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqforge.core.data.domain import Sample
from seqforge.domains.genome.fasta import read_sequences
from seqforge.domains.genome.protein_domain import ProteinDomain
from seqforge.domains.genome.protein_fasta import read_proteins
from seqforge.domains.genome.residues import RESIDUES, ResidueCleaner
from seqforge.errors import InputError


def read(tmp_path, text: str):
    path = tmp_path / "p.fa"
    path.write_text(text, encoding="utf-8")
    return list(read_proteins(path))


def test_letters_become_the_twenty_by_the_stated_rule(tmp_path):
    (record,) = read(tmp_path, ">p a protein\nMkw-l.\nBBZZJJUOu\n")
    assert record.symbols == "MKWL" + "DN" + "EQ" + "IL" + "CKC"
    assert record.note == (
        "6 ambiguous letters (B, J, Z) resolved by position, 3 rare amino acids (U, O) read as C "
        "and K"
    )
    assert (record.name, record.description) == ("p", "a protein")
    assert record.gaps == ()


def test_unknown_residues_and_stops_split_a_protein_and_a_last_stop_ends_it(tmp_path):
    first, second = read(tmp_path, ">p\nMKVXXLAS*TTG*\n>q\nMKV*\n")
    assert [first.symbols[a:b] for a, b in first.pieces()] == ["MKV", "LAS", "TTG"]
    assert first.note == "split at 2 runs of X or * (3 in all)"
    assert [second.symbols[a:b] for a, b in second.pieces()] == ["MKV"]
    assert second.note == "", "the stop at the end is none inside"


@given(
    st.lists(st.text(RESIDUES + RESIDUES.lower() + "BJZXUO*-. \n", max_size=30), max_size=6),
    st.data(),
)
def test_blocks_may_be_cut_anywhere(blocks, data):
    whole = "".join(blocks)
    at = data.draw(st.integers(0, len(whole)))
    parts, once = ResidueCleaner(), ResidueCleaner()
    cut = [parts.clean(part.encode()).tobytes() for part in (whole[:at], whole[at:])]
    assert b"".join(cut) == once.clean(whole.encode()).tobytes()
    try:
        expected = once.record("p")
    except ValueError:
        return  # fifty letters that are all bases
    assert parts.record("p") == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            ">p\nMKL\nMK1L\n",
            r"p\.fa:3: '1' is not an amino acid; line numbers are no part of FASTA",
        ),
        (">p\nMKL\n\n>q\nMKLé\n", r"p\.fa:5: '.' is not an amino acid; give amino acids"),
        (">p\nMKL>q\n", r"p\.fa:2: '>' is not an amino acid; a line break is missing before it"),
        (">p\nMKLV\n>c\n" + "ACGTN" * 20, r"p\.fa:3: c is made of nucleotides.*run genome reads"),
        ("MKLV\n", r"p\.fa: is neither FASTA nor GenBank"),
        ("LOCUS       X  10 bp\nORIGIN\n", r"p\.fa: is a GenBank file, and proteins are read from"),
        ("%PDF-1.4\n", r"p\.fa: is a PDF file, and proteins are read from FASTA"),
    ],
)
def test_what_is_no_protein_is_one_sentence(tmp_path, text, said):
    with pytest.raises(InputError, match=said) as found:
        read(tmp_path, text)
    assert "\n" not in str(found.value)


def test_each_way_round_the_other_recipe_is_named(tmp_path, fly_proteins, shared_data):
    genome = shared_data / "genome" / "yeast-chrI.fa.gz"
    with pytest.raises(InputError, match=r"yeast-chrI.fa.gz:1: .* nucleotides.*run genome"):
        list(read_proteins(genome))
    with pytest.raises(InputError, match=r"proteins\.fa\.gz:2: .*protein; give.*run protein"):
        list(read_sequences(fly_proteins))


def test_a_real_file_is_read_letter_by_letter(fly_proteins, fly_records):
    found = [(record.name, record.symbols) for record in read_proteins(fly_proteins)]
    assert found == fly_records
    assert len(found) == 1117


def test_reading_what_was_written_gives_the_same_symbols(tmp_path, fly_records):
    domain = ProteinDomain(line_width=50)
    samples = [Sample(letters, number=n) for n, (_, letters) in enumerate(fly_records[:20], 1)]
    (path,) = domain.write(samples, tmp_path / "x.fa")
    assert [record.symbols for record in domain.read(path)] == [s.symbols for s in samples]


def test_a_prime_is_cleaned_and_what_is_strange_stays(tmp_path):
    domain = ProteinDomain()
    assert domain.prime("mkb-u X1") == "MKDCX1"
    assert domain.hint("X") == "X is no amino acid: give a stretch without"
    path = tmp_path / "p.fa"
    path.write_text(">p\n\n>q\nMKLV\n")
    assert domain.prime(path) == "MKLV"
    path.write_text(">p\nXX\n")
    with pytest.raises(InputError, match="holds no amino acids to begin with"):
        domain.prime(path)
