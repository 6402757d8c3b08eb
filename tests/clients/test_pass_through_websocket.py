"""WebSocket through the gateway as with the server itself, with an upstream of HTTP/1.1 and with one of HTTP/2."""

import contextlib
import http
import os
import queue
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from gateway_process import free_port
from two_ways import answered, asked, gateway_before
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from websockets.http11 import Request, Response
from websockets.sync.client import ClientConnection, connect
from websockets.sync.server import ServerConnection, serve

from conftest import nghttpx_before

PATIENCE = 10
LARGE = os.urandom(5 * 1024 * 1024)
# Made anew where the versions differ: RFC 8441 has neither key nor `Upgrade`, a proxy in between says who it is.
OF_VERSIONS = {"sec-websocket-key", "sec-websocket-accept", "server", "date"}


class Server:
    """Echoes messages in the pieces in which they came, and does what some ask for."""

    def __init__(self) -> None:
        self.seen: queue.SimpleQueue[tuple[str, object]] = queue.SimpleQueue()
        self.server = serve(
            self.handle, "127.0.0.1", 0, select_subprotocol=self.choose, max_size=None, process_request=self.refuse,
        )
        self.port = self.server.socket.getsockname()[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @staticmethod
    def choose(_: ServerConnection, offered: list[str]) -> str | None:
        return next((name for name in offered if name.startswith("notes.")), None)

    @staticmethod
    def refuse(connection: ServerConnection, request: Request) -> Response | None:
        if request.path != "/refused":
            return None
        response = connection.respond(http.HTTPStatus.FORBIDDEN, "not you\n")
        response.headers["X-Why"] = "because"
        return response

    def handle(self, connection: ServerConnection) -> None:
        self.seen.put(("handshake", (connection.request.path, asked(connection.request.headers.raw_items()))))
        try:
            self.converse(connection)
        except ConnectionClosed as end:
            self.seen.put(("end", told(end)))

    @staticmethod
    def converse(connection: ServerConnection) -> None:
        while True:
            pieces = list(connection.recv_streaming())
            match pieces:
                case [str(first)] if first.startswith("close "):
                    _, code, reason = first.split(" ", 2)
                    connection.close(int(code), reason)
                case ["cut"]:
                    connection.socket.shutdown(socket.SHUT_RDWR)
                case ["ping"]:
                    assert connection.ping(b"there?").wait(PATIENCE)
                    connection.send("ponged")
                case ["raw", *_] | [b"raw", *_]:
                    connection.socket.sendall(b"\x83\x00")
                case [str(one)] | [bytes(one)]:
                    connection.send(one)
                case _:
                    connection.send(iter(pieces))


def told(end: ConnectionClosed) -> object:
    """How a connection ended for one side."""
    return (end.rcvd.code, end.rcvd.reason) if end.rcvd else None


@dataclass(frozen=True)
class Ways:
    server: Server
    direct: int
    through: int
    through_http2: int


@pytest.fixture(scope="module")
def ways(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ways]:
    server = Server()
    folders = [tmp_path_factory.mktemp(name) for name in ("websocket", "websocket-http2", "nghttpx")]
    with contextlib.ExitStack() as stack:
        front = stack.enter_context(nghttpx_before(folders[2], server.port))
        through = stack.enter_context(gateway_before(folders[0], server.port))
        yield Ways(server, server.port, through, stack.enter_context(gateway_before(folders[1], front, http2=True)))
    server.server.shutdown()


Talk = Callable[[ClientConnection], object]


def once(port: int, talk: Talk, path: str = "/talk", **more: object) -> object:
    """What comes of a conversation for the client, with the fields of the response to its handshake."""
    url = f"ws://127.0.0.1:{port}{path}"
    got: list[object] = []
    try:
        with connect(url, max_size=None, proxy=None, open_timeout=PATIENCE, **more) as client:
            fields = answered(client.response.headers.raw_items())
            got.append([pair for pair in fields if pair[0] not in OF_VERSIONS])
            got.append(client.subprotocol)
            try:
                got.append(talk(client))
                client.close()
            except ConnectionClosed as end:
                got.append(told(end))
    except InvalidStatus as refusal:
        response = refusal.response
        return response.status_code, answered(response.headers.raw_items()), response.body
    return got


def all_ways(ways: Ways, talk: Talk, **more: object) -> object:
    """What comes of a conversation, the same on all ways, for the client and for the server."""
    outcomes = []
    for port in [ways.direct, ways.through, ways.through_http2]:
        client = once(port, talk, **more)
        server = [ways.server.seen.get(timeout=PATIENCE) for _ in range(2)]
        assert ways.server.seen.empty()
        # What a host is called, and the key, are of the connection that was asked for.
        (name, (path, fields)), end = server
        fields = [pair for pair in fields if pair[0] not in OF_VERSIONS | {"host"}]
        outcomes.append((client, name, path, fields, end))
    direct, through, through_http2 = outcomes
    assert through == direct
    assert through_http2 == direct
    return direct


def echoed(*messages: object) -> Talk:
    def talk(client: ClientConnection) -> object:
        got = []
        for message in messages:
            client.send(message)
            got.append(list(client.recv_streaming()) if isinstance(message, list) else client.recv(timeout=PATIENCE))
        return got

    return talk


def raw(octets: bytes) -> Talk:
    """Octets in the place of a frame, and what then comes."""

    def talk(client: ClientConnection) -> object:
        client.send("before")
        got = [client.recv(timeout=PATIENCE)]
        client.socket.sendall(octets)
        got.append(client.recv(timeout=PATIENCE))
        return got

    return talk


def ping(client: ClientConnection) -> object:
    answered = client.ping(b"are you there").wait(PATIENCE)
    client.pong(b"nobody asked")
    client.send("ping")
    return answered, client.recv(timeout=PATIENCE)


def burst(client: ClientConnection) -> object:
    for number in range(500):
        client.send(str(number))
    return [client.recv(timeout=PATIENCE) for _ in range(500)]


def asking(message: str) -> Talk:
    def talk(client: ClientConnection) -> object:
        client.send(message)
        return client.recv(timeout=PATIENCE)

    return talk


def closing(code: int, reason: str) -> Talk:
    return lambda client: client.close(code, reason)


TALKS: dict[str, Talk] = {
    "text": echoed("a", "✓ ünïcode 🙂", "\0"),
    "nothing said": lambda client: None,
    "empty messages": echoed("", b""),
    "binary": echoed(b"\x00\xff", bytes(range(256)), b"x" * 125, b"x" * 126, b"x" * 65_535, b"x" * 65_536),
    "5 MB": echoed(LARGE),
    "5 MB of text": echoed(LARGE.hex()[: len(LARGE)]),
    "pieces": echoed([b"a", b"b" * 70_000, b"", b"c"], ["one", "", "two"]),
    "5 MB in pieces": echoed([LARGE[at : at + 500_000] for at in range(0, len(LARGE), 500_000)]),
    "a burst": burst,
    "pings both ways": ping,
    "a close without a code": raw(b"\x88\x80\0\0\0\0"),
    "text that is none": raw(b"\x81\x82\0\0\0\0\xc3\x28"),
    "a reserved opcode": raw(b"\x83\x80\0\0\0\0"),
    "a frame without a mask": raw(b"\x81\x01a"),
    "a reserved bit": raw(b"\xb1\x80\0\0\0\0"),
    "a close code that nobody may send": raw(b"\x88\x82\0\0\0\0\x03\xed"),
    "a continuation of nothing": raw(b"\x80\x80\0\0\0\0"),
    "a frame in two": lambda client: (client.socket.sendall(b"\x81"), client.socket.sendall(b"\x81\0\0\0\0a"), client.recv(20))[2],
    "the server cuts": asking("cut"),
    "the server errs": asking("raw"),
}


@pytest.mark.parametrize("compression", ["deflate", None])
@pytest.mark.parametrize("name", TALKS)
def test_a_conversation_is_the_same_through_the_gateway(ways: Ways, name: str, compression: str | None) -> None:
    all_ways(ways, TALKS[name], compression=compression)


CODES = [(1000, ""), (1001, "away"), (1003, "x" * 123), (1011, "✓"), (3000, "a"), (4000, ""), (4999, "the last one")]


@pytest.mark.parametrize(("code", "reason"), CODES)
def test_close_codes_are_the_same_both_ways(ways: Ways, code: int, reason: str) -> None:
    assert all_ways(ways, closing(code, reason))[-1] == ("end", (code, reason))
    client, *_, end = all_ways(ways, asking(f"close {code} {reason}"))
    assert client[-1] == (code, reason) and end == ("end", (code, reason))


@pytest.mark.parametrize("offer", [["notes.v1"], ["other", "notes.v1", "notes.v2"], ["other"], None])
def test_a_subprotocol_is_the_servers_choice(ways: Ways, offer: list[str] | None) -> None:
    all_ways(ways, echoed("a"), subprotocols=offer)


@pytest.mark.parametrize("offer", [
    {"client_max_window_bits": 10, "server_max_window_bits": 9},
    {"client_no_context_takeover": True, "server_no_context_takeover": True},
])
def test_what_is_compressed_is_agreed_upon_with_the_server(ways: Ways, offer: dict) -> None:
    extensions = [ClientPerMessageDeflateFactory(**offer)]
    all_ways(ways, echoed("a" * 10_000, LARGE, "a" * 10_000), compression=None, extensions=extensions)


def test_the_handshake_arrives_as_it_was_sent(ways: Ways) -> None:
    fields = [("Cookie", "a=b; c=d"), ("X-A", "1"), ("X-A", "2"), ("Accept-Language", "de, en;q=0.5"), ("X-Empty", "")]
    path = "/a%20b/c?d=e&f=%2F"
    outcome = all_ways(ways, echoed("a"), path=path, origin="https://app.example.com", additional_headers=fields)
    assert outcome[2] == path and ("origin", "https://app.example.com") in outcome[3]


def test_a_refused_handshake_is_the_servers_answer(ways: Ways) -> None:
    direct, through, through_http2 = (once(port, echoed("a"), path="/refused") for port in (ways.direct, ways.through, ways.through_http2))
    assert direct[0] == 403 and direct[2] == b"not you\n"
    assert through == direct
    assert (through_http2[0], through_http2[2]) == (direct[0], direct[2]) and ("x-why", "because") in through_http2[1]


def test_a_client_that_is_reset_is_lost_for_the_server(ways: Ways) -> None:
    def vanish(client: ClientConnection) -> None:
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.socket.close()

    assert all_ways(ways, vanish)[-1] == ("end", None)
