"""Letters to nucleotides, by stated rules.

- Line breaks, blanks and alignment gaps (``-``, ``.``) are never symbols.
- Lower case (soft-masking) becomes upper case, unless case is kept.
- U (RNA) is read as T.
- N and X carry nothing: a run of them is a gap, at which a record is split.
- Any other IUPAC code (Cornish-Bowden 1985) becomes one of the bases it stands for, in turn by
  its position in the record: R at positions 0, 1, 2 of a record is A, G, A.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from seqforge.core.domain import Record

_AMBIGUOUS = {
    "R": "AG", "Y": "CT", "S": "CG", "W": "AT", "K": "GT", "M": "AC",
    "B": "CGT", "D": "AGT", "H": "ACT", "V": "ACG",
}  # fmt: skip
_DROPPED = b" \t\r\n-."
PROTEIN = "EFILPQZJO*"
"""Letters of proteins that are no nucleotide codes."""
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
    """What was given is no sequence of nucleotides; the message says why."""


def _hint(wrong: str) -> str:
    """What a letter that is no nucleotide code may come from."""
    if wrong.upper() in PROTEIN:
        return "; this looks like protein"
    if wrong.isdigit():
        return "; line numbers are no part of FASTA"
    return "; a line break is missing before it" if wrong == ">" else ""


class Cleaner:
    """Cleans one sequence that comes block by block; knows in the end what was met."""

    def __init__(self, keep_case: bool = False, keep_codes: bool = False) -> None:
        self._table = bytes(_KEPT) if keep_codes else _TABLES[keep_case]
        self._keep_codes = keep_codes
        self._length = self._uracils = self._ambiguous = 0
        self._gaps: list[tuple[int, int]] = []

    def clean(self, letters: bytes) -> NDArray[np.uint8]:
        """A, C, G, T and N (and a, c, g, t, n where case is kept) for the next letters.

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
            self._note_gaps(codes | 0x20 == ord("n"))
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

    def _note_gaps(self, mask: NDArray[np.bool_]) -> None:
        edges = np.flatnonzero(np.diff(mask, prepend=False, append=False)) + self._length
        runs = [(a, b) for a, b in edges.reshape(-1, 2).tolist()]
        if self._gaps and self._gaps[-1][1] == runs[0][0]:  # it goes on from the block before
            runs[0] = (self._gaps.pop()[0], runs[0][1])
        self._gaps += runs

    def record(self, name: str = "", group: str = "", description: str = "") -> Record:
        """The sequence as a record without its symbols.

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
        if self._gaps:
            total = sum(b - a for a, b in self._gaps)
            notes.append(f"split at {len(self._gaps)} runs of N ({total} in all)")
        return Record("", name, group, tuple(self._gaps), ", ".join(notes), description)


def clean(letters: str, keep_case: bool = False) -> str:
    """The symbols of a sequence by the rules above.

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
    """What was typed, by the same rules as far as they say what is surely meant.

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
