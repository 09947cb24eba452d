// The JavaScript SDK v3. It compares the MD5s of bodies and attributes by itself and throws when they differ.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import * as sqs from "@aws-sdk/client-sqs";

import { connect, startKew } from "./kew.js";

let kew;
let client;
before(async () => {
  kew = await startKew();
  client = connect(kew.url);
});
after(async () => {
  client.destroy();
  assert.equal(await kew.stop(), 0);
});

let count = 0;

async function makeQueue(Attributes = {}, name = `queue-${++count}`) {
  const { QueueUrl } = await client.send(new sqs.CreateQueueCommand({ QueueName: name, Attributes }));
  return QueueUrl;
}

const send = (QueueUrl, MessageBody, more) =>
  client.send(new sqs.SendMessageCommand({ QueueUrl, MessageBody, ...more }));

async function receive(QueueUrl, more) {
  const input = { QueueUrl, MaxNumberOfMessages: 10, MessageSystemAttributeNames: ["All"], MessageAttributeNames: ["All"] };
  const { Messages } = await client.send(new sqs.ReceiveMessageCommand({ ...input, ...more }));
  return Messages ?? [];
}

async function attributes(QueueUrl, ...AttributeNames) {
  const { Attributes } = await client.send(new sqs.GetQueueAttributesCommand({ QueueUrl, AttributeNames }));
  return Attributes;
}

test("a message walks through its life", async () => {
  const url = await makeQueue({ VisibilityTimeout: "60" });
  const MessageAttributes = {
    color: { DataType: "String", StringValue: "blue ☃" },
    blob: { DataType: "Binary", BinaryValue: new Uint8Array([0, 1, 255]) },
    count: { DataType: "Number.int", StringValue: "42" },
  };
  const sent = await send(url, "héllo <&> 😀", { MessageAttributes });
  const [message] = await receive(url);
  assert.equal(message.MessageId, sent.MessageId);
  assert.equal(message.Body, "héllo <&> 😀");
  assert.equal(message.Attributes.ApproximateReceiveCount, "1");
  assert.equal(message.MessageAttributes.color.StringValue, "blue ☃");
  assert.deepEqual([...message.MessageAttributes.blob.BinaryValue], [0, 1, 255]);
  const { ReceiptHandle } = message;
  await client.send(
    new sqs.ChangeMessageVisibilityCommand({ QueueUrl: url, ReceiptHandle, VisibilityTimeout: 0 }),
  );
  const [again] = await receive(url);
  assert.equal(again.Attributes.ApproximateReceiveCount, "2");
  await client.send(new sqs.DeleteMessageCommand({ QueueUrl: url, ReceiptHandle: again.ReceiptHandle }));
  assert.deepEqual(await attributes(url, "ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"), {
    ApproximateNumberOfMessages: "0",
    ApproximateNumberOfMessagesNotVisible: "0",
  });
});

test("batches answer each entry", async () => {
  const url = await makeQueue();
  const Entries = [..."abc"].map((Id) => ({ Id, MessageBody: `body ${Id}` }));
  const sent = await client.send(new sqs.SendMessageBatchCommand({ QueueUrl: url, Entries }));
  assert.deepEqual(sent.Successful.map((entry) => entry.Id), ["a", "b", "c"]);
  const messages = await receive(url);
  const hidden = await client.send(
    new sqs.ChangeMessageVisibilityBatchCommand({
      QueueUrl: url,
      Entries: messages.map(({ ReceiptHandle }, n) => ({ Id: `${n}`, ReceiptHandle, VisibilityTimeout: 100 })),
    }),
  );
  assert.equal(hidden.Successful.length, 3);
  const deleted = await client.send(
    new sqs.DeleteMessageBatchCommand({
      QueueUrl: url,
      Entries: [
        ...messages.map(({ ReceiptHandle }, n) => ({ Id: `${n}`, ReceiptHandle })),
        { Id: "forged", ReceiptHandle: "garbage" },
      ],
    }),
  );
  assert.equal(deleted.Successful.length, 3);
  assert.equal(deleted.Failed[0].Code, "ReceiptHandleIsInvalid");
});

test("a FIFO queue keeps order and knows duplicates", async () => {
  const url = await makeQueue({ FifoQueue: "true", ContentBasedDeduplication: "true" }, "ordered.fifo");
  const first = await send(url, "one", { MessageGroupId: "g" });
  const duplicate = await send(url, "one", { MessageGroupId: "g" });
  const second = await send(url, "two", { MessageGroupId: "g" });
  assert.equal(duplicate.MessageId, first.MessageId);
  assert.ok(second.SequenceNumber > first.SequenceNumber);
  assert.deepEqual((await receive(url)).map((message) => message.Body), ["one", "two"]);
});

test("queues are found, listed, tagged, configured, purged and deleted", async () => {
  const url = await makeQueue({}, "kept-apart");
  assert.equal((await client.send(new sqs.GetQueueUrlCommand({ QueueName: "kept-apart" }))).QueueUrl, url);
  const pages = sqs.paginateListQueues({ client, pageSize: 1 }, { QueueNamePrefix: "kept" });
  const listed = [];
  for await (const page of pages) listed.push(...(page.QueueUrls ?? []));
  assert.deepEqual(listed, [url]);
  await client.send(new sqs.TagQueueCommand({ QueueUrl: url, Tags: { a: "1", b: "2" } }));
  await client.send(new sqs.UntagQueueCommand({ QueueUrl: url, TagKeys: ["a"] }));
  assert.deepEqual((await client.send(new sqs.ListQueueTagsCommand({ QueueUrl: url }))).Tags, { b: "2" });
  await client.send(new sqs.SetQueueAttributesCommand({ QueueUrl: url, Attributes: { DelaySeconds: "7" } }));
  assert.deepEqual(await attributes(url, "DelaySeconds"), { DelaySeconds: "7" });
  await client.send(
    new sqs.AddPermissionCommand({ QueueUrl: url, Label: "l", AWSAccountIds: ["111111111111"], Actions: ["SendMessage"] }),
  );
  assert.equal(JSON.parse((await attributes(url, "Policy")).Policy).Statement[0].Sid, "l");
  await client.send(new sqs.RemovePermissionCommand({ QueueUrl: url, Label: "l" }));
  await send(url, "gone");
  await client.send(new sqs.PurgeQueueCommand({ QueueUrl: url }));
  assert.deepEqual(await attributes(url, "ApproximateNumberOfMessagesDelayed"), {
    ApproximateNumberOfMessagesDelayed: "0",
  });
  await client.send(new sqs.DeleteQueueCommand({ QueueUrl: url }));
  await assert.rejects(send(url, "x"), sqs.QueueDoesNotExist);
});

test("dead letters are moved, listed and moved back", async () => {
  const dead = await makeQueue({}, "dead");
  const { QueueArn } = await attributes(dead, "QueueArn");
  const RedrivePolicy = JSON.stringify({ deadLetterTargetArn: QueueArn, maxReceiveCount: 1 });
  const source = await makeQueue({ RedrivePolicy }, "source");
  await send(source, "poison");
  await receive(source, { VisibilityTimeout: 0 });
  assert.deepEqual(await receive(source), []);
  // It may come from another shard: it is waited for.
  const [letter] = await receive(dead, { WaitTimeSeconds: 10, VisibilityTimeout: 0 });
  assert.equal(letter.Body, "poison");
  const sources = await client.send(new sqs.ListDeadLetterSourceQueuesCommand({ QueueUrl: dead }));
  assert.deepEqual(sources.queueUrls, [source]);
  const { TaskHandle } = await client.send(new sqs.StartMessageMoveTaskCommand({ SourceArn: QueueArn }));
  assert.ok(TaskHandle);
  const [moved] = await receive(source, { WaitTimeSeconds: 10 });
  assert.equal(moved.Body, "poison");
  const tasks = await client.send(new sqs.ListMessageMoveTasksCommand({ SourceArn: QueueArn }));
  assert.equal(tasks.Results[0].ApproximateNumberOfMessagesMoved, 1);
  await assert.rejects(client.send(new sqs.CancelMessageMoveTaskCommand({ TaskHandle: "nonsense" })), {
    name: "InvalidParameterValue",
  });
});

test("a long poll is answered when a message arrives", async () => {
  const url = await makeQueue();
  const poll = receive(url, { WaitTimeSeconds: 20 });
  await send(url, "arrived");
  assert.deepEqual((await poll).map((message) => message.Body), ["arrived"]);
});

const REFUSALS = [
  [() => new sqs.GetQueueUrlCommand({ QueueName: "missing" }), sqs.QueueDoesNotExist, 400],
  [
    (url) => new sqs.DeleteMessageCommand({ QueueUrl: url, ReceiptHandle: "garbage" }),
    sqs.ReceiptHandleIsInvalid,
    404,
  ],
  [(url) => new sqs.SendMessageBatchCommand({ QueueUrl: url, Entries: [] }), sqs.EmptyBatchRequest, 400],
  [
    (url) => new sqs.SetQueueAttributesCommand({ QueueUrl: url, Attributes: { Nonsense: "1" } }),
    sqs.InvalidAttributeName,
    400,
  ],
  [
    (url) => new sqs.SendMessageCommand({ QueueUrl: url, MessageBody: "\u0000" }),
    sqs.InvalidMessageContents,
    400,
  ],
];

test("errors arrive as the classes that applications catch", async () => {
  const url = await makeQueue();
  for (const [command, kind, status] of REFUSALS) {
    await assert.rejects(client.send(command(url)), (error) => {
      assert.ok(error instanceof kind, `${error.name} is a ${kind.name}`);
      assert.equal(error.$metadata.httpStatusCode, status);
      assert.ok(error.$metadata.requestId);
      assert.equal(error.$fault, "client");
      return true;
    });
  }
});
