"""Bodies and broken connections: what `requests` leaves open."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from ssl import SSLCertVerificationError

import requests
from urllib3.exceptions import HTTPError, NewConnectionError

_BODY_SECONDS, _BODY_BYTES = 600.0, 1 << 30
_BLOCK = 1 << 16
_OBJECT = re.compile(r"^.*?[)>]: ")  # which connection, in Python's words


def read_body(answer: requests.Response) -> bytes:
    """The whole body, within a time: a server that drips must not hold us for ever.

    Raises:
        requests.Timeout: If it takes too long.
        requests.RequestException: If it is too long or breaks off.
    """
    began, blocks, size = time.monotonic(), [], 0
    # read1 gives what is there; read would wait for a whole block however slowly it drips in.
    read = getattr(answer.raw, "read1", answer.raw.read)
    with answer:
        try:
            while block := read(_BLOCK):
                blocks.append(block)
                size += len(block)
                if time.monotonic() - began > _BODY_SECONDS:
                    raise requests.Timeout(f"the answer took more than {_BODY_SECONDS:g} s")
                if size > _BODY_BYTES:
                    raise requests.RequestException("the answer is longer than 1 GiB")
        except (HTTPError, OSError) as error:
            if isinstance(error, requests.RequestException):
                raise
            raise requests.ConnectionError(error) from error
    return b"".join(blocks)


def never_sent(error: requests.RequestException) -> bool:
    """Whether no connection was made, so that nothing of the request can have arrived."""
    certain = requests.ConnectTimeout, requests.exceptions.ProxyError, ValueError  # a bad address
    return isinstance(error, certain) or any(
        isinstance(cause, NewConnectionError | SSLCertVerificationError) for cause in _causes(error)
    )


def reason_of(error: BaseException) -> str:
    """The innermost cause, which says what happened without the machinery."""
    innermost = list(_causes(error))[-1]
    return _OBJECT.sub("", str(innermost)) or type(innermost).__name__


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error and those that it carries inside, the innermost last."""
    inner: object = error
    while isinstance(inner, BaseException):
        yield inner
        carried = (getattr(inner, "reason", None), *getattr(inner, "args", ()))
        inner = next((each for each in carried if isinstance(each, BaseException)), None)
