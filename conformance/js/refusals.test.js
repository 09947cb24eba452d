// The JavaScript SDK v3 over TLS: let in with right credentials, and refused for everything else as `refusals/table.txt` says, like
// the other clients.

import assert from "node:assert/strict";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import https from "node:https";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";

import * as sqs from "@aws-sdk/client-sqs";
import { GetSessionTokenCommand, STSClient } from "@aws-sdk/client-sts";

import { startSecureKew } from "./kew.js";

const ID = "AKIAROOT";
const SECRET = "a-secret-of-32-characters-for-all";
const REFUSALS = fileURLToPath(new URL("../refusals/", import.meta.url));
const TABLE = (await readFile(`${REFUSALS}table.txt`, "utf8"))
  .split("\n")
  .filter((line) => line && !line.startsWith("#"))
  .map((line) => line.split(" | ").map((cell) => cell.trim()));

let kew;
let agent;
before(async () => {
  const environment = { SECRET, KEW_ROOT_ACCESS_KEY_ID: ID, KEW_ROOT_SECRET_ACCESS_KEY: SECRET };
  kew = await startSecureKew(environment, ["--config", `${REFUSALS}kew.toml`]);
  // Any name below `localhost` is this machine, whatever its resolver thinks.
  const lookup = (_host, { all }, found) => (all ? found(null, [{ address: "127.0.0.1", family: 4 }]) : found(null, "127.0.0.1", 4));
  agent = new https.Agent({ ca: kew.authority, lookup });
  for (const QueueName of ["orders", "secrets", "office"]) {
    const { QueueUrl } = await ask(connect(), new sqs.CreateQueueCommand({ QueueName }));
    assert.equal(QueueUrl, queue(QueueName));
  }
});
after(async () => {
  agent.destroy();
  assert.equal(await kew.stop(), 0);
});

const queue = (name) => `https://localhost:${kew.port}/000000000000/${name}`;

/** A client that trusts the server's authority, with an access key. */
function connect(accessKeyId = ID, secretAccessKey = SECRET, { host = "localhost", sessionToken, Client = sqs.SQSClient, ...more } = {}) {
  const credentials = { accessKeyId, secretAccessKey, sessionToken };
  const endpoint = `https://${host}:${kew.port}`;
  const requestHandler = { httpsAgent: agent };
  return new Client({ endpoint, region: "us-east-1", credentials, maxAttempts: 1, requestHandler, ...more });
}

const ask = (client, command) => client.send(command);
const list = (client) => ask(client, new sqs.ListQueuesCommand({}));
const send = (client, name, MessageBody = "hello") =>
  ask(client, new sqs.SendMessageCommand({ QueueUrl: queue(name), MessageBody }));

/** The client, each of its requests handled once it is signed, by what gives the one to send instead. */
function afterSigning(client, handle) {
  const middleware = (next) => async (args) => next({ ...args, request: await handle(args.request) });
  client.middlewareStack.add(middleware, { step: "finalizeRequest", priority: "low", name: "afterSigning" });
  return client;
}

const late = (minutes) => connect(ID, SECRET, { systemClockOffset: -minutes * 60_000 });

/** A request as it would be sent, signed so many minutes ago, and not sent. */
async function record(minutes) {
  let recorded;
  const client = afterSigning(late(minutes), (request) => {
    recorded = request;
    throw new Error("not sent");
  });
  await assert.rejects(list(client), { message: "not sent" });
  return recorded;
}

/** What a client does that sends a recorded request in place of its own. */
const replay = (recorded) => list(afterSigning(connect("AKIANOBODY", "none"), () => recorded));

/** Moves the server's clock, by which sessions end, but not signatures. */
async function advance(seconds) {
  const url = `https://localhost:${kew.port}/_kew/clock?advance_ms=${seconds * 1000}`;
  const request = https.request(url, { method: "POST", agent, auth: `${ID}:${SECRET}` }).end();
  const [answer] = await once(request, "response");
  answer.resume();
  assert.equal(answer.statusCode, 200);
}

const tampered = (change) =>
  afterSigning(connect(), (request) => {
    change(request);
    return request;
  });

/** What is done wrong, by the first column of the table. */
const CALLS = {
  "no signature": () => list(connect(ID, SECRET, { signer: { sign: async (request) => request } })),
  "wrong secret": () => list(connect(ID, "wrong")),
  "unknown key": () => list(connect("AKIANOBODY")),
  "disabled key": () => list(connect("AKIADISABLED")),
  "expired clock": () => list(late(16)),
  "other region": () => list(connect(ID, SECRET, { host: "sqs.eu-west-1.localhost" })),
  "tampered body": () =>
    send(tampered((request) => (request.body = new TextDecoder().decode(request.body).replace("hello", "hullo"))), "orders"),
  "tampered header": () => list(tampered((request) => (request.headers["x-amz-target"] = "AmazonSQS.CreateQueue"))),
  // Signed by a clock 16 minutes late: nobody waits here for a quarter of an hour.
  "replay after expiry": async () => replay(await record(16)),
  "another account": () => send(connect("AKIAOTHER"), "orders"),
  "denied action": () => ask(connect("AKIAWORKER"), new sqs.ReceiveMessageCommand({ QueueUrl: queue("orders") })),
  "denied resource": () => send(connect("AKIAWORKER"), "secrets"),
  "failed condition": () => send(connect("AKIAWORKER"), "office"),
  "expired session token": async () => {
    const sts = connect("AKIAWORKER", SECRET, { Client: STSClient });
    const { Credentials } = await ask(sts, new GetSessionTokenCommand({ DurationSeconds: 900 }));
    const { AccessKeyId, SecretAccessKey, SessionToken: sessionToken } = Credentials;
    const session = connect(AccessKeyId, SecretAccessKey, { sessionToken });
    assert.ok((await send(session, "orders")).MessageId);
    await advance(900);
    return send(session, "orders");
  },
};

test("right credentials work", async () => {
  const body = "é ✓ & <x> %20+";
  await send(connect("AKIAWORKER"), "orders", body);
  const { Messages } = await ask(connect(), new sqs.ReceiveMessageCommand({ QueueUrl: queue("orders") }));
  assert.equal(Messages[0].Body, body);
});

test("a replay within a quarter of an hour is taken", async () => {
  assert.equal((await replay(await record(14))).QueueUrls.length, 3);
});

test("a server of another authority is not talked to", async () => {
  await assert.rejects(list(connect(ID, SECRET, { requestHandler: {} })), { code: "UNABLE_TO_VERIFY_LEAF_SIGNATURE" });
});

test("the table is whole", () => assert.equal(TABLE.length, 14));

for (const [what, code, status, begin] of TABLE) {
  test(`refused for ${what}`, async () => {
    const error = await CALLS[what]().then(
      (answer) => assert.fail(`it was not refused: ${JSON.stringify(answer)}`),
      (error) => error,
    );
    assert.equal(error.name, code, error);
    assert.equal(error.$metadata.httpStatusCode, Number(status));
    assert.ok(error.message.startsWith(begin) && !error.message.includes(SECRET), error.message);
  });
}
