"""Work that must not hold up whoever asks for it: a thread beside, a job at a time."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor


class Background:
    """Does jobs one after the other, in the order in which they were given.

    There is never more than one that is not done: whoever gives the next waits for the one
    before, so that a slow disk fills no memory. What a job raises is raised to whoever calls next.
    """

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="background")
        self._job: Future[object] | None = None

    @property
    def busy(self) -> bool:
        """Whether a job is not done yet."""
        return self._job is not None and not self._job.done()

    def do(self, job: Callable[[], object]) -> None:
        """Begin a job as soon as the one before is done; raises what that one raised."""
        self.wait()
        self._job = self._pool.submit(job)

    def check(self) -> None:
        """Raise what the last job raised, if it is done; waits for nothing."""
        if not self.busy:
            self.wait()

    def wait(self) -> None:
        """Return when nothing is left to do; raises what the last job raised."""
        job, self._job = self._job, None
        if job is not None:
            job.result()

    def close(self) -> None:
        """Finish what was begun and end the thread; raises what the last job raised."""
        self._pool.shutdown()
        self.wait()
