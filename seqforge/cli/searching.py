"""What `seqforge blast` searches with: a library here, or EMBL-EBI."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from seqforge.cli.stdout import echo
from seqforge.errors import ConfigError, RunError

if TYPE_CHECKING:
    from seqforge.domains.genome.similarity.backends import SearchBackend
    from seqforge.domains.genome.similarity.controls import Controls
    from seqforge.domains.genome.similarity.ebi.backend import EbiBackend
    from seqforge.domains.genome.similarity.ebi.jobs import JobStore
    from seqforge.domains.genome.similarity.parameters import Letters, Query, SearchParameters
    from seqforge.domains.genome.similarity.searched import HomeBackend

_PROTEINS = "uniprotkb_swissprot"  # searched where the samples are proteins


def at_home(name: str, library: Sequence[Path]) -> HomeBackend:
    """A backend on this machine.

    Raises:
        ProgramError: If BLAST+ is asked for and not installed.
    """
    from seqforge.domains.genome.similarity.backends import LocalBackend
    from seqforge.domains.genome.similarity.blastplus import BlastPlusBackend

    return BlastPlusBackend(library) if name == "blast+" else LocalBackend(library)


@dataclass(frozen=True)
class AtEbi:
    """A search at EMBL-EBI as it was asked for."""

    samples: Path
    databases: Sequence[str] | None
    deadline: str
    tool: str
    protein: bool
    resubmit: Sequence[str] | None
    base_url: str | None
    quiet: bool

    def dry_run(
        self, email: str | None, parameters: SearchParameters, controls: Controls | None
    ) -> str:
        """What would be sent, as JSON; nothing is."""
        from tempfile import TemporaryDirectory

        from seqforge.domains.genome.similarity.ebi.jobs import JobStore

        address, queries = email or "(the e-mail address)", self._queries(controls)
        with (
            TemporaryDirectory() as folder,
            JobStore(Path(folder) / "jobs.sqlite") as store,
            closing(self._backend(address, store)) as backend,
        ):
            requests = backend.dry_run(queries, parameters)
        return json.dumps(requests, indent=2)

    def leaving(self, controls: Controls | None) -> str:
        """What would leave the machine, and where to, as a person reads it."""
        from seqforge.domains.genome.similarity.ebi.client import BASE_URL

        queries = self._queries(controls)
        letters = sum(len(query.bases) for query in queries)
        host = urlsplit(self._url()).hostname
        where = "EMBL-EBI" if host == urlsplit(BASE_URL).hostname else str(host)
        return f"Sending {len(queries):,} sequences ({letters:,} letters) to {where}"

    def accepted(self, folder: Path) -> bool:
        """Whether the service took a search, or may have."""
        from seqforge.domains.genome.similarity.ebi.jobs import JobStore

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
        """The backend, once the person has agreed; afterwards what has no answer is said.

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
        from seqforge.cli.consent import sender
        from seqforge.core.files import make_folder
        from seqforge.domains.genome.similarity.ebi.jobs import JobStore

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
        """Ask the service something small; no sequence is in it.

        Raises:
            EbiError: If it does not answer.
        """
        from seqforge.domains.genome.similarity.ebi.client import EbiClient
        from seqforge.domains.genome.similarity.ebi.failures import Refused

        client = EbiClient(address, self.tool, self._url())
        with closing(client), suppress(Refused):
            client.parameter_details("program")

    def _queries(self, controls: Controls | None) -> list[Query]:
        """All that is to be sent, controls among it."""
        from seqforge.domains.genome.similarity.stage import read_queries

        samples = list(read_queries([self.samples], self._letters))
        if controls is None:
            return samples
        made = controls.make([query for query in samples if query.bases], 1)
        return [*samples, *(query for group in made.values() for query in group.queries)]

    def _url(self) -> str:
        from seqforge.domains.genome.similarity.ebi.client import BASE_URL
        from seqforge.settings import Settings, checked_url

        try:
            return checked_url(self.base_url or Settings.load().base_url or BASE_URL)
        except ValueError as error:
            raise ConfigError(f"--base-url: {error}") from error

    @property
    def _letters(self) -> Letters:
        return "protein" if self.protein else "dna"

    def _backend(self, address: str, store: JobStore) -> EbiBackend:
        from seqforge.core.budget import Budget
        from seqforge.domains.genome.similarity.ebi.backend import EbiBackend
        from seqforge.domains.genome.similarity.ebi.client import EbiClient

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
        from seqforge.domains.genome.similarity.of_run import INVERTEBRATES
        from seqforge.settings import Settings

        if self.databases:
            return list(self.databases)
        return [Settings.load().database or (_PROTEINS if self.protein else INVERTEBRATES)]

    def _say(self, text: str) -> None:
        if not self.quiet:
            echo(text, err=True)
