"""HTTP/2 through the gateway as with the server itself, frame contents and all."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from h2.errors import ErrorCodes
from http2_peers import Message, Server, converse
from two_ways import answered, asked, gateway_before

LARGE = bytes(range(256)) * 20_000


def ok(*fields: tuple[str, str], status: str = "200", **more: object) -> Message:
    return Message([(":status", status), *fields], **more)


ANSWERS = {
    "length": ok(("content-type", "text/plain"), ("content-length", "2"), pieces=[b"ok"]),
    "no-length": ok(pieces=[b"one ", b"two"]),
    "head-alone": ok(("x-a", "b")),
    "nothing": ok(("content-length", "0")),
    "empty-frame": ok(pieces=[b""]),
    "empty-frames": ok(pieces=[b"", b"a", b"", b"b", b""]),
    "large": ok(("content-length", str(len(LARGE))), pieces=[LARGE]),
    "large-without-length": ok(pieces=[LARGE]),
    "no-content": ok(("etag", '"a"'), status="204"),
    "not-modified": ok(("etag", '"a"'), ("content-length", "5"), status="304"),
    "created": ok(("location", "/new"), status="201"),
    "reset-content": ok(status="205"),
    "partial": ok(("content-range", "bytes 0-1/5"), ("content-length", "2"), status="206", pieces=[b"ab"]),
    "redirect": ok(("location", "https://other.example/a?b#c"), status="308"),
    "teapot": ok(status="418", pieces=[b"short and stout"]),
    "unknown": ok(status="599", pieces=[b"?"]),
    "cookies": ok(("set-cookie", "a=b; Path=/"), ("set-cookie", "c=d, e"), pieces=[b"."]),
    "repeated": ok(("x-a", "1"), ("vary", "accept"), ("x-a", "2"), ("vary", "origin"), pieces=[b"."]),
    "odd": ok(("x-empty", ""), ("!#$%&'*+.^`|~", "\xe9\xff"), ("x_y", "z"), pieces=[b"."]),
    "hints": ok(interim=[[(":status", "103"), ("link", "</a>")], [(":status", "102")]], pieces=[b"."]),
    "trailers": ok(("trailer", "x-sum"), pieces=[b"abc"], trailers=[("x-sum", "7"), ("grpc-status", "0")]),
    "trailers-alone": ok(trailers=[("x-sum", "7")]),
    "trailers-behind-a-large-body": ok(pieces=[LARGE], trailers=[("x-sum", "7"), ("x-sum", "8"), ("x-empty", "")]),
    "broken": ok(pieces=[b"half"], reset=ErrorCodes.INTERNAL_ERROR),
    "broken-behind-its-length": ok(("content-length", "4"), pieces=[b"abcd"], reset=ErrorCodes.INTERNAL_ERROR),
    "broken-before-its-length": ok(("content-length", "4"), pieces=[b"ab"], reset=ErrorCodes.INTERNAL_ERROR),
    "gzip": ok(("content-encoding", "gzip"), pieces=[b"\x1f\x8b\x00"]),
}
METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "FROB"]


@dataclass(frozen=True)
class Ways:
    server: Server
    gateway: int


@pytest.fixture(scope="module")
def ways(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ways]:
    # There is no content in an answer to HEAD.
    heads = {f"{name}?head": Message(without_trailer(answer.head), interim=answer.interim) for name, answer in ANSWERS.items()}
    with Server(ANSWERS | heads) as server, gateway_before(tmp_path_factory.mktemp("http2"), server.port, http2=True) as port:
        yield Ways(server, port)
        server.shutdown()


def without_trailer(head: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Trailers are announced where there may be some, so not in answers to HEAD."""
    return [pair for pair in head if pair[0] != "trailer"]


def request(method: str, path: str, *fields: tuple[str, str], **more: object) -> Message:
    head = [(":method", method), (":scheme", "http"), (":authority", "api.example"), (":path", path)]
    return Message([*head, *fields], **more)


def view(message: Message, compared: object) -> tuple:
    """What is compared of a message."""
    if message.reset is not None:
        # How much of a broken message has arrived is a matter of time.
        return ("broken",)
    interim = [compared(fields) for fields in message.interim]
    return compared(message.head), message.content, sorted(message.trailers), interim


def exchange(ways: Ways, port: int, requests: list[Message]) -> tuple[list, list]:
    """The responses, and the requests as they arrived."""
    ways.server.requests.clear()
    responses = [view(message, answered) for message in converse(port, requests)]
    return responses, sorted((view(message, asked) for message in ways.server.requests), key=repr)


def all_ways(ways: Ways, requests: list[Message]) -> tuple[list, list]:
    """The responses and the requests as they arrived, the same on both ways."""
    direct, through = (exchange(ways, port, requests) for port in [ways.server.port, ways.gateway])
    assert through == direct
    return direct


@pytest.mark.parametrize("method", METHODS)
def test_every_answer_is_the_same_for_every_method(ways: Ways, method: str) -> None:
    suffix = "?head" if method == "HEAD" else ""
    fields = [("content-length", "7")] if method in {"POST", "PUT", "PATCH"} else []
    pieces = [b"content"] if fields else []
    requests = [request(method, f"/{name}{suffix}", *fields, pieces=pieces) for name in ANSWERS]
    responses, seen = all_ways(ways, requests)
    assert len(responses) == len(seen) == len(ANSWERS)


REQUESTS = {
    "plain": request("GET", "/length"),
    "query and escapes": request("GET", "/a%20b/%C3%A9/length"),
    "content without a length": request("POST", "/length", pieces=[b"a", b"b"]),
    "an empty frame": request("POST", "/length", pieces=[b""]),
    "nothing, said so": request("POST", "/length", ("content-length", "0")),
    "nothing of a POST": request("POST", "/length"),
    "content of a GET": request("GET", "/length", ("content-length", "2"), pieces=[b"hi"]),
    "content of a DELETE": request("DELETE", "/length", pieces=[b"hi"]),
    "large": request("PUT", "/length", ("content-length", str(len(LARGE))), pieces=[LARGE]),
    "large without a length": request("PUT", "/large", pieces=[LARGE]),
    "trailers": request("POST", "/trailers", ("te", "trailers"), ("trailer", "x-sum"), pieces=[b"ab"], trailers=[("x-sum", "1"), ("x-b", "")]),
    "trailers alone": request("POST", "/trailers-alone", ("te", "trailers"), trailers=[("x-sum", "1")]),
    "trailers behind a large body": request("POST", "/large", pieces=[LARGE], trailers=[("x-sum", "1")]),
    "fields": request("GET", "/length", ("x-a", "1"), ("accept", "a"), ("x-a", "2"), ("accept", "b, c"), ("x-empty", ""), ("x-odd", "\xe9\xff\t;")),
    "a cookie": request("GET", "/length", ("cookie", "a=b; c=d")),
    "a condition": request("GET", "/not-modified", ("if-none-match", '"a"'), ("if-modified-since", "Mon, 01 Jan 2024 00:00:00 GMT")),
    "a range": request("GET", "/partial", ("range", "bytes=0-1"), ("if-range", '"a"')),
    "an expectation": request("POST", "/length", ("expect", "100-continue"), ("content-length", "2"), pieces=[b"ab"]),
    "credentials": request("GET", "/length", ("authorization", "Basic YTpi"), ("proxy-authorization", "Basic YTpi")),
    "priority": request("GET", "/length", ("priority", "u=1, i")),
    "a trace": request("GET", "/length", ("tracestate", "a=b"), ("user-agent", "test/1")),
    "a large field": request("GET", "/length", ("x-large", "a" * 8000)),
    "many fields": request("GET", "/length", *((f"x-{number}", "a") for number in range(80))),
}
# What does not arrive: an expectation of what has come already, credentials for a proxy.
LEFT_OUT = {"an expectation": "expect", "credentials": "proxy-authorization"}


@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_arrives_as_it_was_sent(ways: Ways, name: str) -> None:
    outcome = []
    for port in [ways.server.port, ways.gateway]:
        responses, seen = exchange(ways, port, [REQUESTS[name]])
        [(fields, *rest)] = seen
        outcome.append((responses, [pair for pair in fields if pair[0] != LEFT_OUT.get(name)], rest))
    assert outcome[1] == outcome[0]
    assert LEFT_OUT.get(name) not in dict(fields)


def test_cookie_crumbs_arrive_as_one(ways: Ways) -> None:
    converse(ways.gateway, [request("GET", "/length", ("cookie", "a=b"), ("x-a", "1"), ("cookie", "c=d"))])
    assert ("cookie", "a=b; c=d") in ways.server.requests[-1].head


def test_many_streams_at_once(ways: Ways) -> None:
    names = ["length", "trailers", "no-content", "large-without-length", "hints", "head-alone", "odd", "empty-frames"]
    requests = [request("POST", f"/{number}/{names[number % 8 if number % 32 < 8 else 0]}", pieces=[b"%d" % number * 1000]) for number in range(96)]
    assert len(all_ways(ways, requests)[1]) == 96
