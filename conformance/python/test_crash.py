"""`kill -9` under load: what was acknowledged is true afterwards, and the account is complete.

Producers and consumers keep a ledger of what the server acknowledged and of what it was asked when it died (in doubt).
After several deaths the queues are drained and compared with the ledger.
"""

import collections
import http.client
import itertools
import signal
import threading

import pytest

import server
from raw import Connection

pytestmark = [pytest.mark.crash, pytest.mark.once, pytest.mark.timeout(300)]

ACCOUNT = "123456789012"
ROUNDS = 8
WORKERS = 4
ACKNOWLEDGED_PER_ROUND = 4000
# Longer than the load takes, and much shorter than the five minutes in which duplicates are known.
LEASE = 100
DEATHS = (http.client.HTTPException, OSError)


class Ledger:
    """What happened to each message, by its body."""

    def __init__(self):
        self.changed = threading.Condition()
        self.acknowledged = 0
        self.sent = {}
        self.doubtful_sends = {}
        self.receives = collections.Counter()
        self.doubtful_receives = 0
        self.deleted = set()
        self.doubtful_deletes = set()
        self.wrong = []

    def note(self, step):
        with self.changed:
            step()
            self.acknowledged += 1
            self.changed.notify_all()

    def wait_for(self, count):
        """Returns when so many answers were given, or when something went wrong."""
        with self.changed:
            assert self.changed.wait_for(lambda: self.acknowledged >= count or self.wrong, timeout=120)


class Load:
    """One queue's producers and consumers; they end when the server dies."""

    def __init__(self, kew, url, fifo):
        self.kew, self.url, self.fifo = kew, url, fifo
        self.ledger = Ledger()
        self.round = 0

    def start(self):
        self.round += 1
        jobs = [(self.produce, n) for n in range(WORKERS)] + [(self.consume, n) for n in range(WORKERS)]
        self.threads = [threading.Thread(target=self.run, args=job, daemon=True) for job in jobs]
        for thread in self.threads:
            thread.start()

    def run(self, job, number):
        connection = Connection(self.kew, ACCOUNT)
        try:
            job(connection, number)
        except DEATHS:
            pass
        except Exception as error:
            self.ledger.wrong.append(repr(error))
            raise

    def join(self):
        for thread in self.threads:
            thread.join(timeout=60)
            assert not thread.is_alive()
        assert not self.ledger.wrong

    def members(self, body, group):
        entry = {"MessageBody": body}
        return entry | {"MessageGroupId": group, "MessageDeduplicationId": body} if self.fifo else entry

    def produce(self, connection, number):
        ledger = self.ledger
        counter = itertools.count()
        # What was in doubt when the server died is sent again: a FIFO queue must know it.
        if self.fifo:
            for body in [body for body, by in list(ledger.doubtful_sends.items()) if by == number]:
                self.send(connection, number, [(body, body.split("-")[0])])
        for turn in itertools.count():
            group = f"r{self.round}p{number}g{turn % 20}"
            self.send(connection, number, [(f"{group}-{next(counter):06}", group) for _ in range(1 + turn % 5)])

    def send(self, connection, number, messages):
        ledger = self.ledger
        for body, _ in messages:
            ledger.doubtful_sends[body] = number
        if len(messages) == 1:
            ((body, group),) = messages
            answer = connection.json("SendMessage", {"QueueUrl": self.url, **self.members(body, group)})
            assert answer.status == 200, answer.body
            results = [(body, answer.json["MessageId"])]
        else:
            entries = [{"Id": str(n), **self.members(*message)} for n, message in enumerate(messages)]
            answer = connection.json("SendMessageBatch", {"QueueUrl": self.url, "Entries": entries})
            assert answer.status == 200 and "Failed" not in answer.json, answer.body
            results = [(messages[int(e["Id"])][0], e["MessageId"]) for e in answer.json["Successful"]]
        for body, message_id in results:
            ledger.note(lambda: ledger.sent.__setitem__(body, message_id))
            del ledger.doubtful_sends[body]

    def consume(self, connection, number):
        ledger = self.ledger
        members = {"QueueUrl": self.url, "MaxNumberOfMessages": 10, "WaitTimeSeconds": 1, "AttributeNames": ["All"]}
        while True:
            with ledger.changed:
                ledger.doubtful_receives += 1
            answer = connection.json("ReceiveMessage", members)
            assert answer.status == 200, answer.body
            with ledger.changed:
                ledger.doubtful_receives -= 1
            messages = answer.json.get("Messages", [])
            for message in messages:
                self.check(message)
            # Some stay in flight, and lock their group, until the audit.
            keep = 40 if self.fifo else 4
            self.delete(connection, [m for m in messages if int(m["MessageId"][:8], 16) % keep])

    def check(self, message):
        ledger, body = self.ledger, message["Body"]
        with ledger.changed:
            if body in ledger.deleted:
                ledger.wrong.append(f"{body} was deleted and came again")
        seen = int(message["Attributes"]["ApproximateReceiveCount"])
        ledger.note(lambda: ledger.receives.__setitem__(body, ledger.receives[body] + 1))
        if not ledger.receives[body] <= seen <= ledger.receives[body] + 2 * WORKERS * self.round:
            ledger.wrong.append(f"{body} was received {ledger.receives[body]} times and says {seen}")

    def delete(self, connection, messages):
        ledger = self.ledger
        if not messages:
            return
        bodies = [message["Body"] for message in messages]
        ledger.doubtful_deletes.update(bodies)
        entries = [{"Id": str(n), "ReceiptHandle": m["ReceiptHandle"]} for n, m in enumerate(messages)]
        answer = connection.json("DeleteMessageBatch", {"QueueUrl": self.url, "Entries": entries})
        assert answer.status == 200 and "Failed" not in answer.json, answer.body
        ledger.doubtful_deletes.difference_update(bodies)
        for body in bodies:
            ledger.note(lambda: ledger.deleted.add(body))

    def audit(self):
        """Drains the queue and compares."""
        ledger, left = self.ledger, []
        connection = Connection(self.kew, ACCOUNT)
        members = {
            "QueueUrl": self.url, "MaxNumberOfMessages": 10, "AttributeNames": ["All"], "VisibilityTimeout": 40_000
        }
        while messages := connection.json("ReceiveMessage", members).json.get("Messages", []):
            left += messages
            if self.fifo:
                # So that the group goes on.
                entries = [{"Id": str(n), "ReceiptHandle": m["ReceiptHandle"]} for n, m in enumerate(messages)]
                connection.json("DeleteMessageBatch", {"QueueUrl": self.url, "Entries": entries})
        found = collections.Counter(message["Body"] for message in left)
        assert max(found.values(), default=1) == 1, "no message is there twice"
        assert not set(found) & ledger.deleted, "no acknowledged delete was undone"
        owed = set(ledger.sent) - ledger.deleted - ledger.doubtful_deletes
        assert not owed - set(found), "no acknowledged message was lost"
        known = set(ledger.sent) | set(ledger.doubtful_sends)
        assert not set(found) - known, "nothing was invented"
        for message in left:
            body, seen = message["Body"], int(message["Attributes"]["ApproximateReceiveCount"])
            most = ledger.receives[body] + 1 + ledger.doubtful_receives
            assert ledger.receives[body] + 1 <= seen <= most, f"{body}: receives are counted"
            if body in ledger.sent:
                assert message["MessageId"] == ledger.sent[body]
        if self.fifo:
            self.audit_order(left)
            self.audit_duplicates(connection)
        return len(left)

    def audit_order(self, left):
        groups = collections.defaultdict(list)
        for message in left:
            groups[message["Attributes"]["MessageGroupId"]].append(message)
        for name, messages in groups.items():
            bodies = [m["Body"] for m in messages]
            numbers = [m["Attributes"]["SequenceNumber"] for m in messages]
            assert bodies == sorted(bodies), f"group {name} is in order"
            assert numbers == sorted(numbers), f"group {name}'s sequence numbers rise"

    def audit_duplicates(self, connection):
        """What was acknowledged in the last round is a duplicate, though all of it was deleted by now."""
        recent = [(body, id) for body, id in self.ledger.sent.items() if body.startswith(f"r{self.round}p0")]
        for body, message_id in recent[-20:]:
            members = self.members(body, body.split("-")[0])
            answer = connection.json("SendMessage", {"QueueUrl": self.url, **members}).json
            assert answer["MessageId"] == message_id
        assert connection.json("ReceiveMessage", {"QueueUrl": self.url}).json == {}


@pytest.mark.parametrize("durability", ["fsync", "os"])
@pytest.mark.parametrize("kind", ["standard", "fifo"])
def test_nothing_acknowledged_is_lost_when_the_server_is_killed_under_load(tmp_path, kind, durability):
    flags = ["--sqs-waits", "off", "--test-endpoints", "--durability", durability]
    with server.Kew(data=tmp_path, flags=flags) as kew:
        fifo = kind == "fifo"
        attributes = {"VisibilityTimeout": str(LEASE), **({"FifoQueue": "true"} if fifo else {})}
        name = {"QueueName": "crash.fifo" if fifo else "crash", "Attributes": attributes}
        url = Connection(kew, ACCOUNT).json("CreateQueue", name).json["QueueUrl"]
        load = Load(kew, url, fifo)
        for _ in range(ROUNDS):
            load.start()
            load.ledger.wait_for(load.ledger.acknowledged + ACKNOWLEDGED_PER_ROUND)
            kew.kill()
            load.join()
            kew.start()
        kew.advance(LEASE + 1)
        assert load.audit() > 0, "the load left something to look at"
        assert kew.end(signal.SIGTERM) == 0
