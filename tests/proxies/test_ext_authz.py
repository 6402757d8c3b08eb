"""Envoy's external authorization, asked by gRPC's own client with Envoy's own messages."""

import grpc
import pytest
from conftest import ask
from envoy.config.core.v3 import base_pb2
from envoy.service.auth.v3 import external_auth_pb2 as auth
from envoy.service.auth.v3 import external_auth_pb2_grpc as service


@pytest.fixture(scope="module")
def stub(gateway):
    with grpc.insecure_channel(f"127.0.0.1:{gateway}") as channel:
        yield service.AuthorizationStub(channel)


def described(method: str, path: str, headers: dict[str, str] | None = None) -> auth.CheckRequest:
    request = auth.CheckRequest()
    request.attributes.source.address.socket_address.address = "203.0.113.9"
    request.attributes.source.address.socket_address.port_value = 4711
    http = request.attributes.request.http
    http.id, http.method, http.path, http.host, http.scheme, http.protocol = "1", method, path, "api.example.com", "https", "HTTP/2"
    for name, value in (headers or {}).items():
        http.headers[name] = value
    request.attributes.context_extensions["virtual_host"] = "api"
    return request


def fields(options) -> dict[str, str]:
    assert all(option.HasField("append") and not option.append.value for option in options)
    return {option.header.key: option.header.value for option in options}


def test_what_may_pass_is_told_what_to_set_and_to_leave_out(stub, token):
    headers = {"authorization": f"Bearer {token('service', 'alice')}", "x-auth-subject": "root", "x_auth_subject": "root", "accept": "*/*"}
    answer = stub.Check(described("POST", "/notes/a%20b?q=1", headers), timeout=10)
    assert answer.status.code == 0 and answer.WhichOneof("http_response") == "ok_response"
    set_fields = fields(answer.ok_response.headers)
    assert (set_fields["x-auth-subject"], set_fields["x-auth-client"]) == ("alice", "service")
    assert set_fields["x-auth-scope"] == "notes:read notes:write"
    assert list(answer.ok_response.headers_to_remove) == ["authorization", "x_auth_subject"]


def test_a_token_in_the_query_is_taken_out(stub, token):
    answer = stub.Check(described("GET", f"/notes/1?access_token={token('reader')}&q=1"), timeout=10)
    assert answer.status.code == 0
    assert list(answer.ok_response.query_parameters_to_remove) == ["access_token"]


def test_fields_may_come_one_by_one(stub, token):
    request = described("GET", "/notes/1")
    raw = base_pb2.HeaderValue(key="authorization", raw_value=f"Bearer {token('reader')}".encode())
    request.attributes.request.http.header_map.headers.append(raw)
    assert stub.Check(request, timeout=10).status.code == 0


@pytest.mark.parametrize(
    ("method", "path", "client", "status"),
    [
        ("GET", "/notes/1", None, 401),
        ("GET", "/notes/1", "forged", 401),
        ("POST", "/notes/1", "reader", 403),
        ("DELETE", "/notes/1", "service", 405),
        ("GET", "/nowhere", "service", 404),
        ("GET", "/public/../notes/1", "service", 400),
    ],
)
def test_what_may_not_pass_gets_the_gateways_answer(gateway, stub, token, method, path, client, status):
    headers = {}
    if client:
        headers["authorization"] = "Bearer " + (client if client == "forged" else token(client))
    answer = stub.Check(described(method, path, headers), timeout=10)
    assert answer.status.code != 0 and answer.WhichOneof("http_response") == "denied_response"
    assert answer.denied_response.status.code == status
    direct = ask(gateway, method, path, headers | {"Host": "api.example.com"})
    assert direct.status == status and direct.body.decode() == answer.denied_response.body
    said = fields(answer.denied_response.headers)
    for name in ["www-authenticate", "allow", "content-type", "cache-control"]:
        assert said.get(name) == direct.field(name)


def test_many_at_once_and_much_in_one(stub, token):
    bearer = {"authorization": f"Bearer {token('reader')}"}
    calls = [stub.Check.future(described("GET", f"/notes/{at}", bearer if at % 2 else None), timeout=20) for at in range(200)]
    assert [call.result().status.code == 0 for call in calls] == [at % 2 == 1 for at in range(200)]
    full = {f"x-{at}": "v" * 1000 for at in range(100)}
    assert stub.Check(described("GET", "/notes/1", bearer | full), timeout=10).status.code == 0


def test_what_is_no_description_is_no_decision(stub):
    with pytest.raises(grpc.RpcError) as refused:
        stub.Check(auth.CheckRequest(), timeout=10)
    assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert "no HTTP request" in refused.value.details()
    compressed = {"compression": grpc.Compression.Gzip}
    with pytest.raises(grpc.RpcError) as refused:
        stub.Check(described("GET", "/public/x", {"x-long": "v" * 4000}), timeout=10, **compressed)
    assert refused.value.code() in (grpc.StatusCode.UNIMPLEMENTED, grpc.StatusCode.INTERNAL)


def test_a_line_break_inside_a_value_is_refused(stub):
    answer = stub.Check(described("GET", "/public/x", {"authorization": "Bearer a\r\nx: y"}), timeout=10)
    assert answer.denied_response.status.code == 400
