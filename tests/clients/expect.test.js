// `Expect: 100-continue` between Node's client and Node's server, with the gateway in between.

import assert from "node:assert/strict";
import { createServer, request } from "node:http";
import { after, before, test } from "node:test";
import { SECRETS, startGateway } from "./gateway.js";

let api, gateway, bearer;
const bodies = [];

function answer(incoming, outgoing) {
  let length = 0;
  incoming.on("data", (piece) => (length += piece.length));
  incoming.on("end", () => {
    bodies.push(length);
    outgoing.end(String(length));
  });
}

before(async () => {
  api = createServer(answer);
  api.on("checkContinue", (incoming, outgoing) => {
    if (incoming.url === "/unwanted") return outgoing.writeHead(413).end("too much");
    outgoing.writeContinue();
    answer(incoming, outgoing);
  });
  await new Promise((resolve) => api.listen(0, "127.0.0.1", resolve));
  gateway = await startGateway({ json: api.address().port });
  const token = await fetch(`${gateway.url}/oauth2/token`, {
    method: "POST",
    headers: { authorization: `Basic ${Buffer.from(`service:${SECRETS.service}`).toString("base64")}` },
    body: new URLSearchParams({ grant_type: "client_credentials", scope: "notes:write" }),
  });
  bearer = `Bearer ${(await token.json()).access_token}`;
});
after(async () => {
  await gateway.stop();
  api.closeAllConnections();
  await new Promise((resolve) => api.close(resolve));
});

// Sends `body` once it is asked for; resolves to the status, the content, and how often it was asked for.
function ask(path, body, more = {}) {
  return new Promise((resolve, reject) => {
    let asked = 0;
    const outgoing = request(`${gateway.url}/json${path}`, {
      method: "PUT",
      headers: { expect: "100-continue", authorization: bearer, ...more },
    });
    outgoing.on("continue", () => {
      asked += 1;
      outgoing.end(body);
    });
    outgoing.on("response", async (incoming) => {
      let content = "";
      for await (const piece of incoming) content += piece;
      resolve({ status: incoming.statusCode, content, asked });
      outgoing.destroy();
    });
    outgoing.on("error", reject);
    outgoing.flushHeaders();
  });
}

test("the server asks for the body, once", async () => {
  const body = Buffer.alloc(3_000_000, "x");
  for (const framing of [{ "content-length": body.length }, { "transfer-encoding": "chunked" }]) {
    assert.deepEqual(await ask("/wanted", body, framing), { status: 200, content: "3000000", asked: 1 });
  }
});

test("the server refuses the head, and gets no body", async () => {
  bodies.length = 0;
  assert.deepEqual(await ask("/unwanted", "x".repeat(1000), { "content-length": 1000 }), { status: 413, content: "too much", asked: 0 });
  assert.deepEqual(bodies, []);
});

test("the gateway refuses the head, and the server hears nothing", async () => {
  bodies.length = 0;
  const { status, asked } = await ask("/wanted", "x", { "content-length": 1, authorization: "Bearer tga_none" });
  assert.deepEqual([status, asked, bodies], [401, 0, []]);
});
