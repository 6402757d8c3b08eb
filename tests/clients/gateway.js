// Starts the gateway (the binary that TOLLGATE_BIN names) in a folder of its own, in front of what listens on `json` and `mcp`.

import { spawn } from "node:child_process";
import { copyFile, mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

export const SECRETS = { service: "service-secret-4Hq9", web: "web-secret-1Zx7", billing: "billing-secret-6Tn3" };
export const ALICE = { username: "alice", password: "correct horse" };

export async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

// Resolves to the gateway's URL and a function that stops it.
export async function startGateway({ json = 9, mcp = 9 } = {}) {
  const folder = await mkdtemp(join(tmpdir(), "tollgate-"));
  await copyFile(new URL("gateway.toml", import.meta.url), join(folder, "gateway.toml"));
  const [port, telemetry] = [await freePort(), await freePort()];
  const child = spawn(process.env.TOLLGATE_BIN, [], {
    cwd: folder,
    stdio: ["ignore", "pipe", "pipe"],
    env: {
      ...process.env,
      GATEWAY_PORT: port,
      TELEMETRY_PORT: telemetry,
      GIT_PORT: 9,
      JSON_PORT: json,
      MCP_PORT: mcp,
      WEBSOCKET_PORT: 9,
      WEBSOCKET_HTTP2_PORT: 9,
      SERVICE_SECRET: SECRETS.service,
      WEB_SECRET: SECRETS.web,
      BILLING_SECRET: SECRETS.billing,
    },
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (data) => (output += data));
  const ended = new Promise((resolve) => child.once("exit", resolve));
  await untilAnswers(`http://127.0.0.1:${telemetry}/readyz`, () => output);
  const stop = async () => {
    child.kill("SIGTERM");
    const code = await ended;
    await rm(folder, { recursive: true });
    if (code !== 0) throw new Error(`exit ${code}\n${output}`);
  };
  return { url: `http://127.0.0.1:${port}`, stop };
}

export async function untilAnswers(url, output) {
  for (let tries = 0; tries < 400; tries++) {
    const answer = await fetch(url).catch(() => null);
    if (answer?.ok) return;
    await sleep(50);
  }
  throw new Error(`${url} does not answer\n${output()}`);
}
