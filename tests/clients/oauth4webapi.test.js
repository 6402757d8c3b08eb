// oauth4webapi discovers the gateway, gets, uses, refreshes, introspects and revokes tokens.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import * as oauth from "oauth4webapi";
import { ALICE, SECRETS, startGateway } from "./gateway.js";
import { Visitor } from "./visitor.js";

const insecure = { [oauth.allowInsecureRequests]: true };
let gateway, server;

before(async () => {
  gateway = await startGateway();
  const issuer = new URL(gateway.url);
  const answer = await oauth.discoveryRequest(issuer, { algorithm: "oauth2", ...insecure });
  server = await oauth.processDiscoveryResponse(issuer, answer);
});
after(() => gateway.stop());

async function clientCredentials(scope, auth = oauth.ClientSecretBasic(SECRETS.service)) {
  const client = { client_id: "service" };
  const answer = await oauth.clientCredentialsGrantRequest(server, client, auth, new URLSearchParams({ scope }), insecure);
  return oauth.processClientCredentialsResponse(server, client, answer);
}

function use(token, method, path) {
  return oauth.protectedResourceRequest(token, method, new URL(path, gateway.url), undefined, undefined, insecure);
}

test("the metadata is what RFC 8414 says", () => {
  assert.equal(server.issuer, gateway.url);
  assert.ok(server.grant_types_supported.includes("client_credentials"));
});

test("the protected resource is discovered (RFC 9728)", async () => {
  const resource = new URL(gateway.url);
  const answer = await oauth.resourceDiscoveryRequest(resource, insecure);
  const told = await oauth.processResourceDiscoveryResponse(resource, answer);
  assert.deepEqual(told.authorization_servers, [gateway.url]);
});

for (const [name, auth] of [["header", oauth.ClientSecretBasic], ["body", oauth.ClientSecretPost]]) {
  test(`client credentials by ${name}`, async () => {
    const tokens = await clientCredentials("notes:read notes:write", auth(SECRETS.service));
    assert.equal((await use(tokens.access_token, "GET", "/echo/notes")).status, 200);
    assert.equal((await use(tokens.access_token, "POST", "/echo/notes")).status, 200);
  });
}

test("challenges are understood", async () => {
  const { access_token } = await clientCredentials("notes:read");
  for (const [token, method, error] of [[access_token, "POST", "insufficient_scope"], ["tga_forged", "GET", "invalid_token"]]) {
    const refused = await use(token, method, "/echo/notes").catch((error) => error);
    assert.ok(refused instanceof oauth.WWWAuthenticateChallengeError, `${refused}`);
    assert.equal(refused.cause[0].scheme, "bearer");
    assert.equal(refused.cause[0].parameters.error, error);
    assert.ok(refused.cause[0].parameters.resource_metadata.startsWith(gateway.url));
  }
});

test("password, refresh, introspection and revocation", async () => {
  const [client, auth] = [{ client_id: "web" }, oauth.ClientSecretBasic(SECRETS.web)];
  const login = new URLSearchParams(ALICE);
  const first = await oauth.processGenericTokenEndpointResponse(
    server, client, await oauth.genericTokenEndpointRequest(server, client, auth, "password", login, insecure));
  const second = await oauth.processRefreshTokenResponse(
    server, client, await oauth.refreshTokenGrantRequest(server, client, auth, first.refresh_token, insecure));
  assert.notEqual(second.refresh_token, first.refresh_token);
  assert.equal((await use(second.access_token, "GET", "/echo/me")).status, 200);

  const billing = { client_id: "billing" };
  const introspect = async (token) => oauth.processIntrospectionResponse(server, billing,
    await oauth.introspectionRequest(server, billing, oauth.ClientSecretBasic(SECRETS.billing), token, insecure));
  const told = await introspect(second.access_token);
  assert.deepEqual([told.active, told.sub, told.client_id], [true, "alice", "web"]);

  await oauth.processRevocationResponse(
    await oauth.revocationRequest(server, client, auth, second.refresh_token, insecure));
  assert.deepEqual(await introspect(second.access_token), { active: false });
});

for (const [name, id, auth, redirectUri] of [
  ["with a secret", "web", oauth.ClientSecretBasic(SECRETS.web), "https://app.example.com/callback"],
  ["without", "cli", oauth.None(), "http://127.0.0.1:49156/callback"],
]) {
  test(`authorization code, a client ${name}`, async () => {
    const client = { client_id: id };
    const [verifier, state] = [oauth.generateRandomCodeVerifier(), oauth.generateRandomState()];
    const url = new URL(server.authorization_endpoint);
    url.search = new URLSearchParams({
      client_id: id, response_type: "code", redirect_uri: redirectUri, scope: "notes:read", state,
      code_challenge: await oauth.calculatePKCECodeChallenge(verifier), code_challenge_method: "S256",
    });
    const answer = await new Visitor(ALICE).allow(url);
    const parameters = oauth.validateAuthResponse(server, client, answer, state);
    const first = await oauth.processAuthorizationCodeResponse(server, client,
      await oauth.authorizationCodeGrantRequest(server, client, auth, parameters, redirectUri, verifier, insecure));
    assert.equal((await use(first.access_token, "GET", "/echo/me")).status, 200);
    const second = await oauth.processRefreshTokenResponse(server, client,
      await oauth.refreshTokenGrantRequest(server, client, auth, first.refresh_token, insecure));
    assert.equal((await use(second.access_token, "GET", "/echo/me")).status, 200);
    const again = await oauth.processAuthorizationCodeResponse(server, client,
      await oauth.authorizationCodeGrantRequest(server, client, auth, parameters, redirectUri, verifier, insecure))
      .catch((error) => error);
    assert.equal(again.error, "invalid_grant");
    // The code came back: what it gave has ended.
    const ended = await use(second.access_token, "GET", "/echo/me").catch((error) => error);
    assert.ok(ended instanceof oauth.WWWAuthenticateChallengeError, `${ended}`);
  });
}

test("the whole dance of a client that registers itself", async () => {
  const metadata = { client_name: "Registered", redirect_uris: ["http://127.0.0.1/callback"], token_endpoint_auth_method: "none" };
  const client = await oauth.processDynamicClientRegistrationResponse(
    await oauth.dynamicClientRegistrationRequest(server, metadata, insecure));
  assert.equal(client.token_endpoint_auth_method, "none");
  const verifier = oauth.generateRandomCodeVerifier();
  const redirectUri = "http://127.0.0.1:49157/callback";
  const url = new URL(server.authorization_endpoint);
  url.search = new URLSearchParams({
    client_id: client.client_id, response_type: "code", redirect_uri: redirectUri, scope: "notes:read",
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier), code_challenge_method: "S256",
  });
  const parameters = oauth.validateAuthResponse(server, client, await new Visitor(ALICE).allow(url), oauth.expectNoState);
  const tokens = await oauth.processAuthorizationCodeResponse(server, client,
    await oauth.authorizationCodeGrantRequest(server, client, oauth.None(), parameters, redirectUri, verifier, insecure));
  assert.equal((await use(tokens.access_token, "GET", "/echo/me")).status, 200);
});

test("errors are understood", async () => {
  const refused = await clientCredentials("nothing:known").catch((error) => error);
  assert.ok(refused instanceof oauth.ResponseBodyError, `${refused}`);
  assert.equal(refused.error, "invalid_scope");
});
