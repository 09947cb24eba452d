"""The power is cut under load: what was acknowledged is true afterwards. And the disk is full.

The data lie on a disk of the test's own, which forgets at the cut whatever was not synced.
"""

import random

import pytest

import disk
import server
from load import Load, seed

pytestmark = [pytest.mark.power, pytest.mark.once, pytest.mark.timeout(600)]

FLAGS = ["--sqs-waits", "off", "--test-endpoints"]
CUTS = 8
# A run that must lose something may be lucky so many times.
PATIENCE = 5


@pytest.fixture(scope="module", autouse=True)
def possible(tmp_path_factory):
    if reason := disk.missing(tmp_path_factory.mktemp("possible")):
        pytest.skip(reason)


class Machine:
    """A server whose data lie on a disk that can be cut."""

    def __init__(self, folder, durability, megabytes=512):
        self.disk = disk.Disk(folder, megabytes)
        self.kew = server.Kew(data=self.disk.folder, flags=[*FLAGS, "--durability", durability])
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


@pytest.mark.parametrize("large", [0, 16 * 1024], ids=["small", "with a backlog on disk"])
def test_nothing_acknowledged_is_lost_when_the_power_is_cut_under_load(tmp_path, large):
    number = seed()
    chance = random.Random(number)
    with Machine(tmp_path, "fsync", megabytes=1024) as machine:
        load = Load(machine.kew, number, large=large)
        if large:
            load.send_large(20_000)
        for _ in range(CUTS):
            load.start()
            load.wait_for(chance.randint(1, 2000))
            machine.cut(load)
            machine.kew.start()
        load.drain()
        print(load.summary())
        assert load.judge() == []


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
            broken = {violation.rule for violation in load.judge(ordered=False)}
            print(broken)
            if broken & {"lost", "undeleted"}:
                return
    pytest.fail(f"nothing was lost in {PATIENCE} cuts without a sync")
