"""Both ends of HTTP/1.1 by hand: a server that keeps what it is asked and says any octets, a client that sends any."""

import contextlib
import socket
import socketserver
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import BinaryIO

Fields = list[tuple[str, str]]
PATIENCE = 20


@dataclass
class Message:
    """A request or a response as it came."""

    line: str
    fields: Fields
    content: bytes = b""
    trailers: Fields = field(default_factory=list)
    interim: list[tuple[str, Fields]] = field(default_factory=list)
    # The content came in chunks.
    chunked: bool = False

    def values(self, name: str) -> list[str]:
        return [value for known, value in self.fields if known.lower() == name]

    @property
    def method(self) -> str:
        return self.line.split(" ")[0]

    @property
    def target(self) -> str:
        return self.line.split(" ")[1]


def read_fields(stream: BinaryIO) -> Fields:
    fields = []
    while (line := stream.readline()) not in (b"\r\n", b""):
        name, _, value = line.decode("latin-1").partition(":")
        fields.append((name, value.strip()))
    return fields


def read_head(stream: BinaryIO) -> Message | None:
    line = stream.readline()
    return Message(line.decode("latin-1").strip(), read_fields(stream)) if line else None


def read_content(stream: BinaryIO, message: Message, *, to_the_end: bool) -> None:
    """The content that follows a head; without a length there is none, or it goes `to_the_end`."""
    if message.values("transfer-encoding"):
        message.chunked = True
        while size := int(stream.readline().split(b";")[0], 16):
            message.content += stream.read(size)
            stream.readline()
        message.trailers = read_fields(stream)
    elif lengths := message.values("content-length"):
        message.content = stream.read(int(lengths[0]))
    elif to_the_end:
        message.content = stream.read()


def converse(port: int, octets: bytes) -> Message:
    """The response to one request."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection, connection.makefile("rb") as stream:
        connection.sendall(octets)
        interim = []
        while (response := read_head(stream)) and response.line.split(" ")[1].startswith("1"):
            interim.append((response.line, response.fields))
        assert response is not None, "no response"
        response.interim = interim
        if not octets.startswith(b"HEAD ") and response.line.split(" ")[1] not in ("204", "304"):
            read_content(stream, response, to_the_end=True)
        return response


Answer = Callable[[Message], bytes]


class Server(socketserver.ThreadingTCPServer):
    """Answers each request by its path's last segment; keeps the requests."""

    daemon_threads = True

    def __init__(self, answers: dict[str, Answer | bytes]) -> None:
        self.answers, self.requests = answers, []
        super().__init__(("127.0.0.1", 0), Handler)
        self.port = self.server_address[1]
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Handler(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        with contextlib.suppress(ConnectionError):
            while request := read_head(self.rfile):
                if not self.answer(request):
                    return

    def answer(self, request: Message) -> bool:
        """Whether the connection goes on."""
        self.server.requests.append(request)
        answer = self.server.answers[request.target.partition("?")[0].rpartition("/")[2]]
        if request.values("expect"):
            if request.target.endswith("unwanted"):
                self.wfile.write(answer)
                return False
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        read_content(self.rfile, request, to_the_end=False)
        octets = answer if isinstance(answer, bytes) else answer(request)
        if request.method == "HEAD":
            octets = octets[: octets.index(b"\r\n\r\n", octets.rindex(b"HTTP/1.1 ")) + 4]
        self.wfile.write(octets)
        until_closed = not any(name in octets.lower() for name in (b"content-length", b"transfer-encoding", b" 204 ", b" 304 "))
        closes = "close" in str(request.values("connection")).lower() or request.line.endswith("1.0")
        return not closes and not until_closed
