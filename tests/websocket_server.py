"""A WebSocket server (the library's own) behind the gateway: it echoes, and does what some messages ask for."""

import threading

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve


def choose(_: ServerConnection, offered: list[str]) -> str | None:
    return next((name for name in offered if name.startswith("notes.")), None)


class WebSocketServer:
    """Listens on a free port; remembers the fields of each handshake, and how each connection ended."""

    def __init__(self):
        self.handshakes = []
        self.ends = {}
        self.ended = threading.Condition()
        self.server = serve(
            self.handle, "127.0.0.1", 0, select_subprotocol=choose, max_size=None, compression="deflate",
        )
        self.port = self.server.socket.getsockname()[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def handle(self, connection: ServerConnection) -> None:
        self.handshakes.append((connection.request.path, connection.request.headers))
        try:
            self.converse(connection)
        except ConnectionClosed as end:
            with self.ended:
                self.ends[connection.request.path] = end.rcvd.code if end.rcvd else None
                self.ended.notify_all()

    @staticmethod
    def converse(connection: ServerConnection) -> None:
        while True:
            message = connection.recv()
            match message:
                case "close":
                    connection.close(4001, "as you wish")
                case "cut":
                    connection.socket.shutdown(2)
                case "ping":
                    assert connection.ping().wait(10)
                    connection.send("ponged")
                case "pieces":
                    connection.send(iter(["one ", "two ", "three"]))
                case _:
                    connection.send(message)

    def end_of(self, path: str) -> int | None:
        """The close code with which the connection to `path` ended; None: it was cut off."""
        with self.ended:
            assert self.ended.wait_for(lambda: path in self.ends, timeout=10)
            return self.ends[path]

    def stop(self) -> None:
        self.server.shutdown()
