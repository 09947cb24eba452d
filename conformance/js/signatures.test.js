// The JavaScript SDK v3 where there are access keys.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import * as sqs from "@aws-sdk/client-sqs";

import { connect, startKew } from "./kew.js";

const ID = "AKIAROOT";
const SECRET = "a-root-secret-of-32-characters!!";

let kew;
before(async () => {
  kew = await startKew({ KEW_ROOT_ACCESS_KEY_ID: ID, KEW_ROOT_SECRET_ACCESS_KEY: SECRET });
});
after(async () => assert.equal(await kew.stop(), 0));

/** The fault by which a client's ListQueues is refused. */
async function refusal(client) {
  try {
    await client.send(new sqs.ListQueuesCommand({}));
  } catch (error) {
    return error;
  } finally {
    client.destroy();
  }
  return assert.fail("it was not refused");
}

test("what is signed with the right secret works", async () => {
  const client = connect(kew.url, ID, SECRET);
  const { QueueUrl } = await client.send(new sqs.CreateQueueCommand({ QueueName: "signed" }));
  const MessageBody = "é ✓ & <x> %20+";
  await client.send(new sqs.SendMessageCommand({ QueueUrl, MessageBody }));
  const { Messages } = await client.send(new sqs.ReceiveMessageCommand({ QueueUrl }));
  assert.equal(Messages[0].Body, MessageBody);
  client.destroy();
});

test("a wrong secret and an unknown key are refused as AWS does", async () => {
  const wrong = await refusal(connect(kew.url, ID, "wrong"));
  assert.equal(wrong.name, "SignatureDoesNotMatch");
  assert.equal(wrong.$metadata.httpStatusCode, 403);
  assert.match(wrong.message, /^The request signature we calculated does not match the signature you provided\./);
  const unknown = await refusal(connect(kew.url, "AKIANOBODY", SECRET));
  assert.equal(unknown.name, "InvalidClientTokenId");
  assert.equal(unknown.message, "The security token included in the request is invalid.");
});

test("a clock that is wrong is told", async () => {
  const late = { systemClockOffset: -16 * 60 * 1000 };
  const error = await refusal(connect(kew.url, ID, SECRET, late));
  assert.equal(error.name, "SignatureDoesNotMatch");
  assert.match(error.message, /^Signature expired: \d{8}T\d{6}Z is now earlier than .* - 15 min\.\)$/);
});

test("what is changed after signing is refused", async () => {
  const client = connect(kew.url, ID, SECRET);
  const change = (next) => (args) => {
    args.request.headers["x-amz-target"] = "AmazonSQS.CreateQueue";
    return next(args);
  };
  client.middlewareStack.add(change, { step: "finalizeRequest", priority: "low" });
  const error = await refusal(client);
  assert.equal(error.name, "SignatureDoesNotMatch");
});
