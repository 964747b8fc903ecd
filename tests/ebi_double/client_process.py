"""One run of the client in a process of its own, to be killed at any moment.

python tests/ebi_double/client_process.py URL FOLDER SPEED ZERO < queries.json
prints ``ready`` when its imports are done, and writes FOLDER/outcome.json at its end. Its clock
runs SPEED times as fast as time does, and began at the double's start when time was ZERO.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from seqforge.base.folders import write_atomically
from seqforge.domains.genome.ebi.backend import EbiBackend
from seqforge.domains.genome.ebi.client import EbiClient
from seqforge.domains.genome.ebi.job_store import JobStore
from seqforge.domains.genome.similarity.hits import Query, to_json
from seqforge.domains.genome.similarity.parameters import SearchParameters
from seqforge.errors import RunError, SeqforgeError
from tests.ebi_double.clock import START
from tests.patience import PATIENCE

STOPPED = 130

_DEADLINE = 10_000_000.0
"""By the clock that runs so much faster than time: nothing may end because the machine is busy."""


def main(url: str, folder: Path, speed: float, zero: float) -> int:
    """Search for all queries; the exit code is that of the command line."""
    queries = [Query(name, bases) for name, bases in json.load(sys.stdin).items()]
    print("ready", flush=True)
    said: list[str] = []

    def sleep(seconds: float) -> None:
        time.sleep(seconds / speed)

    def clock() -> float:
        return START + (time.time() - zero) * speed

    client = EbiClient(
        "a@ebi.ac.uk", base_url=url, sleep=sleep, clock=clock, monotonic=clock, grace=PATIENCE
    )
    try:
        with JobStore(folder / "jobs.sqlite", clock) as store:
            backend = EbiBackend(client, store, "em_std_inv", _DEADLINE, said.append)
            results = []
            try:
                results = backend.search(queries, SearchParameters(), lambda *_: None)
            except RunError:
                if not backend.unanswered:
                    raise
            outcome = {"unanswered": backend.unanswered, "said": said, **to_json(results)}
    except SeqforgeError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    write_atomically(folder / "outcome.json", json.dumps(outcome).encode())
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1], Path(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4])))
    except KeyboardInterrupt:
        sys.exit(STOPPED)
