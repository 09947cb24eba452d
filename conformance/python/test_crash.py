"""`kill -9` under load: what was acknowledged is true afterwards, and the account is complete.

Clients write down what they asked and what they were told; at the end everything left is received, and the history is
judged (`history.py`, `order.py`). `KEW_SEED` repeats a run's draws, `KEW_KILLS` and `KEW_HISTORIES` make it longer.
"""

import os
import random
import signal

import pytest

import server
from load import Load, seed

pytestmark = [pytest.mark.crash, pytest.mark.once, pytest.mark.timeout(3600)]

# With the least journal, so that it is retired all the time.
FLAGS = ["--sqs-waits", "off", "--test-endpoints", "--journal-bytes", str(1 << 20)]
KILLS = int(os.environ.get("KEW_KILLS", 24))
HISTORIES = int(os.environ.get("KEW_HISTORIES", 30))
# A queue with more messages than the server keeps in memory, and more bytes than in its young journal.
LARGE, LARGE_BYTES = 12_000, 24 * 1024


def kill(kew, load, chance, most):
    """Kills the server at a random moment of the load and starts it again; one time in four it is killed while it starts.

    Now and then the doctor looks at what it left behind, and must find it sound.
    """
    load.start()
    load.wait_for(chance.randint(1, most))
    kew.kill()
    load.end()
    if chance.random() < 0.25:
        kew.spawn()
        kew.kill()
    if chance.random() < 0.25:
        code, words = kew.examine()
        assert code == 0, words
    kew.start()


@pytest.mark.parametrize("durability", ["fsync", "os"])
def test_nothing_acknowledged_is_lost_when_the_server_is_killed_under_load(tmp_path, durability):
    number = seed()
    chance = random.Random(number)
    with server.Kew(data=tmp_path, flags=[*FLAGS, "--durability", durability]) as kew:
        load = Load(kew, number)
        for _ in range(KILLS):
            kill(kew, load, chance, 2000)
        load.verify()
        seen = load.summary()
        print(seen)
        assert all(seen.values()), "the load left something of everything to look at"
        assert kew.end(signal.SIGTERM) == 0


def test_a_backlog_on_disk_is_there_when_the_server_is_killed_under_load(tmp_path):
    number = seed()
    chance = random.Random(number)
    # With the journal as it is delivered.
    with server.Kew(data=tmp_path, flags=[*FLAGS[:-2], "--durability", "os"]) as kew:
        load = Load(kew, number, large=LARGE_BYTES)
        load.send_large(LARGE)
        for _ in range(KILLS // 3):
            kill(kew, load, chance, 4000)
        load.verify()
        print(load.summary())


def test_histories_of_many_clients_at_few_groups_are_those_of_a_right_queue(tmp_path):
    """Many short histories, each of queues of its own, with more clients than groups and a kill or two."""
    number = seed()
    chance = random.Random(number)
    with server.Kew(data=tmp_path, flags=[*FLAGS, "--durability", "os"]) as kew:
        for turn in range(HISTORIES):
            load = Load(kew, f"{number} {turn}", clients=24, groups=2, account=str(10**11 + turn))
            for _ in range(chance.randint(1, 2)):
                kill(kew, load, chance, 1000)
            load.verify()
