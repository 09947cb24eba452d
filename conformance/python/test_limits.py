"""What one key, or one address, may take: beyond it AWS's throttling error, and nobody else pays."""

import socket

import pytest
from botocore.exceptions import ClientError

import server
from test_signatures import CONFIG, ENVIRONMENT, OTHER, ROOT, client

pytestmark = [
    pytest.mark.once,
    pytest.mark.skipif(server.FOREIGN is not None, reason="needs a server that the tests started"),
]

# The name in the Query dialect, by which boto3 tells errors of SQS in JSON too.
THROTTLED = ("Throttling", 400, "Rate exceeded")


def until_refused(call):
    """How often a call works, and how it is then refused."""
    for count in range(1000):
        try:
            call()
        except ClientError as refused:
            error, status = refused.response["Error"], refused.response["ResponseMetadata"]["HTTPStatusCode"]
            return count, (error["Code"], status, error["Message"])
    raise AssertionError("it was never refused")


def test_a_key_that_asks_too_often_is_throttled_and_another_is_not(process):
    kew = process("--requests-per-second-per-key", "3", env=ENVIRONMENT, config=CONFIG)
    count, refusal = until_refused(client(kew, ROOT).list_queues)
    assert count >= 3 and refusal == THROTTLED
    client(kew, OTHER).list_queues()
    # Who has only its id uses up nobody's share.
    thief = client(kew, (OTHER[0], "wrong"))
    for _ in range(10):
        assert until_refused(thief.list_queues)[1][0] == "SignatureDoesNotMatch"
    client(kew, OTHER).list_queues()


def test_an_address_that_asks_too_often_is_throttled_whoever_it_is_and_still_sees_that_kew_lives(process):
    kew = process("--requests-per-second-per-address", "3", env=ENVIRONMENT, config=CONFIG)
    assert until_refused(client(kew, ROOT).list_queues)[1] == THROTTLED
    assert until_refused(client(kew, OTHER).list_queues)[1] == THROTTLED
    for _ in range(10):
        assert '"status":"ok"' in kew.page("/health")


def test_an_address_has_so_many_connections_at_once(process):
    kew = process("--connections-per-address", "2")
    ask = b"GET /health HTTP/1.1\r\nHost: h\r\n\r\n"

    def connect():
        stream = socket.create_connection(("127.0.0.1", kew.port), timeout=30)
        try:
            stream.sendall(ask)
            return stream, stream.recv(65536)
        except OSError:
            return stream, b""

    # Those of the start may be on their way out.
    kept = []
    while len(kept) < 2:
        stream, said = connect()
        if said:
            kept.append(stream)
    assert b" 200 " in said
    assert connect()[1] == b""
    kept.pop().close()
    while not connect()[1]:
        pass
