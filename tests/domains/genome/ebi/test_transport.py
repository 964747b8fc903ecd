"""A server that never comes to an end: the exchange does, in time and in memory.

No test here looks at a clock: without a limit each of them would go on for ever.
"""

from __future__ import annotations

import re
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import chain, repeat

import pytest

from seqforge.domains.genome.ebi import client as client_module
from seqforge.domains.genome.ebi.client import EbiClient
from seqforge.domains.genome.ebi.errors import FateUnknown, Refused, Transient
from seqforge.errors import ConfigError
from tests.patience import PATIENCE

JOB = "ncbiblast-R20261121-090000-0001-12345678-p1m"
OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
PAUSE = 0.01

ENDLESS: dict[str, Callable[[], Iterator[bytes]]] = {
    "status line": lambda: chain([b"HTTP/1.1 200 "], repeat(b"O")),
    "100 Continue": lambda: repeat(b"HTTP/1.1 100 Continue\r\n\r\n"),
    "headers of a 100": lambda: chain([b"HTTP/1.1 100 Continue\r\n"], repeat(b"X: y\r\n")),
    "a header": lambda: chain([OK, b"X-Long: "], repeat(b"y")),
    "body of a length": lambda: chain([OK + b"Content-Length: 99999999\r\n\r\n"], repeat(b"x")),
    "body without a length": lambda: chain([OK + b"\r\n"], repeat(b"x")),
    "chunks": lambda: chain([CHUNKED], repeat(b"1\r\nx\r\n")),
    "a chunk's length": lambda: chain([CHUNKED], repeat(b"0")),
    "a chunk's comment": lambda: chain([CHUNKED, b"1;"], repeat(b"c")),
    "trailers": lambda: chain([CHUNKED, b"0\r\n"], repeat(b"X: y\r\n")),
    "body of an error": lambda: chain([b"HTTP/1.1 400 No\r\n\r\n"], repeat(b"e")),
    "body of a redirect": lambda: chain(
        [b"HTTP/1.1 302 There\r\nLocation: http://127.0.0.1:9/\r\n\r\n"], repeat(b"e")
    ),
}


@contextmanager
def serving(speak: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server that hears a request and then does as it likes, once for each connection."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            speak(connection)

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=[connection], daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(PATIENCE)


def dripping(pieces: Callable[[], Iterator[bytes]], pause: float = PAUSE):
    """Says the pieces one by one until whoever listens has gone."""

    def speak(connection: socket.socket) -> None:
        connection.recv(65536)
        for piece in pieces():
            connection.sendall(piece)
            if pause:
                time.sleep(pause)

    return speak


def impatient(url: str, seconds: float = 0.3) -> EbiClient:
    asking = EbiClient(
        "me@ebi.ac.uk", base_url=url, timeout=(PATIENCE, PATIENCE), grace=seconds
    )  # fmt: skip
    asking.until = asking.monotonic()
    return asking


@pytest.mark.parametrize("what", ENDLESS)
def test_what_drips_without_end_is_left_when_the_time_is_over(what):
    with serving(dripping(ENDLESS[what])) as url:
        asking = impatient(url)
        told = "names another address" if "redirect" in what else "took more than 0.3 s"
        with pytest.raises(Transient, match=re.escape(told)):
            asking.result(JOB, "json")
        asking.close()


@pytest.mark.parametrize("what", ["100 Continue", "body of a length", "status line"])
def test_a_submission_that_drips_has_an_unknown_fate(what, monkeypatch):
    monkeypatch.setattr(client_module, "_SUBMISSION_SECONDS", 0.3)
    told = r"the whole answer took more than 0\.3 s"
    with serving(dripping(ENDLESS[what])) as url, pytest.raises(FateUnknown, match=told):
        impatient(url).submit({"sequence": ">query\nACGT"})


def test_a_server_that_says_nothing_at_all_is_left():
    def silent(connection: socket.socket) -> None:
        connection.recv(65536)
        time.sleep(PATIENCE)

    with serving(silent) as url:
        asking = impatient(url)
        with pytest.raises(Transient, match=r"took more than 0\.3 s"):
            asking.status(JOB)
        asking.close()


@pytest.mark.parametrize("hears", [True, False])
def test_a_server_that_never_ends_its_greeting_is_left(hears):
    """TLS that does not come about: silence, or records without end."""

    def speak(connection: socket.socket) -> None:
        connection.recv(65536)
        while hears:
            connection.sendall(b"\x16\x03\x03\x00\x04\x0e\x00\x00\x00")
            time.sleep(PAUSE)
        time.sleep(PATIENCE)

    with serving(speak) as url:
        asking = impatient(url.replace("http://", "https://"))
        with pytest.raises(Transient, match="did not answer"):
            asking.status(JOB)
        asking.close()


@pytest.mark.parametrize(
    ("begins", "goes_on"),
    [
        (OK + b"Content-Length: 99999999999\r\n\r\n", b"x" * 65536),
        (OK + b"\r\n", b"x" * 65536),
        (CHUNKED, b"1000\r\n" + b"x" * 4096 + b"\r\n"),
        (CHUNKED, b"0" * 65536),
        (CHUNKED + b"1;", b"c" * 65536),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 2000),
        (b"HTTP/1.1 400 No\r\n\r\n", b"x" * 65536),
    ],
    ids=["length", "no length", "chunks", "chunk's length", "comment", "100 Continue", "error"],
)
def test_what_comes_fast_without_end_is_left_when_it_is_too_long(begins, goes_on, monkeypatch):
    monkeypatch.setattr(client_module, "_RESULT_BYTES", 1 << 20)
    with serving(dripping(lambda: chain([begins], repeat(goes_on)), pause=0)) as url:
        asking = EbiClient("me@ebi.ac.uk", base_url=url, timeout=(PATIENCE, PATIENCE))
        told = r"the answer is longer than 1,048,576 bytes|got more than 65536 bytes"
        with pytest.raises((Refused, Transient), match=told):
            asking.result(JOB, "json")
        asking.close()


def test_no_answer_fills_the_memory():
    assert client_module._RESULT_BYTES <= 64 << 20
    assert client_module._WORDS_BYTES <= 4 << 20


def answering(body: bytes, heard: list[bytes], *headers: bytes, code: bytes = b"200 OK"):
    def speak(connection: socket.socket) -> None:
        heard.append(connection.recv(65536))
        lines = [b"HTTP/1.1 " + code, b"Content-Length: %d" % len(body), b"Connection: close"]
        connection.sendall(b"\r\n".join([*lines, *headers, b"", b""]) + body)

    return speak


@pytest.fixture
def netrc(tmp_path, monkeypatch):
    """A login for this very host, where `requests` would look for one."""
    path = tmp_path / "netrc"
    path.write_text("machine 127.0.0.1 login me password secret\ndefault login a password b\n")
    path.chmod(0o600)
    monkeypatch.setenv("NETRC", str(path))
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".netrc").write_text(path.read_text())


def test_no_login_of_netrc_is_sent(netrc):
    heard: list[bytes] = []
    with serving(answering(JOB.encode(), heard)) as url:
        asking = EbiClient("me@ebi.ac.uk", base_url=url)
        assert asking.submit({"sequence": ">query\nACGT"}) == JOB
        with suppress(Transient):
            asking.status(JOB)
        asking.close()
    assert len(heard) == 2
    assert not any(b"authorization" in request.lower() for request in heard)


def test_a_login_that_stands_in_the_address_is_sent(netrc):
    heard: list[bytes] = []
    with serving(answering(b"RUNNING", heard)) as url:
        asking = EbiClient("me@ebi.ac.uk", base_url=url.replace("://", "://you:word@"))
        assert asking.status(JOB) == "RUNNING"
        asking.close()
    assert b"Basic eW91OndvcmQ=" in heard[0]  # you:word


def test_a_proxy_of_the_surroundings_is_gone_through_and_limited_too(netrc, monkeypatch):
    heard: list[bytes] = []
    with serving(answering(b"RUNNING", heard)) as proxy:
        monkeypatch.setenv("http_proxy", proxy)
        asking = EbiClient("me@ebi.ac.uk", base_url="http://www.ebi.example/rest")
        assert asking.status(JOB) == "RUNNING"
        asking.close()
    assert heard[0].startswith(b"GET http://www.ebi.example/rest/ncbiblast/status/")
    assert b"authorization" not in heard[0].lower()
    for address in ("http://www.ebi.example", "https://www.ebi.example"):
        with serving(dripping(ENDLESS["headers of a 100"])) as proxy:
            monkeypatch.setenv("http_proxy", proxy)
            monkeypatch.setenv("https_proxy", proxy)
            asking = impatient(address)
            with pytest.raises(Transient, match=r"took more than|did not answer"):
                asking.status(JOB)
            asking.close()


def test_certificates_of_the_surroundings_that_are_not_there_are_named(monkeypatch, tmp_path):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "none.pem"))
    with pytest.raises(ConfigError, match=r"none\.pem: there are no certificates, and REQUESTS_CA"):
        EbiClient("me@ebi.ac.uk", base_url="https://127.0.0.1:9").status(JOB)


def test_certificates_of_the_surroundings_are_trusted(monkeypatch, tmp_path, require_program):
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    subprocess.run(
        [require_program("openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1",
         "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    heard: list[bytes] = []

    def speak(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as secure:
            answering(b"RUNNING", heard)(secure)

    def drip(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as secure:
            dripping(ENDLESS["body of a length"])(secure)

    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    with serving(speak) as url:
        asking = EbiClient("me@ebi.ac.uk", base_url=url.replace("http://", "https://"))
        assert asking.status(JOB) == "RUNNING"
        asking.close()
    with serving(drip) as url:
        asking = impatient(url.replace("http://", "https://"), seconds=1.0)
        with pytest.raises(Transient, match="took more than 1 s"):
            asking.status(JOB)
        asking.close()


def test_a_redirect_is_followed_by_no_request_at_all():
    heard: list[bytes] = []
    with serving(answering(b"", heard)) as other:
        place = b"Location: " + other.encode()
        for code in (b"301 M", b"302 F", b"303 S", b"307 T", b"308 P"):
            asked: list[bytes] = []
            with serving(answering(b"", asked, place, code=code)) as url:
                asking = EbiClient("me@ebi.ac.uk", base_url=url)
                with pytest.raises(Refused, match="names another address"):
                    asking.submit({"sequence": ">query\nACGT"})
                with pytest.raises(Transient, match="names another address"):
                    asking.status(JOB)
                asking.close()
            assert len(asked) == 2
    assert heard == []
