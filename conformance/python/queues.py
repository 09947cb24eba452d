"""A queue as the tests see it: short words for what they do all the time."""

import hashlib
import struct

import boto3
from botocore.config import Config

REGION = "us-east-1"


def client(url, account="000000000000", region=REGION, service="client", validate=True, **config):
    """A boto3 client (or resource) of one account. A key of twelve digits is its own account."""
    make = boto3.client if service == "client" else boto3.resource
    config = Config(
        retries={"max_attempts": 0}, parameter_validation=validate, read_timeout=40, max_pool_connections=32, **config
    )
    return make(
        "sqs", endpoint_url=url, region_name=region, aws_access_key_id=account, aws_secret_access_key="secret",
        config=config,
    )


class Queue:
    """One queue, through one client."""

    def __init__(self, sqs, url):
        self.sqs, self.url = sqs, url
        self.name = url.rsplit("/", 1)[1]

    def send(self, body="hello", **members):
        return self.sqs.send_message(QueueUrl=self.url, MessageBody=body, **members)

    def send_all(self, *bodies, **members):
        entries = [{"Id": str(index), "MessageBody": body, **members} for index, body in enumerate(bodies)]
        answer = self.sqs.send_message_batch(QueueUrl=self.url, Entries=entries)
        assert not answer.get("Failed"), answer
        return answer["Successful"]

    def receive(self, most=10, **members):
        """Up to `most` messages, without waiting unless told to."""
        members.setdefault("WaitTimeSeconds", 0)
        return self.sqs.receive_message(QueueUrl=self.url, MaxNumberOfMessages=most, **members).get("Messages", [])

    def receive_one(self, **members):
        # A dead letter from another shard takes a moment.
        messages = self.receive(1, **{"WaitTimeSeconds": 20, **members})
        assert messages, "there should be a message"
        return messages[0]

    def bodies(self, most=10, **members):
        return [message["Body"] for message in self.receive(most, **members)]

    def comes_to(self, *counts):
        """Whether its counts come to this soon. What is on its way between two shards is in no queue's, for as long as two writes take."""
        return any(self.counts() == counts for _ in range(500))

    def drain(self, **members):
        """Every visible message, in the order of arrival at the consumer."""
        drained = []
        while messages := self.receive(10, **members):
            drained += messages
        return drained

    def delete(self, *messages):
        for message in messages:
            self.sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])

    def hide(self, message, seconds):
        self.sqs.change_message_visibility(
            QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=seconds
        )

    def attributes(self, *names):
        answer = self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=list(names) or ["All"])
        return answer.get("Attributes", {})

    def set(self, **attributes):
        self.sqs.set_queue_attributes(QueueUrl=self.url, Attributes=attributes)

    def arn(self):
        return self.attributes("QueueArn")["QueueArn"]

    def counts(self):
        """Visible, in flight, delayed."""
        kinds = ["", "NotVisible", "Delayed"]
        seen = self.attributes(*(f"ApproximateNumberOfMessages{kind}" for kind in kinds))
        return tuple(int(seen[f"ApproximateNumberOfMessages{kind}"]) for kind in kinds)


def body_md5(body):
    return hashlib.md5(body.encode()).hexdigest()


def attributes_md5(attributes):
    """AWS's digest of message attributes: sorted by name; each part with its length; a byte for the kind of value."""

    def part(data):
        return struct.pack(">I", len(data)) + data

    digest = hashlib.md5()
    for name in sorted(attributes):
        value = attributes[name]
        digest.update(part(name.encode()) + part(value["DataType"].encode()))
        if "BinaryValue" in value:
            digest.update(b"\x02" + part(value["BinaryValue"]))
        else:
            digest.update(b"\x01" + part(value["StringValue"].encode()))
    return digest.hexdigest()


def text(value, kind="String"):
    return {"DataType": kind, "StringValue": value}


def binary(value, kind="Binary"):
    return {"DataType": kind, "BinaryValue": value}
