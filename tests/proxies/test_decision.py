"""Proxies of others forward, and the gateway decides (PX-20)."""

import http.client

import pytest
from conftest import ask

IDENTITY = ["x-auth-subject", "x-auth-client", "x-auth-scope"]


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def seen(answer, name: str) -> list[str]:
    return [value for known, value in answer.json()["fields"] if known.lower() == name]


def test_what_may_pass_arrives_with_its_identity_and_without_its_token(proxy, token):
    answer = ask(proxy, "POST", "/notes/a%20b?q=1", bearer(token("service", "alice")), b"a note")
    assert answer.status == 200, answer
    assert (answer.json()["method"], answer.json()["target"], answer.json()["body"]) == ("POST", "/notes/a%20b?q=1", "a note")
    assert seen(answer, "x-auth-subject") == ["alice"]
    assert seen(answer, "x-auth-client") == ["service"]
    assert seen(answer, "x-auth-scope") == ["notes:read notes:write"]
    assert seen(answer, "authorization") == []


def test_what_may_not_pass_gets_the_gateways_answer(proxy, token):
    answer = ask(proxy, "GET", "/notes/1")
    assert answer.status == 401 and answer.field("www-authenticate").startswith('Bearer realm="')
    answer = ask(proxy, "GET", "/notes/1", bearer("tg_at_forged"))
    assert answer.status == 401 and 'error="invalid_token"' in answer.field("www-authenticate")
    assert ask(proxy, "POST", "/notes/1", bearer(token("reader"))).status == 403
    assert ask(proxy, "DELETE", "/notes/1", bearer(token("service"))).status == 403
    assert ask(proxy, "GET", "/nowhere", bearer(token("service"))).status == 403


def test_no_client_says_who_it_is(proxy, token):
    spoofed = {name: "root" for name in IDENTITY}
    public = ask(proxy, "GET", "/public/x", spoofed)
    assert public.status == 200
    for name in spoofed:
        assert seen(public, name.lower()) == [], (name, public)
    own = ask(proxy, "GET", "/notes/1", spoofed | bearer(token("reader")))
    assert seen(own, "x-auth-subject") == [] and seen(own, "x-auth-client") == ["reader"]


@pytest.mark.parametrize("target", ["/public/../notes/1", "/public/%2e%2e/notes/1", "/public/..;/notes/1", "//notes/1", "/notes%2f1"])
def test_what_can_be_read_in_two_ways_does_not_pass(proxy, token, target):
    connection = http.client.HTTPConnection("127.0.0.1", proxy, timeout=10)
    connection.putrequest("GET", target, skip_accept_encoding=True)
    connection.endheaders()
    assert connection.getresponse().status in (400, 401, 403, 404)
    connection.close()


@pytest.mark.parametrize(
    "fields",
    [
        {"X-Original-URI": "/public/x"},
        {"X-Original-URL": "http://a.example/public/x"},
        {"X-Forwarded-Uri": "/public/x"},
        {"X-Forwarded-Method": "OPTIONS", "X-Original-Method": "OPTIONS"},
        {"X-Forwarded-Host": "elsewhere.example"},
        {"Forwarded": "for=127.0.0.1;host=elsewhere.example"},
        {"X-HTTP-Method-Override": "GET", "X-Rewrite-URL": "/public/x"},
    ],
)
def test_no_client_describes_another_request(proxy, token, fields):
    assert ask(proxy, "GET", "/notes/1", fields).status in (400, 401)
    assert ask(proxy, "POST", "/notes/1", fields | bearer(token("reader"))).status in (400, 403)


def test_the_host_counts(proxy, token):
    answer = ask(proxy, "GET", "/admin/x", bearer(token("service")) | {"Host": "other.example.com"})
    assert answer.status == 403


def test_tokens_are_issued_through_the_proxy_and_decisions_are_not(proxy):
    form = b"grant_type=client_credentials&client_id=reader&client_secret=reader-secret-8Kd2"
    answer = ask(proxy, "POST", "/oauth2/token", {"content-type": "application/x-www-form-urlencoded"}, form)
    assert answer.status == 200 and answer.json()["access_token"]
    described = {"X-Original-Method": "GET", "X-Original-URI": "/public/x"}
    assert ask(proxy, "GET", "/oauth2/auth", described).status in (401, 403, 404)
