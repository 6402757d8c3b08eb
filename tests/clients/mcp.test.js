// The MCP SDK's own client and server, with the gateway between them: discovery, registration, consent, tokens.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { after, before, test } from "node:test";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { UnauthorizedError } from "@modelcontextprotocol/sdk/client/auth.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import { ALICE, startGateway } from "./gateway.js";
import { Visitor } from "./visitor.js";

const REDIRECT_URI = "http://localhost:49155/callback";
const seen = [];
const sessions = new Map();
let server, gateway;

// A server as its users write it: it knows nothing of OAuth, only of what the gateway says.
async function session() {
  const mcp = new McpServer({ name: "notes", version: "1.0.0" });
  mcp.registerTool("whoami", { description: "Who asks" }, ({ requestInfo }) => ({
    content: [{ type: "text", text: `${requestInfo.headers["x-auth-subject"]} by ${requestInfo.headers["x-auth-client"]}` }],
  }));
  const transport = new StreamableHTTPServerTransport({
    sessionIdGenerator: randomUUID,
    onsessioninitialized: (id) => sessions.set(id, transport),
    onsessionclosed: (id) => sessions.delete(id),
  });
  await mcp.connect(transport);
  return transport;
}

before(async () => {
  server = createServer(async (request, response) => {
    seen.push([request.method, request.headers]);
    const transport = sessions.get(request.headers["mcp-session-id"]) ?? (await session());
    await transport.handleRequest(request, response);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  gateway = await startGateway({ mcp: server.address().port });
});
after(async () => {
  server.closeAllConnections();
  server.close();
  await gateway.stop();
});

// What an application keeps for the SDK.
class Provider {
  asked = [];
  redirectUrl = REDIRECT_URI;
  clientMetadata = { client_name: "A model", redirect_uris: [REDIRECT_URI], token_endpoint_auth_method: "none",
    grant_types: ["authorization_code", "refresh_token"], response_types: ["code"] };
  clientInformation = () => this.client;
  saveClientInformation = (client) => (this.client = client);
  tokens = () => this.kept;
  saveTokens = (tokens) => (this.kept = tokens);
  redirectToAuthorization = (url) => this.asked.push(url);
  saveCodeVerifier = (verifier) => (this.verifier = verifier);
  codeVerifier = () => this.verifier;
  state = () => (this.kept_state ??= randomUUID());
}

const url = () => new URL("/mcp", gateway.url);

async function connect(provider) {
  const client = new Client({ name: "model", version: "1.0.0" });
  const transport = new StreamableHTTPClientTransport(url(), { authProvider: provider });
  try {
    await client.connect(transport);
    return client;
  } catch (error) {
    assert.ok(error instanceof UnauthorizedError, `${error}`);
  }
  const answer = await new Visitor(ALICE).allow(provider.asked.at(-1));
  assert.equal(answer.searchParams.get("state"), provider.kept_state);
  assert.equal(answer.searchParams.get("iss"), gateway.url);
  await transport.finishAuth(answer.searchParams.get("code"));
  const again = new Client({ name: "model", version: "1.0.0" });
  await again.connect(new StreamableHTTPClientTransport(url(), { authProvider: provider }));
  return again;
}

test("the whole dance", async () => {
  const provider = new Provider();
  const client = await connect(provider);
  assert.deepEqual((await client.listTools()).tools.map(({ name }) => name), ["whoami"]);
  const told = await client.callTool({ name: "whoami", arguments: {} });
  assert.equal(told.content[0].text, `alice by ${provider.client.client_id}`);
  await client.transport.terminateSession();
  await client.close();

  assert.equal(provider.asked.length, 1);
  const asked = provider.asked[0].searchParams;
  assert.equal(asked.get("resource").replace(/\/$/, ""), url().href);
  assert.equal(asked.get("scope"), "notes:read");
  const methods = new Set(seen.map(([method]) => method));
  assert.ok(["POST", "GET", "DELETE"].every((method) => methods.has(method)), [...methods].join());
  for (const [, headers] of seen) {
    assert.equal(headers.authorization, undefined);
    assert.equal(headers["x-auth-subject"], "alice");
  }
});

test("a token that is not believed any more is refreshed without asking", async () => {
  const provider = new Provider();
  await (await connect(provider)).close();
  const first = provider.kept;
  provider.kept = { ...first, access_token: "tga_forged" };
  const client = await connect(provider);
  assert.match((await client.callTool({ name: "whoami", arguments: {} })).content[0].text, /^alice by /);
  await client.close();
  assert.notEqual(provider.kept.refresh_token, first.refresh_token);
  assert.equal(provider.asked.length, 1);
});
