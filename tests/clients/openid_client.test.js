// openid-client discovers the gateway, registers, has somebody allow, gets, uses, refreshes and revokes tokens.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import * as client from "openid-client";
import { ALICE, SECRETS, startGateway } from "./gateway.js";
import { Visitor } from "./visitor.js";

const REDIRECT_URI = "http://127.0.0.1:49154/callback";
const options = { algorithm: "oauth2", execute: [client.allowInsecureRequests] };
let gateway;

before(async () => (gateway = await startGateway()));
after(() => gateway.stop());

const discover = (id, secret, auth) => client.discovery(new URL(gateway.url), id, secret, auth, options);

async function authorize(config, more = {}) {
  const [verifier, state] = [client.randomPKCECodeVerifier(), client.randomState()];
  const parameters = {
    redirect_uri: REDIRECT_URI,
    scope: "notes:read",
    code_challenge: await client.calculatePKCECodeChallenge(verifier),
    code_challenge_method: "S256",
    state,
    ...more,
  };
  return { parameters, checks: { pkceCodeVerifier: verifier, expectedState: state } };
}

async function use(config, tokens) {
  const answer = await client.fetchProtectedResource(config, tokens.access_token, new URL("/echo/me", gateway.url), "GET");
  assert.match(await answer.text(), /alice/);
  return answer.status;
}

for (const [name, config] of [
  ["a client with a secret", () => discover("web", SECRETS.web)],
  ["a client without", () => discover("cli", undefined, client.None())],
  ["a client that registers itself", () => client.dynamicClientRegistration(
    new URL(gateway.url), { client_name: "Registered", redirect_uris: [REDIRECT_URI], grant_types: ["authorization_code", "refresh_token"] },
    undefined, options)],
]) {
  test(`the whole dance: ${name}`, async () => {
    const configuration = await config();
    const { parameters, checks } = await authorize(configuration);
    const url = client.buildAuthorizationUrl(configuration, parameters);
    const answer = await new Visitor(ALICE).allow(url);
    const first = await client.authorizationCodeGrant(configuration, answer, checks);
    assert.equal(await use(configuration, first), 200);
    const second = await client.refreshTokenGrant(configuration, first.refresh_token);
    assert.notEqual(second.refresh_token, first.refresh_token);
    assert.equal(await use(configuration, second), 200);
    await client.tokenRevocation(configuration, second.refresh_token);
    const refused = await client.refreshTokenGrant(configuration, second.refresh_token).catch((error) => error);
    assert.equal(refused.error, "invalid_grant");
  });
}

test("a pushed request (RFC 9126)", async () => {
  const config = await discover("web", SECRETS.web);
  const { parameters, checks } = await authorize(config);
  const url = await client.buildAuthorizationUrlWithPAR(config, parameters);
  assert.deepEqual([...url.searchParams.keys()].sort(), ["client_id", "request_uri"]);
  const tokens = await client.authorizationCodeGrant(config, await new Visitor(ALICE).allow(url), checks);
  assert.equal(await use(config, tokens), 200);
});

test("a device (RFC 8628)", async () => {
  const config = await discover("cli", undefined, client.None());
  const device = await client.initiateDeviceAuthorization(config, { scope: "notes:read" });
  const polling = client.pollDeviceAuthorizationGrant(config, device, undefined, { signal: AbortSignal.timeout(20_000) });
  await new Visitor(ALICE).connect(device.verification_uri_complete);
  assert.equal(await use(config, await polling), 200);
});

test("a refusal is understood", async () => {
  const config = await discover("cli", undefined, client.None());
  const { parameters, checks } = await authorize(config);
  const answer = await new Visitor(ALICE).allow(client.buildAuthorizationUrl(config, parameters), "deny");
  const refused = await client.authorizationCodeGrant(config, answer, checks).catch((error) => error);
  assert.ok(refused instanceof client.AuthorizationResponseError, `${refused}`);
  assert.equal(refused.error, "access_denied");
});
