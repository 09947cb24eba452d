"""Fixtures: one server for the session, a fresh account for each test."""

import itertools
import os

import pytest

import server
from queues import Queue, client

ACCOUNTS = itertools.count(100_000_000_000 + os.getpid() * 10_000)


def pytest_collection_modifyitems(items):
    if server.FOREIGN:
        for item in items:
            if "clock" in item.keywords or "process" in item.fixturenames or "clock" in item.fixturenames:
                item.add_marker(pytest.mark.skip(reason="needs a server that the tests started"))


@pytest.fixture(scope="session")
def kew():
    """The server that most tests share. Nothing in it waits, and its clock can be advanced."""
    with server.Kew(flags=["--sqs-waits", "off", "--test-endpoints"]) as kew:
        yield kew


@pytest.fixture
def process(tmp_path):
    """Starts servers of a test's own; all of them end with the test."""
    started = []

    def start(*flags, **options):
        kew = server.Kew(data=tmp_path, flags=flags, **options)
        started.append(kew)
        return kew.start()

    yield start
    for kew in started:
        kew.close()


@pytest.fixture
def clock(kew):
    """Advances the shared server's clock."""
    return kew.advance


@pytest.fixture
def account():
    """Twelve digits that no other test uses: names and counts are the test's own."""
    return str(next(ACCOUNTS))


@pytest.fixture
def sqs(kew, account):
    return client(kew.url, account)


@pytest.fixture
def lax(kew, account):
    """A client that sends what it is told, right or wrong."""
    return client(kew.url, account, validate=False)


@pytest.fixture
def make(sqs):
    """Creates queues by name and attributes; a name that ends in .fifo makes a FIFO queue."""

    def make(name="queue", tags=None, **attributes):
        if name.endswith(".fifo"):
            attributes.setdefault("FifoQueue", "true")
        extra = {"tags": tags} if tags else {}
        url = sqs.create_queue(QueueName=name, Attributes=attributes, **extra)["QueueUrl"]
        return Queue(sqs, url)

    return make


@pytest.fixture
def queue(make):
    return make("queue")


@pytest.fixture
def fifo(make):
    return make("queue.fifo", ContentBasedDeduplication="true")
