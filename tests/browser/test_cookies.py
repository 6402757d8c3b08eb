"""What the browser is given, over http on loopback and over https."""

import pytest
import requests

from conftest import Gateway
from gateway import running_gateway, tls_terminator
from gateway_process import free_port


@pytest.fixture(scope="module")
def https_gateway(tmp_path_factory, app):
    """Behind a TLS terminator, as in production."""
    folder, port = tmp_path_factory.mktemp("https"), free_port()
    with tls_terminator(folder, port) as tls_port:
        url = f"https://localhost:{tls_port}"
        with running_gateway(folder, port, url):
            yield Gateway(url, app, str(folder / "cert.pem"))


def flags(cookie: dict) -> tuple:
    return cookie["httpOnly"], cookie["secure"], cookie.get("sameSite"), cookie["path"], cookie["domain"]


def test_cookies_on_loopback(desk, gateway):
    desk.go(gateway.request().url)
    before = desk.cookies()
    assert set(before) == {"tollgate-browser"}
    desk.sign_in("alice")
    desk.sees("wants access")
    after = desk.cookies()
    assert set(after) == {"tollgate-browser", "tollgate-session"}
    for cookie in after.values():
        assert flags(cookie) == (True, False, "Lax", "/", "127.0.0.1")
    desk.go(gateway.endpoint("account"))
    desk.press("Sign out")
    assert set(desk.cookies()) == {"tollgate-browser"}
    desk.go(gateway.endpoint("account"))
    desk.sign_in("alice")
    desk.sees("^Your account$")
    assert desk.cookies()["tollgate-session"]["value"] != after["tollgate-session"]["value"]


def test_cookies_over_https(glance, https_gateway):
    request = https_gateway.request(scope="notes:read")
    glance.go(request.url)
    glance.sign_in("alice")
    glance.sees("wants access")
    cookies = glance.cookies()
    assert set(cookies) == {"__Host-tollgate-browser", "__Host-tollgate-session"}
    for cookie in cookies.values():
        assert flags(cookie) == (True, True, "Lax", "/", "localhost")
    # The answer goes from https to http on loopback: the policy of the page lets it.
    glance.press("Allow")
    glance.sees("^Back in the app$")
    assert not glance.complaints()
    assert request.tokens()["scope"] == "notes:read"
    glance.go(https_gateway.endpoint("account"))
    glance.press("Sign out")
    assert set(glance.cookies()) == {"__Host-tollgate-browser"}


@pytest.mark.parametrize("path", ["account", "device", "authorize?client_id=unheard-of", "authorize"])
def test_every_page_has_its_fields(gateway, path):
    url = gateway.request().url if path == "authorize" else gateway.endpoint(path)
    answer = requests.get(url, timeout=10)
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    policy = dict(part.strip().split(" ", 1) for part in answer.headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert "unsafe" not in str(policy)
    assert "'self'" in policy["form-action"] or policy["form-action"] == "'none'"
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "no-store"
