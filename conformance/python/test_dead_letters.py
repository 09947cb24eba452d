"""Dead-letter queues, and the tasks that move messages out of them again."""

import base64
import json

import pytest

import faults
from faults import refused
from queues import client, text


def redrive(dead, count):
    return json.dumps({"deadLetterTargetArn": dead.arn(), "maxReceiveCount": count}, separators=(",", ":"))


@pytest.fixture
def dead(make):
    return make("dead")


@pytest.fixture
def source(make, dead):
    """A queue that gives up after two receives."""
    return make("source", RedrivePolicy=redrive(dead, 2))


def exhaust(queue, count=2):
    """Receives everything as often as the redrive policy allows, and once more."""
    for _ in range(count):
        for message in queue.drain():
            queue.hide(message, 0)
    assert queue.receive() == []


def test_a_redrive_policy_reads_back_equal(source, dead):
    assert source.attributes("RedrivePolicy") == {"RedrivePolicy": redrive(dead, 2)}
    source.set(RedrivePolicy="")
    assert source.attributes("RedrivePolicy") == {}


@pytest.mark.parametrize("count", [1, 1000, "42"])
def test_a_redrive_count_may_be_a_number_or_text(make, dead, count):
    queue = make("source", RedrivePolicy=json.dumps({"deadLetterTargetArn": dead.arn(), "maxReceiveCount": count}))
    seen = json.loads(queue.attributes("RedrivePolicy")["RedrivePolicy"])
    assert int(seen["maxReceiveCount"]) == int(count)


def test_the_receive_after_the_last_moves_the_message_instead(source, dead):
    sent = source.send("poison", MessageAttributes={"why": text("because")})
    for count in ["1", "2"]:
        message = source.receive_one(AttributeNames=["All"])
        assert message["Attributes"]["ApproximateReceiveCount"] == count
        assert dead.comes_to(0, 0, 0)
        source.hide(message, 0)
    sent_at = message["Attributes"]["SentTimestamp"]
    assert source.receive() == []
    assert source.counts() == (0, 0, 0)
    assert dead.comes_to(1, 0, 0)
    moved = dead.receive_one(AttributeNames=["All"], MessageAttributeNames=["All"])
    assert (moved["Body"], moved["MessageId"]) == ("poison", sent["MessageId"])
    assert moved["MessageAttributes"] == {"why": text("because")}
    assert moved["Attributes"]["ApproximateReceiveCount"] == "3"
    assert moved["Attributes"]["DeadLetterQueueSourceArn"] == source.arn()
    assert moved["Attributes"]["SentTimestamp"] == sent_at


def test_a_receive_that_moves_messages_still_returns_the_others(source, dead):
    source.send("poison")
    for _ in range(2):
        source.hide(source.receive_one(), 0)
    source.send_all("good", "better")
    assert sorted(source.bodies()) == ["better", "good"]
    assert dead.bodies(WaitTimeSeconds=5) == ["poison"]


def test_a_delete_before_the_limit_keeps_the_message_out_of_the_dead_letter_queue(source, dead):
    source.send()
    source.hide(source.receive_one(), 0)
    source.delete(source.receive_one())
    assert source.receive() == []
    assert dead.comes_to(0, 0, 0)


def test_a_fifo_queue_s_dead_letters_go_to_a_fifo_queue_and_free_their_group(make):
    dead = make("dead.fifo")
    source = make("source.fifo", ContentBasedDeduplication="true", RedrivePolicy=redrive(dead, 1))
    source.send("a1", MessageGroupId="a")
    source.send("a2", MessageGroupId="a")
    first = source.receive_one()
    source.hide(first, 0)
    assert source.bodies(1) == ["a2"]
    moved = dead.receive_one(AttributeNames=["All"], WaitTimeSeconds=5)
    assert (moved["Body"], moved["MessageId"]) == ("a1", first["MessageId"])
    assert moved["Attributes"]["MessageGroupId"] == "a"
    assert moved["Attributes"]["DeadLetterQueueSourceArn"] == source.arn()


@pytest.mark.clock
def test_a_standard_queue_s_dead_letter_keeps_its_age(make, clock):
    dead = make("dead", MessageRetentionPeriod="100")
    source = make("source", MessageRetentionPeriod="1000", RedrivePolicy=redrive(dead, 1))
    source.send()
    clock(60)
    exhaust(source, 1)
    assert dead.comes_to(1, 0, 0)
    clock(41)
    assert dead.comes_to(0, 0, 0)


@pytest.mark.clock
def test_a_fifo_queue_s_dead_letter_starts_its_retention_afresh(make, clock):
    dead = make("dead.fifo", MessageRetentionPeriod="100")
    source = make(
        "source.fifo", ContentBasedDeduplication="true", MessageRetentionPeriod="1000", RedrivePolicy=redrive(dead, 1)
    )
    source.send("a1", MessageGroupId="a")
    clock(60)
    exhaust(source, 1)
    # Its time begins when it arrives.
    assert dead.comes_to(1, 0, 0)
    clock(41)
    assert dead.comes_to(1, 0, 0)
    clock(60)
    assert dead.comes_to(0, 0, 0)


def test_a_queue_may_be_its_own_dead_letter_queue(make):
    queue = make("self")
    queue.set(RedrivePolicy=redrive(queue, 1))
    queue.send("again")
    for _ in range(5):
        for message in queue.receive(1):
            queue.hide(message, 0)
    assert sum(queue.counts()) == 1, "neither lost nor doubled"


def test_the_sources_of_a_dead_letter_queue_are_listed_in_pages(make, dead, sqs):
    assert sqs.list_dead_letter_source_queues(QueueUrl=dead.url).get("queueUrls", []) == []
    names = [f"source-{n}" for n in range(5)]
    urls = [make(name, RedrivePolicy=redrive(dead, 3)).url for name in names]
    assert sqs.list_dead_letter_source_queues(QueueUrl=dead.url)["queueUrls"] == urls
    pages = sqs.get_paginator("list_dead_letter_source_queues").paginate(
        QueueUrl=dead.url, PaginationConfig={"PageSize": 2}
    )
    assert [page["queueUrls"] for page in pages] == [urls[:2], urls[2:4], urls[4:]]
    sqs.delete_queue(QueueUrl=urls[0])
    assert sqs.list_dead_letter_source_queues(QueueUrl=dead.url)["queueUrls"] == urls[1:]


@pytest.mark.parametrize(
    "policy",
    [
        {"redrivePermission": "allowAll"},
        {"redrivePermission": "denyAll"},
        {"redrivePermission": "byQueue", "sourceQueueArns": ["arn:aws:sqs:us-east-1:000000000000:q1"]},
    ],
)
def test_a_redrive_allow_policy_reads_back_equal(make, policy):
    written = json.dumps(policy, separators=(",", ":"))
    assert make("dead", RedriveAllowPolicy=written).attributes("RedriveAllowPolicy") == {
        "RedriveAllowPolicy": written
    }


def test_a_dead_letter_queue_of_another_account_is_refused(kew, queue, account):
    other = str(int(account) + 3000)
    client(kew.url, other).create_queue(QueueName="dead")
    policy = json.dumps({"deadLetterTargetArn": f"arn:aws:sqs:us-east-1:{other}:dead", "maxReceiveCount": 1})
    reason = "Dead-letter target owner should be same as the source."
    with refused(faults.INVALID_PARAMETER, f"Value {policy} for parameter RedrivePolicy is invalid. Reason: {reason}"):
        queue.set(RedrivePolicy=policy)


def test_a_redrive_allow_policy_decides_which_sources_may_be_set(make, account):
    closed = make("closed", RedriveAllowPolicy='{"redrivePermission":"denyAll"}')
    with refused(faults.INVALID_PARAMETER):
        make("source", RedrivePolicy=redrive(closed, 1))
    friend = f"arn:aws:sqs:us-east-1:{account}:friend"
    picky = make(
        "picky", RedriveAllowPolicy=json.dumps({"redrivePermission": "byQueue", "sourceQueueArns": [friend]})
    )
    with refused(faults.INVALID_PARAMETER):
        make("stranger", RedrivePolicy=redrive(picky, 1))
    make("friend", RedrivePolicy=redrive(picky, 1))
    stranger = make("stranger")
    with refused(faults.INVALID_PARAMETER):
        stranger.set(RedrivePolicy=redrive(picky, 1))


def test_move_task_handles_and_listings_are_aws_s(source, dead, sqs):
    source.send_all(*"abc")
    exhaust(source)
    assert dead.comes_to(3, 0, 0)
    source.set(RedrivePolicy="")
    source.set(RedrivePolicy=redrive(dead, 2))
    handle = sqs.start_message_move_task(SourceArn=dead.arn(), MaxNumberOfMessagesPerSecond=1)["TaskHandle"]
    task = json.loads(base64.b64decode(handle))
    assert set(task) == {"taskId", "sourceArn"} and task["sourceArn"] == dead.arn()
    listed = sqs.list_message_move_tasks(SourceArn=dead.arn())["Results"]
    assert len(listed) == 1
    assert listed[0]["Status"] == "RUNNING"
    assert listed[0]["TaskHandle"] == handle
    assert listed[0]["SourceArn"] == dead.arn()
    assert listed[0]["MaxNumberOfMessagesPerSecond"] == 1
    assert listed[0]["StartedTimestamp"] > 0
    assert "DestinationArn" not in listed[0]


def wait_until_done(sqs, arn, clock):
    """Lets the server's time pass until the newest task of a source has ended."""
    for _ in range(100):
        task = sqs.list_message_move_tasks(SourceArn=arn)["Results"][0]
        if task["Status"] != "RUNNING":
            return task
        clock(1)
    raise AssertionError(f"the task never ended: {task}")


@pytest.mark.clock
def test_a_move_task_brings_messages_back_to_their_sources(make, dead, sqs, clock):
    sources = [make(name, RedrivePolicy=redrive(dead, 1)) for name in ["one", "two"]]
    for queue in sources:
        queue.send_all(*[f"{queue.name}-{n}" for n in range(5)])
        exhaust(queue, 1)
    assert dead.comes_to(10, 0, 0)
    sqs.start_message_move_task(SourceArn=dead.arn())
    done = wait_until_done(sqs, dead.arn(), clock)
    assert (done["Status"], done["ApproximateNumberOfMessagesMoved"]) == ("COMPLETED", 10)
    assert "TaskHandle" not in done
    for queue in sources:
        assert sorted(queue.bodies()) == [f"{queue.name}-{n}" for n in range(5)]
    assert dead.comes_to(0, 0, 0)


@pytest.mark.clock
def test_a_move_task_to_a_named_queue(make, source, dead, sqs, clock):
    elsewhere = make("elsewhere")
    before = source.send("moved")["MessageId"]
    exhaust(source)
    assert dead.comes_to(1, 0, 0)
    sqs.start_message_move_task(SourceArn=dead.arn(), DestinationArn=elsewhere.arn())
    done = wait_until_done(sqs, dead.arn(), clock)
    assert (done["Status"], done["DestinationArn"]) == ("COMPLETED", elsewhere.arn())
    message = elsewhere.receive_one(AttributeNames=["All"])
    assert message["Body"] == "moved"
    assert message["MessageId"] != before, "a moved message is a new message"
    assert message["Attributes"]["ApproximateReceiveCount"] == "1"


@pytest.mark.clock
def test_a_move_task_keeps_to_its_rate_and_can_be_cancelled(source, dead, sqs, clock):
    for _ in range(3):
        source.send_all(*"abcdefghij")
    exhaust(source)
    assert dead.comes_to(30, 0, 0)
    handle = sqs.start_message_move_task(SourceArn=dead.arn(), MaxNumberOfMessagesPerSecond=2)["TaskHandle"]
    with refused(
        faults.INVALID_PARAMETER,
        "There is already a task running. Only one active task is allowed for a source queue arn at a given time.",
    ):
        sqs.start_message_move_task(SourceArn=dead.arn())
    for _ in range(5):
        clock(1)
    moved = sqs.list_message_move_tasks(SourceArn=dead.arn())["Results"][0]["ApproximateNumberOfMessagesMoved"]
    assert 8 <= moved <= 14
    answer = sqs.cancel_message_move_task(TaskHandle=handle)
    assert answer["ApproximateNumberOfMessagesMoved"] >= moved
    clock(100)
    ended = sqs.list_message_move_tasks(SourceArn=dead.arn())["Results"][0]
    assert ended["Status"] == "CANCELLED"
    assert dead.counts()[0] == 30 - ended["ApproximateNumberOfMessagesMoved"] > 0


@pytest.mark.clock
def test_the_last_ten_tasks_are_listed_newest_first(make, source, dead, sqs, clock):
    places = [make(f"place-{n}") for n in range(11)]
    for place in places:
        sqs.start_message_move_task(SourceArn=dead.arn(), DestinationArn=place.arn())
        wait_until_done(sqs, dead.arn(), clock)
        clock(1)
    assert len(sqs.list_message_move_tasks(SourceArn=dead.arn())["Results"]) == 1
    listed = sqs.list_message_move_tasks(SourceArn=dead.arn(), MaxResults=10)["Results"]
    assert [task["DestinationArn"] for task in listed] == [place.arn() for place in reversed(places[1:])]
    started = [task["StartedTimestamp"] for task in listed]
    assert started == sorted(started, reverse=True)


@pytest.mark.clock
def test_a_move_task_fails_when_its_destination_vanishes(make, source, dead, sqs, clock):
    place = make("place")
    source.send_all(*"abcdefghij")
    exhaust(source)
    assert dead.comes_to(10, 0, 0)
    sqs.start_message_move_task(SourceArn=dead.arn(), DestinationArn=place.arn(), MaxNumberOfMessagesPerSecond=1)
    sqs.delete_queue(QueueUrl=place.url)
    task = wait_until_done(sqs, dead.arn(), clock)
    assert (task["Status"], task["FailureReason"]) == ("FAILED", "AWS.SimpleQueueService.NonExistentQueue")
    assert dead.counts()[0] >= 8


GONE = "The resource that you specified for the {} parameter doesn't exist."
FORMAT = (
    "You must use this format to specify the {}: arn:<partition>:<service>:<region>:<account-id>:<resource-id>"
)


def test_a_move_task_is_refused_for_the_reasons_that_aws_gives(make, source, dead, lax, account):
    arn = dead.arn()
    missing = f"arn:aws:sqs:us-east-1:{account}:missing"
    start, cancel, tasks = lax.start_message_move_task, lax.cancel_message_move_task, lax.list_message_move_tasks
    with refused(faults.INVALID_PARAMETER, "Source queue must be configured as a Dead Letter Queue."):
        start(SourceArn=source.arn())
    with refused(faults.RESOURCE_NOT_FOUND, GONE.format("SourceArn")):
        start(SourceArn=missing)
    with refused(faults.RESOURCE_NOT_FOUND, GONE.format("SourceArn")):
        tasks(SourceArn=missing)
    with refused(faults.RESOURCE_NOT_FOUND, GONE.format("DestinationArn")):
        start(SourceArn=arn, DestinationArn=missing)
    for bad in ["", "nonsense", "arn:aws:sqs"]:
        with refused(faults.INVALID_PARAMETER, FORMAT.format("SourceArn")):
            start(SourceArn=bad)
    with refused(faults.INVALID_PARAMETER, FORMAT.format("DestinationArn")):
        start(SourceArn=arn, DestinationArn="nonsense")
    with refused(faults.INVALID_PARAMETER, "Source queue arn and destination queue arn cannot be the same."):
        start(SourceArn=arn, DestinationArn=arn)
    with refused(
        faults.INVALID_PARAMETER, "The source queue and destination queue must be of the same queue type."
    ):
        start(SourceArn=arn, DestinationArn=make("other.fifo").arn())
    rate = "Value for parameter MaxNumberOfMessagesPerSecond is invalid. Reason: You must enter a number that's "
    for number in [0, 501, -1]:
        with refused(faults.INVALID_PARAMETER, rate + "between 1 and 500."):
            start(SourceArn=arn, MaxNumberOfMessagesPerSecond=number)
    with refused(faults.MISSING_PARAMETER, "The request must contain the parameter SourceArn."):
        start()
    with refused(faults.INVALID_PARAMETER, "Value for parameter TaskHandle is invalid."):
        cancel(TaskHandle="foobared")
    unknown = {"taskId": "10f57157-fc43-4011-9bbd-d0b8b5ad5aa9", "sourceArn": arn}
    with refused(faults.RESOURCE_NOT_FOUND, "Task does not exist."):
        cancel(TaskHandle=base64.b64encode(json.dumps(unknown, separators=(",", ":")).encode()).decode())
    unknown["sourceArn"] = missing
    with refused(faults.RESOURCE_NOT_FOUND, GONE.format("SourceArn")):
        cancel(TaskHandle=base64.b64encode(json.dumps(unknown, separators=(",", ":")).encode()).decode())
