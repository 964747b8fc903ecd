"""The search that ends a run: for its samples, in what it trained on or elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqforge.domains.genome.similarity.backends import LocalBackend, Progress, SearchBackend
from seqforge.domains.genome.similarity.blastplus import BlastPlusBackend
from seqforge.domains.genome.similarity.controlled import search_with_controls
from seqforge.domains.genome.similarity.controls import Controls
from seqforge.domains.genome.similarity.parameters import SearchParameters
from seqforge.domains.genome.similarity.searched import HomeBackend, going_on
from seqforge.domains.genome.similarity.stage import search_files
from seqforge.domains.genome.similarity.training_part import training_library
from seqforge.errors import ConfigError
from seqforge.settings import Settings

if TYPE_CHECKING:
    from seqforge.core.config import SearchConfig
    from seqforge.core.domain import Learnt

INVERTEBRATES = "em_std_inv"
"""The division that the first of these experiments searched; the service says if it has it."""
_DEADLINE = 1800.0  # seconds that a run waits for EMBL-EBI; resumed, it waits again


def search_of_run(
    samples: Sequence[Path], folder: Path, asked: SearchConfig, learnt: Learnt, both: bool,
    seed: int, progress: Progress, say: Callable[[str], None],
) -> dict[str, Any]:  # fmt: skip
    """See `core.domain.Searches`; ``both`` says that both strands were trained on."""
    controls = None if asked.controls == "auto" else asked.controls
    if asked.backend == "ebi" and controls is None:
        controls = 0  # chance is not worth a public service's time unasked
    parameters = SearchParameters(max_hits=asked.max_hits, max_hsps=asked.max_hsps)
    with _backend(folder, asked, learnt, say) as backend:
        if controls == 0:
            report = search_files(samples, backend, folder, parameters, progress)
            found, notes = report.summary(), report.notes()
        else:
            wanted = Controls.of_run(learnt.corpus, both, controls, seed)
            controlled = search_with_controls(
                samples, backend, folder, wanted, parameters, progress
            )
            found, notes = controlled.summary(), controlled.notes()
    for note in notes:
        say(note)
    return found


@contextmanager
def _backend(
    folder: Path, asked: SearchConfig, learnt: Learnt, say: Callable[[str], None]
) -> Iterator[SearchBackend]:
    if asked.backend == "ebi":
        from seqforge.domains.genome.similarity.ebi.backend import EbiBackend
        from seqforge.domains.genome.similarity.ebi.client import BASE_URL, EbiClient
        from seqforge.domains.genome.similarity.ebi.jobs import JobStore

        database = asked.database or Settings.load().database or INVERTEBRATES
        client = EbiClient(_address(), base_url=Settings.load().base_url or BASE_URL)
        with closing(client), JobStore(folder / "jobs.sqlite") as store:
            backend = EbiBackend(client, store, database, _DEADLINE, say)
            yield backend
            for name, why in backend.unanswered.items():
                say(f"{name}: {why}")
        return
    library = [Path(path) for path in asked.against]
    if not library:
        library = [training_library(learnt, folder)]
    here: HomeBackend = (
        BlastPlusBackend(library) if asked.backend == "blast+" else LocalBackend(library)
    )
    with going_on(here, folder) as kept:
        yield kept


def _address() -> str:
    """The address in the settings: a recipe, or a run gone on with, is no yes."""
    address = Settings.load().email
    if address is None:
        raise ConfigError(
            "searching at EMBL-EBI sends the samples there, which takes a standing yes: "
            "`seqforge config set email ...`; then the same command goes on"
        )
    return address
