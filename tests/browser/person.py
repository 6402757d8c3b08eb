"""Somebody with a browser."""

import base64
import contextlib
import pathlib
import re
from dataclasses import dataclass

from selenium.common.exceptions import TimeoutException, WebDriverException
from selenium.webdriver import Keys
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from gateway import PASSWORD

PAGE = (pathlib.Path(__file__).parent / "page.js").read_text()


@dataclass(frozen=True)
class Look:
    """How somebody sees pages."""

    width: int
    height: int
    dark: bool
    script: bool

    def __str__(self):
        place = "phone" if self.width < 600 else "desktop"
        return f"{place}-{'dark' if self.dark else 'light'}-{'script' if self.script else 'noscript'}"


class Person:
    """Reads, types and presses; what is on the page is named as people see it."""

    def __init__(self, driver, look: Look, screenshots: pathlib.Path | None, test: str):
        self.driver, self.look, self.screenshots, self.test = driver, look, screenshots, test
        self.shots = 0
        driver.execute_cdp_cmd("Network.clearBrowserCookies", {})
        scheme = {"name": "prefers-color-scheme", "value": "dark" if look.dark else "light"}
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
        driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": not look.script})
        self.resize(look.width)
        driver.get("about:blank")
        driver.get_log("browser")

    def resize(self, width: int) -> None:
        phone = width < 600
        size = {"width": width, "height": self.look.height, "deviceScaleFactor": 2 if phone else 1, "mobile": phone}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)

    # What is there.

    def go(self, url: str) -> None:
        self.driver.get(url)

    @property
    def url(self) -> str:
        return self.driver.current_url

    @property
    def heading(self) -> str:
        return self.driver.find_element(By.TAG_NAME, "h1").text

    @property
    def text(self) -> str:
        return self.driver.find_element(By.TAG_NAME, "body").text

    def sees(self, heading: str) -> None:
        """Waits for a page with this heading."""
        self.wait(lambda: re.search(heading, self.heading), heading)
        self.wait(lambda: self.driver.execute_script("return document.readyState") == "complete", "loaded")

    def wait(self, condition, what: str) -> None:
        # A page that is just being left answers every question with some error.
        wait = WebDriverWait(self.driver, 10, poll_frequency=0.02, ignored_exceptions=[WebDriverException])
        try:
            wait.until(lambda _: condition())
        except TimeoutException:
            raise AssertionError(f"{what!r}, but: {self.text}") from None

    @contextlib.contextmanager
    def leaving(self):
        """What happens inside leads to another page."""
        page = self.driver.find_element(By.TAG_NAME, "html")
        yield
        self.wait(lambda: is_gone(page), "another page")
        self.wait(lambda: self.driver.execute_script("return document.readyState") == "complete", "loaded")

    def field(self, label: str):
        """The input with this label."""
        found = self.driver.find_element(By.XPATH, f"//label[normalize-space()={quoted(label)}]")
        return self.driver.find_element(By.ID, found.get_attribute("for"))

    def button(self, text: str, number: int = 0):
        """The button that begins with this text."""
        wanted = f"//button[starts-with(normalize-space(), {quoted(text)})]"
        buttons = [button for button in self.driver.find_elements(By.XPATH, wanted) if button.is_displayed()]
        assert buttons, f"no button {text!r}: {self.text}"
        return buttons[number]

    def has_button(self, text: str) -> bool:
        return bool(self.driver.find_elements(By.XPATH, f"//button[starts-with(normalize-space(), {quoted(text)})]"))

    # What people do.

    def press(self, text: str, number: int = 0) -> None:
        with self.leaving():
            self.button(text, number).click()

    def sign_in(self, name: str, password: str = PASSWORD) -> None:
        field = self.field("Username")
        field.clear()
        field.send_keys(name)
        self.field("Password").send_keys(password)
        self.press("Sign in")

    def type(self, *keys: str) -> None:
        self.focused.send_keys(*keys)

    def send(self, *keys: str) -> None:
        """Types what sends a form."""
        with self.leaving():
            self.type(*keys)

    @property
    def focused(self):
        return self.driver.switch_to.active_element

    def tab(self, back: bool = False) -> str:
        """Moves on by one; what has the focus is seen to have it. Its name."""
        self.type(Keys.SHIFT + Keys.TAB + Keys.NULL if back else Keys.TAB)
        told = self.ask("focus")
        assert told["ring"], f"no visible focus on {told}"
        return told["name"]

    def tab_to(self, name: str) -> None:
        """Moves on until this has the focus."""
        seen = []
        for _ in range(40):
            seen.append(self.tab())
            if seen[-1].startswith(name):
                return
        raise AssertionError(f"{name!r} is not reached: {seen}")

    # How the page is.

    def ask(self, question: str):
        """One of the questions of page.js. The page's own scripts stay off where they are off."""
        return self.driver.execute_script(f"{PAGE}\nreturn questions.{question}();")

    def page_is_sound(self, name: str, console: tuple[str, ...] = ()) -> None:
        """What holds for every page, at its width and at the narrowest; `console`: what may be complained of."""
        self.shoot(name)
        problems = self.ask("problems")
        widths = (self.look.width, 320) if self.look.width < 600 else (self.look.width,)
        for width in widths:
            self.resize(width)
            wide = self.ask("width")
            if wide > width:
                problems.append(f"{wide} pixels wide at {width}")
        self.resize(self.look.width)
        problems += self.complaints(console)
        assert not problems, f"{name}: {problems}"

    def complaints(self, expected: tuple[str, ...] = ()) -> list[str]:
        """What the browser's console says: violations of the content security policy above all."""
        said = [entry["message"] for entry in self.driver.get_log("browser")]
        return [line for line in said if not any(part in line for part in expected)]

    def shoot(self, name: str) -> None:
        if self.screenshots is None:
            return
        self.shots += 1
        options = {"captureBeyondViewport": True, "fromSurface": True}
        image = self.driver.execute_cdp_cmd("Page.captureScreenshot", options)["data"]
        path = self.screenshots / f"{self.test}-{self.look}-{self.shots}-{name}.png"
        path.write_bytes(base64.b64decode(image))

    def cookies(self) -> dict[str, dict]:
        told = self.driver.execute_cdp_cmd("Network.getCookies", {"urls": [self.url]})
        return {cookie["name"]: cookie for cookie in told["cookies"]}


def is_gone(element) -> bool:
    try:
        element.is_enabled()
        return False
    except WebDriverException:
        return True


def quoted(text: str) -> str:
    """For XPath."""
    return f'"{text}"'
