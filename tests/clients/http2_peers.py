"""Both ends of HTTP/2, made of the library of Python's HTTP/2: they say what they are told to, and keep what they are told."""

import contextlib
import socket
import socketserver
import threading
from dataclasses import dataclass, field

import h2.config
import h2.connection
import h2.events
import h2.exceptions
from h2.errors import ErrorCodes

Fields = list[tuple[str, str]]
PATIENCE = 20


@dataclass
class Message:
    """A request or a response; `reset`: how its stream was ended instead of its end."""

    head: Fields
    pieces: list[bytes] = field(default_factory=list)
    trailers: Fields = field(default_factory=list)
    interim: list[Fields] = field(default_factory=list)
    reset: ErrorCodes | None = None

    @property
    def content(self) -> bytes:
        return b"".join(self.pieces)

    def pseudo(self, name: str) -> str:
        return dict(self.head)[name]


def octets(fields: Fields) -> list[tuple[bytes, bytes]]:
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in fields]


class Peer:
    """One end of a connection."""

    def __init__(self, connection: socket.socket, *, client: bool) -> None:
        # What may be sent is for the gateway to say.
        config = h2.config.H2Configuration(
            client_side=client, header_encoding="latin-1", validate_outbound_headers=False, normalize_outbound_headers=False,
        )
        self.socket, self.http = connection, h2.connection.H2Connection(config)
        self.streams: dict[int, Message] = {}
        self.unsent: dict[int, tuple[list[bytes], Message]] = {}
        connection.settimeout(PATIENCE)
        self.http.initiate_connection()
        self.http.increment_flow_control_window(2**24)
        self.flush()

    def flush(self) -> None:
        self.socket.sendall(self.http.data_to_send())

    def send(self, stream: int, message: Message) -> None:
        """Begins to send a message; what the other end does not take yet follows with its windows."""
        for interim in message.interim:
            self.http.send_headers(stream, octets(interim))
        follows = bool(message.pieces or message.trailers or message.reset is not None)
        self.http.send_headers(stream, octets(message.head), end_stream=not follows)
        if follows:
            self.unsent[stream] = (list(message.pieces), message)
        self.go_on()

    def go_on(self) -> None:
        for stream, (pieces, message) in list(self.unsent.items()):
            while pieces and (room := min(self.http.local_flow_control_window(stream), self.http.max_outbound_frame_size) or not pieces[0]):
                piece = pieces.pop(0)
                if len(piece) > room:
                    pieces.insert(0, piece[room:])
                last = not pieces and not message.trailers and message.reset is None
                self.http.send_data(stream, piece[:room] if piece else b"", end_stream=last)
            if not pieces:
                del self.unsent[stream]
                self.end(stream, message)
        self.flush()

    def end(self, stream: int, message: Message) -> None:
        if message.reset is not None:
            self.http.reset_stream(stream, message.reset)
        elif message.trailers:
            self.http.send_headers(stream, octets(message.trailers), end_stream=True)

    def read(self) -> list[int] | None:
        """Streams whose messages have come to their end; `None`: the connection has."""
        octets = self.socket.recv(65_536)
        if not octets:
            return None
        ended = []
        for event in self.http.receive_data(octets):
            match event:
                case h2.events.RequestReceived() | h2.events.ResponseReceived():
                    interim = self.streams[event.stream_id].interim if event.stream_id in self.streams else []
                    self.streams[event.stream_id] = Message(list(event.headers), interim=interim)
                case h2.events.InformationalResponseReceived():
                    self.streams.setdefault(event.stream_id, Message([])).interim.append(list(event.headers))
                case h2.events.DataReceived():
                    self.streams[event.stream_id].pieces.append(event.data)
                    with contextlib.suppress(h2.exceptions.ProtocolError):
                        self.http.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                case h2.events.TrailersReceived():
                    self.streams[event.stream_id].trailers = list(event.headers)
                case h2.events.StreamEnded():
                    ended.append(event.stream_id)
                case h2.events.StreamReset():
                    self.streams.setdefault(event.stream_id, Message([])).reset = event.error_code
                    self.unsent.pop(event.stream_id, None)
                    ended.append(event.stream_id)
                case h2.events.ConnectionTerminated():
                    return None
        self.go_on()
        return ended


def converse(port: int, requests: list[Message]) -> list[Message]:
    """The responses to requests that are sent at once, over one connection."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        peer = Peer(connection, client=True)
        numbers = []
        for request in requests:
            numbers.append(peer.http.get_next_available_stream_id())
            peer.send(numbers[-1], request)
        missing = set(numbers)
        while missing:
            ended = peer.read()
            assert ended is not None, f"the connection ended before {missing}"
            missing -= set(ended)
        return [peer.streams[number] for number in numbers]


class Server(socketserver.ThreadingTCPServer):
    """Answers whole requests by their path; keeps them."""

    daemon_threads = True

    def __init__(self, answers: dict[str, Message]) -> None:
        self.answers, self.requests = answers, []
        super().__init__(("127.0.0.1", 0), Handler)
        self.port = self.server_address[1]
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Handler(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        peer = Peer(self.request, client=False)
        with contextlib.suppress(OSError):
            while (ended := peer.read()) is not None:
                for stream in ended:
                    request = peer.streams.pop(stream)
                    self.server.requests.append(request)
                    if request.reset is None:
                        peer.send(stream, self.server.answers[request.pseudo(":path").rpartition("/")[2]])
