"""Trailers, chunks and interim responses over HTTP/1.1, run twice: with the upstream itself and through the gateway."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from http1_peers import Message, Server, converse
from two_ways import answered, asked, gateway_before

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"
LARGE = b"%x\r\n%b\r\n" % (1_000_000, b"x" * 1_000_000)
ANSWERS = {
    "trailers": CHUNKED + b"Trailer: X-Sum, X-B\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 7\r\nX-B:\r\nX-Sum: 8\r\n\r\n",
    "unannounced": CHUNKED + b"\r\n3\r\nabc\r\n0\r\nx-sum: \xe9 \xff\r\n\r\n",
    "alone": CHUNKED + b"\r\n0\r\nX-Sum: 7\r\n\r\n",
    "large": CHUNKED + b"\r\n" + LARGE * 5 + b"0\r\nX-Sum: 7\r\n\r\n",
    "digest": CHUNKED + b"\r\n1\r\na\r\n0\r\nContent-Digest: sha-256=:AA==:\r\nServer-Timing: a;dur=1\r\n\r\n",
    "extensions": CHUNKED + b'\r\n3;a="b;c";d\r\nabc\r\n0;e\r\n\r\n',
    "none": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "interim": b"HTTP/1.1 102 Processing\r\nX-A: b\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\nLink: </b>\r\n\r\n" + CHUNKED + b"\r\n0\r\n\r\n",
}
HEAD = b"POST /%b HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n"
BODIES = {
    "trailers": b"Trailer: X-Sum\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 7\r\nX-B:\r\nX-Sum: 8\r\n\r\n",
    "alone": b"\r\n0\r\nX-Sum: 7\r\n\r\n",
    "large": b"\r\n" + LARGE * 5 + b"0\r\nX-Sum: 7\r\n\r\n",
    "odd": b"\r\n1\r\na\r\n0\r\nx-lower: a\r\n!#$%&'*+.^`|~: \xe9\xff\r\n\r\n",
    "extensions": b'\r\n3;a="b;c";d\r\nabc\r\n0;e\r\n\r\n',
    "none": b"\r\n3\r\nabc\r\n0\r\n\r\n",
    "te": b"\r\n1\r\na\r\n0\r\n\r\n".replace(b"\r\n", b"TE: trailers\r\n\r\n", 1),
}
# Framing, routing and identity are no trailers' matter; who trusts them there would be misled.
FORBIDDEN = [b"Content-Length: 1", b"Host: b", b"Authorization: Bearer b", b"X-Auth-Subject: root", b"Cookie: a=b", b"Cache-Control: no-store"]


@dataclass(frozen=True)
class Ways:
    server: Server
    gateway: int


@pytest.fixture(scope="module")
def ways(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ways]:
    with Server(ANSWERS) as server, gateway_before(tmp_path_factory.mktemp("trailers"), server.port) as port:
        yield Ways(server, port)
        server.shutdown()


def exchange(ways: Ways, port: int, octets: bytes) -> tuple:
    """The response, and the one request as it arrived."""
    ways.server.requests.clear()
    response = converse(port, octets)
    interim = [(line, answered(fields)) for line, fields in response.interim]
    [request] = ways.server.requests
    return (response.line, interim, *view(response, answered)), (request.line, *view(request, asked))


def view(message: Message, compared: object) -> tuple:
    trailers = [(name.lower(), value) for name, value in message.trailers]
    return compared(message.fields), message.content, trailers, message.chunked


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("body", BODIES)
def test_trailers_are_the_same_both_ways(ways: Ways, body: str, answer: str) -> None:
    octets = HEAD % answer.encode() + BODIES[body]
    assert exchange(ways, ways.gateway, octets) == exchange(ways, ways.server.port, octets)


@pytest.mark.parametrize("line", FORBIDDEN)
def test_what_no_trailer_may_say_does_not_pass(ways: Ways, line: bytes) -> None:
    octets = HEAD % b"none" + b"\r\n1\r\na\r\n0\r\n%b\r\nX-Sum: 7\r\n\r\n" % line
    _, (*_, trailers, chunked) = exchange(ways, ways.gateway, octets)
    assert (trailers, chunked) == ([("x-sum", "7")], True)
