"""FIFO queues: order within a group, locked groups, deduplication, receive attempts."""

import hashlib

import pytest

import faults
from faults import refused
from queues import text


def send(queue, *names, **members):
    """Sends bodies such as `a1`: the letter is the group."""
    for name in names:
        queue.send(name, MessageGroupId=name[0], **members)


def test_a_group_s_order_is_kept_and_one_receive_takes_several(fifo):
    send(fifo, "a1", "b1", "a2", "a3")
    assert fifo.bodies() == ["a1", "a2", "a3", "b1"], "as many as possible of one group first"


def test_a_group_with_a_message_in_flight_gives_out_nothing(fifo):
    send(fifo, "a1", "a2", "b1")
    first = fifo.receive_one()
    assert first["Body"] == "a1"
    assert fifo.bodies() == ["b1"]
    assert fifo.bodies() == []
    send(fifo, "a3")
    assert fifo.bodies() == [], "a new message does not unlock the group"
    fifo.delete(first)
    assert fifo.bodies() == ["a2", "a3"]


def test_a_group_stays_locked_until_all_that_was_received_is_deleted(fifo):
    send(fifo, "a1", "a2", "a3", "a4")
    one, two, three = fifo.receive(3)
    fifo.delete(two)
    assert fifo.bodies() == []
    fifo.delete(one)
    assert fifo.bodies() == []
    fifo.delete(three)
    assert fifo.bodies() == ["a4"]


@pytest.mark.clock
def test_when_all_leases_end_the_group_starts_again_in_order(fifo, clock):
    send(fifo, "a1", "a2", "a3")
    assert fifo.bodies(2) == ["a1", "a2"]
    clock(31)
    assert fifo.bodies() == ["a1", "a2", "a3"]


@pytest.mark.clock
@pytest.mark.parametrize("extended, expected", [(0, []), (1, ["a0"]), (2, ["a0", "a1"])])
def test_only_what_stands_before_an_extended_message_returns(fifo, clock, extended, expected):
    send(fifo, "a0", "a1", "a2")
    messages = fifo.receive()
    fifo.hide(messages[extended], 300)
    clock(31)
    assert fifo.bodies() == expected


def test_a_message_given_back_is_received_again_though_its_successor_is_in_flight(fifo):
    send(fifo, "a1", "a2", "b1")
    one, two = fifo.receive(2)
    fifo.hide(one, 0)
    assert fifo.bodies() == ["b1", "a1"]


@pytest.mark.clock
def test_expiry_of_the_first_frees_the_next(make, clock):
    queue = make("brief.fifo", ContentBasedDeduplication="true", MessageRetentionPeriod="60", VisibilityTimeout="500")
    send(queue, "a1")
    clock(30)
    send(queue, "a2")
    assert queue.bodies(1) == ["a1"]
    assert queue.bodies() == []
    clock(31)
    assert queue.bodies() == ["a2"]


def test_sequence_numbers_have_twenty_digits_and_rise(fifo):
    numbers = [fifo.send(f"m{n}", MessageGroupId="ab"[n % 2])["SequenceNumber"] for n in range(20)]
    assert all(len(number) == 20 and number.isdigit() for number in numbers)
    assert numbers == sorted(set(numbers))


@pytest.mark.clock
def test_a_fifo_queue_s_delay_is_the_queue_s_and_blocks_the_group_alone(make, clock):
    queue = make("late.fifo", ContentBasedDeduplication="true", DelaySeconds="10")
    send(queue, "a1")
    assert queue.counts() == (0, 0, 1)
    clock(5)
    send(queue, "a2", "b1")
    clock(5)
    assert queue.bodies() == ["a1"]
    clock(5)
    assert queue.bodies() == ["b1"], "a2 waits for a1"
    queue.send("zero is as if nothing were said", MessageGroupId="c", DelaySeconds=0)
    assert queue.counts()[2] == 1


@pytest.mark.clock
def test_a_changed_delay_concerns_the_messages_that_wait_in_a_fifo_queue(make, clock):
    queue = make("late.fifo", ContentBasedDeduplication="true", DelaySeconds="100")
    send(queue, "a1")
    queue.set(DelaySeconds="10")
    clock(10)
    assert queue.bodies() == ["a1"]


@pytest.mark.clock
def test_an_expired_fifo_handle_is_refused(fifo, clock):
    send(fifo, "a1")
    message = fifo.receive_one()
    clock(31)
    handle = message["ReceiptHandle"]
    wanted = f"Value {handle} for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired."
    with refused(faults.INVALID_PARAMETER, wanted):
        fifo.delete(message)
    assert fifo.bodies() == ["a1"]


@pytest.mark.clock
def test_an_extended_fifo_handle_goes_on_working(fifo, clock):
    send(fifo, "a1")
    message = fifo.receive_one()
    clock(20)
    fifo.hide(message, 60)
    clock(40)
    fifo.delete(message)
    assert fifo.counts() == (0, 0, 0)


def test_a_duplicate_answers_the_original_s_id_and_is_not_sent(fifo):
    first = fifo.send("one", MessageGroupId="a", MessageDeduplicationId="d")
    again = fifo.send("another body", MessageGroupId="a", MessageDeduplicationId="d")
    other_group = fifo.send("one", MessageGroupId="b", MessageDeduplicationId="d")
    for duplicate in again, other_group:
        assert duplicate["MessageId"] == first["MessageId"]
        assert duplicate["SequenceNumber"] == first["SequenceNumber"]
    assert fifo.bodies() == ["one"]


@pytest.mark.clock
def test_a_duplicate_is_known_for_five_minutes_even_after_the_original_was_deleted(fifo, clock):
    send(fifo, "a1")
    fifo.delete(fifo.receive_one())
    clock(200)
    send(fifo, "a1")
    clock(95)
    send(fifo, "a1")
    assert fifo.counts() == (0, 0, 0)
    clock(10)
    send(fifo, "a1")
    assert fifo.bodies() == ["a1"], "the five minutes count from the first send, and are over"


def test_content_based_deduplication_is_of_the_body_alone(fifo):
    fifo.send("same", MessageGroupId="a", MessageAttributes={"x": text("1")})
    fifo.send("same", MessageGroupId="a", MessageAttributes={"x": text("2")})
    assert fifo.counts() == (1, 0, 0)
    fifo.send("same", MessageGroupId="a", MessageDeduplicationId="explicit")
    assert fifo.counts() == (2, 0, 0)
    digest = hashlib.sha256(b"same").hexdigest()
    fifo.send("other", MessageGroupId="a", MessageDeduplicationId=digest)
    assert fifo.counts() == (2, 0, 0), "the digest is an id like any other"


def test_deduplication_may_be_per_group(make):
    queue = make("groups.fifo", ContentBasedDeduplication="true", DeduplicationScope="messageGroup")
    queue.send("same", MessageGroupId="a")
    queue.send("same", MessageGroupId="b")
    queue.send("same", MessageGroupId="b")
    assert queue.counts() == (2, 0, 0)


def test_the_scope_of_deduplication_stays_that_of_the_creation(make):
    for name, created, changed, expected in [
        ("a.fifo", "queue", "messageGroup", 1),
        ("b.fifo", "messageGroup", "queue", 2),
    ]:
        queue = make(name, ContentBasedDeduplication="true", DeduplicationScope=created)
        queue.set(DeduplicationScope=changed)
        assert queue.attributes("DeduplicationScope") == {"DeduplicationScope": changed}
        queue.send("same", MessageGroupId="a")
        queue.send("same", MessageGroupId="b")
        assert queue.counts() == (expected, 0, 0)


def test_a_purge_forgets_what_would_be_a_duplicate(fifo, sqs):
    send(fifo, "a1")
    sqs.purge_queue(QueueUrl=fifo.url)
    send(fifo, "a1")
    assert fifo.bodies() == ["a1"]


def test_content_based_deduplication_can_be_switched(make):
    queue = make("switch.fifo")
    reason = "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided "
    with refused(faults.INVALID_PARAMETER, reason + "explicitly"):
        send(queue, "a1")
    queue.set(ContentBasedDeduplication="true")
    send(queue, "a1", "a1")
    assert queue.bodies() == ["a1"]


def test_the_same_receive_attempt_gives_the_same_messages_and_handles(fifo):
    send(fifo, "a1", "a2", "b1")
    first = fifo.receive(ReceiveRequestAttemptId="attempt")
    again = fifo.receive(ReceiveRequestAttemptId="attempt")
    assert [message["Body"] for message in again] == ["a1", "a2", "b1"]
    assert [m["ReceiptHandle"] for m in again] == [m["ReceiptHandle"] for m in first]
    assert fifo.receive(ReceiveRequestAttemptId="another") == []


@pytest.mark.clock
def test_a_repeated_attempt_begins_the_visibility_timeout_anew(fifo, clock):
    send(fifo, "a1")
    fifo.receive(ReceiveRequestAttemptId="attempt")
    clock(20)
    fifo.receive(ReceiveRequestAttemptId="attempt")
    clock(20)
    assert fifo.receive() == []
    clock(11)
    assert fifo.bodies() == ["a1"]


def test_an_attempt_whose_messages_were_changed_does_not_give_them_again(fifo):
    send(fifo, "a1", "a2")
    message = fifo.receive(1, ReceiveRequestAttemptId="attempt")[0]
    fifo.delete(message)
    assert [m["Body"] for m in fifo.receive(ReceiveRequestAttemptId="attempt")] == ["a2"]


@pytest.mark.clock
def test_an_attempt_is_forgotten_after_five_minutes(fifo, clock):
    send(fifo, "a1")
    first = fifo.receive(ReceiveRequestAttemptId="attempt", VisibilityTimeout=1000)
    clock(301)
    assert fifo.receive(ReceiveRequestAttemptId="attempt") == []
    assert len(first) == 1


def test_messages_of_a_locked_group_count_as_visible(fifo):
    send(fifo, "a1", "a2", "a3")
    fifo.receive(1)
    assert fifo.counts() == (2, 1, 0)


def test_a_batch_keeps_its_order(fifo):
    for batch in range(5):
        fifo.send_all(*[f"{batch}{n}" for n in range(10)], MessageGroupId="one")
    seen = []
    while messages := fifo.receive(7):
        seen += [message["Body"] for message in messages]
        fifo.delete(*messages)
    assert seen == [f"{batch}{n}" for batch in range(5) for n in range(10)]


def test_many_groups_are_looked_through_for_a_free_one(fifo):
    for n in range(30):
        fifo.send_all(*[f"{n}.{k}" for k in range(10)], MessageGroupId="busy")
    fifo.receive(1)
    fifo.send("free", MessageGroupId="free")
    assert fifo.bodies() == ["free"]
