"""The way from a page to the app: into a popup's opener, and through sites that lead on to others."""

import pytest
import requests

from conftest import Gateway
from gateway import running_gateway, tls_terminator
from gateway_process import free_port

ASKS = "wants access to your account"


@pytest.fixture(scope="module")
def sites(tmp_path_factory, app):
    """The port at which every name below `test` is a site of the app, over https."""
    with tls_terminator(tmp_path_factory.mktemp("sites"), app.server_address[1]) as port:
        yield port


@pytest.fixture(scope="module")
def strict_gateway(tmp_path_factory, app):
    """One that nobody else has signed in at."""
    port = free_port()
    with running_gateway(tmp_path_factory.mktemp("leaving"), port, f"http://127.0.0.1:{port}"):
        yield Gateway(f"http://127.0.0.1:{port}", app)


def registered(gateway, redirect_uri: str) -> str:
    """The identifier of a new app."""
    metadata = {
        "client_name": "Album", "redirect_uris": [redirect_uri], "token_endpoint_auth_method": "none",
        "grant_types": ["authorization_code"], "scope": "notes:read",
    }
    answer = requests.post(gateway.endpoint("register"), json=metadata, timeout=10)
    assert answer.status_code == 201, answer.text
    return answer.json()["client_id"]


@pytest.mark.parametrize("decision", ["Allow", "Refuse"])
def test_a_callback_may_lead_on_to_another_site(glance, strict_gateway, sites, app, decision):
    callback = f"https://photos.test:{sites}/hop"
    app.redirects["/hop"] = f"https://album.test:{sites}/callback"
    request = strict_gateway.request(registered(strict_gateway, callback), redirect_uri=callback, scope="notes:read")
    glance.go(request.url)
    glance.sign_in("alice")
    glance.sees(ASKS)
    glance.press(decision)
    glance.sees("^Back in the app$")
    assert not glance.complaints()
    assert glance.url.startswith(f"https://album.test:{sites}/callback?")
    if decision == "Allow":
        assert request.code()
    else:
        assert request.error() == "access_denied"
    # Going back sends no form again.
    with glance.leaving():
        glance.driver.back()
    assert "test:" not in glance.url
    assert app.answers.empty()


def test_a_popup_tells_its_opener(desk, strict_gateway, app):
    request = strict_gateway.request(scope="notes:read")
    app.pages["/opener"] = f"""<title>Opener</title><h1>Waiting</h1><button>Connect</button><script>
        document.querySelector("button").onclick = () => window.open({request.url!r}, "popup", "width=480,height=640");
        addEventListener("message", event => document.querySelector("h1").textContent = "Told " + event.data);
    </script>"""
    desk.go(f"{app.origin}/opener")
    opener = desk.driver.current_window_handle
    desk.button("Connect").click()
    desk.wait(lambda: len(desk.driver.window_handles) == 2, "a popup")
    desk.driver.switch_to.window(next(handle for handle in desk.driver.window_handles if handle != opener))
    try:
        desk.sees("^Sign in$")
        desk.sign_in("alice")
        desk.sees(ASKS)
        desk.press("Allow")
        desk.sees("^Back in the app$")
    finally:
        desk.driver.close()
        desk.driver.switch_to.window(opener)
    desk.sees("^Told .*code=")
    assert request.code()
