"""Messages: sent, received, hidden, deleted; what a receiver is told about them."""

import concurrent.futures
import hashlib
import re

import pytest

import faults
from faults import refused
from queues import attributes_md5, binary, body_md5, text

EVERYTHING = {"AttributeNames": ["All"], "MessageAttributeNames": ["All"]}
TRACE = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
ATTRIBUTES = {
    "color": text("blue"),
    "count": text("3", "Number"),
    "blob": binary(b"\x01\x02\x03"),
    "price.eur": text("-12.50e3", "Number.float"),
    "shape_of-it": text("été ☃ 😀", "String.shape"),
    "picture": binary(bytes(range(256)), "Binary.png"),
}


def test_a_message_comes_back_as_it_was_sent(queue):
    sent = queue.send("hello")
    assert sent["MD5OfMessageBody"] == body_md5("hello")
    assert re.fullmatch("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", sent["MessageId"])
    assert not {"SequenceNumber", "MD5OfMessageAttributes", "MD5OfMessageSystemAttributes"} & set(sent)
    message = queue.receive_one()
    assert set(message) == {"MessageId", "ReceiptHandle", "MD5OfBody", "Body"}
    assert (message["MessageId"], message["Body"], message["MD5OfBody"]) == (
        sent["MessageId"], "hello", sent["MD5OfMessageBody"]
    )


@pytest.mark.parametrize(
    "body",
    [
        "x",
        "<a href=\"b\">'&amp;'</a>",
        "tab\tnewline\ncarriage return\r",
        "\\ / \" \u2028 \u2029 \u0085 \u00a0",
        "été ☃ 😀 \ud7ff\ue000\ufffd\U00010000\U0010ffff",
        " leading and trailing ",
        '{"json": ["with \\"quotes\\"", 1.50]}',
        "plus + percent % equals = ampersand & semicolon ;",
        "x" * 1048576,
    ],
    ids=["letter", "markup", "white", "separators", "planes", "blanks", "json", "form", "largest"],
)
def test_a_body_survives_unchanged(queue, body):
    assert queue.send(body)["MD5OfMessageBody"] == body_md5(body)
    message = queue.receive_one()
    assert message["Body"] == body
    assert message["MD5OfBody"] == body_md5(body)


def test_message_attributes_survive_with_their_types_and_digest(queue):
    sent = queue.send(MessageAttributes=ATTRIBUTES)
    assert sent["MD5OfMessageAttributes"] == attributes_md5(ATTRIBUTES)
    message = queue.receive_one(MessageAttributeNames=["All"])
    assert message["MessageAttributes"] == ATTRIBUTES
    assert message["MD5OfMessageAttributes"] == attributes_md5(ATTRIBUTES)


@pytest.mark.parametrize(
    "attributes, digest",
    [
        ({name: ATTRIBUTES[name] for name in ["color", "count", "blob"]}, "d838729972a4b70e2d2acd9d59ac847c"),
        ({"color": text("blue")}, "da1b33cc3cbfe8b1630921e78e6b9880"),
        ({"timestamp": text("1493147359900", "Number")}, "235c5c510d26fb653d073faed50ae77c"),
        (
            {"Hello": text("There"), "General": text("Kenobi"), "Help.Me": text("Me")},
            "4c360f3fdafd970e05fae2f149d997f5",
        ),
    ],
)
def test_the_attribute_digests_that_aws_gave_are_given(queue, attributes, digest):
    assert attributes_md5(attributes) == digest, "the test's own digest is right"
    assert queue.send(MessageAttributes=attributes)["MD5OfMessageAttributes"] == digest


@pytest.mark.parametrize(
    "asked, shown",
    [
        ([], []),
        (["All"], ["Hello", "Help.Me", "General"]),
        ([".*"], ["Hello", "Help.Me", "General"]),
        (["Hello"], ["Hello"]),
        (["Help"], []),
        (["Help.*"], ["Help.Me"]),
        (["Hel.*"], ["Hello", "Help.Me"]),
        (["hello"], []),
        (["General", "Help.Me", "Nothing"], ["General", "Help.Me"]),
        (["..foo", "AWS."], []),
    ],
)
def test_only_the_attributes_asked_for_are_received_and_digested(queue, asked, shown):
    attributes = {"Hello": text("There"), "Help.Me": text("Me"), "General": text("Kenobi")}
    queue.send(MessageAttributes=attributes)
    message = queue.receive_one(MessageAttributeNames=asked)
    expected = {name: attributes[name] for name in shown}
    assert message.get("MessageAttributes", {}) == expected
    assert message.get("MD5OfMessageAttributes") == (attributes_md5(expected) if expected else None)


def test_the_trace_header_is_a_system_attribute_with_a_digest_of_its_own(queue):
    sent = queue.send(MessageSystemAttributes={"AWSTraceHeader": text(TRACE)})
    assert sent["MD5OfMessageSystemAttributes"] == "5ae4d5d7636402d80f4eb6d213245a88"
    assert "MD5OfMessageAttributes" not in sent
    message = queue.receive_one(AttributeNames=["AWSTraceHeader"], MessageAttributeNames=["All"])
    assert message["Attributes"] == {"AWSTraceHeader": TRACE}
    assert "MessageAttributes" not in message


def test_all_system_attributes_of_a_standard_queue_are_those_of_aws(kew, queue):
    before = kew.now_ms()
    queue.send()
    message = queue.receive_one(AttributeNames=["All"])
    seen = message["Attributes"]
    assert set(seen) == {
        "SenderId", "SentTimestamp", "ApproximateReceiveCount", "ApproximateFirstReceiveTimestamp"
    }
    assert seen["ApproximateReceiveCount"] == "1"
    assert before <= int(seen["SentTimestamp"]) <= int(seen["ApproximateFirstReceiveTimestamp"]) <= kew.now_ms()
    assert seen["SenderId"]


def test_all_system_attributes_of_a_fifo_queue_are_those_of_aws(fifo):
    sent = fifo.send("same", MessageGroupId="g")
    seen = fifo.receive_one(AttributeNames=["All"])["Attributes"]
    assert set(seen) == {
        "SenderId", "SentTimestamp", "ApproximateReceiveCount", "ApproximateFirstReceiveTimestamp", "SequenceNumber",
        "MessageGroupId", "MessageDeduplicationId",
    }
    assert seen["SequenceNumber"] == sent["SequenceNumber"]
    assert seen["MessageGroupId"] == "g"
    assert seen["MessageDeduplicationId"] == hashlib.sha256(b"same").hexdigest()


@pytest.mark.parametrize(
    "name",
    ["SenderId", "SentTimestamp", "ApproximateReceiveCount", "ApproximateFirstReceiveTimestamp"],
)
def test_one_system_attribute_can_be_asked_for(queue, name):
    queue.send()
    assert set(queue.receive_one(AttributeNames=[name])["Attributes"]) == {name}


def test_a_system_attribute_that_does_not_apply_is_no_error(queue):
    queue.send()
    assert "Attributes" not in queue.receive_one(AttributeNames=["SequenceNumber", "MessageGroupId"])


@pytest.mark.once
def test_the_new_name_of_the_system_attribute_list_is_understood_and_united_with_the_old(queue):
    queue.send_all("a", "b", "c")
    names = ["MessageSystemAttributeNames", "AttributeNames"]
    message = queue.receive_one(MessageSystemAttributeNames=["SentTimestamp"])
    assert set(message["Attributes"]) == {"SentTimestamp"}
    message = queue.receive_one(**dict(zip(names, [["SentTimestamp"], ["SenderId"]])))
    assert set(message["Attributes"]) == {"SentTimestamp", "SenderId"}
    message = queue.receive_one(**dict(zip(names, [["All"], ["SenderId"]])))
    assert len(message["Attributes"]) == 4


@pytest.mark.clock
def test_every_receive_gives_a_new_handle_and_counts(queue, clock):
    queue.send()
    handles, first = set(), None
    for count in range(1, 5):
        message = queue.receive_one(AttributeNames=["All"])
        handles.add(message["ReceiptHandle"])
        seen = message["Attributes"]
        first = first or seen["ApproximateFirstReceiveTimestamp"]
        assert seen["ApproximateReceiveCount"] == str(count)
        assert seen["ApproximateFirstReceiveTimestamp"] == first
        clock(31)
    assert len(handles) == 4


def test_up_to_as_many_messages_as_asked_for_are_received(queue):
    assert queue.receive(10) == []
    queue.send_all(*"abcdefghij")
    queue.send_all(*"klmno")
    assert len(queue.receive(1)) == 1
    assert len(queue.receive(3)) == 3
    assert len(queue.sqs.receive_message(QueueUrl=queue.url)["Messages"]) == 1, "one, if nothing is said"
    assert len(queue.receive(10)) == 10
    assert queue.receive(10) == []


@pytest.mark.clock
def test_a_received_message_is_hidden_for_the_queue_s_visibility_timeout(make, clock):
    queue = make("short", VisibilityTimeout="50")
    queue.send()
    assert queue.bodies() == ["hello"]
    clock(40)
    assert queue.bodies() == []
    clock(10)
    assert queue.bodies() == ["hello"]


@pytest.mark.clock
def test_a_receive_s_own_visibility_timeout_counts_for_it_alone(queue, clock):
    queue.send()
    assert queue.bodies(VisibilityTimeout=100) == ["hello"]
    clock(90)
    assert queue.bodies() == []
    clock(10)
    assert queue.bodies() == ["hello"]
    clock(31)
    assert queue.bodies() == ["hello"], "the queue's own timeout counted for the second receive"


def test_a_visibility_timeout_of_zero_leaves_the_message_visible(queue):
    queue.send()
    for _ in range(3):
        assert queue.bodies(VisibilityTimeout=0) == ["hello"]
    assert queue.counts() == (1, 0, 0)


@pytest.mark.clock
def test_a_change_of_visibility_counts_from_now(queue, clock):
    queue.send()
    message = queue.receive_one()
    clock(20)
    queue.hide(message, 60)
    clock(50)
    assert queue.receive() == []
    clock(10)
    assert queue.bodies() == ["hello"]


def test_a_change_of_visibility_to_zero_shows_the_message_now(queue):
    queue.send()
    message = queue.receive_one()
    queue.hide(message, 0)
    assert queue.receive_one()["MessageId"] == message["MessageId"]


def test_after_zero_the_same_handle_can_hide_the_message_again(queue):
    queue.send()
    message = queue.receive_one()
    queue.hide(message, 0)
    queue.hide(message, 10)
    assert queue.receive() == []


@pytest.mark.clock
def test_visibility_may_not_pass_twelve_hours_from_the_receive(queue, clock):
    queue.send()
    message = queue.receive_one()
    limit = "Value {} for parameter VisibilityTimeout is invalid. Reason: "
    limit += "Total VisibilityTimeout for the message is beyond the limit [43200 seconds]."
    with refused(faults.INVALID_PARAMETER, limit.format(43200)):
        queue.hide(message, 43200)
    queue.hide(message, 43000)
    clock(1000)
    with refused(faults.INVALID_PARAMETER, limit.format(42500)):
        queue.hide(message, 42500)
    queue.hide(message, 42100)
    clock(42050)
    assert queue.receive() == []


def test_the_visibility_of_a_deleted_message_cannot_be_changed(queue):
    queue.send()
    message = queue.receive_one()
    queue.delete(message)
    reason = "Message does not exist or is not available for visibility timeout change."
    handle = message["ReceiptHandle"]
    wanted = f"Value {handle} for parameter ReceiptHandle is invalid. Reason: {reason}"
    with refused(faults.INVALID_PARAMETER, wanted):
        queue.hide(message, 10)


@pytest.mark.clock
def test_a_deleted_message_never_returns_and_a_second_delete_succeeds(queue, clock):
    queue.send()
    message = queue.receive_one()
    queue.delete(message)
    queue.delete(message)
    clock(60)
    assert queue.receive() == []
    assert queue.counts() == (0, 0, 0)


@pytest.mark.clock
def test_an_older_handle_of_a_standard_queue_s_message_still_deletes_it(queue, clock):
    queue.send()
    old = queue.receive_one()
    clock(31)
    queue.delete(old)
    assert queue.counts() == (0, 0, 0)
    queue.send("second")
    old = queue.receive_one()
    clock(31)
    queue.receive_one()
    # Whether it is deleted, AWS leaves open; that it answers success, it does not.
    queue.delete(old)


@pytest.mark.parametrize("handle", ["garbage", "INVALID", "%%%", "AAAA", "e30=", "é", "x" * 1024])
def test_a_forged_handle_is_no_handle(queue, handle):
    wanted = f'The input receipt handle "{handle}" is not a valid receipt handle.'
    with refused(faults.RECEIPT_HANDLE_IS_INVALID, wanted):
        queue.delete({"ReceiptHandle": handle})
    with refused(faults.RECEIPT_HANDLE_IS_INVALID, wanted):
        queue.hide({"ReceiptHandle": handle}, 10)


def test_a_handle_with_a_changed_character_is_no_handle(queue):
    queue.send()
    handle = queue.receive_one()["ReceiptHandle"]
    middle = len(handle) // 2
    other = "A" if handle[middle] != "A" else "B"
    with refused(faults.RECEIPT_HANDLE_IS_INVALID):
        queue.delete({"ReceiptHandle": handle[:middle] + other + handle[middle + 1:]})


def test_a_handle_of_another_queue_is_no_handle_of_this_one(make, queue):
    other = make("other")
    other.send()
    message = other.receive_one()
    wanted = 'The receipt handle "{}" is not valid for this queue.'.format(message["ReceiptHandle"])
    with refused(faults.RECEIPT_HANDLE_IS_INVALID, wanted):
        queue.delete(message)
    other.delete(message)


@pytest.mark.clock
def test_a_message_can_be_delayed_by_itself(queue, clock):
    queue.send("late", DelaySeconds=900)
    queue.send("now")
    assert queue.counts() == (1, 0, 1)
    assert queue.bodies() == ["now"]
    clock(880)
    assert queue.counts()[2] == 1
    clock(20)
    assert queue.counts()[2] == 0
    assert "late" in queue.bodies()


@pytest.mark.clock
def test_a_queue_s_delay_holds_for_messages_that_do_not_say_otherwise(make, clock):
    queue = make("delayed", DelaySeconds="10")
    queue.send("by the queue")
    queue.send("by itself", DelaySeconds=0)
    queue.send("longer", DelaySeconds=20)
    assert queue.bodies() == ["by itself"]
    clock(10)
    assert queue.bodies() == ["by the queue"]
    clock(10)
    assert queue.bodies() == ["longer"]


@pytest.mark.clock
def test_a_changed_queue_delay_concerns_only_later_messages_of_a_standard_queue(queue, clock):
    queue.send("before")
    queue.set(DelaySeconds="10")
    queue.send("after")
    assert queue.bodies() == ["before"]
    clock(10)
    assert queue.bodies() == ["after"]


@pytest.mark.clock
def test_retention_removes_waiting_delayed_and_in_flight_messages(make, clock):
    queue = make("brief", MessageRetentionPeriod="60", VisibilityTimeout="1000")
    queue.send("in flight")
    held = queue.receive_one()
    queue.send("waiting")
    queue.send("delayed", DelaySeconds=500)
    assert queue.counts() == (1, 1, 1)
    clock(45)
    assert queue.counts() == (1, 1, 1)
    clock(16)
    assert queue.counts() == (0, 0, 0)
    assert queue.receive() == []
    queue.delete(held)
    queue.send("fresh")
    assert queue.bodies() == ["fresh"]


@pytest.mark.clock
def test_a_changed_retention_concerns_messages_that_are_there(queue, clock):
    queue.send()
    queue.set(MessageRetentionPeriod="60")
    clock(61)
    assert queue.counts() == (0, 0, 0)


def test_a_long_poll_is_answered_as_soon_as_a_message_arrives(queue):
    with concurrent.futures.ThreadPoolExecutor() as pool:
        waiting = pool.submit(queue.receive, 10, WaitTimeSeconds=20)
        with pytest.raises(concurrent.futures.TimeoutError):
            waiting.result(timeout=0.3)
        queue.send("arrived")
        assert [message["Body"] for message in waiting.result(timeout=5)] == ["arrived"]


def test_a_long_poll_returns_at_once_with_whatever_there_is(queue):
    queue.send("only one")
    with concurrent.futures.ThreadPoolExecutor() as pool:
        waiting = pool.submit(queue.bodies, 10, WaitTimeSeconds=20)
        assert waiting.result(timeout=5) == ["only one"]


@pytest.mark.clock
def test_a_long_poll_sees_a_message_become_visible(queue, clock):
    queue.send("delayed", DelaySeconds=10)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        waiting = pool.submit(queue.bodies, 10, WaitTimeSeconds=20, VisibilityTimeout=15)
        with pytest.raises(concurrent.futures.TimeoutError):
            waiting.result(timeout=0.3)
        clock(10)
        assert waiting.result(timeout=5) == ["delayed"]
        waiting = pool.submit(queue.bodies, 10, WaitTimeSeconds=20)
        with pytest.raises(concurrent.futures.TimeoutError):
            waiting.result(timeout=0.3)
        clock(15)
        assert waiting.result(timeout=5) == ["delayed"], "its lease was over"


@pytest.mark.clock
def test_a_long_poll_ends_empty_when_its_time_is_over(make, clock):
    queue = make("polled", ReceiveMessageWaitTimeSeconds="20")
    with concurrent.futures.ThreadPoolExecutor() as pool:
        # The queue's own wait counts when the request gives none.
        waiting = pool.submit(queue.sqs.receive_message, QueueUrl=queue.url)
        with pytest.raises(concurrent.futures.TimeoutError):
            waiting.result(timeout=0.3)
        clock(20)
        assert "Messages" not in waiting.result(timeout=5)


def test_a_wait_of_zero_overrides_the_queue_s_own(make):
    queue = make("polled", ReceiveMessageWaitTimeSeconds="20")
    with concurrent.futures.ThreadPoolExecutor() as pool:
        assert pool.submit(queue.receive, 10, WaitTimeSeconds=0).result(timeout=5) == []


def test_waiting_pollers_share_what_arrives(queue):
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        polls = [pool.submit(queue.bodies, 1, WaitTimeSeconds=20) for _ in range(8)]
        with pytest.raises(concurrent.futures.TimeoutError):
            polls[0].result(timeout=0.3)
        queue.send_all(*"abcdefgh")
        assert sorted(sum((poll.result(timeout=5) for poll in polls), [])) == list("abcdefgh")
