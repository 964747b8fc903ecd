"""The HTTP server: addresses, bodies, faults, and connections that end as they should not."""

from __future__ import annotations

import os
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import HTTP
from http.client import responses
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

from tests.ebi_double.faults import Fault
from tests.ebi_double.searching import Engine, engine_for
from tests.ebi_double.service import Service, Submission
from tests.ebi_double.wire import Cut, Exchange, Reply

BASE = "/Tools/services/rest"
_CALLS = {"GET": {"status", "resulttypes", "result", "parameters", "parameterdetails"}}
_CALLS["POST"] = {"run"}
_NO_PAGE = Reply(404, b"<html><body><h1>404 Not Found</h1></body></html>", "text/html")


class EbiDouble:
    """A running double: ``with EbiDouble(library) as double: ... double.url``.

    Args:
        library: A FASTA file, or an engine that was built for one (and is not closed here).
        script: Faults; the first stands nearest the client.
        clock: Seconds since 1970.
        run_seconds: How long a job takes by that clock; 0 is done at the first question.
        limit: Jobs in flight; one more is refused and noted in ``violations``.
        crowded: The status of that refusal.
        port: 0 takes any that is free.
    """

    def __init__(
        self,
        library: Path | Engine,
        script: Sequence[Fault] = (),
        *,
        clock: Callable[[], float] = time.time,
        run_seconds: float = 0.0,
        limit: int = 30,
        crowded: int = 429,
        port: int = 0,
    ) -> None:
        self._own = engine_for(library) if isinstance(library, Path) else None
        engine = self._own or library
        assert not isinstance(engine, Path)
        self.service = Service(engine, clock, run_seconds=run_seconds, limit=limit, crowded=crowded)
        self.script = list(script)
        self.exchanges: list[Exchange] = []
        self.crashes: list[BaseException] = []
        """Mistakes of the double itself; leaving the ``with`` block raises them."""
        self._port = port
        self._server: _Server | None = None
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        """The base address, without the tool."""
        return f"http://127.0.0.1:{self._port}{BASE}"

    @property
    def submissions(self) -> list[Submission]:
        """Every POST to /run that the service saw, refused ones too."""
        return self.service.submissions

    @property
    def accepted(self) -> list[Submission]:
        """Those that became jobs."""
        return [each for each in self.submissions if each.job_id is not None]

    @property
    def violations(self) -> list[str]:
        """What no client may do."""
        return self.service.violations

    def calls(self, call: str) -> list[Exchange]:
        """All requests of a kind, in their order, whatever became of them."""
        return [exchange for exchange in self.exchanges if exchange.call == call]

    def start(self) -> None:
        """Listen; after `stop` on the same port as before."""
        self._server = _Server(("127.0.0.1", self._port), self)
        self._port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        """Refuse connections and drop those that are open; the jobs stay."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server.drop()
            self._server = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        if self._own is not None:
            self._own.close()
        if self.crashes:
            raise AssertionError("the double itself failed") from self.crashes[0]

    def answer(self, exchange: Exchange) -> Reply:
        """The service's answer through all faults that strike."""
        with self._lock:
            self.exchanges.append(exchange)

        def through(faults: Sequence[Fault]) -> Reply:
            if not faults:
                return self.service.answer(exchange)
            first, rest = faults[0], faults[1:]
            if first.strikes(exchange):
                return first.act(exchange, lambda: through(rest))
            return through(rest)

        return through(self.script)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # socketserver's 5 would make a 31st client wait for a second.
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], double: EbiDouble) -> None:
        self.double = double
        self._open: set[socket.socket] = set()
        self._guard = threading.Lock()
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._guard:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._guard:
            self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        error = sys.exc_info()[1]
        if error is not None and not isinstance(error, ConnectionError):
            self.double.crashes.append(error)

    def drop(self) -> None:
        """End the connections that clients keep alive."""
        with self._guard:
            for connection in self._open:
                with suppress(OSError):  # it ended by itself
                    connection.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 60

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the double remembers every exchange."""

    def _serve(self) -> None:
        exchange = self._exchange(self.rfile.read(int(self.headers.get("Content-Length") or 0)))
        try:
            self._send(_NO_PAGE if exchange is None else self.server.double.answer(exchange))
        except Cut:
            self._reset()

    def _exchange(self, body: bytes) -> Exchange | None:
        path = urlsplit(self.path).path
        parts = [unquote(part) for part in path.removeprefix(BASE).split("/") if part]
        service = self.server.double.service
        if not path.startswith(BASE) or len(parts) < 2 or parts[0] not in service.offer.tools():
            return None
        tool, call, *names = parts
        wanted = {"run": 0, "parameters": 0, "result": 2}.get(call, 1)
        if call not in _CALLS[self.command] or len(names) != wanted:
            return None
        exchange = Exchange(call, tool, service.clock(), name=names[0] if names else "")
        exchange.headers = {name.lower(): value for name, value in self.headers.items()}
        if call in {"status", "resulttypes", "result"}:
            exchange.job = service.find(names[0])
            exchange.kind = names[1] if call == "result" else ""
        if call == "run":
            exchange.form = _form(body, self.headers.get("Content-Type", ""))
        return exchange

    def _send(self, reply: Reply) -> None:
        body = reply.body if reply.sent is None else reply.body[: reply.sent]
        head = f"HTTP/1.1 {reply.status} {responses.get(reply.status, 'Unknown')}\r\n"
        headers = {
            "Content-Type": f"{reply.media};charset=UTF-8",
            "Content-Length": str(len(reply.body)),
            "Access-Control-Allow-Origin": "*",
            **reply.headers,
        }
        head += "".join(f"{name}: {value}\r\n" for name, value in headers.items()) + "\r\n"
        size = max(1, -(-len(body) // reply.pieces))
        pieces = [body[start : start + size] for start in range(0, len(body), size)]
        if not reply.pause:
            pieces = [b"".join(pieces)]
        self.wfile.write(head.encode() + (b"" if reply.pause else pieces.pop(0)))
        for piece in pieces:
            time.sleep(reply.pause)
            self.wfile.write(piece)
        if reply.sent is not None:
            self.close_connection = True

    def _reset(self) -> None:
        """End the connection with RST in place of FIN: nothing lingers."""
        self.close_connection = True
        linger = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        socket.close(self.connection.detach())


def _form(body: bytes, media: str) -> dict[str, list[str]]:
    """The fields of an urlencoded or multipart body, with repeated keys."""
    if not media.startswith("multipart/form-data"):
        return parse_qs(body.decode(), keep_blank_values=True)
    head = f"Content-Type: {media}\r\n\r\n".encode()
    message = BytesParser(EmailMessage, policy=HTTP).parsebytes(head + body)
    fields: dict[str, list[str]] = {}
    for part in message.iter_parts():
        name = part.get_param("name", header="content-disposition")
        fields.setdefault(str(name), []).append(str(part.get_content()))
    return fields
