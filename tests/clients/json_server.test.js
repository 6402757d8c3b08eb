// json-server, an API that nobody here wrote, behind the gateway: read with one scope, changed with another.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import jsonServer from "json-server";
import { SECRETS, startGateway } from "./gateway.js";

const seen = [];
let api, gateway;

before(async () => {
  const app = jsonServer.create();
  app.use((request, _response, next) => (seen.push(request.headers), next()));
  app.use(jsonServer.defaults({ logger: false }));
  app.use(jsonServer.router({ notes: [{ id: 1, text: "first" }, { id: 2, text: "second" }] }));
  api = await new Promise((resolve) => {
    const server = app.listen(0, "127.0.0.1", () => resolve(server));
  });
  gateway = await startGateway({ json: api.address().port });
});
after(async () => {
  await gateway.stop();
  api.closeAllConnections();
  await new Promise((resolve) => api.close(resolve));
});

async function token(scope) {
  const basic = Buffer.from(`service:${SECRETS.service}`).toString("base64");
  const answer = await fetch(`${gateway.url}/oauth2/token`, {
    method: "POST",
    headers: { authorization: `Basic ${basic}` },
    body: new URLSearchParams({ grant_type: "client_credentials", scope }),
  });
  assert.equal(answer.status, 200);
  return (await answer.json()).access_token;
}

function call(bearer, method, path, note) {
  const headers = { ...(bearer && { authorization: `Bearer ${bearer}` }), ...(note && { "content-type": "application/json" }) };
  return fetch(`${gateway.url}/json${path}`, { method, headers, body: note && JSON.stringify(note) });
}

test("reading, with lists, filters and conditions", async () => {
  const read = await token("notes:read");
  assert.deepEqual((await (await call(read, "GET", "/notes")).json()).map((note) => note.id), [1, 2]);
  assert.equal((await (await call(read, "GET", "/notes?q=second&_limit=1")).json())[0].id, 2);
  const one = await call(read, "GET", "/notes/1");
  assert.equal((await one.json()).text, "first");
  assert.equal((await call(read, "HEAD", "/notes/1")).status, 200);
  const etag = one.headers.get("etag");
  const again = await fetch(`${gateway.url}/json/notes/1`, { headers: { authorization: `Bearer ${read}`, "if-none-match": etag, "cache-control": "max-age=0" } });
  assert.equal(again.status, 304);
  assert.equal((await call(read, "GET", "/notes/99")).status, 404);
});

test("changing needs the other scope", async () => {
  const [read, write] = [await token("notes:read"), await token("notes:write")];
  assert.equal((await call(undefined, "GET", "/notes")).status, 401);
  assert.equal((await call(read, "POST", "/notes", { text: "no" })).status, 403);
  assert.equal((await call(write, "GET", "/notes")).status, 403);
  const made = await call(write, "POST", "/notes", { text: "äöü 😀" });
  assert.equal(made.status, 201);
  const { id } = await made.json();
  assert.equal((await call(write, "PATCH", `/notes/${id}`, { text: "changed" })).status, 200);
  assert.equal((await (await call(read, "GET", `/notes/${id}`)).json()).text, "changed");
  assert.equal((await call(write, "DELETE", `/notes/${id}`)).status, 200);
  assert.equal((await call(read, "GET", `/notes/${id}`)).status, 404);
});

test("large and compressed answers arrive whole", async () => {
  const [read, write] = [await token("notes:read"), await token("notes:write")];
  const text = "x".repeat(90_000);
  const { id } = await (await call(write, "POST", "/notes", { text })).json();
  assert.equal((await (await call(read, "GET", `/notes/${id}`)).json()).text, text);
});

test("the API sees who is asking and never the token", () => {
  assert.ok(seen.length > 0);
  for (const headers of seen) {
    assert.equal(headers["x-auth-client"], "service");
    assert.equal(headers.authorization, undefined);
    assert.equal(headers["x-auth-subject"], undefined);
  }
});
