"""The account page: what apps may do, where somebody is signed in, and the end of either."""

import html
import re

import requests

from gateway import PASSWORD

OTHER_SESSIONS = "form:has([name=session]) button"


def allow(person, request):
    """Gives an app access; somebody is signed in, or is now."""
    person.go(request.url)
    if person.heading == "Sign in":
        person.sign_in("alice")
    person.sees("wants access")
    person.press("Allow")
    person.sees("^Back in the app$")
    return request.tokens()["access_token"]


def elsewhere(gateway) -> requests.Session:
    """Another browser, in which alice signs in."""
    browser = requests.Session()
    browser.headers["User-Agent"] = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
    page = browser.get(gateway.endpoint("account"), timeout=10)
    dialogue = html.unescape(re.search(r'name="dialogue" value="([^"]+)"', page.text).group(1))
    form = {"dialogue": dialogue, "username": "alice", "password": PASSWORD}
    answer = browser.post(gateway.endpoint("login"), data=form, timeout=10)
    assert "Your account" in answer.text
    return browser


def is_signed_in(browser, gateway) -> bool:
    return "Your account" in browser.get(gateway.endpoint("account"), timeout=10).text


def everything_is_taken_back(person, gateway):
    """What other tests left is not in the way."""
    person.go(gateway.endpoint("account"))
    if person.heading == "Sign in":
        person.sign_in("alice")
    person.sees("^Your account$")
    while person.has_button("Take back access"):
        person.press("Take back")
        person.sees("^Your account$")


def test_access_is_seen_and_taken_back(person, gateway):
    everything_is_taken_back(person, gateway)
    assert "No app has access" in person.text
    person.page_is_sound("empty")
    desktop = allow(person, gateway.request("desktop", scope="notes:read notes:write notes:share"))
    web = allow(person, gateway.request("web", scope="notes:read", prompt="consent"))
    person.go(gateway.endpoint("account"))
    person.sees("^Your account$")
    for told in ("Notes for the desktop", "Notebook", "Read your notes", "Share your notes"):
        assert told in person.text
    person.page_is_sound("two-apps")
    assert (gateway.read(desktop), gateway.read(web)) == (200, 200)

    person.press("Take back access of Notebook")
    person.sees("^Your account$")
    assert "Notebook has no access any more." in person.text
    assert not person.has_button("Take back access of Notebook")
    assert (gateway.read(desktop), gateway.read(web)) == (200, 401)
    person.page_is_sound("one-taken-back")


def test_all_access_is_taken_back(glance, gateway):
    everything_is_taken_back(glance, gateway)
    tokens = [allow(glance, gateway.request(client, scope="notes:read", prompt="consent")) for client in ("desktop", "web")]
    glance.go(gateway.endpoint("account"))
    glance.driver.find_element("tag name", "summary").click()
    glance.page_is_sound("all")
    glance.press("Take back access of all apps")
    glance.sees("^Your account$")
    assert "No app has access" in glance.text
    assert [gateway.read(token) for token in tokens] == [401, 401]
    # What was taken back is asked for again.
    glance.go(gateway.request("web", scope="notes:read").url)
    glance.sees("wants access")


def test_another_sign_in_is_ended(glance, gateway):
    everything_is_taken_back(glance, gateway)
    while sessions := glance.driver.find_elements("css selector", OTHER_SESSIONS):
        with glance.leaving():
            sessions[0].click()
    other = elsewhere(gateway)
    glance.go(gateway.endpoint("account"))
    glance.page_is_sound("two-sessions")
    assert "Firefox" in glance.text
    sessions = glance.driver.find_elements("css selector", OTHER_SESSIONS)
    assert len(sessions) == 1, "one's own sign-in is ended by signing out"
    with glance.leaving():
        sessions[0].click()
    glance.sees("^Your account$")
    assert "Firefox" not in glance.text
    assert not is_signed_in(other, gateway)


def test_somebody_signs_out(person, gateway):
    person.go(gateway.endpoint("account"))
    person.sees("^Sign in$")
    person.page_is_sound("sign-in")
    person.sign_in("alice")
    person.sees("^Your account$")
    stolen = {name: cookie["value"] for name, cookie in person.cookies().items()}
    person.press("Sign out")
    person.page_is_sound("signed-out")
    with person.leaving():
        person.driver.find_element("link text", "Sign in again").click()
    person.sees("^Sign in$")
    assert not any("session" in name for name in person.cookies())
    person.go(gateway.endpoint("account"))
    person.sees("^Sign in$")
    # The value of the cookie is worth nothing now.
    answer = requests.get(gateway.endpoint("account"), cookies=stolen, timeout=10)
    assert "Your account" not in answer.text


def test_a_page_gone_back_to_after_signing_out_is_good_for_nothing(desk, gateway):
    """Browsers may show it from their memory, whatever Cache-Control says."""
    desk.go(gateway.endpoint("account"))
    desk.sign_in("alice")
    desk.sees("^Your account$")
    desk.press("Sign out")
    with desk.leaving():
        desk.driver.back()
    if desk.heading == "Your account":
        desk.press("Sign out")
        desk.sees("cannot be used")
    desk.go(gateway.endpoint("account"))
    desk.sees("^Sign in$")
