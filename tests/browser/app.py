"""The app that sends people to the gateway: it remembers what comes back, and serves pages that another site could."""

import http.server
import queue
import threading
import urllib.parse


# What the callback of a single page app does in its popup.
TELL_OPENER = "<script>window.opener?.postMessage(location.search, location.origin)</script>"


class App(http.server.ThreadingHTTPServer):
    """Listens on a free port."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers = queue.Queue()
        self.pages = {}
        self.redirects = {}
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    @property
    def redirect_uri(self) -> str:
        return f"{self.origin}/callback"

    def answer(self) -> dict[str, str]:
        """What came back by redirect, once."""
        query = self.answers.get(timeout=10)
        assert self.answers.empty()
        assert all(len(values) == 1 for values in query.values()), query
        return {name: values[0] for name, values in query.items()}


class Handler(http.server.BaseHTTPRequestHandler):
    """`/callback` takes the answer, some paths lead elsewhere, other paths are pages of a test."""

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        if url.path == "/callback":
            assert self.headers.get("Referer") is None
            self.server.answers.put(urllib.parse.parse_qs(url.query, keep_blank_values=True))
            self.say(200, "<title>Back in the app</title><h1>Back in the app</h1>" + TELL_OPENER)
        elif url.path in self.server.redirects:
            self.say(302, "", {"Location": f"{self.server.redirects[url.path]}?{url.query}"})
        elif url.path in self.server.pages:
            self.say(200, self.server.pages[url.path])
        else:
            self.say(404, "<h1>Nothing</h1>")

    def say(self, status: int, html: str, fields: dict[str, str] | None = None) -> None:
        content = f'<!doctype html><html lang="en"><link rel="icon" href="data:,">{html}'.encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        for name, value in (fields or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        """Says nothing."""
