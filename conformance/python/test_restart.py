"""What was acknowledged is there after the process ended, in good order or not."""

import concurrent.futures
import json
import signal

import pytest

import faults
from faults import refused
from queues import Queue, client, text

ACCOUNT = "123456789012"
HOW = [signal.SIGTERM, signal.SIGKILL]
FLAGS = ["--sqs-waits", "off", "--test-endpoints"]


@pytest.fixture(params=HOW, ids=["stopped", "killed"])
def restart(request, process):
    """Starts a server, and gives what is needed to end it and start it again."""
    kew = process(*FLAGS)
    sqs = client(kew.url, ACCOUNT)

    def again():
        kew.restart(request.param)

    return kew, sqs, again


def make(sqs, name, **attributes):
    if name.endswith(".fifo"):
        attributes.setdefault("FifoQueue", "true")
    return Queue(sqs, sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"])


def test_messages_come_back_exactly(restart):
    _, sqs, again = restart
    queue = make(sqs, "kept")
    attributes = {"color": text("blue"), "n": text("5", "Number")}
    sent = [queue.send(f"body {n} ☃", MessageAttributes=attributes) for n in range(25)]
    again()
    assert queue.counts() == (25, 0, 0)
    seen = queue.drain(MessageAttributeNames=["All"], AttributeNames=["All"])
    assert {m["MessageId"] for m in seen} == {s["MessageId"] for s in sent}
    for message in seen:
        assert message["MessageAttributes"] == attributes
        assert message["Attributes"]["ApproximateReceiveCount"] == "1"
    assert sorted(m["Body"] for m in seen) == sorted(f"body {n} ☃" for n in range(25))


def test_deletes_leases_counts_and_handles_come_back(restart):
    kew, sqs, again = restart
    queue = make(sqs, "leased", VisibilityTimeout="600")
    queue.send_all("deleted", "held", "waiting")
    messages = {m["Body"]: m for m in queue.receive(AttributeNames=["All"])}
    queue.delete(messages["deleted"])
    queue.hide(messages["waiting"], 0)
    again()
    assert queue.counts() == (1, 1, 0)
    message = queue.receive_one(AttributeNames=["All"])
    assert message["Body"] == "waiting"
    assert message["Attributes"]["ApproximateReceiveCount"] == "2"
    old = messages["waiting"]["Attributes"]["ApproximateFirstReceiveTimestamp"]
    assert message["Attributes"]["ApproximateFirstReceiveTimestamp"] == old
    queue.hide(messages["held"], 30)
    again()
    kew.advance(31)
    held = queue.receive_one(AttributeNames=["All"])
    assert (held["Body"], held["Attributes"]["ApproximateReceiveCount"]) == ("held", "2")
    queue.delete(held, message)
    again()
    assert queue.counts() == (0, 0, 0)


def test_settings_tags_and_policies_come_back(restart):
    _, sqs, again = restart
    dead = make(sqs, "dead", RedriveAllowPolicy='{"redrivePermission":"allowAll"}')
    redrive = json.dumps({"deadLetterTargetArn": dead.arn(), "maxReceiveCount": 3}, separators=(",", ":"))
    queue = make(sqs, "settings", VisibilityTimeout="77", DelaySeconds="5", RedrivePolicy=redrive)
    fifo = make(sqs, "settings.fifo", ContentBasedDeduplication="true", DeduplicationScope="messageGroup")
    sqs.tag_queue(QueueUrl=queue.url, Tags={"a": "1", "b": "2"})
    sqs.untag_queue(QueueUrl=queue.url, TagKeys=["a"])
    sqs.add_permission(QueueUrl=queue.url, Label="l", AWSAccountIds=["111111111111"], Actions=["SendMessage"])
    make(sqs, "gone")
    sqs.delete_queue(QueueUrl=queue.url.replace("settings", "gone"))
    before = [q.attributes() for q in (dead, queue, fifo)]
    again()
    assert [q.attributes() for q in (dead, queue, fifo)] == before
    assert sqs.list_queue_tags(QueueUrl=queue.url)["Tags"] == {"b": "2"}
    assert sqs.list_dead_letter_source_queues(QueueUrl=dead.url)["queueUrls"] == [queue.url]
    assert len(sqs.list_queues()["QueueUrls"]) == 3


def test_delays_go_on(restart):
    kew, sqs, again = restart
    queue = make(sqs, "delays")
    queue.send("later", DelaySeconds=600)
    again()
    assert queue.counts() == (0, 0, 1)
    kew.advance(601)
    assert queue.bodies() == ["later"]


def test_order_locks_and_sequence_numbers_of_a_fifo_queue_come_back(restart):
    _, sqs, again = restart
    queue = make(sqs, "order.fifo", ContentBasedDeduplication="true", VisibilityTimeout="600")
    numbers = [queue.send(body, MessageGroupId=body[0])["SequenceNumber"] for body in ["a1", "b1", "a2", "a3"]]
    first = queue.receive_one()
    again()
    assert queue.bodies() == ["b1"]
    numbers.append(queue.send("a4", MessageGroupId="a")["SequenceNumber"])
    assert numbers == sorted(numbers)
    queue.delete(first)
    again()
    assert queue.bodies() == ["a2", "a3", "a4"]


def test_duplicates_are_known_after_a_restart(restart):
    _, sqs, again = restart
    queue = make(sqs, "dedup.fifo", ContentBasedDeduplication="true")
    sent = queue.send("once", MessageGroupId="g")
    queue.delete(queue.receive_one())
    again()
    repeated = queue.send("once", MessageGroupId="g")
    assert (repeated["MessageId"], repeated["SequenceNumber"]) == (sent["MessageId"], sent["SequenceNumber"])
    assert queue.counts() == (0, 0, 0)


def test_a_receive_attempt_is_known_after_a_restart(restart):
    _, sqs, again = restart
    queue = make(sqs, "attempt.fifo", ContentBasedDeduplication="true")
    queue.send("once", MessageGroupId="g")
    first = queue.receive(ReceiveRequestAttemptId="attempt")
    again()
    repeated = queue.receive(ReceiveRequestAttemptId="attempt")
    assert [m["ReceiptHandle"] for m in repeated] == [m["ReceiptHandle"] for m in first]


def test_dead_letters_and_their_origin_come_back(restart):
    _, sqs, again = restart
    dead = make(sqs, "dead")
    redrive = json.dumps({"deadLetterTargetArn": dead.arn(), "maxReceiveCount": 2})
    queue = make(sqs, "source", RedrivePolicy=redrive)
    queue.send("poison")
    queue.hide(queue.receive_one(), 0)
    again()
    queue.hide(queue.receive_one(), 0)
    again()
    assert queue.receive() == []
    again()
    assert queue.counts() == (0, 0, 0)
    message = dead.receive_one(AttributeNames=["All"])
    assert message["Body"] == "poison"
    assert message["Attributes"]["DeadLetterQueueSourceArn"] == queue.arn()
    assert message["Attributes"]["ApproximateReceiveCount"] == "3"


def test_a_move_task_goes_on(restart):
    kew, sqs, again = restart
    dead = make(sqs, "dead")
    redrive = json.dumps({"deadLetterTargetArn": dead.arn(), "maxReceiveCount": 1})
    queue = make(sqs, "source", RedrivePolicy=redrive)
    queue.send_all(*"abcdefghij")
    for message in queue.drain():
        queue.hide(message, 0)
    queue.receive()
    assert dead.comes_to(10, 0, 0)
    sqs.start_message_move_task(SourceArn=dead.arn(), MaxNumberOfMessagesPerSecond=1)
    kew.advance(3)
    again()
    for _ in range(40):
        kew.advance(1)
        task = sqs.list_message_move_tasks(SourceArn=dead.arn())["Results"][0]
        if task["Status"] != "RUNNING":
            break
    assert (task["Status"], task["ApproximateNumberOfMessagesMoved"]) == ("COMPLETED", 10)
    assert (queue.counts(), dead.counts()) == ((10, 0, 0), (0, 0, 0))


def test_a_purge_is_not_undone(restart):
    _, sqs, again = restart
    queue = make(sqs, "purged.fifo", ContentBasedDeduplication="true")
    queue.send("old", MessageGroupId="g")
    sqs.purge_queue(QueueUrl=queue.url)
    again()
    assert queue.counts() == (0, 0, 0)
    queue.send("old", MessageGroupId="g")
    assert queue.bodies() == ["old"], "the purge forgot the duplicate too"


@pytest.mark.parametrize("how", HOW, ids=["stopped", "killed"])
def test_the_waits_of_aws_are_kept_and_outlive_a_restart(process, how):
    kew = process("--test-endpoints")
    sqs = client(kew.url, ACCOUNT)
    queue, gone = make(sqs, "purged"), make(sqs, "gone")
    sqs.purge_queue(QueueUrl=queue.url)
    sqs.delete_queue(QueueUrl=gone.url)

    def all_refused():
        with refused(
            faults.PURGE_QUEUE_IN_PROGRESS, "Only one PurgeQueue operation on purged is allowed every 60 seconds."
        ):
            sqs.purge_queue(QueueUrl=queue.url)
        with refused(
            faults.QUEUE_DELETED_RECENTLY,
            "You must wait 60 seconds after deleting a queue before you can create another with the same name.",
        ):
            make(sqs, "gone")

    all_refused()
    kew.restart(how)
    all_refused()
    kew.advance(55)
    all_refused()
    kew.advance(10)
    sqs.purge_queue(QueueUrl=queue.url)
    assert make(sqs, "gone").counts() == (0, 0, 0)


def test_a_stop_ends_with_success_within_seconds_though_polls_wait(process):
    kew = process(*FLAGS)
    sqs = client(kew.url, ACCOUNT)
    queue = make(sqs, "polled")
    with concurrent.futures.ThreadPoolExecutor() as pool:
        polls = [pool.submit(queue.receive, 1, WaitTimeSeconds=20) for _ in range(4)]
        with pytest.raises(concurrent.futures.TimeoutError):
            polls[0].result(timeout=0.3)
        kew.process.send_signal(signal.SIGTERM)
        assert kew.process.wait(timeout=10) == 0
        # What waited is answered, not broken off.
        assert [poll.result(timeout=10) for poll in polls] == [[]] * 4


def test_sigint_stops_too(process):
    kew = process(*FLAGS)
    assert kew.end(signal.SIGINT) == 0


@pytest.mark.once
def test_the_os_durability_survives_a_killed_process(process):
    kew = process("--durability", "os", *FLAGS)
    queue = make(client(kew.url, ACCOUNT), "quick")
    queue.send_all(*"abc")
    kew.restart(signal.SIGKILL)
    assert sorted(queue.bodies()) == ["a", "b", "c"]


@pytest.mark.once
@pytest.mark.timeout(240)
def test_the_journal_is_cut_and_what_is_alive_is_carried_along(process):
    """More passes through than the directory may hold; what waited from the start outlives it."""
    kew = process("--durability", "os", *FLAGS)
    sqs = client(kew.url, ACCOUNT)
    old, busy = make(sqs, "old", VisibilityTimeout="40000"), make(sqs, "busy")
    sent = {old.send(f"waits {n}", MessageAttributes={"n": text(str(n), "Number")})["MessageId"]: n for n in range(200)}
    held = {message["MessageId"]: message for message in old.receive(10)}
    delayed = old.send("later", DelaySeconds=900)["MessageId"]
    body = "x" * 1_000_000
    for n in range(1500):
        busy.send(body)
        busy.delete(busy.receive_one())
    size = sum(file.stat().st_size for file in kew.data.rglob("*") if file.is_file())
    assert size < 1_200_000_000, f"{size} bytes, though nearly all that passed is gone"
    kew.restart(signal.SIGKILL)
    assert (old.counts(), busy.counts()) == ((190, 10, 1), (0, 0, 0))
    seen = {m["MessageId"]: m for m in old.drain(MessageAttributeNames=["All"])}
    assert set(seen) == set(sent) - set(held)
    for message_id, message in seen.items():
        assert message["Body"] == f"waits {sent[message_id]}"
        assert message["MessageAttributes"]["n"]["StringValue"] == str(sent[message_id])
    old.delete(*held.values())
    kew.restart(signal.SIGKILL)
    kew.advance(901)
    assert [m["MessageId"] for m in old.receive()] == [delayed]
