"""Exchanges that are run twice, with an upstream itself and through a gateway in front of it, and what may differ then.

Whatever is not in these tables is the same on both ways, on both sides of the gateway.
"""

import contextlib
import pathlib
from collections.abc import Iterable, Iterator

from gateway_process import free_port, running

Fields = list[tuple[str, str]]

# What an upstream is told beyond what the client says.
TOLD = {
    "forwarded", "traceparent", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-port", "x-forwarded-proto",
    "x-request-id",
}
# What the gateway says for itself in a response.
OWN = {"date", "via", "x-request-id"}
# What is said of one connection alone (RFC 9110, section 7.6.1), made anew on each side; of `TE`, `trailers` passes.
HOP_BY_HOP = {"connection", "http2-settings", "keep-alive", "proxy-connection", "te", "upgrade"}
# A message without content may be given the length that it has, and a response is, where HTTP/1.1 would need it.
LENGTH_OF_NOTHING = ("content-length", "0")

CONFIGURATION = """
[server]
listen = "127.0.0.1:{port}"
public_url = "http://127.0.0.1:{port}"

[telemetry]
listen = "127.0.0.1:${{TELEMETRY_PORT}}"

[store]
url = "memory:"

[upstreams.api]
servers = ["http://127.0.0.1:{upstream}"]
http2 = {http2}

[[routes]]
name = "public"
path = "/{{*rest}}"
access = "public"
upstream = "api"
"""


@contextlib.contextmanager
def gateway_before(folder: pathlib.Path, upstream: int, *, http2: bool = False) -> Iterator[int]:
    """A gateway that lets everybody pass to the port `upstream`; gives its own."""
    port = free_port()
    configuration = folder / "written.toml"
    configuration.write_text(CONFIGURATION.format(port=port, upstream=upstream, http2=str(http2).lower()))
    with running(folder, configuration, {}):
        yield port


def asked(fields: Iterable[tuple[str, str]]) -> Fields:
    """The fields of a request as they arrived, in the order of their names, less what may differ."""
    return compared(fields, TOLD)


def answered(fields: Iterable[tuple[str, str]]) -> Fields:
    """The fields of a response as they arrived, in the order of their names, less what may differ."""
    return compared(fields, OWN)


def compared(fields: Iterable[tuple[str, str]], less: set[str]) -> Fields:
    pairs = [(name.lower(), value) for name, value in fields]
    kept = [pair for pair in pairs if passes(pair, less)]
    return sorted(kept, key=lambda pair: pair[0])


def passes(pair: tuple[str, str], less: set[str]) -> bool:
    return pair == ("te", "trailers") or pair[0] not in less | HOP_BY_HOP and pair != LENGTH_OF_NOTHING
