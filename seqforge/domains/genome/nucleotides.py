"""Letters in, bases out: IUPAC codes, reverse complement, numeric codes, packed k-mers, and low-
complexity intervals (DUST).
"""

from __future__ import annotations

from typing import AnyStr, ClassVar

import numpy as np
from numpy.typing import NDArray

from seqforge.core.data.domain import Record
from seqforge.domains.genome.stretches import GapRuns, numbered_words, runs

NO_BASE = 4
"""Code of letters other than A, C, G, T or U."""

_BASES = b"ACGT"
_PLAIN = bytearray(b"N" * 256)
_BASE_CODES = np.full(256, NO_BASE, np.uint8)
for _upper, _lower, _plain in zip(b"ACGTU", b"acgtu", b"ACGTT", strict=True):
    for _letter in (_upper, _lower):
        _PLAIN[_letter] = _plain
        _BASE_CODES[_letter] = _BASES.index(_plain)
_AMBIGUOUS_CODES = b"RYMKWSBDHV"
_SEARCHED = bytearray(_PLAIN)
for _letter in _AMBIGUOUS_CODES:
    _SEARCHED[_letter] = _SEARCHED[ord(chr(_letter).lower())] = _letter
_LETTERS, _PARTNERS = "ACGTURYKMBVDHacgturykmbvdh", "TGCAAYRMKVBHDtgcaayrmkvbhd"
_COMPLEMENT = bytes.maketrans(_LETTERS.encode(), _PARTNERS.encode())
_COMPLEMENT_OF_TEXT = str.maketrans(_LETTERS, _PARTNERS)

Codes = NDArray[np.uint8]
Kmers = NDArray[np.uint64]


def plain_bases(sequence: str) -> bytes:
    """Letters in, A, C, G, T and N out: U becomes T, other letters N."""
    return sequence.encode("ascii", "replace").translate(_PLAIN)


def searched_residues(sequence: str) -> bytes:
    """The same, but upper-case IUPAC codes are kept for scoring."""
    return sequence.encode("ascii", "replace").translate(_SEARCHED)


def reverse_complement(bases: AnyStr) -> AnyStr:
    """The other strand, read in its own direction; N, W, S and ``-`` stay what they are."""
    if isinstance(bases, str):
        return bases.translate(_COMPLEMENT_OF_TEXT)[::-1]
    return bases.translate(_COMPLEMENT)[::-1]


def wrapped(letters: AnyStr, width: int = 60) -> list[AnyStr]:
    """Letters in lines, as FASTA has them."""
    return [letters[start : start + width] for start in range(0, len(letters), width)]


def fasta_record(title: str, bases: str, width: int = 60) -> str:
    """A record of FASTA, with a line break at its end."""
    return "\n".join([f">{title}", *wrapped(bases, width), ""])


def base_codes(sequence: str | bytes) -> Codes:
    """Bases in, codes 0 to 3 in the order ACGT (U is T) out; others are `NO_BASE`; (T,)."""
    letters = sequence.encode("ascii", "replace") if isinstance(sequence, str) else sequence
    return _BASE_CODES[np.frombuffer(letters, np.uint8)]


def complemented(codes: Codes) -> Codes:
    """Codes in, those of the reverse complement out."""
    return np.where(codes == NO_BASE, codes, 3 - codes)[::-1]


def packed_kmers(codes: Codes, k: int) -> tuple[Kmers, NDArray[np.bool_]]:
    """Each k-mer as an integer (first base most significant), and whether all of it are bases.

    Args:
        codes: From `base_codes`, (T,).
        k: 1 to 32.

    Returns:
        Two arrays (T - k + 1,), or empty ones where the sequence is shorter than k.
    """
    if not 1 <= k <= 32:
        raise ValueError(f"k must be 1 to 32, not {k}")
    if len(codes) < k:
        return np.empty(0, np.uint64), np.empty(0, bool)
    kmers, size, done = codes.astype(np.uint64) & np.uint64(3), 1, 0
    packed = np.zeros(len(codes), np.uint64)
    while size <= k:  # put together from k-mers of 1, 2, 4, ... bases
        if k & size:
            tail = kmers[done:]
            packed = packed[: len(tail)] << np.uint64(2 * size) | tail
            done += size
        kmers = kmers[:-size] << np.uint64(2 * size) | kmers[size:]
        size *= 2
    wrong = np.concatenate(([0], np.cumsum(codes == NO_BASE)))
    count = len(codes) - k + 1
    return packed[:count], wrong[k:] == wrong[:count]


def distinct_kmers(codes: Codes, k: int) -> Kmers:
    """The distinct k-mers in ascending order."""
    kmers, whole = packed_kmers(codes, k)
    kmers = np.sort(kmers[whole])  # np.unique hashes, which is far slower here
    return kmers[np.concatenate(([True], kmers[1:] != kmers[:-1]))[: len(kmers)]]


def places_in(ascending: Kmers, kmers: Kmers) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """The index of each k-mer among ascending ones, and whether it is there."""
    if not len(ascending):
        return np.zeros(len(kmers), np.int64), np.zeros(len(kmers), bool)
    places = np.minimum(np.searchsorted(ascending, kmers), len(ascending) - 1)
    return places, ascending[places] == kmers


def membership(kmers: Kmers, k: int) -> NDArray[np.bool_]:
    """Which k-mers are among these, (4^k,)."""
    table = np.zeros(4**k, bool)
    table[kmers] = True
    return table


_LEVEL = 2.0
_WINDOW = 64
_WORD = 3
_PIECE = 1 << 18  # letters looked at together, so that memory is bounded


def dust_mask(codes: Codes) -> NDArray[np.bool_]:
    """A mask of low-complexity letters (DUST).

    Args:
        codes: From `base_codes`, (T,).

    Returns:
        (T,).
    """
    masked = np.zeros(len(codes), bool)
    # A perfect stretch depends on nothing outside it: pieces that share a window's letters see all.
    for start in range(0, max(1, len(codes) - _WINDOW), _PIECE):
        stop = start + _PIECE + _WINDOW
        masked[start:stop] |= _masked(codes[start:stop])
    return masked


def _masked(codes: Codes) -> NDArray[np.bool_]:
    """The same, all stretches of one length together, from the shortest to the longest."""
    words, whole = numbered_words(codes, _WORD, NO_BASE)
    count = len(words)
    edges = np.zeros(len(codes) + 1, np.int32)  # +1 where a perfect stretch begins, -1 behind it
    # Of the stretches that begin at each place: pairs of equal triplets in those that are one and
    # two triplets shorter, and the best score in each that is one shorter or in a part of it.
    shorter, shortest = np.zeros(count, np.int32), np.zeros(count + 1, np.int32)
    best, bases_only = np.zeros(count), whole
    for length in range(2, min(_WINDOW - _WORD + 1, count) + 1):
        ends_meet = words[: count - length + 1] == words[length - 1 :]
        pairs = shorter[:-1] + shorter[1:] - shortest[1:-1] + ends_meet
        # Equal fractions are equal as float64 too, so that ties are seen.
        score = pairs / (length - 1)
        within = np.maximum(best[:-1], best[1:])
        bases_only = bases_only[:-1] & whole[length - 1 :]
        perfect = np.flatnonzero((score > _LEVEL) & (score >= within) & bases_only)
        edges[perfect] += 1
        edges[perfect + length + _WORD - 1] -= 1
        best = np.maximum(score, within)
        shorter, shortest = pairs, shorter
    return np.cumsum(edges[:-1]) > 0


def dust_intervals(bases: str) -> list[tuple[int, int]]:
    """Low-complexity intervals (DUST): from 0, half-open, in order, not touching.

    Args:
        bases: Either case; U is T.
    """
    return runs(dust_mask(base_codes(bases)))


_AMBIGUOUS = {
    "R": "AG", "Y": "CT", "S": "CG", "W": "AT", "K": "GT", "M": "AC",
    "B": "CGT", "D": "AGT", "H": "ACT", "V": "ACG",
}  # fmt: skip
_DROPPED = b" \t\r\n-."
PROTEIN = "EFILPQZJO*"
"""Letters of proteins that are not nucleotide codes."""
_FEWEST_BASES = 0.5  # below this share of A, C, G, T, U and N a sequence is taken for protein

_TURNS = 6  # codes stand for two bases or three: every sixth position the turns begin again
_CODES = [*_AMBIGUOUS, *map(str.lower, _AMBIGUOUS)]
_RESOLVED = np.zeros((len(_CODES) + 1, _TURNS), np.uint8)
for _number, _code in enumerate(_CODES, 1):
    for _turn in range(_TURNS):
        _bases = _AMBIGUOUS[_code.upper()]
        _base = _bases[_turn % len(_bases)]
        _RESOLVED[_number, _turn] = ord(_base if _code.isupper() else _base.lower())


def _table(keep_case: bool) -> bytes:
    """What each byte is read as: a base or N; an ambiguity code as its number; else 0."""
    table = bytearray(256)
    for letters, read in (("ACGTN", "ACGTN"), ("UX", "TN")):
        for letter, base in zip(letters, read, strict=True):
            table[ord(letter)] = ord(base)
            table[ord(letter.lower())] = ord(base.lower() if keep_case else base)
    for number, code in enumerate(_CODES, 1):
        table[ord(code)] = number
        if not keep_case:
            table[ord(code)] = _CODES.index(code.upper()) + 1
    return bytes(table)


_TABLES = {keep_case: _table(keep_case) for keep_case in (False, True)}
_KEPT = bytearray(_TABLES[False])  # the same, but for ambiguity codes, which stay what they are
for _code in _AMBIGUOUS:
    _KEPT[ord(_code)] = _KEPT[ord(_code.lower())] = ord(_code)


class NotNucleotides(ValueError):
    """Not a nucleotide sequence; the message says why."""

    remedy: ClassVar[str] = "give DNA or RNA (seqforge run protein reads amino acids)"


def _hint(wrong: str) -> str:
    """What a letter that is no nucleotide code may come from."""
    if wrong.upper() in PROTEIN:
        return "; this looks like protein"
    if wrong.isdigit():
        return "; line numbers are no part of FASTA"
    return "; a line break is missing before it" if wrong == ">" else ""


class Cleaner:
    """Cleans a sequence block by block, and counts what was changed."""

    def __init__(self, keep_case: bool = False, keep_codes: bool = False) -> None:
        self._table = bytes(_KEPT) if keep_codes else _TABLES[keep_case]
        self._keep_codes = keep_codes
        self._length = self._uracils = self._ambiguous = 0
        self._gaps = GapRuns()

    def clean(self, letters: bytes) -> NDArray[np.uint8]:
        """Letters in, A, C, G, T and N (with case kept, also lower case) out.

        Where codes are kept, the other IUPAC codes stand there as well, in upper case.

        Raises:
            NotNucleotides: If one of them is no nucleotide code.
        """
        read = letters.translate(self._table, _DROPPED)
        codes = np.frombuffer(read, np.uint8)
        if self._keep_codes:
            self._ambiguous += len(read.translate(None, b"ACGTN"))
        if len(codes) and codes.min() <= len(_CODES):
            codes = self._resolved(codes, letters)
        self._uracils += letters.count(b"U") + letters.count(b"u")
        if b"N" in read or b"n" in read:
            self._gaps.add(codes | 0x20 == ord("n"), self._length)
        self._length += len(codes)
        return codes

    def _resolved(self, codes: NDArray[np.uint8], letters: bytes) -> NDArray[np.uint8]:
        if not codes.all():
            wrong = chr(letters.translate(None, _DROPPED)[codes.argmin()])
            raise NotNucleotides(
                f"{wrong!r} is not a nucleotide code (ACGTUN or IUPAC){_hint(wrong)}"
            )
        places = np.flatnonzero(codes <= len(_CODES))
        self._ambiguous += len(places)
        codes = codes.copy()
        codes[places] = _RESOLVED[codes[places], (self._length + places) % _TURNS]
        return codes

    def record(self, name: str = "", group: str = "", description: str = "") -> Record:
        """The sequence's record, without symbols.

        Raises:
            NotNucleotides: If most of its letters were ambiguous.
        """
        if self._ambiguous > (1 - _FEWEST_BASES) * self._length:
            raise NotNucleotides("most letters are not A, C, G, T or N; this looks like protein")
        notes = []
        if self._uracils:
            notes.append(f"{self._uracils} U read as T")
        if self._ambiguous and not self._keep_codes:
            notes.append(f"{self._ambiguous} ambiguity codes resolved by position")
        spans = self._gaps.spans
        if spans:
            notes.append(f"split at {len(spans)} runs of N ({self._gaps.total} in all)")
        return Record("", name, group, tuple(spans), ", ".join(notes), description)


def clean(letters: str, keep_case: bool = False) -> str:
    """A sequence in, its symbols by these rules out.

    Raises:
        NotNucleotides: If it holds something else.
    """
    try:
        raw = letters.encode("latin-1")
    except UnicodeEncodeError as error:
        raise NotNucleotides(f"{letters[error.start]!r} is not a nucleotide code") from error
    cleaner = Cleaner(keep_case)
    symbols = cleaner.clean(raw)
    cleaner.record()
    return symbols.tobytes().decode("latin-1")


def clean_typed(letters: str, keep_case: bool = False) -> str:
    """Typed letters in, symbols out; letters of unclear meaning are kept.

    X and what is no nucleotide code stay as they are, in their places. So do all letters but A, C,
    G, T and U where most are others.
    """
    kept = "".join(letter for letter in letters if letter not in _DROPPED.decode())
    strange = {place: letter for place, letter in enumerate(kept) if not _is_code(letter)}
    masked = "".join("N" if place in strange else kept[place] for place in range(len(kept)))
    try:
        cleaned = list(clean(masked, keep_case))
    except NotNucleotides:  # mostly ambiguity codes
        return "".join(c if c.upper() not in "ACGTUN" else clean(c, keep_case) for c in kept)
    for place, letter in strange.items():
        cleaned[place] = letter
    return "".join(cleaned)


def _is_code(letter: str) -> bool:
    return letter.isascii() and letter not in "Xx" and _TABLES[False][ord(letter)] != 0


def is_sequence(line: bytes) -> bool:
    """Whether all letters of a line are nucleotide codes."""
    return 0 not in line.translate(_TABLES[False], _DROPPED)
