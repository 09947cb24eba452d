"""Who may call where there are access keys: right credentials work, and everything else is refused as AWS refuses it."""

import base64
import http.client
import json
import os
import socket
import subprocess
import urllib.error
import urllib.request

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

import server
from signing import send, signed

ROOT = ("AKIAROOT", "a-root-secret-of-32-characters!!")
OTHER = ("AKIAOTHER", "another-secret-of-32-characters!")
DISABLED = ("AKIADISABLED", "a-disabled-secret-of-32-letters!")
WORKER = ("AKIAWORKER", "a-workers-secret-of-32-letters!!")
SECRETS = [secret for _, secret in (ROOT, OTHER, DISABLED, WORKER)]

EVERYTHING = '{ Version = "2012-10-17", Statement = [{ Effect = "Allow", Action = "*", Resource = "*" }] }'
CONFIG = f"""
[[user]]
name = "other"
account = "111122223333"
policies = {{ all = {EVERYTHING} }}
[[user.access_key]]
id = "{OTHER[0]}"
secret_variable = "OTHER_SECRET"

[[user]]
name = "gone"
policies = {{ all = {EVERYTHING} }}
[[user.access_key]]
id = "{DISABLED[0]}"
secret_variable = "DISABLED_SECRET"
active = false

[[user]]
name = "worker"
policies = {{ sqs = {{ Version = "2012-10-17", Statement = [{{ Effect = "Allow", Action = "sqs:*", Resource = "*" }}] }} }}
[[user.access_key]]
id = "{WORKER[0]}"
secret_variable = "WORKER_SECRET"
"""
ENVIRONMENT = {
    "KEW_ROOT_ACCESS_KEY_ID": ROOT[0],
    "KEW_ROOT_SECRET_ACCESS_KEY": ROOT[1],
    "OTHER_SECRET": OTHER[1],
    "DISABLED_SECRET": DISABLED[1],
    "WORKER_SECRET": WORKER[1],
}
MISMATCH = "The request signature we calculated does not match the signature you provided."
INVALID = "The security token included in the request is invalid."

pytestmark = pytest.mark.skipif(server.FOREIGN is not None, reason="needs a server that the tests started")


@pytest.fixture(scope="module")
def closed():
    """A server that has access keys."""
    flags = ["--sqs-waits", "off", "--test-endpoints"]
    with server.Kew(flags=flags, env=ENVIRONMENT, config=CONFIG) as kew:
        yield kew


def client(kew, key=ROOT, service="sqs", token=None, **config):
    config = Config(retries={"max_attempts": 0}, **config)
    return boto3.client(
        service, endpoint_url=kew.url, region_name="us-east-1", aws_access_key_id=key[0], aws_secret_access_key=key[1],
        aws_session_token=token, config=config,
    )


def refusal(call, *arguments, **members):
    """Code, status and message of a refused call."""
    with pytest.raises(ClientError) as raised:
        call(*arguments, **members)
    answer = raised.value.response
    message = answer["Error"]["Message"] or ""
    assert not any(secret in message for secret in SECRETS), message
    return answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"], message


def tampered(sqs, change):
    """The same client, its requests changed after they were signed."""
    sqs.meta.events.register("before-send.sqs", lambda request, **_: change(request))
    return sqs


def text(request, name):
    """A header of a prepared request, which botocore keeps as text or as bytes."""
    value = request.headers[name]
    return value if isinstance(value, str) else value.decode()


def page(kew, path, key=None, method="GET"):
    request = urllib.request.Request(kew.url + path, method=method)
    if key:
        shown = base64.b64encode(":".join(key).encode()).decode()
        request.add_header("Authorization", f"Basic {shown}")
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_right_credentials_work(closed):
    for number, key in enumerate([ROOT, OTHER, WORKER]):
        sqs = client(closed, key)
        url = sqs.create_queue(QueueName=f"right-{number}")["QueueUrl"]
        body = "é ✓ & <x> %20+" + "x" * 5000
        sqs.send_message(QueueUrl=url, MessageBody=body)
        [message] = sqs.receive_message(QueueUrl=url)["Messages"]
        assert message["Body"] == body
        assert url in sqs.list_queues(QueueNamePrefix="right")["QueueUrls"]


def test_no_signature(closed):
    sqs = client(closed, signature_version=UNSIGNED)
    assert refusal(sqs.list_queues) == (
        "MissingAuthenticationToken", 403, "Request is missing Authentication Token"
    )
    url = client(closed).create_queue(QueueName="unsigned")["QueueUrl"]
    code, status, _ = refusal(sqs.send_message, QueueUrl=url, MessageBody="hello")
    assert (code, status) == ("AccessDenied", 403)


def test_who_does_not_sign_may_what_a_queue_allows_everybody(closed):
    owner, anybody = client(closed), client(closed, signature_version=UNSIGNED)
    url = owner.create_queue(QueueName="for-all")["QueueUrl"]
    statement = {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    owner.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    anybody.send_message(QueueUrl=url, MessageBody="hello")
    assert refusal(anybody.receive_message, QueueUrl=url)[0] == "AccessDenied"


def test_what_nobody_signed_is_refused_however_it_is_sent(closed):
    owner, anybody = client(closed), client(closed, signature_version=UNSIGNED, parameter_validation=False)
    denied = "User: anonymous is not authorized to perform: sqs:sendmessage on resource: arn:aws:sqs:us-east-1:000000000000:{}" \
        " because no resource-based policy allows the sqs:sendmessage action"
    for name, attributes in [("shut", {}), ("shut-kms", {"KmsMasterKeyId": "alias/nothing"}), ("shut.fifo", {"FifoQueue": "true"})]:
        url = owner.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
        group = {"MessageGroupId": "g", "MessageDeduplicationId": "d"} if "FifoQueue" in attributes else {}
        entry = {"Id": "a", "MessageBody": "x" * 1000, **group}
        for call, members in [(anybody.send_message, {"MessageBody": "hello", **group}), (anybody.send_message_batch, {"Entries": [entry]})]:
            assert refusal(call, QueueUrl=url, **members) == ("AccessDenied", 403, denied.format(name))
        # What is wrong with the message itself he is told first, like everybody.
        assert refusal(anybody.send_message, QueueUrl=url, MessageBody="\0", **group)[0] == "InvalidMessageContents"
    url = f"{closed.url}/000000000000/never-made"
    assert refusal(anybody.send_message, QueueUrl=url, MessageBody="x") == ("AccessDenied", 403, denied.format("never-made"))


def test_wrong_secret(closed):
    code, status, message = refusal(client(closed, (ROOT[0], "wrong")).list_queues)
    assert (code, status) == ("SignatureDoesNotMatch", 403)
    assert message.startswith(MISMATCH)
    assert "\n\nThe Canonical String for this request should have been\n'POST\n/\n\n" in message
    assert "\n\nThe String-to-Sign should have been\n'AWS4-HMAC-SHA256\n" in message


def test_unknown_key(closed):
    assert refusal(client(closed, ("AKIANOBODY", ROOT[1])).list_queues) == ("InvalidClientTokenId", 403, INVALID)


def test_disabled_key(closed):
    assert refusal(client(closed, DISABLED).list_queues) == ("InvalidClientTokenId", 403, INVALID)


def test_a_token_that_belongs_to_nobody(closed):
    assert refusal(client(closed, ROOT, token="made-up").list_queues) == ("InvalidClientTokenId", 403, INVALID)


def test_clocks_that_are_wrong(closed):
    status, code, message = send(signed(closed.url + "/", ROOT, "ListQueues", minutes_ago=16))
    assert (status, code) == (403, "SignatureDoesNotMatch")
    assert message.startswith("Signature expired: ") and message.endswith(" - 15 min.)")
    status, code, message = send(signed(closed.url + "/", ROOT, "ListQueues", minutes_ago=-16))
    assert (status, code) == (403, "SignatureDoesNotMatch")
    assert message.startswith("Signature not yet current: ") and message.endswith(" + 15 min.)")
    assert send(signed(closed.url + "/", ROOT, "ListQueues", minutes_ago=14))[0] == 200


def test_another_region_than_the_endpoints(closed):
    def named(request, **_):
        request.headers["Host"] = "sqs.eu-west-1.example.org"

    sqs = client(closed)
    sqs.meta.events.register("before-sign.sqs", named)
    assert refusal(sqs.list_queues) == (
        "SignatureDoesNotMatch", 403, "Credential should be scoped to a valid region, not 'us-east-1'. "
    )


def test_the_scope_cannot_be_changed_afterwards(closed):
    def moved(request):
        request.headers["Authorization"] = text(request, "Authorization").replace("us-east-1", "us-east-2")

    assert refusal(tampered(client(closed), moved).list_queues)[:2] == ("SignatureDoesNotMatch", 403)


def test_another_service(closed):
    assert send(signed(closed.url + "/", ROOT, "ListQueues", service="sns")) == (
        403, "SignatureDoesNotMatch", "Credential should be scoped to correct service: 'sqs'. "
    )


def test_a_tampered_body(closed):
    url = client(closed).create_queue(QueueName="tampered")["QueueUrl"]

    def other(request):
        body = request.body if isinstance(request.body, bytes) else request.body.encode()
        request.body = body.replace(b"hello", b"hullo")

    sqs = tampered(client(closed), other)
    code, status, _ = refusal(sqs.send_message, QueueUrl=url, MessageBody="hello")
    assert (code, status) == ("SignatureDoesNotMatch", 403)


def test_a_tampered_header(closed):
    def other(request):
        request.headers["Content-Type"] = text(request, "Content-Type") + "; x=y"

    assert refusal(tampered(client(closed), other).list_queues)[:2] == ("SignatureDoesNotMatch", 403)


@pytest.mark.once
def test_another_operation_in_the_header(closed):
    def other(request):
        request.headers["X-Amz-Target"] = "AmazonSQS.CreateQueue"

    code, status, _ = refusal(tampered(client(closed), other).list_queues)
    assert (code, status) == ("SignatureDoesNotMatch", 403)


def test_another_account(closed):
    url = client(closed).create_queue(QueueName="mine")["QueueUrl"]
    code, status, _ = refusal(client(closed, OTHER).receive_message, QueueUrl=url)
    assert (code, status) == ("AccessDenied", 403)


def test_presigned_urls(closed):
    good = signed(closed.url + "/", ROOT, "ListQueues", expires=60)
    assert send(good)[0] == 200
    assert send(good)[0] == 200
    status, code, message = send(signed(closed.url + "/", ROOT, "ListQueues", minutes_ago=2, expires=60))
    assert (status, code, message) == (400, "RequestExpired", "Request has expired.")
    assert send(signed(closed.url + "/", ROOT, "ListQueues", minutes_ago=60 * 24 * 6, expires=604800))[0] == 200
    status, code, message = send(signed(closed.url + "/", ROOT, "ListQueues", expires=604801))
    assert (status, code) == (400, "IncompleteSignature") and "604800 seconds" in message

    good.url = good.url.replace("ListQueues", "CreateQueue&QueueName=stolen")
    assert send(good)[:2] == (403, "SignatureDoesNotMatch")
    assert send(signed(closed.url + "/", (ROOT[0], "wrong"), "ListQueues", expires=60))[:2] == (
        403, "SignatureDoesNotMatch"
    )


def test_sessions_end(process):
    kew = process("--test-endpoints", env=ENVIRONMENT, config=CONFIG)
    sts = client(kew, WORKER, service="sts")
    given = sts.get_session_token(DurationSeconds=900)["Credentials"]
    key, token = (given["AccessKeyId"], given["SecretAccessKey"]), given["SessionToken"]
    client(kew, key, token=token).create_queue(QueueName="q")
    assert refusal(client(kew, key).list_queues) == ("InvalidClientTokenId", 403, INVALID)
    assert refusal(client(kew, (key[0], "wrong"), token=token).list_queues)[0] == "SignatureDoesNotMatch"
    assert page(kew, "/_kew/clock?advance_ms=900000", ROOT, "POST")[0] == 200
    assert refusal(client(kew, key, token=token).list_queues) == (
        "ExpiredToken", 403, "The security token included in the request is expired"
    )


def test_kews_own_pages_want_a_key(closed):
    assert page(closed, "/health")[0] == 200
    assert page(closed, "/metrics")[0] == 401
    assert page(closed, "/metrics", (ROOT[0], "wrong"))[0] == 403
    assert page(closed, "/metrics", OTHER)[0] == 403
    assert page(closed, "/metrics", WORKER)[0] == 403
    status, text = page(closed, "/metrics", ROOT)
    assert status == 200 and "kew_" in text
    assert page(closed, "/_kew/clock")[0] == 401
    assert page(closed, "/_kew/reset", WORKER, "POST")[0] == 403
    assert page(closed, "/_kew/clock", ROOT)[0] == 200
    assert page(closed, "/_kew/backup", None, "POST")[0] == 401


@pytest.mark.once
def test_a_backup_is_asked_for_with_a_key(process, tmp_path):
    kew = process(env=ENVIRONMENT, config=CONFIG)
    command = [str(server.BINARY), "backup", "--endpoint", kew.url]
    keyless = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "KEW_"))}
    refused = subprocess.run([*command, tmp_path / "a"], env=keyless, capture_output=True, text=True, timeout=60)
    assert refused.returncode != 0 and "AWS_ACCESS_KEY_ID" in refused.stderr, refused.stderr
    keyed = {**keyless, "AWS_ACCESS_KEY_ID": ROOT[0], "AWS_SECRET_ACCESS_KEY": ROOT[1]}
    done = subprocess.run([*command, tmp_path / "b"], env=keyed, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


@pytest.mark.once
def test_what_no_client_sends_is_refused_and_nothing_breaks(closed):
    scope = "AKIAROOT/20260101/us-east-1/sqs/aws4_request"
    good = f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host;x-amz-date, Signature={'0' * 64}"
    cases = [
        (b"Authorization: \r\n", "MissingAuthenticationToken"),
        (b"Authorization: AWS4-HMAC-SHA256\r\n", "IncompleteSignature"),
        (b"Authorization: AWS4-HMAC-SHA256 \xff\xfe=\x80\r\n", "IncompleteSignature"),
        (b"Authorization: AWS4-HMAC-SHA256 " + b"a=b, " * 4000 + b"\r\n", "IncompleteSignature"),
        (b"Authorization: Bearer " + b"x" * 8000 + b"\r\n", "IncompleteSignature"),
        (f"Authorization: {good}\r\n".encode(), "IncompleteSignature"),
        (f"Authorization: {good}\r\nX-Amz-Date: yesterday\r\n".encode(), "IncompleteSignature"),
        (f"Authorization: {good}\r\nX-Amz-Date: 20260101T000000Z\r\n".encode() * 2, "SignatureDoesNotMatch"),
        (
            f"Authorization: {good.replace('host', 'host;' * 3000)}\r\nX-Amz-Date: 20260101T000000Z\r\n".encode(),
            "SignatureDoesNotMatch",
        ),
    ]
    for head, code in cases:
        with socket.create_connection(("127.0.0.1", closed.port), timeout=30) as sock:
            body = b"Action=ListQueues"
            sock.sendall(
                b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n"
                + f"Content-Length: {len(body)}\r\nConnection: close\r\n".encode() + head + b"\r\n" + body
            )
            answer = b""
            while part := sock.recv(65536):
                answer += part
        assert f"<Code>{code}</Code>".encode() in answer, (head[:80], answer[:400])
        assert len(answer) < 4000
    assert page(closed, "/health")[0] == 200


def test_a_connection_that_was_believed_once_proves_itself_each_time(closed):
    good = signed(closed.url + "/", ROOT, "ListQueues")
    unsigned = {name: value for name, value in good.headers.items() if name.lower() != "authorization"}
    line = http.client.HTTPConnection("127.0.0.1", closed.port, timeout=30)

    def ask(headers=good.headers, body=good.body):
        line.request("POST", "/", body=body, headers=dict(headers))
        answer = line.getresponse()
        return answer.status, answer.read().decode()

    for _ in range(2):
        assert ask()[0] == 200
        status, text = ask(body=good.body.replace(b"ListQueues", b"ListQueuez"))
        assert status == 403 and "SignatureDoesNotMatch" in text
        status, text = ask(headers=unsigned)
        assert status == 403 and "MissingAuthenticationToken" in text
        other = signed(closed.url + "/", (ROOT[0], "wrong"), "ListQueues")
        status, text = ask(other.headers, other.body)
        assert status == 403 and "SignatureDoesNotMatch" in text
        stranger = signed(closed.url + "/", OTHER, "ListQueues")
        assert ask(stranger.headers, stranger.body)[0] == 200
    line.close()
