"""Samples by temperature in, their measures beside held-out data of the same size out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from seqforge.base.messages import finite, mapping
from seqforge.core.data.corpus import Corpus
from seqforge.core.data.domain import Domain, Sample
from seqforge.core.data.presentation import Measured, MeasuresGroups, Wording
from seqforge.reporting.summary import Measure

_GROUPS = 8
"""Groups of held-out data."""
_MOST = 200_000
"""Symbols of held-out data that whole records are taken from."""


def measured_samples(
    domain: Domain, groups: Mapping[str, Sequence[Sample]], corpus: Corpus
) -> tuple[Measure, ...]:
    """Samples in, a row a measure out.

    Args:
        domain: Measures them.
        groups: The samples of each temperature.
        corpus: Its held-out part is measured in groups as large as those of the samples.
    """
    if not isinstance(domain, MeasuresGroups):
        found = [_of_report(domain, group, corpus) for group in groups.values()]
        return _rows({}, list(groups), found, [])
    held_out = held_out_groups(domain, next(iter(groups.values()), ()), corpus)
    measured = domain.measure_groups([*groups.values(), *held_out], corpus)
    return _rows(domain.wordings, list(groups), measured[: len(groups)], measured[len(groups) :])


def _of_report(domain: Domain, group: Sequence[Sample], corpus: Corpus) -> Measured:
    """The numbers that a domain's report has of samples."""
    rows = {name: mapping(row) for name, row in domain.report(group, corpus).items()}
    return {name: finite(row["samples"]) for name, row in rows.items() if "samples" in row}


def _rows(
    wordings: Mapping[str, Wording], temperatures: Sequence[str], samples: Sequence[Measured],
    held_out: Sequence[Measured],
) -> tuple[Measure, ...]:  # fmt: skip
    rows = []
    for name in dict.fromkeys(name for measured in samples for name in measured):
        wording = wordings.get(name, Wording(name))
        usual = [value for one in held_out if (value := finite(one.get(name))) is not None]
        values = [_rounded(finite(one.get(name))) for one in samples]
        rows.append(
            Measure(
                name=name,
                words=wording.words,
                share=wording.share,
                samples=dict(zip(temperatures, values, strict=True)),
                low=_rounded(min(usual, default=None)),
                high=_rounded(max(usual, default=None)),
            )
        )
    return tuple(row for row in rows if any(v is not None for v in row.samples.values()))


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.5g}")


def held_out_groups(domain: Domain, like: Sequence[Sample], corpus: Corpus) -> list[list[Sample]]:
    """Groups of held-out data: as many pieces as samples, of their lengths, from all over the part;
    where a sample is a record, whole records."""
    part, drawn = corpus.held_out, [sample.drawn for sample in like if sample.drawn]
    if part is None or not drawn:
        return []
    if domain.file_per_sample:
        records = corpus.sequences(part, _MOST)
        pieces = records[:: max(1, len(records) // (_GROUPS * len(drawn)))]
    else:
        pieces = _pieces(corpus, part, [len(text) for text in drawn] * _GROUPS)
    groups = [pieces[start : start + len(drawn)] for start in range(0, len(pieces), len(drawn))]
    return [
        [Sample(piece) for piece in group] for group in groups[:_GROUPS] if len(group) == len(drawn)
    ]


def _pieces(corpus: Corpus, part: str, lengths: Sequence[int]) -> list[str]:
    """Pieces of these lengths, evenly spread; fewer where the part is shorter than all of them."""
    gaps = max(0, corpus.part(part).symbols - sum(lengths)) // max(1, len(lengths))
    pieces, place = [], 0
    for length in lengths:
        found = max(corpus.sequences(part, length, skipped=place), key=len, default="")
        if 2 * len(found) < length:
            break
        pieces.append(found)
        place += length + gaps
    return pieces
