"""A page of another origin: it gets a token, uses it, and can read why it is refused (PX-10, PX-11)."""

import pytest

from gateway import HERE, PASSWORD
from gateway_process import free_port, running

FETCH = """
const [url, options, done] = arguments;
fetch(url, options).then(
    async answer => done({status: answer.status, fields: Object.fromEntries(answer.headers), text: await answer.text()}),
    error => done({error: error.name}),
);
"""


@pytest.fixture(scope="module")
def api(tmp_path_factory, app):
    """Where it is."""
    port = free_port()
    environment = {"GATEWAY_PORT": str(port), "APP_ORIGIN": app.origin}
    with running(tmp_path_factory.mktemp("cors"), HERE / "cors.toml", environment):
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def fetch(desk, app):
    """Fetches as a script of the app's page does."""
    app.pages["/page"] = "<title>App</title><h1>App</h1>"
    desk.go(f"{app.origin}/page")

    def fetched(url: str, **options):
        return desk.driver.execute_async_script(FETCH, url, options)

    yield fetched
    # What the browser says of refused requests is no complaint about a page.
    desk.driver.get_log("browser")


def token(fetch, api: str) -> str:
    form = f"grant_type=password&client_id=page&username=alice&password={PASSWORD.replace(' ', '+')}"
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = fetch(f"{api}/oauth2/token", method="POST", body=form, headers=headers)
    assert answer["status"] == 200, answer
    return answer["text"].split('"access_token":"')[1].split('"')[0]


def test_a_page_reads_the_challenge_gets_a_token_and_uses_it(fetch, api):
    refused = fetch(f"{api}/notes/1")
    assert refused["status"] == 401, refused
    assert refused["fields"]["www-authenticate"].startswith("Bearer ")
    metadata = refused["fields"]["www-authenticate"].split('resource_metadata="')[1].split('"')[0]
    # This field makes the browser ask first.
    assert fetch(metadata, headers={"MCP-Protocol-Version": "2025-11-25"})["status"] == 200
    bearer = {"Authorization": f"Bearer {token(fetch, api)}"}
    passed = fetch(f"{api}/notes/1", method="PUT", headers=bearer | {"Content-Type": "application/json"}, body="{}")
    assert passed["status"] == 200, passed
    assert passed["fields"]["ratelimit"].startswith('"client";r=1;')
    assert fetch(f"{api}/notes/1", headers=bearer)["status"] == 200
    too_many = fetch(f"{api}/notes/1", headers=bearer)
    assert too_many["status"] == 429, too_many
    assert int(too_many["fields"]["retry-after"]) > 0
    assert '"rate_limited"' in too_many["text"]


def test_a_page_that_is_not_named_reads_nothing(fetch, api):
    bearer = {"Authorization": f"Bearer {token(fetch, api)}"}
    for path, options in [
        ("/theirs/1", {}),
        ("/theirs/1", {"headers": bearer}),
        ("/silent/1", {"headers": bearer}),
        ("/notes/1", {"headers": {"X-Unknown": "1"}}),
        ("/notes/1", {"headers": bearer, "credentials": "include"}),
        ("/notes/1", {"method": "DELETE"}),
        ("/oauth2/introspect", {"method": "POST"}),
        ("/oauth2/account", {}),
    ]:
        assert fetch(api + path, **options) == {"error": "TypeError"}, (path, options)
