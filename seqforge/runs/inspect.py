"""A model and files in, what its units respond to out: units that follow an annotation, beside
controls, and what happens when they are held.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from seqforge.core.data.domain import Domain, Spells
from seqforge.core.data.ingest import NothingUsable
from seqforge.core.inspection.annotation_files import read_annotations
from seqforge.core.inspection.annotations import Annotates, Annotation
from seqforge.core.inspection.causes import (
    Ablation,
    ablated,
    bits_after_reset,
    driven_means,
    linear_probe,
    rises,
)
from seqforge.core.inspection.controls import (
    SEEDS,
    Finding,
    findings,
    shifted_values,
    untrained,
)
from seqforge.core.inspection.ranking import Prefix, Scores, score_units
from seqforge.core.inspection.stretches import (
    Stretch,
    Tracks,
    annotations_at,
    annotations_of,
    limited,
    stretches,
)
from seqforge.core.inspection.trace import Trace, trace
from seqforge.core.model.checkpoint import Checkpoint, load_checkpoint
from seqforge.core.records import Record
from seqforge.core.sampling.engine import KernelEngine, Unit
from seqforge.errors import ConfigError, InputError
from seqforge.registry import options_for_files
from seqforge.runs.inspect_results import (
    AblationRow,
    DriveRow,
    InspectResult,
    ProbeRow,
    UnitRow,
)
from seqforge.runs.load_inputs import gather
from seqforge.runs.progress import ProgressListener

MOST = 1_000_000
"""Symbols that are traced and ranked; of more, the first."""
CONTROLLED = 100_000
"""Symbols that controls and causal tests read; the first."""
EACH = 3
"""Units that are listed for an annotation."""
TESTED = 12
"""Found units that are silenced and driven: those of the largest margins."""
RANDOM = 8
"""Units of the same layer beside them, of the half that varies more."""

Ids = NDArray[np.int64]


@dataclass(frozen=True)
class Inspected:
    """What a model has read, and what was found."""

    checkpoint: Checkpoint
    domain: Domain
    records: tuple[Record, ...]
    stretches: tuple[Stretch, ...]
    trace: Trace
    annotations: tuple[Annotation, ...]
    result: InspectResult


def inspect_model(
    model: Path, inputs: Sequence[str], watcher: ProgressListener, tables: Sequence[Path] = ()
) -> Inspected:
    """Trace a model on files, rank its units, and test the best.

    Args:
        model: Its file.
        inputs: Files and folders.
        watcher: Told of stages.
        tables: Files of annotations, besides what the domain says by itself.

    Raises:
        InputError: If a file cannot be used, or nothing in it is known to the model.
        CheckpointError: If the model cannot be used.
    """
    checkpoint = load_checkpoint(model)
    if checkpoint.card.config.model.is_ngram:
        raise ConfigError(f"{model}: is an n-gram model and has no units to inspect")
    watcher.stage("reading")
    domain, records = _records(checkpoint, inputs, watcher)
    parts = stretches(records, checkpoint.card.vocabulary)
    if not parts:
        raise InputError(f"{inputs[0]}: holds no symbol that the model knows")
    tracks = _tracks(domain, records, tables)
    watcher.stage("tracing")
    cell, engine = checkpoint.card.config.model.cell, KernelEngine.of(checkpoint)
    ids = [part.ids for part in parts]
    whole = trace(engine, ids, cell, progress=watcher.advance)
    study = Study(checkpoint, engine, domain, whole, ids, annotations_at(tracks, parts), watcher)
    result = study.result(str(model))
    return Inspected(
        checkpoint, domain, records, tuple(parts), whole, tuple(study.annotations), result
    )


def _records(
    checkpoint: Checkpoint, inputs: Sequence[str], watcher: ProgressListener
) -> tuple[Domain, tuple[Record, ...]]:
    """The first records of files, as the model's domain reads them."""
    config = checkpoint.card.config
    with TemporaryDirectory(prefix="seqforge-", ignore_cleanup_errors=True) as spool:
        options = options_for_files(config.domain_options)
        found = gather(config.domain, options, list(inputs), Path(spool))
        if isinstance(found.domain, Spells):
            raise ConfigError(
                f"inspect looks at what is so at each character, and a {found.domain.unit} of this "
                "model stands for several"
            )
        for line in found.unread:
            watcher.note(f"refused: {line.reason}")
        if not found.files:
            raise NothingUsable(found.unread)
        read = (record for path in found.files for record in found.domain.read(path))
        records = tuple(limited(read, MOST))
    if sum(len(record.symbols) for record in records) == MOST:
        watcher.note(f"the first {MOST:,} symbols are read")
    return found.domain, records


def _tracks(domain: Domain, records: Sequence[Record], tables: Sequence[Path]) -> Tracks:
    """Annotations of the domain, and of files; what a file says goes first."""
    found = dict(annotations_of(domain, records))
    for path in tables:
        found |= read_annotations(domain, path, records)
    return found


class Study:
    """The steps of an inspection, each worked out once."""

    def __init__(
        self, checkpoint: Checkpoint, engine: KernelEngine, domain: Domain, whole: Trace,
        ids: Sequence[Ids], named: Sequence[Annotation], watcher: ProgressListener,
    ) -> None:  # fmt: skip
        self._checkpoint, self._engine, self._domain = checkpoint, engine, domain
        self._trace, self._watcher = whole, watcher
        self.annotations = list(named)
        self._layers, self._width = whole.hidden.shape[1:]
        self._some = list(_first(ids, CONTROLLED))
        self._size = sum(map(len, self._some))
        self._units = Prefix(whole, self._size)
        self._parts = [Annotation(one.name, one.values[: self._size], one.measure) for one in named]

    def result(self, name: str) -> InspectResult:
        """All of it."""
        rows, probes = [], []
        if self.annotations:
            rows = [self._row(finding) for finding in self.findings]
            self._watcher.stage("probing")
            probes = self._probes()
        self._watcher.stage("resetting")
        reset = bits_after_reset(self._engine, self._some, self._bits)
        return InspectResult(
            model=name,
            symbols=len(self._trace),
            controlled=self._size,
            unit=self._domain.unit,
            bits_per_symbol=float(self._trace.bits.mean(dtype=np.float64)),
            units=tuple(rows),
            probes=tuple(probes),
            bits_after_reset={
                "all" if distance is None else str(distance): bits
                for distance, bits in reset.items()
            },
        )

    @property
    def _bits(self) -> NDArray[np.float32]:
        return self._trace.bits[: self._size]

    @cached_property
    def findings(self) -> list[Finding]:
        """The best units of each annotation, beside controls."""
        self._watcher.stage("ranking")
        scores = score_units(self._trace, self.annotations)
        self._watcher.stage("controls")
        controls = [self._untrained(seed) for seed in SEEDS]
        shifted = shifted_values(self._units, self._parts)
        return findings(scores, self.annotations, controls, shifted, EACH)

    def _untrained(self, seed: int) -> Scores:
        """Scores of an untrained network of the same shape on the first symbols."""
        self._watcher.advance(seed, len(SEEDS), "untrained networks")
        fresh = untrained(self._checkpoint, seed)
        cell = self._checkpoint.card.config.model.cell
        return score_units(trace(KernelEngine.of(fresh), self._some, cell), self._parts)

    @cached_property
    def _tested(self) -> list[Finding]:
        """The findings that are tested."""
        found = [one for one in self.findings if one.found]
        return sorted(found, key=lambda one: -one.margin)[:TESTED]

    def _row(self, finding: Finding) -> UnitRow:
        tested = any(finding is one for one in self._tested)
        return UnitRow(
            layer=finding.unit // self._width,
            unit=finding.unit % self._width,
            annotation=self.annotations[finding.annotation].name,
            measure=finding.measure,
            value=finding.value,
            untrained=finding.untrained,
            shifted=finding.shifted,
            margin=finding.margin,
            found=finding.found,
            ablation=self._ablation(finding) if tested else None,
            drive=self._drive(finding) if tested else None,
        )

    def _place(self, unit: int) -> Unit:
        return unit // self._width, unit % self._width

    @cached_property
    def _random(self) -> dict[int, list[int]]:
        """Random units by layer, of the half that varies more; those under test not among them.

        A unit that is always at one value (many cells of an LSTM are) would be a weak control.
        """
        tested = {one.unit for one in self._tested}
        spread = self._trace.units(0, min(self._size, _LOOKED_AT)).std(axis=0)
        found = {}
        for layer in sorted({unit // self._width for unit in tested}):
            first, last = layer * self._width, (layer + 1) * self._width
            least = np.median(spread[first:last])
            others = [u for u in range(first, last) if u not in tested and spread[u] >= least]
            chosen = np.random.default_rng(layer).permutation(others)[:RANDOM]
            found[layer] = [int(unit) for unit in chosen]
        return found

    @cached_property
    def _means(self) -> NDArray[np.float64]:
        """The mean of what each unit carries (L * H,)."""
        carried = self._trace.carried[: self._size]
        return np.asarray(carried.mean(axis=0, dtype=np.float64).ravel())

    @cached_property
    def _rises(self) -> dict[Unit, NDArray[np.float32]]:
        """The rise of bits by silencing, of tested and random units."""
        self._watcher.stage("silencing units")
        units = list(dict.fromkeys(one.unit for one in self._tested))
        units += [unit for some in self._random.values() for unit in some]
        found: dict[Unit, NDArray[np.float32]] = {}
        for done, unit in enumerate(units):
            self._watcher.advance(done, len(units), "silencing units")
            value = {self._place(unit): float(self._means[unit])}
            found |= ablated(self._engine, self._some, self._bits, value)
        return found

    def _ablation(self, finding: Finding) -> AblationRow | None:
        """What silencing a unit costs; None if its layer has no other units to compare with."""

        def of(unit: int) -> Ablation:
            part, lengths = self._parts[finding.annotation], [len(ids) for ids in self._some]
            return rises(part, self._rises[self._place(unit)], lengths)

        own = of(finding.unit)
        others = [of(unit).where for unit in self._random[finding.unit // self._width]]
        if not others:
            return None
        return AblationRow(
            where=own.where, elsewhere=own.elsewhere,
            random_where=float(np.mean(others)), random_highest=max(others),
        )  # fmt: skip

    def _drive(self, finding: Finding) -> DriveRow | None:
        """What samples are like with the unit held low and high; None if nobody can tell."""
        name = self.annotations[finding.annotation].name
        if name not in self._undriven:
            return None
        low, high = self._ends(finding.unit)
        at_low, at_high = (said.get(name) for said in self._low_and_high(finding.unit))
        return DriveRow(
            low=low, high=high, at_low=at_low, at_high=at_high, undriven=self._undriven[name],
            random=tuple(self._random_differences(finding.unit // self._width, name)),
        )  # fmt: skip

    def _ends(self, unit: int) -> tuple[float, float]:
        """The 5th and 95th percentile of what a unit carries."""
        layer, place = self._place(unit)
        carried = self._trace.carried[: self._size, layer, place].astype(np.float32)
        low, high = np.quantile(carried, (0.05, 0.95))
        return float(low), float(high)

    @cached_property
    def _undriven(self) -> dict[str, float]:
        """Annotations of samples of the network as it is."""
        self._watcher.stage("driving units")
        if not isinstance(self._domain, Annotates):
            return {}
        return driven_means(self._checkpoint, self._engine, self._domain.annotate)

    def _driven(self, unit: int, value: float) -> dict[str, float]:
        if not isinstance(self._domain, Annotates):
            return {}
        engine = self._engine.held({self._place(unit): value})
        return driven_means(self._checkpoint, engine, self._domain.annotate)

    @cached_property
    def _random_driven(self) -> dict[int, list[tuple[dict[str, float], dict[str, float]]]]:
        """Annotations of samples with random units held low and high, by layer."""
        return {
            layer: [self._low_and_high(unit) for unit in units[:_DRIVEN]]
            for layer, units in self._random.items()
        }

    def _low_and_high(self, unit: int) -> tuple[dict[str, float], dict[str, float]]:
        low, high = self._ends(unit)
        return self._driven(unit, low), self._driven(unit, high)

    def _random_differences(self, layer: int, name: str) -> list[float]:
        return [
            high[name] - low[name]
            for low, high in self._random_driven[layer]
            if name in low and name in high
        ]

    def _probes(self) -> list[ProbeRow]:
        return [
            ProbeRow(layer=layer, annotation=one.name, measure=one.measure, value=value)
            for layer in range(self._layers)
            for one, value in zip(
                self._parts,
                linear_probe(
                    self._units, self._parts, slice(layer * self._width, (layer + 1) * self._width)
                ),
                strict=True,
            )
        ]


_DRIVEN = 4  # random units that are driven
_LOOKED_AT = 1 << 14  # symbols, to see how much units vary


def _first(ids: Sequence[Ids], most: int) -> list[Ids]:
    """The first symbols of stretches."""
    found, left = [], most
    for one in ids:
        if left > 0:
            found.append(one[:left])
            left -= len(one)
    return found
