"""Batches: each entry by itself, and what concerns the whole."""

import pytest

import faults
from faults import refused
from queues import attributes_md5, body_md5, text

ENTRY_ID = (
    "A batch entry id can only contain alphanumeric characters, hyphens and underscores. "
    "It can be at most 80 letters long."
)


def test_a_batch_answers_each_entry_with_its_digests(queue, sqs):
    attributes = {"color": text("blue")}
    answer = sqs.send_message_batch(
        QueueUrl=queue.url,
        Entries=[
            {"Id": "plain", "MessageBody": "one"},
            {"Id": "with_attributes", "MessageBody": "two", "MessageAttributes": attributes},
            {"Id": "delayed-3", "MessageBody": "three", "DelaySeconds": 5},
        ],
    )
    assert "Failed" not in answer
    by_id = {entry["Id"]: entry for entry in answer["Successful"]}
    assert [entry["Id"] for entry in answer["Successful"]] == ["plain", "with_attributes", "delayed-3"]
    assert {name: entry["MD5OfMessageBody"] for name, entry in by_id.items()} == {
        "plain": body_md5("one"), "with_attributes": body_md5("two"), "delayed-3": body_md5("three")
    }
    assert by_id["with_attributes"]["MD5OfMessageAttributes"] == attributes_md5(attributes)
    assert "MD5OfMessageAttributes" not in by_id["plain"]
    assert queue.counts() == (2, 0, 1)
    assert {message["MessageId"] for message in queue.receive()} == {
        by_id["plain"]["MessageId"], by_id["with_attributes"]["MessageId"]
    }


def test_an_entry_fails_by_itself(make, sqs):
    queue = make("small", MaximumMessageSize="1024")
    answer = sqs.send_message_batch(
        QueueUrl=queue.url,
        Entries=[
            {"Id": "good", "MessageBody": "x" * 1024},
            {"Id": "long", "MessageBody": "x" * 1025},
            {"Id": "characters", "MessageBody": "bad \ufffe"},
            {"Id": "delay", "MessageBody": "x", "DelaySeconds": 1800},
        ],
    )
    assert [entry["Id"] for entry in answer["Successful"]] == ["good"]
    failed = {entry.pop("Id"): entry for entry in answer["Failed"]}
    assert failed["long"] == {
        "SenderFault": True,
        "Code": "InvalidParameterValue",
        "Message": "One or more parameters cannot be validated. Reason: Message must be shorter than 1024 bytes.",
    }
    assert (failed["characters"]["Code"], failed["characters"]["SenderFault"]) == ("InvalidMessageContents", True)
    assert failed["delay"] == {
        "SenderFault": True,
        "Code": "InvalidParameterValue",
        "Message": "Value 1800 for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and <= 900.",
    }
    assert queue.counts() == (1, 0, 0)


def test_a_fifo_batch_gives_sequence_numbers_and_knows_duplicates_within_itself(make, sqs):
    queue = make("ordered.fifo")
    entries = [
        {"Id": name, "MessageBody": name, "MessageGroupId": "g", "MessageDeduplicationId": dedup}
        for name, dedup in [("a", "1"), ("b", "2"), ("c", "1")]
    ]
    answer = sqs.send_message_batch(QueueUrl=queue.url, Entries=entries)
    a, b, c = answer["Successful"]
    assert a["SequenceNumber"] < b["SequenceNumber"]
    assert (c["MessageId"], c["SequenceNumber"]) == (a["MessageId"], a["SequenceNumber"])
    assert queue.bodies() == ["a", "b"]


def test_messages_are_deleted_in_a_batch(queue, sqs):
    queue.send_all("one", "two", "three")
    messages = queue.receive()
    entries = [{"Id": str(n), "ReceiptHandle": message["ReceiptHandle"]} for n, message in enumerate(messages)]
    entries.append({"Id": "forged", "ReceiptHandle": "garbage"})
    answer = sqs.delete_message_batch(QueueUrl=queue.url, Entries=entries)
    assert [entry["Id"] for entry in answer["Successful"]] == ["0", "1", "2"]
    assert answer["Failed"] == [
        {
            "Id": "forged",
            "Code": "ReceiptHandleIsInvalid",
            "SenderFault": True,
            "Message": 'The input receipt handle "garbage" is not a valid receipt handle.',
        }
    ]
    assert queue.counts() == (0, 0, 0)


def test_visibility_is_changed_in_a_batch(queue, sqs):
    queue.send_all("one", "two")
    one, two = queue.receive()
    answer = sqs.change_message_visibility_batch(
        QueueUrl=queue.url,
        Entries=[
            {"Id": "shown", "ReceiptHandle": one["ReceiptHandle"], "VisibilityTimeout": 0},
            {"Id": "hidden", "ReceiptHandle": two["ReceiptHandle"], "VisibilityTimeout": 100},
            {"Id": "forged", "ReceiptHandle": "garbage", "VisibilityTimeout": 0},
        ],
    )
    assert [entry["Id"] for entry in answer["Successful"]] == ["shown", "hidden"]
    assert [(entry["Id"], entry["Code"]) for entry in answer["Failed"]] == [("forged", "ReceiptHandleIsInvalid")]
    assert [message["MessageId"] for message in queue.receive()] == [one["MessageId"]]


BATCHES = {
    "SendMessageBatch": ("send_message_batch", {"MessageBody": "x"}),
    "DeleteMessageBatch": ("delete_message_batch", {"ReceiptHandle": "x"}),
    "ChangeMessageVisibilityBatch": ("change_message_visibility_batch", {"ReceiptHandle": "x", "VisibilityTimeout": 0}),
}


@pytest.fixture(params=sorted(BATCHES))
def batch(request, queue, lax):
    """Calls one of the three batch actions with entries of these ids."""
    method, members = BATCHES[request.param]

    def call(*ids):
        return getattr(lax, method)(QueueUrl=queue.url, Entries=[{"Id": name, **members} for name in ids])

    call.action = request.param
    return call


def test_an_empty_batch_is_refused(batch):
    wanted = f"There should be at least one {batch.action}RequestEntry in the request."
    # The Query dialect cannot say "an empty list": the member is just absent.
    with refused(faults.EMPTY_BATCH, wanted):
        batch()


def test_more_than_ten_entries_are_refused(batch):
    with refused(
        faults.TOO_MANY_ENTRIES, "Maximum number of entries per request are 10. You have sent 11."
    ):
        batch(*map(str, range(11)))


def test_ids_must_be_distinct(batch):
    with refused(faults.IDS_NOT_DISTINCT, "Id twice repeated."):
        batch("twice", "once", "twice")


@pytest.mark.parametrize("name", ["x" * 81, "a b", "é", "a.b", "a/b"])
def test_a_bad_id_is_refused(batch, name):
    with refused(faults.INVALID_ENTRY_ID, ENTRY_ID):
        batch("good", name)


def test_an_id_of_eighty_characters_is_taken(batch):
    answer = batch("x" * 80)
    assert answer.get("Successful") or answer.get("Failed")


def test_a_batch_may_hold_a_mebibyte_and_no_more(queue, sqs):
    def send(last):
        entries = [{"Id": str(n), "MessageBody": "x" * 104857} for n in range(9)]
        return sqs.send_message_batch(
            QueueUrl=queue.url, Entries=[*entries, {"Id": "last", "MessageBody": "x" * last}]
        )

    fits = 1048576 - 9 * 104857
    assert len(send(fits)["Successful"]) == 10
    with refused(
        faults.BATCH_TOO_LONG, "Batch requests cannot be longer than 1048576 bytes. You have sent 1048577 bytes."
    ):
        send(fits + 1)
    assert queue.counts() == (10, 0, 0)


def test_a_fifo_batch_without_a_group_or_a_deduplication_id_is_refused_whole(make, sqs):
    queue = make("strict.fifo")
    good = {"Id": "good", "MessageBody": "x", "MessageGroupId": "g", "MessageDeduplicationId": "d"}
    with refused(faults.INVALID_PARAMETER, "The request must contain the parameter MessageGroupId."):
        sqs.send_message_batch(
            QueueUrl=queue.url, Entries=[good, {"Id": "bad", "MessageBody": "x", "MessageDeduplicationId": "e"}]
        )
    with refused(
        faults.INVALID_PARAMETER,
        "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly",
    ):
        sqs.send_message_batch(
            QueueUrl=queue.url, Entries=[good, {"Id": "bad", "MessageBody": "x", "MessageGroupId": "g"}]
        )
    assert queue.counts() == (0, 0, 0)
