"""Starts and stops the gateway (the binary that TOLLGATE_BIN names), and a TLS terminator in front of one."""

import contextlib
import os
import pathlib
import shutil
import socket
import ssl
import subprocess
import threading
import time
import urllib.request

HERE = pathlib.Path(__file__).parent
WEB_SECRET = "web-secret-1Zx7mQpL"
PASSWORD = "correct horse"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def running_gateway(folder: pathlib.Path, port: int, public_url: str):
    """A gateway on `port` that believes it is `public_url`."""
    shutil.copy(HERE / "gateway.toml", folder)
    telemetry = free_port()
    environment = os.environ | {
        "GATEWAY_PORT": str(port),
        "PUBLIC_URL": public_url,
        "TELEMETRY_PORT": str(telemetry),
        "WEB_SECRET": WEB_SECRET,
    }
    output = folder / "output"
    with output.open("wb") as log:
        process = subprocess.Popen([os.environ["TOLLGATE_BIN"]], cwd=folder, env=environment, stdout=log, stderr=log)
    try:
        wait_until_ready(f"http://127.0.0.1:{telemetry}/readyz", process, output)
        yield output
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


@contextlib.contextmanager
def tls_terminator(folder: pathlib.Path, plain_port: int):
    """A port that speaks TLS, with a certificate of its own, and hands what it hears to `plain_port`."""
    certificate, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=relay, args=(connection, context, plain_port), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.close()


def relay(connection: socket.socket, context: ssl.SSLContext, plain_port: int) -> None:
    """One connection. TLS objects are not for two threads at once, so one thread looks at both sides."""
    with contextlib.suppress(OSError), connection:
        connection.settimeout(10)
        with (
            context.wrap_socket(connection, server_side=True) as client,
            socket.create_connection(("127.0.0.1", plain_port)) as server,
        ):
            client.setblocking(False)
            server.setblocking(False)
            pump(client, server)


def pump(client: ssl.SSLSocket, server: socket.socket) -> None:
    while True:
        idle = True
        for source, sink in ((client, server), (server, client)):
            try:
                data = source.recv(65536)
            except (BlockingIOError, ssl.SSLWantReadError):
                continue
            if not data:
                return
            idle = False
            sink.setblocking(True)
            sink.sendall(data)
            sink.setblocking(False)
        if idle:
            time.sleep(0.002)
