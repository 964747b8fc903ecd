"""What is read and what is drawn: sequences of symbols with where they come from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Record:
    """One input record: a contig, a text, a tune. The end symbol is not part of it."""

    symbols: str
    """One character a symbol."""
    name: str = ""
    """What the record is called in its file."""
    group: str = ""
    """What a held-out tail is cut from: the contig, the text file, the tune book."""
    gaps: tuple[tuple[int, int], ...] = ()
    """Half-open spans [start, stop) of ``symbols`` that carry nothing, such as runs of N. The
    record is split there, after the held-out part has been cut off."""
    note: str = ""
    """What reading changed, for ``ingest.tsv``: ``3 U read as T``."""

    def pieces(self, length: int | None = None) -> list[tuple[int, int]]:
        """The spans [start, stop) between gaps, of ``length`` symbols (those it has)."""
        end = len(self.symbols) if length is None else length
        starts = [0, *(stop for _, stop in self.gaps)]
        stops = [*(start for start, _ in self.gaps), end]
        return [(a, b) for a, b in zip(starts, stops, strict=True) if a < b]


@dataclass(frozen=True)
class Sample:
    """One sequence that a model drew, and how."""

    symbols: str
    """All of it: the prime, then what was drawn."""
    prime_length: int = 0
    """How many of ``symbols``, from the left, were given and not drawn."""
    number: int = 1
    model: str = ""
    temperature: float | None = None
    seed: int | None = None
    mean_log_prob: float | None = None
    """Mean log-probability a drawn symbol under the model at temperature 1, in nats."""
    ended: bool = False
    """Whether the model drew the end symbol (which is not among ``symbols``)."""
