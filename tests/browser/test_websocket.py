"""A page of an app opens a WebSocket through the gateway, the way a browser has to: with its token in the query."""

import pytest
import requests

from gateway import HERE
from gateway_process import free_port, running
from websocket_server import WebSocketServer

SECRET = "service-secret-4Hq9"
PAGE = """<title>Chat</title><h1>…</h1><script>
const show = (text) => { document.querySelector('h1').textContent = text; };
const token = location.hash.slice(1);
const socket = new WebSocket(`ws://${location.host}/socket/chat${token && '?access_token=' + token}`, ['notes.v1']);
socket.onopen = () => socket.send('hello from a page');
socket.onmessage = ({data}) => { show(`${socket.protocol}: ${data}`); socket.close(4003, 'thanks'); };
socket.onerror = () => show('refused');
</script>"""


@pytest.fixture(scope="module")
def server():
    server = WebSocketServer()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def url(tmp_path_factory, app, server):
    """Where the app's page and its WebSocket are."""
    port = free_port()
    app.pages["/app/chat"] = PAGE
    environment = {
        "GATEWAY_PORT": str(port), "APP_PORT": str(app.server_address[1]), "WEBSOCKET_PORT": str(server.port),
        "SERVICE_SECRET": SECRET,
    }
    with running(tmp_path_factory.mktemp("websocket"), HERE / "websocket.toml", environment):
        yield f"http://127.0.0.1:{port}"


def test_a_page_talks_to_its_server(desk, url, server):
    form = {"grant_type": "client_credentials", "scope": "notes:read"}
    answer = requests.post(f"{url}/oauth2/token", data=form, auth=("service", SECRET), timeout=10)
    token = answer.json()["access_token"]
    desk.go(f"{url}/app/chat#{token}")
    desk.sees("^notes.v1: hello from a page$")
    assert server.end_of("/socket/chat") == 4003
    path, fields = server.handshakes[-1]
    assert (path, fields["Origin"], fields["X-Auth-Client"]) == ("/socket/chat", url, "service")
    assert token not in str(fields)


def test_a_page_without_a_token_does_not(desk, url, server):
    before = len(server.handshakes)
    desk.go(f"{url}/app/chat")
    desk.sees("^refused$")
    assert len(server.handshakes) == before
