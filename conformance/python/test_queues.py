"""Queues: created, found, listed, removed; every attribute read back as it was set."""

import re

import pytest

import faults
from faults import refused, refused_missing_queue
from queues import REGION, Queue, client

DEFAULTS = {
    "DelaySeconds": "0",
    "MaximumMessageSize": "1048576",
    "MessageRetentionPeriod": "345600",
    "ReceiveMessageWaitTimeSeconds": "0",
    "VisibilityTimeout": "30",
    "SqsManagedSseEnabled": "true",
}
COUNTS = {
    "ApproximateNumberOfMessages": "0",
    "ApproximateNumberOfMessagesNotVisible": "0",
    "ApproximateNumberOfMessagesDelayed": "0",
}
FIFO_DEFAULTS = {
    "FifoQueue": "true",
    "ContentBasedDeduplication": "false",
    "DeduplicationScope": "queue",
    "FifoThroughputLimit": "perQueue",
}


def test_a_queue_url_names_the_host_of_the_request_the_account_and_the_queue(kew, sqs, account):
    answer = sqs.create_queue(QueueName="orders")
    assert answer["QueueUrl"] == f"{kew.url}/{account}/orders"
    assert sqs.get_queue_url(QueueName="orders")["QueueUrl"] == answer["QueueUrl"]
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert re.fullmatch("[0-9a-f-]{36}", answer["ResponseMetadata"]["RequestId"])


def test_a_new_standard_queue_shows_exactly_the_attributes_that_aws_shows(make, account, kew):
    seen = make("plain").attributes()
    created, modified = seen.pop("CreatedTimestamp"), seen.pop("LastModifiedTimestamp")
    assert seen == DEFAULTS | COUNTS | {"QueueArn": f"arn:aws:sqs:{REGION}:{account}:plain"}
    assert created == modified
    assert abs(int(created) * 1000 - kew.now_ms()) < 10_000, "seconds since 1970"


def test_a_new_fifo_queue_shows_exactly_the_attributes_that_aws_shows(make, account):
    seen = make("plain.fifo").attributes()
    assert seen.pop("CreatedTimestamp") and seen.pop("LastModifiedTimestamp")
    assert seen == DEFAULTS | COUNTS | FIFO_DEFAULTS | {"QueueArn": f"arn:aws:sqs:{REGION}:{account}:plain.fifo"}


SETTABLE = [
    ("DelaySeconds", "0"),
    ("DelaySeconds", "900"),
    ("MaximumMessageSize", "1024"),
    ("MaximumMessageSize", "1048576"),
    ("MessageRetentionPeriod", "60"),
    ("MessageRetentionPeriod", "1209600"),
    ("ReceiveMessageWaitTimeSeconds", "0"),
    ("ReceiveMessageWaitTimeSeconds", "20"),
    ("VisibilityTimeout", "0"),
    ("VisibilityTimeout", "43200"),
    ("SqsManagedSseEnabled", "false"),
    ("SqsManagedSseEnabled", "true"),
    ("KmsMasterKeyId", "alias/aws/sqs"),
]


@pytest.mark.parametrize("name, value", SETTABLE)
def test_an_attribute_given_at_creation_reads_back_equal(make, name, value):
    assert make("queue", **{name: value}).attributes()[name] == value


@pytest.mark.parametrize("name, value", SETTABLE)
def test_an_attribute_set_later_reads_back_equal(queue, name, value):
    queue.set(**{name: value})
    assert queue.attributes(name) == {name: value}


@pytest.mark.parametrize(
    "name, value",
    [
        ("ContentBasedDeduplication", "true"),
        ("ContentBasedDeduplication", "false"),
        ("DeduplicationScope", "messageGroup"),
        ("DeduplicationScope", "queue"),
        ("FifoThroughputLimit", "perQueue"),
    ],
)
def test_a_fifo_attribute_reads_back_equal_however_it_was_set(make, name, value):
    assert make("created.fifo", **{name: value}).attributes(name) == {name: value}
    changed = make("changed.fifo")
    changed.set(**{name: value})
    assert changed.attributes(name) == {name: value}


def test_the_high_throughput_mode_reads_back_equal(make):
    wanted = {"DeduplicationScope": "messageGroup", "FifoThroughputLimit": "perMessageGroupId"}
    assert make("fast.fifo", **wanted).attributes(*wanted) == wanted


def test_a_kms_key_switches_the_managed_encryption_off_and_brings_its_reuse_period(queue):
    queue.set(KmsMasterKeyId="alias/aws/sqs")
    seen = queue.attributes()
    assert (seen["KmsMasterKeyId"], seen["SqsManagedSseEnabled"]) == ("alias/aws/sqs", "false")
    assert seen["KmsDataKeyReusePeriodSeconds"] == "300"
    queue.set(KmsDataKeyReusePeriodSeconds="86400")
    assert queue.attributes("KmsDataKeyReusePeriodSeconds") == {"KmsDataKeyReusePeriodSeconds": "86400"}
    queue.set(KmsMasterKeyId="", KmsDataKeyReusePeriodSeconds="300")
    assert queue.attributes("KmsMasterKeyId", "KmsDataKeyReusePeriodSeconds") == {}


def test_a_policy_reads_back_and_an_empty_one_removes_it(queue):
    policy = (
        '{"Version":"2012-10-17","Statement":[{"Sid":"all","Effect":"Allow","Principal":"*",'
        '"Action":"sqs:SendMessage","Resource":"%s"}]}' % queue.arn()
    )
    queue.set(Policy=policy)
    assert queue.attributes("Policy") == {"Policy": policy}
    queue.set(Policy="")
    assert "Policy" not in queue.attributes()


def test_booleans_may_be_written_in_any_case_and_read_back_in_lower_case(make):
    assert make("a", SqsManagedSseEnabled="False").attributes()["SqsManagedSseEnabled"] == "false"
    assert make("b.fifo", ContentBasedDeduplication="True").attributes()["ContentBasedDeduplication"] == "true"


def test_only_the_attributes_asked_for_are_shown(queue):
    assert queue.attributes("VisibilityTimeout", "DelaySeconds") == {"VisibilityTimeout": "30", "DelaySeconds": "0"}
    assert queue.attributes("Policy", "RedrivePolicy", "KmsMasterKeyId", "FifoQueue") == {}


def test_no_attribute_names_show_no_attributes(queue, sqs):
    assert "Attributes" not in sqs.get_queue_attributes(QueueUrl=queue.url)


@pytest.mark.clock
def test_a_change_moves_the_modified_time_and_not_the_created_time(queue, clock):
    before = queue.attributes()
    clock(100)
    queue.set(VisibilityTimeout="31")
    after = queue.attributes()
    assert after["CreatedTimestamp"] == before["CreatedTimestamp"]
    assert 99 <= int(after["LastModifiedTimestamp"]) - int(before["LastModifiedTimestamp"]) <= 115


def test_a_refused_change_changes_nothing(queue):
    with refused(faults.INVALID_ATTRIBUTE_VALUE):
        queue.set(VisibilityTimeout="31", DelaySeconds="901")
    assert queue.attributes("VisibilityTimeout", "DelaySeconds") == {"VisibilityTimeout": "30", "DelaySeconds": "0"}


def test_creating_a_queue_again_with_equal_or_no_attributes_answers_the_same_url(make, sqs):
    queue = make("again", VisibilityTimeout="40")
    queue.send("stays")
    assert make("again", VisibilityTimeout="40").url == queue.url
    assert sqs.create_queue(QueueName="again")["QueueUrl"] == queue.url
    queue.set(VisibilityTimeout="50")
    assert make("again", VisibilityTimeout="50").url == queue.url
    assert queue.counts() == (1, 0, 0)


def test_creating_a_queue_again_with_another_attribute_is_refused(make):
    make("again", VisibilityTimeout="40")
    wanted = "A queue already exists with the same name and a different value for attribute "
    with refused(faults.QUEUE_NAME_EXISTS, wanted + "VisibilityTimeout"):
        make("again", VisibilityTimeout="41")
    with refused(faults.QUEUE_NAME_EXISTS, wanted + "DelaySeconds"):
        make("again", DelaySeconds="1")


@pytest.mark.parametrize("name", ["a", "A-b_9", "x" * 80, "y" * 75 + ".fifo"])
def test_a_good_name_is_taken(make, name):
    assert make(name).name == name


def test_the_lists_are_sorted_filtered_and_the_account_s_own(kew, make, sqs, account):
    names = ["beta", "alpha-2", "alpha-1", "alpha.fifo"]
    for name in names:
        make(name)
    client(kew.url, str(int(account) + 5000)).create_queue(QueueName="alpha-of-another")
    client(kew.url, account, region="eu-west-1").create_queue(QueueName="alpha-elsewhere")
    assert sqs.list_queues()["QueueUrls"] == [f"{kew.url}/{account}/{name}" for name in sorted(names)]
    listed = sqs.list_queues(QueueNamePrefix="alpha")["QueueUrls"]
    assert [url.rsplit("/", 1)[1] for url in listed] == ["alpha-1", "alpha-2", "alpha.fifo"]
    assert "QueueUrls" not in sqs.list_queues(QueueNamePrefix="nothing")


def test_a_listing_pages_with_a_token_until_the_last_page(make, sqs):
    names = [f"page-{index}" for index in range(5)]
    for name in names:
        make(name)
    seen, token, pages = [], None, 0
    while pages == 0 or token:
        extra = {"NextToken": token} if token else {}
        answer = sqs.list_queues(QueueNamePrefix="page-", MaxResults=2, **extra)
        seen += [url.rsplit("/", 1)[1] for url in answer["QueueUrls"]]
        token, pages = answer.get("NextToken"), pages + 1
    assert (seen, pages) == (names, 3)
    pages = sqs.get_paginator("list_queues").paginate(QueueNamePrefix="page-", PaginationConfig={"PageSize": 2})
    assert [len(page["QueueUrls"]) for page in pages] == [2, 2, 1]


def test_a_full_page_that_is_the_last_has_no_token(make, sqs):
    make("one"), make("two")
    assert "NextToken" not in sqs.list_queues(MaxResults=2)


def test_without_max_results_a_thousand_queues_are_listed_and_no_token(kew, account):
    lone = client(kew.url, account)
    for index in range(1001):
        lone.create_queue(QueueName=f"many-{index:04}")
    answer = lone.list_queues()
    assert len(answer["QueueUrls"]) == 1000
    assert "NextToken" not in answer
    answer = lone.list_queues(MaxResults=1000)
    rest = lone.list_queues(MaxResults=1000, NextToken=answer["NextToken"])
    assert (len(answer["QueueUrls"]), len(rest["QueueUrls"])) == (1000, 1)


def test_a_deleted_queue_is_gone_with_its_messages(make, sqs):
    queue = make("gone")
    queue.send()
    sqs.delete_queue(QueueUrl=queue.url)
    for call in [queue.send, queue.receive, queue.attributes, lambda: sqs.get_queue_url(QueueName="gone")]:
        with refused_missing_queue():
            call()
    assert "QueueUrls" not in sqs.list_queues()
    assert make("gone").counts() == (0, 0, 0)


def test_a_handle_of_a_deleted_queue_is_no_handle_of_its_successor(make, sqs):
    queue = make("reborn")
    queue.send("old")
    old = queue.receive_one()
    sqs.delete_queue(QueueUrl=queue.url)
    queue = make("reborn")
    queue.send("new")
    try:
        queue.delete(old)
    except sqs.exceptions.ClientError as error:
        faults.check(error.response, faults.RECEIPT_HANDLE_IS_INVALID)
    assert queue.bodies() == ["new"]


def test_the_host_of_a_queue_url_does_not_matter(queue, sqs, account):
    queue.send("found")
    for host in ["https://sqs.us-east-1.amazonaws.com", "http://elsewhere:9999", "http://queue.example"]:
        other = Queue(sqs, f"{host}/{account}/queue")
        assert other.bodies(VisibilityTimeout=0) == ["found"]


def test_tags_can_be_given_at_creation(make, sqs):
    queue = make("tagged", tags={"team": "blue", "Stage": ""})
    assert sqs.list_queue_tags(QueueUrl=queue.url)["Tags"] == {"team": "blue", "Stage": ""}


def test_tags_are_added_replaced_and_removed(queue, sqs):
    assert "Tags" not in sqs.list_queue_tags(QueueUrl=queue.url)
    sqs.tag_queue(QueueUrl=queue.url, Tags={"a": "1", "b": "2"})
    sqs.tag_queue(QueueUrl=queue.url, Tags={"b": "3", "B": "4"})
    assert sqs.list_queue_tags(QueueUrl=queue.url)["Tags"] == {"a": "1", "b": "3", "B": "4"}
    sqs.untag_queue(QueueUrl=queue.url, TagKeys=["a", "B", "never there"])
    assert sqs.list_queue_tags(QueueUrl=queue.url)["Tags"] == {"b": "3"}
    sqs.untag_queue(QueueUrl=queue.url, TagKeys=["b"])
    assert "Tags" not in sqs.list_queue_tags(QueueUrl=queue.url)


def test_a_purge_empties_a_queue_of_every_kind_of_message_at_once(queue, sqs):
    queue.send_all("one", "two", "three")
    queue.send("later", DelaySeconds=900)
    queue.receive(1)
    assert queue.counts() == (2, 1, 1)
    sqs.purge_queue(QueueUrl=queue.url)
    assert queue.counts() == (0, 0, 0)
    assert queue.receive() == []
    queue.send("after")
    assert queue.bodies() == ["after"]


def test_a_handle_from_before_a_purge_does_no_harm(queue, sqs):
    queue.send("old")
    old = queue.receive_one()
    sqs.purge_queue(QueueUrl=queue.url)
    queue.send("new")
    queue.delete(old)
    assert queue.bodies() == ["new"]


def test_counts_are_exact_through_a_message_s_life(queue):
    queue.send_all("a", "b", "c")
    assert queue.counts() == (3, 0, 0)
    first, second = queue.receive(2)
    assert queue.counts() == (1, 2, 0)
    queue.delete(first)
    assert queue.counts() == (1, 1, 0)
    queue.hide(second, 0)
    assert queue.counts() == (2, 0, 0)
    queue.send("d", DelaySeconds=60)
    assert queue.counts() == (2, 0, 1)
