"""`git http-backend`, the smart HTTP server that comes with git, behind Python's HTTP server."""

import http.server
import os
import subprocess


class GitServer(http.server.ThreadingHTTPServer):
    """Serves the repositories below a folder; remembers which fields requests had."""

    daemon_threads = True

    def __init__(self, address, folder):
        super().__init__(address, Handler)
        self.folder = folder
        self.seen = []


class Handler(http.server.BaseHTTPRequestHandler):
    """One request, one CGI process (RFC 3875)."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.run_backend(b"")

    def do_POST(self):
        self.run_backend(self.body())

    def body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", "0")))
        content = b""
        while size := int(self.rfile.readline(), 16):
            content += self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return content

    def run_backend(self, content: bytes) -> None:
        fields = {name.lower(): value for name, value in self.headers.items()}
        self.server.seen.append((self.command, self.path, fields))
        path, _, query = self.path.partition("?")
        environment = os.environ | {
            "GIT_PROJECT_ROOT": str(self.server.folder),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GATEWAY_INTERFACE": "CGI/1.1",
            "REQUEST_METHOD": self.command,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(content)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "REMOTE_USER": self.headers.get("X-Auth-Client", ""),
        }
        done = subprocess.run(["git", "http-backend"], input=content, env=environment, capture_output=True, check=False)
        head, _, answer = done.stdout.partition(b"\r\n\r\n")
        answered = dict(line.split(": ", 1) for line in head.decode().splitlines())
        self.send_response(int(answered.pop("Status", "200").split()[0]))
        for name, value in answered.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        """Says nothing."""
