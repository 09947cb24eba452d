// A Kew server as a process of its own, on a free port and with an empty data directory.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { SQSClient } from "@aws-sdk/client-sqs";

import { makeCertificates } from "./certificates.js";

const BINARY = process.env.KEW_BIN ?? fileURLToPath(new URL("../../target/release/kew", import.meta.url));

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

/** Starts a server, with more in its environment and more flags if need be, and gives its URL and a function that ends it. */
export async function startKew(environment = {}, more = []) {
  return start(await mkdtemp(join(tmpdir(), "kew-")), environment, more);
}

/** The same over TLS, with the authority's certificate, the port, and no URL, for it has several names. */
export async function startSecureKew(environment, more) {
  const folder = await mkdtemp(join(tmpdir(), "kew-"));
  const { authority, certificate, key } = await makeCertificates(folder);
  const tls = ["--tls-certificate", certificate, "--tls-key", key];
  const { url, stop } = await start(folder, environment, [...tls, ...more]);
  return { authority, port: new URL(url).port, stop };
}

async function start(folder, environment, more) {
  const listen = `127.0.0.1:${await freePort()}`;
  const data = join(folder, "data");
  const flags = ["serve", "--listen", listen, "--data", data, "--sqs-waits", "off", "--test-endpoints", ...more];
  const child = spawn(BINARY, flags, {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...environment },
  });
  let said = "";
  const ready = new Promise((resolve, reject) => {
    const hear = (data) => {
      said += data;
      // What it prints at its start names the address once it listens there.
      if (said.includes(listen)) resolve();
    };
    child.stdout.on("data", hear);
    child.stderr.on("data", hear);
    child.once("exit", (code) => reject(new Error(`kew ended with ${code}: ${said}`)));
    child.once("error", reject);
  });
  await ready;
  const stop = async () => {
    child.kill("SIGTERM");
    const [code] = child.exitCode === null ? await once(child, "exit") : [child.exitCode];
    await rm(folder, { recursive: true });
    return code;
  };
  return { url: `http://${listen}`, stop };
}

/** A client of one account, or with an access key. */
export function connect(url, accessKeyId = "000000000000", secretAccessKey = "secret", more = {}) {
  const credentials = { accessKeyId, secretAccessKey };
  return new SQSClient({ endpoint: url, region: "us-east-1", credentials, maxAttempts: 1, ...more });
}
