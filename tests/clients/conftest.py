"""A gateway (the binary that TOLLGATE_BIN names) in front of `git http-backend` and an MCP server, for clients that others wrote."""

import os
import pathlib
import shutil
import socket
import subprocess
import threading
import time
import urllib.request
from dataclasses import dataclass

import pytest

from git_server import GitServer
from mcp_server import McpServer

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


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


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
def gateway(tmp_path_factory, git_server, mcp_server):
    folder = tmp_path_factory.mktemp("gateway")
    shutil.copy(HERE / "gateway.toml", folder)
    port, telemetry = free_port(), free_port()
    environment = os.environ | {
        "GATEWAY_PORT": str(port),
        "TELEMETRY_PORT": str(telemetry),
        "GIT_PORT": str(git_server.server_address[1]),
        "JSON_PORT": "9",
        "MCP_PORT": str(mcp_server.port),
        "SERVICE_SECRET": SECRETS["service"],
        "WEB_SECRET": SECRETS["web"],
        "BILLING_SECRET": SECRETS["billing"],
    }
    output = folder / "output"
    with output.open("wb") as log:
        process = subprocess.Popen([os.environ["TOLLGATE_BIN"]], cwd=folder, env=environment, stdout=log, stderr=log)
    try:
        wait_until_ready(f"http://127.0.0.1:{telemetry}/readyz", process, output)
        yield Gateway(f"http://127.0.0.1:{port}", output)
        process.terminate()
        assert process.wait(timeout=30) == 0, output.read_text()
    finally:
        process.kill()
        process.wait()


def wait_until_ready(url: str, process: subprocess.Popen, output: pathlib.Path) -> None:
    end = time.monotonic() + 20
    while time.monotonic() < end:
        assert process.poll() is None, output.read_text()
        try:
            with urllib.request.urlopen(url, timeout=1):
                return
        except OSError:
            time.sleep(0.05)
    raise AssertionError(f"not ready: {output.read_text()}")


@pytest.fixture(autouse=True)
def plain_http_on_loopback(monkeypatch):
    """The libraries insist on https; this is what they offer for loopback."""
    monkeypatch.setenv("AUTHLIB_INSECURE_TRANSPORT", "1")
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")
    monkeypatch.setenv("NO_PROXY", "*")
