"""gRPC through the gateway as with the server itself: what the client gets, and what the server sees, are the same."""

import contextlib
import queue
import threading
import time
from collections.abc import Callable, Iterator
from concurrent import futures
from dataclasses import dataclass, field

import grpc
import pytest
from two_ways import HOP_BY_HOP, OWN, TOLD, gateway_before

LARGE = bytes(range(256)) * 20_000
UNLIMITED = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]
METADATA = (("x-text", "a, b"), ("x-text", "c"), ("x-bytes-bin", b"\x00\xff\x01"), ("x-empty", ""), ("x-empty-bin", b""))
PATIENCE = 20


@dataclass
class Seen:
    """A call as its server saw it."""

    metadata: list[tuple[str, str | bytes]]
    has_deadline: bool
    messages: list[bytes] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)


class Service(grpc.GenericRpcHandler):
    """Methods of octets: each does what its name says."""

    def __init__(self) -> None:
        self.calls: list[Seen] = []

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        kind, _, name = details.method.rpartition("/")[2].partition("_")
        work = getattr(self, name, None)
        makers = {
            "unary": grpc.unary_unary_rpc_method_handler,
            "pushed": grpc.stream_unary_rpc_method_handler,
            "pulled": grpc.unary_stream_rpc_method_handler,
            "both": grpc.stream_stream_rpc_method_handler,
        }
        if work is None or kind not in makers:
            return None

        def called(request: bytes | Iterator[bytes], context: grpc.ServicerContext) -> bytes | Iterator[bytes]:
            seen = Seen(kept(context.invocation_metadata()), (context.time_remaining() or 1e9) < 1e6)
            self.calls.append(seen)

            context.add_callback(seen.ended.set)
            return work(recorded(request, seen), context)

        return makers[kind](called)

    def echo(self, request: Iterator[bytes], context: grpc.ServicerContext) -> bytes:
        return b"|".join(request)

    def each(self, request: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
        for message in request:
            yield b"got " + message

    def thrice(self, request: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
        for message in request:
            for number in range(3):
                yield message + b"%d" % number

    def first(self, request: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
        """Ends before the client has."""
        yield next(request)

    def metadata(self, request: Iterator[bytes], context: grpc.ServicerContext) -> bytes:
        context.send_initial_metadata(METADATA)
        context.set_trailing_metadata(METADATA)
        return b"".join(request)

    def compressed(self, request: Iterator[bytes], context: grpc.ServicerContext) -> bytes:
        context.set_compression(grpc.Compression.Gzip)
        return b"".join(request)

    def refused(self, request: Iterator[bytes], context: grpc.ServicerContext) -> bytes:
        """Answers with trailers alone: with the code that the message says."""
        number = int(next(request))
        code = next(code for code in grpc.StatusCode if code.value[0] == number)
        context.set_trailing_metadata((("grpc-status-details-bin", b"\x08\x05\xff"), ("x-why", "because")))
        context.abort(code, "no: 100% ünmöglich\n")

    def spaced(self, request: Iterator[bytes], context: grpc.ServicerContext) -> bytes:
        context.abort(grpc.StatusCode.ABORTED, "  white space around  ")

    def broken(self, request: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
        yield b"one"
        yield b"two"
        context.abort(grpc.StatusCode.DATA_LOSS, "behind two messages")

    def raising(self, request: Iterator[bytes], context: grpc.ServicerContext) -> bytes:
        raise ValueError("a mistake")

    def slow(self, request: Iterator[bytes], context: grpc.ServicerContext) -> bytes:
        while context.is_active():
            time.sleep(0.02)
        return b""

    def endless(self, request: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
        number = 0
        while context.is_active():
            yield b"%d" % number
            number += 1
            time.sleep(0.01)


def recorded(request: bytes | Iterator[bytes], seen: Seen) -> Iterator[bytes]:
    for message in [request] if isinstance(request, bytes) else request:
        seen.messages.append(message)
        yield message


def kept(metadata: object) -> list[tuple[str, str | bytes]]:
    """Metadata, less what the tables name."""
    pairs = [(name, value) for name, value in metadata or () if name not in TOLD | OWN | HOP_BY_HOP]
    return sorted(pairs, key=lambda pair: pair[0])


@dataclass(frozen=True)
class Ways:
    service: Service
    direct: str
    through: str


@pytest.fixture(scope="module")
def ways(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ways]:
    service = Service()
    server = grpc.server(futures.ThreadPoolExecutor(64), [service], options=UNLIMITED)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with gateway_before(tmp_path_factory.mktemp("grpc"), port, http2=True) as gateway:
        yield Ways(service, f"127.0.0.1:{port}", f"127.0.0.1:{gateway}")
    server.stop(None)


def call(channel: grpc.Channel, method: str, messages: list[bytes], timeout: float = PATIENCE, **more: object) -> dict:
    """Calls a method of the kind that its name begins with; gives all that the client is told."""
    kind = method.partition("_")[0]
    many, pulled = kind in {"pushed", "both"}, kind in {"pulled", "both"}
    make = getattr(channel, f"{'stream' if many else 'unary'}_{'stream' if pulled else 'unary'}")(f"/t.T/{method}")
    argument = iter(messages) if many else messages[0]
    answers = []
    running = make(argument, timeout=timeout, **more) if pulled else make.future(argument, timeout=timeout, **more)
    with contextlib.suppress(grpc.RpcError):
        if pulled:
            answers.extend(running)
        else:
            answers.append(running.result())
    return {
        "code": running.code(),
        "details": running.details(),
        "initial": kept(running.initial_metadata()),
        "trailing": kept(running.trailing_metadata()),
        "answers": answers,
    }


def twice(ways: Ways, work: Callable[[grpc.Channel], dict], **options: object) -> dict:
    """What came of it, which is the same on both ways, and so is what the server saw."""
    outcomes = []
    for target in [ways.direct, ways.through]:
        ways.service.calls.clear()
        with grpc.insecure_channel(target, options=UNLIMITED, **options) as channel:
            outcome = work(channel)
        for seen in ways.service.calls:
            assert seen.ended.wait(PATIENCE)
        views = [(seen.metadata, seen.has_deadline, seen.messages) for seen in ways.service.calls]
        outcomes.append(outcome | {"seen": sorted(views, key=repr)})
    direct, through = outcomes
    assert through == direct
    return direct


CALLS = {
    "one message each way": ("unary_echo", [b"hello"]),
    "an empty message": ("unary_echo", [b""]),
    "a large message": ("unary_echo", [LARGE]),
    "many messages, one answer": ("pushed_echo", [b"a", b"", b"b" * 70_000]),
    "no message, one answer": ("pushed_echo", []),
    "large messages, one answer": ("pushed_echo", [LARGE, LARGE]),
    "one message, many answers": ("pulled_thrice", [b"x"]),
    "one message, large answers": ("pulled_thrice", [LARGE]),
    "many messages, many answers": ("both_each", [b"%d" % number for number in range(200)]),
    "no message, no answer": ("both_each", []),
    "large messages both ways": ("both_each", [LARGE, b"", LARGE]),
    "an answer that ends before the messages do": ("both_first", [b"a"] * 50),
    "metadata both ways": ("unary_metadata", [b"m"]),
    "metadata of many messages": ("pushed_metadata", [b"m", b"n"]),
    "a compressed answer": ("unary_compressed", [b"z" * 100_000]),
    "an error behind answers": ("pulled_broken", [b"x"]),
    "a mistake of the server": ("unary_raising", [b"x"]),
    "no such method": ("unary_nothing", [b"x"]),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_call_is_the_same_through_the_gateway(ways: Ways, name: str) -> None:
    method, messages = CALLS[name]
    outcome = twice(ways, lambda channel: call(channel, method, messages, metadata=METADATA))
    refused = {"broken": grpc.StatusCode.DATA_LOSS, "raising": grpc.StatusCode.UNKNOWN, "nothing": grpc.StatusCode.UNIMPLEMENTED}
    assert outcome["code"] == refused.get(method.partition("_")[2], grpc.StatusCode.OK), outcome["details"]


@pytest.mark.parametrize("number", range(1, 17))
@pytest.mark.parametrize("kind", ["unary", "both"])
def test_an_error_without_a_message_is_the_same(ways: Ways, number: int, kind: str) -> None:
    outcome = twice(ways, lambda channel: call(channel, f"{kind}_refused", [b"%d" % number]))
    assert outcome["code"].value[0] == number and outcome["answers"] == []
    assert outcome["details"] == "no: 100% ünmöglich\n" and ("x-why", "because") in outcome["trailing"]


def test_white_space_around_what_is_said_is_no_part_of_it(ways: Ways) -> None:
    """By design: HTTP/2 forbids it (RFC 9113, section 8.2.1), and gRPC says that it may be stripped."""
    with grpc.insecure_channel(ways.through) as channel:
        outcome = call(channel, "unary_spaced", [b"x"])
    assert (outcome["code"], outcome["details"]) == (grpc.StatusCode.ABORTED, "white space around")


@pytest.mark.parametrize("way", ["channel", "call"])
def test_compressed_messages_are_the_same(ways: Ways, way: str) -> None:
    chosen = {"compression": grpc.Compression.Gzip}
    options, more = (chosen, {}) if way == "channel" else ({}, chosen)
    outcome = twice(ways, lambda channel: call(channel, "unary_compressed", [b"z" * 500_000], **more), **options)
    assert outcome["code"] == grpc.StatusCode.OK


def test_messages_go_to_and_fro(ways: Ways) -> None:
    def converse(channel: grpc.Channel) -> dict:
        outgoing: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        running = channel.stream_stream("/t.T/both_each")(iter(outgoing.get, None), timeout=PATIENCE)
        answers = []
        for number in range(20):
            outgoing.put(b"%d" % number)
            answers.append(next(running))
        outgoing.put(None)
        return {"answers": answers + list(running), "code": running.code()}

    assert twice(ways, converse)["code"] == grpc.StatusCode.OK


def test_many_calls_at_once(ways: Ways) -> None:
    def crowd(channel: grpc.Channel) -> dict:
        with futures.ThreadPoolExecutor(50) as pool:
            calls = [pool.submit(call, channel, "both_each", [b"%d" % number] * 5) for number in range(150)]
            return {str(number): one.result() for number, one in enumerate(calls)}

    assert len(twice(ways, crowd)["seen"]) == 150


@pytest.mark.parametrize("method", ["unary_slow", "pulled_endless", "both_endless"])
def test_a_deadline_ends_both_sides(ways: Ways, method: str) -> None:
    def work(channel: grpc.Channel) -> dict:
        # How many answers came until then, and which of both sides said so first, is a matter of time.
        return {"code": call(channel, method, [b"x"], timeout=0.4)["code"]}

    assert twice(ways, work)["code"] == grpc.StatusCode.DEADLINE_EXCEEDED


@pytest.mark.parametrize("method", ["unary_slow", "pulled_endless"])
def test_a_client_that_cancels_is_seen_by_the_server(ways: Ways, method: str) -> None:
    def work(channel: grpc.Channel) -> dict:
        if method.startswith("pulled"):
            running = channel.unary_stream(f"/t.T/{method}")(b"x")
            assert next(running) == b"0"
        else:
            running = channel.unary_unary(f"/t.T/{method}").future(b"x")
            end = time.monotonic() + PATIENCE
            while not ways.service.calls:
                assert time.monotonic() < end
                time.sleep(0.01)
        assert not ways.service.calls[0].ended.is_set()
        running.cancel()
        assert ways.service.calls[0].ended.wait(5), "the server goes on"
        return {"code": running.code()}

    assert twice(ways, work)["code"] == grpc.StatusCode.CANCELLED
