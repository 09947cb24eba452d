"""Clients that send, receive, delete and change visibility at random, all at once, and write down what they saw.

What they see goes into a `History`. They end when the server dies; what it had not answered stays without an end. Each
client draws from the seed, so a seed repeats what is asked, though not how the threads take turns.
"""

import collections
import concurrent.futures
import http.client
import itertools
import json
import math
import os
import random
import threading
import time
import zlib

import order
from history import History, Queue, Receive, Received, Send, Settle, judge
from queues import attributes_md5, body_md5, text
from raw import Connection

ACCOUNT = "123456789012"
# Short, so that messages come again while the load goes on.
LEASE = 2
# All leases and delays of the load are over after so many seconds.
OVER = 30
# Longer than draining takes.
DRAINING = 40_000
DEATHS = (http.client.HTTPException, OSError)
SOURCES = [Queue("work", most=3, dead="dead"), Queue("line.fifo", True, most=4, dead="dead.fifo")]
QUEUES = [*SOURCES, Queue("dead"), Queue("dead.fifo", True)]


def seed():
    """The seed of this run: told, or drawn and printed."""
    number = int(os.environ.get("KEW_SEED", 0)) or random.SystemRandom().randrange(1, 10**6)
    print(f"again with KEW_SEED={number}")
    return number


class NoAnswer(Exception):
    """The server could not do what it was asked; it may do it later."""

    def __init__(self, answer):
        super().__init__(answer.status, answer.json)


class Load:
    """Clients of four queues: a standard and a FIFO queue, and the queues of their dead letters."""

    def __init__(self, kew, seed, clients=8, groups=6, account=ACCOUNT, large=0):
        self.kew, self.seed, self.clients, self.groups, self.account = kew, seed, clients, groups, account
        # How long the bodies of large messages are, of which there are some then.
        self.large = large
        self.history = History(*QUEUES)
        self.changed = threading.Condition()
        self.answered = 0
        self.wrong, self.ending, self.threads = [], False, []
        self.ahead, self.offset, self.began = 0, -math.inf, 0
        self.began = self.now()
        self.rounds, self.calls = itertools.count(), itertools.count(1)
        # FIFO messages that may be sent again.
        self.recent = collections.deque(maxlen=50)
        connection = self.connect()
        self.urls = {queue.name: self.create(connection, queue) for queue in reversed(QUEUES)}

    def connect(self):
        return Connection(self.kew, self.account)

    def create(self, connection, queue):
        attributes = {"VisibilityTimeout": str(LEASE)} | ({"FifoQueue": "true"} if queue.fifo else {})
        if queue.dead:
            arn = f"arn:aws:sqs:us-east-1:{self.account}:{queue.dead}"
            attributes["RedrivePolicy"] = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": queue.most})
        answer = connection.json("CreateQueue", {"QueueName": queue.name, "Attributes": attributes})
        assert answer.status == 200, answer.body
        return answer.json["QueueUrl"]

    def now(self):
        """The moment, with the seconds by which the server's clock was moved.

        It follows the wall's clock where that is set forward, as the server's does: else its leases would seem to end early.
        """
        self.offset = max(self.offset, time.time() - time.monotonic())
        return time.monotonic() + self.offset - self.began + self.ahead

    # A round: clients start, do things, and end with the server.

    def start(self):
        self.ending, number = False, next(self.rounds)
        clients = [Client(self, f"{number}.{n}") for n in range(self.clients)]
        self.threads = [threading.Thread(target=client.run, daemon=True) for client in clients]
        for thread in self.threads:
            thread.start()

    def wait_for(self, count):
        """Returns when so many more answers were given."""
        with self.changed:
            goal = self.answered + count
            assert self.changed.wait_for(lambda: self.answered >= goal or self.wrong, timeout=120), self.answered
            assert not self.wrong, self.wrong

    def end(self):
        """Lets the clients end after the call that they are at, or when the server has died."""
        self.ending = True
        for thread in self.threads:
            thread.join(timeout=60)
            assert not thread.is_alive()
        assert not self.wrong, self.wrong

    def note(self, answers):
        with self.changed:
            self.answered += answers
            self.changed.notify_all()

    def send_large(self, count):
        """Fills the standard queue with large messages, until some do not lie in the journal any more."""
        batches = iter(range(count // 10))

        def fill(number):
            client = Client(self, f"large{number}")
            for _ in batches:
                client.send(SOURCES[0], 10, [0] * 10)

        at_once(fill)
        assert self.kew.metric("kew_journal_cold_bytes_total") > 0

    # The end: everything that is left is received.

    def drain(self):
        """Receives what is left, when all leases and delays have ended, and sees that the server's counts agree."""
        self.kew.advance(OVER)
        self.ahead += OVER
        self.history.drained = self.now()
        for queue in QUEUES:
            at_once(lambda number: Client(self, f"drain{number}").drain(queue))
        left = collections.defaultdict(set)
        for receive in self.history.receives:
            if receive.start >= self.history.drained:
                left[receive.queue] |= {message.body for message in receive.messages}
        connection = self.connect()
        for queue in QUEUES:
            names = ["ApproximateNumberOfMessages" + kind for kind in ("", "NotVisible", "Delayed")]
            asked = {"QueueUrl": self.urls[queue.name], "AttributeNames": names}
            seen = connection.json("GetQueueAttributes", asked).json["Attributes"]
            wanted = [0, 0 if queue.fifo else len(left[queue.name]), 0]
            assert [int(seen[name]) for name in names] == wanted, f"{queue.name} is counted"

    def judge(self):
        """What no right queue could have done."""
        return judge(self.history) + order.unorderable(self.history)

    def verify(self):
        """Drains and judges; of each rule that was broken, the operations that show it are told."""
        self.drain()
        first = {}
        found = self.judge()
        for violation in found:
            first.setdefault(violation.rule, violation)
        told = "\n\n".join(str(violation) for violation in first.values())
        assert not found, f"{len(found)} violations in {self.summary()}\n\n{told}"

    def summary(self):
        """What the history holds, by which one sees that it was worth judging."""
        history = self.history
        received = [message for receive in history.receives for message in receive.messages]
        return {
            "sends": len(history.sends),
            "sent again": len(history.sends) - len({send.body for send in history.sends}),
            "received": len(received),
            "redelivered": sum(message.count > 1 for message in received),
            "dead": len({message.body for message in received if message.by.queue.startswith("dead")}),
            "settled": len(history.settles),
            "unanswered": sum(operation.end == float("inf") for operation in history.operations()),
        }

    # What a message looks like, by its name.

    def content(self, name):
        """Its body and its attributes."""
        number = zlib.crc32(name.encode())
        large = self.large and (name.startswith("large") or number % 4 == 0)
        size = self.large if large else number % 100
        attributes = {"number": text(str(number), "Number"), "name": text(name)} if number % 3 == 0 else {}
        return f"{name} {'x' * size}", attributes

    def flaw(self, message):
        """What is not as it was sent."""
        name = message["Body"].split(" ")[0]
        body, attributes = self.content(name)
        if (message["Body"], message["MD5OfBody"]) != (body, body_md5(body)):
            return "another body"
        digest = attributes_md5(attributes) if attributes else None
        if (message.get("MessageAttributes", {}), message.get("MD5OfMessageAttributes")) != (attributes, digest):
            return "other attributes"
        return None


def at_once(job):
    """Does a job several times at once; their numbers tell them apart."""
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(job, range(4)))


class Client:
    """One client on one connection."""

    def __init__(self, load, name):
        self.load, self.name = load, name
        self.chance = random.Random(f"{load.seed} {name}")
        self.connection = load.connect()
        self.names = itertools.count()
        # Messages to be settled later, with their handles.
        self.held = []

    def run(self):
        try:
            while not self.load.ending:
                try:
                    self.act()
                except NoAnswer:
                    pass
        except DEATHS:
            pass
        except Exception as error:
            self.load.wrong.append(repr(error))
            self.load.note(0)
            raise

    def act(self):
        chance = self.chance
        draw, source = chance.random(), chance.choice(SOURCES)
        if draw < 0.4:
            count = chance.choice([1, 1, 3, 10])
            self.send(source, count, [chance.choice([0, 0, 0, 0, 0, 1, 2]) for _ in range(count)])
        elif draw < 0.42:
            self.hang_up(source)
        elif draw < 0.9 or not self.held:
            self.receive(chance.choice(QUEUES) if draw < 0.5 else source)
        else:
            self.settle([self.held.pop(chance.randrange(len(self.held)))], None)

    def ask(self, action, queue, members, steps, kept):
        """One call. Its steps are kept without an end until the answer is there; the answer, and when it came."""
        start = self.load.now()
        for step in steps:
            step.start = start
        kept.extend(steps)
        answer = self.connection.json(action, {"QueueUrl": self.load.urls[queue], **members})
        end = self.load.now()
        if answer.status >= 500:
            raise NoAnswer(answer)
        assert answer.status == 200, answer.body
        return answer.json, end

    def send(self, queue, count, delays):
        load, call = self.load, next(self.load.calls)
        if queue.fifo:
            group = f"{self.name.split('.')[0]}.{self.chance.randrange(load.groups)}"
            messages = [(f"{self.name}.{next(self.names):05}", group) for _ in range(count)]
            if load.recent and self.chance.random() < 0.2:
                messages = [self.chance.choice(load.recent)]
            load.recent.extend(messages)
        else:
            # Some have a tenant, as fair queues know them.
            tenant = self.chance.choice([None, None, f"tenant{self.chance.randrange(3)}"])
            messages = [(f"{self.name}.{next(self.names):05}", tenant) for _ in range(count)]
        steps, entries = [], []
        for place, ((name, group), delay) in enumerate(zip(messages, delays)):
            delay = 0 if queue.fifo else delay
            steps.append(Send(0, queue.name, name, group, delay, call, place))
            body, attributes = load.content(name)
            entry = {"Id": str(place), "MessageBody": body, "MessageAttributes": attributes}
            entry |= {"MessageGroupId": group} if group else {}
            entry |= {"MessageDeduplicationId": name} if queue.fifo else {}
            entries.append(entry | ({"DelaySeconds": delay} if delay else {}))
        if len(entries) == 1:
            del entries[0]["Id"]
            answer, end = self.ask("SendMessage", queue.name, entries[0], steps, load.history.sends)
            answers = [answer]
        else:
            answer, end = self.ask("SendMessageBatch", queue.name, {"Entries": entries}, steps, load.history.sends)
            assert not answer.get("Failed"), answer
            answers = sorted(answer["Successful"], key=lambda entry: int(entry["Id"]))
        for step, answer in zip(steps, answers, strict=True):
            step.id, step.end = answer["MessageId"], end
            step.number = int(answer["SequenceNumber"]) if queue.fifo else None
        load.note(len(steps))

    def receive(self, queue, lease=None, wait=None):
        """Receives, and settles what it got."""
        chance = self.chance
        lease = lease or chance.choice([None, None, 1, 3])
        wait = chance.choice([0, 0, 0, 1]) if wait is None else wait
        got = self.take(queue, lease, chance.choice([1, 1, 3, 10]), wait)
        fates = collections.defaultdict(list)
        for message in got:
            fates[chance.choices(["delete", 0, 3, "hold", "leave"], [70, 12, 5, 8, 5])[0]].append(message)
        self.settle(fates["delete"], None)
        self.settle(fates[0], 0)
        self.settle(fates[3], 3)
        self.held = (self.held + fates["hold"])[-20:]

    def hang_up(self, queue):
        """Asks for messages, and is gone before the answer."""
        wait = 1
        self.load.history.receives.append(Receive(self.load.now(), queue.name, LEASE, wait=wait))
        members = {"QueueUrl": self.load.urls[queue.name], "MaxNumberOfMessages": 10, "WaitTimeSeconds": wait}
        self.connection.begin("POST", "/", *self.connection.in_json("ReceiveMessage", members))
        # It opens again by itself.
        self.connection.close()

    def take(self, queue, lease, most, wait):
        """Receives messages, and gives them with their handles."""
        members = {"MaxNumberOfMessages": most, "WaitTimeSeconds": wait, "AttributeNames": ["All"]}
        members |= {"MessageAttributeNames": ["All"]} | ({"VisibilityTimeout": lease} if lease else {})
        step = Receive(0, queue.name, lease or LEASE, wait=wait)
        answer, end = self.ask("ReceiveMessage", queue.name, members, [step], self.load.history.receives)
        got = []
        for message in answer.get("Messages", []):
            told = message["Attributes"]
            name, number = message["Body"].split(" ")[0], told.get("SequenceNumber")
            received = Received(
                step, name, message["MessageId"], int(told["ApproximateReceiveCount"]), told.get("MessageGroupId"),
                int(number) if number else None, self.load.flaw(message),
            )
            got.append((received, message["ReceiptHandle"]))
        step.messages, step.end = [received for received, _ in got], end
        self.load.note(1)
        return got

    def settle(self, messages, timeout):
        """Deletes messages, or changes their visibility. What was refused had no effect, and is not history."""
        if not messages:
            return
        action = "DeleteMessageBatch" if timeout is None else "ChangeMessageVisibilityBatch"
        queues = collections.defaultdict(list)
        for message in messages:
            queues[message[0].by.queue].append(message)
        for queue, messages in queues.items():
            steps = [Settle(0, received, timeout) for received, _ in messages]
            entries = [{"Id": str(place), "ReceiptHandle": handle} for place, (_, handle) in enumerate(messages)]
            if timeout is not None:
                entries = [{**entry, "VisibilityTimeout": timeout} for entry in entries]
            kept = []
            try:
                answer, end = self.ask(action, queue, {"Entries": entries}, steps, kept)
                for entry in answer.get("Failed", []):
                    assert entry["SenderFault"], entry
                    kept.remove(steps[int(entry["Id"])])
                for step in kept:
                    step.end = end
            finally:
                self.load.history.settles.extend(kept)
            self.load.note(len(kept))

    def drain(self, queue):
        """Receives until nothing is there; a FIFO queue's messages are deleted, so that their groups go on."""
        while True:
            got = self.take(queue, DRAINING, 10, 0)
            if queue.fifo:
                self.settle(got, None)
            if not got and not self.visible(queue):
                return

    def visible(self, queue):
        asked = {"QueueUrl": self.load.urls[queue.name], "AttributeNames": ["ApproximateNumberOfMessages"]}
        return int(self.connection.json("GetQueueAttributes", asked).json["Attributes"][asked["AttributeNames"][0]])
