"""A gateway (the binary that TOLLGATE_BIN names) in front of `git http-backend`, an MCP server and a WebSocket server (by HTTP/1.1, and behind nghttpx by HTTP/2), for clients that others wrote."""

import contextlib
import pathlib
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent))

from gateway_process import free_port, running
from git_server import GitServer
from mcp_server import McpServer
from websocket_server import WebSocketServer

HERE = pathlib.Path(__file__).parent
SECRETS = {"service": "service-secret-4Hq9", "web": "web-secret-1Zx7", "billing": "billing-secret-6Tn3"}
ALICE = ("alice", "correct horse")


@dataclass(frozen=True)
class Gateway:
    """Where it is, and what it printed."""

    url: str
    output: pathlib.Path

    def endpoint(self, name: str) -> str:
        return f"{self.url}/oauth2/{name}"


@pytest.fixture(scope="session")
def repositories(tmp_path_factory):
    """A folder with one bare repository in it, served by `git http-backend`."""
    folder = tmp_path_factory.mktemp("repositories")
    bare = folder / "notes.git"
    subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch=main", bare], check=True)
    subprocess.run(["git", "-C", bare, "config", "http.receivepack", "true"], check=True)
    return folder


@pytest.fixture(scope="session")
def git_server(repositories):
    server = GitServer(("127.0.0.1", 0), repositories)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()


@pytest.fixture(scope="session")
def mcp_server():
    server = McpServer()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def websocket_server():
    server = WebSocketServer()
    yield server
    server.stop()


@contextlib.contextmanager
def nghttpx_before(folder: pathlib.Path, backend: int):
    """The port of nghttpx in front of a server: it takes HTTP/2 with extended CONNECT (RFC 8441)."""
    port = free_port()
    command = [
        "nghttpx", "--conf=/dev/null", f"--frontend=127.0.0.1,{port};no-tls",
        f"--backend=127.0.0.1,{backend}", "--workers=1", "--errorlog-file=errors",
    ]
    process = subprocess.Popen(command, cwd=folder)
    try:
        end = time.monotonic() + 20
        while True:
            assert process.poll() is None and time.monotonic() < end
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.wait(timeout=20)


@pytest.fixture(scope="session")
def websocket_http2(tmp_path_factory, websocket_server):
    """The port of nghttpx in front of the WebSocket server."""
    with nghttpx_before(tmp_path_factory.mktemp("nghttpx"), websocket_server.port) as port:
        yield port


@pytest.fixture(scope="session")
def gateway(tmp_path_factory, git_server, mcp_server, websocket_server, websocket_http2):
    port = free_port()
    environment = {
        "GATEWAY_PORT": str(port),
        "GIT_PORT": str(git_server.server_address[1]),
        "JSON_PORT": "9",
        "MCP_PORT": str(mcp_server.port),
        "WEBSOCKET_PORT": str(websocket_server.port),
        "WEBSOCKET_HTTP2_PORT": str(websocket_http2),
        "SERVICE_SECRET": SECRETS["service"],
        "WEB_SECRET": SECRETS["web"],
        "BILLING_SECRET": SECRETS["billing"],
    }
    with running(tmp_path_factory.mktemp("gateway"), HERE / "gateway.toml", environment) as output:
        yield Gateway(f"http://127.0.0.1:{port}", output)


@pytest.fixture(autouse=True)
def plain_http_on_loopback(monkeypatch):
    """The libraries insist on https; this is what they offer for loopback."""
    monkeypatch.setenv("AUTHLIB_INSECURE_TRANSPORT", "1")
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")
    monkeypatch.setenv("NO_PROXY", "*")
