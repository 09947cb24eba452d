"""A thousand slow or stuck connections: whoever behaves does not feel them.

`python test_slow.py` prints the figures of more rounds.
"""

import http.client
import itertools
import json
import multiprocessing
import socket
import statistics
import threading
import time

import pytest

import server

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


if __name__ == "__main__":
    with server.Kew(flags=["--durability", "os"]) as kew:
        for alone, beside in rounds(kew, 15):
            print(f"p99 alone {alone * 1000:.2f} ms, beside {STUCK} stuck connections {beside * 1000:.2f} ms: {beside / alone:.2f}")
