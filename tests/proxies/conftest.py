"""A gateway (the binary that TOLLGATE_BIN names), an API that says what it was asked, and the proxies of others in front of both."""

import contextlib
import http.client
import http.server
import json
import pathlib
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent))

from gateway_process import free_port, running

HERE = pathlib.Path(__file__).parent
DEPLOY = HERE.parent.parent / "deploy" / "decision"
SECRETS = {"service": "service-secret-4Hq9", "reader": "reader-secret-8Kd2"}


@dataclass(frozen=True)
class Answer:
    status: int
    fields: list[tuple[str, str]]
    body: bytes

    def field(self, name: str) -> str | None:
        values = [value for known, value in self.fields if known.lower() == name]
        assert len(values) <= 1, self
        return values[0] if values else None

    def json(self):
        return json.loads(self.body)


def ask(port: int, method: str, target: str, fields: dict[str, str] | None = None, body: bytes | None = None) -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    with contextlib.closing(connection):
        connection.request(method, target, body=body, headers=fields or {})
        response = connection.getresponse()
        return Answer(response.status, response.getheaders(), response.read())


class Api(http.server.BaseHTTPRequestHandler):
    """Answers with the request as it arrived."""

    protocol_version = "HTTP/1.1"

    def answer(self):
        length = int(self.headers.get("content-length") or 0)
        body = self.rfile.read(length).decode("latin-1")
        seen = {"method": self.command, "target": self.path, "fields": self.headers.items(), "body": body}
        content = json.dumps(seen).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_OPTIONS = answer

    def log_message(self, *_):
        pass


@pytest.fixture(scope="session")
def api():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Api)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()


@pytest.fixture(scope="session")
def gateway(tmp_path_factory, api):
    port = free_port()
    environment = {f"{name.upper()}_SECRET": secret for name, secret in SECRETS.items()}
    environment |= {"GATEWAY_PORT": str(port), "API_PORT": str(api)}
    with running(tmp_path_factory.mktemp("gateway"), HERE / "gateway.toml", environment):
        yield port


@pytest.fixture(scope="session")
def token(gateway):
    """Gives access tokens: of a client by itself, or of alice."""

    def issue(client: str, user: str | None = None) -> str:
        form = f"grant_type=client_credentials&client_id={client}&client_secret={SECRETS[client]}"
        if user:
            form = form.replace("client_credentials", "password") + f"&username={user}&password=correct+horse"
        answer = ask(gateway, "POST", "/oauth2/token", {"content-type": "application/x-www-form-urlencoded"}, form.encode())
        assert answer.status == 200, answer
        return answer.json()["access_token"]

    return issue


COMMANDS = {
    "nginx": (["nginx", "-p", ".", "-c", "nginx.conf"], ["nginx.conf"]),
    "caddy": (["caddy", "run", "--config", "Caddyfile", "--adapter", "caddyfile"], ["Caddyfile"]),
    "haproxy": (["haproxy", "-db", "-f", "haproxy.cfg"], ["haproxy.cfg", "tollgate.lua"]),
}


@contextlib.contextmanager
def started(command: list[str], folder: pathlib.Path, ready: Callable[[], bool]) -> Iterator[None]:
    """Runs a proxy in its folder, from the moment `ready` says so (an `OSError` says not yet) until the end of the block."""
    output = folder / "output"
    environment = {"PATH": "/usr/sbin:/usr/bin:/bin", "HOME": str(folder)}
    with output.open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, env=environment)
    try:
        end = time.monotonic() + 30
        while True:
            assert process.poll() is None and time.monotonic() < end, output.read_text()
            with contextlib.suppress(OSError):
                if ready():
                    break
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait(timeout=20)


@pytest.fixture(scope="session", params=COMMANDS)
def proxy(request, tmp_path_factory, gateway, api):
    """The port of a proxy that runs as its file below `deploy` says, at other ports."""
    command, files = COMMANDS[request.param]
    folder = tmp_path_factory.mktemp(request.param)
    port = free_port()
    for name in files:
        text = (DEPLOY / name).read_text()
        for written, real in {"8000": port, "8080": gateway, "9000": api}.items():
            text = text.replace(f":{written}", f":{real}")
        (folder / name).write_text(text)
    with started(command, folder, lambda: ask(port, "GET", "/public/ready").status == 200):
        yield port
