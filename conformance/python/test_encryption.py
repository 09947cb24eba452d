"""Queues whose messages are encrypted on disk: what clients notice of it, and what lies there."""

import hashlib
import json
import subprocess

import pytest
from botocore.exceptions import ClientError

import server
from queues import REGION, Queue, client
from test_kms import kms_client

WORD = "quicksilver"


def refused(code):
    return pytest.raises(ClientError, match=rf"\({code}\)")


@pytest.fixture
def kms(kew, account):
    return kms_client(kew.url, account)


@pytest.fixture
def key(kms):
    return kms.create_key()["KeyMetadata"]["KeyId"]


def holds(folder, word):
    """The files that hold a word."""
    return [path for path in folder.rglob("*") if path.is_file() and word.encode() in path.read_bytes()]


def test_an_encrypted_message_is_for_clients_as_any_other(make, key):
    attribute = {"name": {"DataType": "String", "StringValue": WORD}}
    for queue in (make("managed"), make("kms", KmsMasterKeyId=key), make("aws", KmsMasterKeyId="alias/aws/sqs")):
        sent = queue.send(WORD, MessageAttributes=attribute)
        assert sent["MD5OfMessageBody"] == hashlib.md5(WORD.encode()).hexdigest()
        got = queue.receive_one(MessageAttributeNames=["All"])
        assert (got["Body"], got["MessageAttributes"]) == (WORD, attribute)
        assert got["MD5OfMessageAttributes"] == sent["MD5OfMessageAttributes"]


def test_nobody_who_may_not_use_a_queue_has_a_key_made_for_it(kew, make, kms):
    queue = make("aws", KmsMasterKeyId="alias/aws/sqs")
    stranger = client(kew.url, "222222222222")
    for call in (
        lambda: stranger.send_message(QueueUrl=queue.url, MessageBody="x"),
        lambda: stranger.receive_message(QueueUrl=queue.url),
    ):
        with refused("AccessDenied"):
            call()
    assert not kms.list_aliases().get("Aliases")
    queue.send()
    assert [alias["AliasName"] for alias in kms.list_aliases()["Aliases"]] == ["alias/aws/sqs"]


def test_content_is_deduplicated_and_measured_before_it_is_encrypted(make, key):
    fifo = make("queue.fifo", ContentBasedDeduplication="true", KmsMasterKeyId=key)
    first, second = (fifo.send("same", MessageGroupId="g")["MessageId"] for _ in range(2))
    assert first == second and fifo.bodies() == ["same"]
    small = make("small", MaximumMessageSize="1024", KmsMasterKeyId=key)
    small.send("x" * 1024)
    assert [len(body) for body in small.bodies()] == [1024]


@pytest.mark.parametrize("name", ["id", "arn", "alias", "alias_arn"])
def test_a_queue_names_its_key_in_any_way(make, kms, key, account, name):
    kms.create_alias(AliasName="alias/orders", TargetKeyId=key)
    names = {
        "id": key, "alias": "alias/orders", "arn": f"arn:aws:kms:{REGION}:{account}:key/{key}",
        "alias_arn": f"arn:aws:kms:{REGION}:{account}:alias/orders",
    }
    queue = make(KmsMasterKeyId=names[name])
    queue.send(WORD)
    assert queue.bodies(VisibilityTimeout=0) == [WORD]
    kms.disable_key(KeyId=key)
    with refused("KMS.DisabledException"):
        queue.send(WORD)


def test_a_key_that_cannot_be_used_refuses_senders_and_receivers(make, kms, key):
    queue = make(KmsMasterKeyId=key)
    queue.send(WORD)
    kms.disable_key(KeyId=key)
    for call in (queue.send, queue.receive, lambda: queue.send_all("a", "b")):
        with refused("KMS.DisabledException"):
            call()
    # Nothing was received, and so nothing is hidden.
    kms.enable_key(KeyId=key)
    assert queue.receive_one(VisibilityTimeout=0, AttributeNames=["All"])["Attributes"]["ApproximateReceiveCount"] == "1"
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    for call in (queue.send, queue.receive):
        with refused("KMS.InvalidStateException"):
            call()


def test_a_key_that_is_not_there_is_noticed_when_it_is_needed(make):
    queue = make(KmsMasterKeyId="alias/nothing")
    for call in (queue.send, queue.receive):
        with refused("KMS.NotFoundException"):
            call()


@pytest.mark.once  # An old boto3 does not know them.
def test_errors_have_their_names_in_json(make):
    queue = make(KmsMasterKeyId="alias/nothing")
    with pytest.raises(queue.sqs.exceptions.KmsNotFound):
        queue.send(WORD)


def test_what_was_sent_before_a_change_is_still_read(make, kms, key):
    queue = make(SqsManagedSseEnabled="false")
    queue.send("plain")
    queue.set(SqsManagedSseEnabled="true")
    queue.send("managed")
    queue.set(KmsMasterKeyId=key)
    queue.send("kms")
    queue.set(KmsMasterKeyId="")
    queue.send("plain again")
    assert sorted(queue.bodies()) == ["kms", "managed", "plain", "plain again"]


def test_messages_of_a_disabled_key_do_not_hold_up_the_others(make, kms, key):
    queue = make(KmsMasterKeyId=key, VisibilityTimeout="0")
    queue.send("locked")
    queue.set(SqsManagedSseEnabled="true")
    queue.send("free")
    kms.disable_key(KeyId=key)
    assert queue.bodies() == ["free"]
    queue.delete(*queue.receive())
    with refused("KMS.DisabledException"):
        queue.receive()
    kms.enable_key(KeyId=key)
    assert queue.bodies() == ["locked"]


def test_dead_letters_and_moved_messages_stay_encrypted_by_their_key(make, kms, key):
    dead = make("dead")
    queue = make(
        "source", KmsMasterKeyId=key, VisibilityTimeout="0",
        RedrivePolicy=json.dumps({"deadLetterTargetArn": dead.attributes("QueueArn")["QueueArn"], "maxReceiveCount": 1}),
    )
    queue.send(WORD)
    assert queue.bodies() == [WORD]
    assert queue.bodies() == []
    kms.disable_key(KeyId=key)
    with refused("KMS.DisabledException"):
        dead.receive(VisibilityTimeout=0)
    kms.enable_key(KeyId=key)
    assert dead.bodies(WaitTimeSeconds=5) == [WORD]


def test_nothing_of_a_message_lies_on_disk_and_the_root_key_can_be_rotated(process, account):
    kew = process("--durability", "os")
    sqs, kms = client(kew.url, account), kms_client(kew.url, account)
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    queues = [
        Queue(sqs, sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"])
        for name, attributes in [("managed", {}), ("kms", {"KmsMasterKeyId": key})]
    ]
    attribute = {"name": {"DataType": "String", "StringValue": WORD}}
    for queue in queues:
        queue.send_all(*[f"{WORD} {number}" for number in range(10)], MessageAttributes=attribute)
        assert len(queue.receive(VisibilityTimeout=0)) > 0
    assert holds(kew.data, WORD) == []
    rotate = [str(server.BINARY), "root-key", "rotate", "--data", str(kew.data)]
    told = subprocess.run(rotate, capture_output=True, text=True, timeout=60)
    assert told.returncode != 0 and "while no server runs" in told.stderr
    kew.stop()
    before = (kew.data / "root-key").read_text()
    subprocess.run(rotate, check=True, timeout=60)
    assert (kew.data / "root-key").read_text() != before
    assert kew.examine()[0] == 0
    kew.start()
    for queue in queues:
        assert len(queue.drain(VisibilityTimeout=600)) == 10
    assert holds(kew.data, WORD) == []


def test_a_server_does_not_start_with_another_root_key(process, account):
    kew = process()
    kew.stop()
    kew.env["KEW_ROOT_KEY"] = "00" * 32
    with pytest.raises(RuntimeError, match="is sealed by the root key"):
        kew.start()
