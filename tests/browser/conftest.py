"""A gateway, an app that sends people to it, and Debian's Chromium."""

import base64
import hashlib
import itertools
import os
import pathlib
import re
import secrets
import urllib.parse
from dataclasses import dataclass, field

import pytest
import requests
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

from app import App
from gateway import WEB_SECRET, running_gateway
from gateway_process import free_port
from person import Look, Person

LIGHT, DARK = False, True
SIZES = {"desktop": (1280, 900), "phone": (390, 844)}
# Every pair of width, colours and script is there.
LOOKS = [
    Look(*SIZES["desktop"], dark=False, script=True),
    Look(*SIZES["desktop"], dark=True, script=False),
    Look(*SIZES["phone"], dark=False, script=False),
    Look(*SIZES["phone"], dark=True, script=True),
]


@dataclass
class Request:
    """An authorization request, and what its client keeps for the code."""

    gateway: str
    app: App
    client_id: str
    more: dict[str, str]
    verify: bool | str
    state: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(48))

    @property
    def url(self) -> str:
        challenge = base64.urlsafe_b64encode(hashlib.sha256(self.verifier.encode()).digest()).rstrip(b"=").decode()
        query = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": self.app.redirect_uri,
            "state": self.state,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        } | self.more
        return f"{self.gateway}/oauth2/authorize?{urllib.parse.urlencode(query)}"

    def code(self) -> str:
        """The code that came back, with everything that belongs to it."""
        answer = self.app.answer()
        assert set(answer) == {"code", "state", "iss"}, answer
        assert answer["state"] == self.state
        assert answer["iss"] == self.gateway
        return answer["code"]

    def error(self) -> str:
        """The error that came back."""
        answer = self.app.answer()
        assert answer["state"] == self.state
        assert answer["iss"] == self.gateway
        return answer["error"]

    def tokens(self) -> dict:
        """What the code that came back is good for."""
        form = {
            "grant_type": "authorization_code", "code": self.code(), "redirect_uri": self.app.redirect_uri,
            "code_verifier": self.verifier, "client_id": self.client_id,
        }
        if self.client_id == "web":
            form["client_secret"] = WEB_SECRET
        answer = requests.post(f"{self.gateway}/oauth2/token", data=form, timeout=10, verify=self.verify)
        assert answer.status_code == 200, answer.text
        return answer.json()


class Gateway:
    """Where the gateway is."""

    def __init__(self, url: str, app: App, verify: bool | str = True):
        self.url, self.app, self.verify = url, app, verify

    def endpoint(self, name: str) -> str:
        return f"{self.url}/oauth2/{name}"

    def request(self, client_id: str = "desktop", **more: str) -> Request:
        return Request(self.url, self.app, client_id, more, self.verify)

    def read(self, token: str) -> int:
        """The status of a request with a token."""
        bearer = {"Authorization": f"Bearer {token}"}
        return requests.get(f"{self.url}/echo/notes", headers=bearer, timeout=10).status_code


@pytest.fixture(scope="session")
def app():
    server = App()
    yield server
    server.shutdown()


@pytest.fixture(scope="session")
def gateway(tmp_path_factory, app):
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with running_gateway(tmp_path_factory.mktemp("gateway"), port, url):
        yield Gateway(url, app)


@pytest.fixture(scope="session")
def driver(tmp_path_factory):
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    options.accept_insecure_certs = True
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    profile = tmp_path_factory.mktemp("profile")
    for argument in (
        "--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--no-proxy-server", "--lang=en",
        # Names that are not this machine's, for sites that are not on it.
        "--host-resolver-rules=MAP *.test 127.0.0.1",
        "--disable-background-networking", "--disable-features=PasswordLeakDetection", f"--user-data-dir={profile}",
    ):
        options.add_argument(argument)
    browser = webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))
    browser.set_page_load_timeout(20)
    yield browser
    browser.quit()


@pytest.fixture(scope="session")
def screenshots():
    """A folder for pictures of the pages, for people to look at: TOLLGATE_SCREENSHOTS."""
    folder = os.environ.get("TOLLGATE_SCREENSHOTS")
    if folder is None:
        return None
    path = pathlib.Path(folder)
    path.mkdir(parents=True, exist_ok=True)
    return path


@pytest.fixture
def visit(driver, app, screenshots, request):
    """Makes somebody whose browser looks so."""
    name = re.sub(r"\[.*", "", request.node.name).removeprefix("test_")

    def somebody(look: Look) -> Person:
        while not app.answers.empty():
            app.answers.get()
        return Person(driver, look, screenshots, name)

    return somebody


@pytest.fixture(params=LOOKS, ids=str)
def person(visit, request):
    """Somebody, for each look."""
    return visit(request.param)


@pytest.fixture(params=LOOKS[::3], ids=str)
def glance(visit, request):
    """Somebody, for the looks that differ most."""
    return visit(request.param)


@pytest.fixture
def desk(visit):
    """Somebody at a desk: where the look does not matter."""
    return visit(LOOKS[0])


def all_looks():
    """Every combination there is."""
    return [Look(*size, dark=dark, script=script) for size, dark, script in
            itertools.product(SIZES.values(), (LIGHT, DARK), (True, False))]
