"""`kew bench` against real servers: every kind of work, each dialect, signed, over TLS; what is counted is what happened there."""

import http.server
import json
import os
import signal
import subprocess
import threading

import pytest

import server
from queues import client
from test_tls import secure  # noqa: F401 (a fixture)

pytestmark = pytest.mark.once

ROOT = {"KEW_ROOT_ACCESS_KEY_ID": "administrator", "KEW_ROOT_SECRET_ACCESS_KEY": "a-secret-of-the-root"}


def run(*words, env=None):
    """Runs `kew bench` to its end, with nothing in the environment that would change what it does."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return subprocess.run(
        [str(server.BINARY), "bench", *map(str, words)],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=50, env={**clean, **(env or {})},
    )


def measured(*words, env=None, code=0):
    """What it found, as JSON."""
    done = run(*words, "--json", env=env)
    assert done.returncode == code, done.stdout + done.stderr
    return json.loads(done.stdout)


def refused(*words, env=None, says=(), code=1):
    """It ends with a code and one line that says these words."""
    done = run(*words, env=env)
    assert done.returncode == code, done.stdout + done.stderr
    told = done.stderr.strip()
    assert not done.stdout and len(told.splitlines()) == 1 and "panicked" not in told, told
    for word in says:
        assert word in told, told


def consistent(found, count):
    """All of the messages went through, and no figure contradicts another."""
    assert found["errors"] == {} and found["first_error"] is None and not found["interrupted"]
    last = found["rows"][-1]
    assert last["messages"] == count
    for row in found["rows"]:
        if row["operations"]:
            assert 0 < row["p50_us"] <= row["p90_us"] <= row["p99_us"] <= row["p99.9_us"] <= row["max_us"]
        assert row["operations_per_second"] == pytest.approx(row["operations"] / found["seconds"])
        assert row["messages_per_second"] == pytest.approx(row["messages"] / found["seconds"])


WORK = [
    (["send"], ["send"]),
    (["send", "--rate", "2000"], ["send"]),
    (["send-batch"], ["send x 10"]),
    (["receive-delete"], ["receive", "delete"]),
    (["cycle"], ["send x 10", "receive", "delete"]),
    (["fifo"], ["send x 10", "receive", "delete"]),
    (["fifo", "--work", "send", "--groups", "3"], ["send"]),
    (["fifo", "--work", "send-batch"], ["send x 10"]),
    (["end-to-end", "--producers", "2", "--consumers", "2"], ["send", "receive", "delete", "end to end"]),
    (["long-poll", "--connections", "5"], ["send", "delete", "wake-up"]),
]


@pytest.mark.parametrize("protocol", ["json", "query"])
@pytest.mark.parametrize("words, rows", WORK, ids=[" ".join(words) for words, _ in WORK])
def test_every_kind_of_work_counts_what_the_server_saw(process, words, rows, protocol):
    kew = process()
    if words[0] not in ("end-to-end", "long-poll"):
        words = [*words, "--connections", "8"]
    count = 40
    found = measured(
        *words, "--endpoint", kew.url, "--protocol", protocol, "--count", count, "--pid", kew.process.pid
    )
    assert [row["name"] for row in found["rows"]] == rows
    if found["rows"][0]["name"] == "send x 10":
        # What one connection sends another may receive, so that the last ones find the queue empty.
        assert found["errors"] == {} and found["rows"][0]["messages"] == count >= found["rows"][-1]["messages"] > 0
    else:
        consistent(found, count)
    assert found["server_cpu_us_per_message"] is not None and found["settings"]["protocol"] == protocol
    # Its queue is gone, and all of its messages were there.
    assert "QueueUrls" not in client(kew.url).list_queues()
    batched = found["rows"][0]["name"] == "send x 10" or words[0] == "receive-delete"
    name = "SendMessageBatch" if batched else "SendMessage"
    sends = kew.metric(f'kew_requests_total{{operation="{name}",status="200"')
    assert sends == (count / 10 if batched else count)


def test_a_measurement_by_time_ends_by_itself_and_keeps_to_its_rate(kew, account):
    found = measured("send", "--endpoint", kew.url, "--rate", 50, "--duration", 1, "--warmup", 0)
    assert found["seconds"] == 1.0 and 0 < found["rows"][0]["operations"] <= 51
    found = measured("receive-delete", "--endpoint", kew.url, "--duration", 0.3, "--connections", 4)
    assert found["errors"] == {} and 0 < found["rows"][1]["messages"] <= found["rows"][0]["messages"]


def test_a_table_is_for_people(kew):
    done = run("send", "--endpoint", kew.url, "--count", 20, "--attribute", "SqsManagedSseEnabled=false")
    assert done.returncode == 0, done.stderr
    head, row, foot = done.stdout.splitlines()
    assert head.split() == ["send", "requests/s", "messages/s", "p50", "p90", "p99", "p99.9", "max"]
    assert row.split()[0] == "send" and "no errors" in foot
    assert kew.url in done.stderr and "not signed" in done.stderr


def test_requests_are_signed_with_the_keys_of_the_environment(process):
    kew = process(env=ROOT)
    right = {"AWS_ACCESS_KEY_ID": "administrator", "AWS_SECRET_ACCESS_KEY": ROOT["KEW_ROOT_SECRET_ACCESS_KEY"]}
    for protocol in ["json", "query"]:
        words = ["end-to-end", "--endpoint", kew.url, "--count", 30, "--protocol", protocol]
        found = measured(*words, env=right)
        consistent(found, 30)
        assert found["settings"]["signed"]
        refused(*words, env={**right, "AWS_SECRET_ACCESS_KEY": "wrong"}, says=["CreateQueue answered 403", "signature we calculated"])
        refused(*words, says=["CreateQueue", "set AWS_ACCESS_KEY_ID"])
        refused(*words, "--no-sign-request", env=right, says=["CreateQueue", "set AWS_ACCESS_KEY_ID"])
    refused("send", env={"AWS_ACCESS_KEY_ID": "alone"}, code=2, says=["AWS_SECRET_ACCESS_KEY is not"])


def test_servers_behind_tls_are_believed_if_their_authority_is(secure):  # noqa: F811
    kew = secure()
    words = ["send", "--endpoint", kew.url, "--count", 25]
    consistent(measured(*words, "--ca-bundle", kew.certificates.authority), 25)
    consistent(measured(*words, env={"AWS_CA_BUNDLE": str(kew.certificates.authority)}), 25)
    refused(*words, says=["cannot reach", "certificate"])
    refused(*words, "--ca-bundle", "/nowhere.pem", code=2, says=["/nowhere.pem"])


def test_errors_are_counted_and_the_first_one_is_shown(kew, sqs):
    words = ["send", "--endpoint", kew.url, "--count", 30, "--connections", 3]
    words += ["--attribute", "MaximumMessageSize=1024", "--body-bytes", 2000]
    for protocol in ["json", "query"]:
        found = measured(*words, "--protocol", protocol, code=1)
        assert sum(found["errors"].values()) == 30 and found["rows"][0]["messages"] == 0
        assert all(name.startswith("SendMessage 400") for name in found["errors"])
        assert "1024" in found["first_error"]
    done = run(*words)
    assert done.returncode == 1 and "x 30" in done.stdout and "the first error: SendMessage 400" in done.stdout


def test_an_interrupted_measurement_shows_what_it_has_and_deletes_its_queue(process):
    kew = process()
    words = [str(server.BINARY), "bench", "send", "--endpoint", kew.url, "--duration", "3600", "--json"]
    running = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert "queue kew-bench-" in running.stderr.readline()
        # It tells how it is getting on.
        assert " messages, " in running.stderr.readline()
        running.send_signal(signal.SIGINT)
        out, told = running.communicate(timeout=30)
    finally:
        running.kill()
    assert running.returncode == 130, told
    found = json.loads(out)
    assert found["interrupted"] and found["rows"][0]["messages"] > 0 and found["errors"] == {}
    assert "QueueUrls" not in client(kew.url).list_queues()


def test_a_server_that_dies_is_told_and_so_is_the_queue_that_stays(process):
    kew = process()
    words = [str(server.BINARY), "bench", "send", "--endpoint", kew.url, "--duration", "3600"]
    running = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert "queue kew-bench-" in running.stderr.readline()
        kew.kill()
        _, told = running.communicate(timeout=30)
    finally:
        running.kill()
    assert running.returncode == 1
    assert "cannot reach" in told and "was left behind" in told.splitlines()[-1], told


def test_an_endpoint_that_is_no_sqs_is_told_in_one_line():
    class Page(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(404)
            self.end_headers()
            self.wfile.write(b"<html>\nno such page\n</html>")

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page) as page:
        threading.Thread(target=page.serve_forever, daemon=True).start()
        try:
            refused("send", "--endpoint", f"http://127.0.0.1:{page.server_port}", says=["CreateQueue answered 404", "no such page"])
        finally:
            page.shutdown()


@pytest.mark.parametrize(
    "words, code, says",
    [
        (["send", "--endpoint", "http://127.0.0.1:1"], 1, ["cannot reach 127.0.0.1:1"]),
        (["send", "--endpoint", "http://nobody.invalid"], 2, ["nobody.invalid"]),
        (["send", "--endpoint", "localhost:4566"], 2, ["localhost:4566", "http://"]),
        (["send", "--duration", "0"], 2, ["--duration"]),
        (["send", "--pid", "4194305"], 1, ["/proc/4194305"]),
        (["send-batch", "--body-bytes", "200000"], 2, ["--body-bytes", "104857"]),
        (["receive-delete", "--rate", "5"], 2, ["--rate"]),
        (["nonsense"], 2, ["nonsense"]),
        (["send", "--queue", "a b"], 2, ["--queue"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else str(value),
)
def test_a_mistake_is_told_in_one_line(words, code, says):
    refused(*words, code=code, says=says)
