"""A resource owner without a browser: fills in the forms of the pages, and goes where they lead."""

import html.parser
import urllib.parse

import requests

from dataclasses import dataclass, field


@dataclass
class Form:
    """What a form would send, less its buttons."""

    action: str
    fields: list[tuple[str, str]] = field(default_factory=list)
    names: set[str] = field(default_factory=set)
    buttons: set[tuple[str, str]] = field(default_factory=set)


class Forms(html.parser.HTMLParser):
    """The forms of a page."""

    def __init__(self, page: str):
        super().__init__()
        self.found: list[Form] = []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        told = {name: value or "" for name, value in attributes}
        if tag == "form":
            self.found.append(Form(told["action"]))
        elif tag == "input" and self.found:
            form = self.found[-1]
            form.names.add(told["name"])
            if told.get("type") in ("hidden", "checkbox") and (told["type"] == "hidden" or "checked" in told):
                form.fields.append((told["name"], told.get("value", "")))
        elif tag == "button" and self.found and "name" in told:
            self.found[-1].buttons.add((told["name"], told["value"]))


class Visitor:
    """Somebody with cookies."""

    def __init__(self, name: str, password: str):
        self.name, self.password = name, password
        self.http = requests.Session()
        self.http.trust_env = False

    def allow(self, url: str, decision: str = "allow") -> str:
        """Where the answer to an authorization request goes, once it has been decided."""
        answer = self.http.get(url, timeout=20, allow_redirects=False)
        for _ in range(6):
            if answer.is_redirect:
                location = urllib.parse.urljoin(answer.url, answer.headers["Location"])
                if urllib.parse.urlsplit(location).netloc != urllib.parse.urlsplit(url).netloc:
                    return location
                answer = self.http.get(location, timeout=20, allow_redirects=False)
            else:
                assert answer.status_code == 200, answer.text
                answer = self.fill_in(answer, decision)
        raise AssertionError(f"it leads nowhere: {answer.text}")

    def connect(self, url: str) -> None:
        """Allows the device of `verification_uri_complete`."""
        answer = self.http.get(url, timeout=20)
        for _ in range(4):
            if not any(form.buttons or "username" in form.names or "user_code" in form.names
                       for form in Forms(answer.text).found):
                break
            answer = self.fill_in(answer, "allow", follow=True)
        assert answer.status_code == 200, answer.text

    def fill_in(self, page: requests.Response, decision: str, follow: bool = False) -> requests.Response:
        """Sends the form of a page that it is about."""
        forms = Forms(page.text).found
        for form in forms:
            if "username" in form.names:
                fields = [("username", self.name), ("password", self.password)]
            elif ("decision", decision) in form.buttons:
                fields = [("decision", decision)]
            elif "user_code" in form.names:
                code = urllib.parse.parse_qs(urllib.parse.urlsplit(page.url).query)["user_code"][0]
                fields = [("user_code", code)]
            else:
                continue
            url = urllib.parse.urljoin(page.url, form.action)
            return self.http.post(url, data=form.fields + fields, timeout=20, allow_redirects=follow)
        raise AssertionError(f"no form to fill in: {page.text}")
