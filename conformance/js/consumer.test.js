// sqs-consumer, the library by which most Node.js applications receive.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { CreateQueueCommand, GetQueueAttributesCommand, SendMessageBatchCommand } from "@aws-sdk/client-sqs";
import { Consumer } from "sqs-consumer";

import { connect, startKew } from "./kew.js";

let kew;
let client;
before(async () => {
  kew = await startKew();
  client = connect(kew.url);
});
after(async () => {
  client.destroy();
  await kew.stop();
});

async function filledQueue(QueueName, count) {
  const { QueueUrl } = await client.send(new CreateQueueCommand({ QueueName }));
  for (let first = 0; first < count; first += 10) {
    const Entries = Array.from({ length: 10 }, (_, n) => ({ Id: `${n}`, MessageBody: `m${first + n}` }));
    await client.send(new SendMessageBatchCommand({ QueueUrl, Entries }));
  }
  return QueueUrl;
}

async function left(QueueUrl) {
  const AttributeNames = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"];
  const { Attributes } = await client.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames }));
  return AttributeNames.map((name) => Number(Attributes[name]));
}

/** Runs a consumer until it has processed so many messages and stopped. */
function consume(options, count, event = "message_processed") {
  return new Promise((resolve, reject) => {
    const consumer = Consumer.create({ sqs: client, waitTimeSeconds: 1, ...options });
    let seen = 0;
    consumer.on(event, () => ++seen === count && consumer.stop());
    consumer.on("error", reject);
    consumer.on("processing_error", () => {});
    consumer.on("stopped", () => resolve(seen));
    consumer.start();
  });
}

test("a consumer takes messages one by one and deletes them", async () => {
  const queueUrl = await filledQueue("single", 20);
  const bodies = new Set();
  const handleMessage = async (message) => {
    bodies.add(message.Body);
    return message;
  };
  await consume({ queueUrl, handleMessage, batchSize: 5 }, 20);
  assert.equal(bodies.size, 20);
  assert.deepEqual(await left(queueUrl), [0, 0]);
});

test("a consumer takes messages in batches", async () => {
  const queueUrl = await filledQueue("batched", 30);
  const sizes = [];
  const handleMessageBatch = async (messages) => {
    sizes.push(messages.length);
    return messages;
  };
  await consume({ queueUrl, handleMessageBatch, batchSize: 10 }, 3, "response_processed");
  assert.deepEqual(sizes, [10, 10, 10]);
  assert.deepEqual(await left(queueUrl), [0, 0]);
});

test("a message whose handler failed comes again", async () => {
  const queueUrl = await filledQueue("failing", 10);
  const tries = new Map();
  const handleMessage = async (message) => {
    tries.set(message.Body, (tries.get(message.Body) ?? 0) + 1);
    if (tries.get(message.Body) === 1) throw new Error("at first it fails");
    return message;
  };
  await consume({ queueUrl, handleMessage, batchSize: 10, terminateVisibilityTimeout: true }, 10);
  assert.deepEqual([...tries.values()], Array(10).fill(2));
  assert.deepEqual(await left(queueUrl), [0, 0]);
});
