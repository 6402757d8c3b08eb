"""An MCP server (the SDK's, over streamable HTTP) that says who asks; it knows nothing of OAuth."""

import socket
import threading

import uvicorn
from mcp.server.mcpserver import Context, MCPServer


class McpServer:
    """Listens on a free port; remembers which fields requests had."""

    def __init__(self):
        self.seen: list[dict[str, str]] = []
        notes = MCPServer("notes")

        @notes.tool()
        def whoami(ctx: Context) -> str:
            """Who asks, by what the gateway says."""
            return f"{ctx.headers['x-auth-subject']} by {ctx.headers['x-auth-client']}"

        @notes.tool()
        async def count(ctx: Context, to: int) -> str:
            """Counts, and says so on the way."""
            for number in range(to):
                await ctx.report_progress(number + 1, to)
            return f"counted to {to}"

        listener = socket.create_server(("127.0.0.1", 0))
        self.port = listener.getsockname()[1]
        app = self.watch(notes.streamable_http_app())
        self.server = uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=2))
        self.thread = threading.Thread(target=self.server.run, args=([listener],), daemon=True)
        self.thread.start()

    def watch(self, app):
        async def watched(scope, receive, send):
            if scope["type"] == "http":
                fields = {name.decode(): value.decode() for name, value in scope["headers"]}
                self.seen.append(fields | {":method": scope["method"], ":path": scope["path"]})
            await app(scope, receive, send)

        return watched

    def stop(self) -> None:
        self.server.should_exit = True
        self.thread.join(timeout=10)
