"""requests-oauthlib (and oauthlib below it) gets, uses and refreshes tokens."""

import pytest
from oauthlib.oauth2 import BackendApplicationClient, InvalidGrantError, LegacyApplicationClient
from requests.auth import HTTPBasicAuth
from requests_oauthlib import OAuth2Session

from conftest import ALICE, SECRETS


@pytest.mark.parametrize("in_body", [False, True])
def test_client_credentials(gateway, in_body):
    client = OAuth2Session(client=BackendApplicationClient(client_id="service", scope="notes:read"))
    if in_body:
        way = {"client_secret": SECRETS["service"], "include_client_id": True}
    else:
        way = {"auth": HTTPBasicAuth("service", SECRETS["service"])}
    token = client.fetch_token(gateway.endpoint("token"), **way)
    assert token["scope"] == ["notes:read"]
    assert client.get(f"{gateway.url}/echo/notes").status_code == 200
    refused = client.post(f"{gateway.url}/echo/notes")
    assert refused.status_code == 403
    assert 'error="insufficient_scope"' in refused.headers["WWW-Authenticate"]


def test_password_and_automatic_refresh(gateway):
    saved = []
    client = OAuth2Session(
        client=LegacyApplicationClient(client_id="cli"), auto_refresh_url=gateway.endpoint("token"),
        auto_refresh_kwargs={"client_id": "cli"}, token_updater=saved.append,
    )
    login = {"username": ALICE[0], "password": ALICE[1], "include_client_id": True, "client_id": "cli"}
    first = client.fetch_token(gateway.endpoint("token"), **login)
    assert "alice" in client.get(f"{gateway.url}/echo/me").text
    client.token = {**first, "expires_at": 1, "expires_in": -1}
    assert client.get(f"{gateway.url}/echo/me").status_code == 200
    assert saved and saved[0]["refresh_token"] != first["refresh_token"]


def test_errors_are_understood(gateway):
    client = OAuth2Session(client=LegacyApplicationClient(client_id="cli"))
    with pytest.raises(InvalidGrantError):
        client.fetch_token(gateway.endpoint("token"), username="alice", password="wrong", include_client_id=True)
