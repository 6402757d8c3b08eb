"""Exchanges that are run twice, with the upstream itself and through the gateway: only what the gateway documents differs."""

import contextlib
import http.client
import socketserver
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from two_ways import HOP_BY_HOP, OWN, gateway_before

LARGE = b"0123456789abcdef" * 65536
ANSWERS: dict[str, bytes] = {
    "length": b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok",
    "empty": b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    "chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
    "large": b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(LARGE), LARGE),
    "created": b"HTTP/1.1 201 Created\r\nLocation: /public/new\r\nContent-Length: 0\r\n\r\n",
    "no-content": b"HTTP/1.1 204 No Content\r\nETag: \"a\"\r\n\r\n",
    "partial": b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-1/5\r\nContent-Length: 2\r\n\r\nab",
    "redirect": b"HTTP/1.1 307 Temporary Redirect\r\nLocation: https://other.example/a?b=c#d\r\nContent-Length: 0\r\n\r\n",
    "not-modified": b"HTTP/1.1 304 Not Modified\r\nETag: W/\"a\"\r\n\r\n",
    "cookies": b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b; Path=/\r\nSet-Cookie: c=d, e; HttpOnly\r\nContent-Length: 0\r\n\r\n",
    "repeated": b"HTTP/1.1 200 OK\r\nX-A: 1\r\nVary: Accept\r\nX-A: 2\r\nVary: Origin\r\nContent-Length: 0\r\n\r\n",
    "odd": b"HTTP/1.1 200 OK\r\nX-Empty:\r\n!#$%&'*+.^`|~: \xc3\xa9\xff\r\nX_Y: z\r\nContent-Length: 0\r\n\r\n",
    "gzip": b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\n\x1f\x8b\x00",
    "hints": b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "teapot": b"HTTP/1.1 418 I'm a teapot\r\nContent-Length: 0\r\n\r\n",
    "unknown": b"HTTP/1.1 599 Whatever\r\nContent-Length: 2\r\n\r\nno",
    "events": b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n9\r\ndata: 1\n\n\r\n0\r\n\r\n",
    "until-closed": b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nto the end",
}


class Handler(socketserver.StreamRequestHandler):
    """Answers one request with the octets that its path names."""

    def handle(self) -> None:
        line = self.rfile.readline().decode("latin-1").split(" ")
        fields = http.client.parse_headers(self.rfile)
        if "chunked" in fields.get("transfer-encoding", ""):
            while size := int(self.rfile.readline(), 16):
                self.rfile.read(size + 2)
            self.rfile.readline()
        self.rfile.read(int(fields.get("content-length", "0")))
        answer = ANSWERS[line[1].rsplit("/", 1)[1]]
        if line[0] == "HEAD":
            heads = answer.split(b"\r\n\r\n")
            interim = 1 if answer.startswith(b"HTTP/1.1 1") else 0
            answer = b"\r\n\r\n".join(heads[: interim + 1]) + b"\r\n\r\n"
        self.wfile.write(answer)


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True


@dataclass(frozen=True)
class Ports:
    """Where the upstream and the gateway listen."""

    upstream: int
    gateway: int


@pytest.fixture(scope="module")
def ports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ports]:
    """An upstream that answers by the table, and a gateway before it."""
    with Server(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        upstream = server.server_address[1]
        with gateway_before(tmp_path_factory.mktemp("pass-through"), upstream) as gateway:
            yield Ports(upstream, gateway)
        server.shutdown()


def exchange(port: int, method: str, name: str, body: bytes | None) -> tuple[int, list[tuple[str, str]], bytes]:
    """The status, the fields that are not of the connection or the gateway, in order of their names, and the content."""
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=20)) as connection:
        connection.request(method, f"/public/{name}", body)
        response = connection.getresponse()
        content = response.read()
        pairs = [(known.lower(), value) for known, value in response.getheaders()]
    # The coding is of one connection (RFC 9112, section 6.1); an answer to HEAD need not name that of an answer to GET.
    framing = {"transfer-encoding"} if name == "until-closed" or method == "HEAD" else set()
    kept = [pair for pair in pairs if pair[0] not in OWN | HOP_BY_HOP | framing]
    return response.status, sorted(kept, key=lambda pair: pair[0]), content


@pytest.mark.parametrize("name", ANSWERS)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "FROB"])
def test_an_exchange_is_the_same_through_the_gateway(ports: Ports, method: str, name: str) -> None:
    body = b"content" if method in {"POST", "PUT", "PATCH"} else None
    assert exchange(ports.gateway, method, name, body) == exchange(ports.upstream, method, name, body)
