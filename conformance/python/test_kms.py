"""Keys of KMS: made, named, used, disabled, rotated and deleted, by boto3."""

import json

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

import server
from queues import REGION

# KMS speaks one dialect, and an old boto3 knows less of it.
pytestmark = pytest.mark.once

DAY = 86_400


def kms_client(url, account, region=REGION):
    return boto3.client(
        "kms", endpoint_url=url, region_name=region, aws_access_key_id=account, aws_secret_access_key="secret",
        config=Config(retries={"max_attempts": 0}, parameter_validation=False),
    )


@pytest.fixture
def kms(kew, account):
    return kms_client(kew.url, account)


@pytest.fixture
def key(kms):
    return kms.create_key()["KeyMetadata"]["KeyId"]


def refused(code):
    """A context in which a call is refused with this code; gives the error, whose message can be looked at."""
    return pytest.raises(ClientError, match=rf"\({code}\)")


def test_a_new_key_is_as_aws_describes_it(kms, account):
    made = kms.create_key(Description="orders", Tags=[{"TagKey": "team", "TagValue": "shop"}])["KeyMetadata"]
    assert made["Arn"] == f"arn:aws:kms:{REGION}:{account}:key/{made['KeyId']}"
    seen = kms.describe_key(KeyId=made["KeyId"])["KeyMetadata"]
    assert seen == made
    expected = {
        "AWSAccountId": account, "Enabled": True, "Description": "orders", "KeyUsage": "ENCRYPT_DECRYPT", "KeyState": "Enabled",
        "Origin": "AWS_KMS", "KeyManager": "CUSTOMER", "KeySpec": "SYMMETRIC_DEFAULT", "MultiRegion": False,
        "EncryptionAlgorithms": ["SYMMETRIC_DEFAULT"],
    }
    assert {name: seen[name] for name in expected} == expected
    assert kms.list_resource_tags(KeyId=made["KeyId"])["Tags"] == [{"TagKey": "team", "TagValue": "shop"}]
    kms.update_key_description(KeyId=made["KeyId"], Description="other")
    assert kms.describe_key(KeyId=made["KeyId"])["KeyMetadata"]["Description"] == "other"


def test_what_is_encrypted_comes_back_in_its_context_alone(kms, key):
    context = {"for": "orders", "in": "test"}
    sealed = kms.encrypt(KeyId=key, Plaintext=b"secret", EncryptionContext=context)
    assert b"secret" not in sealed["CiphertextBlob"] and sealed["KeyId"].endswith(key)
    opened = kms.decrypt(CiphertextBlob=sealed["CiphertextBlob"], EncryptionContext=context)
    assert (opened["Plaintext"], opened["KeyId"]) == (b"secret", sealed["KeyId"])
    with refused("InvalidCiphertextException"):
        kms.decrypt(CiphertextBlob=sealed["CiphertextBlob"])
    with refused("InvalidCiphertextException"):
        kms.decrypt(CiphertextBlob=sealed["CiphertextBlob"][:-1], EncryptionContext=context)
    other = kms.create_key()["KeyMetadata"]["KeyId"]
    with refused("IncorrectKeyException"):
        kms.decrypt(CiphertextBlob=sealed["CiphertextBlob"], EncryptionContext=context, KeyId=other)
    moved = kms.re_encrypt(
        CiphertextBlob=sealed["CiphertextBlob"], SourceEncryptionContext=context, DestinationKeyId=other
    )
    assert moved["SourceKeyId"].endswith(key) and moved["KeyId"].endswith(other)
    assert kms.decrypt(CiphertextBlob=moved["CiphertextBlob"])["Plaintext"] == b"secret"


def test_data_keys_come_in_plain_and_encrypted(kms, key):
    drawn = kms.generate_data_key(KeyId=key, KeySpec="AES_256")
    assert len(drawn["Plaintext"]) == 32
    assert kms.decrypt(CiphertextBlob=drawn["CiphertextBlob"])["Plaintext"] == drawn["Plaintext"]
    hidden = kms.generate_data_key_without_plaintext(KeyId=key, NumberOfBytes=24)
    assert "Plaintext" not in hidden
    assert len(kms.decrypt(CiphertextBlob=hidden["CiphertextBlob"])["Plaintext"]) == 24
    with refused("ValidationException"):
        kms.generate_data_key(KeyId=key)


def test_aliases_name_keys(kms, key, account):
    kms.create_alias(AliasName="alias/orders", TargetKeyId=key)
    arn = f"arn:aws:kms:{REGION}:{account}:alias/orders"
    for name in ("alias/orders", arn):
        assert kms.describe_key(KeyId=name)["KeyMetadata"]["KeyId"] == key
    [listed] = kms.list_aliases()["Aliases"]
    assert (listed["AliasName"], listed["AliasArn"], listed["TargetKeyId"]) == ("alias/orders", arn, key)
    with refused("AlreadyExistsException"):
        kms.create_alias(AliasName="alias/orders", TargetKeyId=key)
    other = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.update_alias(AliasName="alias/orders", TargetKeyId=other)
    assert kms.describe_key(KeyId="alias/orders")["KeyMetadata"]["KeyId"] == other
    kms.delete_alias(AliasName="alias/orders")
    with refused("NotFoundException") as told:
        kms.describe_key(KeyId="alias/orders")
    assert told.value.response["Error"]["Message"] == f"Alias {arn} is not found."


def test_a_disabled_key_does_nothing_until_it_is_enabled(kms, key):
    sealed = kms.encrypt(KeyId=key, Plaintext=b"secret")["CiphertextBlob"]
    kms.disable_key(KeyId=key)
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "Disabled"
    with refused("DisabledException") as told:
        kms.decrypt(CiphertextBlob=sealed)
    assert told.value.response["Error"]["Message"].endswith(f":key/{key} is disabled.")
    kms.enable_key(KeyId=key)
    assert kms.decrypt(CiphertextBlob=sealed)["Plaintext"] == b"secret"


@pytest.mark.clock
def test_a_key_is_deleted_when_its_time_has_come_unless_that_is_called_off(kms, key, clock):
    with refused("ValidationException"):
        kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=6)
    planned = kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    assert (planned["KeyState"], planned["PendingWindowInDays"]) == ("PendingDeletion", 7)
    with refused("KMSInvalidStateException"):
        kms.encrypt(KeyId=key, Plaintext=b"secret")
    kms.cancel_key_deletion(KeyId=key)
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "Disabled"
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    clock(7 * DAY + 1)
    with refused("NotFoundException"):
        kms.describe_key(KeyId=key)


@pytest.mark.clock
def test_rotation_keeps_what_was_encrypted_before(kms, key, clock):
    sealed = [kms.encrypt(KeyId=key, Plaintext=b"secret")["CiphertextBlob"]]
    assert kms.rotate_key_on_demand(KeyId=key)["KeyId"].endswith(key)
    sealed.append(kms.encrypt(KeyId=key, Plaintext=b"secret")["CiphertextBlob"])
    assert kms.get_key_rotation_status(KeyId=key)["KeyRotationEnabled"] is False
    kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=90)
    before = kms.get_key_rotation_status(KeyId=key)
    assert (before["KeyRotationEnabled"], before["RotationPeriodInDays"]) == (True, 90)
    clock(91 * DAY)
    sealed.append(kms.encrypt(KeyId=key, Plaintext=b"secret")["CiphertextBlob"])
    after = kms.get_key_rotation_status(KeyId=key)
    assert (after["NextRotationDate"] - before["NextRotationDate"]).days == 90
    assert [kms.decrypt(CiphertextBlob=blob)["Plaintext"] for blob in sealed] == [b"secret"] * 3
    kms.disable_key_rotation(KeyId=key)
    assert kms.get_key_rotation_status(KeyId=key)["KeyRotationEnabled"] is False


def test_a_key_policy_is_kept_and_checked(kms, key, account):
    assert kms.list_key_policies(KeyId=key)["PolicyNames"] == ["default"]
    default = json.loads(kms.get_key_policy(KeyId=key)["Policy"])
    assert default["Statement"][0]["Principal"] == {"AWS": f"arn:aws:iam::{account}:root"}
    policy = json.dumps(default | {"Id": "mine"})
    kms.put_key_policy(KeyId=key, Policy=policy)
    assert kms.get_key_policy(KeyId=key, PolicyName="default")["Policy"] == policy
    with refused("MalformedPolicyDocumentException"):
        kms.put_key_policy(KeyId=key, Policy="{")


def test_tags_are_set_and_removed(kms, key):
    kms.tag_resource(KeyId=key, Tags=[{"TagKey": name, "TagValue": "1"} for name in ("b", "a")])
    kms.tag_resource(KeyId=key, Tags=[{"TagKey": "a", "TagValue": "2"}])
    kms.untag_resource(KeyId=key, TagKeys=["b"])
    assert kms.list_resource_tags(KeyId=key)["Tags"] == [{"TagKey": "a", "TagValue": "2"}]
    with refused("TagException"):
        kms.tag_resource(KeyId=key, Tags=[{"TagKey": "aws:a", "TagValue": "1"}])


def test_lists_come_in_pages(kms):
    made = {kms.create_key()["KeyMetadata"]["KeyId"] for _ in range(5)}
    pages = kms.get_paginator("list_keys").paginate(PaginationConfig={"PageSize": 2})
    assert {key["KeyId"] for page in pages for key in page["Keys"]} == made


def test_lists_are_shown_though_they_are_empty(kms):
    assert kms.list_keys() | {"ResponseMetadata": None} == {"Keys": [], "Truncated": False, "ResponseMetadata": None}
    assert kms.list_aliases()["Aliases"] == []
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    assert kms.list_aliases(KeyId=key)["Aliases"] == []
    assert kms.list_resource_tags(KeyId=key)["Tags"] == []


def test_accounts_and_regions_have_keys_of_their_own(kew, kms, key, account):
    arn = kms.describe_key(KeyId=key)["KeyMetadata"]["Arn"]
    stranger = kms_client(kew.url, "999999999999")
    with refused("NotFoundException"):
        stranger.describe_key(KeyId=key)
    with refused("AccessDeniedException"):
        stranger.encrypt(KeyId=arn, Plaintext=b"secret")
    with refused("NotFoundException"):
        kms_client(kew.url, account, "eu-west-1").describe_key(KeyId=arn)


def test_what_keys_here_do_not_do_is_refused(kms, key):
    with refused("UnsupportedOperationException"):
        kms.create_key(KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY")
    with refused("DryRunOperationException"):
        kms.encrypt(KeyId=key, Plaintext=b"secret", DryRun=True)
    with refused("ValidationException"):
        kms.encrypt(KeyId=key, Plaintext=b"x" * 4097)
    with refused("ValidationException"):
        kms.describe_key()


def test_keys_outlive_the_server(process, account):
    kew = process()
    kms = kms_client(kew.url, account)
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.create_alias(AliasName="alias/orders", TargetKeyId=key)
    sealed = kms.encrypt(KeyId="alias/orders", Plaintext=b"secret")["CiphertextBlob"]
    kew.restart(server.signal.SIGKILL)
    assert kms.decrypt(CiphertextBlob=sealed)["Plaintext"] == b"secret"
