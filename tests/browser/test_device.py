"""Connecting a device that has no browser (RFC 8628)."""

import time

import pytest
import requests


class Television:
    """A device: it shows a code and asks again and again."""

    def __init__(self, gateway, scope="notes:read notes:write"):
        self.gateway = gateway
        form = {"client_id": "television", "scope": scope}
        answer = requests.post(gateway.endpoint("device_authorization"), data=form, timeout=10)
        assert answer.status_code == 200, answer.text
        self.told = answer.json()

    def poll(self) -> dict:
        time.sleep(1.1)
        form = {
            "client_id": "television", "device_code": self.told["device_code"],
            "grant_type": "urn:ietf:params:oauth:grant-type:device_code",
        }
        return requests.post(self.gateway.endpoint("token"), data=form, timeout=10).json()


def test_a_code_is_typed_and_the_device_connected(person, gateway):
    television = Television(gateway)
    assert television.poll()["error"] == "authorization_pending"
    person.go(television.told["verification_uri"])
    person.sees("^Sign in$")
    person.page_is_sound("sign-in")
    person.sign_in("alice")
    person.sees("^Connect a device$")
    person.page_is_sound("enter")

    person.field("Code").send_keys("BBBB-BBBB")
    person.press("Continue")
    person.sees("^Connect a device$")
    assert person.driver.find_elements("css selector", "[role=alert]"), person.text
    person.page_is_sound("wrong", console=("status of 4",))

    code = television.told["user_code"]
    field = person.field("Code")
    field.clear()
    field.send_keys(code.lower().replace("-", " "))
    person.press("Continue")
    person.sees("wants access")
    assert code in person.text and "Notes on the television" in person.text
    person.page_is_sound("consent")
    person.field("Add and change your notes").click()
    person.press("Allow")
    person.sees("(?i)connected")
    person.page_is_sound("connected")
    tokens = television.poll()
    assert tokens["scope"] == "notes:read"
    assert gateway.read(tokens["access_token"]) == 200


def test_the_code_of_a_link_is_compared_not_believed(glance, gateway):
    television = Television(gateway)
    glance.go(television.told["verification_uri_complete"])
    glance.sign_in("alice")
    glance.page_is_sound("arrived")
    assert television.poll()["error"] == "authorization_pending"
    if glance.has_button("Continue"):
        assert glance.field("Code").get_attribute("value") == television.told["user_code"]
        glance.press("Continue")
    glance.sees("wants access")
    assert television.told["user_code"] in glance.text
    glance.press("Refuse")
    glance.page_is_sound("refused")
    assert television.poll()["error"] == "access_denied"


@pytest.mark.parametrize("code", ["", "????", "A" * 60])
def test_what_is_no_code_is_told_so(desk, gateway, code):
    desk.go(gateway.endpoint("device"))
    desk.sign_in("alice")
    desk.sees("^Connect a device$")
    # The browser itself would not send an empty field.
    desk.driver.execute_script("document.querySelector('#user_code').required = false")
    desk.field("Code").send_keys(code)
    desk.press("Continue")
    desk.sees("^Connect a device$")
    assert desk.driver.find_elements("css selector", "[role=alert]")
