"""One request at a time: what is certain after it, and what is not."""

from __future__ import annotations

import re
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from email.utils import formatdate

import pytest

from seqforge.domains.genome.ebi.client import EbiClient
from seqforge.domains.genome.ebi.errors import (
    FateUnknown,
    Gone,
    Refused,
    Transient,
    is_page,
    page_text,
    remedy,
)
from seqforge.errors import ConfigError
from seqforge.version import __version__
from tests.patience import PATIENCE

JOB = "ncbiblast-R20190701-140920-0894-43925861-p1m"
FORM = {"sequence": ">query\nACGT", "database": ["em_std_inv", "em_std_pln"]}
NOW = 1_800_000_000.0


class Wire:
    """A real socket that says exactly these bytes to every request, and keeps what it heard."""

    def __init__(self, answer: bytes) -> None:
        self.answer, self.heard = answer, []
        self.whole_requests = True
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}/rest"

    def serve(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with connection:
                self.heard.append(self._request(connection))
                with suppress(OSError):  # whoever asked may have gone
                    self._say(connection)

    def _say(self, connection: socket.socket) -> None:
        connection.sendall(self.answer)

    def _request(self, connection: socket.socket) -> bytes:
        if not self.whole_requests:
            return connection.recv(65536)
        heard = b""
        while b"\r\n\r\n" not in heard:
            heard += connection.recv(65536)
        head, _, body = heard.partition(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head.lower())
        while length and len(body) < int(length[1]):
            body += connection.recv(65536)
        return head + b"\r\n\r\n" + body


@contextmanager
def wire(answer: bytes) -> Iterator[Wire]:
    made = Wire(answer)
    thread = threading.Thread(target=made.serve, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        made.listener.shutdown(socket.SHUT_RDWR)
        made.listener.close()
        thread.join(PATIENCE)


def http(body: bytes | str, status: str = "200 OK", *headers: str) -> bytes:
    body = body.encode() if isinstance(body, str) else body
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


def client(url: str, email: str = "me@ebi.ac.uk") -> EbiClient:
    return EbiClient(email, base_url=url, clock=lambda: NOW, timeout=(PATIENCE, PATIENCE))


def ask(answer: bytes, call: str):
    with wire(answer) as made:
        asking = client(made.url)
        if call == "submit":
            return asking.submit(FORM)
        return getattr(asking, call)(JOB)


def test_a_submission_as_it_goes_over_the_wire():
    with wire(http(f"{JOB}\n")) as made:
        assert client(made.url).submit(FORM) == JOB
    (heard,) = made.heard
    head, _, body = heard.decode().partition("\r\n\r\n")

    assert head.startswith("POST /rest/ncbiblast/run HTTP/1.1")
    assert re.search(
        rf"User-Agent: seqforge/{re.escape(__version__)} \(Python 3.+\) requests/", head
    )
    assert body == (
        "sequence=%3Equery%0AACGT&database=em_std_inv&database=em_std_pln&email=me%40ebi.ac.uk"
    )


@pytest.mark.parametrize("email", ["", "nobody", "a@b", "a b@c.org", "a@b.c@d.e"])
def test_without_an_address_nothing_is_sent(email):
    with wire(http(JOB)) as made:
        with pytest.raises(ConfigError, match="SEQFORGE_EMAIL"):
            client(made.url, email).submit(FORM)
        assert made.heard == []


@pytest.mark.parametrize(
    "id_",
    [
        "iprscan5-R20190701-140920-0894-43925861-p1m",
        "ncbiblast-R20190701-140920-0894-43925861",
        f"{JOB}/../../x",
        f"{JOB} extra",
        f"see {JOB}",
        "",
    ],
)
def test_what_is_no_id_of_this_tool_is_not_believed(id_):
    with pytest.raises(FateUnknown, match="in place of a job's id"):
        ask(http(id_), "submit")


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (http("<html><head><title>x</title></head><h1>Please log in</h1></html>"), "Please log in"),
        (http("<!DOCTYPE html><html><h1>Bad gateway</h1>", "502 Bad Gateway"), "502.*Bad gateway"),
        (http("oops", "500 Internal Server Error"), "500: oops"),
        (http("", "504 Gateway Timeout"), "504: Gateway Timeout"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 44\r\n\r\nncbiblast-R2019", "connection broke"),
        (b"", "connection broke"),
        (b"\x16\x03\x01 what is this", "connection broke"),
    ],
)
def test_a_submission_that_may_have_arrived_has_an_unknown_fate(answer, says):
    with pytest.raises(FateUnknown, match=says):
        ask(answer, "submit")


@pytest.mark.parametrize("cut", [0, 3, 60])
def test_chunked_bodies_are_whole_or_an_error(cut):
    body = b"7\r\nRUNNING\r\n0\r\n\r\n"
    answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + body
    if not cut:
        assert ask(answer, "status") == "RUNNING"
        return
    with pytest.raises(Transient):
        ask(answer[: len(answer) - min(cut, len(body)) - 2], "status")


def test_silence_after_sending_is_an_unknown_fate():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        asking = EbiClient(
            "me@ebi.ac.uk",
            base_url=f"http://127.0.0.1:{listener.getsockname()[1]}",
            timeout=(PATIENCE, 0.2),
        )
        with pytest.raises(FateUnknown, match=r"timed out|timeout"):
            asking.submit(FORM)


@pytest.mark.parametrize(
    "answer",
    [http("busy", "429 Too Many Requests"), http("<html><h1>Down</h1></html>", "503 Unavailable")],
)
def test_turned_away_at_the_door_is_certain(answer):
    with pytest.raises(Transient):
        ask(answer, "submit")


def test_a_refused_connection_sent_nothing():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(Transient, match=r"cannot be reached .*refused"):
        client(f"http://127.0.0.1:{port}").submit(FORM)


@pytest.mark.parametrize("url", ["http://no-such-host.invalid", "http://", "ftp://x.org"])
def test_an_address_that_leads_nowhere_sent_nothing(url):
    with pytest.raises(Transient, match="cannot be reached"):
        client(url).submit(FORM)


def test_a_certificate_of_somebody_else_sent_nothing(tmp_path, require_program):
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    make = [require_program("openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes"]
    make += ["-subj", "/CN=localhost", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(make, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    def greet() -> None:
        connection, _ = listener.accept()
        with connection, suppress(OSError):
            context.wrap_socket(connection, server_side=True)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=greet)
        thread.start()
        with pytest.raises(Transient, match=r"cannot be reached .*certificate verify failed"):
            client(f"https://localhost:{listener.getsockname()[1]}").submit(FORM)
        thread.join(PATIENCE)


def test_other_trouble_with_encryption_leaves_the_fate_unknown():
    """It may come after the request as well as before it."""
    with wire(http(JOB)) as made:
        made.whole_requests = False
        with pytest.raises(FateUnknown):
            client(made.url.replace("http:", "https:")).submit(FORM)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            'Invalid parameters: \nDatabase -> Value for "database" is not valid: Currently '
            '"em_rel_vrt" but should be one of the restricted values: em_all...',
            r'Currently "em_rel_vrt" but .* em_all\.\.\.; choose another --database',
        ),
        ("Please enter a valid email address", "valid email address; give an address .* --email"),
        (
            "Invalid parameters: \n Sequence -> Error in reading input sequence. Please check.",
            "Sequence -> Error .*; look at the letters",
        ),
        ("Input is too big, limit is 1MB", "limit is 1MB; search with fewer letters"),
        ("Something new &amp; strange", "Something new & strange; change what is asked"),
    ],
)
def test_a_refusal_is_one_sentence_with_what_to_do(text, says):
    body = f"<?xml version='1.0'?>\n<error>\n <description>{text}</description></error>"
    with pytest.raises(Refused, match=says) as caught:
        ask(http(body, "400 Bad Request"), "submit")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "403 Forbidden", "413 Too Large"])
def test_other_answers_to_a_submission_are_refusals_and_no_way_is_followed(status):
    with wire(http("no", status, "Location: /elsewhere")) as made:
        with pytest.raises(Refused, match=status[:3]):
            client(made.url).submit(FORM)
        assert len(made.heard) == 1


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        ("3600", 60.0),
        ("0", 0.0),
        ("9" * 400, 60.0),
        (formatdate(NOW + 30, usegmt=True), 30.0),
        (formatdate(NOW - 30, usegmt=True), 0.0),
        *(
            (garbage, None)
            for garbage in (
                "soon",
                "",
                "-5",
                "nan",
                "inf",
                "-inf",
                "1e999",
                "1_000",
                "0x10",
                "7s",
                "7.5",
                "Thu, 01 Jan 99999 00:00:00 GMT",
                "Thu, 99 Foo 2026 00:00:00 GMT",
                "0, 0",
                ",",
            )
        ),
    ],
)
def test_retry_after_in_seconds_or_as_a_date(value, seconds):
    answer = http("busy", "503 Unavailable", f"Retry-After: {value}")
    for call in ("submit", "status"):
        with pytest.raises(Transient) as caught:
            ask(answer, call)
        assert caught.value.retry_after == seconds


@pytest.mark.parametrize(
    ("answer", "word"),
    [
        (http("RUNNING"), "RUNNING"),
        (http(" queued \n"), "QUEUED"),
        (http("THINKING_HARD"), "THINKING_HARD"),
        (http("<error><description>no such job</description></error>", "400 Bad"), "NOT_FOUND"),
        (http("<error/>", "404 Not Found"), "NOT_FOUND"),
    ],
)
def test_states_are_one_word(answer, word):
    assert ask(answer, "status") == word


@pytest.mark.parametrize(
    "answer",
    [
        http("<html><h1>Sign in</h1></html>"),
        http("<html><h1>Not here</h1></html>", "404 Not Found"),
        http("forbidden", "403 Forbidden"),
        http("", "200 OK"),
        http("a sentence of several words"),
        http("x", "500 Oops"),
        b"",
    ],
)
def test_what_is_no_state_is_asked_for_again(answer):
    with pytest.raises(Transient):
        ask(answer, "status")


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (f"Job '{JOB}' is still queued", Transient),
        (f"Job '{JOB}' was not found", Gone),
        (f"Requested renderer 'json' not available for job '{JOB}'", Refused),
        (f"Requested renderer 'json' not found for job '{JOB}'", Refused),
        ("Something else", Refused),
    ],
)
def test_400s_of_results_are_told_apart(text, error):
    body = f"<error><description>{text}</description></error>"
    with wire(http(body, "400 Bad Request")) as made, pytest.raises(error) as caught:
        client(made.url).result(JOB, "json")
    assert caught.type is error


def test_a_page_in_place_of_a_result_is_asked_for_again():
    with (
        wire(http("<!doctype html><html><h1>Hello</h1></html>")) as made,
        pytest.raises(Transient, match="titled “Hello”"),
    ):
        client(made.url).result(JOB, "out")


def test_results_come_as_bytes():
    body = bytes(range(256)) * 20
    with wire(http(body)) as made:
        assert client(made.url).result(JOB, "visual-png") == body


def test_texts_for_people_are_short_and_plain():
    assert page_text(b"<h1>x</h1>" + b"y " * 1000).endswith("…")
    assert len(page_text(b"y" * 1000)) == 300
    assert page_text(b"<error><description>a\n  <b>b</b> &lt;c></description>") == "a b <c>"
    assert not is_page(b"<?xml version='1.0'?><error/>")
    assert remedy("whatever") == "change what is asked and run again"


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See", "307 Now", "308 Moved"])
@pytest.mark.parametrize(
    "call", ["submit", "status", "result_types", "result", "parameter_details"]
)
def test_another_address_is_told_and_nothing_is_sent_there(status, call):
    with wire(http(JOB)) as trap, wire(http("", status, f"Location: {trap.url}/x")) as made:
        asked = {"submit": (FORM,), "result": (JOB, "json")}.get(call, (JOB,))
        with pytest.raises((Refused, Transient)) as caught:
            getattr(client(made.url), call)(*asked)
        assert f"{status[:3]}" in str(caught.value)
        assert f"{trap.url}/x" in str(caught.value)
        assert "give that address with --base-url if you trust it" in str(caught.value)
        assert (len(made.heard), len(trap.heard)) == (1, 0)
        assert isinstance(caught.value, Refused) == (call == "submit")
