"""Letters in, amino acids out: what ambiguous letters become, codes, low-complexity stretches."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from seqforge.core.data.domain import Record
from seqforge.domains.genome.stretches import GapRuns, runs

RESIDUES = "ACDEFGHIKLMNPQRSTVWY"
"""The twenty amino acids."""
NO_RESIDUE = len(RESIDUES)
"""Code of all other letters."""
EITHER = {"B": ("D", "N"), "J": ("I", "L"), "Z": ("E", "Q")}
"""What stands for one of two; read as one and the other in turn, by position."""
RARE = {"O": "K", "U": "C"}
"""Pyrrolysine and selenocysteine, read as what they are made from."""
UNKNOWN_RESIDUE = "X"
"""Any amino acid, which is a gap; so is a stop (``*``)."""
GAPS = "X*"

_DROPPED = b" \t\r\n-."
_CODES = np.full(256, NO_RESIDUE, np.uint8)
_READ = bytearray(256)
for _number, _letter in enumerate(RESIDUES):
    _CODES[ord(_letter)] = _CODES[ord(_letter.lower())] = _number
for _letters, _becomes in ((RESIDUES, RESIDUES), ("".join(EITHER), "".join(EITHER)),
                           ("".join(RARE), "".join(RARE.values())), (GAPS, "XX")):  # fmt: skip
    for _letter, _residue in zip(_letters, _becomes, strict=True):
        _READ[ord(_letter)] = _READ[ord(_letter.lower())] = ord(_residue)
_SEARCHED = bytearray(_READ)
for _letter, _residue in (("*", "*"), ("O", "X")):  # as BLAST reads them
    _SEARCHED[ord(_letter)] = _SEARCHED[ord(_letter.lower())] = ord(_residue)

_SURELY = 50  # letters; among so many a protein has others than bases
_BASES = b"ACGTUN"
_MOSTLY = 0.98


class NotProtein(ValueError):
    """Not a protein sequence; the message says why."""

    remedy: ClassVar[str] = "give amino acids"


class ResidueCleaner:
    """Cleans a protein block by block, and counts what was changed."""

    def __init__(self, searched: bool = False) -> None:
        """Begin a protein.

        Args:
            searched: Whether it is read as BLAST reads it, its ambiguous letters kept.
        """
        self._table = bytes(_SEARCHED if searched else _READ)
        self._searched = searched
        self._length = self._either = self._rare = self._bases = 0
        self._gaps = GapRuns()

    def clean(self, letters: bytes) -> NDArray[np.uint8]:
        """Letters in, the twenty amino acids and X out.

        Where they are searched, B, J, Z and ``*`` stand there as well.

        Raises:
            NotProtein: If one of them is no amino acid.
        """
        read = letters.translate(self._table, _DROPPED)
        codes = np.frombuffer(read, np.uint8)
        if b"\0" in read:
            wrong = chr(letters.translate(None, _DROPPED)[codes.argmin()])
            raise NotProtein(f"{wrong!r} is not an amino acid{_hint(wrong)}")
        self._bases += len(read) - len(read.translate(None, _BASES))
        self._rare += sum(letters.count(rare.encode()) for rare in "OoUu")
        if not self._searched:
            codes = self._resolved(codes)
            if UNKNOWN_RESIDUE.encode() in read:
                self._gaps.add(codes == ord(UNKNOWN_RESIDUE), self._length)
        self._length += len(codes)
        return codes

    def _resolved(self, codes: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """B, J and Z replaced by one of the two that they may be, in turn."""
        for either, (one, other) in EITHER.items():
            places = np.flatnonzero(codes == ord(either))
            if len(places):
                self._either += len(places)
                codes = codes.copy()
                turns = (self._length + places) % 2
                codes[places] = np.where(turns == 0, ord(one), ord(other))
        return codes

    def record(self, name: str = "", group: str = "", description: str = "") -> Record:
        """The protein's record, without symbols.

        Raises:
            NotProtein: If its letters were those of nucleotides.
        """
        if self._length >= _SURELY and self._bases > _MOSTLY * self._length:
            raise NotProtein(
                f"{name or 'the sequence'} is made of nucleotides, and no protein is; "
                "seqforge run genome reads those"
            )
        notes = []
        if self._either:
            notes.append(f"{self._either} ambiguous letters (B, J, Z) resolved by position")
        if self._rare and not self._searched:
            notes.append(f"{self._rare} rare amino acids (U, O) read as C and K")
        inside = [(a, b) for a, b in self._gaps.spans if a > 0 and b < self._length]
        if inside:
            total = sum(b - a for a, b in inside)
            notes.append(f"split at {len(inside)} runs of X or * ({total} in all)")
        return Record("", name, group, tuple(self._gaps.spans), ", ".join(notes), description)


def _hint(wrong: str) -> str:
    """What a letter that is no amino acid may come from."""
    if wrong.isdigit():
        return "; line numbers are no part of FASTA"
    return "; a line break is missing before it" if wrong == ">" else ""


def are_residues(line: bytes) -> bool:
    """Whether all letters of a line are amino acids."""
    return 0 not in line.translate(bytes(_READ), _DROPPED)


def seem_bases(letters: str) -> bool:
    """Whether no protein is made of these letters but nucleotides are."""
    raw = letters.upper().encode("ascii", "replace")
    return len(raw) >= _SURELY and not raw.translate(None, _BASES)


def clean_typed(letters: str) -> str:
    """Typed letters in, symbols out; X, stops and what is no amino acid stay in their places."""
    kept = [letter for letter in letters.upper() if letter not in _DROPPED.decode()]
    read = [RARE.get(letter, letter) for letter in kept]
    return "".join(
        EITHER[letter][place % 2] if letter in EITHER else letter
        for place, letter in enumerate(read)
    )


def searched_letters(sequence: str) -> bytes:
    """Letters in, those that a search scores out: U is C and O is X, as in BLAST; others are X."""
    read = sequence.encode("ascii", "replace").translate(bytes(_SEARCHED))
    return read.replace(b"\0", UNKNOWN_RESIDUE.encode())


def residue_codes(sequence: str | bytes) -> NDArray[np.uint8]:
    """Amino acids in, codes 0 to 19 in the order of `RESIDUES` out; others `NO_RESIDUE`; (T,)."""
    letters = sequence.encode("ascii", "replace") if isinstance(sequence, str) else sequence
    return _CODES[np.frombuffer(letters, np.uint8)]


_WINDOW = 12
_TRIGGER, _EXTENDED = 2.2, 2.5  # bits of entropy in a window: SEG's own


def low_complexity(sequence: str | bytes) -> NDArray[np.bool_]:
    """A mask of low-complexity residues (T,): SEG without its last step, which trims.

    Windows of 12 of at most 2.5 bits that overlap with one of at most 2.2 in an unbroken row.

    References:
        Wootton and Federhen 1993, https://doi.org/10.1016/0097-8485(93)85006-X
    """
    codes = residue_codes(sequence)
    masked = np.zeros(len(codes), bool)
    entropies = window_entropies(codes)
    for start, stop in runs(entropies <= _EXTENDED):
        if (entropies[start:stop] <= _TRIGGER).any():
            masked[start : stop + _WINDOW - 1] = True
    return masked


def window_entropies(codes: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Entropy of each window of 12 codes in bits, (T - 11,); other letters are one kind."""
    if len(codes) < _WINDOW:
        return np.empty(0)
    entropies = np.zeros(len(codes) - _WINDOW + 1)
    for kind in np.unique(codes).tolist():
        passed = np.concatenate(([0], np.cumsum(codes == kind)))
        entropies += _TERMS[passed[_WINDOW:] - passed[:-_WINDOW]]
    return entropies


_SHARES = np.arange(_WINDOW + 1) / _WINDOW
_TERMS = -_SHARES * np.log2(np.where(_SHARES > 0, _SHARES, 1.0))
