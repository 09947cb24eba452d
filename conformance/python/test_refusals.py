"""One table of refusals for all clients, `conformance/refusals/table.txt`: boto3 and the AWS CLI go through it here, the JavaScript and
the Rust SDK beside. All over TLS; what each does wrong, it does with right credentials (but for that) on the same server."""

import base64
import json
import os
import pathlib
import re
import ssl
import subprocess
import sys
import typing
import urllib.request

import boto3
import botocore
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

import server
import tricks

REFUSALS = server.ROOT / "conformance" / "refusals"
TABLE = [
    [cell.strip() for cell in line.split(" | ")]
    for line in (REFUSALS / "table.txt").read_text().splitlines() if not line.startswith("#")
]
SECRET = "a-secret-of-32-characters-for-all"
ROOT, OTHER, DISABLED, WORKER = [(id, SECRET) for id in ["AKIAROOT", "AKIAOTHER", "AKIADISABLED", "AKIAWORKER"]]

pytestmark = pytest.mark.skipif(server.FOREIGN is not None, reason="needs a server that the tests started")


class Call(typing.NamedTuple):
    """What a client is told to do."""

    operation: str = "ListQueues"
    members: dict = {}
    key: tuple = ROOT
    token: str | None = None
    service: str = "sqs"
    signs: bool = True
    trick: str = "nothing"
    host: str = "localhost"


def send(queue, **more):
    return Call("SendMessage", {"QueueUrl": queue, "MessageBody": "hello"}, **more)


CALLS = {
    "no signature": Call(signs=False),
    "wrong secret": Call(key=(ROOT[0], "wrong")),
    "unknown key": Call(key=("AKIANOBODY", SECRET)),
    "disabled key": Call(key=DISABLED),
    "expired clock": Call(trick="late:16"),
    "other region": Call(host="sqs.eu-west-1.localhost", trick="elsewhere"),
    "tampered body": send("orders", trick="body"),
    "tampered header": Call(trick="header"),
    "another account": send("orders", key=OTHER),
    "denied action": Call("ReceiveMessage", {"QueueUrl": "orders"}, key=WORKER),
    "denied resource": send("secrets", key=WORKER),
    "failed condition": send("office", key=WORKER),
}


class Boto3:
    """boto3, in this process."""

    def __init__(self, kew, folder):
        self.kew = kew

    def do(self, call):
        """The answer to a call, without its metadata, or its refusal: code, status and message."""
        client = boto3.client(
            call.service, endpoint_url=f"https://{call.host}:{self.kew.port}", region_name="us-east-1",
            aws_access_key_id=call.key[0], aws_secret_access_key=call.key[1], aws_session_token=call.token,
            verify=str(self.kew.certificates.authority),
            config=Config(retries={"max_attempts": 0}, **({} if call.signs else {"signature_version": botocore.UNSIGNED})),
        )
        tricks.play(call.trick, client.meta.events)
        try:
            answer = getattr(client, botocore.xform_name(call.operation))(**addressed(self.kew, call.members))
            return {name: value for name, value in answer.items() if name != "ResponseMetadata"}
        except ClientError as refused:
            error, status = refused.response["Error"], refused.response["ResponseMetadata"]["HTTPStatusCode"]
            return error["Code"], status, error["Message"]
        except tricks.Recorded:
            return None


class Cli:
    """The AWS CLI, a process for each call. It does not tell HTTP's status."""

    def __init__(self, kew, folder):
        self.kew, self.folder = kew, folder
        (folder / "config").write_text("[plugins]\ntricks = tricks\n")

    def do(self, call):
        env = {
            **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
            "AWS_ACCESS_KEY_ID": call.key[0],
            "AWS_SECRET_ACCESS_KEY": call.key[1],
            **({"AWS_SESSION_TOKEN": call.token} if call.token else {}),
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_CA_BUNDLE": str(self.kew.certificates.authority),
            "AWS_CONFIG_FILE": str(self.folder / "config"),
            "AWS_SHARED_CREDENTIALS_FILE": str(self.folder / "credentials"),
            "AWS_MAX_ATTEMPTS": "1",
            "AWS_PAGER": "",
            "PYTHONPATH": str(pathlib.Path(tricks.__file__).parent),
            "TRICK": call.trick,
        }
        words = [call.service, botocore.xform_name(call.operation, "-")]
        for name, value in addressed(self.kew, call.members).items():
            words += ["--" + botocore.xform_name(name, "-"), str(value)]
        command = [
            sys.executable, str(pathlib.Path(sys.executable).parent / "aws"), "--output", "json",
            "--endpoint-url", f"https://{call.host}:{self.kew.port}", *([] if call.signs else ["--no-sign-request"]), *words,
        ]
        done = subprocess.run(command, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
        if call.trick.startswith("record:"):
            return None
        if done.returncode == 0:
            return json.loads(done.stdout) if done.stdout.strip() else {}
        told = re.search(rf"An error occurred \((\S+)\) when calling the {call.operation} operation: (.*)", done.stderr, re.DOTALL)
        assert told, done.stderr
        return told[1], None, told[2]


def addressed(kew, members):
    """With the whole URL of a queue that is named."""
    return {name: f"{kew.url}/000000000000/{value}" if name == "QueueUrl" else value for name, value in members.items()}


CLI = pytest.param(Cli, id="the AWS CLI", marks=[pytest.mark.cli, pytest.mark.once, pytest.mark.timeout(240)])


@pytest.fixture(scope="module")
def kew(tmp_path_factory):
    """The server that both tables share, with queues `orders`, `secrets` and `office`."""
    environment = {"SECRET": SECRET, "KEW_ROOT_ACCESS_KEY_ID": ROOT[0], "KEW_ROOT_SECRET_ACCESS_KEY": ROOT[1]}
    flags = ["--sqs-waits", "off", "--test-endpoints", "--config", str(REFUSALS / "kew.toml")]
    with server.Secure(tmp_path_factory.mktemp("refusals"), *flags, env=environment) as kew:
        for name in ["orders", "secrets", "office"]:
            made = Boto3(kew, None).do(Call("CreateQueue", {"QueueName": name}))
            assert made == {"QueueUrl": f"{kew.url}/000000000000/{name}"}
        yield kew


@pytest.fixture(params=[pytest.param(Boto3, id="boto3"), CLI])
def client(request, kew, tmp_path):
    return request.param(kew, tmp_path)


def refused(answer, row):
    """Whether an answer is the refusal of the table's row."""
    assert isinstance(answer, tuple), f"it was not refused: {answer}"
    code, status, message = answer
    _, expected, expected_status, begin = row
    assert code == expected and message.startswith(begin) and SECRET not in message, answer
    assert status in (None, int(expected_status)), answer


def row(what):
    return next(row for row in TABLE if row[0] == what)


def test_right_credentials_work(client):
    body = "é ✓ & <x> %20+"
    sent = client.do(Call("SendMessage", {"QueueUrl": "orders", "MessageBody": body}, key=WORKER))
    assert sent["MessageId"], sent
    [message] = client.do(Call("ReceiveMessage", {"QueueUrl": "orders"}))["Messages"]
    assert message["Body"] == body
    client.do(Call("DeleteMessage", {"QueueUrl": "orders", "ReceiptHandle": message["ReceiptHandle"]}))


@pytest.mark.parametrize("row", [row for row in TABLE if row[0] in CALLS], ids=lambda row: row[0])
def test_refused_for(client, row):
    refused(client.do(CALLS[row[0]]), row)


def test_refused_for_replay_after_expiry(client, tmp_path):
    """The recorded request was signed by a clock 16 minutes late, and the one that is still taken by a clock 14 minutes late: nobody
    waits here for a quarter of an hour."""
    for minutes, is_late in [(14, False), (16, True)]:
        client.do(Call(trick=f"record:{tmp_path / 'request'}:{minutes}"))
        answer = client.do(Call(key=("AKIANOBODY", "none"), trick=f"replay:{tmp_path / 'request'}"))
        if is_late:
            refused(answer, row("replay after expiry"))
        else:
            assert len(answer["QueueUrls"]) == 3


def test_refused_for_an_expired_session_token(client, kew):
    given = client.do(Call("GetSessionToken", {"DurationSeconds": 900}, service="sts", key=WORKER))["Credentials"]
    session = send("orders", key=(given["AccessKeyId"], given["SecretAccessKey"]), token=given["SessionToken"])
    assert client.do(session)["MessageId"]
    advance(kew, 900)
    refused(client.do(session), row("expired session token"))


def test_every_row_has_its_test():
    assert {row[0] for row in TABLE} == {*CALLS, "replay after expiry", "expired session token"}


def advance(kew, seconds):
    """Moves the server's clock, by which sessions end, but not signatures."""
    shown = base64.b64encode(":".join(ROOT).encode()).decode()
    url = f"{kew.url}/_kew/clock?advance_ms={seconds * 1000}"
    request = urllib.request.Request(url, method="POST", headers={"Authorization": f"Basic {shown}"})
    trusted = ssl.create_default_context(cafile=kew.certificates.authority)
    urllib.request.urlopen(request, timeout=30, context=trusted).close()
