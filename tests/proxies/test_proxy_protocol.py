"""Proxies of others pass on octets and say in front of them for whom: the PROXY protocol as they speak it."""

import contextlib
import http.client
import json
import pathlib
import socket
import ssl
import subprocess
import time

import pytest
from conftest import HERE, SECRETS, ask, free_port, running, started

STREAM = next(iter(pathlib.Path("/usr/lib/nginx/modules").glob("ngx_stream_module.so")), None)

HAPROXY = """
defaults
  mode tcp
  timeout connect 1s
  timeout client 20s
  timeout server 20s
{fronts}
"""

NGINX = """
load_module {module};
daemon off;
pid nginx.pid;
error_log error.log;
events {{}}
stream {{
  server {{
    listen 127.0.0.1:{port};
    proxy_pass 127.0.0.1:{gateway};
    proxy_protocol on;
  }}
}}
"""

KINDS = {"v1": "send-proxy", "v2": "send-proxy-v2", "v2-crc32c": "send-proxy-v2 proxy-v2-options crc32c,unique-id"}


@pytest.fixture(scope="module")
def announced(tmp_path_factory, api):
    """A gateway that is told for whom a connection is."""
    port = free_port()
    environment = {f"{name.upper()}_SECRET": secret for name, secret in SECRETS.items()}
    environment |= {"GATEWAY_PORT": str(port), "API_PORT": str(api)}
    folder = tmp_path_factory.mktemp("announced")
    configuration = folder / "with-proxy-protocol.toml"
    text = (HERE / "gateway.toml").read_text()
    configuration.write_text(text.replace("trusted_proxies =", "proxy_protocol = true\ntrusted_proxies =", 1))
    with running(folder, configuration, environment) as output:
        yield port, output


def listening(port: int) -> bool:
    """Whether a connection is accepted there."""
    socket.create_connection(("127.0.0.1", port), timeout=1).close()
    return True


@pytest.fixture(scope="module", params=[*KINDS, "nginx"])
def proxy(request, tmp_path_factory, announced):
    gateway, _ = announced
    folder, port = tmp_path_factory.mktemp(request.param), free_port()
    if request.param == "nginx":
        assert STREAM, "nginx has no stream module here"
        (folder / "nginx.conf").write_text(NGINX.format(module=STREAM, port=port, gateway=gateway))
        command = ["nginx", "-p", ".", "-c", "nginx.conf"]
    else:
        front = f"listen edge\n  bind 127.0.0.1:{port}\n  unique-id-format %[uuid()]\n  server tollgate 127.0.0.1:{gateway} {KINDS[request.param]}\n"
        (folder / "haproxy.cfg").write_text(HAPROXY.format(fronts=front))
        command = ["haproxy", "-db", "-f", "haproxy.cfg"]
    with started(command, folder, lambda: listening(port)):
        yield port


def seen(answer, name: str) -> list[str]:
    return [value for known, value in answer.json()["fields"] if known.lower() == name]


def test_the_client_of_the_proxy_is_the_peer(proxy):
    """The proxy connects from 127.0.0.1, its client from another address of this machine."""
    with socket.create_connection(("127.0.0.1", proxy), timeout=10, source_address=("127.0.0.9", 0)) as connection:
        for _ in range(2):
            connection.sendall(b"GET /public/x HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 10.1.1.1\r\n\r\n")
            answer = b""
            while b"}" not in answer:
                answer += connection.recv(65536)
            assert answer.startswith(b"HTTP/1.1 200"), answer
            assert b'"x-forwarded-for", "127.0.0.9"' in answer, answer


def test_requests_pass_as_without_it(proxy):
    form = f"grant_type=client_credentials&client_id=reader&client_secret={SECRETS['reader']}".encode()
    issued = ask(proxy, "POST", "/oauth2/token", {"content-type": "application/x-www-form-urlencoded"}, form)
    token = issued.json()["access_token"]
    answer = ask(proxy, "GET", "/notes/1", {"Authorization": f"Bearer {token}"})
    assert answer.status == 200 and seen(answer, "x-auth-client") == ["reader"]
    assert ask(proxy, "GET", "/notes/1").status == 401


def test_the_scheme_is_what_the_proxy_says_of_tls(announced, tmp_path):
    gateway, _ = announced
    ports = [free_port(), free_port()]
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
         "-keyout", "edge.pem.key", "-out", "edge.pem"],
        cwd=tmp_path, check=True, capture_output=True,
    )
    fronts = "".join(
        f"listen edge{at}\n  bind 127.0.0.1:{port}{tls}\n  server tollgate 127.0.0.1:{gateway} send-proxy-v2-ssl-cn\n"
        for at, (port, tls) in enumerate(zip(ports, ["", " ssl crt edge.pem"]))
    )
    (tmp_path / "haproxy.cfg").write_text(HAPROXY.format(fronts=fronts))
    context = ssl.create_default_context(cafile=tmp_path / "edge.pem")
    with started(["haproxy", "-db", "-f", "haproxy.cfg"], tmp_path, lambda: all(map(listening, ports))):
        schemes = []
        for connection in [
            http.client.HTTPConnection("127.0.0.1", ports[0], timeout=10),
            http.client.HTTPSConnection("localhost", ports[1], timeout=10, context=context),
        ]:
            connection.request("GET", "/public/x")
            fields = json.loads(connection.getresponse().read())["fields"]
            schemes += [value for name, value in fields if name.lower() == "x-forwarded-proto"]
            connection.close()
    assert schemes == ["http", "https"]


def test_the_proxys_own_checks_are_answered(announced, tmp_path):
    """HAProxy looks by itself whether the gateway is there, and says so (LOCAL, or UNKNOWN in version 1)."""
    gateway, output = announced
    ports = [free_port(), free_port()]
    fronts = "".join(
        f"listen edge{at}\n  mode http\n  bind 127.0.0.1:{port}\n  option httpchk GET /public/check\n  default-server inter 100ms\n"
        f"  server tollgate 127.0.0.1:{gateway} check {kind} check-send-proxy\n"
        for at, (port, kind) in enumerate(zip(ports, ["send-proxy", "send-proxy-v2"]))
    )
    (tmp_path / "haproxy.cfg").write_text(HAPROXY.format(fronts=fronts))
    before = output.read_text().count("was refused")
    with started(["haproxy", "-db", "-f", "haproxy.cfg"], tmp_path, lambda: listening(ports[0])):
        time.sleep(0.5)
        for port in ports:
            assert ask(port, "GET", "/public/x").status == 200
    assert output.read_text().count("was refused") == before, output.read_text()


def test_a_proxy_that_does_not_announce_is_refused(announced):
    gateway, output = announced
    with socket.create_connection(("127.0.0.1", gateway), timeout=10) as connection:
        connection.sendall(b"GET /public/x HTTP/1.1\r\nHost: a\r\n\r\n")
        with contextlib.suppress(ConnectionResetError):
            assert connection.recv(1024) == b""
    end = time.monotonic() + 10
    while "does not begin with a PROXY header" not in output.read_text():
        assert time.monotonic() < end, output.read_text()
        time.sleep(0.05)
