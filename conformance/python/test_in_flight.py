"""The limit of 120,000 messages in flight."""

import json

import pytest

from raw import JSON, Connection

pytestmark = [pytest.mark.once, pytest.mark.timeout(240)]

LIMIT = 120_000


def fill(connection, url, **members):
    """Brings as many messages in flight as may be, each of its own group."""
    for first in range(0, LIMIT, 10):
        entries = [{"Id": str(n), "MessageBody": "x", **{k: v(first + n) for k, v in members.items()}} for n in range(10)]
        connection.json("SendMessageBatch", {"QueueUrl": url, "Entries": entries})
    body = json.dumps({"QueueUrl": url, "MaxNumberOfMessages": 10, "VisibilityTimeout": 43200}).encode()
    headers = {"X-Amz-Target": "AmazonSQS.ReceiveMessage", "Content-Type": JSON}
    for _ in range(LIMIT // 10):
        assert connection.ask(body=body, headers=headers).status == 200
    seen = connection.json(
        "GetQueueAttributes", {"QueueUrl": url, "AttributeNames": ["ApproximateNumberOfMessagesNotVisible"]}
    )
    assert seen.json["Attributes"]["ApproximateNumberOfMessagesNotVisible"] == str(LIMIT)


@pytest.mark.clock
def test_a_standard_queue_at_its_limit_refuses_short_polls_and_leaves_long_ones_waiting(process):
    kew = process("--durability", "os", "--test-endpoints")
    connection = Connection(kew)
    url = connection.json("CreateQueue", {"QueueName": "full"}).json["QueueUrl"]
    fill(connection, url)
    connection.json("SendMessage", {"QueueUrl": url, "MessageBody": "one more"})
    refused = connection.json("ReceiveMessage", {"QueueUrl": url})
    assert (refused.status, refused.json["__type"]) == (403, "com.amazonaws.sqs#OverLimit")
    assert refused.headers["x-amzn-query-error"] == "OverLimit;Sender"
    assert refused.json["message"] == (
        "Too many messages have been received without being deleted.\n"
        "Please delete your received messages or let them timeout before receiving more."
    )
    assert connection.json("ReceiveMessage", {"QueueUrl": url, "WaitTimeSeconds": 1}).json == {}


@pytest.mark.clock
def test_a_fifo_queue_at_its_limit_gives_nothing(process):
    kew = process("--durability", "os", "--test-endpoints")
    connection = Connection(kew)
    attributes = {"FifoQueue": "true"}
    url = connection.json("CreateQueue", {"QueueName": "full.fifo", "Attributes": attributes}).json["QueueUrl"]
    fill(connection, url, MessageGroupId=lambda n: f"g{n}", MessageDeduplicationId=lambda n: f"d{n}")
    more = {"MessageGroupId": "more", "MessageDeduplicationId": "more"}
    connection.json("SendMessage", {"QueueUrl": url, "MessageBody": "one more", **more})
    assert connection.json("ReceiveMessage", {"QueueUrl": url}).json == {}
