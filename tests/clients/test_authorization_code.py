"""Authlib and requests-oauthlib have people allow their apps: code, PKCE, refresh, use, revocation."""

import pytest
import requests
from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata
from oauthlib.oauth2 import AccessDeniedError
from requests_oauthlib import OAuth2Session as OtherSession

from conftest import ALICE, SECRETS
from visitor import Visitor

LOOPBACK = "http://127.0.0.1:49152/callback"
VERIFIER = "a-verifier-of-sixty-characters-or-so-with-all-that-is-allowed~"


@pytest.fixture
def alice():
    return Visitor(*ALICE)


@pytest.fixture(scope="module")
def metadata(gateway):
    """What the gateway says of itself; Authlib looks whether it may."""
    told = requests.get(f"{gateway.url}/.well-known/oauth-authorization-server", timeout=10).json()
    checked = AuthorizationServerMetadata(told)
    # It is http on loopback: the claims that must be https are not looked at.
    for claim in ("response_types_supported", "grant_types_supported", "code_challenge_methods_supported",
                  "token_endpoint_auth_methods_supported"):
        getattr(checked, f"validate_{claim}")()
    assert "S256" in told["code_challenge_methods_supported"]
    return told


def session(client_id: str, redirect_uri: str, **more) -> OAuth2Session:
    method = "client_secret_basic" if client_id in SECRETS else "none"
    return OAuth2Session(
        client_id, SECRETS.get(client_id), token_endpoint_auth_method=more.pop("method", method),
        redirect_uri=redirect_uri, code_challenge_method="S256", **more,
    )


@pytest.mark.parametrize(("client_id", "redirect_uri", "method"), [
    ("web", "https://app.example.com/callback", "client_secret_basic"),
    ("web", "https://app.example.com/callback", "client_secret_post"),
    ("cli", LOOPBACK, "none"),
])
def test_the_whole_dance(gateway, metadata, alice, client_id, redirect_uri, method):
    with session(client_id, redirect_uri, method=method, scope="notes:read notes:write") as client:
        url, state = client.create_authorization_url(metadata["authorization_endpoint"], code_verifier=VERIFIER)
        answer = alice.allow(url)
        assert answer.startswith(redirect_uri)
        first = client.fetch_token(
            metadata["token_endpoint"], authorization_response=answer, code_verifier=VERIFIER, state=state,
        )
        # alice cannot grant more; what is refreshed is what was granted (RFC 6749 section 6).
        assert first["scope"] == "notes:read"
        client.scope = first["scope"]
        seen = client.get(f"{gateway.url}/echo/me")
        assert seen.status_code == 200 and "alice" in seen.text
        assert client.post(f"{gateway.url}/echo/me").status_code == 403
        second = client.refresh_token(metadata["token_endpoint"], refresh_token=first["refresh_token"])
        assert second["access_token"] != first["access_token"]
        assert client.get(f"{gateway.url}/echo/me").status_code == 200
        revoked = client.revoke_token(metadata["revocation_endpoint"], token=second["refresh_token"])
        assert revoked.status_code == 200
        assert client.get(f"{gateway.url}/echo/me").status_code == 401


def test_a_client_that_registers_itself(gateway, metadata, alice):
    answer = requests.post(metadata["registration_endpoint"], timeout=10, json={
        "client_name": "Registered by a test", "redirect_uris": [LOOPBACK], "scope": "notes:read",
        "grant_types": ["authorization_code", "refresh_token"], "token_endpoint_auth_method": "client_secret_basic",
    })
    assert answer.status_code == 201, answer.text
    told = answer.json()
    client = OAuth2Session(
        told["client_id"], told["client_secret"], token_endpoint_auth_method=told["token_endpoint_auth_method"],
        redirect_uri=LOOPBACK, code_challenge_method="S256", scope=told["scope"],
    )
    with client:
        url, state = client.create_authorization_url(metadata["authorization_endpoint"], code_verifier=VERIFIER)
        client.fetch_token(
            metadata["token_endpoint"], authorization_response=alice.allow(url), code_verifier=VERIFIER, state=state,
        )
        assert client.get(f"{gateway.url}/echo/me").status_code == 200


def test_a_code_is_good_once_and_with_its_verifier(metadata, alice):
    with session("cli", LOOPBACK, scope="notes:read") as client:
        url, state = client.create_authorization_url(metadata["authorization_endpoint"], code_verifier=VERIFIER)
        answer = alice.allow(url)

        def redeem(verifier):
            return client.fetch_token(
                metadata["token_endpoint"], authorization_response=answer, code_verifier=verifier, state=state,
            )

        with pytest.raises(OAuthError) as caught:
            redeem(VERIFIER.swapcase())
        assert caught.value.error == "invalid_grant"
        assert redeem(VERIFIER)["access_token"]
        with pytest.raises(OAuthError) as caught:
            redeem(VERIFIER)
        assert caught.value.error == "invalid_grant"


def test_requests_oauthlib(gateway, metadata, alice):
    client = OtherSession("cli", redirect_uri=LOOPBACK, scope=["notes:read"], pkce="S256")
    url, _ = client.authorization_url(metadata["authorization_endpoint"])
    client.fetch_token(metadata["token_endpoint"], authorization_response=alice.allow(url), include_client_id=True)
    assert client.get(f"{gateway.url}/echo/me").status_code == 200


def test_a_refusal_is_understood(metadata, alice):
    client = OtherSession("cli", redirect_uri=LOOPBACK, scope=["notes:read"], pkce="S256")
    url, _ = client.authorization_url(metadata["authorization_endpoint"])
    with pytest.raises(AccessDeniedError):
        client.fetch_token(metadata["token_endpoint"], authorization_response=alice.allow(url, "deny"))
