"""Policies: permissions added and removed, and what another account may then do."""

import json

import pytest

import faults
from faults import refused
from queues import Queue, client

FRIEND = "210987654321"
STRANGER = "319876543210"


def policy_of(queue):
    text = queue.attributes("Policy").get("Policy")
    return json.loads(text) if text else None


def allow(queue, account, *actions, label="friend"):
    queue.sqs.add_permission(QueueUrl=queue.url, Label=label, AWSAccountIds=[account], Actions=list(actions))


def test_a_permission_becomes_a_statement_of_the_policy(queue):
    allow(queue, FRIEND, "ReceiveMessage")
    arn = queue.arn()
    text = queue.attributes("Policy")["Policy"]
    assert json.loads(text) == {
        "Version": "2008-10-17",
        "Id": f"{arn}/SQSDefaultPolicy",
        "Statement": [
            {
                "Sid": "friend",
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:aws:iam::{FRIEND}:root"},
                "Action": "SQS:ReceiveMessage",
                "Resource": arn,
            }
        ],
    }
    assert text.startswith('{"Version":"2008-10-17","Id":'), "keys in AWS's order, without blanks"


def test_several_accounts_and_actions_become_lists(queue, sqs):
    sqs.add_permission(
        QueueUrl=queue.url, Label="many", AWSAccountIds=[FRIEND, STRANGER], Actions=["SendMessage", "PurgeQueue"]
    )
    (statement,) = policy_of(queue)["Statement"]
    assert sorted(statement["Principal"]["AWS"]) == [f"arn:aws:iam::{n}:root" for n in [FRIEND, STRANGER]]
    assert sorted(statement["Action"]) == ["SQS:PurgeQueue", "SQS:SendMessage"]


def test_removing_the_last_permission_removes_the_policy(queue, sqs):
    allow(queue, FRIEND, "SendMessage", label="one")
    allow(queue, FRIEND, "ReceiveMessage", label="two")
    sqs.remove_permission(QueueUrl=queue.url, Label="one")
    assert [statement["Sid"] for statement in policy_of(queue)["Statement"]] == ["two"]
    sqs.remove_permission(QueueUrl=queue.url, Label="two")
    assert policy_of(queue) is None


def test_a_permission_s_parameters_are_checked(queue, lax):
    def add(label="l", accounts=(FRIEND,), actions=("SendMessage",)):
        lax.add_permission(QueueUrl=queue.url, Label=label, AWSAccountIds=list(accounts), Actions=list(actions))

    add("taken")
    with refused(faults.INVALID_PARAMETER, "Value taken for parameter Label is invalid. Reason: Already exists."):
        add("taken", actions=["ReceiveMessage"])
    reason = "Reason: Please refer to the appropriate WSDL for a list of valid actions."
    with refused(faults.INVALID_PARAMETER, f"Value SQS:Nonsense for parameter ActionName is invalid. {reason}"):
        add(actions=["Nonsense"])
    reason = "Reason: Only the queue owner is allowed to invoke this action."
    with refused(faults.INVALID_PARAMETER, f"Value SQS:CreateQueue for parameter ActionName is invalid. {reason}"):
        add(actions=["CreateQueue"])
    many = [
        "SendMessage", "ReceiveMessage", "DeleteMessage", "ChangeMessageVisibility", "GetQueueAttributes",
        "GetQueueUrl", "PurgeQueue", "ListDeadLetterSourceQueues",
    ]
    with refused(faults.OVER_LIMIT, "8 Actions were found, maximum allowed is 7."):
        add(actions=many)
    add("seven", actions=many[:7])
    with refused(faults.INVALID_PARAMETER):
        add(accounts=["12"])
    with refused(faults.INVALID_PARAMETER):
        lax.remove_permission(QueueUrl=queue.url, Label="unknown")


@pytest.fixture
def foreign(kew, queue):
    """The test's queue as another account sees it."""
    return lambda account: Queue(client(kew.url, account), queue.url)


def test_without_a_policy_another_account_may_do_nothing(queue, foreign):
    queue.send()
    stranger = foreign(STRANGER)
    for call in [stranger.send, stranger.receive, stranger.attributes]:
        with refused(faults.ACCESS_DENIED):
            call()
    assert queue.counts() == (1, 0, 0)


def test_a_permission_opens_exactly_its_actions_to_exactly_its_account(queue, foreign):
    allow(queue, FRIEND, "SendMessage", "GetQueueAttributes")
    friend = foreign(FRIEND)
    friend.send("from a friend")
    friend.send_all("also", "in a batch")
    assert friend.counts() == (3, 0, 0)
    with refused(faults.ACCESS_DENIED):
        friend.receive()
    with refused(faults.ACCESS_DENIED):
        foreign(STRANGER).send()
    assert len(queue.bodies()) == 3


def test_another_account_s_queue_is_found_by_its_owner_if_the_policy_allows(kew, queue, account):
    friend = client(kew.url, FRIEND)
    with refused(faults.QUEUE_DOES_NOT_EXIST):
        friend.get_queue_url(QueueName="queue")
    with pytest.raises(friend.exceptions.ClientError):
        friend.get_queue_url(QueueName="queue", QueueOwnerAWSAccountId=account)
    allow(queue, FRIEND, "GetQueueUrl")
    assert friend.get_queue_url(QueueName="queue", QueueOwnerAWSAccountId=account)["QueueUrl"] == queue.url


def test_an_explicit_denial_wins(queue, foreign):
    def statement(effect, action):
        return {
            "Effect": effect, "Principal": {"AWS": FRIEND}, "Action": action, "Resource": queue.arn(), "Sid": effect
        }

    policy = {"Version": "2012-10-17", "Statement": [statement("Allow", "sqs:*"), statement("Deny", "sqs:SendMessage")]}
    queue.set(Policy=json.dumps(policy))
    friend = foreign(FRIEND)
    assert friend.receive() == []
    with refused(faults.ACCESS_DENIED):
        friend.send()


def test_a_policy_may_be_open_to_everyone(queue, foreign):
    statement = {"Effect": "Allow", "Principal": "*", "Action": "SQS:SendMessage", "Resource": queue.arn()}
    queue.set(Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    foreign(STRANGER).send("from anyone")
    assert queue.bodies() == ["from anyone"]


def test_names_are_separate_per_account_and_region(kew, account):
    one, two = client(kew.url, account), client(kew.url, str(int(account) + 7000))
    far = client(kew.url, account, region="eu-central-1")
    urls = [sqs.create_queue(QueueName="same")["QueueUrl"] for sqs in [one, two, far]]
    for sqs, url, body in zip([one, two, far], urls, ["one", "two", "far"]):
        sqs.send_message(QueueUrl=url, MessageBody=body)
    for sqs, url, body in zip([one, two, far], urls, ["one", "two", "far"]):
        assert Queue(sqs, url).bodies() == [body]
    assert Queue(far, urls[2]).arn() == f"arn:aws:sqs:eu-central-1:{account}:same"


@pytest.mark.once
def test_a_key_that_is_no_account_belongs_to_the_default_account(kew):
    sqs = client(kew.url, "AKIAIOSFODNN7EXAMPLE")
    assert sqs.create_queue(QueueName="by-default")["QueueUrl"] == f"{kew.url}/000000000000/by-default"
