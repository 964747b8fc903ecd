"""An HTTP request in, its whole response out, within limits of time and size."""

from __future__ import annotations

import http.client
import io
import os
import re
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from ssl import SSLCertVerificationError
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from requests.utils import get_environ_proxies
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError, NewConnectionError

from seqforge.errors import ConfigError

_BLOCK = 1 << 16
_OBJECT = re.compile(r"^.*?[)>]: ")  # the repr of a connection object


class OverLimit(OSError):
    """A response over our limit of time or size (not a time-out of `requests`)."""


class _Limits:
    """Remaining time and bytes of an exchange."""

    def __init__(self, seconds: float, size: int) -> None:
        self._seconds, self._size = seconds, size
        self._end, self._taken = time.monotonic() + seconds, 0

    def left(self) -> float:
        left = self._end - time.monotonic()
        if left <= 0:
            raise OverLimit(f"the whole answer took more than {self._seconds:g} s")
        return left

    def take(self, count: int) -> None:
        self._taken += count
        if self._taken > self._size:
            raise OverLimit(f"the answer is longer than {self._size:,} bytes")


_LIMITS: ContextVar[_Limits | None] = ContextVar("limits", default=None)


class _Counted(io.RawIOBase):
    """A socket's stream, read within the limits of the current exchange."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket) -> None:
        self._raw, self._sock = raw, sock

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        limits = _LIMITS.get()
        if limits is None:
            return self._raw.readinto(buffer)
        silence, left = self._sock.gettimeout(), limits.left()
        self._sock.settimeout(left if silence is None else min(silence, left))
        try:
            count = self._raw.readinto(buffer)
        except TimeoutError:
            limits.left()
            raise
        finally:
            self._sock.settimeout(silence)
        limits.take(count or 0)
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *arguments: Any, **options: Any) -> None:
        super().__init__(sock, *arguments, **options)
        self.fp = io.BufferedReader(_Counted(self.fp.detach(), sock))


class _Connection(HTTPConnection):
    response_class = _Response


class _SecureConnection(HTTPSConnection):
    response_class = _Response


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


class _Adapter(HTTPAdapter):
    """HTTP adapter with limited reads, also through a proxy."""

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        super().init_poolmanager(*arguments, **options)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **options)
        if proxy.startswith("http"):
            manager.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}
        return manager


def new_session() -> requests.Session:
    """A session that does not send logins from ``~/.netrc``."""
    session = requests.Session()
    session.trust_env = False
    for scheme in ("http://", "https://"):
        session.mount(scheme, _Adapter())
    return session


def fetch(
    session: requests.Session,
    method: str,
    url: str,
    *,
    seconds: float,
    size: int,
    timeout: tuple[float, float],
    **options: Any,
) -> tuple[requests.Response, bytes]:
    """A request in, the response and its raw body out; redirects are not followed.

    Args:
        session: From `new_session`.
        method: ``GET`` or ``POST``.
        url: Address.
        seconds: Limit for the whole exchange, from the connection to the last byte.
        size: Limit of the response in bytes, headers included.
        timeout: Connect and read time-outs in seconds.
        options: Further options of `requests`.

    Raises:
        requests.RequestException: If no complete response came.
        ConfigError: If the environment names a certificate file that does not exist.
    """
    connect, silence = timeout
    with _limited(seconds, size):
        answer = session.request(
            method, url, timeout=(min(connect, seconds), silence), allow_redirects=False,
            stream=True, proxies=get_environ_proxies(url), verify=_certificates(), **options,
        )  # fmt: skip
        return answer, _read_body(answer)


@contextmanager
def _limited(seconds: float, size: int) -> Iterator[None]:
    token = _LIMITS.set(_Limits(seconds, size))
    try:
        yield
    finally:
        _LIMITS.reset(token)


def _certificates() -> str | bool:
    """The certificate file of the environment variables that `requests` reads, else True."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        if path := os.environ.get(name):
            if not os.path.exists(path):
                raise ConfigError(f"{path}: there are no certificates, and {name} names it")
            return path
    return True


def _read_body(answer: requests.Response) -> bytes:
    """The complete body of a response.

    Raises:
        requests.RequestException: If it is truncated or over a limit.
    """
    blocks = []
    # read1 returns the bytes at hand; read would wait for a full block.
    read = getattr(answer.raw, "read1", answer.raw.read)
    with answer:
        try:
            while block := read(_BLOCK):
                blocks.append(block)
        except (HTTPError, OSError) as error:
            if isinstance(error, requests.RequestException):
                raise
            raise requests.ConnectionError(error) from error
    return b"".join(blocks)


def is_too_long(error: BaseException) -> bool:
    """Whether a response was over the size limit; a retry will not help."""
    return any(isinstance(each, OverLimit) and "longer" in str(each) for each in _causes(error))


def never_sent(error: requests.RequestException) -> bool:
    """Whether no connection was made, so that the request certainly did not arrive."""
    certain = requests.ConnectTimeout, requests.exceptions.ProxyError, ValueError  # a bad address
    return isinstance(error, certain) or any(
        isinstance(cause, NewConnectionError | SSLCertVerificationError) for cause in _causes(error)
    )


def reason_of(error: BaseException) -> str:
    """An error in, the message of its innermost cause out."""
    innermost = list(_causes(error))[-1]
    return _OBJECT.sub("", str(innermost)) or type(innermost).__name__


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error and its nested causes, the innermost last."""
    inner: object = error
    while isinstance(inner, BaseException):
        yield inner
        carried = (getattr(inner, "reason", None), *getattr(inner, "args", ()))
        inner = next((each for each in carried if isinstance(each, BaseException)), None)
