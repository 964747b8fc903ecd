"""Options of seqforge blast in, the library and the search backend out."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from seqforge.base.paths import data_folder
from seqforge.cli.console import echo
from seqforge.errors import ConfigError, RunError, SeqforgeError
from seqforge.runs.folder import RUNS, RunFolder, bundled_models

if TYPE_CHECKING:
    from seqforge.core.data.domain import TrainingData
    from seqforge.domains.genome.ebi.backend import EbiBackend
    from seqforge.domains.genome.ebi.job_store import JobStore
    from seqforge.domains.genome.similarity.backends import LibraryBackend, SearchBackend
    from seqforge.domains.genome.similarity.controls import Controls
    from seqforge.domains.genome.similarity.hits import Query
    from seqforge.domains.genome.similarity.parameters import Residues, SearchLimits

_MODEL = re.compile(r"\bmodel=(\S+)")
_SLICE = "the slice of Drosophila melanogaster's chromosome 2R that ships with seqforge"


@dataclass(frozen=True)
class Library:
    """A local library."""

    files: tuple[Path, ...]
    what: str = ""
    """Its description, if nobody named it."""
    run: RunFolder | None = None
    """The run whose training part it is."""


def named_library(against: Sequence[Path], folder: Path, letters: Residues = "dna") -> Library:
    """The library of ``--against``: files, or the training data of a run.

    Args:
        against: As it was given.
        folder: Where a run's training part is written, if the run has not left it.
        letters: What the samples are made of.

    Raises:
        ConfigError: If a folder is none of a run of such sequences.
        RunError: If the run's input is gone or has changed.
    """
    from seqforge.domains.genome.similarity.kinds import kind_of

    runs = [RunFolder(path) for path in against if path.is_dir()]
    if not runs:
        return Library(tuple(against))
    for run in runs:
        if not run.begun:
            raise ConfigError(
                f"--against {run.path}: is a folder but not a run; name FASTA files, or a run "
                "folder"
            )
        domain, wanted = run.recipe().config().domain, kind_of(letters).domain
        if domain != wanted:
            how = " (--protein searches proteins)" if domain == kind_of("protein").domain else ""
            raise ConfigError(f"--against {run.path}: is not a run of {wanted}s{how}")
    if len(against) > 1:
        raise ConfigError(f"--against {runs[0].path}: a run folder is a library of its own")
    return Library((_training_part(runs[0], folder, letters),), run=runs[0])


def library_at_hand(samples: Path, folder: Path, letters: Residues = "dna") -> Library:
    """The library without ``--against``.

    Args:
        samples: FASTA; the headers say which model drew them.
        folder: Where a run's training part is written, if the run has not left it.
        letters: What the samples are made of.

    Raises:
        ConfigError: If there is none: of proteins none ships.
    """
    from seqforge.domains.genome.similarity.kinds import kind_of
    from seqforge.runs.sample import run_of

    models = _models(samples, letters)
    for run in filter(None, [run_of(samples), *_runs_named(models, samples)]):
        with suppress(SeqforgeError):  # of another domain, or its input is gone
            if run.recipe().config().domain == kind_of(letters).domain:
                part = _training_part(run, folder, letters)
                return Library((part,), f"what {run.path} was trained on", run)
    if letters == "protein":
        raise ConfigError(
            "what these samples' model learnt from is not at hand, and no proteins ship with "
            "seqforge; name a library with --against FASTA"
        )
    what = f"{_SLICE} (what these samples' model learnt from is not at hand)"
    bundled = [name for name in models if name in bundled_models()]
    if bundled and len(models) == 1:
        what = f"{_SLICE}, a part of what {bundled[0]} was trained on"
    return Library((data_folder() / "dm3-chr2R-slice.fa.gz",), what)


def with_controls(
    kinds: str | None, held_out: Path | None, samples: Path, library: Library, folder: Path,
    letters: Residues = "dna",
) -> tuple[list[Path], Controls | None]:  # fmt: skip
    """The library's files, and the controls asked for; None for none.

    Samples in a run folder know what their run trained on: that part alone is then the library,
    where the library is what the run read, so that held-out sequence does not find itself.

    Raises:
        ConfigError: If a control is not known, or what it is made of is not at hand.
        RunError: If the samples' run cannot say any more what it held out.
    """
    from seqforge.domains.genome.similarity.controls import Controls
    from seqforge.domains.genome.similarity.library import library_of
    from seqforge.runs.sample import training_data_of_samples

    if kinds is None:
        if held_out is not None:
            raise ConfigError(f"--held-out {held_out}: give --controls real too")
        return list(library.files), None
    wanted = [kind.strip() for kind in kinds.split(",") if kind.strip()]
    if library.run is not None:
        learnt = _learnt(library.run, needed="real" in wanted and held_out is None)
    else:
        learnt = None if library.what else training_data_of_samples(samples)
    controls = Controls.of_files(wanted, library.files, held_out, learnt, letters=letters)
    if library.run is not None:
        return list(library.files), controls
    return library_of(library.files, learnt, folder, letters), controls


def _learnt(run: RunFolder, needed: bool) -> TrainingData | None:
    """What a run learnt from; None where it cannot say any more, and its library has to do."""
    from seqforge.runs.sample import training_data_of_run

    try:
        return training_data_of_run(run)
    except RunError:
        if needed:
            raise
        return None


def _training_part(run: RunFolder, folder: Path, letters: Residues) -> Path:
    """What a run trained on: as it left it, else from its input once more."""
    from seqforge.domains.genome.similarity.library import TRAINING, measure, write_training_library
    from seqforge.runs.sample import training_data_of_run

    kept = run.similarity / TRAINING
    with suppress(SeqforgeError):  # missing, or damaged
        measure([kept], letters)
        return kept
    return write_training_library(training_data_of_run(run), folder, letters)


def _models(samples: Path, letters: Residues) -> list[str]:
    """The models named in the headers."""
    from seqforge.domains.genome.similarity.kinds import kind_of

    records = (block.ends for block in kind_of(letters).blocks(samples))
    named = (_MODEL.search(record.description) for record in records if record is not None)
    return list(dict.fromkeys(found[1] for found in named if found))


def _runs_named(models: Sequence[str], samples: Path) -> Iterator[RunFolder]:
    """Nearby run folders of the one model that is named."""
    if len(models) != 1 or Path(models[0]).name != models[0] or models[0] == "..":
        return
    for place in (RUNS, Path(), samples.parent, samples.parent.parent):
        run = RunFolder(place / models[0])
        if run.begun:
            yield run


def at_home(name: str, library: Sequence[Path], letters: Residues = "dna") -> LibraryBackend:
    """A local backend.

    Raises:
        ProgramError: If BLAST+ is asked for and not installed.
    """
    from seqforge.domains.genome.similarity.backends import LocalBackend
    from seqforge.domains.genome.similarity.blastplus import BlastPlusBackend

    if name == "blast+":
        return BlastPlusBackend(library, letters=letters)
    return LocalBackend(library, letters)


@dataclass(frozen=True)
class AtEbi:
    """A search at EMBL-EBI."""

    samples: Path
    databases: Sequence[str] | None
    deadline: str
    tool: str
    protein: bool
    resubmit: Sequence[str] | None
    base_url: str | None
    quiet: bool

    def dry_run(
        self, email: str | None, parameters: SearchLimits, controls: Controls | None
    ) -> str:
        """The requests that would be sent, as JSON; sends nothing."""
        from tempfile import TemporaryDirectory

        from seqforge.domains.genome.ebi.job_store import JobStore

        address, queries = email or "(the e-mail address)", self._queries(controls)
        with (
            TemporaryDirectory() as folder,
            JobStore(Path(folder) / "jobs.sqlite") as store,
            closing(self._backend(address, store)) as backend,
        ):
            requests = backend.dry_run(queries, parameters)
        return json.dumps(requests, indent=2)

    def leaving(self, controls: Controls | None) -> str:
        """What would be sent, and where, for people."""
        from seqforge.domains.genome.ebi.client import BASE_URL

        queries = self._queries(controls)
        letters = sum(len(query.bases) for query in queries)
        host = urlsplit(self._url()).hostname
        where = "EMBL-EBI" if host == urlsplit(BASE_URL).hostname else str(host)
        return f"Sending {len(queries):,} sequences ({letters:,} letters) to {where}"

    def accepted(self, folder: Path) -> bool:
        """Whether the service has accepted a search, or may have."""
        from seqforge.domains.genome.ebi.job_store import JobStore

        jobs = folder / "jobs.sqlite"
        if not jobs.is_file():
            return False
        with JobStore(jobs) as store:
            return any(job.state != "planned" for job in store.jobs())

    @contextmanager
    def opened(
        self, email: str | None, yes: bool, folder: Path, controls: Controls | None,
        knocking: bool = False,
    ) -> Iterator[SearchBackend]:  # fmt: skip
        """The backend, after consent; unanswered queries are reported at the end.

        Args:
            email: The value of ``--email``.
            yes: The value of ``--yes``.
            folder: Where searches are written down.
            controls: What is sent besides the samples.
            knocking: Whether to see first that the service answers at all.

        Raises:
            ConfigError: If nothing may be sent.
            EbiError: If the service does not answer.
            RunError: If some queries have no answer and none will come.
        """
        from seqforge.base.folders import make_folder
        from seqforge.cli.config import sender
        from seqforge.domains.genome.ebi.job_store import JobStore

        queries = self._queries(controls)
        address = sender(email, yes, self.leaving(controls), standing=self.base_url is None)
        with JobStore(make_folder(folder) / "jobs.sqlite") as store:
            with closing(self._backend(address, store)) as backend:
                if knocking and not store.jobs():
                    self._knock(address)
                try:
                    yield backend
                except KeyboardInterrupt:
                    echo("jobs that were sent run on; the same command fetches them", err=True)
                    raise
            for name, why in backend.unanswered.items():
                echo(f"{name}: {why}", err=True)
            if backend.unanswered:
                raise RunError(
                    f"{len(backend.unanswered)} of {len(queries)} sequences have no answer; the "
                    "others' hits are kept"
                )

    def _knock(self, address: str) -> None:
        """A small request, without any sequence, to see whether the service answers.

        Raises:
            EbiError: If it does not answer.
        """
        from seqforge.domains.genome.ebi.client import EbiClient
        from seqforge.domains.genome.ebi.errors import Refused

        client = EbiClient(address, self.tool, self._url())
        with closing(client), suppress(Refused):
            client.parameter_details("program")

    def _queries(self, controls: Controls | None) -> list[Query]:
        """All queries, controls included."""
        from seqforge.domains.genome.similarity.library import read_queries

        samples = list(read_queries([self.samples], self._letters))
        if controls is None:
            return samples
        made = controls.make([query for query in samples if query.bases], 1)
        return [*samples, *(query for group in made.values() for query in group.queries)]

    def _url(self) -> str:
        from seqforge.domains.genome.ebi.client import BASE_URL
        from seqforge.domains.genome.ebi.settings import EbiSettings, checked_url

        try:
            return checked_url(self.base_url or EbiSettings.load().base_url or BASE_URL)
        except ValueError as error:
            raise ConfigError(f"--base-url: {error}") from error

    @property
    def _letters(self) -> Residues:
        return "protein" if self.protein else "dna"

    def _backend(self, address: str, store: JobStore) -> EbiBackend:
        from seqforge.core.config import Budget
        from seqforge.domains.genome.ebi.backend import EbiBackend
        from seqforge.domains.genome.ebi.client import EbiClient

        try:
            seconds = Budget.parse(self.deadline).seconds
        except ValueError:
            seconds = None
        if seconds is None:
            raise ConfigError(f"--deadline: give 90s, 30m or 2h, not {self.deadline!r}")
        return EbiBackend(
            EbiClient(address, self.tool, self._url()), store, self._database(), seconds, self._say,
            letters=self._letters, resubmit=self.resubmit or (),
        )  # fmt: skip

    def _database(self) -> list[str]:
        """What was asked for, else what is settled, else a division that the service offers."""
        from seqforge.domains.genome.search import default_database

        return list(self.databases) if self.databases else [default_database(self._letters)]

    def _say(self, text: str) -> None:
        if not self.quiet:
            echo(text, err=True)
