"""What can go wrong with a request, parted by what may be done about it.

EbiError
├── Refused       the service read the request and said no; asking again says no again
├── Transient     nothing happened; asking again later may help
├── FateUnknown   a submission was sent and no answer came: there may be a job or not
├── Gone          the service does not know the job (any more)
└── Unreadable    a reply came that is not what was asked for
"""

from __future__ import annotations

from seqforge.errors import SeqforgeError


class EbiError(SeqforgeError):
    """A request to EMBL-EBI that gave nothing; ``str(error)`` is a sentence."""


class Refused(EbiError):
    """Turned down by validation: never became a job, whatever was submitted."""


class Transient(EbiError):
    """Nothing happened, for certain; ``retry_after`` is what the service asked for, in seconds."""

    def __init__(self, text: str, retry_after: float | None = None) -> None:
        super().__init__(text)
        self.retry_after = retry_after


class FateUnknown(EbiError):
    """A submission that may have become a job: it must not be repeated without being asked.

    ``answered`` says that something did answer, but not as the service does.
    """

    def __init__(self, text: str, *, answered: bool = False) -> None:
        super().__init__(text)
        self.answered = answered


class Gone(EbiError):
    """A job the service does not know."""


class Unreadable(EbiError):
    """A reply that cannot be read: truncated, or another thing than was asked for."""
