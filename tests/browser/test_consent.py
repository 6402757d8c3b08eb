"""Signing in, allowing and refusing."""

import html
import re

import pytest
import requests

from conftest import LOOKS, all_looks

ASKS = "wants access to your account"
WRONG = "The name or the password is wrong."


@pytest.mark.parametrize("look", all_looks(), ids=str)
def test_somebody_signs_in_and_allows(visit, gateway, look):
    person, request = visit(look), gateway.request(scope="notes:read notes:write notes:share")
    person.go(request.url)
    person.sees("^Sign in$")
    assert "Notes for the desktop" in person.text
    person.page_is_sound("sign-in")

    person.sign_in("alice", "wrong")
    person.sees("^Sign in$")
    assert WRONG in person.text
    assert person.field("Username").get_attribute("value") == "alice"
    assert person.field("Password").get_attribute("value") == ""
    person.page_is_sound("wrong-password")

    person.sign_in("alice")
    person.sees(ASKS)
    for told in ("Notes for the desktop", "127.0.0.1", "alice", "Read your notes", "Add and change your notes"):
        assert told in person.text
    person.page_is_sound("consent")

    person.press("Allow")
    person.sees("^Back in the app$")
    assert not person.complaints()
    tokens = request.tokens()
    assert set(tokens["scope"].split()) == {"notes:read", "notes:write", "notes:share"}
    assert gateway.read(tokens["access_token"]) == 200


def test_an_unknown_name_and_a_wrong_password_look_the_same(desk, gateway):
    pages = []
    for name in ("alice", "nobody"):
        desk.go(gateway.request().url)
        desk.sign_in(name, "wrong")
        desk.sees("^Sign in$")
        pages.append(desk.text.replace(name, ""))
    assert pages[0] == pages[1]


def test_less_is_allowed_than_was_asked(person, gateway):
    request = gateway.request(scope="notes:read notes:write notes:share")
    person.go(request.url)
    person.sign_in("alice")
    person.sees(ASKS)
    person.field("Add and change your notes").click()
    person.driver.find_element("css selector", "label[for=scope-3]").click()
    person.page_is_sound("fewer")
    person.press("Allow")
    person.sees("^Back in the app$")
    assert request.tokens()["scope"] == "notes:read"


def test_nothing_ticked_is_a_refusal(desk, gateway):
    request = gateway.request(scope="notes:read")
    desk.go(request.url)
    desk.sign_in("alice")
    desk.sees(ASKS)
    desk.field("Read your notes").click()
    desk.press("Allow")
    desk.sees("^Back in the app$")
    assert request.error() == "access_denied"


def test_somebody_refuses(glance, gateway):
    request = gateway.request()
    glance.go(request.url)
    glance.sign_in("alice")
    glance.sees(ASKS)
    allow, refuse = glance.button("Allow"), glance.button("Refuse")
    assert allow.size == refuse.size, "to refuse is as easy as to allow"
    glance.press("Refuse")
    glance.sees("^Back in the app$")
    assert request.error() == "access_denied"
    assert not glance.complaints()


def test_a_user_who_can_grant_less_is_asked_for_less(desk, gateway):
    request = gateway.request(scope="notes:read notes:share")
    desk.go(request.url)
    desk.sign_in("bob")
    desk.sees(ASKS)
    assert "Share your notes" not in desk.text
    desk.press("Allow")
    desk.sees("^Back in the app$")
    assert request.tokens()["scope"] == "notes:read"


def test_somebody_uses_another_account(glance, gateway):
    request = gateway.request(scope="notes:read")
    glance.go(request.url)
    glance.sign_in("alice")
    glance.sees(ASKS)
    assert "alice" in glance.text
    glance.press("Use another account")
    glance.sees("^Sign in$")
    glance.sign_in("bob")
    glance.sees(ASKS)
    assert "bob" in glance.text and "alice" not in glance.text
    glance.press("Allow")
    glance.sees("^Back in the app$")
    token = request.tokens()["access_token"]
    bearer = {"Authorization": f"Bearer {token}"}
    told = requests.get(gateway.endpoint("tokeninfo"), headers=bearer, timeout=10).json()
    assert told["sub"] == "bob"


def test_who_is_signed_in_is_asked_without_a_password(desk, gateway):
    desk.go(gateway.request().url)
    desk.sign_in("alice")
    desk.sees(ASKS)
    desk.go(gateway.request().url)
    desk.sees(ASKS)
    for more, heading in (({"prompt": "login"}, "^Sign in$"), ({"max_age": "0"}, "^Sign in$")):
        desk.go(gateway.request(**more).url)
        desk.sees(heading)


def test_consent_is_remembered_for_an_app_that_nobody_can_replace(desk, gateway):
    request = gateway.request("web", scope="notes:read")
    desk.go(request.url)
    desk.sign_in("alice")
    desk.sees(ASKS)
    desk.press("Allow")
    desk.sees("^Back in the app$")
    request.tokens()
    again = gateway.request("web", scope="notes:read", prompt="none")
    desk.go(again.url)
    desk.sees("^Back in the app$")
    assert again.tokens()["scope"] == "notes:read"
    for more in ({"scope": "notes:read", "prompt": "consent"}, {"scope": "notes:read notes:write"}):
        desk.go(gateway.request("web", **more).url)
        desk.sees(ASKS)
    more = gateway.request("web", scope="notes:read notes:write", prompt="none")
    desk.go(more.url)
    assert more.error() == "consent_required"


def test_nobody_is_asked_where_the_app_says_so(desk, gateway):
    request = gateway.request(prompt="none")
    desk.go(request.url)
    desk.sees("^Back in the app$")
    assert request.error() == "login_required"


def test_the_name_is_filled_in_where_the_app_knows_it(desk, gateway):
    desk.go(gateway.request(login_hint="bob").url)
    assert desk.field("Username").get_attribute("value") == "bob"
    assert desk.ask("focus")["name"] == "Password"


def test_a_hostile_name_is_text(glance, gateway):
    glance.go(gateway.request("hostile").url)
    glance.page_is_sound("sign-in")
    glance.sign_in("alice")
    glance.sees(ASKS)
    assert "<script>" in glance.text
    assert "\u202e" not in glance.text
    assert "ran" != glance.driver.title
    glance.page_is_sound("consent")


def test_an_app_that_registered_itself_is_shown_as_such(person, gateway, app):
    metadata = {
        "client_name": "Notes, honestly", "redirect_uris": [app.redirect_uri], "token_endpoint_auth_method": "none",
        "grant_types": ["authorization_code", "refresh_token"],
    }
    answer = requests.post(gateway.endpoint("register"), json=metadata, timeout=10)
    assert answer.status_code == 201, answer.text
    request = gateway.request(answer.json()["client_id"], scope="notes:read notes:write")
    person.go(request.url)
    person.page_is_sound("sign-in")
    person.sign_in("alice")
    person.sees(ASKS)
    assert "not verified" in person.text
    person.page_is_sound("consent")
    person.press("Allow")
    person.sees("^Back in the app$")
    assert gateway.read(request.tokens()["access_token"]) == 200


# What is wrong, and what another site tries.


@pytest.mark.parametrize("wrong", [
    {"client_id": "unheard-of"},
    {"redirect_uri": "https://evil.example/callback"},
    {"redirect_uri": "javascript:alert(1)"},
], ids=["client", "host", "scheme"])
def test_who_asks_wrongly_gets_nobody_back(glance, gateway, wrong):
    glance.go(gateway.request(**wrong).url)
    glance.sees("cannot be connected")
    assert glance.url.startswith(gateway.url)
    glance.page_is_sound("error", console=("status of 400",))


def test_other_errors_are_told_to_the_app_once_somebody_is_there(desk, gateway):
    request = gateway.request(scope="unheard:of")
    desk.go(request.url)
    desk.sees("^Sign in$")
    desk.sign_in("alice")
    desk.sees("^Back in the app$")
    assert request.error() == "invalid_scope"


def hidden(page: str) -> str:
    return html.unescape(re.search(r'name="dialogue" value="([^"]+)"', page).group(1))


def test_a_form_of_another_browser_is_refused(glance, gateway, app):
    """A sign-in form that somebody else got, sent by a page of theirs: nobody is signed in as them."""
    theirs = hidden(requests.get(gateway.request().url, timeout=10).text)
    app.pages["/attack"] = (
        f'<h1>Win a prize</h1><form method="post" action="{gateway.endpoint("login")}">'
        f'<input type="hidden" name="dialogue" value="{theirs}"><input type="hidden" name="username" value="bob">'
        '<input type="hidden" name="password" value="correct horse"><button>Go</button></form>'
    )
    glance.go(f"{app.origin}/attack")
    glance.press("Go")
    glance.sees("cannot be used")
    glance.page_is_sound("forged", console=("status of 403",))
    assert not any("session" in name for name in glance.cookies())


def test_a_decision_of_another_site_grants_nothing(desk, gateway, app):
    """The form itself, of this very browser and session, but sent by another site."""
    desk.go(gateway.request(scope="notes:read").url)
    desk.sign_in("alice")
    desk.sees(ASKS)
    form = desk.button("Allow").find_element("xpath", "ancestor::form")
    dialogue = form.find_element("name", "dialogue").get_attribute("value")
    app.pages["/attack"] = (
        f'<h1>Win a prize</h1><form method="post" action="{gateway.endpoint("consent")}">'
        f'<input type="hidden" name="dialogue" value="{dialogue}"><input type="hidden" name="scope" value="notes:read">'
        '<input type="hidden" name="decision" value="allow"><button>Go</button></form>'
    )
    desk.go(f"{app.origin}/attack")
    desk.press("Go")
    desk.sees("cannot be used")
    assert app.answers.empty()


def test_a_changed_form_is_refused(desk, gateway, app):
    desk.go(gateway.request(scope="notes:read").url)
    desk.sign_in("alice")
    desk.sees(ASKS)
    desk.driver.execute_script("document.getElementById('scope-1').value = 'notes:write'")
    desk.press("Allow")
    desk.sees("cannot be used")
    assert app.answers.empty()


def test_no_page_can_be_framed(desk, gateway, app):
    app.pages["/frame"] = f'<h1>Win a prize</h1><iframe src="{html.escape(gateway.request().url)}"></iframe>'
    desk.go(f"{app.origin}/frame")
    assert any("frame" in line for line in desk.complaints())
    desk.driver.switch_to.frame(0)
    assert not desk.driver.find_elements("id", "password")
    desk.driver.switch_to.default_content()


def test_too_many_wrong_passwords_are_told_to_wait(visit, gateway):
    person = visit(LOOKS[2])
    person.go(gateway.request().url)
    for _ in range(22):
        person.sign_in("mallory", "wrong")
        if "too many" in person.text:
            break
    assert "too many" in person.text
    person.page_is_sound("throttled", console=("status of 429",))
    # Nobody else is held back.
    person.sign_in("alice")
    person.sees(ASKS)
