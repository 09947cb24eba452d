"""A thousand slow or stuck connections: whoever behaves does not feel them.

`python test_slow.py` prints the figures of more rounds.
"""

import http.client
import itertools
import json
import multiprocessing
import select
import socket
import statistics
import threading
import time

import pytest

import server
import signing

pytestmark = pytest.mark.once

STUCK = 1000
BIG = "x" * 900_000
WISH = b'{"QueueUrl":"big","VisibilityTimeout":0}'


class Stuck:
    """Connections that are of no use to anybody, of six kinds in turn, held by a process of their own: it must not slow down those
    who measure. Some of them say a byte every half second, each at its own time."""

    def __init__(self, kew, count):
        self.over = multiprocessing.Event()
        self.process = multiprocessing.Process(target=hold, args=(kew.port, count, self.over))

    def __enter__(self):
        self.process.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.process.join()


def hold(port, count, over):
    sockets = [stuck(port, number % 6) for number in range(count)]
    dripping = [stream for number, stream in enumerate(sockets) if number % 6 in (2, 3)]
    for stream in itertools.cycle(dripping):
        if over.wait(0.5 / len(dripping)):
            break
        try:
            stream.sendall(b"x")
        except OSError:
            pass


def stuck(port, kind):
    stream = socket.socket()
    if kind == 5:
        # Whoever takes no answers has no room for them either.
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    stream.connect(("127.0.0.1", port))
    head = b"POST / HTTP/1.1\r\nHost: h\r\nX-Amz-Target: AmazonSQS.%s\r\nContent-Type: application/x-amz-json-1.0\r\n"
    stream.sendall({
        0: b"",
        1: b"POST / HT",
        2: head % b"SendMessage" + b"X-Slow: ",
        3: head % b"SendMessage" + b"Content-Length: 1000000\r\n\r\n{",
        4: b"GET /health HTTP/1.1\r\nHost: h\r\n\r\n",
        5: (head % b"ReceiveMessage" + b"Content-Length: %d\r\n\r\n%s" % (len(WISH), WISH)) * 4,
    }[kind])
    return stream


def behave(kew, times, requests):
    """One caller after the other answer, as an SDK does; notes how long each took."""
    caller = http.client.HTTPConnection("127.0.0.1", kew.port, timeout=60)
    headers = {"X-Amz-Target": "AmazonSQS.SendMessage", "Content-Type": "application/x-amz-json-1.0"}
    body = json.dumps({"QueueUrl": "q", "MessageBody": "x" * 100})
    for _ in range(requests):
        start = time.perf_counter()
        caller.request("POST", "/", body, headers)
        answer = caller.getresponse()
        answer.read()
        times.append(time.perf_counter() - start)
        assert answer.status == 200
    caller.close()


def p99(kew, callers=4, requests=500):
    times = []
    threads = [threading.Thread(target=behave, args=(kew, times, requests)) for _ in range(callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(times) == callers * requests
    return statistics.quantiles(times, n=100)[98]


def rounds(kew, count):
    """Of each round the p99 alone, and beside the stuck ones."""
    for name, body in (("q", None), ("big", BIG)):
        call(kew, "CreateQueue", {"QueueName": name})
        if body:
            call(kew, "SendMessage", {"QueueUrl": name, "MessageBody": body})
    p99(kew)
    for _ in range(count):
        alone = p99(kew)
        with Stuck(kew, STUCK):
            while kew.metric("kew_connections ") < STUCK:
                pass
            beside = p99(kew)
        yield alone, beside


def call(kew, operation, request):
    caller = http.client.HTTPConnection("127.0.0.1", kew.port, timeout=60)
    headers = {"X-Amz-Target": f"AmazonSQS.{operation}", "Content-Type": "application/x-amz-json-1.0"}
    caller.request("POST", "/", json.dumps(request), headers)
    answer = caller.getresponse()
    assert answer.status == 200, answer.read()
    caller.close()


@pytest.mark.timeout(300)
def test_a_thousand_stuck_connections_do_not_double_the_p99_of_others(process):
    kew = process("--durability", "os")
    seen = list(rounds(kew, 5))
    ratio = statistics.median(beside / alone for alone, beside in seen)
    assert ratio <= 2, seen


def speak(kew, text):
    """A connection on which something was said."""
    stream = socket.create_connection(("127.0.0.1", kew.port), timeout=60)
    stream.sendall(text)
    return stream


def status(stream):
    """The status of the next answer; none if the server closed the connection without one, or before it was read."""
    try:
        line = stream.makefile("rb").readline()
    except ConnectionResetError:
        return None
    return int(line.split()[1]) if line else None


HEALTH = b"GET /health HTTP/1.1\r\nHost: h\r\n\r\n"
SEND = b"POST / HTTP/1.1\r\nHost: h\r\nX-Amz-Target: AmazonSQS.SendMessage\r\nContent-Type: application/x-amz-json-1.0\r\n"


@pytest.mark.parametrize("said, told", [(b"", None), (b"POST / HT", 408), (SEND, 408)])
def test_who_asks_for_nothing_at_first_is_closed_before_who_idles_later(process, said, told):
    kew = process("--durability", "os")
    idle = speak(kew, HEALTH)
    assert status(idle) == 200
    silent = speak(kew, said)
    assert status(silent) == told
    idle.sendall(HEALTH)
    assert idle.recv(12) == b"HTTP/1.1 200"


def test_a_body_that_hardly_comes_loses_its_place_and_a_slow_one_does_not(process):
    kew = process("--durability", "os")
    call(kew, "CreateQueue", {"QueueName": "q"})
    body = json.dumps({"QueueUrl": "q", "MessageBody": "x" * 900_000}).encode()
    head = SEND + b"Content-Length: %d\r\n\r\n" % len(body)
    stuck, slow = speak(kew, head + body[:1000]), speak(kew, head)
    stuck.setblocking(False)
    sent, over = 0, threading.Event()
    while True:
        try:
            told = stuck.recv(100)
            break
        except BlockingIOError:
            # Twice as fast as it must be.
            sent += slow.send(body[sent:sent + 6_500])
            over.wait(0.5)
    assert told.startswith(b"HTTP/1.1 408")
    slow.sendall(body[sent:])
    assert status(slow) == 200


def test_strangers_bodies_keep_only_strangers_out(process):
    """They may be long, many, and all but there."""
    key = ("AKIAROOT", "the-secret-of-the-root")
    kew = process("--durability", "os", "--workers", "1", "--connections-per-address", "off", env={
        "KEW_ROOT_ACCESS_KEY_ID": key[0], "KEW_ROOT_SECRET_ACCESS_KEY": key[1],
    })
    answered, _, _ = signing.send(signing.signed(kew.url, key, "CreateQueue", QueueName="q"))
    assert answered == 200
    length = 6_700_000
    head = SEND + b"Content-Length: %d\r\n\r\n" % length
    strangers = []
    for _ in range(45):
        stream = speak(kew, head)
        strangers.append(stream)
        stream.sendall(b"x" * (length - 1))
    # Only who found no room is answered before the last byte.
    refused, _, _ = select.select(strangers, [], [], 10)
    assert refused and b"Throttl" in refused[0].recv(65536)
    answered, code, message = signing.send(
        signing.signed(kew.url, key, "SendMessage", QueueUrl="q", MessageBody="x" * 1_000_000)
    )
    assert (answered, code) == (200, None), message
    for stream in strangers:
        stream.close()


if __name__ == "__main__":
    with server.Kew(flags=["--durability", "os"]) as kew:
        for alone, beside in rounds(kew, 15):
            print(f"p99 alone {alone * 1000:.2f} ms, beside {STUCK} stuck connections {beside * 1000:.2f} ms: {beside / alone:.2f}")
