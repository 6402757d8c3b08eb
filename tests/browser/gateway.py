"""The gateway of these tests, and a TLS terminator in front of one."""

import contextlib
import pathlib
import socket
import ssl
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent))

from gateway_process import running

HERE = pathlib.Path(__file__).parent
WEB_SECRET = "web-secret-1Zx7mQpL"
PASSWORD = "correct horse"


def running_gateway(folder: pathlib.Path, port: int, public_url: str):
    """A gateway on `port` that believes it is `public_url`."""
    environment = {"GATEWAY_PORT": str(port), "PUBLIC_URL": public_url, "WEB_SECRET": WEB_SECRET}
    return running(folder, HERE / "gateway.toml", environment)


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
