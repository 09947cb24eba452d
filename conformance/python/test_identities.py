"""Access keys, users, roles and sessions: made by command, used by real clients, on servers that run, restart and are killed."""

import base64
import concurrent.futures
import json
import pathlib
import random
import resource
import signal
import subprocess
import time
import urllib.request

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

import server

pytestmark = pytest.mark.once

ACCOUNT = "000000000000"
FULL = "arn:aws:iam::aws:policy/AmazonSQSFullAccess"
ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"
ROOT = {"KEW_ROOT_ACCESS_KEY_ID": "administrator", "KEW_ROOT_SECRET_ACCESS_KEY": "a-secret-of-the-root"}


def statement(action, **more):
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, **more}]}


def trust(principal, **more):
    return statement(["sts:AssumeRole", "sts:TagSession"], Principal={"AWS": principal}, **more)


class Commands:
    """`kew access-key`, `kew user` and `kew role` on one data directory."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.data = self.folder / "data"

    def line(self, *words):
        return [str(server.BINARY), *map(str, words), "--data", str(self.data)]

    def run(self, *words, env=None):
        return subprocess.run(
            self.line(*words), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30,
            env={**server.ENVIRONMENT, **(env or {})},
        )

    def do(self, *words):
        done = self.run(*words)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def refused(self, *words):
        """The one line that says why not."""
        done = self.run(*words)
        told = (done.stdout + done.stderr).strip()
        assert done.returncode > 0 and len(told.splitlines()) == 1 and "panicked" not in told, told
        return told

    def key(self, *words):
        made = json.loads(self.do("access-key", *(words or ("create",)), "--json"))
        return made["AccessKeyId"], made["SecretAccessKey"]

    def keys(self):
        return {key["id"]: key for key in json.loads(self.do("access-key", "list", "--json"))}

    def file(self, name, content):
        path = self.folder / name
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return path

    def user(self, name, *policies):
        """A user with these policies, and an access key."""
        self.do("user", "create", name, *(word for policy in policies for word in ("--policy", policy)))
        return self.key("create", "--user", name)

    def role(self, name, trusted, *policies, words=()):
        self.do(
            "role", "create", name, "--trust", self.file(f"trust-{name}.json", trusted),
            *(word for policy in policies for word in ("--policy", policy)), *words,
        )
        return f"arn:aws:iam::{ACCOUNT}:role/{name}"


@pytest.fixture
def kew(tmp_path):
    return Commands(tmp_path)


def client(url, key, service="sqs"):
    """A client with these credentials: id, secret and perhaps a session token."""
    identity, secret, *token = key
    return boto3.client(
        service, endpoint_url=url, region_name="us-east-1", aws_access_key_id=identity, aws_secret_access_key=secret,
        aws_session_token=token[0] if token else None,
        config=Config(retries={"max_attempts": 0}, read_timeout=30, parameter_validation=False),
    )


def who(url, key):
    return client(url, key, "sts").get_caller_identity()


def session(answer):
    credentials = answer["Credentials"]
    return credentials["AccessKeyId"], credentials["SecretAccessKey"], credentials["SessionToken"]


def code(call, **members):
    """The code and status with which a call is refused."""
    with pytest.raises(ClientError) as caught:
        call(**members)
    error = caught.value.response
    return error["Error"]["Code"], error["ResponseMetadata"]["HTTPStatusCode"]


def known(url, key):
    """Whether the server lets the key sign."""
    try:
        who(url, key)
        return True
    except ClientError as error:
        assert error.response["Error"]["Code"] == "InvalidClientTokenId", error
        return False


def eventually(check):
    """Waits for the server to have seen what a command has changed."""
    end = time.monotonic() + 10
    while not check():
        assert time.monotonic() < end, "the server did not take the change over"


def advance(url, seconds, key):
    """Moves the server's clock, as somebody with an access key."""
    user = base64.b64encode(":".join(key).encode()).decode()
    path = f"{url}/_kew/clock?advance_ms={seconds * 1000}"
    request = urllib.request.Request(path, method="POST", headers={"Authorization": f"Basic {user}"})
    urllib.request.urlopen(request, timeout=30).close()


# Access keys.


def test_a_key_signs_after_a_restart_too_and_no_other_does(kew, process):
    key = kew.key()
    running = process()
    for _ in range(2):
        assert who(running.url, key)["Arn"] == f"arn:aws:iam::{ACCOUNT}:root"
        assert code(client(running.url, (key[0], "wrong" * 8)).list_queues)[0] == "SignatureDoesNotMatch"
        assert code(client(running.url, ("AKIAUNKNOWNUNKNOWN12", key[1])).list_queues) == ("InvalidClientTokenId", 403)
        running.restart()


def test_a_rotation_leaves_both_keys_until_the_old_one_is_disabled(kew, process):
    old = kew.key()
    running = process()
    new = kew.key("rotate", old[0])
    eventually(lambda: known(running.url, new))
    assert known(running.url, old)
    kew.do("access-key", "disable", old[0])
    eventually(lambda: not known(running.url, old))
    assert known(running.url, new)
    kew.do("access-key", "enable", old[0])
    eventually(lambda: known(running.url, old))
    kew.do("access-key", "delete", old[0])
    eventually(lambda: not known(running.url, old))
    assert list(kew.keys()) == [new[0]]


def test_the_first_key_closes_a_running_server_and_the_last_one_does_not_open_it(kew, process):
    running = process()
    anybody = client(running.url, ("test", "test"))
    anybody.create_queue(QueueName="queue")
    key = kew.key()

    def closed():
        try:
            anybody.list_queues()
            return False
        except ClientError as error:
            return error.response["Error"]["Code"] == "InvalidClientTokenId"

    eventually(closed)
    assert client(running.url, key).list_queues()["QueueUrls"]
    kew.do("access-key", "delete", key[0])
    eventually(lambda: not known(running.url, key))
    assert closed()


def test_a_user_may_what_its_policies_say(kew, process):
    key = kew.user("ann", FULL)
    running = process()
    sqs = client(running.url, key)
    url = sqs.create_queue(QueueName="queue")["QueueUrl"]
    kew.do("user", "update", "ann", "--remove-policy", "AmazonSQSFullAccess")
    eventually(lambda: not allowed(sqs.get_queue_attributes, QueueUrl=url))
    only = kew.file("only.json", statement("sqs:GetQueueAttributes", Resource="*"))
    kew.do("user", "update", "ann", "--policy", only)
    eventually(lambda: allowed(sqs.get_queue_attributes, QueueUrl=url))
    assert code(sqs.send_message, QueueUrl=url, MessageBody="no")[1] == 403
    assert who(running.url, key)["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/ann"
    assert who(running.url, key)["UserId"].startswith("AIDA")


def allowed(call, **members):
    try:
        call(**members)
        return True
    except ClientError as error:
        assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 403, error
        return False


def test_commands_refuse_what_cannot_be_in_one_line(kew):
    kew.user("ann", FULL)
    assert "still has access keys" in kew.refused("user", "delete", "ann")
    assert '"ann"' in kew.refused("user", "create", "ann")
    assert '"bob"' in kew.refused("access-key", "create", "--user", "bob")
    assert "AKIANOBODY" in kew.refused("access-key", "disable", "AKIANOBODY")
    assert "broken.json" in kew.refused("user", "create", "c", "--policy", kew.file("broken.json", "{"))
    assert "AmazonSQSFullAccess" in kew.refused("user", "create", "c", "--policy", FULL + "s")
    assert "twelve digits" in kew.refused("access-key", "create", "--account", "12")


def test_only_what_makes_something_makes_a_data_directory(kew):
    for words in (["access-key", "list"], ["user", "list"], ["role", "list"], ["access-key", "disable", "AKIA"]):
        assert "is no data directory of Kew's; give --data" in kew.refused(*words)
    assert not kew.data.exists()
    # What is printed as the next step is the next step.
    told = kew.run("user", "create", "ann", "--account", "111122223333").stderr
    following = told.strip().split("kew ", 1)[1].split(" ")
    assert subprocess.run([str(server.BINARY), *following, "--json"], capture_output=True, timeout=30).returncode == 0
    assert [key["user"] for key in kew.keys().values()] == ["ann"]


def test_no_secret_lies_in_the_data_directory_or_in_the_log(kew, process):
    keys = [kew.key(), kew.user("ann", FULL)]
    running = process("--log", "trace")
    tokens = [client(running.url, key, "sts").get_session_token() for key in keys]
    secrets = [key[1] for key in keys] + [session(token)[1] for token in tokens]
    files = [path for path in kew.folder.rglob("*") if path.is_file()]
    assert running.log in files and any(path.name == "identities" for path in files)
    for path in files:
        content = path.read_bytes()
        assert not any(secret.encode() in content for secret in secrets), path


# What an operator can do wrong.


def start_refused(kew, *flags, env=None):
    words = ("serve", *([] if "--listen" in flags else ["--listen", "127.0.0.1:0"]), *flags)
    done = kew.run(*words, env=env)
    told = (done.stdout + done.stderr).strip()
    assert done.returncode > 0 and len(told.splitlines()) == 1 and "panicked" not in told, told
    return told


def test_other_machines_are_let_in_with_access_keys_or_on_purpose_alone(kew, process):
    told = start_refused(kew, "--listen", "0.0.0.0:0")
    assert "kew access-key create" in told and "--insecure-open" in told
    for flags, env in [(["--insecure-open"], {}), ([], {"KEW_INSECURE_OPEN": "on"}), ([], ROOT)]:
        open_to_all = subprocess.Popen(
            kew.line("serve", "--listen", "0.0.0.0:0", *flags), stdout=subprocess.PIPE, text=True,
            env={**server.ENVIRONMENT, **env},
        )
        assert "listens on" in open_to_all.stdout.readline()
        open_to_all.kill()
        open_to_all.wait()
        open_to_all.stdout.close()


def test_secrets_that_everybody_on_the_machine_may_read_are_refused(kew, process):
    config = kew.file("kew.toml", '[[user]]\nname = "ann"\n[[user.access_key]]\nid = "ann-1"\nsecret = "a-secret-of-ann-1"\n')
    config.chmod(0o644)
    told = start_refused(kew, "--config", str(config))
    assert "kew.toml" in told and "chmod" in told and "a-secret" not in told
    secret = kew.file("secret", "a-secret-of-the-root\n")
    secret.chmod(0o644)
    env = {"KEW_ROOT_ACCESS_KEY_ID": "administrator", "KEW_ROOT_SECRET_ACCESS_KEY_FILE": str(secret)}
    assert "chmod" in start_refused(kew, env=env)
    secret.chmod(0o600)
    config.chmod(0o600)
    running = process("--config", str(config), env=env)
    assert who(running.url, ("administrator", "a-secret-of-the-root"))["UserId"] == ACCOUNT
    assert who(running.url, ("ann-1", "a-secret-of-ann-1"))["Arn"].endswith(":user/ann")


def test_a_damaged_store_opens_nothing_and_closes_nothing(kew, process):
    key = kew.key()
    running = process()
    path = kew.data / "sealed" / "identities"
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert "damaged" in kew.refused("access-key", "list")
    assert "damaged" in kew.refused("access-key", "create")
    eventually(lambda: "damaged" in running.log.read_text())
    assert known(running.url, key)
    assert code(client(running.url, ("test", "test")).list_queues)[0] == "InvalidClientTokenId"
    running.stop()
    assert "damaged" in start_refused(kew)
    path.write_bytes(whole)
    running.start()
    assert known(running.url, key)


def test_a_backup_brings_the_access_keys_along(kew, process, tmp_path):
    key = kew.key()
    running = process()
    running.stop()
    for words in (["backup", tmp_path / "backup", "--data", kew.data], ["restore", tmp_path / "backup", tmp_path / "two" / "data"]):
        done = subprocess.run([str(server.BINARY), *map(str, words)], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
    with server.Kew(data=tmp_path / "two") as restored:
        assert known(restored.url, key)


def test_a_command_killed_at_any_moment_leaves_the_store_whole(kew):
    begin = time.monotonic()
    kew.key()
    whole = time.monotonic() - begin
    dice = random.Random(7)
    made = set(kew.keys())
    for account in range(40):
        command = subprocess.Popen(
            kew.line("access-key", "create", "--json", "--account", f"{account + 1:012}"),
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )
        try:
            command.wait(timeout=dice.uniform(0, whole))
        except subprocess.TimeoutExpired:
            command.kill()
        printed = command.communicate()[0]
        if printed.endswith("\n"):
            made.add(json.loads(printed)["AccessKeyId"])
        assert made <= set(kew.keys())
    assert len(kew.keys()) <= 41


def test_a_command_killed_in_the_middle_of_its_write_leaves_the_store_whole(kew):
    kew.key()
    before = kew.keys()

    def die_at_byte(count):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (count, count))

    for count in (0, 1, 100):
        done = subprocess.run(
            kew.line("access-key", "create"), capture_output=True, timeout=30, preexec_fn=lambda: die_at_byte(count)
        )
        assert done.returncode == -signal.SIGXFSZ and not done.stdout, done
        assert kew.keys() == before
    assert kew.key()[0] in kew.keys()


# The environment.


def test_the_environment_makes_an_administrator(kew, process):
    running = process(env=ROOT)
    root = tuple(ROOT.values())
    assert who(running.url, root) | {"ResponseMetadata": None} == {
        "UserId": ACCOUNT, "Account": ACCOUNT, "Arn": f"arn:aws:iam::{ACCOUNT}:root", "ResponseMetadata": None,
    }
    client(running.url, root).create_queue(QueueName="queue")
    assert code(client(running.url, ("test", "test")).list_queues)[0] == "InvalidClientTokenId"


# Sessions.


@pytest.fixture
def ann(kew):
    """A user who may become any role that lets her."""
    return kew.user("ann", kew.file("assume.json", statement(["sts:AssumeRole", "sts:TagSession"], Resource="*")))


def test_a_role_is_assumed_and_used(kew, process, ann):
    arn = kew.role("worker", trust(ACCOUNT), FULL)
    running = process()
    answer = client(running.url, ann, "sts").assume_role(RoleArn=arn, RoleSessionName="shift-1")
    assert answer["AssumedRoleUser"]["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/worker/shift-1"
    assert answer["Credentials"]["AccessKeyId"].startswith("ASIA")
    assert len(answer["Credentials"]["SessionToken"]) <= 4096
    key = session(answer)
    assert who(running.url, key)["Arn"] == answer["AssumedRoleUser"]["Arn"]
    assert who(running.url, key)["UserId"] == answer["AssumedRoleUser"]["AssumedRoleId"]
    sqs = client(running.url, key)
    url = sqs.create_queue(QueueName="queue")["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="by the role")
    message = sqs.receive_message(QueueUrl=url, AttributeNames=["SenderId"])["Messages"][0]
    assert message["Attributes"]["SenderId"] == answer["AssumedRoleUser"]["AssumedRoleId"]
    assert code(client(running.url, ann).list_queues)[1] == 403
    # The server keeps no sessions: another process knows this one as well.
    running.restart()
    assert sqs.list_queues()["QueueUrls"]


def test_a_session_policy_narrows_the_role(kew, process, ann):
    arn = kew.role("worker", trust(ACCOUNT), FULL)
    running = process()
    policy = json.dumps(statement(["sqs:CreateQueue", "sqs:GetQueueUrl"], Resource="*"))
    sts = client(running.url, ann, "sts")
    answer = sts.assume_role(RoleArn=arn, RoleSessionName="narrow", Policy=policy)
    assert 0 < answer["PackedPolicySize"] <= 100
    sqs = client(running.url, session(answer))
    url = sqs.create_queue(QueueName="queue")["QueueUrl"]
    assert code(sqs.send_message, QueueUrl=url, MessageBody="no")[1] == 403
    # A session policy grants nothing that the role has not.
    wide = json.dumps(statement("*", Resource="*"))
    poor = kew.role("poor", trust(ACCOUNT))
    eventually(lambda: allowed(sts.assume_role, RoleArn=poor, RoleSessionName="wide"))
    sqs = client(running.url, session(sts.assume_role(RoleArn=poor, RoleSessionName="wide", Policy=wide)))
    assert code(sqs.list_queues)[1] == 403


def test_a_session_ends_in_time(kew, process):
    root = kew.key()
    ann = kew.user("ann", kew.file("assume.json", statement("sts:AssumeRole", Resource="*")))
    arn = kew.role("worker", trust(ACCOUNT), FULL)
    running = process("--test-endpoints")
    answer = client(running.url, ann, "sts").assume_role(RoleArn=arn, RoleSessionName="short", DurationSeconds=900)
    sqs = client(running.url, session(answer))
    sqs.list_queues()
    advance(running.url, 899, root)
    sqs.list_queues()
    advance(running.url, 2, root)
    assert code(sqs.list_queues) == ("ExpiredToken", 403)
    assert code(client(running.url, session(answer), "sts").get_caller_identity) == ("ExpiredToken", 403)


def test_a_token_belongs_to_its_key_and_cannot_be_bent(kew, process, ann):
    arn = kew.role("worker", trust(ACCOUNT), FULL)
    running = process()
    sts = client(running.url, ann, "sts")
    one = session(sts.assume_role(RoleArn=arn, RoleSessionName="one"))
    two = session(sts.assume_role(RoleArn=arn, RoleSessionName="two"))
    bent = one[2][:80] + ("A" if one[2][80] != "A" else "B") + one[2][81:]
    for key in [(one[0], one[1], two[2]), one[:2], (one[0], one[1], bent), (*ann, one[2]), (one[0], two[1], one[2])]:
        expected = "SignatureDoesNotMatch" if key == (one[0], two[1], one[2]) else "InvalidClientTokenId"
        assert code(client(running.url, key).list_queues) == (expected, 403), key
    kew.do("role", "delete", "worker")
    eventually(lambda: not known(running.url, one))


def test_a_session_token_ends_with_its_key(kew, process):
    ann = kew.user("ann", FULL)
    running = process()
    key = session(client(running.url, ann, "sts").get_session_token(DurationSeconds=900))
    assert who(running.url, key)["Arn"].endswith(":user/ann")
    client(running.url, key).list_queues()
    assert code(client(running.url, key, "sts").get_session_token) == ("AccessDenied", 403)
    kew.do("access-key", "disable", ann[0])
    eventually(lambda: not known(running.url, key))


def waiting(url, key):
    """How many receives wait."""
    user = base64.b64encode(":".join(key).encode()).decode()
    request = urllib.request.Request(f"{url}/metrics", headers={"Authorization": f"Basic {user}"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        lines = answer.read().decode().splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith("kew_receives_waiting"))


def test_a_receive_that_waits_ends_with_its_key(kew, process):
    ann, bob, root = kew.user("ann", FULL), kew.user("bob", FULL), kew.key()
    running = process()
    url = client(running.url, bob).create_queue(QueueName="q")["QueueUrl"]
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        poll = pool.submit(client(running.url, ann).receive_message, QueueUrl=url, WaitTimeSeconds=20)
        eventually(lambda: waiting(running.url, root) == 1)
        kew.do("access-key", "disable", ann[0])
        eventually(lambda: waiting(running.url, root) == 0)
        client(running.url, bob).send_message(QueueUrl=url, MessageBody="not for ann")
        assert "Messages" not in poll.result()
    received = client(running.url, bob).receive_message(
        QueueUrl=url, AttributeNames=["ApproximateReceiveCount"], WaitTimeSeconds=1
    )
    assert received["Messages"][0]["Attributes"] == {"ApproximateReceiveCount": "1"}


def test_roles_trust_whom_they_name(kew, process, ann):
    bob = kew.user("bob", ADMINISTRATOR)
    root = kew.key()
    arn = kew.role("hers", trust(f"arn:aws:iam::{ACCOUNT}:user/ann"), FULL)
    word = {"Condition": {"StringEquals": {"sts:ExternalId": "open-sesame"}}}
    outer = kew.role("outer", trust(ACCOUNT, **word), FULL)
    running = process()
    assume = client(running.url, ann, "sts").assume_role
    assume(RoleArn=arn, RoleSessionName="ann")
    assert code(client(running.url, bob, "sts").assume_role, RoleArn=arn, RoleSessionName="bob") == ("AccessDenied", 403)
    assert code(client(running.url, root, "sts").assume_role, RoleArn=arn, RoleSessionName="root") == ("AccessDenied", 403)
    assert code(assume, RoleArn=arn + "-not", RoleSessionName="ann") == ("AccessDenied", 403)
    assert code(assume, RoleArn=outer, RoleSessionName="ann") == ("AccessDenied", 403)
    assume(RoleArn=outer, RoleSessionName="ann", ExternalId="open-sesame")
    assert code(assume, RoleArn=outer, RoleSessionName="ann", ExternalId="wrong-word") == ("AccessDenied", 403)


def test_session_tags_are_what_policies_ask_for(kew, process, ann):
    team = statement("sqs:*", Resource="*", Condition={"StringEquals": {"aws:PrincipalTag/team": "shop"}})
    arn = kew.role("tagged", trust(ACCOUNT), kew.file("team.json", team), words=["--tag", "team=none"])
    running = process()
    assume = client(running.url, ann, "sts").assume_role
    other = client(running.url, session(assume(RoleArn=arn, RoleSessionName="s1")))
    assert code(other.list_queues)[1] == 403
    tagged = assume(RoleArn=arn, RoleSessionName="s2", Tags=[{"Key": "team", "Value": "shop"}])
    client(running.url, session(tagged)).list_queues()


@pytest.mark.parametrize(
    "members, refusal",
    [
        ({"RoleSessionName": "a b"}, "ValidationError"),
        ({"DurationSeconds": 899}, "ValidationError"),
        ({"DurationSeconds": 3601}, "ValidationError"),
        ({"DurationSeconds": 43201}, "ValidationError"),
        ({"RoleArn": "arn:aws:iam::000000000000:user/ann"}, "ValidationError"),
        ({"Policy": "{}"}, "MalformedPolicyDocument"),
        ({"Policy": '{"Version":"2012-10-17","Statement":[{"Effect":"Perhaps","Action":"*","Resource":"*"}]}'}, "MalformedPolicyDocument"),
        ({"Tags": [{"Key": f"key-{at}", "Value": "v" * 256} for at in range(20)]}, "PackedPolicyTooLarge"),
        ({"SerialNumber": "arn:aws:iam::000000000000:mfa/ann", "TokenCode": "123456"}, "AccessDenied"),
    ],
    ids=lambda value: value if isinstance(value, str) else "-".join(value),
)
def test_what_aws_refuses_is_refused(kew, process, ann, members, refusal):
    arn = kew.role("worker", trust(ACCOUNT), FULL)
    running = process()
    sts = client(running.url, ann, "sts")
    members = {"RoleArn": arn, "RoleSessionName": "session", **members}
    assert code(sts.assume_role, **members) == (refusal, 403 if refusal == "AccessDenied" else 400)


def test_an_open_server_gives_sessions_of_any_account(process):
    running = process()
    sts = client(running.url, ("test", "test"), "sts")
    assert sts.get_caller_identity()["Account"] == ACCOUNT
    answer = sts.assume_role(RoleArn="arn:aws:iam::123456789012:role/any", RoleSessionName="session")
    assert who(running.url, session(answer))["Account"] == "123456789012"
    url = client(running.url, session(answer)).create_queue(QueueName="queue")["QueueUrl"]
    assert "/123456789012/" in url
