"""Behaviour that was seen at AWS and that no manual tells: which group comes next, what an old handle still does."""

import json

import pytest

from queues import body_md5, text


def send(queue, *names):
    """Sends bodies such as `g1-m1`: what stands before the hyphen is the group."""
    for name in names:
        queue.send(name, MessageGroupId=name.split("-")[0])


@pytest.mark.clock
def test_groups_whose_leases_ended_come_after_those_that_waited_in_the_order_in_which_they_ended(fifo, clock):
    send(fifo, "g1-m1", "g1-m2", "g1-m3", "g1-m4", "g2-m1", "g3-m1")
    assert fifo.bodies(2) == ["g1-m1", "g1-m2"]
    clock(0.5)
    assert fifo.bodies(1) == ["g2-m1"]
    clock(31)
    wanted = ["g3-m1", "g1-m1", "g1-m2", "g1-m3", "g1-m4", "g2-m1"]
    assert fifo.bodies(10, VisibilityTimeout=0) == wanted


def test_groups_that_were_received_without_a_lease_come_after_those_that_waited(fifo):
    send(fifo, "g1-m1", "g2-m1", "g2-m2", "g3-m1", "g1-m2")
    assert fifo.bodies(3, VisibilityTimeout=0) == ["g1-m1", "g1-m2", "g2-m1"]
    assert fifo.bodies(10, VisibilityTimeout=0) == ["g3-m1", "g1-m1", "g1-m2", "g2-m1", "g2-m2"]


def test_a_group_given_back_by_hand_comes_after_those_that_waited(fifo):
    send(fifo, "g1-m1", "g1-m2", "g2-m1")
    first, _ = fifo.receive(2)
    fifo.hide(first, 0)
    assert fifo.bodies(3) == ["g2-m1", "g1-m1"]


@pytest.mark.clock
def test_a_shortened_lease_gives_its_message_back_alone(fifo, clock):
    send(fifo, "g1-m1", "g1-m2", "g2-m1")
    first, _ = fifo.receive(2)
    fifo.hide(first, 1)
    clock(2)
    assert fifo.bodies(3) == ["g2-m1", "g1-m1"]


def test_after_a_delete_the_groups_come_in_the_order_of_their_first_messages(fifo):
    send(fifo, "g1-m1", "g2-m1", "g1-m2", "g2-m2", "g1-m2", "g1-m3", "g1-m4", "g3-m1")
    one, two = fifo.receive(2)
    assert [one["Body"], two["Body"]] == ["g1-m1", "g1-m2"]
    fifo.delete(one, two)
    assert fifo.bodies(10) == ["g2-m1", "g2-m2", "g1-m3", "g1-m4", "g3-m1"]


def test_after_a_partial_delete_the_group_stays_locked(fifo):
    send(fifo, "g1-m1", "g2-m1", "g1-m2", "g2-m2", "g1-m3", "g1-m4", "g3-m1")
    one, _ = fifo.receive(2)
    fifo.delete(one)
    assert fifo.bodies(10) == ["g2-m1", "g2-m2", "g3-m1"]


@pytest.mark.clock
def test_a_standard_queue_gives_a_returned_message_before_a_younger_one(queue, clock):
    queue.send("older")
    assert queue.bodies(1, VisibilityTimeout=30) == ["older"]
    clock(15)
    queue.send("younger")
    clock(30)
    assert queue.bodies(1) == ["older"]


def test_an_older_handle_of_a_standard_queue_still_changes_the_visibility(queue):
    queue.send()
    old = queue.receive_one(VisibilityTimeout=0)
    queue.receive_one(VisibilityTimeout=300)
    queue.hide(old, 0)
    assert queue.bodies() == ["hello"]


@pytest.mark.clock
def test_a_lease_that_just_ended_can_be_extended(make, clock):
    queue = make("short", VisibilityTimeout="20")
    queue.send()
    message = queue.receive_one()
    for _ in range(3):
        clock(20)
        queue.hide(message, 20)
        assert queue.receive() == []
    clock(20)
    assert queue.bodies() == ["hello"]


def test_a_dead_letter_is_moved_by_a_receive_that_then_finds_nothing(make):
    dead = make("dead", VisibilityTimeout="0")
    redrive = json.dumps({"deadLetterTargetArn": dead.arn(), "maxReceiveCount": 1})
    queue = make("source", RedrivePolicy=redrive, VisibilityTimeout="0")
    sent = queue.send()
    assert [len(queue.receive(1)), len(queue.receive(1))] == [1, 0]
    message = dead.receive_one(AttributeNames=["ApproximateReceiveCount"])
    assert (message["MessageId"], message["Attributes"]["ApproximateReceiveCount"]) == (sent["MessageId"], "2")


def test_dead_letters_go_on_along_a_chain_of_queues(make):
    last = make("last", VisibilityTimeout="0")
    chain = [last]
    for name in ["middle", "first"]:
        redrive = json.dumps({"deadLetterTargetArn": chain[0].arn(), "maxReceiveCount": 1})
        chain.insert(0, make(name, RedrivePolicy=redrive, VisibilityTimeout="0"))
    chain[0].send("through")
    # In the middle queue it has been received as often as is allowed, before it is received there.
    assert [queue.bodies(1) for queue in chain[:1] * 2] == [["through"], []]
    assert chain[1].comes_to(1, 0, 0)
    seen = [queue.bodies(1) for queue in [chain[1], chain[1]]]
    assert seen in ([["through"], []], [[], []])
    assert chain[2].comes_to(1, 0, 0)
    assert chain[2].bodies(1) == ["through"]


def test_a_key_and_its_reuse_period_can_be_set_together_with_managed_encryption_off(queue):
    wanted = {
        "KmsMasterKeyId": "testKeyId", "KmsDataKeyReusePeriodSeconds": "6000", "SqsManagedSseEnabled": "false"
    }
    queue.set(**wanted)
    assert queue.attributes(*wanted) == wanted


def test_only_the_attributes_that_a_creation_names_are_compared(make):
    url = make("queue", ReceiveMessageWaitTimeSeconds="1", DelaySeconds="1").url
    assert make("queue", DelaySeconds="1").url == url


def test_letters_of_any_language_may_stand_in_an_attribute_s_name(queue):
    attributes = {"attr.1øßä": text("valid")}
    queue.send(MessageAttributes=attributes)
    assert queue.receive_one(MessageAttributeNames=["All"])["MessageAttributes"] == attributes


def test_an_asterisk_stands_for_all_message_attributes(queue):
    attributes = {"Foo": text("Bar")}
    queue.send(MessageAttributes=attributes)
    assert queue.receive_one(MessageAttributeNames=["*"])["MessageAttributes"] == attributes


def test_a_duplicate_is_answered_with_the_digest_of_its_own_body(fifo):
    first = fifo.send("one", MessageGroupId="g", MessageDeduplicationId="d")
    again = fifo.send("two", MessageGroupId="g", MessageDeduplicationId="d")
    assert again["MessageId"] == first["MessageId"]
    assert again["MD5OfMessageBody"] == body_md5("two")


@pytest.mark.parametrize("name", ["tag", "aTag", "under_score", "with-hyphen", "a/slash", "a:colon", "with space", "+=@."])
def test_tags_may_have_all_the_characters_that_aws_allows(queue, sqs, name):
    sqs.tag_queue(QueueUrl=queue.url, Tags={name: "v" * 256})
    assert sqs.list_queue_tags(QueueUrl=queue.url)["Tags"] == {name: "v" * 256}
