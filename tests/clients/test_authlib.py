"""Authlib gets, uses, refreshes, introspects and revokes tokens."""

import pytest
from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session

from conftest import ALICE, SECRETS


def session(gateway, client, **more) -> OAuth2Session:
    return OAuth2Session(
        client, SECRETS.get(client), token_endpoint=gateway.endpoint("token"),
        revocation_endpoint=gateway.endpoint("revoke"), **more,
    )


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_client_credentials(gateway, method):
    with session(gateway, "service", token_endpoint_auth_method=method, scope="notes:read notes:write") as client:
        token = client.fetch_token(grant_type="client_credentials")
        assert token["token_type"] == "Bearer"
        assert set(token["scope"].split()) == {"notes:read", "notes:write"}
        assert "refresh_token" not in token
        seen = client.get(f"{gateway.url}/echo/notes/1")
        assert seen.status_code == 200
        assert token["access_token"] not in seen.text
        assert client.post(f"{gateway.url}/echo/notes", json={"text": "hello"}).status_code == 200


@pytest.mark.parametrize("client_id", ["cli", "web"])
def test_password_and_refresh(gateway, client_id):
    method = "none" if client_id == "cli" else "client_secret_basic"
    with session(gateway, client_id, token_endpoint_auth_method=method) as client:
        first = client.fetch_token(username=ALICE[0], password=ALICE[1], grant_type="password")
        assert first["scope"] == "notes:read"
        assert "alice" in client.get(f"{gateway.url}/echo/me").text
        assert client.post(f"{gateway.url}/echo/me").status_code == 403
        second = client.refresh_token(gateway.endpoint("token"), refresh_token=first["refresh_token"])
        assert second["access_token"] != first["access_token"]
        assert second["refresh_token"] != first["refresh_token"]
        assert client.get(f"{gateway.url}/echo/me").status_code == 200


def test_expired_tokens_are_refreshed_by_the_library(gateway):
    saved = []
    with session(
        gateway, "web", token_endpoint_auth_method="client_secret_basic",
        update_token=lambda token, **_: saved.append(token),
    ) as client:
        token = client.fetch_token(username=ALICE[0], password=ALICE[1], grant_type="password")
        client.token = {**token, "expires_at": 1, "expires_in": -1}
        assert client.get(f"{gateway.url}/echo/me").status_code == 200
        assert len(saved) == 1


@pytest.mark.parametrize("placement", ["header", "uri", "body"])
def test_every_place_of_a_token(gateway, placement):
    with session(gateway, "service", token_placement=placement, scope="notes:read notes:write") as client:
        client.fetch_token(grant_type="client_credentials")
        if placement == "body":
            form = {"Content-Type": "application/x-www-form-urlencoded"}
            seen = client.post(f"{gateway.url}/echo/notes", data="text=hello", headers=form)
        else:
            seen = client.get(f"{gateway.url}/echo/notes?page=2")
        assert seen.status_code == 200, seen.text
        assert client.token["access_token"] not in seen.text


def test_introspection_and_revocation(gateway):
    with session(gateway, "service") as client, session(gateway, "billing") as billing:
        token = client.fetch_token(grant_type="client_credentials")["access_token"]
        told = billing.introspect_token(gateway.endpoint("introspect"), token=token).json()
        assert told["active"] is True and told["client_id"] == "service" and "sub" not in told
        assert client.revoke_token(gateway.endpoint("revoke"), token=token).status_code == 200
        assert billing.introspect_token(gateway.endpoint("introspect"), token=token).json() == {"active": False}
        assert client.get(f"{gateway.url}/echo/notes").status_code == 401


def test_errors_are_understood(gateway):
    with session(gateway, "service", scope="nothing:known") as client:
        with pytest.raises(OAuthError) as caught:
            client.fetch_token(grant_type="client_credentials")
        assert caught.value.error == "invalid_scope"
    with session(gateway, "cli", token_endpoint_auth_method="none") as client:
        with pytest.raises(OAuthError) as caught:
            client.fetch_token(username="alice", password="wrong", grant_type="password")
        assert caught.value.error == "invalid_grant"
