"""A client and an upstream that speak different versions of HTTP say the same to each other as two that speak the upstream's."""

from collections.abc import Iterator
from dataclasses import dataclass

import http1_peers
import http2_peers
import pytest
import test_pass_through_curl
import test_pass_through_http2
import test_pass_through_trailers
from two_ways import answered, asked, gateway_before

# Of the version: how a message is framed and addressed.
FRAMING = {"transfer-encoding", "host", ":authority", ":method", ":path", ":scheme", ":status"}
# What the server makes of the request is another test's matter; these end with their connection or ask for more.
OLD_ANSWERS = {
    name: answer
    for name, answer in (test_pass_through_curl.ANSWERS | test_pass_through_trailers.ANSWERS).items()
    if isinstance(answer, bytes) and name != "unwanted"
}
NEW_ANSWERS = test_pass_through_http2.ANSWERS
NEW_REQUESTS = {
    name: request
    for name, request in test_pass_through_http2.REQUESTS.items()
    if name not in test_pass_through_http2.LEFT_OUT
}
BROKEN = "broken"


@dataclass(frozen=True)
class Old:
    server: http1_peers.Server
    gateway: int


@dataclass(frozen=True)
class New:
    server: http2_peers.Server
    gateway: int


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Old]:
    """An upstream of HTTP/1.1."""
    with http1_peers.Server(OLD_ANSWERS) as server, gateway_before(tmp_path_factory.mktemp("old"), server.port) as port:
        yield Old(server, port)
        server.shutdown()


@pytest.fixture(scope="module")
def new(tmp_path_factory: pytest.TempPathFactory) -> Iterator[New]:
    """An upstream of HTTP/2."""
    with (
        http2_peers.Server(NEW_ANSWERS) as server,
        gateway_before(tmp_path_factory.mktemp("new"), server.port, http2=True) as port,
    ):
        yield New(server, port)
        server.shutdown()


def fields(pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return [pair for pair in pairs if pair[0] not in FRAMING]


def said_by(message: http1_peers.Message | http2_peers.Message, what: object) -> tuple:
    """What a response or a request says, in whatever version."""
    if isinstance(message, http1_peers.Message):
        method_or_status = message.line.split(" ")[0 if what is asked else 1]
        head = message.fields
        interim = [(line.split(" ")[1], fields(answered(pairs))) for line, pairs in message.interim]
    else:
        method_or_status = message.pseudo(":method" if what is asked else ":status")
        head = message.head
        interim = [(dict(pairs)[":status"], fields(answered(pairs))) for pairs in message.interim]
    trailers = sorted((name.lower(), value) for name, value in message.trailers)
    return method_or_status, fields(what(head)), message.content, trailers, interim


def in_http1(request: http2_peers.Message) -> bytes:
    """A request of HTTP/2 as HTTP/1.1 has it."""
    pseudo, rest = dict(request.head[:4]), request.head[4:]
    lines = [f"{pseudo[':method']} {pseudo[':path']} HTTP/1.1", f"Host: {pseudo[':authority']}", "Connection: close, TE"]
    lines += [f"{name}: {value}" for name, value in rest]
    measured = "content-length" in dict(rest)
    chunked = not measured and (request.pieces or request.trailers)
    if chunked:
        lines.append("Transfer-Encoding: chunked")
    octets = "\r\n".join([*lines, "", ""]).encode("latin-1")
    if not chunked:
        return octets + request.content
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in request.pieces if piece)
    trailers = "".join(f"{name}: {value}\r\n" for name, value in request.trailers).encode("latin-1")
    return octets + chunks + b"0\r\n" + trailers + b"\r\n"


def in_http2(path: str, **more: object) -> http2_peers.Message:
    return test_pass_through_http2.request("POST", path, **more)


def from_new(new: New, request: http2_peers.Message) -> tuple:
    new.server.requests.clear()
    [response] = http2_peers.converse(new.server.port, [request])
    [seen] = new.server.requests
    return BROKEN if response.reset is not None else said_by(response, answered), said_by(seen, asked)


def from_new_by_http1(new: New, request: http2_peers.Message) -> tuple:
    new.server.requests.clear()
    response = http1_peers.converse(new.gateway, in_http1(request))
    [seen] = new.server.requests
    return said_by(response, answered), said_by(seen, asked)


@pytest.mark.parametrize("name", [name for name in NEW_ANSWERS if not name.startswith(BROKEN)])
def test_a_client_of_http1_gets_what_a_server_of_http2_says(new: New, name: str) -> None:
    request = test_pass_through_http2.request("POST", f"/{name}", ("content-length", "2"), pieces=[b"hi"])
    assert from_new_by_http1(new, request) == from_new(new, request)


@pytest.mark.parametrize("name", NEW_REQUESTS)
def test_a_server_of_http2_gets_what_a_client_of_http1_says(new: New, name: str) -> None:
    request = NEW_REQUESTS[name]
    assert from_new_by_http1(new, request) == from_new(new, request)


@pytest.mark.parametrize("name", OLD_ANSWERS)
def test_a_client_of_http2_gets_what_a_server_of_http1_says(old: Old, name: str) -> None:
    requests = {
        "content": in_http2(f"/{name}", pieces=[b"a", b"b"]),
        "trailers": in_http2(f"/{name}", pieces=[b"ab"], trailers=[("x-sum", "1"), ("x-b", "")]),
    }
    for request in requests.values():
        outcomes = []
        old.server.requests.clear()
        outcomes.append(said_by(http1_peers.converse(old.server.port, in_http1(request)), answered))
        [response] = http2_peers.converse(old.gateway, [request])
        outcomes.append(said_by(response, answered))
        direct, through = (said_by(seen, asked) for seen in old.server.requests)
        assert outcomes[1] == outcomes[0]
        assert through == direct
