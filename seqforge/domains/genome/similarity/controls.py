"""Samples and training data in, control sequences out: shuffled, Markov and real held-out ones."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from seqforge.core.data.corpus import Corpus
from seqforge.core.data.domain import TrainingData
from seqforge.core.data.vocabulary import END
from seqforge.core.records import joined
from seqforge.domains.genome.similarity.hits import Query
from seqforge.domains.genome.similarity.kinds import kind_of
from seqforge.domains.genome.similarity.library import read_library
from seqforge.domains.genome.similarity.null_models import MarkovModel, shuffled
from seqforge.domains.genome.similarity.parameters import Residues
from seqforge.errors import ConfigError, InputError

KINDS = ("shuffle", "markov", "real")

EACH = 5
"""Controls of each kind a sample, where nothing else is asked for."""
_LOCAL_WORK = 4e11
"""Cells of alignment matrices that controls may cost at home: about 20 s on two cores."""


@dataclass(frozen=True)
class Background:
    """Text that a Markov model is made of, and in which copies are looked for."""

    name: str
    """``the training data`` or ``the library``."""
    blocks: Callable[[], Iterable[str]]
    """The text, cut anywhere, a letter that is no base between records; read more than once."""
    both: bool = True
    """Whether the other strand counts as well."""
    letters: Residues = "dna"

    @classmethod
    def library(cls, paths: Sequence[Path], letters: Residues = "dna") -> Background:
        """Of library files, where there is no run to know the training data from."""

        def blocks() -> Iterable[str]:
            for entry in read_library(paths, letters):
                yield entry.bases.decode("ascii")
                yield "\n"

        return cls("the library", blocks, letters=letters)

    @classmethod
    def training(cls, corpus: Corpus, both: bool = True, letters: Residues = "dna") -> Background:
        """Of what a run trained on."""

        def blocks() -> Iterable[str]:
            return (block.upper() for block in corpus.blocks("train"))

        return cls("the training data", blocks, both, letters)


@dataclass(frozen=True)
class HeldOut:
    """Real sequence that is not in the library."""

    name: str
    """Where it comes from."""
    lengths: tuple[int, ...]
    """Of its stretches without gaps."""
    stretch: Callable[[int, int, int], str]
    """Given its number, where it begins and ends: letters of a stretch."""

    @classmethod
    def fasta(cls, path: Path, letters: Residues = "dna") -> HeldOut:
        """Of a FASTA or GenBank file, held whole.

        Raises:
            InputError: If it cannot be used or holds no letters of that kind.
        """
        kind = kind_of(letters)
        runs = re.compile(f"[{kind.alphabet}]+")
        read = (symbols.decode("latin-1") for _, symbols in joined(kind.blocks(path)))
        found = [run for symbols in read for run in runs.findall(symbols)]
        if not found:
            raise InputError(
                f"{path}: holds no {kind.unit}s to compare with; give a FASTA with some"
            )
        lengths = tuple(map(len, found))
        return cls(path.name, lengths, lambda number, start, stop: found[number][start:stop])

    @classmethod
    def corpus(cls, corpus: Corpus) -> HeldOut | None:
        """Of a run's test part, else its valid part; None where nothing was held out."""
        if corpus.held_out is None:
            return None
        part = corpus.part(corpus.held_out)
        spans = [  # the end symbol of a stretch is none of its letters
            (begin, stop - int(part.tokens[stop - 1] == END))
            for _, begin, stop in part.segments.tolist()
        ]

        def stretch(number: int, start: int, stop: int) -> str:
            begin = spans[number][0]
            ids = part.tokens[begin + start : begin + stop].tolist()
            return corpus.vocabulary.decode(ids).upper()

        lengths = tuple(stop - begin for begin, stop in spans)
        return cls(f"the {corpus.held_out} part", lengths, stretch)

    def pieces(self, wanted: Sequence[int]) -> list[str]:
        """Pieces of these lengths from all over it, none overlapping; as many as it has room for.

        A stretch shorter than the length wanted serves where it has at least half of it.
        """
        gap = max(0, sum(self.lengths) - sum(wanted)) // max(1, len(wanted))
        left = [length for length in wanted if length][::-1]
        found = []
        for number, room in enumerate(self.lengths):
            place = 0
            while left and room - place >= left[-1] // 2 + 1:
                stop = min(room, place + left.pop())
                found.append(self.stretch(number, place, stop))
                place = stop + gap
        return found


@dataclass(frozen=True)
class Controls:
    """Which controls are wanted, and what they are made of."""

    kinds: tuple[str, ...] = KINDS
    each: int | None = None
    """Of each kind a sample; None: `EACH`, fewer where that would take long."""
    seed: int = 0
    background: Background | None = None
    """Needed for ``markov``; where there is one, copies are looked for in it too."""
    held_out: HeldOut | None = None
    """Needed for ``real``."""
    letters: Residues = "dna"

    @classmethod
    def of_run(
        cls, corpus: Corpus, both: bool = True, each: int | None = None, seed: int = 0,
        letters: Residues = "dna",
    ) -> Controls:  # fmt: skip
        """All kinds, from what a run trained on and held out; none is real where nothing was."""
        held_out = HeldOut.corpus(corpus)
        kinds = tuple(kind for kind in KINDS if kind != "real" or held_out is not None)
        background = Background.training(corpus, both, letters)
        return cls(kinds, each, seed, background, held_out, letters)

    @classmethod
    def of_files(
        cls,
        kinds: Sequence[str],
        against: Sequence[Path],
        held_out: Path | None = None,
        learnt: TrainingData | None = None,
        each: int | None = None,
        seed: int = 0,
        letters: Residues = "dna",
    ) -> Controls:
        """For a search outside a run.

        Args:
            kinds: Some of `KINDS`.
            against: Library files, or none where the library is elsewhere. Without ``learnt`` the
                Markov model is of them.
            held_out: FASTA of real sequence; it comes before what a run held out.
            learnt: What the samples' model was trained on, where that is known.
            each: Controls of each kind a sample.
            seed: Of the controls.
            letters: What all of it is made of.

        Raises:
            ConfigError: If a kind is asked for that nothing is there to make of.
            InputError: If ``held_out`` cannot be used.
        """
        background, real = None, None
        if learnt is not None:
            background = Background.training(learnt.corpus, letters=letters)
            real = HeldOut.corpus(learnt.corpus)
        elif against:
            background = Background.library(against, letters)
        if held_out is not None:
            real = HeldOut.fasta(held_out, letters)
        return cls(tuple(kinds), each, seed, background, real, letters)

    def __post_init__(self) -> None:
        strange = [kind for kind in self.kinds if kind not in KINDS]
        if strange or not self.kinds:
            raise ConfigError(
                f"controls are some of {', '.join(KINDS)}, not {', '.join(strange) or 'nothing'}"
            )
        if self.each is not None and self.each < 1:
            raise ConfigError(f"at least one control a sample is needed, not {self.each}")
        if "markov" in self.kinds and self.background is None:
            raise ConfigError(
                "a Markov control is made of the library or the training data, and neither is at "
                "hand; leave markov out of the controls, or search with --against"
            )
        if "real" in self.kinds and self.held_out is None:
            raise ConfigError(
                "real sequence to compare with must be none of the library's own, which would "
                "find itself; give some that was held out (--held-out FASTA), or leave real out "
                "of the controls"
            )

    def rounds(self, samples: Sequence[Query], library_length: int, backend: str) -> int:
        """How many controls of each kind a sample gets.

        Args:
            samples: What is compared.
            library_length: Letters.
            backend: Its name; ``ebi`` is asked for as little as can be.
        """
        if self.each is not None:
            return self.each
        if backend == "ebi":
            return 1
        if backend != "local":
            return EACH
        bases = sum(len(sample.bases) for sample in samples)
        strands = len(kind_of(self.letters).signs)
        cells = strands * bases * library_length * len(self.kinds)
        return max(1, min(EACH, int(_LOCAL_WORK // max(1, cells))))

    def make(self, samples: Sequence[Query], rounds: int) -> dict[str, ControlGroup]:
        """The controls of each kind, the first of each sample before the second of any.

        Raises:
            InputError: If the text for the Markov model has no bases.
        """
        return {kind: self._group(kind, samples, rounds) for kind in self.kinds}

    def _group(self, kind: str, samples: Sequence[Query], rounds: int) -> ControlGroup:
        if kind == "real" and self.held_out is not None:
            wanted = [len(sample.bases) for _ in range(rounds) for sample in samples]
            pieces = enumerate(self.held_out.pieces(wanted), 1)
            queries = [Query(f"real_{number}", bases) for number, bases in pieces]
            # Those of a round lie all over it too.
            queries = [query for first in range(rounds) for query in queries[first::rounds]]
            return ControlGroup(f"held-out sequence ({self.held_out.name})", tuple(queries))
        if kind == "markov" and self.background is not None:
            model = _model(self.background)
            label = f"order-{model.order} Markov model of {self.background.name}"
            draw = model.sample
            queries = self._drawn(kind, samples, rounds, lambda s, seed: draw(len(s), seed))
            return ControlGroup(label, tuple(queries))
        return ControlGroup(
            "shuffles of the samples", tuple(self._drawn(kind, samples, rounds, shuffled))
        )

    def _drawn(
        self,
        kind: str,
        samples: Sequence[Query],
        rounds: int,
        draw: Callable[[str, Sequence[int]], str],
    ) -> list[Query]:
        return [
            Query(
                f"{kind}_{number}:{sample.id}",
                draw(sample.bases, (self.seed, KINDS.index(kind), place, number)),
            )
            for number in range(1, rounds + 1)
            for place, sample in enumerate(samples)
        ]


def _model(background: Background) -> MarkovModel:
    try:
        return MarkovModel.of(background.blocks(), both=background.both, letters=background.letters)
    except ValueError as error:
        few = "six bases" if background.letters == "dna" else "three residues"
        raise InputError(
            f"{background.name} has no {few} in a row to make a Markov control of; leave "
            "markov out of the controls"
        ) from error


@dataclass(frozen=True)
class ControlGroup:
    """The controls of one kind."""

    label: str
    queries: tuple[Query, ...]
