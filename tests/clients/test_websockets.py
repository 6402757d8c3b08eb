"""WebSocket through the gateway, with a client and a server that nobody here wrote."""

import os
import socket
import struct
import time

import pytest
import requests
from websockets.exceptions import ConnectionClosedError, InvalidStatus
from websockets.sync.client import connect

from conftest import SECRETS


@pytest.fixture(scope="session")
def token(gateway) -> str:
    form = {"grant_type": "client_credentials", "scope": "notes:read"}
    answer = requests.post(gateway.endpoint("token"), data=form, auth=("service", SECRETS["service"]), timeout=10)
    answer.raise_for_status()
    return answer.json()["access_token"]


@pytest.fixture(params=["/ws", "/ws2"], ids=["HTTP/1.1", "HTTP/2"])
def place(request) -> str:
    """Where the server is reached, by what the gateway speaks with it."""
    return request.param


def opened(gateway, bearer=None, path="/ws/notes", **more):
    """A connection through the gateway."""
    fields = {} if bearer is None else {"Authorization": f"Bearer {bearer}"}
    url = gateway.url.replace("http:", "ws:") + path
    return connect(url, additional_headers=fields, max_size=None, proxy=None, **more)


def test_messages_of_every_kind(gateway, token, place):
    with opened(gateway, token, path=f"{place}/notes") as client:
        large = os.urandom(9 * 1024 * 1024)
        for message in ["text ✓", "", b"\x00\xff", large, large.hex()[: 8 * 1024 * 1024 + 1]]:
            client.send(message)
            assert client.recv(timeout=20) == message


@pytest.mark.parametrize("compression", ["deflate", None])
def test_fragments_stay_fragments(gateway, token, place, compression):
    with opened(gateway, token, path=f"{place}/notes", compression=compression) as client:
        client.send(iter([b"a", b"b" * 100_000, b"c"]))
        assert client.recv(timeout=10) == b"a" + b"b" * 100_000 + b"c"
        client.send("pieces")
        pieces = list(client.recv_streaming())
        assert "".join(pieces) == "one two three"
        assert pieces[:3] == ["one ", "two ", "three"] or compression


def test_pings_both_ways(gateway, token, place):
    with opened(gateway, token, path=f"{place}/notes") as client:
        assert client.ping(b"are you there").wait(10)
        client.send("ping")
        assert client.recv(timeout=10) == "ponged"


def test_the_handshake_is_the_servers(gateway, token, place, websocket_server):
    offer = {"subprotocols": ["notes.v1", "other"], "origin": "https://app.example.com"}
    with opened(gateway, token, path=f"{place}/notes", **offer) as client:
        assert client.subprotocol == "notes.v1"
        assert "Sec-WebSocket-Extensions" in client.response.headers
    path, fields = websocket_server.handshakes[-1]
    assert (path, fields["Origin"], fields["X-Auth-Client"]) == ("/notes", "https://app.example.com", "service")
    assert "Authorization" not in fields and token not in str(fields)


def test_close_codes_both_ways(gateway, token, place, websocket_server):
    with opened(gateway, token, path=f"{place}/closing{place}") as client:
        client.close(4002, "enough")
    assert websocket_server.end_of(f"/closing{place}") == 4002
    with opened(gateway, token, path=f"{place}/notes") as client:
        client.send("close")
        with pytest.raises(ConnectionClosedError) as end:
            client.recv(timeout=10)
        assert (end.value.rcvd.code, end.value.rcvd.reason) == (4001, "as you wish")


def test_whoever_is_cut_off_the_other_one_knows(gateway, token, place, websocket_server):
    with opened(gateway, token, path=f"{place}/notes") as client:
        client.send("cut")
        with pytest.raises(ConnectionClosedError) as end:
            client.recv(timeout=10)
        assert end.value.rcvd is None
    client = opened(gateway, token, path=f"{place}/resetting{place}")
    # no goodbye, but a reset
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    began = time.monotonic()
    client.socket.close()
    assert websocket_server.end_of(f"/resetting{place}") is None
    assert time.monotonic() - began < 5


def test_without_a_token_there_is_no_connection(gateway, websocket_server):
    before = len(websocket_server.handshakes)
    for bearer in (None, "tga_none"):
        with pytest.raises(InvalidStatus) as refusal:
            opened(gateway, bearer)
        assert refusal.value.response.status_code == 401
        assert refusal.value.response.headers["WWW-Authenticate"].startswith("Bearer")
    assert len(websocket_server.handshakes) == before


def test_a_browsers_token_comes_by_the_query(gateway, token, websocket_server):
    with opened(gateway, path=f"/ws/notes?access_token={token}&room=1") as client:
        client.send("hello")
        assert client.recv(timeout=10) == "hello"
    assert websocket_server.handshakes[-1][0] == "/notes?room=1"
    assert token not in gateway.output.read_text()


def test_a_route_without_upgrades_has_none(gateway, token, websocket_server):
    before = len(websocket_server.handshakes)
    with pytest.raises(InvalidStatus) as refusal:
        opened(gateway, token, path="/ws-closed/notes")
    assert refusal.value.response.status_code == 426
    assert len(websocket_server.handshakes) == before


def test_a_revoked_token_ends_its_connection(gateway):
    form = {"grant_type": "client_credentials", "scope": "notes:read"}
    service = ("service", SECRETS["service"])
    mine = requests.post(gateway.endpoint("token"), data=form, auth=service, timeout=10).json()["access_token"]
    with opened(gateway, mine) as client:
        client.send("still here")
        assert client.recv(timeout=10) == "still here"
        requests.post(gateway.endpoint("revoke"), data={"token": mine}, auth=service, timeout=10).raise_for_status()
        with pytest.raises(ConnectionClosedError):
            client.recv(timeout=10)
