"""How a server starts: what it prints, what it takes from files and variables, and how it says why it cannot."""

import fcntl
import os
import pty
import signal
import subprocess
import termios

import pytest

import server
from queues import Queue, client
from raw import Connection

pytestmark = pytest.mark.once

FLAGS = ["--sqs-waits", "off", "--test-endpoints"]


def refused(*flags, env=None, says):
    """Runs a server that should not start: it ends with a code and one line that says these words."""
    done = subprocess.run(
        [str(server.BINARY), "serve", *map(str, flags)],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20, env={**server.ENVIRONMENT, **(env or {})},
    )
    told = (done.stdout + done.stderr).strip()
    assert done.returncode > 0, told
    assert len(told.splitlines()) == 1 and "panicked" not in told, told
    for word in says:
        assert word in told


ANY = ["--listen", "127.0.0.1:0"]


def test_a_taken_port_is_told(process, tmp_path):
    listen = f"127.0.0.1:{process(*FLAGS).port}"
    refused("--listen", listen, "--data", tmp_path / "other", says=[listen])


def test_a_directory_in_use_is_told(process):
    data = process(*FLAGS).data
    refused(*ANY, "--data", data, says=[str(data)])


def test_a_directory_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("not a directory")
    data = tmp_path / "file" / "data"
    refused(*ANY, "--data", data, says=[str(data)])


BAD_CONFIGS = [
    ('nonsense = 1\n', ["nonsense"]),
    ('listen = "nowhere"\n', ["listen", "nowhere"]),
    ('durability = "maybe"\n', ["durability", "maybe"]),
    ('sqs_waits = "perhaps"\n', ["sqs_waits", "perhaps"]),
    ("listen = [", ["line 1"]),
    ('[[queue]]\nname = "bad name"\n', ["bad name"]),
    ('[[queue]]\nname = "q"\nattributes = { VisibilityTimeout = 99999 }\n', ["VisibilityTimeout", "q"]),
    ('[[queue]]\nname = "q"\nattributes = { Nonsense = 1 }\n', ["Nonsense"]),
    ('[[queue]]\nname = "q"\ndead_letter_queue = "missing"\nmax_receive_count = 3\n', ["missing"]),
    ('[access_keys]\nAKIA = "12"\n', ["access_keys", "twelve digits"]),
]


@pytest.mark.parametrize("config, says", BAD_CONFIGS, ids=range(len(BAD_CONFIGS)))
def test_a_bad_configuration_is_told_in_one_line(tmp_path, config, says):
    path = tmp_path / "kew.toml"
    path.write_text(config)
    listen = [] if "listen" in config else ANY
    refused(*listen, "--data", tmp_path / "data", "--config", path, says=says)


@pytest.mark.parametrize(
    "flags, env, says",
    [
        (["--durability", "maybe"], {}, ["--durability", "maybe"]),
        (["--nonsense"], {}, ["--nonsense"]),
        (["--config", "/does/not/exist.toml"], {}, ["/does/not/exist.toml"]),
        ([], {"KEW_SQS_WAITS": "perhaps"}, ["KEW_SQS_WAITS", "perhaps"]),
    ],
)
def test_a_bad_flag_or_variable_is_told_in_one_line(tmp_path, flags, env, says):
    refused(*ANY, "--data", tmp_path / "data", *flags, env=env, says=says)


DECLARED = """
sqs_waits = "off"
test_endpoints = true

[access_keys]
AKIAIOSFODNN7EXAMPLE = "123456789012"

[[queue]]
name = "orders"
dead_letter_queue = "orders-dead"
max_receive_count = 5
attributes = { VisibilityTimeout = 60, DelaySeconds = "1" }
tags = { team = "shop" }

[[queue]]
name = "orders-dead"

[[queue]]
name = "events.fifo"
account = "123456789012"
region = "eu-west-1"
attributes = { FifoQueue = true, ContentBasedDeduplication = true }
"""


def test_declared_queues_are_there_with_their_settings(process):
    kew = process(config=DECLARED)
    sqs = client(kew.url)
    assert sorted(url.rsplit("/", 1)[1] for url in sqs.list_queues()["QueueUrls"]) == ["orders", "orders-dead"]
    orders = Queue(sqs, sqs.get_queue_url(QueueName="orders")["QueueUrl"])
    seen = orders.attributes()
    assert (seen["VisibilityTimeout"], seen["DelaySeconds"]) == ("60", "1")
    assert seen["RedrivePolicy"] == (
        '{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:orders-dead","maxReceiveCount":5}'
    )
    assert sqs.list_queue_tags(QueueUrl=orders.url)["Tags"] == {"team": "shop"}
    far = client(kew.url, "AKIAIOSFODNN7EXAMPLE", region="eu-west-1")
    (url,) = far.list_queues()["QueueUrls"]
    assert url == f"{kew.url}/123456789012/events.fifo"
    assert Queue(far, url).attributes()["ContentBasedDeduplication"] == "true"


def test_declared_queues_keep_their_messages_and_follow_the_file_at_the_next_start(process, tmp_path):
    kew = process(config=DECLARED)
    sqs = client(kew.url)
    orders = Queue(sqs, sqs.get_queue_url(QueueName="orders")["QueueUrl"])
    orders.send("kept", DelaySeconds=0)
    kew.stop()
    (tmp_path / "kew.toml").write_text(DECLARED.replace("VisibilityTimeout = 60", "VisibilityTimeout = 61"))
    kew.start()
    assert orders.attributes("VisibilityTimeout") == {"VisibilityTimeout": "61"}
    assert orders.bodies() == ["kept"]


def test_the_environment_wins_over_the_file_and_a_flag_over_both(process):
    kew = process(config='region = "eu-west-3"\n', env={"KEW_REGION": "eu-west-2"})
    assert "eu-west-2" in region_of(kew)
    kew.stop()
    kew.flags += ["--region", "eu-west-1"]
    kew.start()
    assert "eu-west-1" in region_of(kew)


def region_of(kew):
    connection = Connection(kew)
    url = connection.json("CreateQueue", {"QueueName": "where"}, headers={"Authorization": None}).json["QueueUrl"]
    members = {"QueueUrl": url, "AttributeNames": ["QueueArn"]}
    answer = connection.json("GetQueueAttributes", members, headers={"Authorization": None})
    connection.json("DeleteQueue", {"QueueUrl": url}, headers={"Authorization": None})
    return answer.json["Attributes"]["QueueArn"]


def test_queue_urls_can_be_pinned(process):
    kew = process("--public-url", "https://queues.example.org:8443")
    url = client(kew.url).create_queue(QueueName="pinned")["QueueUrl"]
    assert url == "https://queues.example.org:8443/000000000000/pinned"
    assert Queue(client(kew.url), url).receive() == []


def test_the_start_tells_where_it_listens_where_the_data_is_and_what_to_try(process):
    kew = process()
    said = kew.log.read_text()
    for word in [f"127.0.0.1:{kew.port}", str(kew.data), "fsync", "aws ", "create-queue"]:
        assert word in said, said


def test_a_server_that_no_terminal_was_closed_on_outlives_a_hangup(process):
    kew = process()
    queue = client(kew.url).create_queue(QueueName="here")["QueueUrl"]
    kew.process.send_signal(signal.SIGHUP)
    assert Queue(client(kew.url), queue).receive() == []
    kew.process.send_signal(signal.SIGHUP)
    assert Queue(client(kew.url), queue).receive() == []
    assert kew.process.poll() is None


def test_help_names_every_flag():
    done = subprocess.run([str(server.BINARY), "serve", "--help"], capture_output=True, text=True, timeout=20)
    assert done.returncode == 0
    for flag in ["--config", "--listen", "--data", "--durability", "--sqs-waits", "--log", "--test-endpoints"]:
        assert flag in done.stdout


def test_the_test_endpoints_are_closed_unless_asked_for(process):
    connection = Connection(process())
    assert connection.ask("POST", "/_kew/reset").status in (403, 404)
    assert connection.ask("POST", "/_kew/clock?advance_ms=1").status in (403, 404)
    assert connection.ask("GET", "/_kew/peek?QueueUrl=x").status in (403, 404)


def test_a_server_ends_well_when_its_terminal_is_closed(tmp_path):
    ours, its = pty.openpty()

    def take_the_terminal():
        os.setsid()
        fcntl.ioctl(its, termios.TIOCSCTTY, 0)

    kew = subprocess.Popen(
        [str(server.BINARY), "serve", *ANY, "--data", str(tmp_path / "data")],
        stdin=its, stdout=its, stderr=its, env=server.ENVIRONMENT, preexec_fn=take_the_terminal,
    )
    os.close(its)
    said = b""
    while b"listens on" not in said:
        said += os.read(ours, 4096)
    os.close(ours)
    assert kew.wait(timeout=20) == 0
