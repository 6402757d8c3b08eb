"""The MCP SDK's own client and server, with the gateway between them: discovery, registration, consent, tokens."""

import urllib.parse

import anyio
import httpx2
import pytest
import requests
from mcp import Client
from mcp.client.auth import OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientMetadata

from conftest import ALICE
from visitor import Visitor

REDIRECT_URI = "http://localhost:49153/callback"


class Storage:
    """What the client keeps."""

    def __init__(self):
        self.tokens = self.client = None

    async def get_tokens(self):
        return self.tokens

    async def set_tokens(self, tokens):
        self.tokens = tokens

    async def get_client_info(self):
        return self.client

    async def set_client_info(self, client_info):
        self.client = client_info


class Model:
    """An MCP client whose person allows what it asks for."""

    def __init__(self, gateway):
        self.url = f"{gateway.url}/mcp"
        self.storage, self.alice, self.asked = Storage(), Visitor(*ALICE), []
        metadata = OAuthClientMetadata(client_name="A model", redirect_uris=[REDIRECT_URI])
        self.provider = OAuthClientProvider(self.url, metadata, self.storage, self.ask, self.answer)

    async def ask(self, url: str) -> None:
        self.asked.append(url)

    async def answer(self) -> AuthorizationCodeResult:
        location = await anyio.to_thread.run_sync(self.alice.allow, self.asked[-1])
        assert location.startswith(REDIRECT_URI)
        query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(location).query))
        return AuthorizationCodeResult(code=query["code"], state=query["state"], iss=query["iss"])

    def run(self, work, mode: str = "auto"):
        """Does `work` with a connection."""

        async def connected():
            with anyio.fail_after(30):
                async with (
                    httpx2.AsyncClient(auth=self.provider, timeout=20, trust_env=False) as http,
                    Client(streamable_http_client(self.url, http_client=http), mode=mode) as client,
                ):
                    return await work(client)

        return anyio.run(connected)


async def whoami(client) -> str:
    return (await client.call_tool("whoami", {})).content[0].text


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_the_whole_dance(gateway, mcp_server, mode):
    model = Model(gateway)

    async def work(client):
        progress = []

        async def note(done, _total, _text):
            progress.append(done)

        tools = {tool.name for tool in (await client.list_tools()).tools}
        counted = await client.call_tool("count", {"to": 3}, progress_callback=note)
        return tools, counted.content[0].text, progress, await whoami(client)

    tools, counted, progress, who = model.run(work, mode)
    assert tools == {"whoami", "count"}
    assert (counted, progress) == ("counted to 3", [1, 2, 3])
    assert who == f"alice by {model.storage.client.client_id}"
    assert len(model.asked) == 1
    asked = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(model.asked[0]).query))
    assert asked["resource"].rstrip("/") == model.url
    assert asked["scope"] == "notes:read"
    assert asked["code_challenge_method"] == "S256"
    # The token is the gateway's business.
    token = model.storage.tokens.access_token
    assert mcp_server.seen
    for fields in mcp_server.seen:
        assert "authorization" not in fields and token not in str(fields)
        assert fields["x-auth-subject"] == "alice"


def test_the_token_is_refreshed_without_asking(gateway):
    model = Model(gateway)
    first_who = model.run(whoami)
    first = model.storage.tokens
    model.provider.context.token_expiry_time = 1
    assert model.run(whoami) == first_who
    second = model.storage.tokens
    assert second.access_token != first.access_token
    assert second.refresh_token != first.refresh_token
    assert len(model.asked) == 1


def test_what_was_revoked_is_asked_for_again(gateway):
    model = Model(gateway)
    model.run(whoami)
    form = {"token": model.storage.tokens.refresh_token, "client_id": model.storage.client.client_id}
    if model.storage.client.client_secret:
        form["client_secret"] = model.storage.client.client_secret
    requests.post(gateway.endpoint("revoke"), data=form, timeout=10).raise_for_status()
    assert model.run(whoami).startswith("alice by ")
    assert len(model.asked) == 2


def test_a_token_for_something_else_is_refused(gateway):
    """Its audience is not the MCP server."""
    form = {"grant_type": "password", "username": ALICE[0], "password": ALICE[1], "client_id": "cli"}
    token = requests.post(gateway.endpoint("token"), data=form, timeout=10).json()["access_token"]
    bearer = {"Authorization": f"Bearer {token}"}
    assert requests.get(f"{gateway.url}/echo/me", headers=bearer, timeout=10).status_code == 200
    for headers in (bearer, {}):
        answer = requests.post(f"{gateway.url}/mcp", headers=headers, json={}, timeout=10)
        assert answer.status_code == 401
        assert f"{gateway.url}/.well-known/oauth-protected-resource/mcp" in answer.headers["WWW-Authenticate"]


def test_another_sites_page_is_refused(gateway):
    model = Model(gateway)
    model.run(whoami)
    headers = {"Authorization": f"Bearer {model.storage.tokens.access_token}", "Origin": "https://evil.example"}
    assert requests.post(f"{gateway.url}/mcp", headers=headers, json={}, timeout=10).status_code == 403
