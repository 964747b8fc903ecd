"""Samples in, FASTA out: what domains of sequences write and show."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from seqforge.base.folders import write_atomically
from seqforge.core.data.domain import Sample
from seqforge.core.output.metadata import header_word, settings_of, temperature_of

if TYPE_CHECKING:
    from seqforge.core.data.corpus import Corpus


class WritesFasta:
    """The part of a domain that writes FASTA."""

    line_width: int

    def write(self, samples: Sequence[Sample], path: Path) -> list[Path]:
        """One FASTA file: ``>sample_1 model=fly t=0.8 seed=0 ...``."""
        pieces = [self.piece(sample, not place) for place, sample in enumerate(samples)]
        write_atomically(path, b"".join(pieces))
        return [path]

    def piece(self, sample: Sample, first: bool) -> bytes:
        """The FASTA record of a sample."""
        return self.show(sample).encode()

    def show(self, sample: Sample) -> str:
        """The FASTA record of a sample."""
        from seqforge.domains.genome.nucleotides import fasta_record

        return fasta_record(_header(sample), sample.symbols, self.line_width)

    def showing(self, sample: Sample, pieces: Iterable[str]) -> Iterator[str]:
        """The header, then the letters as they come, in lines."""
        yield f">{_header(sample)}\n"
        column = 0
        for piece in pieces:
            place, shown = 0, ""
            while place < len(piece):
                if column == self.line_width:
                    shown, column = shown + "\n", 0
                part = piece[place : place + self.line_width - column]
                shown, place, column = shown + part, place + len(part), column + len(part)
            yield shown
        if column:
            yield "\n"


def _header(sample: Sample) -> str:
    fields = {
        "model": header_word("_".join(sample.model.split())) or None,
        "t": temperature_of(sample),
        "seed": sample.seed,
        "prime": sample.prime_length or None,
        "suffix": sample.suffix_length or None,
        "mean_log_prob": None if sample.mean_log_prob is None else f"{sample.mean_log_prob:.4f}",
        "removed_mass": None if sample.removed_mass is None else f"{sample.removed_mass:.4f}",
        **settings_of(sample),
    }
    said = [f"{key}={value}" for key, value in fields.items() if value is not None]
    return " ".join([f"sample_{sample.number}", *said])


def pieces_like(drawn: Sequence[str], corpus: Corpus) -> list[str]:
    """Pieces of held-out sequence of the samples' lengths, from all over the held-out part."""
    if corpus.held_out is None:
        return []
    part = corpus.part(corpus.held_out)
    gaps = max(0, part.symbols - sum(map(len, drawn))) // max(1, len(drawn))
    pieces, place = [], 0
    for sample in drawn:
        found = corpus.sequences(corpus.held_out, len(sample), skipped=place)
        pieces.append("".join(found).upper())
        place += len(sample) + gaps
    return [piece for piece in pieces if piece]
