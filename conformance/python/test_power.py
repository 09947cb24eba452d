"""The power is cut under load: what was acknowledged is true afterwards. And the disk is full.

The data lie on a disk of the test's own, which forgets at the cut whatever was not synced.
"""

import os
import random

import pytest

import disk
import server
from load import QUEUES, SOURCES, Client, Load, NoAnswer, seed

pytestmark = [pytest.mark.power, pytest.mark.once, pytest.mark.timeout(3600)]

FLAGS = ["--sqs-waits", "off", "--test-endpoints"]
CUTS = int(os.environ.get("KEW_CUTS", 8))
LARGE = 24 * 1024
HUGE = 64 * 1024
# Less than the manual asks for.
MEGABYTES = 256
# A run that must lose something may be lucky so many times.
PATIENCE = 5


@pytest.fixture(scope="module", autouse=True)
def possible(tmp_path_factory):
    if reason := disk.missing(tmp_path_factory.mktemp("possible")):
        pytest.skip(reason)


class Machine:
    """A server whose data lie on a disk that can be cut."""

    def __init__(self, folder, durability, megabytes=512, flags=()):
        self.disk = disk.Disk(folder, megabytes)
        self.kew = server.Kew(data=self.disk.folder, flags=[*FLAGS, "--durability", durability, *flags])
        # On a disk that stays.
        self.kew.log = folder / "kew.log"

    def __enter__(self):
        self.disk.__enter__()
        try:
            self.kew.start()
        except BaseException:
            self.disk.__exit__()
            raise
        return self

    def __exit__(self, *_):
        try:
            self.kew.close()
        finally:
            self.disk.__exit__()

    def cut(self, load):
        """Cuts the power under load, and has it back. What clients were not told before stays open."""
        self.disk.cut()
        load.ending = True
        self.kew.kill()
        load.end()
        self.disk.back()

    def is_sound(self):
        code, words = self.kew.examine()
        assert code == 0, words


@pytest.mark.parametrize("large", [0, LARGE], ids=["small", "with a backlog on disk"])
def test_nothing_acknowledged_is_lost_when_the_power_is_cut_under_load(tmp_path, large):
    number = seed()
    chance = random.Random(number)
    # Small messages with the least journal, so that it is retired all the time; large ones with that as delivered.
    flags = [] if large else ["--journal-bytes", str(1 << 20)]
    with Machine(tmp_path, "fsync", megabytes=1024, flags=flags) as machine:
        load = Load(machine.kew, number, large=large)
        if large:
            load.send_large(12_000)
        for _ in range(CUTS):
            load.start()
            load.wait_for(chance.randint(1, 2000))
            machine.cut(load)
            machine.is_sound()
            machine.kew.start()
        load.verify()
        print(load.summary())


def test_a_server_that_does_not_sync_is_caught(tmp_path):
    """The power cut would be worth nothing if nobody could fail it."""
    number = seed()
    for attempt in range(PATIENCE):
        folder = tmp_path / str(attempt)
        folder.mkdir()
        with Machine(folder, "os") as machine:
            load = Load(machine.kew, number + attempt)
            # So that there are queues to be looked at.
            machine.disk.sync()
            load.start()
            load.wait_for(1000)
            machine.cut(load)
            machine.kew.start()
            load.drain()
            broken = {violation.rule for violation in load.judge()}
            print(broken)
            if broken & {"lost", "undeleted"}:
                return
    pytest.fail(f"nothing was lost in {PATIENCE} cuts without a sync")


def fill(client, machine, queue):
    """Sends until the disk has no room, and sees that the fault says so."""
    for _ in range((machine.disk.megabytes << 20) // (10 * HUGE)):
        try:
            client.send(queue, 10, [0] * 10)
        except NoAnswer as refusal:
            status, told = refusal.args
            assert (status, told["__type"].split("#")[1]) == (503, "ServiceUnavailableException")
            assert "no disk space" in told["message"]
            return
    raise AssertionError("more was accepted than the disk can hold")


def room_again(client, queue):
    """Waits until a send is accepted; long polls of a queue with nothing in it measure the time."""
    for _ in range(30):
        try:
            return client.send(queue, 1, [0])
        except NoAnswer:
            assert client.take(QUEUES[-1], None, 1, 1) == []
    raise AssertionError("there is room, and no send was accepted for half a minute")


@pytest.mark.parametrize("shards", [1, 4], ids=["one shard", "several shards"])
@pytest.mark.parametrize("how", ["messages are deleted", "other files go"])
def test_a_full_disk_refuses_sends_alone_and_has_room_again_by_itself(tmp_path, how, shards):
    number = seed()
    with Machine(tmp_path, "fsync", megabytes=MEGABYTES, flags=["--shards", str(shards)]) as machine:
        ballast = machine.disk.folder / "ballast"
        if how == "other files go":
            with open(ballast, "wb") as file:
                os.posix_fallocate(file.fileno(), 0, 64 << 20)
        load = Load(machine.kew, number, large=HUGE)
        client = Client(load, "large")
        for _ in range(2):
            # All shards come to know it, whichever filled the disk.
            for queue in SOURCES:
                fill(client, machine, queue)
            # Receives and deletes go on.
            for _ in range(20):
                got = client.take(SOURCES[0], 600, 10, 0)
                assert len(got) == 10
                client.settle(got, None)
            client.settle(client.take(SOURCES[1], 600, 10, 0), None)
            if ballast.exists():
                ballast.unlink()
            else:
                while got := client.take(SOURCES[0], 600, 10, 0):
                    client.settle(got, None)
            for queue in SOURCES:
                room_again(client, queue)
        machine.kew.kill()
        machine.kew.start()
        client.connection.close()
        load.verify()
