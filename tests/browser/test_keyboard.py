"""With Tab, Space and Enter alone: everything is reached, in the order it is read, and seen to be reached."""

import pytest
from selenium.webdriver import Keys

from conftest import LOOKS
from test_device import Television


@pytest.fixture(params=[LOOKS[1], LOOKS[3]], ids=str)
def typist(visit, request):
    return visit(request.param)


def sign_in(person, name: str, password: str) -> None:
    """The name has the focus when the page comes."""
    assert person.ask("focus")["name"] == "Username"
    person.type(name)
    assert person.tab() == "Password"
    person.send(password, Keys.ENTER)


def test_allowing_less(typist, gateway):
    request = gateway.request(scope="notes:read notes:write")
    typist.go(request.url)
    sign_in(typist, "alice", "wrong")
    typist.sees("^Sign in$")
    # What was typed stays, and the password is what to type again.
    assert typist.ask("focus")["name"] == "Password"
    assert typist.tab() == "Sign in"
    assert typist.tab(back=True) == "Password"
    typist.type("correct horse")
    assert typist.tab() == "Sign in"
    typist.send(Keys.SPACE)
    typist.sees("wants access")
    order = [typist.tab() for _ in range(5)]
    assert order == ["Use another account", "Read your notes", "Add and change your notes", "Refuse", "Allow"]
    typist.shoot("focus-allow")
    assert typist.tab(back=True) == "Refuse"
    assert typist.tab(back=True) == "Add and change your notes"
    typist.shoot("focus-scope")
    typist.type(Keys.SPACE)
    typist.tab_to("Allow")
    typist.send(Keys.ENTER)
    typist.sees("^Back in the app$")
    assert request.tokens()["scope"] == "notes:read"


def test_refusing(typist, gateway):
    request = gateway.request(scope="notes:read")
    typist.go(request.url)
    sign_in(typist, "alice", "correct horse")
    typist.sees("wants access")
    typist.tab_to("Refuse")
    typist.send(Keys.SPACE)
    typist.sees("^Back in the app$")
    assert request.error() == "access_denied"


def test_enter_on_the_consent_page_does_not_allow(desk, gateway, app):
    """Pressing Enter in a check box takes a form's first button: that is the one that grants nothing."""
    request = gateway.request(scope="notes:read")
    desk.go(request.url)
    sign_in(desk, "alice", "correct horse")
    desk.sees("wants access")
    desk.tab_to("Read your notes")
    desk.send(Keys.ENTER)
    desk.sees("^Back in the app$")
    assert request.error() == "access_denied"


def test_taking_back_and_signing_out(typist, gateway):
    for client in ("desktop", "web"):
        request = gateway.request(client, scope="notes:read", prompt="consent")
        typist.go(request.url)
        if typist.heading == "Sign in":
            sign_in(typist, "alice", "correct horse")
            typist.sees("wants access")
        typist.tab_to("Allow")
        typist.send(Keys.ENTER)
        typist.sees("^Back in the app$")
        request.tokens()
    typist.go(gateway.endpoint("account"))
    assert typist.tab() == "Sign out", "the first of the page"
    typist.tab_to("Take back access of Notebook")
    typist.shoot("focus-take-back")
    typist.send(Keys.ENTER)
    typist.wait(lambda: "Notebook has no access any more." in typist.text, "the notice")
    typist.tab_to("Sign out")
    typist.send(Keys.SPACE)
    typist.go(gateway.endpoint("account"))
    typist.sees("^Sign in$")


def test_connecting_a_device(typist, gateway):
    television = Television(gateway, scope="notes:read")
    typist.go(television.told["verification_uri"])
    sign_in(typist, "alice", "correct horse")
    typist.sees("^Connect a device$")
    assert typist.ask("focus")["name"] == "Code"
    typist.send(television.told["user_code"], Keys.ENTER)
    typist.sees("wants access")
    typist.tab_to("Allow")
    typist.send(Keys.ENTER)
    typist.sees("(?i)connected")
    assert "access_token" in television.poll()
