"""Policies that decide: users, roles and queues with policies, real clients, and AWS's refusals word by word."""

import json
import urllib.parse

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

import server
from signing import send, signed

pytestmark = [
    pytest.mark.once,
    pytest.mark.skipif(server.FOREIGN is not None, reason="needs a server that the tests started"),
]

FAR = "444455556666"
SECRET = "a-secret-of-thirty-two-letters!!"
ROOT = {"KEW_ROOT_ACCESS_KEY_ID": "AKIAADMINISTRATOR", "KEW_ROOT_SECRET_ACCESS_KEY": SECRET}
DEFAULT = "000000000000"


def document(*statements):
    return {"Version": "2012-10-17", "Statement": list(statements)}


def allow(action, resource="*", **more):
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def deny(action, resource="*", **more):
    return {**allow(action, resource, **more), "Effect": "Deny"}


def arn(name, account=DEFAULT):
    return f"arn:aws:sqs:us-east-1:{account}:{name}"


# Who there is: account, policies, boundary, tags.
USERS = {
    "admin": (DEFAULT, [document(allow("*"))], None, {}),
    "sender": (DEFAULT, [document(allow("sqs:SendMessage", arn("orders")), allow("sqs:GetQueueUrl"))], None, {}),
    "careful": (DEFAULT, [document(allow("sqs:*"), deny("sqs:DeleteQueue"))], None, {}),
    "bounded": (DEFAULT, [document(allow("sqs:*"))], document(allow("sqs:Receive*")), {}),
    "elsewhere": (
        DEFAULT, [document(allow("sqs:*", Condition={"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}))], None, {}
    ),
    "here": (
        DEFAULT, [document(allow("sqs:*", Condition={"IpAddress": {"aws:SourceIp": ["127.0.0.0/8", "::1/128"]}}))],
        None, {},
    ),
    "encrypted": (
        DEFAULT, [document(allow("sqs:*", Condition={"Bool": {"aws:SecureTransport": "true"}}))], None, {}
    ),
    "blue": (
        DEFAULT,
        [document(
            allow("sqs:*", Condition={"StringEquals": {"aws:ResourceTag/team": "${aws:PrincipalTag/team}"}}),
            allow(["sqs:CreateQueue", "sqs:TagQueue"], Condition={
                "StringEquals": {"aws:RequestTag/team": "${aws:PrincipalTag/team}"},
                "ForAllValues:StringEquals": {"aws:TagKeys": ["team", "stage"]},
            }),
        )],
        None, {"team": "blue"},
    ),
    "nobody": (DEFAULT, [], None, {}),
    "stranger": (FAR, [document(allow("*"))], None, {}),
    "powerless": (FAR, [], None, {}),
    "assumer": (DEFAULT, [document(allow("sts:AssumeRole"))], None, {}),
}


def quoted(value):
    """JSON as a text of TOML."""
    return json.dumps(json.dumps(value))


def configuration():
    lines = []
    for name, (account, policies, boundary, tags) in USERS.items():
        named = ", ".join(f"p{number} = {quoted(policy)}" for number, policy in enumerate(policies))
        lines += [
            "[[user]]", f'name = "{name}"', f'account = "{account}"', f"policies = {{ {named} }}",
            "tags = { " + ", ".join(f"{key} = {json.dumps(value)}" for key, value in tags.items()) + " }",
        ]
        if boundary:
            lines.append(f"permissions_boundary = {quoted(boundary)}")
        lines += ["[[user.access_key]]", f'id = "AKIA{name.upper()}"', 'secret_variable = "SECRET"']
    trust = document({"Effect": "Allow", "Principal": {"AWS": DEFAULT}, "Action": "sts:AssumeRole"})
    lines += ["[[role]]", 'name = "app"', f"trust = {quoted(trust)}", f"policies = {{ all = {quoted(document(allow('sqs:*')))} }}"]
    return "\n".join(lines)


@pytest.fixture(scope="module")
def kew():
    flags = ["--sqs-waits", "off", "--test-endpoints"]
    with server.Kew(flags=flags, env={**ROOT, "SECRET": SECRET}, config=configuration()) as kew:
        yield kew


def client(kew, name, service="sqs", token=None, secret=SECRET):
    key = ROOT["KEW_ROOT_ACCESS_KEY_ID"] if name == "root" else name if token else f"AKIA{name.upper()}"
    return boto3.client(
        service, endpoint_url=kew.url, region_name="us-east-1", aws_access_key_id=key, aws_secret_access_key=secret,
        aws_session_token=token, config=Config(retries={"max_attempts": 0}),
    )


@pytest.fixture
def orders(kew):
    """The queue `orders` of the default account, new."""
    root = client(kew, "root")
    url = root.create_queue(QueueName="orders")["QueueUrl"]
    yield url
    root.set_queue_attributes(QueueUrl=url, Attributes={"Policy": ""})
    root.delete_queue(QueueUrl=url)


def refusal(call, **members):
    """The message of a call that is refused because the caller may not."""
    with pytest.raises(ClientError) as raised:
        call(**members)
    answer = raised.value.response
    seen = answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]
    assert seen == ("AccessDenied", 403), answer
    return answer["Error"]["Message"]


def words(user, action, resource, why, account=DEFAULT):
    who = f"arn:aws:iam::{account}:user/{user}" if ":" not in user else user
    return f"User: {who} is not authorized to perform: sqs:{action} on resource: {resource} {why}"


def no_policy(layer, action):
    return f"because no {layer} allows the sqs:{action} action"


def test_an_action_that_is_not_allowed_is_denied(kew, orders):
    sender = client(kew, "sender")
    sender.send_message(QueueUrl=orders, MessageBody="x")
    batch = [{"Id": "a", "MessageBody": "x"}]
    assert sender.send_message_batch(QueueUrl=orders, Entries=batch)["Successful"]
    wanted = words("sender", "receivemessage", arn("orders"), no_policy("identity-based policy", "receivemessage"))
    assert refusal(sender.receive_message, QueueUrl=orders) == wanted
    assert refusal(sender.list_queues) == words(
        "sender", "listqueues", arn(""), no_policy("identity-based policy", "listqueues")
    )
    nobody = client(kew, "nobody")
    assert "sqs:sendmessage on" in refusal(nobody.send_message_batch, QueueUrl=orders, Entries=batch)


def test_a_resource_that_is_not_allowed_is_denied_whether_it_exists_or_not(kew, orders):
    sender = client(kew, "sender")
    other = client(kew, "root").create_queue(QueueName="other")["QueueUrl"]
    why = no_policy("identity-based policy", "sendmessage")
    for name, url in [("other", other), ("nowhere", other.replace("other", "nowhere"))]:
        assert refusal(sender.send_message, QueueUrl=url, MessageBody="x") == words("sender", "sendmessage", arn(name), why)
    with pytest.raises(sender.exceptions.QueueDoesNotExist):
        sender.get_queue_url(QueueName="nowhere")


def test_an_explicit_denial_of_a_user_s_policy(kew, orders):
    why = "with an explicit deny in an identity-based policy"
    careful = client(kew, "careful")
    careful.purge_queue(QueueUrl=orders)
    assert refusal(careful.delete_queue, QueueUrl=orders) == words("careful", "deletequeue", arn("orders"), why)


def test_a_boundary_limits_its_user(kew, orders):
    bounded = client(kew, "bounded")
    bounded.receive_message(QueueUrl=orders)
    wanted = words("bounded", "sendmessage", arn("orders"), no_policy("permissions boundary", "sendmessage"))
    assert refusal(bounded.send_message, QueueUrl=orders, MessageBody="x") == wanted


def test_a_condition_that_fails_denies(kew, orders):
    client(kew, "here").send_message(QueueUrl=orders, MessageBody="x")
    why = no_policy("identity-based policy", "sendmessage")
    for name in ["elsewhere", "encrypted"]:
        message = refusal(client(kew, name).send_message, QueueUrl=orders, MessageBody="x")
        assert message == words(name, "sendmessage", arn("orders"), why)


def test_tags_decide(kew, orders):
    blue, root = client(kew, "blue"), client(kew, "root")
    refusal(blue.send_message, QueueUrl=orders, MessageBody="x")
    root.tag_queue(QueueUrl=orders, Tags={"team": "blue"})
    blue.send_message(QueueUrl=orders, MessageBody="x")
    refusal(blue.create_queue, QueueName="mine")
    refusal(blue.create_queue, QueueName="mine", tags={"team": "red"})
    refusal(blue.create_queue, QueueName="mine", tags={"team": "blue", "other": "x"})
    mine = blue.create_queue(QueueName="mine", tags={"team": "blue", "stage": "dev"})["QueueUrl"]
    blue.delete_queue(QueueUrl=mine)


def test_a_permission_lets_another_account_in_at_once_and_out_again(kew, orders):
    root, stranger, powerless = client(kew, "root"), client(kew, "stranger"), client(kew, "powerless")
    shut = words(
        "stranger", "sendmessage", arn("orders"), no_policy("resource-based policy", "sendmessage"), account=FAR
    )
    assert refusal(stranger.send_message, QueueUrl=orders, MessageBody="x") == shut
    root.add_permission(QueueUrl=orders, Label="far", AWSAccountIds=[FAR], Actions=["SendMessage"])
    stranger.send_message(QueueUrl=orders, MessageBody="x")
    # Both sides must allow it.
    message = refusal(powerless.send_message, QueueUrl=orders, MessageBody="x")
    assert message == words(
        "powerless", "sendmessage", arn("orders"), no_policy("identity-based policy", "sendmessage"), account=FAR
    )
    root.remove_permission(QueueUrl=orders, Label="far")
    assert refusal(stranger.send_message, QueueUrl=orders, MessageBody="x") == shut


def test_a_queue_s_policy_lets_its_owner_s_users_in(kew, orders):
    nobody = client(kew, "nobody")
    refusal(nobody.send_message, QueueUrl=orders, MessageBody="x")
    grant = allow("sqs:SendMessage", Principal={"AWS": f"arn:aws:iam::{DEFAULT}:user/nobody"})
    client(kew, "root").set_queue_attributes(QueueUrl=orders, Attributes={"Policy": json.dumps(document(grant))})
    nobody.send_message(QueueUrl=orders, MessageBody="x")
    refusal(nobody.receive_message, QueueUrl=orders)


def test_a_queue_s_denial_binds_its_owner_s_users_and_only_the_root_repairs_it(kew, orders):
    admin, root = client(kew, "admin"), client(kew, "root")
    locked = json.dumps(document(deny("sqs:*", Principal="*")))
    admin.set_queue_attributes(QueueUrl=orders, Attributes={"Policy": locked})
    why = "with an explicit deny in a resource-based policy"
    message = refusal(admin.set_queue_attributes, QueueUrl=orders, Attributes={"Policy": ""})
    assert message == words("admin", "setqueueattributes", arn("orders"), why)
    message = refusal(root.send_message, QueueUrl=orders, MessageBody="x")
    assert message == words(f"arn:aws:iam::{DEFAULT}:root", "sendmessage", arn("orders"), why)
    root.set_queue_attributes(QueueUrl=orders, Attributes={"Policy": ""})
    admin.send_message(QueueUrl=orders, MessageBody="x")


def test_a_role_s_session_is_limited_by_its_policy(kew, orders):
    sts = client(kew, "assumer", "sts")
    role = f"arn:aws:iam::{DEFAULT}:role/app"
    limit = json.dumps(document(allow("sqs:SendMessage")))
    whole = sts.assume_role(RoleArn=role, RoleSessionName="whole")["Credentials"]
    part = sts.assume_role(RoleArn=role, RoleSessionName="part", Policy=limit)["Credentials"]
    sessions = [
        client(kew, it["AccessKeyId"], token=it["SessionToken"], secret=it["SecretAccessKey"]) for it in [whole, part]
    ]
    for sqs in sessions:
        sqs.send_message(QueueUrl=orders, MessageBody="x")
    [message] = sessions[0].receive_message(QueueUrl=orders, AttributeNames=["SenderId"])["Messages"]
    assert message["Attributes"]["SenderId"].startswith("AROA") and message["Attributes"]["SenderId"].endswith(":whole")
    session = f"arn:aws:sts::{DEFAULT}:assumed-role/app/part"
    wanted = words(session, "receivemessage", arn("orders"), no_policy("session policy", "receivemessage"))
    assert refusal(sessions[1].receive_message, QueueUrl=orders) == wanted


def test_without_credentials_one_may_what_a_queue_allows_everyone(kew, orders):
    anyone = boto3.client(
        "sqs", endpoint_url=kew.url, region_name="us-east-1",
        config=Config(signature_version=UNSIGNED, retries={"max_attempts": 0}),
    )
    with pytest.raises(ClientError):
        anyone.send_message(QueueUrl=orders, MessageBody="x")
    grant = allow("sqs:*", Principal="*")
    client(kew, "root").set_queue_attributes(QueueUrl=orders, Attributes={"Policy": json.dumps(document(grant))})
    anyone.send_message(QueueUrl=orders, MessageBody="x")
    # Only the owner may.
    for call, members in [(anyone.delete_queue, {}), (anyone.set_queue_attributes, {"Attributes": {"DelaySeconds": "1"}})]:
        with pytest.raises(ClientError) as raised:
            call(QueueUrl=orders, **members)
        assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


def test_the_older_dialect_is_refused_in_the_same_words(kew, orders):
    key = ("AKIASENDER", SECRET)
    status, code, message = send(signed(kew.url + "/", key, "ReceiveMessage", QueueUrl=orders))
    wanted = words("sender", "receivemessage", arn("orders"), no_policy("identity-based policy", "receivemessage"))
    assert (status, code, message) == (403, "AccessDenied", wanted)
    path = urllib.parse.urlsplit(orders).path
    assert send(signed(kew.url + path, key, "SendMessage", MessageBody="x"))[0] == 200
