"""The helpers for users' own tests: peek, reset, and a clock that can be advanced."""

import urllib.parse

import pytest

from queues import Queue, client
from raw import Connection

pytestmark = pytest.mark.once

FLAGS = ["--sqs-waits", "off", "--test-endpoints"]


def test_a_peek_shows_every_message_and_changes_nothing(kew, queue, account):
    queue.send_all("visible", "held")
    queue.send("later", DelaySeconds=60)
    held = queue.receive_one(AttributeNames=["All"])
    path = "/_kew/peek?" + urllib.parse.urlencode({"QueueUrl": queue.url})
    shown = Connection(kew, account).ask("GET", path).json["Messages"]
    assert sorted(message["Body"] for message in shown) == ["held", "later", "visible"]
    assert queue.counts() == (1, 1, 1)
    (other,) = queue.receive(AttributeNames=["ApproximateReceiveCount"])
    assert other["Attributes"]["ApproximateReceiveCount"] == "1"
    queue.delete(held)


def test_a_reset_forgets_everything(process):
    kew = process(*FLAGS)
    sqs = client(kew.url)
    queue = Queue(sqs, sqs.create_queue(QueueName="forgotten")["QueueUrl"])
    queue.send()
    kew.reset()
    assert "QueueUrls" not in sqs.list_queues()
    queue = Queue(sqs, sqs.create_queue(QueueName="forgotten", Attributes={"DelaySeconds": "0"})["QueueUrl"])
    assert queue.counts() == (0, 0, 0)
    kew.restart()
    assert sqs.list_queues()["QueueUrls"] == [queue.url]


def test_the_clock_goes_forward_by_what_it_is_told(kew):
    before = kew.now_ms()
    kew.advance(3600)
    assert 3_600_000 <= kew.now_ms() - before < 3_660_000


def test_a_bad_request_to_a_test_endpoint_is_told(kew):
    connection = Connection(kew)
    for by in ["", "?advance_ms=", "?advance_ms=-1", "?advance_ms=soon", "?advance_ms=1e9", "?advance_ms=%zz"]:
        assert 400 <= connection.ask("POST", f"/_kew/clock{by}").status < 500
    assert 400 <= connection.ask("GET", "/_kew/peek").status < 500
    assert 400 <= connection.ask("GET", "/_kew/nothing").status < 500


def test_localstack_s_developer_endpoint_shows_messages(kew, queue, account):
    queue.send("shown")
    connection = Connection(kew, account)
    path = "/_aws/sqs/messages?" + urllib.parse.urlencode({"QueueUrl": queue.url})
    answer = connection.ask("GET", path, headers={"Accept": "application/json"}).json
    (message,) = answer["ReceiveMessageResponse"]["ReceiveMessageResult"]["messages"]
    assert message["Body"] == "shown"
    assert message["ReceiptHandle"] == "SQS/BACKDOOR/ACCESS"
    root = connection.ask("GET", path).xml
    assert root.findtext("ReceiveMessageResult/Message/Body") == "shown"
    assert queue.counts() == (1, 0, 0)
