"""Envoy forwards, as its file below `deploy` says, and asks the gateway over gRPC."""

import http.client
import pathlib
import sys

import pytest
from conftest import DEPLOY, ask, free_port, started

ENVOY = pathlib.Path(sys.executable).parent / "envoy"


@pytest.fixture(scope="module")
def envoy(tmp_path_factory, gateway, api):
    folder, port = tmp_path_factory.mktemp("envoy"), free_port()
    text = (DEPLOY / "envoy.yaml").read_text()
    for written, real in {"8000": port, "8080": gateway, "9000": api}.items():
        assert f"port_value: {written}" in text
        text = text.replace(f"port_value: {written}", f"port_value: {real}")
    (folder / "envoy.yaml").write_text(text)
    command = [str(ENVOY), "-c", "envoy.yaml", "--concurrency", "1", "--use-dynamic-base-id", "-l", "warn"]
    with started(command, folder, lambda: ask(port, "GET", "/public/ready").status == 200):
        yield port


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def seen(answer, name: str) -> list[str]:
    return [value for known, value in answer.json()["fields"] if known.lower() == name]


def test_what_may_pass_arrives_with_its_identity_and_without_its_token(envoy, token):
    answer = ask(envoy, "POST", "/notes/a%20b?q=1", bearer(token("service", "alice")), b"a note")
    assert answer.status == 200, answer
    assert (answer.json()["method"], answer.json()["target"], answer.json()["body"]) == ("POST", "/notes/a%20b?q=1", "a note")
    assert seen(answer, "x-auth-subject") == ["alice"] and seen(answer, "x-auth-client") == ["service"]
    assert seen(answer, "x-auth-scope") == ["notes:read notes:write"]
    assert seen(answer, "authorization") == []


@pytest.mark.parametrize("name", ["access_token", "access%5Ftoken"])
def test_a_token_in_the_query_does_not_arrive(envoy, token, name):
    answer = ask(envoy, "GET", f"/notes/1?a=b&{name}={token('reader')}&c=d")
    assert answer.status == 200 and answer.json()["target"] == "/notes/1?a=b&c=d", answer


def test_what_may_not_pass_gets_the_gateways_answer(gateway, envoy, token):
    for method, target, fields, status in [
        ("GET", "/notes/1", {}, 401),
        ("GET", "/notes/1", bearer("tg_at_forged"), 401),
        ("POST", "/notes/1", bearer(token("reader")), 403),
        ("DELETE", "/notes/1", bearer(token("service")), 405),
        ("GET", "/nowhere", bearer(token("service")), 404),
        ("GET", "/admin/x", bearer(token("service")) | {"Host": "other.example.com"}, 404),
    ]:
        answer, direct = ask(envoy, method, target, fields), ask(gateway, method, target, fields)
        assert answer.status == direct.status == status, answer
        assert answer.body == direct.body
        for name in ["www-authenticate", "allow", "content-type", "cache-control"]:
            assert answer.field(name) == direct.field(name), (name, answer, direct)


def test_no_client_says_who_it_is(envoy, token):
    spoofed = {"X-Auth-Subject": "root", "X_Auth_Subject": "root", "X.Auth.Subject": "root", "X-User-Id": "1", "Remote-User": "root"}
    for target, fields in [("/public/x", {}), ("/notes/1", bearer(token("reader")))]:
        answer = ask(envoy, "GET", target, spoofed | fields)
        assert answer.status == 200
        for name in spoofed:
            assert seen(answer, name.lower()) == [], (name, answer)


@pytest.mark.parametrize("target", ["/public/../notes/1", "/public/%2e%2e/notes/1", "/public/..;/notes/1", "//notes/1", "/notes%2f1"])
def test_what_can_be_read_in_two_ways_does_not_pass(envoy, target):
    connection = http.client.HTTPConnection("127.0.0.1", envoy, timeout=10)
    connection.putrequest("GET", target, skip_accept_encoding=True)
    connection.endheaders()
    assert connection.getresponse().status in (400, 401, 404)
    connection.close()


def test_tokens_are_issued_through_envoy_and_decisions_are_not(envoy):
    form = b"grant_type=client_credentials&client_id=reader&client_secret=reader-secret-8Kd2"
    answer = ask(envoy, "POST", "/oauth2/token", {"content-type": "application/x-www-form-urlencoded"}, form)
    assert answer.status == 200 and answer.json()["access_token"]
    described = {"X-Original-Method": "GET", "X-Original-URI": "/public/x"}
    assert ask(envoy, "GET", "/oauth2/auth", described).status == 404
    call = ask(envoy, "POST", "/envoy.service.auth.v3.Authorization/Check", {"content-type": "application/grpc"}, b"\0\0\0\0\0")
    # Envoy answers calls as gRPC does: there is no such method.
    assert call.field("grpc-status") == "12"
