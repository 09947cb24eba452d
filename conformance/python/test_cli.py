"""The AWS CLI as people type it."""

import json
import os
import pathlib
import subprocess
import sys

import pytest

pytestmark = [pytest.mark.cli, pytest.mark.once, pytest.mark.timeout(240)]

AWS = pathlib.Path(sys.executable).parent / "aws"


@pytest.fixture
def aws(kew, account, tmp_path):
    """Runs `aws sqs ...` and gives what it prints, or its error."""
    env = {
        **os.environ,
        "AWS_ACCESS_KEY_ID": account,
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"),
        "AWS_PAGER": "",
        "AWS_MAX_ATTEMPTS": "1",
    }

    def aws(*words, fails=False):
        command = [sys.executable, str(AWS), "--endpoint-url", kew.url, "--output", "json", "sqs", *words]
        done = subprocess.run(command, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
        if fails:
            assert done.returncode != 0
            return done.stderr.strip()
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout.strip() else None

    return aws


def test_a_queue_s_life_on_the_command_line(aws, kew, account):
    url = aws("create-queue", "--queue-name", "orders", "--attributes", "VisibilityTimeout=60", "--tags", "a=b")["QueueUrl"]
    assert url == f"{kew.url}/{account}/orders"
    assert aws("get-queue-url", "--queue-name", "orders") == {"QueueUrl": url}
    assert aws("list-queues") == {"QueueUrls": [url]}
    sent = aws(
        "send-message", "--queue-url", url, "--message-body", "hello",
        "--message-attributes", '{"color":{"DataType":"String","StringValue":"blue"}}',
    )
    assert sent["MD5OfMessageBody"] == "5d41402abc4b2a76b9719d911017c592"
    (message,) = aws(
        "receive-message", "--queue-url", url, "--message-attribute-names", "All", "--attribute-names", "All",
    )["Messages"]
    assert (message["Body"], message["MessageId"]) == ("hello", sent["MessageId"])
    assert message["MessageAttributes"]["color"]["StringValue"] == "blue"
    assert message["Attributes"]["ApproximateReceiveCount"] == "1"
    handle = message["ReceiptHandle"]
    aws("change-message-visibility", "--queue-url", url, "--receipt-handle", handle, "--visibility-timeout", "5")
    aws("delete-message", "--queue-url", url, "--receipt-handle", handle)
    assert aws("receive-message", "--queue-url", url) is None
    seen = aws("get-queue-attributes", "--queue-url", url, "--attribute-names", "All")["Attributes"]
    assert (seen["VisibilityTimeout"], seen["ApproximateNumberOfMessages"]) == ("60", "0")
    assert aws("list-queue-tags", "--queue-url", url) == {"Tags": {"a": "b"}}
    aws("set-queue-attributes", "--queue-url", url, "--attributes", '{"DelaySeconds":"3"}')
    aws("purge-queue", "--queue-url", url)
    aws("delete-queue", "--queue-url", url)
    told = aws("get-queue-url", "--queue-name", "orders", fails=True)
    assert "(AWS.SimpleQueueService.NonExistentQueue)" in told
    assert "The specified queue does not exist." in told


def test_batches_fifo_queues_and_move_tasks_on_the_command_line(aws):
    attributes = "FifoQueue=true,ContentBasedDeduplication=true"
    url = aws("create-queue", "--queue-name", "orders.fifo", "--attributes", attributes)["QueueUrl"]
    entries = [{"Id": str(n), "MessageBody": f"m{n}", "MessageGroupId": "g"} for n in range(3)]
    sent = aws("send-message-batch", "--queue-url", url, "--entries", json.dumps(entries))
    assert [entry["Id"] for entry in sent["Successful"]] == ["0", "1", "2"]
    received = aws("receive-message", "--queue-url", url, "--max-number-of-messages", "10")["Messages"]
    assert [message["Body"] for message in received] == ["m0", "m1", "m2"]
    entries = [{"Id": str(n), "ReceiptHandle": m["ReceiptHandle"]} for n, m in enumerate(received)]
    assert len(aws("delete-message-batch", "--queue-url", url, "--entries", json.dumps(entries))["Successful"]) == 3
    dead = aws("create-queue", "--queue-name", "dead")["QueueUrl"]
    arn = aws("get-queue-attributes", "--queue-url", dead, "--attribute-names", "QueueArn")["Attributes"]["QueueArn"]
    redrive = json.dumps({"RedrivePolicy": json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": "3"})})
    source = aws("create-queue", "--queue-name", "source", "--attributes", redrive)["QueueUrl"]
    assert aws("list-dead-letter-source-queues", "--queue-url", dead)["queueUrls"] == [source]
    assert aws("start-message-move-task", "--source-arn", arn)["TaskHandle"]
    assert len(aws("list-message-move-tasks", "--source-arn", arn)["Results"]) == 1


def test_the_command_line_shows_aws_s_errors(aws):
    told = aws("create-queue", "--queue-name", "bad name", fails=True)
    assert "InvalidParameterValue" in told and "Can only include alphanumeric characters" in told


def test_the_command_line_pages_through_many_queues(aws):
    for n in range(3):
        aws("create-queue", "--queue-name", f"q{n}")
    assert len(aws("list-queues", "--page-size", "2")["QueueUrls"]) == 3
